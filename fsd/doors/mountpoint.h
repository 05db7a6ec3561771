/* The directory the tree is mounted on. */
#ifndef SLOTH_DOORS_MOUNTPOINT_H
#define SLOTH_DOORS_MOUNTPOINT_H

#include "base/err.h"

/* Make path ready to be mounted on: a dead mount of ours is detached, a missing directory made.
 * Blocks: briefly.  Returns a descriptor of the bare directory for mountpoint_seal, -EBUSY when a
 * live file system is mounted there, -ENOTEMPTY, -errno. */
int mountpoint_prepare(const char *path, struct err *err) MUST_USE;

/* Mounted, or not: leave the bare directory 0555, so that nobody writes into it by mistake while
 * nothing is mounted.  Takes: fd. */
void mountpoint_seal(int fd);

#endif
