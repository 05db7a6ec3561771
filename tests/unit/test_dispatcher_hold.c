/* fsd/events/dispatcher_{hold,admit,lanes}.c: what runs now, later and not at all. */
#include "tests/unit/dispatcher_rig.h"

#define HOUR_NS (INT64_C(3600) * NS_PER_S)
/* Not before the test has looked, on a machine that stalls too. */
#define SOON_NS (500 * NS_PER_MS)

/* A hook whose arrivals pass the gate. */
static struct hook_code *
add_gated(struct world *w, char *label, char *types)
{
	struct hook_code *code = add_hook(w, label, types);

	w->hooks.rules[code->hook_id - 1].rate =
		(struct rule_rate){.count = 1, .burst = 1, .per_ns = NS_PER_S};
	return code;
}

static struct hook_rules *
rules_of(struct world *w, const struct hook_code *code)
{
	return &w->hooks.rules[code->hook_id - 1];
}

static struct event *
raise_data(struct world *w, const char *type, const char *data)
{
	struct event *ev = commit(w, type);

	free(ev->data);
	ev->data = mem_strdup(data);
	ev->data_len = strlen(data);
	dispatcher_add(w->d, ev);
	return ev;
}

static void
decide_drop(struct hooks *hooks, const struct event *ev, enum gate_moment moment,
	struct gate_decision *decision)
{
	(void)hooks, (void)ev, (void)moment;
	*decision = (struct gate_decision){
		.verdict = GATE_DROP, .status = EXEC_THROTTLED, .why = "rate_drop 1/s: 1 ran"};
}

/* Held on arrival until hooks->due_ns, runs when due. */
static void
decide_hold(struct hooks *hooks, const struct event *ev, enum gate_moment moment,
	struct gate_decision *decision)
{
	(void)ev;
	if (moment == GATE_ARRIVED)
		*decision = (struct gate_decision){
			.verdict = GATE_HOLD, .due_ns = hooks->due_ns, .why = "rate 1/s: 1 ran"};
}

/* The last one counts: an arrival takes the place of the event before it. */
static void
decide_last(struct hooks *hooks, const struct event *ev, enum gate_moment moment,
	struct gate_decision *decision)
{
	if (moment == GATE_DUE) {
		decide_drop(hooks, ev, moment, decision);
		return;
	}
	decide_hold(hooks, ev, moment, decision);
	decision->recall_seq = ev->seq - 1;
}

static enum exec_status
row_status(struct world *w, uint64_t seq, uint64_t hook)
{
	const struct execution *row = row_of(&w->store, seq, hook);

	return row ? row->status : EXEC_SKIPPED;
}

/* Wait for the loop's timers until a run is there. */
static void
await_run(struct world *w)
{
	while (!w->workers.count) {
		(void)uv_run(&w->loop, UV_RUN_ONCE);
		while (commit_answer(w))
			spin(w);
	}
}

/* ---- gates ---------------------------------------------------------------------------------- */

/* That a run began is stored while it runs: after a crash it may count as begun no later. */
START_TEST(a_begin_is_counted_at_once)
{
	struct world *w = world_start();

	add_gated(w, (char *)"a", (char *)"*");
	w->hooks.counts_begins = true;
	raise_event(w, "a.b");
	spin(w);
	admit_answer(w, 0);
	spin(w);
	ck_assert_uint_eq(w->store.admits, 1);
	w->workers.runs[0]->started(w->workers.runs[0]);
	spin(w);
	ck_assert_uint_eq(w->store.admits, 2);
	ck_assert(!STAILQ_EMPTY(&w->store.counts));
	settle_all(w);
	world_free(w);
}
END_TEST

START_TEST(an_admission_is_durable_before_the_run)
{
	struct world *w = world_start();

	add_gated(w, (char *)"a", (char *)"*");
	raise_event(w, "a.b");
	spin(w);
	ck_assert_uint_eq(w->workers.count, 0);
	ck_assert_ptr_nonnull(w->store.admit_done);
	ck_assert(!STAILQ_EMPTY(&w->store.counts));
	admit_answer(w, 0);
	ck_assert_int_eq(row_status(w, 1, 1), EXEC_RUNNING);
	spin(w);
	ck_assert_uint_eq(w->workers.count, 1);
	ck_assert_uint_eq(w->workers.runs[0]->count, 1);
	settle_all(w);
	ck_assert_int_eq(w->store.status[0], EVENT_COMPLETED);
	ck_assert_uint_eq(w->hooks.asked[0][GATE_ARRIVED], 1);
	world_free(w);
}
END_TEST

