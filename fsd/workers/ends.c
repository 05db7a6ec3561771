/* How runs end: by their own frame, or with their worker.
 *
 * When a worker is gone, the page it shared tells which Lua was being executed, so the fault falls
 * on one run and not on all that shared the process:
 *
 *	cancelled                  what was asked for
 *	past its deadline          timeout
 *	executed at that moment    failed: it crashed the worker, or would not let others run
 *	has done nothing yet       once more elsewhere, as the next attempt; so too when it is
 *	                           idempotent
 *	has done something         interrupted: that cannot be undone, so it is not repeated
 *
 * What a run has done stands in the page as well, before it is done.  The guilty hook runs in a
 * process of its own until edited.  With the zygote all workers end, and nobody is guilty.
 */
#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "fsd/hooks/rules.h"
#include "fsd/workers/cgroup.h"
#include "fsd/workers/pool.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define RESTARTS_MAX 3 /* of one run, for no fault of its own */

void
run_settle(struct workers *pool, struct slot *slot, struct run_outcome *outcome)
{
	struct run *run = slot->run;

	pool_release(pool, slot);
	run->id = 0;
	run->done(run, outcome);
	free(outcome->message);
	free(outcome->error);
	free(outcome->output);
	free(outcome->why);
}

void
check_settle(struct workers *pool, struct slot *slot, int code, const char *text)
{
	struct check *check = slot->check;
	struct err err = {0};

	pool_release(pool, slot);
	if (code < 0)
		(void)err_set(&err, -code, "%s", text); /* returns the code we have */
	check->done(check->arg, code, code < 0 ? NULL : text, code < 0 ? &err : NULL);
	check_free(check);
}

/* "signal 11 (Segmentation fault)", "exit code 1". */
static void
describe_end(const struct worker *w, char *ret_text, size_t size)
{
	if (w->why[0])
		(void)snprintf(ret_text, size, "%s", w->why); /* cut */
	else if (w->status == ENDED_WITH_ZYGOTE)
		(void)snprintf(ret_text, size, "with the process that forks workers");
	else if (WIFSIGNALED(w->status))
		(void)snprintf(ret_text, size, "signal %d (%s)", WTERMSIG(w->status),
			strsignal(WTERMSIG(w->status)));
	else
		(void)snprintf(ret_text, size, "exit code %d", WEXITSTATUS(w->status));
}

/* What an end means for those who were there. */
struct death {
	struct workers *pool;
	struct worker *worker;
	uint32_t culprit; /* id of what was executed; 0: nothing */
	const char *hook; /* its hook, while others are told; "" */
	char text[ERR_MSG_MAX];
};

/* The page is written by a process that runs user code; what it says of others than itself hurts
 * only its own. */
static bool
has_done_something(const struct death *death, const struct slot *slot)
{
	const struct worker_page *page = death->worker->page;
	uint32_t id = slots_id(&death->pool->slots, slot);

	return page && page->touched[id % RUN_PLACES] == id;
}

static bool
may_restart(const struct death *death, const struct slot *slot)
{
	const struct run *run = slot->run;
	const struct hook_rules *rules = run->code->rules;

	if (death->pool->is_stopping || slot->is_cancelled || run->restarts >= RESTARTS_MAX)
		return false;
	return !has_done_something(death, slot) || (rules && rules->is_idempotent);
}

static char *
interrupted_text(const struct death *death)
{
	if (death->pool->is_stopping)
		return mem_strdup(STOPPED_TEXT);
	if (death->hook[0])
		return mem_printf(
			"its worker ended (%s) while it ran hook '%s'", death->text, death->hook);
	return mem_printf("its worker ended: %s", death->text);
}

static char *
culprit_text(const struct death *death, bool was_killed)
{
	if (was_killed)
		return mem_strdup("it held up its worker, which had to be killed");
	return mem_printf("worker died: %s", death->text);
}

