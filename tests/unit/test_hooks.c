/* The registry: from files to versions in service, across edits, removals and restarts. */
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

START_TEST(test_saved_file_is_served)
{
	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"task.failed\"}");
	fixture_await(&f, "a", "ok");
	assert_match(&f, 1, "task.failed", "", "a:1");
	assert_match(&f, 1, "task.started", "", "");
	ck_assert_str_eq(f.reports, "");
}
END_TEST

START_TEST(test_other_files_are_inert)
{
	static const char *const names[] = {"4913", ".a.lua", "a.lua~", "#a.lua#", "a.lua.swp",
		"-a.lua", "sedAbCdEf", "notes.txt", ".lua"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		AUTO(free) char *path = mem_printf("hooks/%s", names[i]);

		fixture_save(&f, path, "{\"event_type\":\"*\"}");
	}
	fixture_save(&f, "hooks/last.lua", "{\"event_type\":\"*\"}");
	fixture_await(&f, "last", "ok");
	assert_match(&f, 1, "x", "", "last:1");
}
END_TEST

START_TEST(test_broken_edit_keeps_last_good_version)
{
	AUTO(sbuf) struct sbuf status = {0};

	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"t\"}");
	fixture_await(&f, "a", "ok");
	f.next_seq = 5;
	fixture_save(&f, "hooks/a.lua", "oops");
	fixture_await(&f, "a", "broken");
	hook_status_show(fixture_hook(&f, "a"), &status);
	ck_assert_str_eq(sbuf_str(&status),
		"broken: hooks/x.lua:1: unexpected symbol (version 1 still in service)");
	ck_assert_str_eq(f.reports, "/hooks/a.lua: hooks/x.lua:1: unexpected symbol\n");
	assert_match(&f, 5, "t", "", "a:1");

	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"t\",\"timeout\":5}");
	fixture_await(&f, "a", "ok");
	assert_match(&f, 4, "t", "", "a:1");
	assert_match(&f, 5, "t", "", "a:2");
}
END_TEST

START_TEST(test_same_content_is_no_version)
{
	const char *text = "{\"event_type\":\"t\"}";
	unsigned settles;

	fixture_save(&f, "hooks/a.lua", text);
	fixture_await(&f, "a", "ok");
	settles = f.settles;
	fixture_save(&f, "hooks/a.lua", text);
	while (f.settles == settles)
		uv_run(&f.loop, UV_RUN_ONCE);
	fixture_await(&f, "a", "ok");
	ck_assert_uint_eq(fixture_hook(&f, "a")->version, 1);
	ck_assert_uint_eq(f.checks, 1);
}
END_TEST

START_TEST(test_matching_is_by_version_at_acceptance)
{
	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"t\"}");
	fixture_await(&f, "a", "ok");
	f.next_seq = 10;
	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"u\"}");
	while (fixture_hook(&f, "a")->version < 2)
		uv_run(&f.loop, UV_RUN_ONCE);
	assert_match(&f, 9, "t", "", "a:1");
	assert_match(&f, 10, "t", "", "");
	assert_match(&f, 9, "u", "", "");
	assert_match(&f, 10, "u", "", "a:2");

	f.oldest_seq = f.next_seq = 20; /* nothing before 20 is unfinished: version 1 may go */
	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"v\"}");
	while (fixture_hook(&f, "a")->version < 3)
		uv_run(&f.loop, UV_RUN_ONCE);
	ck_assert_ptr_null(hooks_find_code(f.hooks, fixture_hook(&f, "a")->id, 1));
	ck_assert_ptr_nonnull(hooks_find_code(f.hooks, fixture_hook(&f, "a")->id, 3));
}
END_TEST

