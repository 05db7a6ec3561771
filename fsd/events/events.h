/* Events: what other rooms may call.  intake.c parses and accepts, dispatcher.c moves events to
 * their final state, feed.c tells streams, waiters and the log; event_nodes.c shows them in the
 * tree. All on the core thread.
 */
#ifndef SLOTH_EVENTS_EVENTS_H
#define SLOTH_EVENTS_EVENTS_H

#include "base/err.h"
#include "fsd/store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct events;
struct dispatcher;

#define EVENT_DEPTH_MAX 16 /* longest chain of causes */

/* An event to be raised from inside the daemon or by a worker. */
struct emit {
	const char *type, *stack, *data; /* data: a JSON object's text */
	const char *id, *sender; /* id NULL: ours.  sender: "master", "hook:<name>", "uid:1000" */
	const char *severity, *agent, *run_id, *source;
	const struct event *cause; /* NULL: none */
	int64_t timestamp_ns;      /* 0: now */
};

/* Accept one event; done gets its id in out after the commit, or -EINVAL (type), -EFBIG, -ELOOP
 * (depth), -ENOSPC, -ESHUTDOWN.  Borrows e during the call only.  done may be NULL. */
void events_emit(struct events *events, const struct emit *e, store_text_fn *done, void *arg);

/* Accept events already built (intake): sets seq, salt, created_ns, appends, and hands them to the
 * dispatcher after the commit.  Takes: the references. */
void events_accept(struct events *events, struct event **list, size_t count, store_dup_fn *dup,
	store_done_fn *done, void *arg);

/* The sequence number the next accepted event gets: hooks use it as an interval's start. */
uint64_t events_next_seq(const struct events *events);

/* Whether text may be an event type: `category.action`, 1 to 128 of [a-z0-9_.-] in dotted parts, or
 * a single word.  Returns 0 or -EINVAL with a sentence. */
int event_type_check(const char *type, size_t len, struct err *err);
/* Whether a pattern (task.*, *) matches a type. */
bool event_type_match(const char *pattern, const char *type);

/* ---- what the dispatcher tells (feed.c) --------------------------------------------------------
 */

/* Both after the commit that made it so. */
void events_on_accepted(struct events *events, struct event *ev);
void events_on_final(
	struct events *events, struct event *ev, const struct execution_list *executions);

#endif
