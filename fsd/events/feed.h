/* The feed tells who waits that an event was accepted or is final: streams, `wait` nodes, and the
 * views that nodes have of events.  Thread: core. */
#ifndef SLOTH_EVENTS_FEED_H
#define SLOTH_EVENTS_FEED_H

#include "fsd/store/records.h"

#include <stdbool.h>
#include <sys/queue.h>

struct events;
struct feed;

/* Returns owned. */
struct feed *feed_new(struct events *events);
/* No handle of a stream may be open.  Accepts NULL. */
void feed_free(struct feed *feed);

/* After the commit that made it so. */
void feed_accepted(struct feed *feed, struct event *ev);
void feed_final(struct feed *feed, struct event *ev, const struct execution_list *executions);
void feed_parked(struct feed *feed, struct event *ev, const struct execution_list *executions);

/* Someone who waits for one event's final state; embedded by its owner. */
struct feed_waiter {
	uint64_t seq;
	/* Called once; the waiter is no longer in the feed then.  All is borrowed. */
	void (*final)(struct feed_waiter *waiter, const struct event *ev,
		const struct execution_list *executions);
	/* The dispatcher let go of the event for now; may be called more than once.  NULL: does not
	 * mind. */
	void (*parked)(struct feed_waiter *waiter, const struct event *ev,
		const struct execution_list *executions);
	LIST_ENTRY(feed_waiter) link; /* the feed's, like the next */
	bool is_waiting;
};
/* Borrows the waiter until it was told or taken back. */
void feed_wait(struct feed *feed, struct feed_waiter *waiter);
/* Take it back; nothing happens when it was told already. */
void feed_unwait(struct feed *feed, struct feed_waiter *waiter);

/* Those who follow (stream.h); a stream puts itself in and takes itself out. */
struct stream_list;
struct stream_list *feed_streams(struct feed *feed);

#endif
