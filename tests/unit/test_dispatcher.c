/* fsd/events/dispatcher*.c: matching, running, saving, stopping. */
#include "tests/unit/dispatcher_rig.h"

/* ---- matching and running ------------------------------------------------------------------- */

START_TEST(event_without_hook_completes)
{
	struct world *w = world_start();

	raise_event(w, "a.b");
	spin(w);
	ck_assert_uint_eq(w->events.count, 0);
	finish_answer(w, 0);
	ck_assert_uint_eq(w->events.count, 1);
	ck_assert_int_eq(w->store.status[0], EVENT_COMPLETED);
	ck_assert_ptr_null(w->store.errors[0]);
	world_free(w);
}
END_TEST

START_TEST(final_state_shows_only_after_the_commit)
{
	struct world *w = world_start();
	unsigned counts[16] = {0};
	struct event *ev;

	add_hook(w, (char *)"a", (char *)"*");
	raise_event(w, "a.b");
	spin(w);
	ev = dispatcher_find(w->d, 1);
	ck_assert_ptr_nonnull(ev);
	ck_assert_int_eq(ev->status, EVENT_PROCESSING);
	w->workers.runs[0]->started(w->workers.runs[0]);
	ck_assert(dispatcher_executions(w->d, 1, count_one, counts));
	ck_assert_uint_eq(counts[EXEC_RUNNING], 1);
	run_end(w, 0, EXEC_SUCCESS, NULL);
	spin(w);
	ck_assert_int_eq(ev->status, EVENT_PROCESSING);
	ck_assert_int_eq(w->store.status[0], EVENT_PENDING);
	finish_answer(w, 0);
	ck_assert_int_eq(w->store.status[0], EVENT_COMPLETED);
	ck_assert_uint_eq(w->events.executions, 1);
	ck_assert_uint_eq(w->hooks.recorded, 1);
	ck_assert_ptr_null(dispatcher_find(w->d, 1));
	world_free(w);
}
END_TEST

START_TEST(failed_hooks_are_listed_in_the_error)
{
	struct world *w = world_start();

	add_hook(w, (char *)"a", (char *)"*");
	add_hook(w, (char *)"b@prod", (char *)"*");
	add_hook(w, (char *)"c", (char *)"*");
	raise_event(w, "a.b");
	spin(w);
	ck_assert_uint_eq(w->workers.count, 3);
	run_end(w, 2, EXEC_FAILED, "boom\ntraceback");
	run_end(w, 1, EXEC_TIMEOUT, "after 5 s");
	run_end(w, 0, EXEC_SUCCESS, NULL);
	settle_all(w);
	ck_assert_int_eq(w->store.status[0], EVENT_FAILED);
	ck_assert_str_eq(
		w->store.errors[0], "hook 'b@prod': timeout: after 5 s; hook 'c': failed: boom");
	world_free(w);
}
END_TEST

START_TEST(hooks_take_turns)
{
	struct world *w = world_start();
	static const uint64_t expected[] = {1, 2, 1, 1};

	w->workers.limit = 1;
	add_hook(w, (char *)"busy", (char *)"a.b");
	add_hook(w, (char *)"rare", (char *)"c.d");
	for (int i = 0; i < 3; i++)
		raise_event(w, "a.b");
	raise_event(w, "c.d");
	spin(w);
	settle_all(w);
	for (size_t i = 0; i < 4; i++)
		ck_assert_uint_eq(w->workers.order[i], expected[i]);
	world_free(w);
}
END_TEST

START_TEST(one_hook_gets_a_quarter)
{
	struct world *w = world_start();
	struct hook_code *code = add_hook(w, (char *)"a", (char *)"*");

	for (int i = 0; i < 20; i++)
		raise_event(w, "a.b");
	spin(w);
	ck_assert_uint_eq(w->workers.count, 2);
	w->workers.limit = 16;
	dispatcher_kick(w->d);
	spin(w);
	ck_assert_uint_eq(w->workers.count, 4);
	code->concurrency = 7;
	dispatcher_kick(w->d);
	spin(w);
	ck_assert_uint_eq(w->workers.count, 7);
	settle_all(w);
	ck_assert_uint_eq(w->workers.most, 7);
	ck_assert_uint_eq(w->events.count, 20);
	world_free(w);
}
END_TEST

