/* fsd/events/dispatcher_park.c: what rests leaves memory, and comes back when it must. */
#include "tests/unit/dispatcher_random.h"

#define HOUR_NS (INT64_C(3600) * NS_PER_S)

static struct hook_code *
add_gated(struct world *w, char *label, char *types)
{
	struct hook_code *code = add_hook(w, label, types);

	w->hooks.rules[code->hook_id - 1].rate =
		(struct rule_rate){.count = 1, .burst = 1, .per_ns = NS_PER_S};
	return code;
}

static void
decide_hold(struct hooks *hooks, const struct event *ev, enum gate_moment moment,
	struct gate_decision *decision)
{
	(void)ev;
	if (moment == GATE_ARRIVED)
		*decision = (struct gate_decision){
			.verdict = GATE_HOLD, .due_ns = hooks->due_ns, .why = "rate 1/s: 1 ran"};
}

/* Each arrival takes the place of the tenth event. */
static void
decide_recall(struct hooks *hooks, const struct event *ev, enum gate_moment moment,
	struct gate_decision *decision)
{
	(void)hooks, (void)ev;
	if (moment == GATE_ARRIVED)
		decision->recall_seq = 10;
	else
		*decision = (struct gate_decision){.verdict = GATE_DROP, .status = EXEC_SKIPPED};
}

static size_t
in_memory(struct world *w)
{
	size_t count = 0;

	for (uint64_t seq = 1; seq <= w->store.count; seq++)
		count += dispatcher_find(w->d, seq) != NULL;
	return count;
}

/* A world with a buffer of 8, of which 2 may rest, and `count` events held for an hour. */
static struct world *
world_holding(size_t count)
{
	struct world *w = world_start();

	dispatcher_set_buffer(w->d, 8);
	add_gated(w, (char *)"held", (char *)"h.h");
	w->hooks.gate = decide_hold;
	w->hooks.due_ns = clock_steady_ns() + HOUR_NS;
	for (size_t i = 0; i < count; i++)
		raise_event(w, "h.h");
	settle_all(w);
	return w;
}

START_TEST(held_events_leave_memory)
{
	struct world *w = world_holding(500);
	struct dispatcher_figures figures;
	uint64_t parked;

	ck_assert_uint_le(in_memory(w), 2);
	dispatcher_figures(w->d, &figures);
	ck_assert_uint_eq(figures.held, 500);
	ck_assert_uint_eq(figures.queued, 0);
	ck_assert_uint_eq(figures.oldest_ns, 1);
	ck_assert_uint_eq(dispatcher_oldest_seq(w->d), 1);
	ck_assert(dispatcher_has_stack(w->d, ""));
	ck_assert(!dispatcher_has_stack(w->d, "prod"));
	parked = w->events.parked;
	ck_assert_uint_ge(parked, 498);
	ck_assert_int_eq(w->events.told[1], EXEC_HELD);
	settle_all(w);
	ck_assert_uint_eq(w->events.parked, parked); /* nothing goes in and out */
	world_free(w);
}
END_TEST

START_TEST(held_events_do_not_delay_another_hook)
{
	struct world *w = world_holding(500);

	add_hook(w, (char *)"other", (char *)"o.o");
	raise_event(w, "o.o");
	spin(w);
	ck_assert_uint_eq(w->workers.count, 1);
	ck_assert_uint_eq(w->store.reads, w->store.reads);
	settle_all(w);
	ck_assert_uint_eq(w->events.count, 1);
	ck_assert_uint_eq(dispatcher_oldest_seq(w->d), 1);
	world_free(w);
}
END_TEST

