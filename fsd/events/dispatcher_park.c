/* Events that leave memory while all that is open of them rests.
 *
 * A job rests while its hook holds it, or while another one of its lane is before it.  An event of
 * which every open job rests, and every result is saved, needs no memory: its rows are in the
 * store. So that a hundred thousand of them neither fill the buffer nor are read back one by one,
 * only the nearest of each hook are in memory (dispatcher_lots.c).
 *
 *  1. A parked event is marked processing in the store, in the commit that has its rows.  An event
 *     in memory may be marked too (it was brought back, or changed its mind while that commit was
 *     on its way); the mark goes with the commit that admits a run of it.
 *  2. An answer may be older than what happened to an event since it was asked.  Events that left
 *     memory while reads were on their way are noted with the number of the last one, and passed
 *     over in the answers up to that.  If they were parked again, lot->first says so.
 *
 * What waits for its lane has no time: it is read when it becomes the first of it.
 */
#include "base/log.h"
#include "base/mem.h"
#include "fsd/events/dispatcher_impl.h"
#include "fsd/events/events.h"

#include <assert.h>
#include <stdlib.h>

/* ---- resting -------------------------------------------------------------------------------- */

static struct job *
job_of_resting(struct heap_node *node)
{
	return (struct job *)((char *)node - offsetof(struct job, resting));
}

void
park_update(struct dispatcher *d, struct held *held)
{
	bool is_resting = held->open > 0 && held->resting == held->open;

	if (is_resting == held->is_resting)
		return;
	held->is_resting = is_resting;
	if (!is_resting) {
		d->parking.resting--;
		return;
	}
	d->parking.resting++;
	overtake_ends(d, held);
}

void
park_rest(struct dispatcher *d, struct job *job)
{
	if (job->stage == JOB_BLOCKED)
		job->alarm.due_ns = INT64_MAX;
	job->alarm.seq = job->ex.seq;
	if (!job->lot) {
		job->lot = lot_of(d, job->ex.hook_id);
		job->lot->near++;
	}
	heap_insert(&job->lot->resting, &job->resting);
	job->held->resting++;
	park_update(d, job->held);
}

void
park_unrest(struct dispatcher *d, struct job *job)
{
	heap_remove(&job->lot->resting, &job->resting);
	job->held->resting--;
	d->parking.is_read_due = true;
	park_update(d, job->held);
}

void
park_forget(struct dispatcher *d, struct job *job)
{
	if (job->lot)
		lot_drop(d, job);
}

/* ---- leaving -------------------------------------------------------------------------------- */

static bool
may_leave(const struct held *held)
{
	const struct job *job;

	if (!held->is_resting || held->unsaved || held->is_parking || held->is_leaving)
		return false;
	STAILQ_FOREACH (job, &held->jobs, sibling) {
		if (job->is_asked || job->is_early)
			return false;
	}
	return true;
}

static void
leave_soon(struct dispatcher *d, struct held *held)
{
	struct job *job;

	held->is_parking = true;
	TAILQ_INSERT_TAIL(&d->parking.leaving, held, park_link);
	STAILQ_FOREACH (job, &held->jobs, sibling) {
		if (job->stage != JOB_HELD && job->stage != JOB_BLOCKED)
			continue;
		heap_remove(&job->lot->resting, &job->resting);
		if (!job->has_row && job->row == ROW_SETTLED)
			admit_job(d, job);
	}
	dispatcher_wake(d);
}

void
park_cancel(struct dispatcher *d, struct held *held)
{
	struct job *job;

	if (!held->is_parking)
		return;
	held->is_parking = false;
	if (!held->is_leaving)
		TAILQ_REMOVE(&d->parking.leaving, held, park_link);
	STAILQ_FOREACH (job, &held->jobs, sibling) {
		if (job->stage == JOB_HELD || job->stage == JOB_BLOCKED)
			heap_insert(&job->lot->resting, &job->resting);
	}
}

void
park_look(struct dispatcher *d, struct held *held)
{
	struct job *job;

	park_update(d, held);
	if (!may_leave(held))
		return;
	STAILQ_FOREACH (job, &held->jobs, sibling) {
		struct held *last;

		if (job->stage == JOB_DONE)
			continue;
		if (job->lot->resting.count <= LOT_MAX && d->parking.resting <= lots_max(d))
			continue;
		last = job_of_resting(heap_top(&job->lot->resting))->held;
		leave_soon(d, may_leave(last) ? last : held);
		return;
	}
}

/* Whoever comes to rest parks one, and it may be another one that cannot leave then, or is asked to
 * stay after all.  What rests beyond its share must not stand in the way of what could run. */
