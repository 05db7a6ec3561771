/* RFC 3339, read and written: the cases are in tests/data; every day of six centuries is walked. */
#include "base/clock.h"

#include "tests/unit/cases.h"
#include "tests/unit/suite.h"

#include <time.h>

static void
check_time(const char *input, const char *expected)
{
	char text[CLOCK_TEXT_MAX], got[64];
	struct err err = {0};
	int64_t ns = 7;

	if (strcmp(expected, "bad") == 0) {
		ck_assert_msg(clock_parse(input, &ns, &err) == -EINVAL, "'%s' accepted", input);
		ck_assert_int_eq(ns, 7);
		return;
	}
	ck_assert_msg(clock_parse(input, &ns, &err) == 0, "%s", err.msg);
	clock_format(ns, text);
	(void)snprintf(got, sizeof(got), "%lld %s", (long long)ns, text);
	ck_assert_str_eq(got, expected);
}

START_TEST(test_cases)
{
	each_case("tests/data/times.cases", check_time);
}
END_TEST

START_TEST(test_every_day_as_the_c_library_says)
{
	const int64_t day_ns = 86400 * NS_PER_S;

	for (int64_t day = -105000; day < 105000; day++) {
		time_t t = day * 86400 + 3723;
		char text[CLOCK_TEXT_MAX], theirs[CLOCK_TEXT_MAX];
		struct tm tm;
		int64_t ns;

		clock_format(day * day_ns + 3723 * NS_PER_S, text);
		strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%S.000000000Z", gmtime_r(&t, &tm));
		ck_assert_str_eq(text, theirs);
		ck_assert_int_eq(clock_parse(text, &ns, NULL), 0);
		ck_assert_int_eq(ns, t * NS_PER_S);
	}
}
END_TEST

START_TEST(test_clocks_advance)
{
	int64_t mono = clock_mono_ns();

	ck_assert_int_gt(clock_real_ns(), 1700000000 * NS_PER_S);
	ck_assert_int_ge(clock_mono_ns(), mono);
}
END_TEST

START_TEST(test_the_steady_clock_is_near_the_real_one)
{
	int64_t before = clock_real_ns(), steady = clock_steady_ns(), slack = NS_PER_S;

	ck_assert_int_ge(steady, before - slack);
	ck_assert_int_le(steady, clock_real_ns() + slack);
	ck_assert_int_ge(clock_steady_ns(), steady);
	ck_assert_int_lt(llabs(clock_steady_of_real(before) - before), slack);
	ck_assert_int_lt(llabs(clock_real_of_steady(clock_steady_of_real(before)) - before), slack);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("clock");
	TCase *tc = tcase_create("rfc3339");

	tcase_add_test(tc, test_cases);
	tcase_add_test(tc, test_every_day_as_the_c_library_says);
	tcase_add_test(tc, test_clocks_advance);
	tcase_add_test(tc, test_the_steady_clock_is_near_the_real_one);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