START_TEST(what_is_parked_comes_back_when_due)
{
	struct world *w = world_start();

	dispatcher_set_buffer(w->d, 8);
	add_gated(w, (char *)"held", (char *)"h.h");
	w->hooks.gate = decide_hold;
	w->hooks.due_ns = clock_steady_ns() + NS_PER_S;
	for (int i = 0; i < 200; i++)
		raise_event(w, "h.h");
	settle_all(w);
	ck_assert_uint_eq(w->workers.started, 0);
	while (w->events.count < 200) {
		(void)uv_run(&w->loop, UV_RUN_ONCE);
		ck_assert_uint_le(in_memory(w), 8 + 128);
		settle_all(w);
	}
	ck_assert_int_ge(clock_steady_ns(), w->hooks.due_ns);
	for (size_t i = 0; i < 200; i++) {
		ck_assert_uint_eq(w->store.recorded[i][1], 1);
		ck_assert_uint_eq(w->hooks.asked[i][GATE_DUE], 1);
		ck_assert_uint_eq(w->hooks.asked[i][GATE_ARRIVED], 1);
	}
	world_free(w);
}
END_TEST

START_TEST(a_parked_event_is_recalled)
{
	struct world *w = world_holding(20);

	ck_assert_ptr_null(dispatcher_find(w->d, 10));
	w->hooks.gate = decide_recall;
	raise_event(w, "h.h");
	settle_all(w);
	ck_assert_int_eq(w->store.results[9][1], EXEC_SKIPPED);
	ck_assert_int_eq(w->store.status[9], EVENT_COMPLETED);
	ck_assert_int_eq(w->store.status[20], EVENT_COMPLETED);
	ck_assert_int_eq(w->store.status[8], EVENT_PROCESSING);
	world_free(w);
}
END_TEST

START_TEST(an_event_stays_while_another_hook_runs)
{
	struct world *w = world_start();

	dispatcher_set_buffer(w->d, 8);
	add_gated(w, (char *)"held", (char *)"h.h");
	add_hook(w, (char *)"runs", (char *)"h.h");
	w->hooks.gate = decide_hold;
	w->hooks.due_ns = clock_steady_ns() + HOUR_NS;
	for (int i = 0; i < 4; i++)
		raise_event(w, "h.h");
	spin(w);
	while (commit_answer(w))
		spin(w);
	ck_assert_uint_eq(in_memory(w), 4);
	ck_assert_uint_eq(w->workers.count, 2);
	run_end(w, 0, EXEC_SUCCESS, NULL);
	spin(w);
	ck_assert_uint_eq(in_memory(w), 4); /* its result is not durable */
	settle_all(w);
	ck_assert_uint_le(in_memory(w), 2);
	for (size_t i = 0; i < 4; i++) {
		ck_assert_int_eq(w->store.results[i][2], EXEC_SUCCESS);
		ck_assert_int_lt(w->store.status[i], EVENT_COMPLETED);
	}
	world_free(w);
}
END_TEST

START_TEST(a_next_life_does_not_decide_anew)
{
	struct world *w = world_holding(50);

	world_restart(w, true);
	ck_assert_int_eq(dispatcher_start(w->d, NULL), 0);
	dispatcher_set_buffer(w->d, 8);
	settle_all(w);
	for (size_t i = 0; i < 50; i++) {
		ck_assert_uint_eq(w->hooks.asked[i][GATE_ARRIVED], 1);
		ck_assert_uint_eq(w->hooks.asked[i][GATE_DUE], 0);
		ck_assert_uint_eq(w->hooks.asked[i][GATE_AGAIN], 0);
		ck_assert_int_eq(row_of(&w->store, i + 1, 1)->due_ns, w->hooks.due_ns);
	}
	ck_assert_uint_le(in_memory(w), 8);
	ck_assert(dispatcher_has_stack(w->d, "prod")); /* not known of all */
	world_free(w);
}
END_TEST

START_TEST(a_failed_commit_parks_later)
{
	struct world *w = world_start();

	dispatcher_set_buffer(w->d, 4);
	add_gated(w, (char *)"held", (char *)"h.h");
	w->hooks.gate = decide_hold;
	w->hooks.due_ns = clock_steady_ns() + HOUR_NS;
	for (int i = 0; i < 3; i++)
		raise_event(w, "h.h");
	spin(w);
	ck_assert_uint_gt(w->store.parked_count, 0);
	admit_answer(w, -EIO);
	ck_assert_uint_eq(in_memory(w), 3);
	while (!w->store.admit_done)
		(void)uv_run(&w->loop, UV_RUN_ONCE);
	settle_all(w);
	ck_assert_uint_eq(in_memory(w), 1);
	ck_assert_uint_eq(w->events.parked, 2);
	world_free(w);
}
END_TEST

