/* Rules: each text in its one form, what is refused and how it is said, and which go together. */
#include "fsd/hooks/rules.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "fsd/store/records.h"
#include "tests/unit/suite.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	enum hook_rule rule;
	const char *text, *shown;
} good[] = {
	{RULE_ONCE_WITHIN, "1m", "1m"},
	{RULE_ONCE_WITHIN, " 60 \n", "1m"},
	{RULE_ONCE_WITHIN, "1.5", "1.5s"},
	{RULE_ONCE_WITHIN, "h", "1h"},
	{RULE_ONCE_WITHIN, "off", "off"},
	{RULE_ONCE_WITHIN, "1ms", "1ms"},
	{RULE_ONCE_AFTER, "90s", "1m30s"},
	{RULE_RATE, "10/s", "10/s"},
	{RULE_RATE, "10", "10/s"},
	{RULE_RATE, "10/1s", "10/s"},
	{RULE_RATE, "100 / 5m", "100/5m"},
	{RULE_RATE, "100 in 5m", "100/5m"},
	{RULE_RATE, "100/300", "100/5m"},
	{RULE_RATE, "100/5m burst 20", "100/5m burst 20"},
	{RULE_RATE, "100/5m burst 100", "100/5m"},
	{RULE_RATE, "1/11s", "1/11s"},
	{RULE_RATE, "off\n", "off"},
	{RULE_RATE_DROP, "1000000/h", "1000000/h"},
	{RULE_ACCUMULATE_WITHIN, "10/1m", "10/m"},
	{RULE_ACCUMULATE_WITHIN, "10 in 60", "10/m"},
	{RULE_DEDUP, "10m", "10m"},
	{RULE_DEDUP, "10m by host.name", "10m by host.name"},
	{RULE_DEDUP, "600 by labels[\"a b\"]", "10m by labels[\"a b\"]"},
	{RULE_SEQUENCE, "a.b then c.d within 5m", "a.b then c.d within 5m"},
	{RULE_SEQUENCE, "a.* then c.d  within 300\tby host", "a.* then c.d within 5m by host"},
	{RULE_ABSENT, "a.b without c.d within 5m by @agent", "a.b without c.d within 5m by @agent"},
	{RULE_GROUP_BY, "disks[0].path", "disks[0].path"},
	{RULE_GROUP_BY, "@severity", "@severity"},
	{RULE_GROUP_BY, "[\"off\"]", "[\"off\"]"},
	{RULE_ORDER_BY, "host", "host"},
	{RULE_PRIORITY, "-100", "-100"},
	{RULE_PRIORITY, "7", "7"},
	{RULE_PRIORITY, "0", "0"},
	{RULE_RETRIES, "3", "3 backoff 1s max 1m jitter 20%"},
	{RULE_RETRIES, "3 backoff 5m", "3 backoff 5m max 5m jitter 20%"},
	{RULE_RETRIES, "3 backoff 500ms max 10 jitter 0.25", "3 backoff 500ms max 10s jitter 25%"},
	{RULE_RETRIES, "3 jitter 0", "3 backoff 1s max 1m jitter 0%"},
	{RULE_RETRIES, "3 jitter 0.2000", "3 backoff 1s max 1m jitter 20%"},
	{RULE_RETRIES, "0", "0"},
	{RULE_RETRIES, "off", "0"},
	{RULE_AT_MOST_ONCE, "true", "1"},
	{RULE_AT_MOST_ONCE, "0", "0"},
	{RULE_IDEMPOTENT, "on", "1"},
	{RULE_REPLAY, "off", "off"},
	{RULE_REPLAY, "on", "on"},
	{RULE_REPLAY, "0", "off"},
	{RULE_MATCH, "host.name=web*", "host.name = web*"},
	{RULE_MATCH, "\n  load  >=  3 \r\n\n user !~ ^svc- \n", "load >= 3\nuser !~ ^svc-"},
	{RULE_MATCH, "disk exists\n@severity = error | critical\ngone absent",
		"disk exists\n@severity = error | critical\ngone absent"},
	{RULE_MATCH, "a.b != x y", "a.b != x y"},
};

START_TEST(test_one_form)
{
	AUTO(hook_rules) struct hook_rules r = {0};
	AUTO(sbuf) struct sbuf out = {0}, again = {0};
	struct err err = {0};

	ck_assert_msg(hook_rule_parse(&r, good[_i].rule, good[_i].text, &err) == 0, "%s", err.msg);
	(void)hook_rule_show(&r, good[_i].rule, &out);
	ck_assert_str_eq(sbuf_str(&out), good[_i].shown);
	ck_assert_msg(hook_rule_parse(&r, good[_i].rule, sbuf_str(&out), &err) == 0, "%s", err.msg);
	(void)hook_rule_show(&r, good[_i].rule, &again);
	ck_assert_str_eq(sbuf_str(&again), good[_i].shown);
}
END_TEST

