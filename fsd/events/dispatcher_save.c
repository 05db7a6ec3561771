/* Results go into the store, and events to their final state.
 *
 * One commit is on its way at a time.  What arrives meanwhile is collected and goes into the next
 * ones, so the batch grows with the load by itself, up to what makes no event that arrives wait for
 * a long commit; an event's last result can never become durable before its first, and a commit
 * that failed is simply put back in front and tried again.
 *
 * The store gets copies: the executions of an event are still shown, and told to
 * events_on_final, after the store has taken its own.  It also gets a copy of the event's final
 * state, because nobody may see `completed` before it is durable: after a crash it might turn into
 * `failed`.
 */
#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "fsd/events/dispatcher_impl.h"
#include "fsd/events/events.h"

#define EVENT_ERROR_MAX 2048 /* bytes of an event's error text */

static bool
is_failure(enum exec_status status)
{
	return status == EXEC_FAILED || status == EXEC_TIMEOUT || status == EXEC_INTERRUPTED;
}

/* "hook 'a': timeout: ..; hook 'b': ..", the first line of each error.  Returns owned; NULL when
 * nothing failed. */
static char *
error_text(const struct held *held)
{
	struct sbuf text = {0};
	struct job *job;

	STAILQ_FOREACH (job, &held->jobs, sibling) {
		const struct execution *ex = &job->ex;
		const char *error = ex->error ? ex->error : "no error text";

		if (!is_failure(ex->status))
			continue;
		sbuf_printf(&text, "%shook '%s': %s: %.*s", text.len ? "; " : "", ex->hook,
			exec_status_name(ex->status), (int)strcspn(error, "\n"), error);
		if (text.len > EVENT_ERROR_MAX)
			break;
	}
	return text.len ? sbuf_take(&text) : NULL;
}

void
save_result(struct dispatcher *d, struct job *job)
{
	STAILQ_INSERT_TAIL(&d->results, job, link);
	job->held->unsent++;
	dispatcher_wake(d);
}

void
save_ended(struct dispatcher *d, struct held *held)
{
	struct event *final = NEW(struct event);

	final->refs = 1;
	final->seq = held->ev->seq;
	final->error = error_text(held);
	final->status = final->error ? EVENT_FAILED : EVENT_COMPLETED;
	final->processed_ns = clock_real_ns();
	held->final = final;
	STAILQ_INSERT_TAIL(&d->ended, held, link);
	dispatcher_wake(d);
}

bool
save_is_idle(const struct dispatcher *d)
{
	return !d->is_saving && STAILQ_EMPTY(&d->results) && STAILQ_EMPTY(&d->ended);
}

/* ---- after the commit ----------------------------------------------------------------------- */

static void
tell_final(struct dispatcher *d, struct held *held)
{
	struct execution_list executions = STAILQ_HEAD_INITIALIZER(executions);
	struct event *ev = held->ev;
	struct job *job;

	STAILQ_FOREACH (job, &held->jobs, sibling)
		STAILQ_INSERT_TAIL(&executions, &job->ex, link);
	ev->status = held->final->status;
	ev->processed_ns = held->final->processed_ns;
	free(ev->error);
	ev->error = TAKE(held->final->error);
	d->finished++;
	rate_count(&d->rate, uv_now(d->loop) / 1000);
	events_on_final(d->rooms.events, ev, &executions);
}

static void
settle_saved(struct dispatcher *d)
{
	struct held *held;
	struct job *job;

	while ((job = STAILQ_FIRST(&d->saving))) {
		STAILQ_REMOVE_HEAD(&d->saving, link);
		hooks_record(d->rooms.hooks, job->held->ev, &job->ex);
		job->held->unsaved--;
		park_look(d, job->held);
	}
	while ((held = STAILQ_FIRST(&d->saving_ended))) {
		STAILQ_REMOVE_HEAD(&d->saving_ended, link);
		tell_final(d, held);
		held_free(d, held);
	}
}

/* Put what was not saved back in front of what came since. */
static void
put_back(struct dispatcher *d)
{
	struct job *job;

	STAILQ_FOREACH (job, &d->saving, link)
		job->held->unsent++;
	STAILQ_CONCAT(&d->saving, &d->results);
	STAILQ_CONCAT(&d->results, &d->saving);
	STAILQ_CONCAT(&d->saving_ended, &d->ended);
	STAILQ_CONCAT(&d->ended, &d->saving_ended);
}

static void
on_saved(void *arg, int code, const struct err *err)
{
	struct dispatcher *d = arg;

	d->is_saving = false;
	if (code < 0) {
		log_write(d->rooms.log, LOG_LEVEL_ERROR,
			"results could not be recorded (%s): trying again",
			err && err->msg[0] ? err->msg : uv_strerror(code));
		put_back(d);
		dispatcher_retry_later(d);
		return;
	}
	settle_saved(d);
	dispatcher_wake(d);
}

/* ---- the commit ----------------------------------------------------------------------------- */

size_t
commit_rows(const struct dispatcher *d)
{
	return 2 * store_job_events(d->rooms.store);
}

static void
take_results(struct dispatcher *d, struct execution_list *list)
{
	size_t rows = commit_rows(d);
	struct job *job;

	for (size_t i = 0; i < rows && (job = STAILQ_FIRST(&d->results)); i++) {
		struct execution *copy = execution_copy(&job->ex);

		STAILQ_REMOVE_HEAD(&d->results, link);
		STAILQ_INSERT_TAIL(&d->saving, job, link);
		STAILQ_INSERT_TAIL(list, copy, link);
		job->held->unsent--;
	}
}

/* Events end in the order of their last results.  Returns how many end with this commit. */
static size_t
take_ended(struct dispatcher *d, struct event **finals)
{
	struct held *held;
	size_t count = 0, rows = commit_rows(d);

	while (count < rows && (held = STAILQ_FIRST(&d->ended)) && held->unsent == 0) {
		STAILQ_REMOVE_HEAD(&d->ended, link);
		STAILQ_INSERT_TAIL(&d->saving_ended, held, link);
		finals[count++] = held->final;
	}
	return count;
}

void
save_begin(struct dispatcher *d)
{
	struct execution_list executions = STAILQ_HEAD_INITIALIZER(executions);
	struct event *finals[COMMIT_ROWS_MAX];
	size_t count;

	if (d->is_saving || d->is_retrying || save_is_idle(d))
		return;
	take_results(d, &executions);
	count = take_ended(d, finals);
	d->is_saving = true;
	store_finish(d->rooms.store, &executions, finals, count, on_saved, d);
}

/* ---- events a second ------------------------------------------------------------------------ */

void
rate_count(struct rate *rate, uint64_t second)
{
	size_t at = second % RATE_SECONDS;

	if (rate->second[at] != second) {
		rate->second[at] = second;
		rate->count[at] = 0;
	}
	rate->count[at]++;
}

uint64_t
rate_sum(const struct rate *rate, uint64_t second)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < RATE_SECONDS; i++) {
		if (rate->second[i] + RATE_SECONDS > second)
			sum += rate->count[i];
	}
	return sum;
}