START_TEST(what_waits_for_its_lane_is_parked_too)
{
	struct world *w = world_start();

	dispatcher_set_buffer(w->d, 8);
	w->hooks.rules[0].order_by = (char *)"@type";
	add_hook(w, (char *)"a", (char *)"*");
	for (int i = 0; i < 300; i++)
		raise_event(w, "a.b");
	spin(w);
	for (int i = 0; i < 100; i++) {
		while (commit_answer(w))
			spin(w);
		if (w->store.read_done)
			read_answer(w, 0);
		spin(w);
	}
	ck_assert_uint_eq(w->workers.count, 1);
	ck_assert_uint_le(in_memory(w), 3);
	settle_all(w);
	ck_assert_uint_eq(w->events.count, 300);
	for (size_t i = 0; i < 300; i++)
		ck_assert_uint_eq(w->workers.seqs[i], i + 1);
	world_free(w);
}
END_TEST

/* Also when a stop or a crash comes between. */
START_TEST(conditions_of_what_waited_are_asked)
{
	struct world *w = world_start();

	dispatcher_set_buffer(w->d, 8);
	add_gated(w, (char *)"a", (char *)"*");
	w->hooks.rules[0].order_by = (char *)"@type";
	w->hooks.rules[0].has_filter = true;
	for (int i = 0; i < 300; i++)
		raise_event(w, "a.b");
	spin(w);
	for (int i = 0; i < 100; i++) {
		while (commit_answer(w))
			spin(w);
		if (w->store.read_done)
			read_answer(w, 0);
		spin(w);
	}
	ck_assert_uint_gt(w->events.parked, 200);
	if (_i > 0) {
		world_restart(w, _i == 2);
		dispatcher_set_buffer(w->d, 8);
		ck_assert_int_eq(dispatcher_start(w->d, NULL), 0);
	}
	settle_all(w);
	ck_assert_uint_eq(w->events.count, 300);
	for (size_t i = 0; i < 300; i++)
		ck_assert_uint_eq(w->hooks.asked[i][GATE_ARRIVED], 1);
	world_free(w);
}
END_TEST

/* ---- whatever the order --------------------------------------------------------------------- */

static uint64_t gate_state;

static void
decide_any(struct hooks *hooks, const struct event *ev, enum gate_moment moment,
	struct gate_decision *decision)
{
	unsigned say = pick(&gate_state, 8);

	(void)hooks;
	if (say < (moment == GATE_ARRIVED ? 5 : 1)) {
		decision->verdict = GATE_HOLD;
		decision->due_ns = clock_steady_ns() + pick(&gate_state, 3) * NS_PER_MS;
	} else if (say == 5) {
		*decision = (struct gate_decision){.verdict = GATE_DROP, .status = EXEC_THROTTLED};
	}
	if (pick(&gate_state, 4) == 0)
		decision->recall_seq = 1 + pick(&gate_state, (unsigned)ev->seq);
	if (decision->recall_seq == ev->seq)
		decision->recall_seq = 0;
}

static const char *const types[] = {"h.h", "h.h", "o.o"};

/* The hooks: one with a gate, one that keeps order and tries again, one with all of it, a plain
 * one.
 */
static void
add_hooks(struct world *w)
{
	add_gated(w, (char *)"gated", (char *)"h.h");
	add_hook(w, (char *)"ordered", (char *)"*");
	add_gated(w, (char *)"both", (char *)"h.h");
	add_hook(w, (char *)"plain", (char *)"*");
	for (size_t i = 1; i < 3; i++) {
		w->hooks.rules[i].order_by = (char *)"@type";
		w->hooks.rules[i].retries = 20;
	}
	w->hooks.rules[2].has_filter = true;
	w->hooks.gate = decide_any;
}

