/* The zygote: the process the workers are forked from, with everything loaded and no thread. */
#ifndef SLOTH_LUA_ZYGOTE_H
#define SLOTH_LUA_ZYGOTE_H

#include "lua/host/worker.h"

/* Serve the daemon at ZYGOTE_FD (base/worker_proto.h) until it closes its end; in a forked child,
 * serve as a worker.  Returns an exit code in either. */
int zygote_main(struct library *library);

#endif
