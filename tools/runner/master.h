/* The master of this user: what its state directory records about it, and its process. */
#ifndef SLOTH_RUNNER_MASTER_H
#define SLOTH_RUNNER_MASTER_H

#include "base/err.h"
#include "tools/runner/args.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct master {
	char *state_dir;
	pid_t pid;
	char *mount;   /* NULL: not recorded */
	char *started; /* RFC 3339; NULL: not recorded */
};

/* Read <state>/master.json of the state directory that the options and the environment name.
 * Returns 0, -ENOENT when none was ever started there, -EIO when it makes no sense.  state_dir is
 * set in any case. */
int master_read(const struct args *args, struct master *ret_master, struct err *err) MUST_USE;
void master_fini(struct master *master);
static inline void
master_auto(struct master *master)
{
	master_fini(master);
}

/* A pidfd of the recorded process when it lives and is a sloth-fsd, else -ESRCH.  The descriptor
 * is the caller's. */
int master_open_process(const struct master *master) MUST_USE;

#endif
