/* From an event to its invocations: matching, and what a run goes through.
 *
 * Events are matched in the order of seq, an event only when every registration begun before it has
 * settled (the barrier), so that a hook saved before an emit sees it.  A matched event becomes one
 * job per hook.  A hook without rules has its job queued at once (dispatcher_queues.c); otherwise
 * dispatcher_hold.c and dispatcher_lanes.c decide when it is.
 *
 * Of a hook without rules nothing is written before a run.  After a crash an execution without a
 * result may have begun or not; to be honest about it, each counts as begun: its next attempt is
 * the second.  What has a gate, or runs at most once, has a row before it runs, and needs no guess.
 */
#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "fsd/events/dispatcher_impl.h"
#include "fsd/steps.h"

#include <assert.h>
#include <string.h>

#define MATCH_TURN_MAX 256 /* events matched in one turn of the loop */

/* ---- jobs ----------------------------------------------------------------------------------- */

void
job_free(struct job *job)
{
	execution_fini(&job->ex);
	if (job->run.code)
		hook_code_unref(job->run.code);
	free(job);
}

const struct hook_rules *
job_rules(const struct job *job)
{
	static const struct hook_rules none;

	return job->run.code && job->run.code->rules ? job->run.code->rules : &none;
}

void
job_set_text(char **text, char *value)
{
	free(*text);
	*text = value;
}

static bool
is_open(enum exec_status status)
{
	return status == EXEC_PENDING || status == EXEC_RUNNING || status == EXEC_HELD;
}

struct job *
jobs_add_recorded(struct held *held, struct execution *ex)
{
	struct job *job = NEW(struct job);

	job->ex = *ex;
	ex->hook = ex->message = ex->output = ex->error = ex->why = NULL;
	job->held = held;
	job->stage = is_open(job->ex.status) ? JOB_RECORDED : JOB_DONE;
	STAILQ_INSERT_TAIL(&held->jobs, job, sibling);
	return job;
}

void
job_settle(struct dispatcher *d, struct job *job, enum exec_status status)
{
	struct held *held = job->held;

	assert(job->row != ROW_ON_ITS_WAY && job->stage != JOB_DONE);
	admit_forget(d, job);
	park_forget(d, job);
	job->ex.status = status;
	job->ex.due_ns = 0;
	job->stage = JOB_DONE;
	d->open_jobs--;
	held->unsaved++;
	save_result(d, job);
	held->open--;
	park_update(d, held);
	if (held->open == 0)
		save_ended(d, held);
	if (job->ex.lane)
		lane_leave(d, job);
}

/* ---- running -------------------------------------------------------------------------------- */

static void
on_started(struct run *run)
{
	struct job *job = (struct job *)run;
	struct dispatcher *d = job->queue->owner;

	job->ex.status = EXEC_RUNNING;
	job->ex.started_ns = clock_real_ns();
	if (hooks_begun(d->rooms.hooks, run->code, run->event)) {
		d->is_gate_used = true;
		dispatcher_wake(d);
	}
}

static bool
is_failure(enum exec_status status)
{
	return status == EXEC_FAILED || status == EXEC_TIMEOUT || status == EXEC_INTERRUPTED;
}

static void
on_done(struct run *run, struct run_outcome *outcome)
{
	struct job *job = (struct job *)run;
	struct dispatcher *d = job->held->owner;

	queue_leave(d, job);
	if (run->part == RUN_CONDITIONS && outcome->status == EXEC_SUCCESS) {
		run->part = RUN_EXECUTE;
		job->ex.status = EXEC_PENDING;
		hold_ask(d, job, GATE_ARRIVED);
		return;
	}
	job->ex.attempts = run->attempt;
	job->ex.started_ns = outcome->started_ns;
	job->ex.duration_ns = outcome->duration_ns;
	job_set_text(&job->ex.message, TAKE(outcome->message));
	job_set_text(&job->ex.output, TAKE(outcome->output));
	job_set_text(&job->ex.error, TAKE(outcome->error));
	if (outcome->why)
		job_set_text(&job->ex.why, TAKE(outcome->why));
	if (is_failure(outcome->status) && hold_retry(d, job, outcome->status))
		return;
	job_settle(d, job, outcome->status);
}