START_TEST(a_hook_without_rules_needs_no_admission)
{
	struct world *w = world_start();

	add_hook(w, (char *)"a", (char *)"*");
	raise_event(w, "a.b");
	settle_all(w);
	ck_assert_uint_eq(w->store.admits, 0);
	ck_assert_uint_eq(w->events.count, 1);
	world_free(w);
}
END_TEST

START_TEST(a_failed_admission_is_repeated_with_its_counts)
{
	struct world *w = world_start();

	add_gated(w, (char *)"a", (char *)"*");
	raise_event(w, "a.b");
	spin(w);
	admit_answer(w, -EIO);
	ck_assert_uint_eq(w->workers.count, 0);
	while (!w->store.admit_done)
		(void)uv_run(&w->loop, UV_RUN_ONCE);
	ck_assert(!STAILQ_EMPTY(&w->store.counts));
	ck_assert(!STAILQ_EMPTY(&w->store.admitted));
	settle_all(w);
	ck_assert_uint_eq(w->workers.started, 1);
	ck_assert_uint_eq(w->hooks.asked[0][GATE_ARRIVED], 1);
	world_free(w);
}
END_TEST

START_TEST(what_a_gate_drops_is_recorded_with_why)
{
	struct world *w = world_start();

	add_gated(w, (char *)"a", (char *)"*");
	w->hooks.gate = decide_drop;
	raise_event(w, "a.b");
	settle_all(w);
	ck_assert_int_eq(row_status(w, 1, 1), EXEC_THROTTLED);
	ck_assert_str_eq(row_of(&w->store, 1, 1)->why, "rate_drop 1/s: 1 ran");
	ck_assert_int_eq(w->store.status[0], EVENT_COMPLETED);
	ck_assert_uint_eq(w->workers.started, 0);
	world_free(w);
}
END_TEST

START_TEST(what_is_held_runs_when_it_is_due)
{
	struct world *w = world_start();
	struct dispatcher_figures figures;
	unsigned counts[16] = {0};

	add_gated(w, (char *)"a", (char *)"*");
	w->hooks.gate = decide_hold;
	w->hooks.due_ns = clock_steady_ns() + SOON_NS;
	raise_event(w, "a.b");
	spin(w);
	admit_answer(w, 0);
	ck_assert_int_eq(row_status(w, 1, 1), EXEC_HELD);
	ck_assert_int_eq(row_of(&w->store, 1, 1)->due_ns, w->hooks.due_ns);
	ck_assert(dispatcher_executions(w->d, 1, count_one, counts));
	ck_assert_uint_eq(counts[EXEC_HELD], 1);
	dispatcher_figures(w->d, &figures);
	ck_assert_uint_eq(figures.queued, 0);
	ck_assert_uint_eq(figures.held, 1);
	await_run(w);
	ck_assert_int_ge(clock_steady_ns(), w->hooks.due_ns);
	settle_all(w);
	ck_assert_uint_eq(w->hooks.asked[0][GATE_DUE], 1);
	ck_assert_int_eq(w->store.status[0], EVENT_COMPLETED);
	world_free(w);
}
END_TEST

START_TEST(a_newer_event_takes_the_place_of_a_held_one)
{
	struct world *w = world_start();

	add_gated(w, (char *)"a", (char *)"*");
	w->hooks.gate = decide_last;
	w->hooks.due_ns = clock_steady_ns() + HOUR_NS;
	raise_event(w, "a.b"); /* its admission is on its way when the next one comes */
	spin(w);
	ck_assert_ptr_nonnull(w->store.admit_done);
	raise_event(w, "a.b");
	raise_event(w, "a.b");
	settle_all(w);
	ck_assert_int_eq(row_status(w, 1, 1), EXEC_THROTTLED);
	ck_assert_int_eq(row_status(w, 2, 1), EXEC_THROTTLED);
	ck_assert_int_eq(row_status(w, 3, 1), EXEC_HELD);
	ck_assert_uint_eq(w->events.count, 2);
	world_free(w);
}
END_TEST

