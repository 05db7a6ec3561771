/* Durations and sizes, read and written back: the cases are in tests/data. */
#include "base/units.h"

#include "tests/unit/cases.h"
#include "tests/unit/suite.h"

typedef int parse_fn(const char *text, int64_t *ret, struct err *err);
typedef void add_fn(struct sbuf *out, int64_t value);

static void
check_case(parse_fn *parse, add_fn *add, const char *input, const char *expected)
{
	struct sbuf out = {0};
	struct err err = {0};
	int64_t value = -1, again = -1;

	if (strcmp(expected, "bad") == 0) {
		ck_assert_msg(parse(input, &value, &err) == -EINVAL, "'%s' was accepted", input);
		ck_assert_int_eq(err.code, EINVAL);
		ck_assert_ptr_nonnull(strstr(err.msg, input));
		ck_assert_int_eq(value, -1);
		return;
	}
	ck_assert_msg(parse(input, &value, &err) == 0, "'%s': %s", input, err.msg);
	sbuf_printf(&out, "%lld ", (long long)value);
	add(&out, value);
	ck_assert_str_eq(sbuf_str(&out), expected);
	ck_assert_int_eq(parse(strchr(out.data, ' ') + 1, &again, NULL), 0);
	ck_assert_int_eq(again, value);
	sbuf_fini(&out);
}

static void
check_duration(const char *input, const char *expected)
{
	check_case(units_parse_duration, units_add_duration, input, expected);
}

static void
check_size(const char *input, const char *expected)
{
	check_case(units_parse_size, units_add_size, input, expected);
}

START_TEST(test_durations)
{
	each_case("tests/data/durations.cases", check_duration);
}
END_TEST

START_TEST(test_sizes)
{
	each_case("tests/data/sizes.cases", check_size);
}
END_TEST

START_TEST(test_milliseconds)
{
	static const struct {
		int64_t ns;
		const char *text;
	} cases[] = {{0, "0.000"}, {499, "0.000"}, {500, "0.001"}, {1234567, "1.235"},
		{60000000000, "60000.000"}, {-5, "0.000"}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sbuf out = {0};

		units_add_ms(&out, cases[i].ns);
		ck_assert_str_eq(sbuf_str(&out), cases[i].text);
		sbuf_fini(&out);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("units");
	TCase *tc = tcase_create("cases");

	tcase_add_test(tc, test_durations);
	tcase_add_test(tc, test_sizes);
	tcase_add_test(tc, test_milliseconds);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
