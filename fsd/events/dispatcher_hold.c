/* What runs now, what later and what not at all: gates and retries.
 *
 * A gate is asked once for each moment: when the event was matched (and its conditions were met),
 * when what it held is due or recalled, and when an earlier life admitted a run whose result is not
 * known.  Its answer is recorded before anything runs by it (dispatcher_admit.c), so a crash gives
 * nobody a second go.  What it holds, and what waits for its next attempt, is JOB_HELD and has an
 * alarm; one timer serves the first of them all.
 *
 * A retry is the same run again: the gate that admitted it is not asked a second time.  Its number
 * and its time are as durable as a decision.
 *
 * While an admission is on its way nothing is done to its job; what comes meanwhile is noted in
 * is_asked.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "fsd/events/dispatcher_impl.h"
#include "fsd/steps.h"

#include <stdlib.h>
#include <string.h>

#define DUE_TURN_MAX 1024 /* looked at in one turn of the loop */

/* ---- alarms --------------------------------------------------------------------------------- */

bool
alarm_is_before(const struct heap_node *a, const struct heap_node *b)
{
	const struct alarm *x = (const struct alarm *)a, *y = (const struct alarm *)b;

	return x->due_ns != y->due_ns ? x->due_ns < y->due_ns : x->seq < y->seq;
}

void
alarm_set(struct dispatcher *d, struct alarm *alarm, int64_t due_ns)
{
	heap_remove(&d->alarms, &alarm->node);
	alarm->due_ns = due_ns;
	heap_insert(&d->alarms, &alarm->node);
	dispatcher_wake(d); /* the turn sets the timer */
}

void
alarm_clear(struct dispatcher *d, struct alarm *alarm)
{
	heap_remove(&d->alarms, &alarm->node);
}

static void
on_due(uv_timer_t *due)
{
	dispatcher_wake(due->data);
}

static struct job *
job_of_alarm(struct alarm *alarm)
{
	return (struct job *)((char *)alarm - offsetof(struct job, alarm));
}

