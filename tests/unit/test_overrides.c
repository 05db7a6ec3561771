/* Settings: what a script says, what is written over it, and how that is kept. */
#include "tests/unit/hooks_fixture.h"
#include "tests/unit/suite.h"

static struct hooks_fixture f;
static int last_code, answers;

static void
setup(void)
{
	last_code = answers = 0;
	f = (struct hooks_fixture){0};
	fixture_open(&f);
}

static void
teardown(void)
{
	fixture_close(&f);
}

static void
on_written(void *arg, int code, const struct err *err)
{
	(void)arg;
	(void)err;
	last_code = code;
	answers++;
}

/* Write a setting and wait for the answer. */
static int
set(const char *hook, enum hook_setting setting, const char *text)
{
	int before = answers;

	if (hook_override_write(fixture_hook(&f, hook), setting, text, on_written, NULL, NULL) != 0)
		return -EINVAL;
	while (answers == before)
		uv_run(&f.loop, UV_RUN_ONCE);
	return last_code;
}

static char *
read_conf(const char *hook)
{
	AUTO(free) char *path = mem_printf("%s/hooks.d/%s.conf", f.dir, hook);
	FILE *file = fopen(path, "re");
	char text[512];
	size_t len = file ? fread(text, 1, sizeof(text), file) : 0;

	if (file)
		(void)fclose(file);
	return mem_strndup(text, len);
}

#define assert_conf(hook, expected)                                                                \
	do {                                                                                       \
		AUTO(free) char *got_ = read_conf(hook);                                           \
		ck_assert_str_eq(got_, expected);                                                  \
	} while (0)

/* Its status names what is wrong and the version that is in service all the same. */
static void
assert_broken(const char *name, const char *why, unsigned version)
{
	AUTO(sbuf) struct sbuf status = {0};
	AUTO(free) char *still = mem_printf(" (version %u still in service)", version);

	hook_status_show(fixture_hook(&f, name), &status);
	ck_assert_msg(strstr(sbuf_str(&status), why) != NULL, "%s", sbuf_str(&status));
	ck_assert_msg(strstr(sbuf_str(&status), still) != NULL, "%s", sbuf_str(&status));
}

START_TEST(test_metadata)
{
	static const struct {
		const char *meta, *wrong; /* wrong: part of the message; NULL good */
	} cases[] = {
		{"{}", NULL},
		{"{\"event_type\":\"a.b, c.d\",\"timeout\":1.5,\"memory\":\"64M\"}", NULL},
		{"{\"event_types\":\"a.b\",\"timeout\":\"30s\",\"memory\":1048576}", NULL},
		{"[]", "not a JSON object"},
		{"{\"event_type\":5}", "event_types must be"},
		{"{\"event_types\":[1]}", "event_types must be"},
		{"{\"event_type\":\"Task Failed!\"}", "is not an event type"},
		{"{\"timeout\":0}", "timeout must lie"},
		{"{\"timeout\":1e300}", "timeout is a duration"},
		{"{\"timeout\":-1}", "timeout is a duration"},
		{"{\"timeout\":true}", "timeout must be"},
		{"{\"memory\":5}", "memory must be at least"},
		{"{\"rate\":\"10/s\",\"retries\":3,\"once_within\":60.5,\"replay\":false}", NULL},
		{"{\"rate\":\"fast\"}", "rate is events in a time"},
		{"{\"rate\":[1]}", "rate must be"},
		{"{\"concurrency\":0}", "concurrency must lie"},
		{"{\"concurrency\":1.5}", "concurrency is a whole"},
		{"{\"enabled\":\"no\"}", "enabled must be"},
		{"{\"stack\":\"../x\"}", "cannot be the name of a stack"},
		{"{\"name\":7}", "name must be a string"},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(hook_settings) struct hook_settings s = {0};
		struct err err = {0};
		int code = hook_settings_read(cases[i].meta, &s, &err);

		ck_assert_msg((code == 0) == !cases[i].wrong, "%s: %s", cases[i].meta, err.msg);
		if (cases[i].wrong)
			ck_assert_msg(strstr(err.msg, cases[i].wrong) != NULL, "%s: %s",
				cases[i].meta, err.msg);
	}
}
END_TEST

