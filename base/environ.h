/* The environment that a process was started with, by which those are known that a master, a hook
 * or an agent started. */
#ifndef SLOTH_BASE_ENVIRON_H
#define SLOTH_BASE_ENVIRON_H

#include "base/err.h"
#include "base/sbuf.h"

#include <sys/types.h>

/* Append "NAME=value" strings, each with its NUL.  A process that is just executing a program shows
 * none for a moment, so one is looked at again until it has one, for limit_ms at most: its program
 * may lie on a file system that hangs.  Blocks: that long.  Returns 0, with nothing for a process
 * that has none, or none yet; -errno: it is gone, or another user's. */
int environ_read(pid_t pid, unsigned limit_ms, struct sbuf *out) MUST_USE;

#endif
