/* Events that overtake a backlog.
 *
 * While there are more unfinished events than the buffer holds, those that come wait in the store
 * and are read in their order: behind all that a slow hook has left to do, whatever hooks they are
 * for. So each one is looked at when it is announced, and if no hook that it is for has much to do
 * it is held beside the buffer and matched.  The read that reaches it finds it in memory, or noted
 * as gone, and passes it over (dispatcher_backlog.c).  An event overtakes whole or not at all: one
 * that a slow hook hears too is left in its place.
 *
 * What waits to be matched may be for a hook that seemed quick, so an event is looked at again when
 * its turn to be matched comes, and may go back.  Until then it is above the horizon; when that
 * reaches it, it is an event like the others.
 *
 * A gate judges its events in their order, so its hook overtakes only while nothing of it was left
 * behind; a hook with order_by never does, for its lane would let none of it run.
 *
 * An event that comes to rest counts no longer: it may be parked.  So those that count are on their
 * way to a worker, and as a rule soon done.  A slow hook with little behind it passes for a quick
 * one, though, and keeps up to QUICK_MAX places.
 */
#include "base/mem.h"
#include "fsd/events/dispatcher_impl.h"

#include <stdlib.h>

#define OVERTAKE_MAX 1024 /* events at a time; a quarter of a small buffer */
#define QUICK_MAX    256  /* jobs that wait for a hook which has little to do; likewise */

/* The last event of a hook with a gate that did not overtake. */
struct skipped {
	uint64_t hook_id, seq;
	UT_hash_handle hh;
};

static size_t
share(const struct dispatcher *d, size_t max)
{
	size_t quarter = d->buffer / 4;

	return quarter < max ? quarter : max;
}

static void
skip(struct dispatcher *d, uint64_t hook_id, uint64_t seq)
{
	struct skipped *entry;

	HASH_FIND(hh, d->overtaking.skipped, &hook_id, sizeof(hook_id), entry);
	if (!entry) {
		entry = NEW(struct skipped);
		entry->hook_id = hook_id;
		HASH_ADD(hh, d->overtaking.skipped, hook_id, sizeof(hook_id), entry);
	}
	entry->seq = seq;
}

static bool
has_skipped(const struct dispatcher *d, uint64_t hook_id)
{
	struct skipped *entry;

	if (!STAILQ_EMPTY(&d->unmatched) || !backlog_is_matched(d, d->overtaking.unseen_seq))
		return true; /* some may be among those */
	HASH_FIND(hh, d->overtaking.skipped, &hook_id, sizeof(hook_id), entry);
	return entry && !backlog_is_matched(d, entry->seq);
}

struct look {
	struct dispatcher *d;
	const struct event *ev;
	bool is_held_up;
};

static bool
has_gate(const struct hook_code *code)
{
	return code->rules && hook_rules_gate(code->rules);
}

static void
look_at(void *arg, struct hook_code *code)
{
	struct look *look = arg;

	if (!event_is_for(look->ev, code))
		return;
	look->is_held_up |= queue_length(look->d, code->hook_id) >= share(look->d, QUICK_MAX) ||
			    (code->rules && code->rules->order_by) ||
			    (has_gate(code) && has_skipped(look->d, code->hook_id));
}

static void
leave_behind(void *arg, struct hook_code *code)
{
	struct look *look = arg;

	if (has_gate(code) && event_is_for(look->ev, code))
		skip(look->d, code->hook_id, look->ev->seq);
}

/* Whether nothing that the event needs is short.  If not, remember what of it has an order. */
static bool
may_pass(struct dispatcher *d, const struct event *ev)
{
	struct look look = {.d = d, .ev = ev};

	hooks_match(d->rooms.hooks, ev, look_at, &look);
	if (look.is_held_up)
		hooks_match(d->rooms.hooks, ev, leave_behind, &look);
	return !look.is_held_up;
}

bool
overtake(struct dispatcher *d, struct event *ev)
{
	struct held *held;

	if (d->is_draining || d->overtaking.count >= share(d, OVERTAKE_MAX) ||
		!backlog_has_extra_room(d) || !hooks_are_settled(d->rooms.hooks, ev->seq)) {
		d->overtaking.unseen_seq = ev->seq;
		return false;
	}
	if (!may_pass(d, ev))
		return false;
	held = held_add(d, ev);
	held->is_overtaking = held->has_overtaken = true;
	d->overtaking.count++;
	STAILQ_INSERT_TAIL(&d->overtaking.unmatched, held, link);
	dispatcher_wake(d);
	return true;
}

struct held *
overtake_next(struct dispatcher *d)
{
	struct held *held;

	while ((held = STAILQ_FIRST(&d->overtaking.unmatched))) {
		if (!hooks_are_settled(d->rooms.hooks, held->ev->seq))
			return NULL;
		STAILQ_REMOVE_HEAD(&d->overtaking.unmatched, link);
		if (may_pass(d, held->ev))
			return held;
		held->has_overtaken = false; /* a read may bring it */
		held_give_back(d, held);
	}
	return NULL;
}

void
overtake_absorb(struct dispatcher *d, uint64_t seq)
{
	struct held *held;

	while ((held = STAILQ_FIRST(&d->overtaking.unmatched)) && held->ev->seq <= seq) {
		STAILQ_REMOVE_HEAD(&d->overtaking.unmatched, link);
		overtake_ends(d, held);
		STAILQ_INSERT_TAIL(&d->unmatched, held, link);
	}
}

void
overtake_ends(struct dispatcher *d, struct held *held)
{
	if (!held->is_overtaking)
		return;
	held->is_overtaking = false;
	d->overtaking.count--;
}

void
overtake_fini(struct dispatcher *d)
{
	struct skipped *entry, *next;

	HASH_ITER (hh, d->overtaking.skipped, entry, next) {
		HASH_DEL(d->overtaking.skipped, entry);
		free(entry);
	}
}