static void
end_run(const struct death *death, struct slot *slot, bool is_culprit)
{
	struct run_outcome outcome = {.status = EXEC_INTERRUPTED, .is_killed = is_culprit};
	struct run *run = slot->run;
	int64_t now_ns = clock_real_ns();

	if (slot->is_overdue && !slot->is_cancelled && (slot->started_ns || is_culprit)) {
		outcome.status = EXEC_TIMEOUT;
		outcome.error = mem_strdup("timed out and did not stop: its worker was killed");
	} else if (slot->is_cancelled) {
		outcome.status = slot->wanted == RUN_TIMEOUT ? EXEC_TIMEOUT : EXEC_INTERRUPTED;
		outcome.error = mem_strdup("cancelled");
	} else if (is_culprit) {
		outcome.status = EXEC_FAILED;
		outcome.error = culprit_text(death, death->worker->is_overdue);
	} else if (may_restart(death, slot)) {
		pool_release(death->pool, slot);
		run->attempt++;
		run->restarts++;
		pool_place_run(death->pool, run);
		return;
	} else if (death->worker->pid == 0 && !slot->started_ns && !death->pool->is_stopping) {
		outcome.status = EXEC_FAILED;
		outcome.error = mem_printf("no worker could be started: %s", death->text);
	} else {
		outcome.error = interrupted_text(death);
	}
	outcome.started_ns = slot->started_ns ? slot->started_ns : now_ns;
	outcome.duration_ns = now_ns - outcome.started_ns;
	run_settle(death->pool, slot, &outcome);
}

static void
end_check(const struct death *death, struct slot *slot, bool is_culprit)
{
	struct check *check = slot->check;
	AUTO(free) char *text = NULL;

	if (death->pool->is_stopping) {
		check_settle(death->pool, slot, -ECANCELED, STOPPED_TEXT);
	} else if (slot->is_overdue) {
		text = mem_printf("%s: loading it did not end within %d s", check->path,
			CHECK_TIMEOUT_MS / 1000);
		check_settle(death->pool, slot, -ETIMEDOUT, text);
	} else if (!is_culprit && !check->is_restarted) {
		pool_release(death->pool, slot);
		check->is_restarted = true;
		pool_place_check(death->pool, check);
	} else {
		text = mem_printf("%s: loading it ended the worker: %s", check->path, death->text);
		check_settle(death->pool, slot, -EINVAL, text);
	}
}

/* Whether the group is one of a worker there is, perhaps not joined yet. */
static bool
is_group_used(void *arg, unsigned number)
{
	const struct workers *pool = arg;
	const struct crew *crew;
	const struct worker *w;

	LIST_FOREACH (crew, &pool->crews, link)
		TAILQ_FOREACH (w, &crew->workers, link)
			if (w->request == number)
				return true;
	return false;
}

/* Let go of the process: nobody finds it any more. */
static void
detach(struct worker *w)
{
	struct workers *pool = w->pool;

	assert(w->is_lost && w->is_exited);
	TAILQ_REMOVE(&w->crew->workers, w, link);
	pool->processes--;
	if (w->is_dirty)
		STAILQ_REMOVE(&pool->dirty, w, worker, dirty_link);
	w->is_dirty = false;
	cgroup_tidy(pool->cgroup, is_group_used, pool);
}

void
worker_bury(struct worker *w)
{
	struct workers *pool = w->pool;
	struct death death = {.pool = pool, .worker = w, .hook = ""};
	struct slot *slot;

	death.culprit = w->page && w->status != ENDED_WITH_ZYGOTE ? w->page->running : 0;
	describe_end(w, death.text, sizeof(death.text));
	detach(w);
	slot = slots_find(&pool->slots, death.culprit);
	if (slot && slot->worker == w && slot->run) {
		death.hook = slot->run->code->label;
		slot->run->code->is_alone = true;
		if (pool->services.alone)
			pool->services.alone(pool->services.arg, slot->run->code);
	}
	if (!pool->is_stopping && (w->load || !w->is_killed))
		log_write(pool->log, LOG_LEVEL_WARN, "worker %d ended: %s%s%s", (int)w->pid,
			death.text, death.hook[0] ? ", running hook " : "", death.hook);
	/* The culprit is last: its label is in use until then. */
	for (uint32_t i = 0; i < pool->slots.cap; i++) {
		slot = &pool->slots.at[i];
		if (slot->worker != w || slots_id(&pool->slots, slot) == death.culprit)
			continue;
		if (slot->run)
			end_run(&death, slot, false);
		else
			end_check(&death, slot, false);
	}
	slot = slots_find(&pool->slots, death.culprit);
	if (slot && slot->worker == w && slot->run)
		end_run(&death, slot, true);
	else if (slot && slot->worker == w)
		end_check(&death, slot, true);
	worker_unref(w);
}
