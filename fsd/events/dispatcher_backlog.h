/* The dispatcher's inside, of which unfinished events are in memory: see dispatcher_impl.h. */
#ifndef SLOTH_EVENTS_DISPATCHER_BACKLOG_H
#define SLOTH_EVENTS_DISPATCHER_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct dispatcher;
struct event;
struct held;

/* Lists of events in memory (dispatcher_impl.h). */
STAILQ_HEAD(held_list, held);

/* What of the unfinished events is where: see dispatcher_backlog.c. */
struct backlog {
	uint64_t horizon;          /* everything unfinished up to here is held */
	uint64_t newest_announced; /* highest seq given to dispatcher_add */
	uint64_t read_target;      /* newest_announced when the read was asked */
	uint64_t unread;           /* announced and neither held nor fresh, as far as known */
	bool is_behind;            /* there may be unfinished events above the horizon */
	bool is_reading;
	uint64_t read;       /* its number: park_read_begins */
	bool is_fresh_whole; /* fresh has every event announced since the read was asked */
	size_t page;         /* events asked for */
	unsigned fresh_count;
	struct held_list fresh;
};

/* What came while the buffer was full and needs not wait: see dispatcher_overtake.c. */
struct skipped;
struct overtaking {
	size_t count;               /* events that overtake */
	struct held_list unmatched; /* of them */
	struct skipped *skipped;    /* by hook */
	uint64_t unseen_seq;        /* up to here events may not have been looked at */
};

/* ---- dispatcher_backlog.c ------------------------------------------------------------------- */

/* Nothing is known yet: behind from the first event on. */
void backlog_init(struct dispatcher *d);
/* Read on when there is something to read and room for it. */
void backlog_refill(struct dispatcher *d);
/* Let go of a final or parked event. */
void held_free(struct dispatcher *d, struct held *held);
/* The event in memory; NULL: it is not. */
struct held *held_find(struct dispatcher *d, uint64_t seq);
/* Take an event into memory that was parked; it is not matched again.  Takes: the reference. */
struct held *held_bring(struct dispatcher *d, struct event *ev);
/* Take an announced event into memory, above the horizon; adds a reference.  And let go of it: it
 * waits in the store. */
struct held *held_add(struct dispatcher *d, struct event *ev);
void held_give_back(struct dispatcher *d, struct held *held);
/* Whether every event up to seq has been matched, those apart that were parked. */
bool backlog_is_matched(const struct dispatcher *d, uint64_t seq);
/* Room for one more beside what is held and set aside.  One is always allowed, however large. */
bool backlog_has_room(const struct dispatcher *d, size_t aside);
/* The same with a quarter more, for what must not wait for room. */
bool backlog_has_extra_room(const struct dispatcher *d);
/* Let go of all events, final or not. */
void backlog_fini(struct dispatcher *d);

/* ---- dispatcher_overtake.c ------------------------------------------------------------------ */

/* There is no room for an announced event: hold it nevertheless if nothing it needs is short.
 * Returns false when it waits like the others. */
bool overtake(struct dispatcher *d, struct event *ev);
/* The next of those to be matched; NULL: none, or not yet. */
struct held *overtake_next(struct dispatcher *d);
/* Everything up to seq is held: what of it waits to be matched has its place in the order again. */
void overtake_absorb(struct dispatcher *d, uint64_t seq);
/* It rests, is over, or overtakes nobody any more. */
void overtake_ends(struct dispatcher *d, struct held *held);
void overtake_fini(struct dispatcher *d);

#endif
