/* The directory the tree is mounted on. */
#ifndef SLOTH_DOORS_MOUNTPOINT_H
#define SLOTH_DOORS_MOUNTPOINT_H

#include "base/err.h"

/* Make path ready to be mounted on: a dead mount of ours is detached, a missing directory made
 * (0555, so that nobody writes below the mount by mistake).  Blocks: briefly.  Returns 0, -EBUSY
 * when a live file system is mounted there, -ENOTEMPTY, -errno. */
int mountpoint_prepare(const char *path, struct err *err) MUST_USE;

/* Detach whatever is mounted there, now for new callers, later for those inside.  Blocks: briefly.
 * Returns 0 or -errno. */
int mountpoint_detach(const char *path);

#endif