/* 600 events, more than stay in memory, due in an hour. */
START_TEST(what_a_removed_hook_holds_ends_at_once)
{
	struct world *w = world_start();
	struct hook_code *code = add_gated(w, (char *)"a", (char *)"*");

	w->hooks.gate = decide_hold;
	w->hooks.due_ns = clock_steady_ns() + 3600 * NS_PER_S;
	for (int i = 0; i < 600; i++)
		raise_event(w, "a.b");
	settle_all(w);
	ck_assert_uint_eq(w->events.count, 0);
	ck_assert_uint_gt(w->events.parked, 300);
	code->is_removed = true;
	dispatcher_hook_removed(w->d, code->hook_id);
	settle_all(w);
	ck_assert_uint_eq(w->events.count, 600);
	for (uint64_t seq = 1; seq <= 600; seq++) {
		ck_assert_int_eq(row_status(w, seq, 1), EXEC_REMOVED);
		ck_assert_uint_eq(w->hooks.asked[seq - 1][GATE_DUE], 0);
	}
	world_free(w);
}
END_TEST

START_TEST(conditions_come_before_the_gate)
{
	struct world *w = world_start();
	struct hook_code *code = add_gated(w, (char *)"a", (char *)"*");

	rules_of(w, code)->has_filter = true;
	raise_event(w, "a.b");
	raise_event(w, "a.b");
	spin(w);
	ck_assert_uint_eq(w->workers.count, 2);
	ck_assert_int_eq(w->workers.runs[0]->part, RUN_CONDITIONS);
	ck_assert_uint_eq(w->hooks.asked[0][GATE_ARRIVED], 0);
	run_end(w, 1, EXEC_FILTERED, NULL);
	run_end(w, 0, EXEC_SUCCESS, NULL);
	ck_assert_uint_eq(w->hooks.asked[0][GATE_ARRIVED], 1);
	ck_assert_uint_eq(w->hooks.asked[1][GATE_ARRIVED], 0);
	spin(w);
	while (commit_answer(w))
		spin(w);
	ck_assert_uint_eq(w->workers.count, 1);
	ck_assert_int_eq(w->workers.runs[0]->part, RUN_EXECUTE);
	settle_all(w);
	ck_assert_int_eq(row_status(w, 1, 1), EXEC_SUCCESS);
	ck_assert_int_eq(row_status(w, 2, 1), EXEC_FILTERED);
	world_free(w);
}
END_TEST

START_TEST(conditions_alone_are_part_of_the_run)
{
	struct world *w = world_start();
	struct hook_code *code = add_hook(w, (char *)"a", (char *)"*");

	rules_of(w, code)->match = (char *)"a = 1";
	raise_event(w, "a.b");
	spin(w);
	ck_assert_int_eq(w->workers.runs[0]->part, RUN_WHOLE);
	ck_assert_uint_eq(w->store.admits, 0);
	settle_all(w);
	world_free(w);
}
END_TEST

/* ---- retries -------------------------------------------------------------------------------- */

START_TEST(a_failed_run_is_tried_again)
{
	struct world *w = world_start();
	struct hook_code *code = add_hook(w, (char *)"a", (char *)"*");

	rules_of(w, code)->retries = 2;
	rules_of(w, code)->backoff_ns = 20 * NS_PER_MS;
	rules_of(w, code)->backoff_max_ns = HOUR_NS;
	raise_event(w, "a.b");
	spin(w);
	for (unsigned attempt = 1; attempt <= 3; attempt++) {
		int64_t end_ns;

		await_run(w);
		ck_assert_uint_eq(w->workers.runs[0]->attempt, attempt);
		end_ns = clock_steady_ns();
		run_end(w, 0, attempt == 2 ? EXEC_TIMEOUT : EXEC_FAILED, "no luck\ntraceback");
		spin(w);
		if (attempt == 3)
			break;
		admit_answer(w, 0);
		ck_assert_int_eq(row_status(w, 1, 1), EXEC_HELD);
		ck_assert_uint_eq(row_of(&w->store, 1, 1)->attempts, attempt);
		ck_assert_int_ge(row_of(&w->store, 1, 1)->due_ns,
			end_ns + (attempt == 1 ? 20 : 40) * NS_PER_MS);
		ck_assert_int_le(row_of(&w->store, 1, 1)->due_ns,
			clock_steady_ns() + (attempt == 1 ? 20 : 40) * NS_PER_MS);
		ck_assert_str_eq(row_of(&w->store, 1, 1)->why,
			attempt == 1 ? "attempt 2 of 3 in 0.0s: no luck"
				     : "attempt 3 of 3 in 0.0s: no luck");
		ck_assert_str_eq(row_of(&w->store, 1, 1)->error, "no luck\ntraceback");
		ck_assert_uint_eq(w->hooks.attempts, attempt);
		ck_assert_uint_eq(w->events.count, 0);
	}
	settle_all(w);
	ck_assert_int_eq(w->store.status[0], EVENT_FAILED);
	ck_assert_str_eq(w->store.errors[0], "hook 'a': failed: no luck");
	ck_assert_uint_eq(w->store.attempts[0][1], 3);
	ck_assert_uint_eq(w->hooks.recorded, 3);
	world_free(w);
}
END_TEST