START_TEST(barrier_holds_what_comes_after_it)
{
	struct world *w = world_start();

	w->hooks.settled_below = 2;
	raise_event(w, "a.b");
	raise_event(w, "a.b");
	raise_event(w, "a.b");
	settle_all(w);
	ck_assert_uint_eq(w->events.count, 1);
	add_hook(w, (char *)"late", (char *)"*");
	w->hooks.settled_below = UINT64_MAX;
	w->hooks.settled(w->hooks.settled_arg);
	settle_all(w);
	ck_assert_uint_eq(w->events.count, 3);
	ck_assert_uint_eq(w->store.recorded[0][1], 0);
	ck_assert_uint_eq(w->store.recorded[1][1], 1);
	ck_assert_uint_eq(w->store.recorded[2][1], 1);
	world_free(w);
}
END_TEST

START_TEST(removed_hook_is_recorded)
{
	struct world *w = world_start();
	struct hook_code *code = add_hook(w, (char *)"a", (char *)"*");

	code->is_removed = true;
	code->source = NULL;
	raise_event(w, "a.b");
	settle_all(w);
	ck_assert_uint_eq(w->workers.started, 0);
	ck_assert_int_eq(w->store.results[0][1], EXEC_REMOVED);
	ck_assert_int_eq(w->store.status[0], EVENT_COMPLETED);
	world_free(w);
}
END_TEST

START_TEST(source_is_loaded_before_the_first_run)
{
	struct world *w = world_start();
	struct hook_code *code = add_hook(w, (char *)"a", (char *)"*");
	struct err err = {.code = EIO, .msg = "version 1 cannot be read"};
	hook_ready_fn *done;

	code->source = NULL;
	raise_event(w, "a.b");
	spin(w);
	done = TAKE(w->hooks.load_done);
	ck_assert_ptr_nonnull(done);
	ck_assert_uint_eq(w->workers.count, 0);
	done(w->hooks.load_arg, -EIO, &err);
	settle_all(w);
	ck_assert_int_eq(w->store.results[0][1], EXEC_FAILED);
	ck_assert_str_eq(w->store.errors[0], "hook 'a': failed: version 1 cannot be read");

	raise_event(w, "a.b");
	spin(w);
	code->source = (char *)"return {}";
	w->hooks.load_done(w->hooks.load_arg, 0, NULL);
	settle_all(w);
	ck_assert_int_eq(w->store.results[1][1], EXEC_SUCCESS);
	world_free(w);
}
END_TEST

START_TEST(replay_of_one_hook)
{
	struct world *w = world_start();
	struct event *ev = commit(w, "a.b");

	add_hook(w, (char *)"a", (char *)"*");
	add_hook(w, (char *)"b", (char *)"*");
	ev->replay_hook = mem_strdup("b");
	dispatcher_add(w->d, ev);
	settle_all(w);
	ck_assert_uint_eq(w->store.recorded[0][1], 0);
	ck_assert_uint_eq(w->store.recorded[0][2], 1);
	world_free(w);
}
END_TEST

/* ---- recovery ------------------------------------------------------------------------------- */

START_TEST(recovery_runs_what_has_no_result)
{
	struct world *w = world_new();
	struct execution *ex = NEW(struct execution);

	add_hook(w, (char *)"a", (char *)"*");
	add_hook(w, (char *)"b", (char *)"*");
	commit(w, "a.b");
	w->store.is_crashed = true;
	w->store.opened_last = w->store.opened_pending = 1;
	*ex = (struct execution){.seq = 1,
		.hook_id = 1,
		.status = EXEC_FAILED,
		.hook = mem_strdup("a"),
		.error = mem_strdup("before")};
	put_row(&w->store, ex);
	ck_assert_int_eq(dispatcher_start(w->d, NULL), 0);
	raise_event(w, "a.b");
	spin(w);
	settle_all(w);
	ck_assert_uint_eq(w->store.recorded[0][1], 0);
	ck_assert_uint_eq(w->store.recorded[0][2], 1);
	ck_assert_uint_eq(w->store.attempts[0][2], 2);
	ck_assert_str_eq(w->store.errors[0], "hook 'a': failed: before");
	ck_assert_uint_eq(w->store.attempts[1][1], 1);
	ck_assert_int_eq(w->store.status[1], EVENT_COMPLETED);
	world_free(w);
}
END_TEST

