/* Decisions go into the store before anything runs by them.
 *
 * One commit is on its way at a time; what is decided meanwhile goes into the next ones,
 * commit_rows() at a time, so that a flood of decisions never makes an event that arrives wait for
 * a long commit. Results have commits of their own (dispatcher_save.c), and both may be on their
 * way together: the store commits in the order of the calls, and nothing is done to a job whose row
 * is on its way, so a result is always behind the decision it came from.
 *
 * The counts of the gates go with the decisions that changed them.  They are kept until they are
 * durable: a commit that failed is tried again, older counts in front of newer ones.
 *
 * With the same commit events are parked (dispatcher_park.c), so that an event is never parked
 * without the rows by which it is found again.
 */
#include "base/auto.h"
#include "base/log.h"
#include "base/mem.h"
#include "fsd/events/dispatcher_impl.h"

#include <assert.h>
#include <stdlib.h>

void
admit_job(struct dispatcher *d, struct job *job)
{
	assert(job->row != ROW_ON_ITS_WAY);
	if (job->row == ROW_WAITS)
		return; /* it is written as it is then */
	job->row = ROW_WAITS;
	TAILQ_INSERT_TAIL(&d->admissions, job, admission);
	dispatcher_wake(d);
}

void
admit_forget(struct dispatcher *d, struct job *job)
{
	if (job->row == ROW_WAITS)
		TAILQ_REMOVE(&d->admissions, job, admission);
	job->row = ROW_SETTLED;
}

bool
admit_is_idle(const struct dispatcher *d)
{
	return !d->is_admitting && TAILQ_EMPTY(&d->admissions) && !d->is_gate_used &&
	       TAILQ_EMPTY(&d->parking.leaving) && STAILQ_EMPTY(&d->counts);
}

/* ---- after the commit ----------------------------------------------------------------------- */

/* An attempt failed and another one will come: now that is durable, its hook hears of it. */
static void
tell_attempt(struct dispatcher *d, const struct job *job)
{
	struct execution attempt = job->ex;

	if (job->stage != JOB_HELD || !job->attempt)
		return;
	attempt.status = job->attempt;
	hooks_record(d->rooms.hooks, job->held->ev, &attempt);
}

static void
go_on(struct dispatcher *d, struct job *job)
{
	job->row = ROW_SETTLED;
	job->has_row = true;
	tell_attempt(d, job);
	job->attempt = EXEC_PENDING;
	if (job->stage == JOB_ADMITTED)
		job_ready(d, job);
	else if (job->stage == JOB_RUNNING)
		job_launch(d, job);
	else if (job->is_asked)
		hold_due(d, job);
}

static void
free_counts(struct gate_count_list *counts)
{
	struct gate_count *c;

	while ((c = STAILQ_FIRST(counts))) {
		STAILQ_REMOVE_HEAD(counts, link);
		gate_count_free(c);
	}
}

/* All of it waits again, in front of what came since. */
static void
put_back(struct dispatcher *d)
{
	struct job *job;

	while ((job = TAILQ_LAST(&d->admitting, admission_list))) {
		TAILQ_REMOVE(&d->admitting, job, admission);
		TAILQ_INSERT_HEAD(&d->admissions, job, admission);
		job->row = ROW_WAITS;
		job->held->is_marked = job->held->was_marked; /* marking it again is harmless */
	}
	park_put_back(d);
}

static void
on_admitted(void *arg, int code, const struct err *err)
{
	struct dispatcher *d = arg;
	struct job *job;

	d->is_admitting = false;
	if (code < 0) {
		log_write(d->rooms.log, LOG_LEVEL_ERROR,
			"decisions could not be recorded (%s): trying again",
			err && err->msg[0] ? err->msg : uv_strerror(code));
		put_back(d);
		dispatcher_retry_later(d);
		return;
	}
	free_counts(&d->counts);
	while ((job = TAILQ_FIRST(&d->admitting))) {
		TAILQ_REMOVE(&d->admitting, job, admission);
		go_on(d, job);
	}
	park_saved(d);
	dispatcher_wake(d);
}

/* ---- the commit ----------------------------------------------------------------------------- */

static bool
rests(const struct job *job)
{
	return job->stage == JOB_HELD || job->stage == JOB_BLOCKED;
}

/* What waits for its lane, or for its conditions, is not admitted. */
static enum exec_status
status_of_row(const struct job *job)
{
	if (job->stage == JOB_HELD)
		return EXEC_HELD;
	return job->stage == JOB_BLOCKED || job->run.part == RUN_CONDITIONS ? EXEC_PENDING
									    : EXEC_RUNNING;
}

/* Rows that wait, and the parked events that are in work again.  Returns how many of those. */
static size_t
add_rows(struct dispatcher *d, struct execution_list *list, uint64_t *unparked)
{
	size_t count = 0, rows = commit_rows(d);
	struct job *job;

	for (size_t i = 0; i < rows && (job = TAILQ_FIRST(&d->admissions)); i++) {
		struct execution *row = execution_copy(&job->ex);

		TAILQ_REMOVE(&d->admissions, job, admission);
		TAILQ_INSERT_TAIL(&d->admitting, job, admission);
		job->row = ROW_ON_ITS_WAY;
		row->status = status_of_row(job);
		STAILQ_INSERT_TAIL(list, row, link);
		if (job->held->is_marked && !rests(job)) {
			job->held->is_marked = false;
			unparked[count++] = job->ex.seq;
		}
	}
	return count;
}

/* Whether all its rows are in the store, or in this commit. */
static bool
has_rows(const struct held *held)
{
	const struct job *job;

	STAILQ_FOREACH (job, &held->jobs, sibling) {
		if (job->row == ROW_WAITS)
			return false;
	}
	return true;
}

static size_t
add_parked(struct dispatcher *d, uint64_t *parked)
{
	struct held *held;
	size_t count = 0, rows = commit_rows(d);

	while (count < rows && (held = TAILQ_FIRST(&d->parking.leaving)) && has_rows(held)) {
		TAILQ_REMOVE(&d->parking.leaving, held, park_link);
		TAILQ_INSERT_TAIL(&d->parking.leaving_saving, held, park_link);
		held->is_leaving = true;
		parked[count++] = held->ev->seq;
	}
	return count;
}

static void
copy_counts(struct dispatcher *d, struct gate_count_list *list)
{
	const struct gate_count *c;

	hooks_take_counts(d->rooms.hooks, &d->counts);
	d->is_gate_used = false;
	STAILQ_FOREACH (c, &d->counts, link) {
		struct gate_count *copy = NEW(struct gate_count);

		*copy = *c;
		copy->key = mem_strdup(c->key);
		copy->value = mem_strdup(c->value);
		STAILQ_INSERT_TAIL(list, copy, link);
	}
}

void
admit_begin(struct dispatcher *d)
{
	uint64_t parked[COMMIT_ROWS_MAX], unparked[COMMIT_ROWS_MAX];
	struct admission a = {.parked = parked, .unparked = unparked};

	if (d->is_admitting || d->is_retrying || admit_is_idle(d))
		return;
	STAILQ_INIT(&a.executions);
	STAILQ_INIT(&a.counts);
	a.unparked_count = add_rows(d, &a.executions, unparked);
	a.parked_count = add_parked(d, parked);
	copy_counts(d, &a.counts);
	if (STAILQ_EMPTY(&a.executions) && STAILQ_EMPTY(&a.counts) && !a.parked_count)
		return; /* a gate was asked and has nothing to remember */
	d->is_admitting = true;
	store_admit(d->rooms.store, &a, on_admitted, d);
}
