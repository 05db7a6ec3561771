/* The fence between generations: nothing an earlier master's workers started on this state is alive
 * when a new master starts its own. */
#ifndef SLOTH_WORKERS_FENCE_H
#define SLOTH_WORKERS_FENCE_H

#include "base/err.h"

#define FENCE_SCOPE_MAX 40

struct fence {
	char scope[FENCE_SCOPE_MAX]; /* names the state directory on this host */
	int lock_fd;                 /* -1 before */
};

/* Kill what remains of an earlier master's workers, wait until it is gone, take the lock.  Blocks:
 * yes, 10 s at most.  Returns 0; -EBUSY when something does not go; what open() gives. */
int fence_take(const char *state_dir, struct fence *ret_fence, struct err *err) MUST_USE;

/* Kill everything that carries the scope in its environment, and what that started meanwhile, and
 * wait until it is gone.  Blocks: as long as that takes, timeout_ms at most.  Returns how many
 * processes were killed. */
unsigned fence_sweep(const char *scope, unsigned timeout_ms);

/* Lets go of the lock; workers that are alive still hold it. */
void fence_fini(struct fence *fence);

#endif
