/* Lots: what each hook holds, and when what is parked of it is read.
 *
 * A lot has the nearest LOT_MAX jobs in memory and parks the rest, the last one first.  A lot of
 * its own per hook, so that one which cannot keep up with what is due does not stand in the way of
 * another.  No row of a parked event comes before lot->first of its hook, in the order of due_key:
 * a read from there finds what is parked, and what it also finds in memory is passed over.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "fsd/events/dispatcher_impl.h"

#include <stdlib.h>

#define LOT_PAGE (LOT_MAX / 2) /* events read at once */

/* The last one on top. */
static bool
is_later(const struct heap_node *a, const struct heap_node *b)
{
	const struct job *x = (const struct job *)((const char *)a - offsetof(struct job, resting));
	const struct job *y = (const struct job *)((const char *)b - offsetof(struct job, resting));

	return alarm_is_before(&y->alarm.node, &x->alarm.node);
}

static bool
key_is_before(const struct due_key *a, const struct due_key *b)
{
	return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->seq < b->seq;
}

struct lot *
lot_of(struct dispatcher *d, uint64_t hook_id)
{
	struct lot *lot;

	HASH_FIND(hh, d->parking.lots, &hook_id, sizeof(hook_id), lot);
	if (lot)
		return lot;
	lot = NEW(struct lot);
	lot->owner = d;
	lot->hook_id = hook_id;
	lot->alarm.is_lot = true;
	lot->resting.is_before = is_later;
	HASH_ADD(hh, d->parking.lots, hook_id, sizeof(lot->hook_id), lot);
	return lot;
}

static void
lot_free(struct dispatcher *d, struct lot *lot)
{
	HASH_DEL(d->parking.lots, lot);
	alarm_clear(d, &lot->alarm);
	free(lot);
}

void
lot_set_first(struct dispatcher *d, struct lot *lot, const struct due_key *key)
{
	lot->first = *key;
	lot->has_parked = true;
	alarm_set(d, &lot->alarm, key->due_ns);
}

void
lot_note(struct dispatcher *d, struct lot *lot, const struct due_key *key)
{
	if (!lot->has_parked || key_is_before(key, &lot->first))
		lot_set_first(d, lot, key);
	if (!lot->is_first_since || key_is_before(key, &lot->first_since))
		lot->first_since = *key;
	lot->is_first_since = true;
}

void
lot_drop(struct dispatcher *d, struct job *job)
{
	struct lot *lot = job->lot;

	job->lot = NULL;
	d->parking.is_read_due = true;
	if (lot && --lot->near == 0 && !lot->has_parked && !lot->is_reading)
		lot_free(d, lot);
}

size_t
lots_max(const struct dispatcher *d)
{
	return d->buffer / 4;
}

/* ---- reading -------------------------------------------------------------------------------- */

static void
on_page(void *arg, int code, struct due_page *page)
{
	struct lot *lot = arg;
	struct dispatcher *d = lot->owner;
	struct event *ev;

	d->parking.is_read_due = true;
	if (code < 0) {
		lot->is_reading = false;
		park_read_ends(d);
		log_write(d->rooms.log, LOG_LEVEL_ERROR,
			"held events could not be read (%s): trying again", uv_strerror(code));
		dispatcher_retry_later(d);
		return;
	}
	d->parking.low =
		page->low.seq < d->parking.low_since.seq ? page->low : d->parking.low_since;
	lot->has_parked = false;
	alarm_clear(d, &lot->alarm);
	if (page->next.due_ns)
		lot_set_first(d, lot, &page->next);
	if (lot->is_first_since)
		lot_note(d, lot, &lot->first_since);
	while ((ev = STAILQ_FIRST(&page->events))) {
		STAILQ_REMOVE_HEAD(&page->events, link);
		park_bring(d, ev, &page->executions, lot->read);
	}
	park_read_ends(d);
	lot->is_reading = false; /* not before: what was brought may have ended at once */
	if (lot->near == 0 && !lot->has_parked)
		lot_free(d, lot);
	dispatcher_wake(d);
}

/* How many events to read of the lot now. */
static size_t
lot_wants(const struct dispatcher *d, const struct lot *lot, int64_t now_ns)
{
	size_t active = lot->near - lot->resting.count, room = lots_max(d) / 2;

	if (!lot->has_parked || lot->is_reading)
		return 0;
	if (lot->first.due_ns <= now_ns || hooks_is_removed(d->rooms.hooks, lot->hook_id))
		return active < LOT_PAGE ? LOT_PAGE : 0;
	if (lot->near >= LOT_PAGE || d->parking.resting >= room)
		return 0;
	room -= d->parking.resting;
	return room < LOT_PAGE ? room : LOT_PAGE;
}

void
lots_read(struct dispatcher *d)
{
	int64_t now_ns = clock_steady_ns();
	struct lot *lot, *next;

	if (!d->parking.is_read_due || d->is_draining || d->is_retrying ||
		!backlog_has_extra_room(d))
		return;
	d->parking.is_read_due = false;
	HASH_ITER (hh, d->parking.lots, lot, next) {
		size_t limit = lot_wants(d, lot, now_ns);

		if (limit == 0)
			continue;
		lot->is_reading = true;
		lot->is_first_since = false;
		lot->read = park_read_begins(d);
		store_read_due(d->rooms.store, lot->hook_id, &lot->first, limit, on_page, lot);
	}
}
