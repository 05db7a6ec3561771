/* Views: what the tree pins of an event while somebody has its directory, kept current until the
 * event is final.  One per event, shared by all nodes.  Thread: core. */
#ifndef SLOTH_EVENTS_VIEW_H
#define SLOTH_EVENTS_VIEW_H

#include "fsd/events/feed.h"

#include <stdbool.h>
#include <uthash.h>

struct events;

struct view {
	unsigned refs;
	struct events *events;
	uint64_t seq;
	struct event *ev;                 /* as read; the dispatcher's own while it holds it */
	struct execution_list executions; /* recorded ones; complete when final */
	char id[EVENT_ID_MAX + 1];
	bool is_final, is_hashed;
	bool is_told; /* by the feed: newer than any read asked before */
	struct feed_waiter waiter;
	UT_hash_handle hh, by_seq_hh;
};

/* Get the view of an event by the id users see; done gets an owned reference, or NULL with -ENOENT,
 * -EIO.  Done may come before the call returns. */
typedef void view_fn(void *arg, int code, struct view *view);
void view_get(struct events *events, const char *id, view_fn *done, void *arg);

/* The view in use, or NULL.  Borrowed. */
struct view *view_find(struct events *events, const char *id);
struct view *view_find_seq(struct events *events, uint64_t seq);

/* One more owner.  Returns the view. */
struct view *view_ref(struct view *view);
void view_unref(struct view *view); /* accepts NULL */

/* The event is being deleted: later calls of view_get ask the store. */
void view_forget(struct view *view);

/* The status now. */
enum event_status view_status(const struct view *view);

/* Call fn for each execution known now, also pending and running ones. */
typedef void view_exec_fn(void *arg, const struct execution *ex);
void view_executions(const struct view *view, view_exec_fn *fn, void *arg);

#endif