START_TEST(test_conf_round_trip)
{
	struct hook_overrides o = {0}, again = {0};
	AUTO(sbuf) struct sbuf text = {0}, second = {0};
	struct err err = {0};

	ck_assert_msg(hook_overrides_parse(&o,
			      "# by hand\n\n timeout=90\r\nevent = a.b,c.* d\n"
			      "enabled = false\nmemory = 65536K\n",
			      &err) == 0,
		"%s", err.msg);
	hook_overrides_format(&o, &text);
	ck_assert_str_eq(
		sbuf_str(&text), "enabled = 0\nevent = a.b c.* d\ntimeout = 1m30s\nmemory = 64M\n");
	ck_assert_int_eq(hook_overrides_parse(&again, sbuf_str(&text), NULL), 0);
	hook_overrides_format(&again, &second);
	ck_assert_str_eq(sbuf_str(&second), sbuf_str(&text));
	ck_assert_int_eq(hook_overrides_parse(&o, "timeout = 5s\nwhat = 1\n", &err), -EINVAL);
	ck_assert_str_eq(err.msg, "line 2: 'what' is not a setting");
	hook_overrides_fini(&o);
	hook_overrides_fini(&again);
}
END_TEST

START_TEST(test_override_takes_effect_and_is_kept)
{
	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"t\",\"timeout\":5}");
	fixture_await(&f, "a", "ok");
	f.next_seq = 3;
	ck_assert_int_eq(set("a", SETTING_TIMEOUT, "2m"), 0);
	ck_assert_uint_eq(fixture_hook(&f, "a")->current->code.timeout_ms, 120000);
	assert_match(&f, 2, "t", "", "a:1");
	assert_match(&f, 3, "t", "", "a:2");
	assert_conf("a", "timeout = 2m\n");
	fixture_await(&f, "a", "ok (overridden: timeout)");

	f.next_seq = 5;
	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"t\",\"timeout\":7}");
	while (fixture_hook(&f, "a")->version < 3)
		uv_run(&f.loop, UV_RUN_ONCE);
	ck_assert_uint_eq(fixture_hook(&f, "a")->current->code.timeout_ms, 120000);

	f.next_seq = 7;
	ck_assert_int_eq(set("a", SETTING_TIMEOUT, ""), 0);
	ck_assert_uint_eq(fixture_hook(&f, "a")->current->code.timeout_ms, 7000);
	assert_conf("a", "");
	fixture_await(&f, "a", "ok");
}
END_TEST

START_TEST(test_refused_value_changes_nothing)
{
	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"t\"}");
	fixture_await(&f, "a", "ok");
	ck_assert_int_eq(set("a", SETTING_ENABLED, "perhaps"), -EINVAL);
	ck_assert_int_eq(set("a", SETTING_EVENT, "NOT A TYPE"), -EINVAL);
	ck_assert_uint_eq(fixture_hook(&f, "a")->version, 1);
	assert_conf("a", "");
}
END_TEST

/* Only a worker can judge them. */
START_TEST(test_conditions_are_judged_before_they_are_kept)
{
	enum hook_setting match = SETTING_RULES + RULE_MATCH;

	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"t\"}");
	fixture_await(&f, "a", "ok");
	ck_assert_int_eq(set("a", match, "host"), -EINVAL); /* not even one */
	ck_assert_uint_eq(f.checks, 1);
	ck_assert_int_eq(set("a", match, "host ~ ("), -EINVAL);
	ck_assert_uint_eq(f.checks, 2);
	ck_assert_uint_eq(fixture_hook(&f, "a")->version, 1);
	assert_conf("a", "");
	ck_assert_int_eq(set("a", match, "host ~ ^a"), 0);
	ck_assert_str_eq(fixture_hook(&f, "a")->current->code.rules->match, "host ~ ^a");
	ck_assert_int_eq(set("a", match, "off"), 0);
	ck_assert_uint_eq(f.checks, 3);
	ck_assert_ptr_null(fixture_hook(&f, "a")->current->code.rules->match);
}
END_TEST

START_TEST(test_disable_reaches_the_last_good_version)
{
	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"t\"}");
	fixture_await(&f, "a", "ok");
	fixture_save(&f, "hooks/a.lua", "oops");
	fixture_await(&f, "a", "broken");
	f.next_seq = 9;
	ck_assert_int_eq(set("a", SETTING_ENABLED, "0"), 0);
	assert_match(&f, 8, "t", "", "a:1");
	assert_match(&f, 9, "t", "", "");
	ck_assert_int_eq(set("a", SETTING_ENABLED, "1"), 0);
	assert_match(&f, 9, "t", "", "a:3");
}
END_TEST

