/* Which unfinished events are in memory, and which wait in the store.
 *
 * Events become known in the order of seq, each after its commit (dispatcher_add).  While there is
 * room they are held.  When there is none they are only counted, and read back later, a page at a
 * time, one read on its way at most.  What must never happen is that an event committed while a
 * read is on its way is lost or held twice.  Three facts see to it:
 *
 *  1. Every unfinished committed event with seq <= horizon is held or parked, and none above it,
 *     but for those an earlier life had parked.  So the next read asks for seq > horizon, and an
 *     announced event with seq <= horizon is dropped: a read had brought it already, between its
 *     commit and its announcement.
 *  2. A read that reaches the end sees at least what was announced before it was asked.  Together
 *     with the events announced since - kept aside in `fresh` - that is everything there is.
 *  3. Commits are in the order of seq, so what a page leaves out below its last event does not
 *     exist or is final.
 *
 *  4. An event may be held above the horizon since it overtakes (dispatcher_overtake.c).  The read
 *     that reaches it passes it over, in memory or gone meanwhile.
 *
 *  5. A parked event (dispatcher_park.c) is no matter of this file: the read passes over it, and it
 *     comes back by another way, whatever the horizon.  One that came back above the horizon and is
 *     in work again is pending in the store, so the page that reaches it has it, or had it when it
 *     was asked: an event that is in memory, or left it meanwhile, is passed over.
 *
 * When the end is reached: hold the page, hold those of fresh above the horizon, and announcements
 * are held directly again.  When fresh had no room for all of them, or the page was cut, fresh is
 * dropped and the rest is read: correct in any case, and it converges, because the gap that is left
 * is what was committed during one read.  At start nothing is known: horizon 0 and behind.
 *
 * Keeping ids of the unread events instead would need memory that grows with the backlog; reading
 * from the store always would cost every event a second trip through SQLite.
 */
#include "base/log.h"
#include "base/mem.h"
#include "fsd/events/dispatcher_impl.h"

#include <assert.h>

#define PAGE_MAX    1024
#define EVENT_BYTES 1024 /* an event, its strings and a job, roughly, without its data */

void
backlog_init(struct dispatcher *d)
{
	TAILQ_INIT(&d->order);
	STAILQ_INIT(&d->unmatched);
	STAILQ_INIT(&d->overtaking.unmatched);
	STAILQ_INIT(&d->backlog.fresh);
	d->backlog.is_behind = true;
}

/* Takes: the reference. */
static struct held *
held_new(struct event *ev)
{
	struct held *held = NEW(struct held);

	held->ev = ev;
	held->bytes = EVENT_BYTES + ev->data_len;
	STAILQ_INIT(&held->jobs);
	return held;
}

static void
held_destroy(struct held *held)
{
	struct job *job;

	while ((job = STAILQ_FIRST(&held->jobs))) {
		STAILQ_REMOVE_HEAD(&held->jobs, sibling);
		job_free(job);
	}
	event_unref(held->final);
	event_unref(held->ev);
	free(held);
}

void
held_free(struct dispatcher *d, struct held *held)
{
	HASH_DEL(d->by_seq, held);
	TAILQ_REMOVE(&d->order, held, order);
	park_note_left(d, held);
	overtake_ends(d, held);
	d->parking.resting -= held->is_resting;
	d->held_count--;
	d->held_bytes -= held->bytes;
	held_destroy(held);
}

struct held *
held_find(struct dispatcher *d, uint64_t seq)
{
	struct held *held;

	HASH_FIND(hh, d->by_seq, &seq, sizeof(seq), held);
	return held;
}

static void
enter(struct dispatcher *d, struct held *held)
{
	held->owner = d;
	HASH_ADD(hh, d->by_seq, ev->seq, sizeof(held->ev->seq), held);
	d->held_count++;
	d->held_bytes += held->bytes;
}

