/* The grammar of conditions, a row a line: what each is read as, and what is refused. */
#include "base/conditions.h"

#include "base/auto.h"
#include "tests/unit/suite.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The values as form:text, with bars between them. */
static const struct {
	const char *line, *shown, *path, *values;
	enum condition_op op;
} good[] = {
	{"a = b", "a = b", "a", "bare:b", CONDITION_EQUAL},
	{"host.name=web*", "host.name = web*", "host.name", "glob:web*", CONDITION_EQUAL},
	{"  a\t=  b c \r", "a = b c", "a", "bare:b c", CONDITION_EQUAL},
	{"a != x | 2 | \"y\"", "a != x | 2 | \"y\"", "a", "bare:x|number:2|quoted:y",
		CONDITION_UNEQUAL},
	{"a != =x", "a != =x", "a", "bare:=x", CONDITION_UNEQUAL},
	{"a = x|y", "a = x|y", "a", "bare:x|y", CONDITION_EQUAL},
	{"a = x |y", "a = x |y", "a", "bare:x |y", CONDITION_EQUAL},
	{"a = \"\"", "a = \"\"", "a", "quoted:", CONDITION_EQUAL},
	{"a = \"*\"|\"\\u00fc\\\"\"", "a = \"*\"|\"\\u00fc\\\"\"", "a",
		"quoted:*|quoted:\xc3\xbc\"", CONDITION_EQUAL},
	{"a = -1.50e3", "a = -1.50e3", "a", "number:-1.50e3", CONDITION_EQUAL},
	{"a = 1.", "a = 1.", "a", "bare:1.", CONDITION_EQUAL},
	{"a = true", "a = true", "a", "bare:true", CONDITION_EQUAL},
	{"cpu.load<5", "cpu.load < 5", "cpu.load", "number:5", CONDITION_LESS},
	{"a <= \"5\"", "a <= \"5\"", "a", "quoted:5", CONDITION_LESS_EQUAL},
	{"a > x | y*", "a > x | y*", "a", "bare:x | y*", CONDITION_GREATER},
	{"disks[0].free >= 2026-01-31", "disks[0].free >= 2026-01-31", "disks[0].free",
		"bare:2026-01-31", CONDITION_GREATER_EQUAL},
	{"a~^b | \"c\"$", "a ~ ^b | \"c\"$", "a", "regex:^b | \"c\"$", CONDITION_MATCHED},
	{"@severity !~ ^debug", "@severity !~ ^debug", "@severity", "regex:^debug",
		CONDITION_UNMATCHED},
	{"labels[\"a = b\"] exists", "labels[\"a = b\"] exists", "labels[\"a = b\"]", "",
		CONDITION_EXISTS},
	{"exists absent", "exists absent", "exists", "", CONDITION_ABSENT},
	{"@type=x", "@type = x", "@type", "bare:x", CONDITION_EQUAL},
	{"@run_id ~ .", "@run_id ~ .", "@run_id", "regex:.", CONDITION_MATCHED},
};

static void
add_values(const struct condition *c, struct sbuf *out)
{
	static const char *const forms[] = {[CONDITION_NUMBER] = "number",
		[CONDITION_BARE] = "bare",
		[CONDITION_QUOTED] = "quoted",
		[CONDITION_GLOB] = "glob",
		[CONDITION_REGEX] = "regex"};

	for (size_t i = 0; i < c->count; i++) {
		sbuf_printf(out, "%s%s:", i ? "|" : "", forms[c->values[i].form]);
		sbuf_add(out, c->values[i].text, c->values[i].len);
	}
}

START_TEST(test_what_a_line_says)
{
	const char *line = good[_i].line;

	for (int again = 0; again < 2; again++, line = good[_i].shown) {
		AUTO(condition) struct condition c = {0};
		AUTO(sbuf) struct sbuf values = {0};
		struct err err = {0};

		ck_assert_msg(condition_parse(line, strlen(line), &c, &err) == 0, "%s: %s", line,
			err.msg);
		ck_assert_str_eq(c.line, good[_i].shown);
		ck_assert_str_eq(c.path, good[_i].path);
		ck_assert_int_eq(c.op, good[_i].op);
		add_values(&c, &values);
		ck_assert_str_eq(sbuf_str(&values), good[_i].values);
	}
}
END_TEST

#define NO_OPERATOR "behind 'a' must stand = != < <= > >= ~ !~ exists or absent, not "
#define OWN_PATHS   "there are @type, @stack, @agent, @severity, @source and @run_id"
#define NO_VALUE    "a value is missing: write \"\" for an empty text"

