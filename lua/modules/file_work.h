/* Whole files, for the modules that read and write them on the pool.  No Lua here. */
#ifndef SLOTH_LUA_FILE_WORK_H
#define SLOTH_LUA_FILE_WORK_H

#include "lua/modules/module.h"

#include <sys/types.h>

#define FILE_BYTES_MAX (64u * 1024 * 1024) /* of one file read whole: -EFBIG beyond */

/* Open a regular file.  Returns the descriptor, -EISDIR, -EINVAL for pipes and devices, -errno. */
int file_open_regular(const char *path, int flags, mode_t mode);

/* Read to the end.  Returns 0 or -errno. */
int file_read_all(int fd, struct sbuf *out);

/* Write everything.  Returns 0 or -errno. */
int file_write_all(int fd, const char *data, size_t len);

#endif
