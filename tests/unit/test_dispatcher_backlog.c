/* fsd/events/dispatcher_backlog.c: which unfinished events are in memory. */
#include "tests/unit/dispatcher_random.h"

/* ---- the hand-over between memory and store ------------------------------------------------- */

START_TEST(event_in_the_page_and_announced_later)
{
	struct world *w = world_new();
	struct event *second;

	ck_assert_int_eq(dispatcher_start(w->d, NULL), 0);
	spin(w);
	raise_event(w, "a.b");
	second = commit(w, "a.b"); /* the read sees it, its announcement is on its way */
	read_answer(w, 0);
	dispatcher_add(w->d, second);
	settle_all(w);
	ck_assert_uint_eq(w->events.count, 2);
	ck_assert_uint_eq(w->store.reads, 1);
	world_free(w);
}
END_TEST

START_TEST(event_announced_after_the_page_was_made)
{
	struct world *w = world_new();

	ck_assert_int_eq(dispatcher_start(w->d, NULL), 0);
	spin(w);
	commit(w, "a.b");
	read_make(w);
	dispatcher_add(w->d, w->store.events[0]);
	raise_event(w, "a.b");
	read_answer(w, 0);
	settle_all(w);
	ck_assert_uint_eq(w->events.count, 2);
	ck_assert_uint_eq(w->store.reads, 1);
	world_free(w);
}
END_TEST

START_TEST(failed_read_is_repeated)
{
	struct world *w = world_new();

	ck_assert_int_eq(dispatcher_start(w->d, NULL), 0);
	spin(w);
	raise_event(w, "a.b");
	read_answer(w, -EIO);
	raise_event(w, "a.b");
	while (!w->store.read_done)
		(void)uv_run(&w->loop, UV_RUN_ONCE);
	settle_all(w);
	ck_assert_uint_eq(w->events.count, 2);
	world_free(w);
}
END_TEST

START_TEST(what_comes_during_a_read_is_bounded_too)
{
	struct world *w = world_new();

	add_hook(w, (char *)"a", (char *)"*");
	dispatcher_set_buffer(w->d, 4);
	ck_assert_int_eq(dispatcher_start(w->d, NULL), 0);
	spin(w);
	read_make(w);
	for (int i = 0; i < 20; i++)
		raise_event(w, "a.b");
	read_answer(w, 0);
	spin(w);
	ck_assert_ptr_null(dispatcher_find(w->d, 5));
	settle_all(w);
	ck_assert_uint_eq(w->events.count, 20);
	world_free(w);
}
END_TEST

static const char *const types[] = {"a.b", "a.b", "a.b"};

static void
check_bounds(struct world *w, size_t buffer)
{
	size_t held = 0;

	for (uint64_t seq = 1; seq <= w->store.count; seq++)
		held += dispatcher_find(w->d, seq) != NULL;
	ck_assert_uint_le(held, buffer + buffer / 4);
}

/* Whatever the order of commits, announcements, reads and results: each event gets its final state
 * once, and memory stays bounded.  finish_answer fails on a second final state. */
START_TEST(hand_over_loses_and_doubles_nothing)
{
	uint64_t state = (uint64_t)_i + 1;
	struct world *w = world_new();
	size_t announced = 0, total = 150, buffer = 1 + pick(&state, 12);
	struct dispatcher_figures figures;

	add_hook(w, (char *)"a", (char *)"*");
	dispatcher_set_buffer(w->d, buffer);
	w->store.page = 1 + pick(&state, 6);
	ck_assert_int_eq(dispatcher_start(w->d, NULL), 0);
	for (unsigned step = 0; step < 3000; step++) {
		random_step(w, &state, &announced, total, types);
		if (pick(&state, 2))
			(void)uv_run(&w->loop, UV_RUN_NOWAIT);
		check_bounds(w, buffer);
	}
	while (w->store.count < total)
		commit(w, "a.b");
	while (announced < total)
		dispatcher_add(w->d, w->store.events[announced++]);
	settle_all(w);
	ck_assert_uint_eq(w->events.count, total);
	for (size_t i = 0; i < total; i++) {
		ck_assert_int_eq(w->store.status[i], EVENT_COMPLETED);
		ck_assert_uint_eq(w->store.recorded[i][1], 1);
	}
	dispatcher_figures(w->d, &figures);
	ck_assert_uint_eq(figures.queued, 0);
	ck_assert_uint_eq(figures.finished, total);
	raise_event(w, "a.b"); /* caught up: needs no read */
	total = w->store.reads;
	settle_all(w);
	ck_assert_uint_eq(w->store.reads, total);
	world_free(w);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("dispatcher_backlog");
	TCase *t = tcase_create("hand-over");

	tcase_add_test(t, event_in_the_page_and_announced_later);
	tcase_add_test(t, event_announced_after_the_page_was_made);
	tcase_add_test(t, failed_read_is_repeated);
	tcase_add_test(t, what_comes_during_a_read_is_bounded_too);
	tcase_add_loop_test(t, hand_over_loses_and_doubles_nothing, 0, 100);
	suite_add_tcase(suite, t);
	return suite_run(suite);
}
