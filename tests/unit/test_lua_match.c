/* Conditions: lines, comparisons, reasons, and what they may cost. */
#include "base/auto.h"
#include "base/clock.h"
#include "lua/host/match.h"
#include "tests/unit/suite.h"
#include "tests/unit/worker_rig.h"

#define COST_LIMIT_NS (3 * NS_PER_S) /* ten times what it takes; sanitizers are slow */

static const struct host_event event = {.id = "1",
	.type = "task.failed",
	.stack = "production",
	.agent = "web-1",
	.run_id = "",
	.severity = "warning",
	.source = "cli"};

static const char data[] =
	"{\"cpu\":{\"load\":42,\"temp\":61.50,\"cores\":[1,2]},\"host\":\"web-1\",\"id\":"
	"9007199254740993,\"up\":true,\"gone\":null,\"text\":\"100\",\"note\":\"a \\\"b\\\"\\nc\","
	"\"labels\":{\"a.b\":\"x\",\"team\":\"ops | dev\"},\"name\":\"\\u00fcber\",\"empty\":\"\","
	"\"low\":-0.5}";

static struct match *
compile(const char *lines)
{
	struct match *m = NULL;
	struct err err = {0};

	ck_assert_msg(match_new(lines, &m, &err) == 0, "%s: %s", lines, err.msg);
	return m;
}

/* Returns owned: why not, or "" when all hold. */
static char *
judge_on(const char *lines, const char *json, size_t len)
{
	struct match_subject subject = {.event = &event, .data = json, .data_len = len};
	struct match *m = compile(lines);
	char *why = NULL;
	int verdict = match_judge(m, &subject, &why);

	match_free(m);
	ck_assert_int_eq(verdict == 1, why == NULL);
	if (verdict < 0)
		ck_assert_int_eq(verdict, -EDQUOT);
	return why ? why : mem_strdup("");
}

static char *
judge(const char *lines)
{
	return judge_on(lines, data, sizeof(data) - 1);
}

static const char *const met[] = {
	"",
	"\n  \n",
	"cpu.load = 42",
	"cpu.load = 42.0",
	"cpu.load = 4.2e1",
	"cpu.load >= 42",
	"cpu.load <= 42",
	"cpu.load > 41.999",
	"cpu.load<43",
	"cpu.load != 41",
	"cpu.temp = 61.5",
	"low < 0",
	"low > -1",
	"id = 9007199254740993",
	"id > 9007199254740992",
	"id < 9007199254740994",
	"host = web-1",
	"host = web-*",
	"host = *",
	"host = w?b-?",
	"host = db-* | web-*",
	"host = db-1 | \"web-1\"",
	"host != db-*",
	"host != \"web-*\"",
	"host ~ ^web-\\d+$",
	"host !~ ^db",
	"up = true",
	"up != false",
	"gone = null",
	"gone exists",
	"text = 100",
	"text = \"100\"",
	"cpu.load != \"42\"",
	"text >= \"1\"",
	"note = \"a \\\"b\\\"\\nc\"",
	"note ~ (?s)b.*c$",
	"labels[\"a.b\"] = x",
	"labels.team = \"ops | dev\"",
	"labels.team ~ ops | x",
	"name = ?ber",
	"name = \xc3\xbc*",
	"name = \"\\u00fcber\"",
	"empty = \"\"",
	"empty exists",
	"empty = *",
	"nothing absent",
	"nothing != x",
	"nothing !~ x",
	"cpu exists",
	"cpu != x",
	"cpu ~ load",
	"cpu.cores[1] = 2",
	"cpu.cores[2] absent",
	"@type = task.*",
	"@type=task.failed",
	"@stack = production",
	"@agent ~ web",
	"@severity = warning | error",
	"@source != api",
	"@run_id absent",
	"host >= web",
	"host < xeb",
	"cpu.load > 1\r\nhost = web-1\r\n",
	"host = a*b*c | *e*-*",
	"@severity = w*n*ng",
};

START_TEST(what_holds)
{
	for (size_t i = 0; i < sizeof(met) / sizeof(met[0]); i++) {
		AUTO(free) char *why = judge(met[i]);

		ck_assert_msg(!why[0], "%s", why);
	}
}
END_TEST

