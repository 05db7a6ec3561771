/* Small whole files. */
#ifndef SLOTH_BASE_FILE_H
#define SLOTH_BASE_FILE_H

#include "base/err.h"

#include <stddef.h>
#include <sys/types.h>

/* Put the bytes in place of the file, all or nothing: written beside it as <path>.new, synced and
 * renamed over it, with its directory synced.  Blocks: yes.  Returns 0 or -errno; the old file is
 * as it was on failure. */
int file_replace(const char *path, const void *data, size_t len, mode_t mode) MUST_USE;

#endif