static void
enter_at_end(struct dispatcher *d, struct held *held)
{
	struct held *before = TAILQ_LAST(&d->order, held_order);

	enter(d, held);
	while (before && before->ev->seq > held->ev->seq)
		before = TAILQ_PREV(before, held_order, order); /* it was parked, or overtakes */
	if (before)
		TAILQ_INSERT_AFTER(&d->order, before, held, order);
	else
		TAILQ_INSERT_HEAD(&d->order, held, order);
}

/* All that is unfinished up to seq is in memory, or was. */
static void
advance(struct dispatcher *d, uint64_t seq)
{
	overtake_absorb(d, seq);
	d->backlog.horizon = seq;
}

/* Takes: held, the next event above the horizon. */
static void
hold(struct dispatcher *d, struct held *held)
{
	assert(held->ev->seq > d->backlog.horizon);
	advance(d, held->ev->seq);
	enter_at_end(d, held);
	STAILQ_INSERT_TAIL(&d->unmatched, held, link);
}

struct held *
held_add(struct dispatcher *d, struct event *ev)
{
	struct held *held = held_new(event_ref(ev));

	enter_at_end(d, held);
	return held;
}

void
held_give_back(struct dispatcher *d, struct held *held)
{
	assert(held->ev->seq > d->backlog.horizon);
	held_free(d, held);
	d->backlog.unread++;
	d->backlog.is_behind = true;
	d->backlog.is_fresh_whole = false; /* the answer on its way need not have it */
}

struct held *
held_bring(struct dispatcher *d, struct event *ev)
{
	struct held *held = held_new(ev), *after = TAILQ_FIRST(&d->order);

	enter(d, held);
	while (after && after->ev->seq < ev->seq)
		after = TAILQ_NEXT(after, order); /* parked events are old: it is not far */
	if (after)
		TAILQ_INSERT_BEFORE(after, held, order);
	else
		TAILQ_INSERT_TAIL(&d->order, held, order);
	return held;
}

bool
backlog_is_matched(const struct dispatcher *d, uint64_t seq)
{
	const struct held *first = STAILQ_FIRST(&d->unmatched);

	if (first && first->ev->seq < seq)
		return false;
	return seq <= d->backlog.horizon || !d->backlog.is_behind;
}

bool
backlog_has_room(const struct dispatcher *d, size_t aside)
{
	size_t count = d->held_count + aside;

	return count == 0 || (count < d->buffer && d->held_bytes < DISPATCHER_BYTES_MAX);
}

bool
backlog_has_extra_room(const struct dispatcher *d)
{
	return d->held_count < d->buffer + d->buffer / 4 &&
	       d->held_bytes < DISPATCHER_BYTES_MAX + DISPATCHER_BYTES_MAX / 4;
}

/* Keep an announced event until the read comes back, or give up on keeping them. */
static void
keep_fresh(struct dispatcher *d, struct event *ev)
{
	struct backlog *b = &d->backlog;
	struct held *held;

	b->is_fresh_whole = b->is_fresh_whole && backlog_has_room(d, b->page + b->fresh_count);
	if (!b->is_fresh_whole) {
		b->unread++;
		return;
	}
	held = held_new(event_ref(ev));
	STAILQ_INSERT_TAIL(&b->fresh, held, link);
	d->held_bytes += held->bytes;
	b->fresh_count++;
}

void
dispatcher_add(struct dispatcher *d, struct event *ev)
{
	struct backlog *b = &d->backlog;

	assert(ev->seq > b->newest_announced);
	b->newest_announced = ev->seq;
	if (ev->seq <= b->horizon)
		return;
	if (!b->is_behind && backlog_has_room(d, 0)) {
		hold(d, held_new(event_ref(ev)));
	} else if (overtake(d, ev)) {
		return;
	} else if (b->is_reading) {
		keep_fresh(d, ev);
		return; /* the read's end looks again */
	} else {
		b->is_behind = true;
		b->unread++;
	}
	dispatcher_wake(d);
}

