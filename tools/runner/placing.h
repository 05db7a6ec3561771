/* A script on its way into hooks/ of the mount: where it goes, whether the master took it, and how
 * to undo it when it did not.  `hook add` and `hook new` are made of this. */
#ifndef SLOTH_RUNNER_PLACING_H
#define SLOTH_RUNNER_PLACING_H

#include "tools/runner/mount.h"

struct placing {
	struct mount mount;
	const char *stack; /* borrowed; "" for the root */
	char *name, *path; /* of the hook, in the mount; owned */
	bool is_new;
	struct sbuf before; /* the content that is replaced */
};

/* Find the master and the place of hook `name` in `stack` (NULL: the root).  -EINVAL for a name the
 * master would not take, -ENOENT when there is no such stack, -EEXIST when there is such a hook
 * and it may not be replaced.  Borrows stack. */
int placing_find(const struct args *args, const char *name, const char *stack, bool may_replace,
	struct placing *ret_placing, struct err *err) MUST_USE;
void placing_fini(struct placing *p);
static inline void
placing_auto(struct placing *p)
{
	placing_fini(p);
}

/* Put the script there and wait until the master has judged it: status is what the hook's status
 * says then, for placing_judge.  After a failure nothing is there. */
int placing_install(const struct placing *p, const struct sbuf *script, struct sbuf *status,
	struct err *err) MUST_USE;

/* Wait again, after a setting was written. */
int placing_settle(const struct placing *p, struct sbuf *status, struct err *err) MUST_USE;

/* 0 when the hook is in service, or disabled on purpose; else -EPROTO with what is wrong.  what
 * names the script. */
int placing_judge(const char *status, const char *what, struct err *err) MUST_USE;

/* As if nothing had happened; a failure is only told, because the error that brought the caller
 * here is the one that counts. */
void placing_take_back(const struct placing *p);

/* Tell what was added, as text or JSON, and warn of event types nobody raises. */
int placing_print(const struct args *args, const struct placing *p, struct err *err) MUST_USE;

#endif