void
hold_look(struct dispatcher *d)
{
	int64_t now_ns = clock_steady_ns(), wait_ms;
	struct alarm *first;
	unsigned count = 0;

	while (!d->is_draining && (first = (struct alarm *)heap_top(&d->alarms)) &&
		first->due_ns <= now_ns && count++ < DUE_TURN_MAX) {
		alarm_clear(d, first);
		if (first->is_lot)
			d->parking.is_read_due = true; /* at the end of the turn */
		else
			hold_due(d, job_of_alarm(first));
	}
	first = (struct alarm *)heap_top(&d->alarms);
	if (!first || d->is_draining || d->closing) {
		(void)uv_timer_stop(&d->due); /* cannot fail */
		return;
	}
	wait_ms = (first->due_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
	uv_update_time(d->loop); /* the timer counts from there */
	(void)uv_timer_start(&d->due, on_due, wait_ms > 0 ? (uint64_t)wait_ms : 0, 0);
}

/* ---- holding -------------------------------------------------------------------------------- */

void
hold_again(struct dispatcher *d, struct job *job)
{
	job->stage = JOB_HELD;
	job->ex.status = EXEC_HELD;
	job->alarm.seq = job->ex.seq;
	alarm_set(d, &job->alarm, job->ex.due_ns);
	park_rest(d, job);
}

/* Hold it until due_ns, and have that recorded. */
static void
hold(struct dispatcher *d, struct job *job, int64_t due_ns)
{
	job->ex.due_ns = due_ns;
	admit_job(d, job);
	hold_again(d, job);
	step_recorded(d->rooms.log, job->held->ev, &job->ex);
	park_look(d, job->held);
}

void
hold_admit(struct dispatcher *d, struct job *job)
{
	job->stage = JOB_ADMITTED;
	job->ex.status = EXEC_PENDING;
	job->ex.due_ns = 0;
	admit_job(d, job);
}

/* ---- gates ---------------------------------------------------------------------------------- */

bool
hold_has_row(const struct job *job)
{
	const struct hook_rules *rules = job_rules(job);

	return rules->is_at_most_once || hook_rules_gate(rules);
}

void
hold_ask(struct dispatcher *d, struct job *job, enum gate_moment moment)
{
	struct gate_decision decision = {0};

	if (job->run.code->is_removed) {
		job_settle(d, job, EXEC_REMOVED);
		return;
	}
	hooks_decide(
		d->rooms.hooks, job->run.code, job->held->ev, moment, clock_steady_ns(), &decision);
	d->is_gate_used = true;
	dispatcher_wake(d);
	if (decision.why[0])
		job_set_text(&job->ex.why, mem_strdup(decision.why));
	switch (decision.verdict) {
	case GATE_RUN:
		job->run.count = job->ex.count = decision.count;
		hold_admit(d, job);
		break;
	case GATE_HOLD:
		hold(d, job, decision.due_ns);
		break;
	case GATE_DROP:
		job_settle(d, job, decision.status);
		break;
	}
	if (decision.recall_seq)
		park_recall(d, decision.recall_seq, job->ex.hook_id);
}

void
hold_due(struct dispatcher *d, struct job *job)
{
	park_cancel(d, job->held);
	if (job->row == ROW_ON_ITS_WAY) {
		job->is_asked = true;
		return;
	}
	job->is_asked = false;
	alarm_clear(d, &job->alarm);
	park_unrest(d, job);
	if (job->stage == JOB_BLOCKED) {
		job_ready(d, job);
	} else if (job->ex.attempts == 0) {
		hold_ask(d, job, GATE_DUE);
	} else {
		job->run.attempt = job->ex.attempts + 1;
		hold_admit(d, job);
	}
}

void
dispatcher_hook_removed(struct dispatcher *d, uint64_t hook_id)
{
	struct held *held, *next;
	struct job *job;

	for (held = TAILQ_FIRST(&d->order); held; held = next) {
		next = TAILQ_NEXT(held, order);
		if (!held->resting)
			continue;
		STAILQ_FOREACH (job, &held->jobs, sibling) {
			if (job->ex.hook_id == hook_id && job->stage == JOB_HELD)
				hold_due(d, job);
		}
	}
	d->parking.is_read_due = true; /* for what is parked */
	dispatcher_wake(d);
}

/* ---- retries -------------------------------------------------------------------------------- */

/* Before the attempt after this many: doubled each time, give or take the jitter. */
static int64_t
backoff_ns(const struct hook_rules *rules, unsigned attempts)
{
	int64_t wait_ns = rules->backoff_ns, max_ns = rules->backoff_max_ns, spread_ns;

	for (unsigned i = 1; i < attempts && wait_ns < max_ns; i++)
		wait_ns = wait_ns > INT64_MAX / 2 ? INT64_MAX : 2 * wait_ns;
	if (max_ns && wait_ns > max_ns)
		wait_ns = max_ns;
	spread_ns = wait_ns / 100 * rules->jitter_percent;
	if (spread_ns > 0)
		wait_ns +=
			(int64_t)((double)random() / RAND_MAX * 2 * (double)spread_ns) - spread_ns;
	return wait_ns;
}

bool
hold_retry(struct dispatcher *d, struct job *job, enum exec_status status)
{
	const struct hook_rules *rules = job_rules(job);
	const char *error = job->ex.error ? job->ex.error : "no error text";
	unsigned attempts = job->ex.attempts;
	int64_t wait_ns;

	if (attempts > rules->retries || rules->is_at_most_once || job->run.code->is_removed)
		return false;
	wait_ns = backoff_ns(rules, attempts);
	job->attempt = status;
	job_set_text(&job->ex.why,
		mem_printf("attempt %u of %u in %.1fs: %.*s", attempts + 1, rules->retries + 1,
			(double)wait_ns / NS_PER_S, (int)strcspn(error, "\n"), error));
	hold(d, job, clock_steady_ns() + wait_ns);
	return true;
}
