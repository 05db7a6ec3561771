/* The zygote: the process the workers are forked from, with everything loaded and no thread. */
#ifndef SLOTH_LUA_ZYGOTE_H
#define SLOTH_LUA_ZYGOTE_H

#include "lua/host/worker.h"

/* Serve the daemon at ZYGOTE_FD (base/worker_proto.h) until it closes its end; in a forked child,
 * serve as a worker, with no_new_privs as confine() takes it.  Returns an exit code in either. */
int zygote_main(struct library *library, bool no_new_privs);

#endif
