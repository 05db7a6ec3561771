/* From an event to its invocations: matching, one queue per hook, round-robin.
 *
 * Events are matched in the order of seq, an event only when every registration begun before it has
 * settled (the barrier), so that a hook saved before an emit sees it.  A matched event becomes one
 * job per hook.  d->ready lists the queues that may start a job: not empty, below the hook's
 * concurrency.  The first one starts one job and goes to the end, so a hook with a million events
 * waiting delays another's only event by one job.
 *
 * Nothing is written before a run.  After a crash an execution without a result may have begun or
 * not; to be honest about it, each counts as begun: its next attempt is the second.
 */
#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "fsd/events/dispatcher_impl.h"

#include <string.h>

#define MATCH_TURN_MAX 1024 /* events matched in one turn of the loop */

/* ---- jobs ----------------------------------------------------------------------------------- */

void
job_free(struct job *job)
{
	execution_fini(&job->ex);
	if (job->run.code)
		hook_code_unref(job->run.code);
	free(job);
}

void
jobs_add_recorded(struct held *held, struct execution *ex)
{
	struct job *job;

	if (ex->status == EXEC_PENDING || ex->status == EXEC_RUNNING || ex->status == EXEC_HELD)
		return;
	job = NEW(struct job);
	job->ex = *ex;
	ex->hook = ex->message = ex->output = ex->error = ex->why = NULL;
	job->held = held;
	STAILQ_INSERT_TAIL(&held->jobs, job, sibling);
}

static void
settle(struct dispatcher *d, struct job *job, enum exec_status status)
{
	struct held *held = job->held;

	job->ex.status = status;
	d->open_jobs--;
	job->queue = NULL;
	save_result(d, job);
	if (--held->open == 0)
		save_ended(d, held);
}

/* ---- queues --------------------------------------------------------------------------------- */

static unsigned
concurrency(const struct dispatcher *d, const struct hook_code *code)
{
	unsigned quarter = workers_limit(d->rooms.workers) / 4;

	if (code->concurrency)
		return code->concurrency;
	return quarter ? quarter : 1;
}

/* Put the queue in d->ready or free it, whichever it has become. */
static void
queue_update(struct dispatcher *d, struct hook_queue *queue)
{
	struct job *next = STAILQ_FIRST(&queue->waiting);

	if (!next && queue->running == 0) {
		HASH_DEL(d->queues, queue);
		free(queue);
		return;
	}
	if (!next || queue->is_ready || d->is_draining ||
		queue->running >= concurrency(d, next->run.code))
		return;
	TAILQ_INSERT_TAIL(&d->ready, queue, link);
	queue->is_ready = true;
}

static struct hook_queue *
queue_of(struct dispatcher *d, uint64_t hook_id)
{
	struct hook_queue *queue;

	HASH_FIND(hh, d->queues, &hook_id, sizeof(hook_id), queue);
	if (queue)
		return queue;
	queue = NEW(struct hook_queue);
	queue->owner = d;
	queue->hook_id = hook_id;
	STAILQ_INIT(&queue->waiting);
	HASH_ADD(hh, d->queues, hook_id, sizeof(queue->hook_id), queue);
	return queue;
}

/* ---- running -------------------------------------------------------------------------------- */

/* The job runs no more: make room for the next. */
static void
leave(struct dispatcher *d, struct job *job)
{
	d->running--;
	job->queue->running--;
	queue_update(d, job->queue);
	dispatcher_wake(d);
}

static void
on_started(struct run *run)
{
	struct job *job = (struct job *)run;

	job->ex.status = EXEC_RUNNING;
	job->ex.started_ns = clock_real_ns();
}

static void
on_done(struct run *run, struct run_outcome *outcome)
{
	struct job *job = (struct job *)run;
	struct dispatcher *d = job->queue->owner;

	job->ex.attempts = run->attempt;
	job->ex.started_ns = outcome->started_ns;
	job->ex.duration_ns = outcome->duration_ns;
	job->ex.message = TAKE(outcome->message);
	job->ex.output = TAKE(outcome->output);
	job->ex.error = TAKE(outcome->error);
	job->ex.why = TAKE(outcome->why);
	leave(d, job);
	settle(d, job, outcome->status);
}