static const struct {
	const char *line, *error;
} bad[] = {
	{"", "'' does not begin with a path"},
	{"= 1", "'= 1' does not begin with a path"},
	{".a = 1", "'.a = 1' does not begin with a path"},
	{"a. b", "'a. b' does not begin with a path"},
	{"@typ = x", "@typ is not known: " OWN_PATHS},
	{"@types = x", "@types is not known: " OWN_PATHS},
	{"@type.x = x", "@type.x is not known: " OWN_PATHS},
	{"a", NO_OPERATOR "''"},
	{"a 5", NO_OPERATOR "'5'"},
	{"a like b", NO_OPERATOR "'like'"},
	{"a == 5", NO_OPERATOR "'=='"},
	{"a =~x", NO_OPERATOR "'=~'"},
	{"a =~ x", NO_OPERATOR "'=~'"},
	{"a =! x", NO_OPERATOR "'=!'"},
	{"a =>5", NO_OPERATOR "'=>'"},
	{"a ! b", NO_OPERATOR "'!'"},
	{"a <> b", NO_OPERATOR "'<>'"},
	{"a ~~ b", NO_OPERATOR "'~~'"},
	{"a existsx", NO_OPERATOR "'existsx'"},
	{"a exists 1", "nothing may stand behind 'exists'"},
	{"a absent now", "nothing may stand behind 'absent'"},
	{"a =", NO_VALUE},
	{"a = 1 |", NO_VALUE},
	{"a = | 1", NO_VALUE},
	{"a = 1 | | 2", NO_VALUE},
	{"a <", NO_VALUE},
	{"a = \"x", "a quote is not closed"},
	{"a = \"x\\\"", "a quote is not closed"},
	{"a = \"x\" y", "'y' stands behind a value"},
	{"a > \"x\" y", "'y' stands behind the value"},
	{"a > \"1\" | \"2\"", "'| \"2\"' stands behind the value"},
	{"a > true", "true is neither more nor less than anything"},
	{"a <= null", "null is neither more nor less than anything"},
	{"a ~", "a regular expression is missing"},
	{"a !~ \t", "a regular expression is missing"},
	{"a ~ \xff", "it is not UTF-8"},
	{"a = \xc3", "it is not UTF-8"},
};

START_TEST(test_what_is_refused)
{
	const char *line = bad[_i].line;
	struct condition c = {0};
	struct err err = {0};

	ck_assert_msg(condition_parse(line, strlen(line), &c, &err) == -EINVAL, "%s", line);
	ck_assert_str_eq(err.msg, bad[_i].error);
	ck_assert_ptr_null(c.line);
}
END_TEST

START_TEST(test_lines)
{
	AUTO(conditions) struct conditions c = {0};
	AUTO(sbuf) struct sbuf shown = {0};

	ck_assert_int_eq(conditions_parse("\n a=1\r\n\n \t\nb  exists", &c, NULL), 0);
	ck_assert_uint_eq(c.count, 2);
	ck_assert_uint_eq(c.numbers[0], 2);
	ck_assert_uint_eq(c.numbers[1], 5);
	conditions_show(&c, &shown);
	ck_assert_str_eq(sbuf_str(&shown), "a = 1\nb exists");
	conditions_fini(&c);
	ck_assert_int_eq(conditions_parse(" \n\n", &c, NULL), 0);
	ck_assert_uint_eq(c.count, 0);
}
END_TEST

START_TEST(test_the_wrong_line_is_named)
{
	struct conditions c;
	struct err err = {0};

	ck_assert_int_eq(conditions_parse("a = 1\n\n \nb =\nc", &c, &err), -EINVAL);
	ck_assert_str_eq(err.msg, "line 4: " NO_VALUE);
}
END_TEST

/* What is shown is read again, so it is that which has the limit. */
START_TEST(test_there_are_not_too_many)
{
	AUTO(sbuf) struct sbuf lines = {0};
	AUTO(conditions) struct conditions c = {0};
	struct conditions none;
	struct err err = {0};

	for (int i = 0; i < CONDITIONS_MAX; i++)
		sbuf_adds(&lines, "a = 1\n");
	ck_assert_int_eq(conditions_parse(sbuf_str(&lines), &c, &err), 0);
	sbuf_adds(&lines, "\na = 1");
	ck_assert_int_eq(conditions_parse(sbuf_str(&lines), &none, &err), -EINVAL);
	ck_assert_str_eq(err.msg, "line 66: there are more than 64 conditions");

	conditions_fini(&c);
	sbuf_reset(&lines);
	sbuf_printf(&lines, "a=%01020d", 1);
	ck_assert_int_eq(conditions_parse(sbuf_str(&lines), &c, &err), 0);
	ck_assert_uint_eq(strlen(c.rows[0].line), CONDITION_BYTES_MAX);
	sbuf_adds(&lines, "1");
	ck_assert_int_eq(conditions_parse(sbuf_str(&lines), &none, &err), -EINVAL);
	ck_assert_str_eq(err.msg, "line 1: a condition has at most 1024 bytes");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("conditions");
	TCase *tc = tcase_create("conditions");

	tcase_add_loop_test(tc, test_what_a_line_says, 0, COUNT(good));
	tcase_add_loop_test(tc, test_what_is_refused, 0, COUNT(bad));
	tcase_add_test(tc, test_lines);
	tcase_add_test(tc, test_the_wrong_line_is_named);
	tcase_add_test(tc, test_there_are_not_too_many);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