START_TEST(a_retry_may_succeed)
{
	struct world *w = world_start();
	struct hook_code *code = add_gated(w, (char *)"a", (char *)"*");

	rules_of(w, code)->retries = 5;
	raise_event(w, "a.b");
	await_run(w);
	run_end(w, 0, EXEC_FAILED, "once");
	await_run(w);
	settle_all(w);
	ck_assert_int_eq(w->store.status[0], EVENT_COMPLETED);
	ck_assert_uint_eq(w->store.attempts[0][1], 2);
	ck_assert_uint_eq(w->hooks.asked[0][GATE_ARRIVED], 1);
	ck_assert_uint_eq(w->hooks.asked[0][GATE_DUE], 0); /* it is the same run */
	world_free(w);
}
END_TEST

START_TEST(a_drain_leaves_what_is_held)
{
	struct world *w = world_start();
	struct hook_code *code = add_hook(w, (char *)"a", (char *)"*");

	rules_of(w, code)->retries = 1;
	raise_event(w, "a.b");
	spin(w);
	dispatcher_drain(w->d, on_drained, w);
	run_end(w, 0, EXEC_INTERRUPTED, "stopped");
	spin(w);
	ck_assert(!w->is_drained);
	admit_answer(w, 0);
	spin(w);
	ck_assert(w->is_drained);
	ck_assert_int_eq(row_status(w, 1, 1), EXEC_HELD);
	ck_assert_uint_eq(w->workers.started, 1);
	world_free(w);
}
END_TEST

/* ---- another life --------------------------------------------------------------------------- */

/* A world whose store has one event, with a row of hook 1, after a crash. */
static struct world *
world_after_crash(const struct execution *row)
{
	struct world *w = world_new();

	commit(w, "a.b");
	w->store.is_crashed = true;
	w->store.opened_last = w->store.opened_pending = 1;
	if (row) {
		struct execution *copy = execution_copy(row);

		copy->seq = copy->hook_id = copy->version = 1;
		copy->hook = mem_strdup("a");
		put_row(&w->store, copy);
	}
	return w;
}

START_TEST(what_was_admitted_is_asked_again)
{
	struct world *w = world_after_crash(&(struct execution){.status = EXEC_RUNNING});

	add_gated(w, (char *)"a", (char *)"*");
	ck_assert_int_eq(dispatcher_start(w->d, NULL), 0);
	settle_all(w);
	ck_assert_uint_eq(w->hooks.asked[0][GATE_AGAIN], 1);
	ck_assert_uint_eq(w->hooks.asked[0][GATE_ARRIVED], 0);
	ck_assert_uint_eq(w->store.attempts[0][1], 2);
	world_free(w);
}
END_TEST

START_TEST(what_was_not_admitted_was_not_begun)
{
	struct world *w = world_after_crash(NULL);

	add_gated(w, (char *)"a", (char *)"*");
	ck_assert_int_eq(dispatcher_start(w->d, NULL), 0);
	settle_all(w);
	ck_assert_uint_eq(w->hooks.asked[0][GATE_ARRIVED], 1);
	ck_assert_uint_eq(w->store.attempts[0][1], 1);
	world_free(w);
}
END_TEST

START_TEST(a_retry_survives_a_crash)
{
	struct world *w = world_after_crash(&(struct execution){
		.status = EXEC_HELD, .attempts = 2, .due_ns = clock_steady_ns() + SOON_NS});

	w->hooks.rules[0].retries = 3;
	add_hook(w, (char *)"a", (char *)"*");
	ck_assert_int_eq(dispatcher_start(w->d, NULL), 0);
	spin(w);
	read_answer(w, 0);
	spin(w);
	ck_assert_uint_eq(w->workers.count, 0);
	await_run(w);
	ck_assert_uint_eq(w->workers.runs[0]->attempt, 3);
	settle_all(w);
	world_free(w);
}
END_TEST