/* A hook that runs at most once is marked as begun before it begins. */
static bool
needs_mark(const struct job *job)
{
	return job_rules(job)->is_at_most_once && job->run.part != RUN_CONDITIONS &&
	       job->ex.attempts == 0;
}

void
job_launch(struct dispatcher *d, struct job *job)
{
	if (d->is_draining) {
		queue_leave(d, job); /* stays unfinished for the next start */
		return;
	}
	if (job->run.code->is_removed) {
		queue_leave(d, job);
		job_settle(d, job, EXEC_REMOVED);
		return;
	}
	if (needs_mark(job)) {
		job->ex.attempts = job->run.attempt;
		admit_job(d, job); /* launched again when that is durable */
		return;
	}
	workers_run(d->rooms.workers, &job->run);
}

static void
on_code(void *arg, int code, const struct err *err)
{
	struct job *job = arg;
	struct dispatcher *d = job->held->owner;

	if (code >= 0) {
		job_launch(d, job);
		return;
	}
	job_set_text(&job->ex.error, mem_strdup(err && err->msg[0] ? err->msg : uv_strerror(code)));
	queue_leave(d, job);
	job_settle(d, job, EXEC_FAILED);
}

void
job_start(struct dispatcher *d, struct job *job)
{
	if (job->run.code->source || job->run.code->is_removed)
		job_launch(d, job);
	else
		hook_code_load(d->rooms.hooks, job->run.code, on_code, job);
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

/* It is open from now on, and runs the code. */
static void
job_open(struct dispatcher *d, struct job *job, struct hook_code *code)
{
	struct held *held = job->held;

	job->run.code = hook_code_ref(code);
	job->run.event = held->ev;
	job->run.started = on_started;
	job->run.done = on_done;
	held->open++;
	d->open_jobs++;
	park_update(d, held);
}

static bool
has_conditions(const struct hook_rules *rules)
{
	return rules->match || rules->has_filter;
}

/* From the match to its queue, or to what its rules want first. */
static void
job_begin(struct dispatcher *d, struct job *job)
{
	const struct hook_rules *rules = job_rules(job);
	bool has_gate = hook_rules_gate(rules);

	if (rules->order_by)
		lane_enter(d, job);
	if (has_gate && has_conditions(rules))
		job->run.part = RUN_CONDITIONS;
	if (has_gate && job->run.part == RUN_WHOLE)
		hold_ask(d, job, GATE_ARRIVED);
	else
		job_ready(d, job);
}

bool
event_is_for(const struct event *ev, const struct hook_code *code)
{
	return !ev->replay_hook || strcmp(ev->replay_hook, code->label) == 0;
}

static void
on_match(void *arg, struct hook_code *code)
{
	struct matching *m = arg;
	struct dispatcher *d = m->d;
	struct event *ev = m->held->ev;
	struct job *job;

	if (!event_is_for(ev, code))
		return;
	if (has_job(m->held, code->hook_id))
		return; /* known from an earlier life */
	job = NEW(struct job);
	job->held = m->held;
	job->ex.seq = ev->seq;
	job->ex.hook_id = code->hook_id;
	job->ex.version = code->version;
	job->ex.hook = mem_strdup(code->label);
	STAILQ_INSERT_TAIL(&m->held->jobs, job, sibling);
	job_open(d, job, code);
	job->run.attempt = ev->seq <= d->last_life_seq && !hold_has_row(job) ? 2 : 1;
	job_begin(d, job);
}

/* Go on with what an earlier life left open, or what was parked. */
static void
resume(struct dispatcher *d, struct job *job, bool was_parked)
{
	const struct hook_rules *rules = job_rules(job);
	bool has_gate = hook_rules_gate(rules);
	/* A gate has judged what is more than pending, and after its conditions were met. */
	bool is_unjudged = has_gate && has_conditions(rules) && job->ex.status == EXEC_PENDING;
	bool may_have_begun = !was_parked && !is_unjudged && job->ex.seq <= d->last_life_seq;

	if (job->run.code->is_removed) {
		job_settle(d, job, EXEC_REMOVED);
		return;
	}
	if (has_gate && has_conditions(rules))
		job->run.part = is_unjudged ? RUN_CONDITIONS : RUN_EXECUTE;
	if (job->ex.status == EXEC_HELD) {
		hold_again(d, job);
		return;
	}
	if (rules->is_at_most_once && job->ex.attempts > 0 && may_have_begun) {
		job_set_text(&job->ex.error,
			mem_strdup("the daemon ended while it ran, and it runs at most once"));
		job_settle(d, job, EXEC_INTERRUPTED);
		return;
	}
	if (rules->is_at_most_once)
		job->ex.attempts = 0; /* not begun */
	job->run.attempt = job->ex.attempts + 1 + (may_have_begun && !rules->is_at_most_once);
	job->ex.status = EXEC_PENDING;
	if (was_parked || is_unjudged || !has_gate)
		job_ready(d, job);
	else
		hold_ask(d, job, job->ex.attempts ? GATE_RETRIED : GATE_AGAIN);
}

void
jobs_resume(struct dispatcher *d, struct held *held, bool was_parked)
{
	struct job *job;

	STAILQ_FOREACH (job, &held->jobs, sibling) {
		struct hook_code *code;

		if (job->stage != JOB_RECORDED)
			continue;
		code = hooks_find_code(d->rooms.hooks, job->ex.hook_id, job->ex.version);
		if (code) {
			job_open(d, job, code);
			job->run.count = job->ex.count;
			continue;
		}
		held->open++;
		d->open_jobs++;
	}
	STAILQ_FOREACH (job, &held->jobs, sibling) {
		if (job->stage != JOB_RECORDED)
			continue;
		if (job->run.code)
			resume(d, job, was_parked);
		else
			job_settle(d, job, EXEC_REMOVED);
	}
}

static void
add_labels(const void *arg, struct sbuf *out)
{
	const struct held *held = arg;
	const struct job *job;

	STAILQ_FOREACH (job, &held->jobs, sibling)
		sbuf_printf(out, "%s%s", out->len ? " " : "", job->ex.hook);
}

/* Whether something goes on that ends by itself.  Jobs that only rest may wait for an event that is
 * not matched yet: the one before them in their lane. */
static bool
is_busy(const struct dispatcher *d)
{
	return d->running > 0 || d->queues || !save_is_idle(d) || !admit_is_idle(d);
}

static void
match(struct dispatcher *d, struct held *held)
{
	struct matching m = {.d = d, .held = held};

	held->open++; /* not over before it was matched whole */
	hooks_match(d->rooms.hooks, held->ev, on_match, &m);
	step_matched(d->rooms.log, held->ev, add_labels, held);
	jobs_resume(d, held, false);
	held->open--;
	if (!STAILQ_EMPTY(&held->jobs) && held->open)
		held->ev->status = EVENT_PROCESSING;
	if (held->open == 0)
		save_ended(d, held);
	else
		park_look(d, held);
}

/* Those in their order, a part of them in each turn. */
static void
match_unmatched(struct dispatcher *d)
{
	struct held *held;

	for (unsigned i = 0; (held = STAILQ_FIRST(&d->unmatched)); i++) {
		if (d->open_jobs >= d->buffer && is_busy(d))
			return; /* results wake us */
		if (!hooks_are_settled(d->rooms.hooks, held->ev->seq))
			return; /* hooks_on_settled wakes us */
		if (i == MATCH_TURN_MAX) {
			dispatcher_wake(d);
			return;
		}
		STAILQ_REMOVE_HEAD(&d->unmatched, link);
		match(d, held);
	}
}

void
jobs_match(struct dispatcher *d)
{
	struct held *held;

	if (d->is_draining)
		return;
	match_unmatched(d);
	while ((held = overtake_next(d)))
		match(d, held);
}