START_TEST(what_does_not_hold_and_why)
{
	static const struct {
		const char *lines, *why;
	} cases[] = {
		{"cpu.load >= 90", "cpu.load >= 90: it is 42"},
		{"host = web-1\n\t cpu.load   >=  90  ", "cpu.load >= 90: it is 42"},
		{"host = db-1", "host = db-1: it is \"web-1\""},
		{"host = db-* | web-2", "host = db-* | web-2: it is \"web-1\""},
		{"host = web", "host = web: it is \"web-1\""},
		{"host = eb-1", "host = eb-1: it is \"web-1\""},
		{"host = *eb", "host = *eb: it is \"web-1\""},
		{"host = WEB-1", "host = WEB-1: it is \"web-1\""},
		{"host != web-*", "host != web-*: it is \"web-1\""},
		{"host ~ ^db", "host ~ ^db: it is \"web-1\""},
		{"host !~ web", "host !~ web: it is \"web-1\""},
		{"host > web-1", "host > web-1: it is \"web-1\""},
		{"text >= 90", "text >= 90: it is \"100\", not a number"},
		{"cpu.load >= \"4\"", "cpu.load >= \"4\": it is 42, not text"},
		{"up >= 1", "up >= 1: it is true, not a number"},
		{"up = false", "up = false: it is true"},
		{"up = \"true\"", "up = \"true\": it is true"},
		{"gone absent", "gone absent: it is null"},
		{"cpu absent", "cpu absent: it is an object"},
		{"cpu = *", "cpu = *: it is an object"},
		{"cpu.cores = 1", "cpu.cores = 1: it is a list"},
		{"nothing.there exists", "nothing.there exists: there is no nothing.there"},
		{"nothing = null", "nothing = null: there is no nothing"},
		{"nothing > 1", "nothing > 1: there is no nothing"},
		{"nothing ~ .*", "nothing ~ .*: there is no nothing"},
		{"@run_id = x", "@run_id = x: there is no @run_id"},
		{"@type = deploy.*", "@type = deploy.*: it is \"task.failed\""},
		{"id <= 9007199254740992", "id <= 9007199254740992: it is 9007199254740993"},
		{"note = a", "note = a: it is \"a \\\"b\\\"\\nc\""},
		{"name = ??ber", "name = ??ber: it is \"\xc3\xbc"
				 "ber\""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(free) char *why = judge(cases[i].lines);

		ck_assert_str_eq(why, cases[i].why);
	}
}
END_TEST

/* What base/conditions.h lets through; the grammar has its own tests. */
START_TEST(what_is_refused_and_where)
{
	static const struct {
		const char *lines, *error;
	} cases[] = {
		{"a =~5", "line 1: behind 'a' must stand = != < <= > >= ~ !~ exists or absent, not "
			  "'=~'"},
		{"a ~ (b", "line 1: the regular expression is wrong at character 2"},
		{"a = 1\n\na ~ \\C", "line 3: the regular expression is wrong"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct match *m;
		struct err err = {0};

		ck_assert_msg(match_new(cases[i].lines, &m, &err) == -EINVAL, "%s", cases[i].lines);
		ck_assert_msg(strncmp(err.msg, cases[i].error, strlen(cases[i].error)) == 0,
			"%s: %s", cases[i].lines, err.msg);
	}
}
END_TEST

/* A reason is one short line whatever the data is, and never cuts a character in two. */
START_TEST(long_values_are_cut)
{
	AUTO(sbuf) struct sbuf json = {0};
	AUTO(free) char *why = NULL;

	sbuf_adds(&json, "{\"a\":\"x");
	for (int i = 0; i < 1000; i++)
		sbuf_adds(&json, "\xc3\xa9");
	sbuf_adds(&json, "\"}");
	why = judge_on("a = 1", json.data, json.len);
	ck_assert_uint_eq(strlen(why), strlen("a = 1: it is \"\"...") + 79);
	ck_assert_ptr_null(strstr(why, "\xef\xbf\xbd")); /* what half a character would become */
	ck_assert_str_eq(why + strlen(why) - 6, "\xc3\xa9\"...");
}
END_TEST

/* ---- cost ----------------------------------------------------------------------------------- */

/* {"a":"<text repeated up to len>"} */
static void
add_long_value(struct sbuf *out, const char *text, size_t len)
{
	sbuf_adds(out, "{\"a\":\"");
	while (out->len < len)
		sbuf_adds(out, text);
	sbuf_adds(out, "!\"}");
}

static int64_t
cpu_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts); /* cannot fail */
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* Returns owned: what judge_on says of a long value. */
static char *
judge_long(const char *line, const char *text, size_t len)
{
	AUTO(sbuf) struct sbuf json = {0};
	int64_t start_ns = cpu_ns(), took_ns;
	char *why;

	add_long_value(&json, text, len);
	why = judge_on(line, json.data, json.len);
	took_ns = cpu_ns() - start_ns;
	ck_assert_msg(took_ns < COST_LIMIT_NS, "%s: %.1f ms", line, (double)took_ns / NS_PER_MS);
	return why;
}

START_TEST(a_regex_that_explodes_gives_up)
{
	static const struct {
		const char *line, *text;
		size_t len;
	} cases[] = {
		{"a ~ ^(a+)+$", "a", 64},
		{"a ~ ^(a|aa)+$", "a", 100},
		{"a ~ (x+x+)+[yz]", "x", 200},
		{"a ~ ^(([a-z])+.)+[A-Z]([a-z])+$", "a", 200},
		{"a ~ .*.*.*[=z]", "a", 100000},
		{"a ~ (?:a|b)*$", "ab", 1000000},
		{"a ~ (?i)(a+)\\1\\1[XYZ]", "aA", 1000000},
		{"a ~ ^(?:.?){1,500}.{500}[xyz]", "a", 100000},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(free) char *why = judge_long(cases[i].line, cases[i].text, cases[i].len);

		ck_assert_msg(strstr(why, ": gave up on a value of ") != NULL, "%s", why);
	}
}
END_TEST

/* Whatever the verdict is. */
START_TEST(every_regex_ends)
{
	static const char *const lines[] = {"a ~ (?R)?a*?b", "a ~ (?=(a+))a*b\\1", "a ~ (.*)+b",
		"a ~ (a*)*b", "a ~ ((a?){20}){20}[bc]", "a ~ (?<=a{200})b|a*a*a*[cd]", "a ~ \\X*b",
		"a ~ (*LIMIT_MATCH=4000000000)(a+)+[bc]", "a ~ (?C1)(a+)+[bc]",
		"a ~ ([ab]{60000})*[cd]", "a ~ [ab]{65000}[cd]",
		"a = *a?a?a?a?a?a?a?a?a?a?a?a?b*a?a?a?a*b", "a = ?*?*?*?*?*?*?*b",
		"a ~ (*NO_START_OPT)(*NO_AUTO_POSSESS)a*a*b"};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		free(judge_long(lines[i], "a", 1000000));
}
END_TEST

/* What is no attack has room: a megabyte. */
START_TEST(an_honest_regex_may_have_a_megabyte)
{
	static const char *const lines[] = {"a ~ error: \\d+", "a ~ [0-9]+; !$", "a !~ (?i)panic",
		"a = *error: ?; !", "a = line* 42 *!", "a ~ ^line .*!$", "a ~ \\b5; !"};
	AUTO(sbuf) struct sbuf json = {0};

	add_long_value(&json, "line 7 took 42 ms, error: 5; ", 1000000);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		AUTO(free) char *why = judge_on(lines[i], json.data, json.len);

		ck_assert_msg(!why[0], "%s", why);
	}
}
END_TEST