static const struct {
	enum hook_rule rule;
	const char *text;
} bad[] = {
	{RULE_ONCE_WITHIN, "soon"},
	{RULE_ONCE_WITHIN, "-1"},
	{RULE_ONCE_WITHIN, "0"},
	{RULE_ONCE_WITHIN, "1us"},
	{RULE_ONCE_WITHIN, "367d"},
	{RULE_ONCE_WITHIN, "1m 2m"},
	{RULE_ONCE_WITHIN, "off 1m"},
	{RULE_RATE, "0/s"},
	{RULE_RATE, "1000001/s"},
	{RULE_RATE, "99999999999999999999/s"},
	{RULE_RATE, "1.5/s"},
	{RULE_RATE, "10/"},
	{RULE_RATE, "10/s burst 11"},
	{RULE_RATE, "10/s burst 0"},
	{RULE_RATE, "10/s burst"},
	{RULE_RATE, "10/s bursts 5"},
	{RULE_RATE, "fast"},
	{RULE_ACCUMULATE_WITHIN, "10"},
	{RULE_ACCUMULATE_WITHIN, "1/1m"},
	{RULE_ACCUMULATE_WITHIN, "10/1m burst 5"},
	{RULE_DEDUP, "by host"},
	{RULE_DEDUP, "10m by"},
	{RULE_DEDUP, "10m by @nothing"},
	{RULE_SEQUENCE, "a.b c.d within 5m"},
	{RULE_SEQUENCE, "a.b then c.d"},
	{RULE_SEQUENCE, "A!b then c.d within 5m"},
	{RULE_SEQUENCE, "a.b then c.d within 5m by"},
	{RULE_SEQUENCE, "a.b without c.d within 5m"},
	{RULE_ABSENT, "a.b then c.d within 5m"},
	{RULE_GROUP_BY, "a..b"},
	{RULE_GROUP_BY, "@typ"},
	{RULE_GROUP_BY, "a b"},
	{RULE_PRIORITY, "101"},
	{RULE_PRIORITY, "high"},
	{RULE_RETRIES, "101"},
	{RULE_RETRIES, "-1"},
	{RULE_RETRIES, "3 backoff 1m max 1s"},
	{RULE_RETRIES, "3 jitter 101%"},
	{RULE_RETRIES, "3 jitter 20"},
	{RULE_RETRIES, "3 max"},
	{RULE_AT_MOST_ONCE, "2"},
	{RULE_REPLAY, "never"},
	{RULE_MATCH, "\n"},
};

START_TEST(test_what_is_refused_changes_nothing)
{
	AUTO(hook_rules) struct hook_rules r = {0}, before = {0};
	struct err err = {0};

	ck_assert_int_eq(hook_rule_parse(&r, RULE_RATE, "7/s burst 2", NULL), 0);
	ck_assert_int_eq(hook_rule_parse(&r, RULE_MATCH, "a = b", NULL), 0);
	ck_assert_int_eq(hook_rule_parse(&r, RULE_DEDUP, "1m by host", NULL), 0);
	ck_assert_int_eq(hook_rule_parse(&r, RULE_SEQUENCE, "a then b within 1s", NULL), 0);
	hook_rules_copy(&before, &r);
	ck_assert_msg(hook_rule_parse(&r, bad[_i].rule, bad[_i].text, &err) == -EINVAL,
		"'%s' is taken", bad[_i].text);
	ck_assert(hook_rules_equal(&r, &before));
	ck_assert_msg(!strncmp(err.msg, hook_rule_name(bad[_i].rule),
			      strlen(hook_rule_name(bad[_i].rule))),
		"%s", err.msg);
}
END_TEST

START_TEST(test_what_is_wrong_is_said)
{
	AUTO(hook_rules) struct hook_rules r = {0};
	struct err err = {0};

	ck_assert_int_eq(
		hook_rule_parse(&r, RULE_MATCH, "a = b\n\nhost =~web\nc = d", &err), -EINVAL);
	ck_assert_str_eq(err.msg,
		"match: line 3: behind 'host' must stand = != < <= > >= ~ !~ exists or "
		"absent, not '=~'");
	ck_assert_int_eq(hook_rule_parse(&r, RULE_RATE, "fast", &err), -EINVAL);
	ck_assert_str_eq(err.msg, "rate is events in a time: 10/s, 100/5m, 100/5m burst 20 (1 to "
				  "1000000); not 'fast'");
}
END_TEST

/* Texts of rules, `name = text`, separated by semicolons. */
static void
parse_all(struct hook_rules *r, const char *texts)
{
	AUTO(free) char *copy = mem_strdup(texts);
	char *rest = copy, *one;
	int i;

	while ((one = strsep(&rest, ";"))) {
		char *value = strstr(one, " = ");

		ck_assert_ptr_nonnull(value);
		*value = '\0';
		for (i = 0; strcmp(hook_rule_name(i), one) != 0; i++)
			ck_assert_int_lt(i, RULE_COUNT - 1);
		ck_assert_int_eq(hook_rule_parse(r, i, value + 3, NULL), 0);
	}
}

