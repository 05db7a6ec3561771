/* The dispatcher's life and turn.
 *
 * Everything that happens - an event committed, a run done, a commit done, a registration settled -
 * only notes what is to be done and asks for a turn.  The turn comes when this turn of the loop is
 * over: match, look at what is due, start, save, read on.  So a burst of a thousand results costs
 * one look at the queues and one transaction, and no callback runs into the dispatcher while it is
 * at work.
 *
 * The turn hangs on an idle handle, which also keeps the loop from going to sleep before it ran; it
 * is stopped again at once, so an idle dispatcher costs nothing.
 */
#include "fsd/events/dispatcher.h"

#include "base/auto.h"
#include "base/mem.h"
#include "fsd/events/dispatcher_impl.h"

#include <assert.h>

#define RETRY_MS       1000 /* the store failed: try again after */
#define BUFFER_DEFAULT 65536

static void
turn(uv_idle_t *soon)
{
	struct dispatcher *d = soon->data;

	(void)uv_idle_stop(soon); /* cannot fail */
	if (!d->is_started)
		return;
	jobs_match(d);
	hold_look(d);
	lanes_look(d);
	queues_start(d);
	save_begin(d);
	park_trim(d);
	admit_begin(d);
	park_ask(d);
	lots_read(d);
	backlog_refill(d);
	if (d->drained && d->running == 0 && d->parking.reads == 0 && save_is_idle(d) &&
		admit_is_idle(d))
		TAKE(d->drained)(d->drained_arg);
}

void
dispatcher_wake(struct dispatcher *d)
{
	if (!d->closing)
		(void)uv_idle_start(&d->soon, turn); /* cannot fail; again is harmless */
}

static void
on_retry(uv_timer_t *retry)
{
	struct dispatcher *d = retry->data;

	d->is_retrying = false;
	dispatcher_wake(d);
}

void
dispatcher_retry_later(struct dispatcher *d)
{
	d->is_retrying = true;
	if (!d->closing)
		(void)uv_timer_start(&d->retry, on_retry, RETRY_MS, 0); /* cannot fail */
}

/* ---- life ----------------------------------------------------------------------------------- */

static void
on_settled(void *arg)
{
	dispatcher_wake(arg);
}

struct dispatcher *
dispatcher_new(uv_loop_t *loop, const struct dispatcher_rooms *rooms)
{
	struct dispatcher *d = NEW(struct dispatcher);

	d->loop = loop;
	d->rooms = *rooms;
	d->buffer = BUFFER_DEFAULT;
	d->soon.data = d->retry.data = d->due.data = d;
	(void)uv_idle_init(loop, &d->soon);   /* cannot fail */
	(void)uv_timer_init(loop, &d->retry); /* cannot fail */
	(void)uv_timer_init(loop, &d->due);   /* cannot fail */
	d->alarms.is_before = alarm_is_before;
	TAILQ_INIT(&d->early);
	TAILQ_INIT(&d->admissions);
	TAILQ_INIT(&d->admitting);
	STAILQ_INIT(&d->counts);
	queues_init(d);
	park_init(d);
	STAILQ_INIT(&d->results);
	STAILQ_INIT(&d->ended);
	STAILQ_INIT(&d->saving);
	STAILQ_INIT(&d->saving_ended);
	backlog_init(d);
	hooks_on_settled(rooms->hooks, on_settled, d);
	return d;
}

int
dispatcher_start(struct dispatcher *d, struct err *err)
{
	struct store_held left;
	int rc = store_load_held(d->rooms.store, &left, err);

	assert(!d->is_started);
	if (rc < 0)
		return rc;
	park_start(d, &left);
	store_held_fini(&left);
	d->is_started = true;
	d->backlog.unread += store_pending_count(d->rooms.store);
	d->overtaking.unseen_seq = store_last_seq(d->rooms.store);
	if (store_was_crashed(d->rooms.store))
		d->last_life_seq = store_last_seq(d->rooms.store);
	dispatcher_wake(d);
	return 0;
}

static void
on_closed(uv_handle_t *handle)
{
	struct dispatcher *d = handle->data;

	if (--d->closing == 0)
		free(d);
}