START_TEST(test_removed_file_ends_the_hook)
{
	struct hook *hook;

	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"t\"}");
	fixture_await(&f, "a", "ok");
	hook = fixture_hook(&f, "a");
	f.next_seq = 7;
	fixture_remove(&f, "hooks/a.lua");
	while (hook->has_file)
		uv_run(&f.loop, UV_RUN_ONCE);
	ck_assert(!hook->is_leaving || !hooks_are_settled(f.hooks, 7)); /* it may come back */
	f.next_seq = 9;
	while (!hooks_are_settled(f.hooks, 7))
		uv_run(&f.loop, UV_RUN_ONCE);
	ck_assert_ptr_null(hook->current);
	assert_match(&f, 6, "t", "", "a:1");
	assert_match(&f, 7, "t", "", "");
	ck_assert(hooks_find_code(f.hooks, hook->id, 1)->is_removed);
	ck_assert_uint_eq(hooks_id(f.hooks, "a"), hook->id);
}
END_TEST

START_TEST(test_removed_and_back_is_an_update)
{
	struct hook *hook;
	uint64_t id;

	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"t\"}");
	fixture_await(&f, "a", "ok");
	hook = fixture_hook(&f, "a");
	id = hook->id;
	hook->runs = 3;
	fixture_rename(&f, "hooks/a.lua", "hooks/a.lua~");
	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"u\"}");
	while (hook->version < 2)
		uv_run(&f.loop, UV_RUN_ONCE);
	fixture_await(&f, "a", "ok");
	ck_assert_uint_eq(hook->id, id);
	ck_assert_uint_eq(hook->runs, 3);
	assert_match(&f, f.next_seq, "u", "", "a:2");
}
END_TEST

START_TEST(test_rename_keeps_identity)
{
	uint64_t id;

	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"t\"}");
	fixture_await(&f, "a", "ok");
	id = fixture_hook(&f, "a")->id;
	f.next_seq = 9;
	fixture_rename(&f, "hooks/a.lua", "hooks/b.lua");
	fixture_await(&f, "b", "ok");
	ck_assert_uint_eq(fixture_hook(&f, "b")->id, id);
	ck_assert_ptr_null(hook_find(hook_dir_find(f.hooks, ""), "a"));
	assert_match(&f, 9, "t", "", "b:2");
	ck_assert_str_eq(hooks_find_code(f.hooks, id, 2)->path, "hooks/b.lua");
}
END_TEST

START_TEST(test_restart_needs_no_worker_for_what_did_not_change)
{
	uint64_t id;

	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"t\",\"timeout\":5}");
	fixture_save(&f, "hooks/b.lua", "{\"event_type\":\"t\"}");
	fixture_save(&f, "hooks/c.lua", "{\"event_type\":\"t\"}");
	fixture_await(&f, "a", "ok");
	fixture_await(&f, "b", "ok");
	fixture_await(&f, "c", "ok");
	id = fixture_hook(&f, "a")->id;
	fixture_stop(&f);
	fixture_save(&f, "hooks/b.lua", "{\"event_type\":\"u\"}");
	fixture_remove(&f, "hooks/c.lua");
	f.next_seq = 4;
	fixture_start(&f);
	hooks_start(f.hooks);

	ck_assert(hooks_are_settled(f.hooks, 3));
	ck_assert(!hooks_are_settled(f.hooks, 4)); /* until the files were looked at */
	ck_assert_ptr_null(fixture_hook(&f, "c")->current);
	fixture_await(&f, "a", "ok");
	fixture_await(&f, "b", "ok");
	ck_assert_uint_eq(f.checks, 1);
	ck_assert_uint_eq(fixture_hook(&f, "a")->id, id);
	ck_assert_uint_eq(fixture_hook(&f, "a")->current->code.timeout_ms, 5000);
	assert_match(&f, 4, "t", "", "a:1");
	assert_match(&f, 4, "u", "", "b:2");
	assert_match(&f, 3, "u", "", "");
}
END_TEST