void
park_trim(struct dispatcher *d)
{
	struct held *held;
	size_t excess;

	if (d->parking.resting <= lots_max(d) ||
		(backlog_has_room(d, 0) && d->open_jobs < d->buffer))
		return;
	excess = d->parking.resting - lots_max(d);
	TAILQ_FOREACH (held, &d->order, order) {
		if (!held->is_resting)
			continue;
		if (may_leave(held))
			leave_soon(d, held);
		if ((held->is_parking || held->is_leaving) && --excess == 0)
			return;
	}
}

static void
count_stack(struct dispatcher *d, const char *stack)
{
	struct stack_count *entry;

	HASH_FIND_STR(d->parking.stacks, stack, entry);
	if (!entry) {
		entry = NEW(struct stack_count);
		entry->stack = mem_strdup(stack);
		HASH_ADD_KEYPTR(hh, d->parking.stacks, entry->stack, strlen(entry->stack), entry);
	}
	entry->count++;
}

static void
uncount_stack(struct dispatcher *d, const char *stack)
{
	struct stack_count *entry;

	HASH_FIND_STR(d->parking.stacks, stack, entry);
	if (!entry) {
		d->parking.strangers--;
		return;
	}
	if (--entry->count > 0)
		return;
	HASH_DEL(d->parking.stacks, entry);
	free(entry->stack);
	free(entry);
}

static void
note_low(struct parked_low *low, const struct event *ev)
{
	if (ev->seq < low->seq)
		*low = (struct parked_low){ev->seq, ev->created_ns};
}

/* It is parked: let go of it. */
static void
leave(struct dispatcher *d, struct held *held)
{
	struct execution_list executions = STAILQ_HEAD_INITIALIZER(executions);
	struct job *job;

	STAILQ_FOREACH (job, &held->jobs, sibling) {
		STAILQ_INSERT_TAIL(&executions, &job->ex, link);
		if (job->stage == JOB_HELD)
			lot_note(d, job->lot, &(struct due_key){job->ex.due_ns, job->ex.seq});
		alarm_clear(d, &job->alarm);
		park_forget(d, job);
	}
	if (d->parking.count++ == 0)
		d->parking.low.seq = UINT64_MAX;
	note_low(&d->parking.low, held->ev);
	note_low(&d->parking.low_since, held->ev);
	count_stack(d, held->ev->stack);
	d->open_jobs -= held->open;
	held->was_marked = true;
	events_on_parked(d->rooms.events, held->ev, &executions);
	held_free(d, held);
}

void
park_saved(struct dispatcher *d)
{
	struct held *held;

	while ((held = TAILQ_FIRST(&d->parking.leaving_saving))) {
		TAILQ_REMOVE(&d->parking.leaving_saving, held, park_link);
		held->is_leaving = false;
		held->is_marked = held->was_marked = true;
		if (held->is_parking)
			leave(d, held);
		else
			park_look(d, held);
	}
}

void
park_put_back(struct dispatcher *d)
{
	struct held *held;

	while ((held = TAILQ_LAST(&d->parking.leaving_saving, held_order))) {
		TAILQ_REMOVE(&d->parking.leaving_saving, held, park_link);
		held->is_leaving = false;
		if (held->is_parking)
			TAILQ_INSERT_HEAD(&d->parking.leaving, held, park_link);
	}
}

/* ---- reads that may be stale ---------------------------------------------------------------- */

void
park_note_left(struct dispatcher *d, const struct held *held)
{
	struct seq_entry *entry;

	if ((!held->was_marked && !held->has_overtaken) || !d->parking.reads)
		return;
	HASH_FIND(hh, d->parking.left, &held->ev->seq, sizeof(held->ev->seq), entry);
	if (!entry) {
		entry = NEW(struct seq_entry);
		entry->seq = held->ev->seq;
		HASH_ADD(hh, d->parking.left, seq, sizeof(entry->seq), entry);
	}
	entry->asked = d->parking.asked;
}

bool
park_is_stale(const struct dispatcher *d, uint64_t seq, uint64_t read)
{
	struct seq_entry *entry;

	HASH_FIND(hh, d->parking.left, &seq, sizeof(seq), entry);
	return entry && read <= entry->asked;
}

uint64_t
park_read_begins(struct dispatcher *d)
{
	if (d->parking.reads++ == 0)
		d->parking.low_since.seq = UINT64_MAX;
	return ++d->parking.asked;
}

void
park_read_ends(struct dispatcher *d)
{
	struct seq_entry *entry, *next;

	if (--d->parking.reads > 0)
		return;
	HASH_ITER (hh, d->parking.left, entry, next) {
		HASH_DEL(d->parking.left, entry);
		free(entry);
	}
}

/* ---- coming back ---------------------------------------------------------------------------- */

