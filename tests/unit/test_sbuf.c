/* base/sbuf.c: growth, JSON escaping, shifting. */
#include "base/sbuf.h"
#include "tests/unit/suite.h"

#include <string.h>

START_TEST(grows_and_stays_terminated)
{
	struct sbuf b = {0};

	ck_assert_str_eq(sbuf_str(&b), "");
	for (int i = 0; i < 1000; i++)
		sbuf_printf(&b, "%03d,", i);
	ck_assert_uint_eq(b.len, 4000);
	ck_assert_uint_eq(strlen(b.data), 4000);
	ck_assert_mem_eq(b.data + 3996, "999,", 5);
	sbuf_fini(&b);
	ck_assert_ptr_null(b.data);
}
END_TEST

static const struct {
	const char *in;
	size_t len;
	const char *out;
} json_cases[] = {
	{"", 0, "\"\""}, {"plain", 5, "\"plain\""}, {"a\"b\\c", 5, "\"a\\\"b\\\\c\""},
	{"\n\r\t\b\f", 5, "\"\\n\\r\\t\\b\\f\""}, {"\0\x1f\x7f", 3, "\"\\u0000\\u001f\\u007f\""},
	{"h\xc3\xa9", 3, "\"h\xc3\xa9\""}, {"\xf0\x9f\xa6\xa5", 4, "\"\xf0\x9f\xa6\xa5\""},
	{"\xc3", 1, "\"\xef\xbf\xbd\""},                                 /* cut short */
	{"\xc0\xaf", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\""},                 /* overlong */
	{"\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""}, /* surrogate */
	{"\xf4\x90\x80\x80", 4,
		"\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""}, /* too high */
};

START_TEST(json_escapes_what_json_must_not_hold)
{
	struct sbuf b = {0};

	sbuf_json(&b, json_cases[_i].in, json_cases[_i].len);
	ck_assert_str_eq(sbuf_str(&b), json_cases[_i].out);
	sbuf_fini(&b);
}
END_TEST

START_TEST(numbers_are_decimal)
{
	struct sbuf b = {0};

	sbuf_addu(&b, 0);
	sbuf_addc(&b, ' ');
	sbuf_addu(&b, 1209);
	sbuf_addc(&b, ' ');
	sbuf_addu(&b, UINT64_MAX);
	ck_assert_str_eq(b.data, "0 1209 18446744073709551615");
	sbuf_fini(&b);
}
END_TEST

START_TEST(shift_drops_the_front)
{
	struct sbuf b = {0};

	sbuf_adds(&b, "abcdef");
	sbuf_shift(&b, 0);
	sbuf_shift(&b, 2);
	ck_assert_str_eq(b.data, "cdef");
	sbuf_shift(&b, 4);
	ck_assert_str_eq(b.data, "");
	ck_assert_uint_eq(b.len, 0);
	sbuf_fini(&b);
}
END_TEST

START_TEST(take_leaves_an_empty_buffer)
{
	struct sbuf b = {0};
	char *s;

	s = sbuf_take(&b);
	ck_assert_str_eq(s, "");
	free(s);
	sbuf_adds(&b, "x");
	s = sbuf_take(&b);
	ck_assert_str_eq(s, "x");
	ck_assert_ptr_null(b.data);
	free(s);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("sbuf");
	TCase *tc = tcase_create("sbuf");

	tcase_add_test(tc, grows_and_stays_terminated);
	tcase_add_loop_test(tc, json_escapes_what_json_must_not_hold, 0,
		sizeof(json_cases) / sizeof(json_cases[0]));
	tcase_add_test(tc, numbers_are_decimal);
	tcase_add_test(tc, shift_drops_the_front);
	tcase_add_test(tc, take_leaves_an_empty_buffer);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