START_TEST(test_what_got_its_worker_killed_runs_alone_until_it_is_edited)
{
	struct hook_code *code;
	AUTO(sbuf) struct sbuf status = {0};

	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"t\"}");
	fixture_await(&f, "a", "ok");
	code = &fixture_hook(&f, "a")->current->code;
	code->is_alone = true; /* as workers do */
	hooks_note_alone(f.hooks, code);
	fixture_stop(&f);
	fixture_start(&f);
	hooks_start(f.hooks);
	fixture_await(&f, "a", "ok");
	ck_assert(fixture_hook(&f, "a")->current->code.is_alone);
	hook_status_show(fixture_hook(&f, "a"), &status);
	ck_assert_ptr_nonnull(strstr(sbuf_str(&status), "runs alone until edited"));
	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"u\"}");
	while (fixture_hook(&f, "a")->version == 1)
		uv_run(&f.loop, UV_RUN_ONCE);
	ck_assert(!fixture_hook(&f, "a")->current->code.is_alone);
}
END_TEST

static void
on_put(void *arg, int code, const struct err *err)
{
	(void)err;
	*(int *)arg = code;
}

START_TEST(test_a_version_that_cannot_be_read_is_loaded_anew)
{
	int code = 1;

	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"t\"}");
	fixture_save(&f, "hooks/b.lua", "{\"event_type\":\"t\"}");
	fixture_await(&f, "a", "ok");
	fixture_await(&f, "b", "ok");
	store_put_meta(f.store, fixture_hook(&f, "a")->id, 1, "{\"rules\":7}", on_put, &code);
	while (code == 1)
		uv_run(&f.loop, UV_RUN_ONCE);
	ck_assert_int_eq(code, 0);
	fixture_stop(&f);
	fixture_start(&f);
	hooks_start(f.hooks);
	fixture_await(&f, "a", "ok");
	fixture_await(&f, "b", "ok");
	ck_assert_uint_eq(fixture_hook(&f, "a")->current->code.version, 2);
	ck_assert_uint_eq(fixture_hook(&f, "b")->current->code.version, 1);
}
END_TEST

START_TEST(test_logs_of_forgotten_hooks_go_at_start)
{
	static const struct {
		const char *file;
		bool stays;
	} logs[] = {
		{"a.jsonl", true},
		{"a.jsonl.1", true},
		{"a.jsonl.b.jsonl", false},
		{"ghost.jsonl", false},
		{"ghost.jsonl.1", false},
		{"a@prod.jsonl", false}, /* there is no such stack */
		{"notes.txt", true},
	};
	char path[PATH_MAX];

	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"t\"}");
	fixture_await(&f, "a", "ok");
	fixture_stop(&f);
	for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
		(void)snprintf(path, sizeof(path), "hooks.log/%s", logs[i].file);
		fixture_save(&f, path, "{}\n");
	}
	fixture_start(&f);
	for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/hooks.log/%s", f.dir, logs[i].file);
		ck_assert_msg((access(path, F_OK) == 0) == logs[i].stays, "%s", logs[i].file);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("hooks");
	TCase *tc = tcase_create("registry");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_saved_file_is_served);
	tcase_add_test(tc, test_other_files_are_inert);
	tcase_add_test(tc, test_broken_edit_keeps_last_good_version);
	tcase_add_test(tc, test_same_content_is_no_version);
	tcase_add_test(tc, test_matching_is_by_version_at_acceptance);
	tcase_add_test(tc, test_removed_file_ends_the_hook);
	tcase_add_test(tc, test_removed_and_back_is_an_update);
	tcase_add_test(tc, test_rename_keeps_identity);
	tcase_add_test(tc, test_logs_of_forgotten_hooks_go_at_start);
	tcase_add_test(tc, test_restart_needs_no_worker_for_what_did_not_change);
	tcase_add_test(tc, test_what_got_its_worker_killed_runs_alone_until_it_is_edited);
	tcase_add_test(tc, test_a_version_that_cannot_be_read_is_loaded_anew);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
