/* From which run of a hook a process writes to events/emit: then the event it works on is the
 * cause, and a circle of hooks that raise events comes to its end, whichever way they raise them.
 */
#ifndef SLOTH_EVENTS_ORIGIN_H
#define SLOTH_EVENTS_ORIGIN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct origin {
	pid_t worker; /* 0: no worker of anybody's */
	pid_t thread; /* of the worker, when it writes itself */
	uint32_t run; /* as the worker counts them; 0: it writes itself, for one of those it has */
};

/* Whether the process may come from a worker; one system call. */
bool origin_may_be(pid_t pid);

/* Read from which run it comes.  Blocks: perhaps, so it is for a lane. */
void origin_read(pid_t pid, struct origin *ret_origin);

#endif