static const struct {
	const char *texts, *types, *wrong;
} together[] = {
	{"rate = 1/s;once_within = 1m;dedup = 1m;accumulate_within = 3/1m", "*", NULL},
	{"rate = 1/s;rate_drop = 2/s", "*", "rate and rate_drop do not go together"},
	{"once_within = 1s;once_after = 1s", "*", "once_within and once_after"},
	{"at_most_once = 1;retries = 3", "*", "at_most_once and retries"},
	{"at_most_once = 1;idempotent = 1", "*", "at_most_once and idempotent"},
	{"at_most_once = 1;retries = 0", "*", NULL},
	{"absent = a without b within 1s;rate = 1/s", "*", "absent and rate"},
	{"absent = a without b within 1s;rate_drop = 1/s", "*", NULL},
	{"absent = a without b within 1s;sequence = a then b within 1s", "*",
		"sequence and absent"},
	{"absent = a without b within 1s;once_after = 1s", "*", "absent and once_after"},
	{"group_by = host", "*", "group_by says by what"},
	{"group_by = host;dedup = 1m", "*", "group_by says by what"},
	{"group_by = host;rate_drop = 1/s", "*", NULL},
	{"sequence = a.b then c.d within 1s", "a.b\nc.d", NULL},
	{"sequence = a.b then c.d within 1s", "a.*\n*.d", NULL},
	{"sequence = a.* then c.d within 1s", "a.*\nc.d", NULL},
	{"sequence = a.b then c.d within 1s", "a.b", "waits for 'c.d', which the hook does not"},
	{"sequence = a.* then c.d within 1s", "a.b\nc.d", "waits for 'a.*'"},
	{"absent = a.b without c.d within 1s", "c.d", "waits for 'a.b'"},
};

START_TEST(test_which_go_together)
{
	AUTO(hook_rules) struct hook_rules r = {0};
	struct err err = {0};
	int code;

	parse_all(&r, together[_i].texts);
	code = hook_rules_check(&r, together[_i].types, &err);
	if (!together[_i].wrong) {
		ck_assert_msg(code == 0, "%s", err.msg);
		return;
	}
	ck_assert_int_eq(code, -EINVAL);
	ck_assert_msg(strstr(err.msg, together[_i].wrong) != NULL, "%s", err.msg);
}
END_TEST

START_TEST(test_copies_are_equal_until_one_changes)
{
	AUTO(hook_rules) struct hook_rules a = {0}, b = {0};
	AUTO(sbuf) struct sbuf json = {0};

	parse_all(&a, "match = x = 1;dedup = 1m by host;sequence = a then b within 1s by c;"
		      "group_by = d;order_by = e;rate = 5/s;retries = 2;priority = 3");
	hook_rules_copy(&b, &a);
	ck_assert(hook_rules_equal(&a, &b));
	parse_all(&b, "dedup = 1m by agent");
	ck_assert(!hook_rules_equal(&a, &b));
	hook_rules_json(&a, &json);
	ck_assert_str_eq(sbuf_str(&json),
		"{\"match\":\"x = 1\",\"dedup\":\"1m by host\",\"sequence\":\"a then b within 1s "
		"by c\",\"rate\":\"5/s\",\"group_by\":\"d\",\"order_by\":\"e\",\"priority\":\"3\","
		"\"retries\":\"2 backoff 1s max 1m jitter 20%\"}");
	hook_rules_fini(&a);
	sbuf_reset(&json);
	hook_rules_json(&a, &json);
	ck_assert_str_eq(sbuf_str(&json), "{}");
	ck_assert(!hook_rules_gate(&a) && hook_rules_gate(&b));
}
END_TEST

START_TEST(test_values_of_an_event)
{
	struct event ev = {.type = (char *)"task.failed",
		.stack = (char *)"",
		.agent = (char *)"web1",
		.data = (char *)"{\"host\":{\"name\":\"db\\u0031\"}}"};
	static const struct {
		const char *path, *value;
	} cases[] = {{"@type", "task.failed"}, {"@stack", ""}, {"@agent", "web1"},
		{"@severity", NULL}, {"host.name", "db1"}, {"host.none", NULL}};

	ev.data_len = strlen(ev.data);
	for (size_t i = 0; i < COUNT(cases); i++) {
		AUTO(sbuf) struct sbuf out = {0};
		bool is_there = rule_path_value(&ev, cases[i].path, &out);

		ck_assert_msg(is_there == (cases[i].value != NULL), "%s", cases[i].path);
		if (is_there)
			ck_assert_str_eq(sbuf_str(&out), cases[i].value);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("rules");
	TCase *tc = tcase_create("rules");

	tcase_add_loop_test(tc, test_one_form, 0, COUNT(good));
	tcase_add_loop_test(tc, test_what_is_refused_changes_nothing, 0, COUNT(bad));
	tcase_add_test(tc, test_what_is_wrong_is_said);
	tcase_add_loop_test(tc, test_which_go_together, 0, COUNT(together));
	tcase_add_test(tc, test_copies_are_equal_until_one_changes);
	tcase_add_test(tc, test_values_of_an_event);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