START_TEST(what_runs_at_most_once_is_marked_before)
{
	struct world *w = world_start();

	w->hooks.rules[0].is_at_most_once = true;
	w->hooks.rules[0].retries = 3; /* a retry would be a second time */
	add_hook(w, (char *)"a", (char *)"*");
	raise_event(w, "a.b");
	spin(w);
	ck_assert_uint_eq(w->workers.count, 0);
	admit_answer(w, 0);
	ck_assert_int_eq(row_status(w, 1, 1), EXEC_RUNNING);
	ck_assert_uint_eq(row_of(&w->store, 1, 1)->attempts, 1);
	ck_assert_uint_eq(w->workers.count, 1);
	run_end(w, 0, EXEC_FAILED, "boom");
	settle_all(w);
	ck_assert_uint_eq(w->workers.started, 1);
	ck_assert_int_eq(w->store.status[0], EVENT_FAILED);
	world_free(w);
}
END_TEST

START_TEST(what_was_begun_does_not_run_twice)
{
	struct world *w =
		world_after_crash(&(struct execution){.status = EXEC_RUNNING, .attempts = 1});

	w->hooks.rules[0].is_at_most_once = true;
	add_hook(w, (char *)"a", (char *)"*");
	ck_assert_int_eq(dispatcher_start(w->d, NULL), 0);
	settle_all(w);
	ck_assert_uint_eq(w->workers.started, 0);
	ck_assert_int_eq(row_status(w, 1, 1), EXEC_INTERRUPTED);
	ck_assert_int_eq(w->store.status[0], EVENT_FAILED);
	world_free(w);
}
END_TEST

START_TEST(what_was_not_begun_runs_once)
{
	struct world *w = world_after_crash(NULL);

	w->hooks.rules[0].is_at_most_once = true;
	add_hook(w, (char *)"a", (char *)"*");
	ck_assert_int_eq(dispatcher_start(w->d, NULL), 0);
	settle_all(w);
	ck_assert_uint_eq(w->workers.started, 1);
	ck_assert_uint_eq(w->store.attempts[0][1], 1);
	world_free(w);
}
END_TEST

START_TEST(a_version_nobody_knows_is_removed)
{
	struct world *w = world_after_crash(&(struct execution){.status = EXEC_HELD, .due_ns = 1});

	w->hooks.is_forgotten = true;
	ck_assert_int_eq(dispatcher_start(w->d, NULL), 0);
	settle_all(w);
	ck_assert_int_eq(row_status(w, 1, 1), EXEC_REMOVED);
	ck_assert_int_eq(w->store.status[0], EVENT_COMPLETED);
	world_free(w);
}
END_TEST

/* ---- order and priority --------------------------------------------------------------------- */

START_TEST(events_of_one_key_run_one_after_the_other)
{
	struct world *w = world_start();

	w->workers.limit = 16;
	w->hooks.rules[0].order_by = (char *)"host";
	add_hook(w, (char *)"a", (char *)"*")->concurrency = 16;
	raise_data(w, "a.b", "{\"host\":\"x\"}");
	raise_data(w, "a.b", "{\"host\":\"y\"}");
	raise_data(w, "a.b", "{\"host\":\"x\"}");
	raise_data(w, "a.b", "{}");
	raise_data(w, "a.b", "{\"host\":\"x\"}");
	raise_data(w, "a.b", "{}");
	spin(w);
	ck_assert_uint_eq(w->workers.count, 4); /* x, y, and those without */
	ck_assert_uint_eq(w->workers.runs[0]->event->seq, 1);
	run_end(w, 0, EXEC_FAILED, "even so");
	spin(w);
	ck_assert_uint_eq(w->workers.count, 4);
	ck_assert_uint_eq(w->workers.runs[3]->event->seq, 3);
	settle_all(w);
	ck_assert_uint_eq(w->workers.seqs[5], 5);
	ck_assert_uint_eq(w->events.count, 6);
	world_free(w);
}
END_TEST

START_TEST(a_retry_keeps_its_place)
{
	struct world *w = world_start();

	w->hooks.rules[0].order_by = (char *)"host";
	w->hooks.rules[0].retries = 1;
	add_hook(w, (char *)"a", (char *)"*");
	for (int i = 0; i < 3; i++)
		raise_data(w, "a.b", "{\"host\":\"x\"}");
	spin(w);
	run_end(w, 0, EXEC_FAILED, "once");
	await_run(w);
	ck_assert_uint_eq(w->workers.count, 1);
	ck_assert_uint_eq(w->workers.runs[0]->event->seq, 1);
	settle_all(w);
	ck_assert_uint_eq(w->workers.seqs[2], 2);
	ck_assert_uint_eq(w->workers.seqs[3], 3);
	world_free(w);
}
END_TEST

