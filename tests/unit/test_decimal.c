/* Numbers compared by their digits. */
#include "base/decimal.h"
#include "tests/unit/suite.h"

#include <string.h>

START_TEST(what_is_a_number)
{
	static const char *const numbers[] = {
		"0", "-0", "7", "-12.50", "0.1", "1e9", "2E+3", "3e-7", "123456789012345678901"};
	static const char *const others[] = {"", "-", "01", "1.", ".5", "+1", "1e", "1e+", "1 ",
		"0x10", "1.2.3", "nan", "inf", "1,5", "--1", "1-1"};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		ck_assert_msg(decimal_is(numbers[i], strlen(numbers[i])), "%s", numbers[i]);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		ck_assert_msg(!decimal_is(others[i], strlen(others[i])), "%s", others[i]);
}
END_TEST

START_TEST(order)
{
	static const struct {
		const char *a;
		char relation;
		const char *b;
	} cases[] = {
		{"1", '=', "1.0"},
		{"0", '=', "-0.000"},
		{"0", '=', "0e99"},
		{"100", '=', "1e2"},
		{"0.001", '=', "1e-3"},
		{"0.00123", '=', "12.3e-4"},
		{"1", '<', "2"},
		{"9", '<', "10"},
		{"-10", '<', "-9"},
		{"-1", '<', "0"},
		{"0", '<', "0.0001"},
		{"0.1", '<', "0.11"},
		{"1.9", '<', "1.91"},
		{"90", '<', "90.000000000000000000001"},
		{"9007199254740992", '<', "9007199254740993"},
		{"18446744073709551615", '<', "18446744073709551616"},
		{"99999999999999999999999998", '<', "99999999999999999999999999"},
		{"1e-999999999999999", '<', "1e-5"},
		{"5", '<', "1e99999999999999999999"},
		{"-1e400", '<', "-1e399"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t a_len = strlen(cases[i].a), b_len = strlen(cases[i].b);
		int there = decimal_compare(cases[i].a, a_len, cases[i].b, b_len);
		int back = decimal_compare(cases[i].b, b_len, cases[i].a, a_len);

		ck_assert_msg(
			cases[i].relation == '=' ? there == 0 && back == 0 : there < 0 && back > 0,
			"%s %c %s: %d, %d", cases[i].a, cases[i].relation, cases[i].b, there, back);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("decimal");
	TCase *tc = tcase_create("decimal");

	tcase_add_test(tc, what_is_a_number);
	tcase_add_test(tc, order);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
