/* What hooks say about an event: by the versions of its time. */
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

/* Save the script of hook a, in service from seq on. */
static void
save(uint64_t seq, const char *text)
{
	uint32_t version = seq == 1 ? 0 : fixture_hook(&f, "a")->version;

	f.next_seq = seq;
	fixture_save(&f, "hooks/a.lua", text);
	fixture_await(&f, "a", "");
	while (fixture_hook(&f, "a")->version == version)
		uv_run(&f.loop, UV_RUN_ONCE);
}

static void
note(void *arg, const struct hook_stance *stance)
{
	sbuf_printf(arg, "%s %s %u: %s\n", stance->label, hook_stance_name(stance->kind),
		stance->version, stance->why);
}

/* What is said of an event.  Returns owned. */
static char *
ask(uint64_t seq, const char *type, const char *stack)
{
	struct event ev = {.seq = seq};
	struct sbuf out = {0};

	ev.type = mem_strdup(type);
	ev.stack = mem_strdup(stack);
	hooks_explain(f.hooks, &ev, note, &out);
	free(ev.type);
	free(ev.stack);
	return out.len ? sbuf_take(&out) : mem_strdup("");
}

#define assert_said(seq, type, stack, expected)                                                    \
	do {                                                                                       \
		AUTO(free) char *got_ = ask(seq, type, stack);                                     \
		ck_assert_str_eq(got_, expected);                                                  \
	} while (0)

START_TEST(each_version_speaks_for_its_time)
{
	save(1, "{\"event_type\":\"a.b\"}");
	save(5, "{\"event_type\":[\"c.*\",\"d\"]}");
	save(9, "{\"event_type\":\"a.b\",\"enabled\":false}");
	for (int life = 0; life < 2; life++) {
		assert_said(1, "a.b", "", "a matches 1: (version 1 then, 3 now)\n");
		assert_said(4, "x", "", "a other-type 1: hears a.b (version 1 then, 3 now)\n");
		assert_said(5, "a.b", "", "a other-type 2: hears c.*, d (version 2 then, 3 now)\n");
		assert_said(8, "c.x", "", "a matches 2: (version 2 then, 3 now)\n");
		assert_said(9, "a.b", "", "a disabled 3: is disabled (version 3)\n");
		fixture_stop(&f);
		fixture_start(&f);
		hooks_start(f.hooks);
	}
}
END_TEST

START_TEST(a_hook_of_a_stack_stands_behind_its_wall)
{
	save(1, "{\"event_type\":\"a\",\"stack\":\"prod\"}");
	assert_said(1, "a", "prod", "a matches 1: (version 1)\n");
	assert_said(1, "a", "",
		"a wall 1: stands behind the wall of stack 'prod', the event is the root's "
		"(version 1)\n");
	assert_said(1, "a", "dev",
		"a wall 1: stands behind the wall of stack 'prod', the event is of stack 'dev' "
		"(version 1)\n");
}
END_TEST

START_TEST(what_was_not_there_says_so)
{
	AUTO(free) char *later = NULL;

	fixture_save(&f, "hooks/broken.lua", "oops");
	fixture_await(&f, "broken", "broken");
	assert_said(1, "a", "",
		"broken broken 0: cannot be loaded: hooks/x.lua:1: unexpected symbol\n");
	fixture_remove(&f, "hooks/broken.lua");
	while (fixture_hook(&f, "broken")->has_file)
		uv_run(&f.loop, UV_RUN_ONCE);
	assert_said(1, "a", "", "");
	f.next_seq = 7;
	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"a\"}");
	fixture_await(&f, "a", "ok");
	later = ask(3, "a", "");
	ck_assert_ptr_nonnull(strstr(later, "a not-yet 0: came later (version 1 since 20"));
	f.next_seq = 9;
	fixture_remove(&f, "hooks/a.lua");
	while (fixture_hook(&f, "a")->current)
		uv_run(&f.loop, UV_RUN_ONCE);
	assert_said(8, "a", "", "a matches 1: (version 1, removed since)\n");
	assert_said(9, "a", "", "");
}
END_TEST

START_TEST(what_is_remembered_is_bounded)
{
	struct hook *hook;

	save(1, "{\"event_type\":\"a\"}");
	for (uint64_t seq = 2; seq < HOOK_SPANS_MAX + 10; seq++) {
		AUTO(free) char *text = mem_printf("{\"event_type\":\"a%u\"}", (unsigned)seq);

		save(seq, text);
	}
	hook = fixture_hook(&f, "a");
	ck_assert_uint_eq(hook->span_count, HOOK_SPANS_MAX);
	ck_assert_uint_eq(hook->spans[HOOK_SPANS_MAX - 1].version, hook->version);
	assert_said(1, "a", "",
		"a forgotten 0: its version of then is no longer kept (version 10 came later)\n");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("explain");
	TCase *tc = tcase_create("explain");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, each_version_speaks_for_its_time);
	tcase_add_test(tc, a_hook_of_a_stack_stands_behind_its_wall);
	tcase_add_test(tc, what_was_not_there_says_so);
	tcase_add_test(tc, what_is_remembered_is_bounded);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