/* Give up the fresh events, or hold those that the read did not bring. */
static void
settle_fresh(struct dispatcher *d, bool is_kept)
{
	struct backlog *b = &d->backlog;
	struct held *held;

	while ((held = STAILQ_FIRST(&b->fresh))) {
		STAILQ_REMOVE_HEAD(&b->fresh, link);
		d->held_bytes -= held->bytes;
		if (is_kept && held->ev->seq > b->horizon) {
			hold(d, held);
			continue;
		}
		b->unread += !is_kept;
		held_destroy(held);
	}
	b->fresh_count = 0;
}

/* Hold a page, each event with what an earlier life recorded of it.  Returns how many events it
 * had; those that overtook were not unread. */
static size_t
hold_page(struct dispatcher *d, struct event_list *events, struct execution_list *executions)
{
	struct backlog *b = &d->backlog;
	struct event *ev;
	struct execution *ex;
	size_t count = 0;

	for (; (ev = STAILQ_FIRST(events)); count++) {
		bool is_known = held_find(d, ev->seq) || park_is_stale(d, ev->seq, b->read);
		struct held *held = is_known ? NULL : held_new(ev);

		STAILQ_REMOVE_HEAD(events, link);
		while ((ex = STAILQ_FIRST(executions)) && ex->seq <= ev->seq) {
			STAILQ_REMOVE_HEAD(executions, link);
			if (held && ex->seq == ev->seq)
				jobs_add_recorded(held, ex)->has_row = true;
			execution_free(ex);
		}
		if (held) {
			b->unread -= b->unread > 0;
			hold(d, held);
			continue;
		}
		advance(d, ev->seq);
		event_unref(ev);
	}
	return count;
}

static void
on_page(void *arg, int code, struct event_list *events, struct execution_list *executions)
{
	struct dispatcher *d = arg;
	struct backlog *b = &d->backlog;
	size_t count;
	bool is_end;

	b->is_reading = false;
	if (code < 0) {
		park_read_ends(d);
		log_write(d->rooms.log, LOG_LEVEL_ERROR,
			"unfinished events after %llu could not be read (%s): trying again",
			(unsigned long long)b->horizon, uv_strerror(code));
		settle_fresh(d, false);
		dispatcher_retry_later(d);
		return;
	}
	count = hold_page(d, events, executions);
	park_read_ends(d);
	is_end = code == 0 && count < b->page;
	if (is_end) {
		b->unread = b->is_fresh_whole ? 0 : b->unread;
		if (b->horizon < b->read_target)
			advance(d, b->read_target);
		b->is_behind = !b->is_fresh_whole;
	}
	settle_fresh(d, is_end);
	dispatcher_wake(d);
}

void
backlog_refill(struct dispatcher *d)
{
	struct backlog *b = &d->backlog;
	/* What rests may wait for an event that was not read yet, and cannot be parked then. */
	size_t active = d->held_count - d->parking.resting;

	if (!b->is_behind || b->is_reading || d->is_draining || d->is_retrying)
		return;
	/* Half empty at least, so that a page is worth its trip. */
	if (active > d->buffer / 2 || d->held_bytes > DISPATCHER_BYTES_MAX / 2)
		return;
	b->page = d->buffer - active;
	if (b->page > PAGE_MAX)
		b->page = PAGE_MAX;
	b->read_target = b->newest_announced;
	b->is_reading = true;
	b->is_fresh_whole = true;
	b->read = park_read_begins(d);
	store_read_pending(d->rooms.store, b->horizon, b->page, on_page, d);
}

void
backlog_fini(struct dispatcher *d)
{
	struct held *held, *next;

	overtake_fini(d);
	settle_fresh(d, false);
	for (held = TAILQ_FIRST(&d->order); held; held = next) {
		next = TAILQ_NEXT(held, order);
		held_free(d, held);
	}
}