/* Runs of one hook that keeps order: never an event before one that was there before it. */
static void
check_order(struct world *w, uint64_t hook_id)
{
	uint64_t last[2] = {0, 0};

	for (unsigned i = 0; i < w->workers.started; i++) {
		uint64_t seq = w->workers.seqs[i];
		size_t lane = strcmp(w->store.events[seq - 1]->type, "h.h") == 0;

		if (w->workers.hooks[i] != hook_id)
			continue;
		ck_assert_uint_ge(seq, last[lane]);
		last[lane] = seq;
	}
}

/* Whatever the order of everything, over several lives: each event gets its final state once, each
 * hook its result once, and lanes keep their order. */
START_TEST(parking_loses_and_doubles_nothing)
{
	uint64_t state = (uint64_t)_i + 1;
	struct world *w = world_new();
	size_t announced = 0, total = 120, buffer = 1 + pick(&state, 24);
	struct dispatcher_figures figures;

	gate_state = state;
	add_hooks(w);
	w->store.page = 1 + pick(&state, 6);
	for (unsigned life = 0; life < 3; life++) {
		dispatcher_set_buffer(w->d, buffer);
		ck_assert_int_eq(dispatcher_start(w->d, NULL), 0);
		for (unsigned step = 0; step < 2000; step++) {
			random_step(w, &state, &announced, (life + 1) * total / 3, types);
			if (pick(&state, 2))
				(void)uv_run(&w->loop, UV_RUN_NOWAIT);
		}
		if (life == 2)
			break;
		while (announced < w->store.count)
			dispatcher_add(w->d, w->store.events[announced++]);
		world_restart(w, pick(&state, 2) == 1);
	}
	while (w->store.count < total)
		commit(w, "h.h");
	while (announced < total)
		dispatcher_add(w->d, w->store.events[announced++]);
	while (w->events.count < total) {
		settle_all(w);
		if (w->events.count < total)
			(void)uv_run(&w->loop, UV_RUN_ONCE);
	}
	for (size_t i = 0; i < total; i++) {
		bool is_h = strcmp(w->store.events[i]->type, "h.h") == 0;

		ck_assert_int_ge(w->store.status[i], EVENT_COMPLETED);
		ck_assert_uint_eq(w->store.recorded[i][1], is_h);
		ck_assert_uint_eq(w->store.recorded[i][2], 1);
		ck_assert_uint_eq(w->store.recorded[i][3], is_h);
		ck_assert_uint_eq(w->store.recorded[i][4], 1);
	}
	check_order(w, 2);
	check_order(w, 3);
	settle_all(w);
	dispatcher_figures(w->d, &figures);
	ck_assert_uint_eq(figures.queued, 0);
	ck_assert_uint_eq(figures.held, 0);
	ck_assert_uint_gt(w->events.parked, 0);
	world_free(w);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("dispatcher_park");
	TCase *t = tcase_create("parking");

	tcase_add_test(t, held_events_leave_memory);
	tcase_add_test(t, held_events_do_not_delay_another_hook);
	tcase_add_test(t, what_is_parked_comes_back_when_due);
	tcase_add_test(t, a_parked_event_is_recalled);
	tcase_add_test(t, an_event_stays_while_another_hook_runs);
	tcase_add_test(t, a_next_life_does_not_decide_anew);
	tcase_add_test(t, a_failed_commit_parks_later);
	tcase_add_test(t, what_waits_for_its_lane_is_parked_too);
	tcase_add_loop_test(t, conditions_of_what_waited_are_asked, 0, 3);
	suite_add_tcase(suite, t);
	t = tcase_create("whatever the order");
	tcase_add_loop_test(t, parking_loses_and_doubles_nothing, 0, 60);
	suite_add_tcase(suite, t);
	return suite_run(suite);
}
