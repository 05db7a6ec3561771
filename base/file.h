/* Whole files and whole buffers.  All block; all go on after a signal. */
#ifndef SLOTH_BASE_FILE_H
#define SLOTH_BASE_FILE_H

#include "base/err.h"
#include "base/sbuf.h"

#include <stddef.h>
#include <sys/types.h>

/* Append what the descriptor gives until its end.  Returns 0, -EFBIG when that is more than max
 * bytes (out then holds a part), or -errno. */
int file_read_fd(int fd, size_t max, struct sbuf *out) MUST_USE;

/* Write everything.  Returns 0 or -errno. */
int file_write_fd(int fd, const void *data, size_t len) MUST_USE;

/* Put the bytes in place of the file, all or nothing: written beside it as <path>.new, synced and
 * renamed over it, with its directory synced.  Returns 0 or -errno; the old file is as it was on
 * failure. */
int file_replace(const char *path, const void *data, size_t len, mode_t mode) MUST_USE;

#endif
