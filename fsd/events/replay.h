/* Replays of one event and of many: what both do.  Private to replay.c and replay_many.c. */
#ifndef SLOTH_EVENTS_REPLAY_H
#define SLOTH_EVENTS_REPLAY_H

#include "fsd/events/events.h"

#include <stdbool.h>
#include <sys/types.h>

/* A copy to be accepted: a replay of the event, which is its cause.  hook NULL: all run.  Returns
 * owned. */
struct event *replay_copy(const struct event *ev, const char *hook, uid_t uid);

/* Why the event cannot be replayed: -ELOOP at the end of a chain of causes, -ESHUTDOWN, or -EINVAL
 * when the hook would not run for it. */
int replay_check(
	struct events *events, const struct event *ev, const char *hook, struct err *err) MUST_USE;

/* What each hook would do with a replay that is accepted now; hook NULL: all are asked.  All is
 * borrowed during the call. */
struct foretold {
	const char *hook, *stack;
	const char *word; /* "run", "held", ..., or why not: "other-type" */
	const char *why;
	bool is_match;
};
typedef void foretold_fn(void *arg, const struct foretold *what);
void replay_foretell(struct events *events, const struct event *ev, const char *hook,
	foretold_fn *fn, void *arg);

#endif
