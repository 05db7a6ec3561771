/* What a worker and all it starts can no longer do, from before the first line of a script. */
#ifndef SLOTH_LUA_CONFINE_H
#define SLOTH_LUA_CONFINE_H

#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

/* Confine this process, which is about to become uid: deny the system calls of confine.c with
 * EPERM, and with no_new_privs let no program it executes gain rights, unless uid is root.  To be
 * called while it has one thread.  A process that has neither CAP_SYS_ADMIN nor no_new_privs may
 * not have a filter: it is left as it is.  Returns 0 or the -errno of what the kernel refused. */
int confine(uid_t uid, bool no_new_privs, struct err *err) MUST_USE;

#endif