void
dispatcher_free(struct dispatcher *d)
{
	if (!d)
		return;
	assert(d->running == 0 && !d->is_saving && !d->is_admitting && d->parking.reads == 0);
	backlog_fini(d);
	queues_fini(d);
	lanes_fini(d);
	park_fini(d);
	d->closing = 3;
	uv_close((uv_handle_t *)&d->soon, on_closed);
	uv_close((uv_handle_t *)&d->retry, on_closed);
	uv_close((uv_handle_t *)&d->due, on_closed);
}

void
dispatcher_kick(struct dispatcher *d)
{
	queues_update(d);
	dispatcher_wake(d);
}

void
dispatcher_set_buffer(struct dispatcher *d, size_t events)
{
	d->buffer = events ? events : 1;
	dispatcher_wake(d);
}

void
dispatcher_drain(struct dispatcher *d, void (*drained)(void *arg), void *arg)
{
	d->is_draining = true;
	d->is_started = true; /* a stop during the start still gets its turn */
	d->drained = drained;
	d->drained_arg = arg;
	dispatcher_wake(d);
}

/* ---- what others ask ------------------------------------------------------------------------ */

struct event *
dispatcher_find(struct dispatcher *d, uint64_t seq)
{
	struct held *held = held_find(d, seq);

	return held ? held->ev : NULL;
}

struct search {
	const char *label;
	bool is_found;
};

static void
look_at(void *arg, struct hook_code *code)
{
	struct search *search = arg;

	search->is_found |= strcmp(code->label, search->label) == 0;
}

bool
dispatcher_would_run(struct dispatcher *d, const struct event *ev, const char *label)
{
	struct search search = {.label = label};

	hooks_match(d->rooms.hooks, ev, look_at, &search);
	return search.is_found;
}

void
dispatcher_processing(struct dispatcher *d, uint64_t after_seq, dispatcher_event_fn *fn, void *arg)
{
	const struct held *held;

	TAILQ_FOREACH (held, &d->order, order) {
		if (held->ev->seq <= after_seq || held->ev->status != EVENT_PROCESSING)
			continue;
		if (!fn(arg, held->ev))
			return;
	}
}

uint64_t
dispatcher_oldest_seq(const struct dispatcher *d)
{
	const struct held *first = TAILQ_FIRST(&d->order);
	uint64_t lowest = d->backlog.horizon + 1;

	if (first && first->ev->seq < lowest)
		lowest = first->ev->seq;
	if (d->parking.count && d->parking.low.seq < lowest)
		lowest = d->parking.low.seq;
	return lowest;
}

bool
dispatcher_executions(struct dispatcher *d, uint64_t seq, dispatcher_exec_fn *fn, void *arg)
{
	struct held *held = held_find(d, seq);
	struct job *job;

	if (!held)
		return false;
	STAILQ_FOREACH (job, &held->jobs, sibling)
		fn(arg, &job->ex);
	return true;
}

bool
dispatcher_has_stack(const struct dispatcher *d, const char *stack)
{
	const struct held *held;

	if (d->backlog.is_behind || d->backlog.fresh_count || park_has_stack(d, stack))
		return true;
	TAILQ_FOREACH (held, &d->order, order)
		if (strcmp(held->ev->stack, stack) == 0)
			return true;
	return false;
}

void
dispatcher_figures(struct dispatcher *d, struct dispatcher_figures *ret_figures)
{
	struct held *first = TAILQ_FIRST(&d->order);
	int64_t oldest_ns = first ? first->ev->created_ns : 0;

	if (d->parking.count && (!oldest_ns || d->parking.low.created_ns < oldest_ns))
		oldest_ns = d->parking.low.created_ns;
	*ret_figures = (struct dispatcher_figures){
		.queued = d->held_count - d->parking.resting + d->backlog.fresh_count +
			  d->backlog.unread,
		.held = d->parking.count + d->parking.resting,
		.oldest_ns = (uint64_t)oldest_ns,
		.running = d->running,
		.finished = d->finished,
		.completed_10s = rate_sum(&d->rate, uv_now(d->loop) / 1000),
	};
}