START_TEST(a_dropped_event_gives_its_place_up)
{
	struct world *w = world_start();

	add_gated(w, (char *)"a", (char *)"*");
	w->hooks.rules[0].order_by = (char *)"host";
	w->hooks.gate = decide_last;
	w->hooks.due_ns = clock_steady_ns() + SOON_NS;
	raise_data(w, "a.b", "{\"host\":\"x\"}"); /* held */
	settle_all(w);
	w->hooks.gate = NULL;
	raise_data(w, "a.b", "{\"host\":\"x\"}"); /* may run, but is the second */
	settle_all(w);
	ck_assert_uint_eq(w->workers.started, 0);
	w->hooks.gate = decide_last;
	while (!w->store.finish_done)
		(void)uv_run(&w->loop, UV_RUN_ONCE);
	settle_all(w);
	ck_assert_int_eq(row_status(w, 1, 1), EXEC_THROTTLED);
	ck_assert_int_eq(row_status(w, 2, 1), EXEC_SUCCESS);
	world_free(w);
}
END_TEST

START_TEST(higher_priority_starts_first_and_starves_nobody)
{
	struct world *w = world_start();
	unsigned low = 0, first_low = 0;

	w->workers.limit = 1;
	add_hook(w, (char *)"low", (char *)"*");
	add_hook(w, (char *)"high", (char *)"*");
	w->hooks.rules[0].priority = -5;
	w->hooks.rules[1].priority = 50;
	for (int i = 0; i < 100; i++)
		raise_event(w, "a.b");
	settle_all(w);
	ck_assert_uint_eq(w->workers.started, 200);
	for (unsigned i = 0; i < 100; i++) {
		low += w->workers.order[i] == 1;
		if (w->workers.order[i] == 1 && !first_low)
			first_low = i;
	}
	ck_assert_uint_ge(low, 5);
	ck_assert_uint_le(low, 8);
	ck_assert_uint_ge(first_low, 5);
	world_free(w);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("dispatcher_hold");
	TCase *t = tcase_create("gates");

	tcase_add_test(t, an_admission_is_durable_before_the_run);
	tcase_add_test(t, a_begin_is_counted_at_once);
	tcase_add_test(t, a_hook_without_rules_needs_no_admission);
	tcase_add_test(t, a_failed_admission_is_repeated_with_its_counts);
	tcase_add_test(t, what_a_gate_drops_is_recorded_with_why);
	tcase_add_test(t, what_is_held_runs_when_it_is_due);
	tcase_add_test(t, a_newer_event_takes_the_place_of_a_held_one);
	tcase_add_test(t, what_a_removed_hook_holds_ends_at_once);
	tcase_add_test(t, conditions_come_before_the_gate);
	tcase_add_test(t, conditions_alone_are_part_of_the_run);
	suite_add_tcase(suite, t);
	t = tcase_create("retries");
	tcase_add_test(t, a_failed_run_is_tried_again);
	tcase_add_test(t, a_retry_may_succeed);
	tcase_add_test(t, a_drain_leaves_what_is_held);
	suite_add_tcase(suite, t);
	t = tcase_create("another life");
	tcase_add_test(t, what_was_admitted_is_asked_again);
	tcase_add_test(t, what_was_not_admitted_was_not_begun);
	tcase_add_test(t, a_retry_survives_a_crash);
	tcase_add_test(t, what_runs_at_most_once_is_marked_before);
	tcase_add_test(t, what_was_begun_does_not_run_twice);
	tcase_add_test(t, what_was_not_begun_runs_once);
	tcase_add_test(t, a_version_nobody_knows_is_removed);
	suite_add_tcase(suite, t);
	t = tcase_create("order");
	tcase_add_test(t, events_of_one_key_run_one_after_the_other);
	tcase_add_test(t, a_retry_keeps_its_place);
	tcase_add_test(t, a_dropped_event_gives_its_place_up);
	tcase_add_test(t, higher_priority_starts_first_and_starves_nobody);
	suite_add_tcase(suite, t);
	return suite_run(suite);
}