START_TEST(test_overrides_survive_a_restart)
{
	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"t\"}");
	fixture_await(&f, "a", "ok");
	ck_assert_int_eq(set("a", SETTING_ENABLED, "0"), 0);
	fixture_stop(&f);
	fixture_start(&f);
	hooks_start(f.hooks);
	fixture_await(&f, "a", "disabled (overridden: enabled)");
	assert_match(&f, f.next_seq, "t", "", "");
	ck_assert_uint_eq(f.checks, 0);
	ck_assert_int_eq(set("a", SETTING_ENABLED, ""), 0); /* its source comes from the store */
	fixture_await(&f, "a", "ok");
	assert_match(&f, f.next_seq, "t", "", "a:3");
	ck_assert_str_eq(fixture_hook(&f, "a")->current->code.source, "{\"event_type\":\"t\"}");
}
END_TEST

START_TEST(test_file_edited_by_hand_takes_effect)
{
	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"t\",\"timeout\":5}");
	fixture_await(&f, "a", "ok");
	fixture_save(&f, "hooks.d/a.conf", "timeout = 2m\n");
	fixture_await(&f, "a", "ok (overridden: timeout)");
	while (fixture_hook(&f, "a")->current->code.timeout_ms != 120000)
		uv_run(&f.loop, UV_RUN_ONCE);
	fixture_save(&f, "hooks.d/a.conf", "timeout = soon\n"); /* told, and nothing changes */
	while (!strstr(f.reports, "hooks.d/a.conf: line 1: "))
		uv_run(&f.loop, UV_RUN_ONCE);
	assert_broken("a", "hooks.d/a.conf: line 1: timeout is", 2);
	ck_assert_uint_eq(fixture_hook(&f, "a")->current->code.timeout_ms, 120000);
	fixture_save(&f, "hooks.d/new", "enabled = 0\n");
	fixture_rename(&f, "hooks.d/new", "hooks.d/a.conf");
	fixture_await(&f, "a", "disabled (overridden: enabled)");
	fixture_remove(&f, "hooks.d/a.conf");
	fixture_await(&f, "a", "ok");
	while (fixture_hook(&f, "a")->current->code.timeout_ms != 5000)
		uv_run(&f.loop, UV_RUN_ONCE);
	ck_assert_int_eq(set("a", SETTING_TIMEOUT, "1m"), 0);
	ck_assert_uint_eq(fixture_hook(&f, "a")->current->code.timeout_ms, 60000);
}
END_TEST

/* A slip in one line takes no other line away. */
START_TEST(test_a_file_is_taken_whole_or_not_at_all)
{
	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"t\"}");
	fixture_await(&f, "a", "ok");
	fixture_save(&f, "hooks.d/a.conf", "enabled = 0\n");
	fixture_await(&f, "a", "disabled");
	fixture_save(&f, "hooks.d/a.conf", "enabled = 0\nmatch = host ~ ^x\nrat = 1/s\n");
	fixture_await(&f, "a", "broken");
	fixture_stop(&f);
	fixture_start(&f);
	hooks_start(f.hooks);
	fixture_await(&f, "a", "broken");
	assert_broken(
		"a", "hooks.d/a.conf: line 3: 'rat' is not a setting; did you mean 'rate'?", 2);
	assert_match(&f, f.next_seq, "t", "", "");                  /* still disabled */
	ck_assert_int_eq(set("a", SETTING_TIMEOUT, "5s"), -EINVAL); /* which would lose the lines */
	fixture_rename(&f, "hooks/a.lua", "hooks/b.lua");
	while (!strstr(f.reports, "hooks.d/b.conf: line 3: "))
		uv_run(&f.loop, UV_RUN_ONCE);
	fixture_save(&f, "hooks/b.lua", "{\"event_type\":\"t\",\"timeout\":9}");
	while (!fixture_hook(&f, "b")->is_pending)
		uv_run(&f.loop, UV_RUN_ONCE);
	fixture_await(&f, "b", "broken");
	ck_assert_uint_eq(fixture_hook(&f, "b")->version, 2);
	fixture_save(&f, "hooks.d/b.conf", "enabled = 1\nmatch = host ~ ^x\n");
	fixture_await(&f, "b", "ok (overridden: enabled, match)");
	ck_assert_uint_eq(fixture_hook(&f, "b")->current->code.timeout_ms, 9000);
}
END_TEST