/* Start a job whose place is taken already, or give it the result that spares the run. */
static void
launch(struct dispatcher *d, struct job *job)
{
	if (job->run.code->is_removed) {
		leave(d, job);
		settle(d, job, EXEC_REMOVED);
		return;
	}
	workers_run(d->rooms.workers, &job->run);
}

static void
on_code(void *arg, int code, const struct err *err)
{
	struct job *job = arg;
	struct dispatcher *d = job->queue->owner;

	if (code < 0) {
		job->ex.error = mem_strdup(err && err->msg[0] ? err->msg : uv_strerror(code));
		leave(d, job);
		settle(d, job, EXEC_FAILED);
	} else if (d->is_draining) {
		leave(d, job); /* stays pending for the next start */
		job->queue = NULL;
	} else {
		launch(d, job);
	}
}

void
jobs_update(struct dispatcher *d)
{
	struct hook_queue *queue, *next;

	HASH_ITER (hh, d->queues, queue, next) {
		queue_update(d, queue);
	}
}

void
jobs_start(struct dispatcher *d)
{
	struct hook_queue *queue;

	if (d->is_draining)
		return;
	while (d->running < workers_limit(d->rooms.workers) && (queue = TAILQ_FIRST(&d->ready))) {
		struct job *job = STAILQ_FIRST(&queue->waiting);

		TAILQ_REMOVE(&d->ready, queue, link);
		queue->is_ready = false;
		if (queue->running >= concurrency(d, job->run.code))
			continue; /* the limit went down meanwhile */
		STAILQ_REMOVE_HEAD(&queue->waiting, link);
		queue->running++;
		d->running++;
		queue_update(d, queue);
		if (job->run.code->source || job->run.code->is_removed)
			launch(d, job);
		else
			hook_code_load(d->rooms.hooks, job->run.code, on_code, job);
	}
}

/* ---- matching ------------------------------------------------------------------------------- */

struct matching {
	struct dispatcher *d;
	struct held *held;
};

static bool
has_job(const struct held *held, uint64_t hook_id)
{
	struct job *job;

	STAILQ_FOREACH (job, &held->jobs, sibling) {
		if (job->ex.hook_id == hook_id)
			return true;
	}
	return false;
}

static void
on_match(void *arg, struct hook_code *code)
{
	struct matching *m = arg;
	struct dispatcher *d = m->d;
	struct event *ev = m->held->ev;
	struct job *job;

	if (ev->replay_hook && strcmp(ev->replay_hook, code->label) != 0)
		return;
	if (has_job(m->held, code->hook_id))
		return; /* has its result from an earlier life */
	job = NEW(struct job);
	job->run.code = hook_code_ref(code);
	job->run.event = ev;
	job->run.attempt = ev->seq <= d->last_life_seq ? 2 : 1;
	job->run.started = on_started;
	job->run.done = on_done;
	job->ex.seq = ev->seq;
	job->ex.hook_id = code->hook_id;
	job->ex.version = code->version;
	job->ex.hook = mem_strdup(code->label);
	job->held = m->held;
	job->queue = queue_of(d, code->hook_id);
	m->held->open++;
	d->open_jobs++;
	STAILQ_INSERT_TAIL(&m->held->jobs, job, sibling);
	STAILQ_INSERT_TAIL(&job->queue->waiting, job, link);
	queue_update(d, job->queue);
}

void
jobs_match(struct dispatcher *d)
{
	struct matching m = {.d = d};

	for (unsigned i = 0; (m.held = STAILQ_FIRST(&d->unmatched)) && !d->is_draining; i++) {
		if (d->open_jobs >= d->buffer)
			return; /* results wake us */
		if (!hooks_are_settled(d->rooms.hooks, m.held->ev->seq))
			return; /* hooks_on_settled wakes us */
		if (i == MATCH_TURN_MAX) {
			dispatcher_wake(d);
			return;
		}
		STAILQ_REMOVE_HEAD(&d->unmatched, link);
		hooks_match(d->rooms.hooks, m.held->ev, on_match, &m);
		if (m.held->open)
			m.held->ev->status = EVENT_PROCESSING;
		else
			save_ended(d, m.held);
	}
}

void
jobs_fini(struct dispatcher *d)
{
	struct hook_queue *queue, *next;

	HASH_ITER (hh, d->queues, queue, next) {
		HASH_DEL(d->queues, queue);
		free(queue);
	}
}