START_TEST(clean_stop_repeats_nothing)
{
	struct world *w = world_new();

	add_hook(w, (char *)"a", (char *)"*");
	commit(w, "a.b");
	w->store.opened_last = w->store.opened_pending = 1;
	ck_assert_int_eq(dispatcher_start(w->d, NULL), 0);
	spin(w);
	settle_all(w);
	ck_assert_uint_eq(w->store.attempts[0][1], 1);
	world_free(w);
}
END_TEST

/* ---- saving and stopping -------------------------------------------------------------------- */

/* A hundred runs, ended at once. */
static void
end_together(struct world *w, size_t hooks)
{
	static const char *const names[] = {"a", "b"};

	w->workers.limit = 400;
	for (size_t i = 0; i < hooks; i++)
		add_hook(w, (char *)names[i], (char *)"*");
	for (size_t i = 0; i < 100 / hooks; i++)
		raise_event(w, "a.b");
	spin(w);
	ck_assert_uint_eq(w->workers.count, 100);
	settle_all(w);
	ck_assert_uint_eq(w->events.count, 100 / hooks);
}

START_TEST(results_are_committed_together)
{
	struct world *w = world_start();

	end_together(w, 1);
	ck_assert_uint_eq(w->store.finishes, 1);
	world_free(w);
}
END_TEST

START_TEST(a_commit_of_results_is_bounded)
{
	struct world *w = world_start();

	w->store.job_events = 10;
	end_together(w, 2);
	ck_assert_uint_eq(w->store.finishes, 5);
	world_free(w);
}
END_TEST

START_TEST(failed_commit_is_repeated)
{
	struct world *w = world_start();

	add_hook(w, (char *)"a", (char *)"*");
	raise_event(w, "a.b");
	spin(w);
	run_end(w, 0, EXEC_SUCCESS, NULL);
	spin(w);
	finish_answer(w, -EIO);
	ck_assert_ptr_nonnull(dispatcher_find(w->d, 1));
	while (!w->store.finish_done)
		(void)uv_run(&w->loop, UV_RUN_ONCE);
	finish_answer(w, 0);
	ck_assert_uint_eq(w->store.recorded[0][1], 1);
	ck_assert_uint_eq(w->events.count, 1);
	world_free(w);
}
END_TEST

START_TEST(drain_ends_what_runs_and_starts_nothing)
{
	struct world *w = world_start();

	add_hook(w, (char *)"a", (char *)"*");
	for (int i = 0; i < 5; i++)
		raise_event(w, "a.b");
	spin(w);
	ck_assert_uint_eq(w->workers.count, 2);
	dispatcher_drain(w->d, on_drained, w);
	run_end(w, 0, EXEC_SUCCESS, NULL);
	spin(w);
	ck_assert_uint_eq(w->workers.count, 1);
	finish_answer(w, 0);
	run_end(w, 0, EXEC_INTERRUPTED, "stopped");
	spin(w);
	ck_assert(!w->is_drained);
	finish_answer(w, 0);
	spin(w);
	ck_assert(w->is_drained);
	ck_assert_uint_eq(w->events.count, 2);
	ck_assert_uint_eq(w->workers.started, 2);
	world_free(w);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("dispatcher");
	TCase *t = tcase_create("running");

	tcase_add_test(t, event_without_hook_completes);
	tcase_add_test(t, final_state_shows_only_after_the_commit);
	tcase_add_test(t, failed_hooks_are_listed_in_the_error);
	tcase_add_test(t, hooks_take_turns);
	tcase_add_test(t, one_hook_gets_a_quarter);
	tcase_add_test(t, barrier_holds_what_comes_after_it);
	tcase_add_test(t, removed_hook_is_recorded);
	tcase_add_test(t, source_is_loaded_before_the_first_run);
	tcase_add_test(t, replay_of_one_hook);
	suite_add_tcase(suite, t);
	t = tcase_create("store");
	tcase_add_test(t, recovery_runs_what_has_no_result);
	tcase_add_test(t, clean_stop_repeats_nothing);
	tcase_add_test(t, results_are_committed_together);
	tcase_add_test(t, a_commit_of_results_is_bounded);
	tcase_add_test(t, failed_commit_is_repeated);
	tcase_add_test(t, drain_ends_what_runs_and_starts_nothing);
	suite_add_tcase(suite, t);
	return suite_run(suite);
}