START_TEST(test_conditions_edited_by_hand_are_judged)
{
	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"t\"}");
	fixture_await(&f, "a", "ok");
	fixture_save(&f, "hooks.d/a.conf", "match = host ~ ^x\n");
	fixture_await(&f, "a", "ok (overridden: match)");
	fixture_save(&f, "hooks.d/a.conf", "# by hand\nmatch = a = 1\nmatch = host ~ (\n");
	fixture_await(&f, "a", "broken");
	assert_broken("a", "hooks.d/a.conf: line 3: a parenthesis is open", 2);
	ck_assert_str_eq(fixture_hook(&f, "a")->current->code.rules->match, "host ~ ^x");
	fixture_save(&f, "hooks.d/a.conf", "match = a = 1\n# two\nmatch = host =~ ^x\n");
	while (!strstr(f.reports, "hooks.d/a.conf: line 3: behind 'host' must stand"))
		uv_run(&f.loop, UV_RUN_ONCE);
	fixture_save(&f, "hooks.d/a.conf", "# by hand\nmatch = a = 1\nmatch = host ~ (\n");
	while (!strstr(strstr(f.reports, "behind"), "a parenthesis is open"))
		uv_run(&f.loop, UV_RUN_ONCE);
	fixture_stop(&f);
	f.reports[0] = '\0';
	fixture_start(&f);
	hooks_start(f.hooks);
	fixture_await(&f, "a", "broken");
	assert_broken("a", "hooks.d/a.conf: line 3: a parenthesis is open", 2);
	ck_assert_str_eq(fixture_hook(&f, "a")->current->code.rules->match, "host ~ ^x");
	fixture_save(&f, "hooks.d/a.conf", "match = host ~ ^y\n");
	fixture_await(&f, "a", "ok (overridden: match)");
	ck_assert_str_eq(fixture_hook(&f, "a")->current->code.rules->match, "host ~ ^y");
	f.checks = 0;
	fixture_stop(&f);
	fixture_start(&f);
	hooks_start(f.hooks);
	fixture_await(&f, "a", "ok (overridden: match)");
	ck_assert_uint_eq(f.checks, 0); /* they were judged before */
}
END_TEST

START_TEST(test_a_contradiction_taken_away_lets_the_script_in)
{
	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"t\"}");
	fixture_await(&f, "a", "ok");
	fixture_save(&f, "hooks.d/a.conf", "group_by = host\n");
	fixture_await(&f, "a", "broken");
	assert_broken("a", "hooks.d/a.conf: group_by says", 1);
	fixture_save(&f, "hooks.d/a.conf", "rate_drop = 1/s\n");
	fixture_await(&f, "a", "ok");
	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"t\",\"rate\":\"1/s\"}");
	fixture_await(&f, "a", "broken");
	ck_assert_int_eq(set("a", SETTING_RULES + RULE_RATE_DROP, ""), 0);
	fixture_await(&f, "a", "ok");
	ck_assert_uint_eq(fixture_hook(&f, "a")->current->code.rules->rate.count, 1);
}
END_TEST

START_TEST(test_override_that_cannot_be_written_is_taken_back)
{
	AUTO(free) char *block = mem_printf("%s/hooks.d/a.conf", f.dir);

	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"t\"}");
	fixture_await(&f, "a", "ok");
	ck_assert_int_eq(mkdir(block, 0700), 0); /* a directory stands in its place */
	ck_assert_int_lt(set("a", SETTING_TIMEOUT, "2m"), 0);
	ck_assert_uint_eq(fixture_hook(&f, "a")->version, 1);
	ck_assert(hook_overrides_is_empty(&fixture_hook(&f, "a")->overrides));
}
END_TEST

START_TEST(test_event_by_override)
{
	fixture_save(&f, "hooks/a.lua", "{\"form\":\"on_event\"}");
	fixture_await(&f, "a", "no event");
	ck_assert_int_eq(set("a", SETTING_EVENT, "a.b\nc.*"), 0);
	fixture_await(&f, "a", "ok (overridden: event)");
	assert_match(&f, f.next_seq, "c.d", "", "a:2");
	fixture_rename(&f, "hooks/a.lua", "hooks/b.lua");
	fixture_await(&f, "b", "ok (overridden: event)");
	assert_conf("b", "event = a.b c.*\n");
	assert_conf("a", "");
}
END_TEST

