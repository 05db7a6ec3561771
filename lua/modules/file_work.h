/* Whole files, for the modules that read and write them on the pool.  No Lua here. */
#ifndef SLOTH_LUA_FILE_WORK_H
#define SLOTH_LUA_FILE_WORK_H

#include "base/file.h"
#include "lua/modules/module.h"

#include <sys/types.h>

#define FILE_BYTES_MAX (64u * 1024 * 1024) /* of one file read whole: -EFBIG beyond */

/* Open a regular file.  Returns the descriptor, -EISDIR, -EINVAL for pipes and devices, -errno. */
int file_open_regular(const char *path, int flags, mode_t mode);

#endif
