/* Telling those who wait: see feed.h.
 *
 * Waiters stand in a table by seq, so that a final event touches only those who asked for it;
 * streams stand in a list and each looks at each event with its own filter.  A line is made once
 * an event, when the first stream wants it.
 */
#include "fsd/events/feed.h"

#include "base/auto.h"
#include "base/mem.h"
#include "fsd/events/event_json.h"
#include "fsd/events/room.h"
#include "fsd/events/stream.h"
#include "fsd/tree/room.h"

#include <assert.h>
#include <stdlib.h>
#include <uthash.h>

struct slot {
	uint64_t seq;
	LIST_HEAD(, feed_waiter) waiters;
	UT_hash_handle hh;
};

struct feed {
	struct events *events;
	struct slot *slots; /* hash by seq */
	struct stream_list streams;
};

struct feed *
feed_new(struct events *events)
{
	struct feed *feed = NEW(struct feed);

	feed->events = events;
	LIST_INIT(&feed->streams);
	return feed;
}

void
feed_free(struct feed *feed)
{
	struct slot *slot, *next;

	if (!feed)
		return;
	assert(LIST_EMPTY(&feed->streams));
	HASH_ITER (hh, feed->slots, slot, next) {
		HASH_DEL(feed->slots, slot);
		free(slot);
	}
	free(feed);
}

struct stream_list *
feed_streams(struct feed *feed)
{
	return &feed->streams;
}

/* ---- waiters --------------------------------------------------------------------------------- */

void
feed_wait(struct feed *feed, struct feed_waiter *waiter)
{
	struct slot *slot;

	HASH_FIND(hh, feed->slots, &waiter->seq, sizeof(waiter->seq), slot);
	if (!slot) {
		slot = NEW(struct slot);
		slot->seq = waiter->seq;
		LIST_INIT(&slot->waiters);
		HASH_ADD(hh, feed->slots, seq, sizeof(slot->seq), slot);
	}
	LIST_INSERT_HEAD(&slot->waiters, waiter, link);
	waiter->is_waiting = true;
}

void
feed_unwait(struct feed *feed, struct feed_waiter *waiter)
{
	struct slot *slot;

	if (!waiter->is_waiting)
		return;
	waiter->is_waiting = false;
	LIST_REMOVE(waiter, link);
	HASH_FIND(hh, feed->slots, &waiter->seq, sizeof(waiter->seq), slot);
	if (slot && LIST_EMPTY(&slot->waiters)) {
		HASH_DEL(feed->slots, slot);
		free(slot);
	}
}

static void
tell_waiters(struct feed *feed, const struct event *ev, const struct execution_list *executions)
{
	struct feed_waiter *waiter;
	struct slot *slot;

	HASH_FIND(hh, feed->slots, &ev->seq, sizeof(ev->seq), slot);
	if (!slot)
		return;
	HASH_DEL(feed->slots, slot);
	while ((waiter = LIST_FIRST(&slot->waiters))) {
		LIST_REMOVE(waiter, link);
		waiter->is_waiting = false;
		waiter->final(waiter, ev, executions);
	}
	free(slot);
}

/* ---- streams --------------------------------------------------------------------------------- */

static void
tell_streams(struct feed *feed, const struct event *ev, const struct execution_list *executions)
{
	AUTO(sbuf) struct sbuf line = {0};
	struct stream *stream, *next;

	for (stream = LIST_FIRST(&feed->streams); stream; stream = next) {
		next = LIST_NEXT(stream, link); /* a reader may close inside its answer */
		if (!stream_wants(stream, ev))
			continue;
		if (line.len == 0) {
			event_json(&line,
				&(struct event_json){
					.ev = ev, .status = ev->status, .executions = executions});
			sbuf_addc(&line, '\n');
		}
		stream_offer(stream, ev, &line);
	}
}

void
feed_accepted(struct feed *feed, struct event *ev)
{
	tell_streams(feed, ev, NULL);
}

void
feed_final(struct feed *feed, struct event *ev, const struct execution_list *executions)
{
	tell_waiters(feed, ev, executions);
	tell_streams(feed, ev, executions);
}

void
feed_parked(struct feed *feed, struct event *ev, const struct execution_list *executions)
{
	struct feed_waiter *waiter;
	struct slot *slot;

	HASH_FIND(hh, feed->slots, &ev->seq, sizeof(ev->seq), slot);
	if (!slot)
		return;
	LIST_FOREACH (waiter, &slot->waiters, link) {
		if (waiter->parked)
			waiter->parked(waiter, ev, executions);
	}
}
