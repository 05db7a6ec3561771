/* fsd/events/dispatcher_overtake.c: one hook's backlog delays no other. */
#include "tests/unit/dispatcher_random.h"

#define BUFFER 16 /* events; four may overtake, for hooks of which fewer than four jobs wait */

/* Started, with more events for a hook than the buffer holds; two of them run, none ends. */
static struct world *
world_with_backlog(void)
{
	struct world *w = world_start();

	w->workers.limit = 8;
	dispatcher_set_buffer(w->d, BUFFER);
	add_hook(w, (char *)"slow", (char *)"s.s");
	for (int i = 0; i < 3 * BUFFER; i++)
		raise_event(w, "s.s");
	spin(w);
	ck_assert_uint_eq(w->workers.count, 2);
	return w;
}

/* The seq of the run that began last. */
static uint64_t
last_started(const struct world *w)
{
	return w->workers.seqs[w->workers.started - 1];
}

START_TEST(what_is_for_another_hook_runs_at_once)
{
	struct world *w = world_with_backlog();
	struct event *ev;

	add_hook(w, (char *)"quick", (char *)"q.q");
	ev = raise_event(w, "q.q");
	spin(w);
	ck_assert_uint_eq(w->workers.count, 3);
	ck_assert_uint_eq(last_started(w), ev->seq);
	settle_all(w);
	ck_assert_uint_eq(w->events.count, w->store.count);
	ck_assert_uint_eq(w->store.recorded[ev->seq - 1][2], 1);
	world_free(w);
}
END_TEST

START_TEST(what_the_slow_hook_hears_too_keeps_its_place)
{
	struct world *w = world_with_backlog();
	struct event *ev;

	add_hook(w, (char *)"all", (char *)"*");
	ev = raise_event(w, "s.s");
	spin(w);
	ck_assert_uint_eq(w->workers.count, 2);
	ck_assert_ptr_null(dispatcher_find(w->d, ev->seq));
	settle_all(w);
	ck_assert_uint_eq(w->events.count, w->store.count);
	world_free(w);
}
END_TEST

START_TEST(what_nobody_hears_is_over_at_once)
{
	struct world *w = world_with_backlog();
	struct event *ev = raise_event(w, "n.n");

	spin(w);
	ck_assert(commit_answer(w));
	ck_assert_int_eq(w->store.status[ev->seq - 1], EVENT_COMPLETED);
	settle_all(w);
	world_free(w);
}
END_TEST

START_TEST(those_that_overtake_are_few)
{
	struct world *w = world_with_backlog();
	unsigned held = 0;

	add_hook(w, (char *)"quick", (char *)"q.q");
	for (int i = 0; i < 20; i++)
		raise_event(w, "q.q");
	for (uint64_t seq = w->store.count - 19; seq <= w->store.count; seq++)
		held += dispatcher_find(w->d, seq) != NULL;
	ck_assert_uint_eq(held, BUFFER / 4);
	settle_all(w);
	ck_assert_uint_eq(w->events.count, w->store.count);
	world_free(w);
}
END_TEST

/* ---- whatever the order --------------------------------------------------------------------- */

static const char *const types[] = {"s.s", "q.q", "g.g"};
static uint64_t last_judged;

/* Holds some for a moment, and hears of its events in their order. */
static void
decide_in_order(struct hooks *hooks, const struct event *ev, enum gate_moment moment,
	struct gate_decision *decision)
{
	(void)hooks;
	if (moment != GATE_ARRIVED)
		return;
	ck_assert_uint_gt(ev->seq, last_judged);
	last_judged = ev->seq;
	if (ev->seq % 3)
		return;
	decision->verdict = GATE_HOLD;
	decision->due_ns = clock_steady_ns() + NS_PER_MS / 2;
}

/* End one run, as a rule not one of the slow hook. */
static void
end_quick(struct world *w, uint64_t *state)
{
	size_t at = w->workers.count ? pick(state, (unsigned)w->workers.count) : 0;

	if (w->workers.count && (w->workers.runs[at]->code->hook_id != 1 || pick(state, 8) == 0))
		run_end(w, at, EXEC_SUCCESS, NULL);
}

/* Whatever the order of everything, over two lives: each event gets its final state once, each hook
 * its result once, and a gate its events in order. */
START_TEST(overtaking_loses_and_doubles_nothing)
{
	uint64_t state = (uint64_t)_i + 1;
	struct world *w = world_new();
	size_t announced = 0, total = 160, buffer = 4 + pick(&state, 24);
	struct dispatcher_figures figures;

	add_hook(w, (char *)"slow", (char *)"s.s");
	add_hook(w, (char *)"quick", (char *)"q.q");
	add_hook(w, (char *)"gated", (char *)"g.g");
	w->hooks.rules[2].once_after_ns = NS_PER_MS;
	w->hooks.gate = decide_in_order;
	w->store.page = 1 + pick(&state, 6);
	last_judged = 0;
	for (unsigned life = 0; life < 2; life++) {
		dispatcher_set_buffer(w->d, buffer);
		ck_assert_int_eq(dispatcher_start(w->d, NULL), 0);
		for (unsigned step = 0; step < 2000; step++) {
			random_step(w, &state, &announced, (life + 1) * total / 2, types);
			end_quick(w, &state);
			if (pick(&state, 2))
				(void)uv_run(&w->loop, UV_RUN_NOWAIT);
		}
		while (announced < w->store.count)
			dispatcher_add(w->d, w->store.events[announced++]);
		if (life == 0)
			world_restart(w, pick(&state, 2) == 1);
		last_judged = 0; /* what was not judged whole is judged again */
	}
	while (w->events.count < w->store.count) {
		settle_all(w);
		if (w->events.count < w->store.count)
			(void)uv_run(&w->loop, UV_RUN_ONCE);
	}
	for (size_t i = 0; i < w->store.count; i++) {
		ck_assert_int_eq(w->store.status[i], EVENT_COMPLETED);
		for (unsigned hook = 1; hook <= 3; hook++)
			ck_assert_uint_eq(w->store.recorded[i][hook],
				strcmp(w->store.events[i]->type, types[hook - 1]) == 0);
	}
	settle_all(w);
	dispatcher_figures(w->d, &figures);
	ck_assert_uint_eq(figures.queued, 0);
	ck_assert_uint_eq(figures.held, 0);
	world_free(w);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("dispatcher_overtake");
	TCase *t = tcase_create("overtaking");

	tcase_add_test(t, what_is_for_another_hook_runs_at_once);
	tcase_add_test(t, what_the_slow_hook_hears_too_keeps_its_place);
	tcase_add_test(t, what_nobody_hears_is_over_at_once);
	tcase_add_test(t, those_that_overtake_are_few);
	suite_add_tcase(suite, t);
	t = tcase_create("whatever the order");
	tcase_add_loop_test(t, overtaking_loses_and_doubles_nothing, 0, 100);
	suite_add_tcase(suite, t);
	return suite_run(suite);
}
