/* Which versions match an event, and which events wait for registrations. */
#include "tests/unit/hooks_fixture.h"
#include "tests/unit/suite.h"

static struct hooks_fixture f;

static void
setup(void)
{
	f = (struct hooks_fixture){0};
	fixture_open(&f);
}

static void
teardown(void)
{
	fixture_close(&f);
}

static void
serve(const char *name, const char *meta)
{
	AUTO(free) char *path = mem_printf("hooks/%s.lua", name);

	fixture_save(&f, path, meta);
	fixture_await(&f, name, "ok");
}

START_TEST(test_patterns)
{
	static const struct {
		const char *pattern, *type;
		bool is_match;
	} cases[] = {
		{"task.failed", "task.failed", true},
		{"task.failed", "task.failed.late", false},
		{"task.*", "task.failed", true},
		{"task.*", "task.failed.late", true},
		{"task.*", "tasks.failed", false},
		{"task.*", "task", false},
		{"*", "task", true},
		{"*", "a.b.c", true},
		{"*.failed", "task.failed", true},
		{"*.failed", "task.done", false},
		{"ta*", "task.failed", true},
		{"a.*.c", "a.b.c", true},
		{"a.*.c", "a.b.d", false},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(free) char *name = mem_printf("h%zu", i);
		AUTO(free) char *meta = mem_printf("{\"event_type\":\"%s\"}", cases[i].pattern);
		AUTO(free) char *path = mem_printf("hooks/%s.lua", name);
		AUTO(free) char *label = mem_printf("%s:1", name);

		serve(name, meta);
		assert_match(&f, 1, cases[i].type, "", cases[i].is_match ? label : "");
		fixture_remove(&f, path);
		while (fixture_hook(&f, name)->current)
			uv_run(&f.loop, UV_RUN_ONCE);
		f.oldest_seq = ++f.next_seq;
		release_drop_all(fixture_hook(&f, name));
		f.next_seq = 1;
	}
}
END_TEST

START_TEST(test_hook_is_found_once)
{
	serve("a", "{\"event_types\":[\"task.failed\",\"task.*\",\"*\",\"*.failed\"]}");
	assert_match(&f, 1, "task.failed", "", "a:1");
}
END_TEST

START_TEST(test_wall)
{
	struct err err = {0};
	AUTO(free) char *dir = mem_printf("%s/stacks", f.dir);
	AUTO(free) char *stack = mem_printf("%s/prod", dir);

	ck_assert_int_eq(mkdir(dir, 0700), 0);
	ck_assert_int_eq(mkdir(stack, 0700), 0);
	ck_assert_msg(hooks_add_stack(f.hooks, "prod", &err) == 0, "%s", err.msg);
	fixture_save(&f, "stacks/prod/hooks/a.lua", "{\"event_type\":\"t\"}");
	serve("walled", "{\"event_type\":\"u\",\"stack\":\"prod\"}");
	serve("root", "{\"event_type\":\"v\"}");
	while (!hook_find(hook_dir_find(f.hooks, "prod"), "a") ||
		!hook_find(hook_dir_find(f.hooks, "prod"), "a")->current)
		uv_run(&f.loop, UV_RUN_ONCE);

	assert_match(&f, 1, "t", "prod", "a@prod:1");
	assert_match(&f, 1, "t", "", "");
	assert_match(&f, 1, "t", "test", "");
	assert_match(&f, 1, "u", "prod", "walled:1");
	assert_match(&f, 1, "u", "", "");
	assert_match(&f, 1, "v", "prod", "root:1");
	assert_match(&f, 1, "v", "", "root:1");

	ck_assert_int_eq(hooks_remove_stack(f.hooks, "prod", &err), -ENOTEMPTY);
	fixture_remove(&f, "stacks/prod/hooks/a.lua");
	ck_assert_msg(hooks_remove_stack(f.hooks, "prod", &err) == 0, "%s", err.msg);
	assert_match(&f, 1, "t", "prod", "");
	ck_assert_int_eq(hooks_remove_stack(f.hooks, "prod", &err), -ENOENT);
}
END_TEST

START_TEST(test_lib_dirs_stay_behind_the_wall)
{
	AUTO(free) char *own = mem_printf("%s/lib", f.dir);
	AUTO(free) char *walled = mem_printf("%s/stacks/prod/lib\n%s", f.dir, own);

	serve("a", "{\"event_type\":\"t\"}");
	serve("b", "{\"event_type\":\"t\",\"stack\":\"prod\"}");
	ck_assert_str_eq(fixture_hook(&f, "a")->current->code.lib_dirs, own);
	ck_assert_str_eq(fixture_hook(&f, "b")->current->code.lib_dirs, walled);
	ck_assert_str_eq(fixture_hook(&f, "b")->current->code.stack, "prod");
}
END_TEST

START_TEST(test_events_wait_for_a_registration)
{
	serve("old", "{\"event_type\":\"t\"}");
	f.next_seq = 5;
	f.is_holding = true;
	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"t\"}");
	while (f.held_count == 0)
		uv_run(&f.loop, UV_RUN_ONCE);
	ck_assert(hooks_are_settled(f.hooks, 4));
	ck_assert(!hooks_are_settled(f.hooks, 5));
	f.next_seq = 8; /* accepted meanwhile: they wait, and it is theirs */
	fixture_release(&f);
	ck_assert(hooks_are_settled(f.hooks, 8));
	assert_match(&f, 4, "t", "", "old:1");
	assert_match(&f, 5, "t", "", "a:1 old:1");
}
END_TEST

START_TEST(test_events_wait_two_seconds_at_most)
{
	uint64_t begun;

	f.hooks->settle_ms = HOOK_SETTLE_MS;
	f.next_seq = 5;
	f.is_holding = true;
	uv_update_time(&f.loop);
	begun = uv_now(&f.loop);
	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"t\"}");
	while (f.held_count == 0)
		uv_run(&f.loop, UV_RUN_ONCE);
	while (!hooks_are_settled(f.hooks, 5))
		uv_run(&f.loop, UV_RUN_ONCE);
	ck_assert_uint_ge(uv_now(&f.loop) - begun, 2000);
	ck_assert_uint_le(uv_now(&f.loop) - begun, 20000);
	ck_assert_uint_ge(f.settles, 1);
	f.next_seq = 8;
	fixture_release(&f); /* it begins where events are now, for those before were matched */
	assert_match(&f, 7, "t", "", "");
	assert_match(&f, 8, "t", "", "a:1");
}
END_TEST

START_TEST(test_change_during_a_check_starts_over)
{
	f.is_holding = true;
	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"t\"}");
	while (f.held_count == 0)
		uv_run(&f.loop, UV_RUN_ONCE);
	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"u\"}");
	while (!fixture_hook(&f, "a")->is_stale)
		uv_run(&f.loop, UV_RUN_ONCE);
	fixture_release(&f);
	ck_assert(!hooks_are_settled(f.hooks, f.next_seq));
	fixture_await(&f, "a", "ok");
	assert_match(&f, 1, "t", "", "");
	assert_match(&f, 1, "u", "", "a:1");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("match");
	TCase *tc = tcase_create("match");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, test_patterns);
	tcase_add_test(tc, test_hook_is_found_once);
	tcase_add_test(tc, test_wall);
	tcase_add_test(tc, test_lib_dirs_stay_behind_the_wall);
	tcase_add_test(tc, test_events_wait_for_a_registration);
	tcase_add_test(tc, test_events_wait_two_seconds_at_most);
	tcase_add_test(tc, test_change_during_a_check_starts_over);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