void
park_bring(struct dispatcher *d, struct event *ev, struct execution_list *executions, uint64_t read)
{
	bool is_known = ev->status != EVENT_PROCESSING || held_find(d, ev->seq) != NULL ||
			park_is_stale(d, ev->seq, read);
	struct held *held = is_known ? NULL : held_bring(d, ev);
	uint64_t seq = ev->seq;
	struct execution *ex;

	while ((ex = STAILQ_FIRST(executions)) && ex->seq == seq) {
		STAILQ_REMOVE_HEAD(executions, link);
		if (held)
			jobs_add_recorded(held, ex)->has_row = true;
		execution_free(ex);
	}
	if (!held) {
		event_unref(ev);
		return;
	}
	d->parking.count--;
	uncount_stack(d, ev->stack);
	held->is_marked = held->was_marked = true;
	held->open++; /* not over before all of it was looked at */
	jobs_resume(d, held, true);
	held->open--;
	park_update(d, held);
	if (held->open == 0)
		save_ended(d, held);
}

/* ---- one event ------------------------------------------------------------------------------ */

static void
look_at(struct dispatcher *d, struct held *held, uint64_t hook_id)
{
	struct job *job;

	STAILQ_FOREACH (job, &held->jobs, sibling) {
		if (job->ex.hook_id == hook_id && job->stage == JOB_HELD && job->ex.attempts == 0)
			hold_due(d, job);
	}
}

static void
on_recalled(void *arg, int code, struct event *ev, struct execution_list *executions)
{
	struct recall *recall = arg;
	struct dispatcher *d = recall->owner;
	struct held *held;

	if (code < 0 && code != -ENOENT && code != -ECANCELED) {
		log_write(d->rooms.log, LOG_LEVEL_ERROR,
			"a held event could not be read (%s): trying again", uv_strerror(code));
		park_read_ends(d);
		STAILQ_INSERT_TAIL(&d->parking.recalls, recall, link);
		dispatcher_retry_later(d);
		return;
	}
	if (ev)
		park_bring(d, ev, executions, recall->read);
	park_read_ends(d);
	held = held_find(d, recall->seq);
	if (held && recall->is_asked)
		look_at(d, held, recall->hook_id);
	free(recall);
	dispatcher_wake(d);
}

static void
ask(struct dispatcher *d, uint64_t seq, uint64_t hook_id, bool is_asked)
{
	struct recall *recall = NEW(struct recall);

	*recall = (struct recall){.owner = d, .seq = seq, .hook_id = hook_id, .is_asked = is_asked};
	STAILQ_INSERT_TAIL(&d->parking.recalls, recall, link);
	dispatcher_wake(d);
}

void
park_fetch(struct dispatcher *d, uint64_t seq)
{
	ask(d, seq, 0, false);
}

void
park_recall(struct dispatcher *d, uint64_t seq, uint64_t hook_id)
{
	struct held *held = held_find(d, seq);

	if (held)
		look_at(d, held, hook_id);
	else if (d->parking.count)
		ask(d, seq, hook_id, true);
}

void
park_ask(struct dispatcher *d)
{
	struct recall *recall;

	while (!d->is_draining && !d->is_retrying && (recall = STAILQ_FIRST(&d->parking.recalls))) {
		STAILQ_REMOVE_HEAD(&d->parking.recalls, link);
		recall->read = park_read_begins(d);
		store_get_event(d->rooms.store, recall->seq, on_recalled, recall);
	}
}

/* ---- life ----------------------------------------------------------------------------------- */

void
park_init(struct dispatcher *d)
{
	TAILQ_INIT(&d->parking.leaving);
	TAILQ_INIT(&d->parking.leaving_saving);
	STAILQ_INIT(&d->parking.recalls);
}

void
park_start(struct dispatcher *d, const struct store_held *left)
{
	d->parking.count = d->parking.strangers = left->parked;
	d->parking.low = left->low;
	d->parking.is_read_due = true;
	for (size_t i = 0; i < left->hook_count; i++)
		lot_set_first(d, lot_of(d, left->hooks[i].hook_id),
			&(struct due_key){.due_ns = left->hooks[i].due_ns});
	for (size_t i = 0; i < left->lane_count; i++)
		lane_add(d, &left->lanes[i]);
	lanes_start(d);
}

bool
park_has_stack(const struct dispatcher *d, const char *stack)
{
	struct stack_count *entry;

	HASH_FIND_STR(d->parking.stacks, stack, entry);
	return entry || d->parking.strangers;
}

void
park_fini(struct dispatcher *d)
{
	struct lot *lot, *next;
	struct stack_count *stack, *next_stack;
	struct recall *recall;

	HASH_ITER (hh, d->parking.lots, lot, next) {
		HASH_DEL(d->parking.lots, lot);
		free(lot);
	}
	HASH_ITER (hh, d->parking.stacks, stack, next_stack) {
		HASH_DEL(d->parking.stacks, stack);
		free(stack->stack);
		free(stack);
	}
	while ((recall = STAILQ_FIRST(&d->parking.recalls))) {
		STAILQ_REMOVE_HEAD(&d->parking.recalls, link);
		free(recall);
	}
}