/* ---- in a worker ---------------------------------------------------------------------------- */

static struct rig rig;

static void
setup(void)
{
	rig_start(&rig);
}

static void
teardown(void)
{
	rig_stop(&rig);
}

static struct outcome
run_with(const char *match, enum run_part part, const char *json)
{
	rig.match = match;
	rig.part = part;
	rig_script(&rig, 1, "print('loaded') return {execute = function() return true, 'ran' end}",
		0, "");
	rig_run(&rig, 1, 1000, "task.failed", json);
	return rig_outcome(&rig);
}

START_TEST(a_run_obeys_its_conditions)
{
	static const struct {
		const char *match;
		enum run_part part;
		uint32_t result;
		const char *message, *output;
	} cases[] = {
		{"x = 1", RUN_WHOLE, RUN_SUCCESS, "ran", "loaded\n"},
		{"x = 2", RUN_WHOLE, RUN_FILTERED, "x = 2: it is 1", ""},
		{"x = 2", RUN_CONDITIONS, RUN_FILTERED, "x = 2: it is 1", ""},
		{"x = 1", RUN_CONDITIONS, RUN_SUCCESS, "", "loaded\n"},
		{"x = 2", RUN_EXECUTE, RUN_SUCCESS, "ran", "loaded\n"},
		{"@stack = production\n@type = task.*", RUN_WHOLE, RUN_SUCCESS, "ran", "loaded\n"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct outcome o = run_with(cases[i].match, cases[i].part, "{\"x\":1}");

		ck_assert_msg(o.result == cases[i].result, "%zu: %u %s", i, o.result, o.error);
		ck_assert_str_eq(o.message, cases[i].message);
		ck_assert_str_eq(o.output, cases[i].output);
		outcome_fini(&o);
	}
}
END_TEST

START_TEST(conditions_that_give_up_or_are_wrong_fail_the_run)
{
	struct outcome o = run_with("x ~ ^(a+)+$", RUN_WHOLE,
		"{\"x\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\"}");

	ck_assert_uint_eq(o.result, RUN_FAILED);
	ck_assert_str_eq(
		o.error, "x ~ ^(a+)+$: gave up on a value of 65 bytes: it takes too many steps");
	outcome_fini(&o);
	o = run_with("x = 1\ny ~ [", RUN_WHOLE, "{}");
	ck_assert_uint_eq(o.result, RUN_FAILED);
	ck_assert_msg(
		strstr(o.error, "match, line 2: the regular expression is wrong"), "%s", o.error);
	outcome_fini(&o);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("match");
	TCase *lines = tcase_create("lines"), *runs = tcase_create("runs");

	tcase_set_timeout(lines, 30);
	tcase_add_test(lines, what_holds);
	tcase_add_test(lines, what_does_not_hold_and_why);
	tcase_add_test(lines, what_is_refused_and_where);
	tcase_add_test(lines, long_values_are_cut);
	tcase_add_test(lines, a_regex_that_explodes_gives_up);
	tcase_add_test(lines, every_regex_ends);
	tcase_add_test(lines, an_honest_regex_may_have_a_megabyte);
	suite_add_tcase(s, lines);
	tcase_add_checked_fixture(runs, setup, teardown);
	tcase_add_test(runs, a_run_obeys_its_conditions);
	tcase_add_test(runs, conditions_that_give_up_or_are_wrong_fail_the_run);
	suite_add_tcase(s, runs);
	return suite_run(s);
}