START_TEST(test_rules_by_script_and_file)
{
	fixture_save(&f, "hooks/a.lua",
		"{\"event_type\":\"t\",\"rate\":\"10/1s\",\"filter\":true,\"retries\":3}");
	fixture_await(&f, "a", "ok");
	ck_assert_uint_eq(fixture_hook(&f, "a")->current->code.rules->rate.count, 10);
	ck_assert_uint_eq(fixture_hook(&f, "a")->current->code.rules->retries, 3);
	ck_assert(fixture_hook(&f, "a")->current->code.rules->has_filter);

	f.next_seq = 5;
	ck_assert_int_eq(set("a", SETTING_RULES + RULE_RATE, "off"), 0);
	ck_assert_int_eq(set("a", SETTING_RULES + RULE_MATCH, "a=1\nb >2\n"), 0);
	ck_assert_uint_eq(fixture_hook(&f, "a")->current->code.rules->rate.count, 0);
	ck_assert_str_eq(fixture_hook(&f, "a")->current->code.rules->match, "a = 1\nb > 2");
	assert_conf("a", "match = a = 1\nmatch = b > 2\nrate = off\n");
	assert_match(&f, 4, "t", "", "a:1"); /* which keeps its rules */
	ck_assert_uint_eq(hooks_find_code(f.hooks, 1, 1)->rules->rate.count, 10);
	f.oldest_seq = 4;

	fixture_stop(&f);
	fixture_start(&f);
	hooks_start(f.hooks);
	fixture_await(&f, "a", "ok (overridden: match, rate)");
	ck_assert_uint_eq(hooks_find_code(f.hooks, 1, 3)->rules->retries, 3);
	ck_assert(hooks_find_code(f.hooks, 1, 3)->rules->has_filter);
	ck_assert_str_eq(hooks_find_code(f.hooks, 1, 3)->rules->match, "a = 1\nb > 2");
	ck_assert_int_eq(set("a", SETTING_RULES + RULE_RATE, ""), 0);
	ck_assert_uint_eq(fixture_hook(&f, "a")->current->code.rules->rate.count, 10);
}
END_TEST

START_TEST(test_contradictions_are_refused)
{
	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"t\",\"rate\":\"10/s\"}");
	fixture_await(&f, "a", "ok");
	ck_assert_int_eq(set("a", SETTING_RULES + RULE_RATE_DROP, "10/s"), -EINVAL);
	assert_conf("a", "");
	ck_assert_int_eq(set("a", SETTING_RULES + RULE_RATE, "off"), 0);
	ck_assert_int_eq(set("a", SETTING_RULES + RULE_RATE_DROP, "10/s"), 0);
	ck_assert_int_eq(set("a", SETTING_RULES + RULE_RATE, ""), -EINVAL);
	assert_conf("a", "rate = off\nrate_drop = 10/s\n");
	fixture_save(&f, "hooks/b.lua", "{\"event_type\":\"t\",\"group_by\":\"host\"}");
	fixture_await(&f, "b", "broken: hooks/b.lua: group_by says by what once_within");
}
END_TEST

START_TEST(test_a_pair_is_heard_without_saying_so)
{
	fixture_save(&f, "hooks/a.lua", "{\"sequence\":\"x.a then x.b within 1m\"}");
	fixture_await(&f, "a", "ok");
	assert_match(&f, f.next_seq, "x.a", "", "a:1");
	assert_match(&f, f.next_seq, "x.b", "", "a:1");
	assert_match(&f, f.next_seq, "x.c", "", "");
	ck_assert_int_eq(set("a", SETTING_EVENT, "x.a"), -EINVAL);
}
END_TEST

START_TEST(test_taken_alias_is_refused)
{
	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"t\"}");
	fixture_await(&f, "a", "ok");
	fixture_save(&f, "hooks/b.lua", "{\"event_type\":\"t\",\"name\":\"a\"}");
	fixture_await(&f, "b", "ok (name 'a' not taken: it leads to hook 'a')");
	fixture_save(&f, "hooks/c.lua", "{\"event_type\":\"t\",\"name\":\"free\"}");
	fixture_await(&f, "c", "ok");
	ck_assert(fixture_hook(&f, "c")->has_alias);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("overrides");
	TCase *pure = tcase_create("settings"), *tc = tcase_create("overrides");

	tcase_add_test(pure, test_metadata);
	tcase_add_test(pure, test_conf_round_trip);
	suite_add_tcase(suite, pure);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_override_takes_effect_and_is_kept);
	tcase_add_test(tc, test_refused_value_changes_nothing);
	tcase_add_test(tc, test_conditions_are_judged_before_they_are_kept);
	tcase_add_test(tc, test_disable_reaches_the_last_good_version);
	tcase_add_test(tc, test_overrides_survive_a_restart);
	tcase_add_test(tc, test_file_edited_by_hand_takes_effect);
	tcase_add_test(tc, test_a_file_is_taken_whole_or_not_at_all);
	tcase_add_test(tc, test_conditions_edited_by_hand_are_judged);
	tcase_add_test(tc, test_a_contradiction_taken_away_lets_the_script_in);
	tcase_add_test(tc, test_override_that_cannot_be_written_is_taken_back);
	tcase_add_test(tc, test_event_by_override);
	tcase_add_test(tc, test_rules_by_script_and_file);
	tcase_add_test(tc, test_contradictions_are_refused);
	tcase_add_test(tc, test_a_pair_is_heard_without_saying_so);
	tcase_add_test(tc, test_taken_alias_is_refused);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
