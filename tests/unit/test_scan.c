/* Records are found wherever the bytes are cut. */
#include "fsd/events/scan.h"

#include "base/mem.h"
#include "base/sbuf.h"
#include "tests/unit/suite.h"

#include <string.h>

#define MAX 64

/* Feed text in pieces of step bytes; write what is found: <record> per record, ! broken, # too big,
 * ~text~ for what is left. */
static char *
split(const char *text, size_t step)
{
	struct scan scan = {0};
	struct sbuf out = {0}, record = {0};
	size_t at = 0, len = strlen(text);

	while (at < len) {
		size_t n = len - at < step ? len - at : step;
		struct scan_piece piece;
		enum scan_end end = scan_next(&scan, text + at, n, MAX, &piece);

		sbuf_add(&record, text + at + piece.begin, piece.end - piece.begin);
		if (end == SCAN_MORE) {
			at += n;
			continue;
		}
		at += piece.end;
		if (end == SCAN_RECORD)
			sbuf_printf(&out, "<%zu%s%s>", piece.line, piece.is_junk ? "?" : ":",
				sbuf_str(&record));
		else
			sbuf_addc(&out, end == SCAN_BROKEN ? '!' : '#');
		sbuf_reset(&record);
	}
	if (record.len)
		sbuf_printf(&out, "~%s~", sbuf_str(&record));
	sbuf_fini(&record);
	return sbuf_take(&out);
}

static const struct {
	const char *text, *expected;
} cases[] = {
	{"", ""},
	{" \n\t\r\n", ""},
	{"{}", "<1:{}>"},
	{"{}{}\n{}", "<1:{}><1:{}><2:{}>"},
	{"{\"a\":\"}\"}", "<1:{\"a\":\"}\"}>"},
	{"{\"a\":\"\\\"}\"}x", "<1:{\"a\":\"\\\"}\"}>~x~"},
	{"{\"a\":\"\\\\\"}", "<1:{\"a\":\"\\\\\"}>"},
	{"{\n\"a\":[{}\n]}\n\n{}", "<1:{\n\"a\":[{}\n]}><5:{}>"},
	{"a.b c=1\nd.e", "<1:a.b c=1>~d.e~"},
	{"a.b\r\n{}\n", "<1:a.b\r><2:{}>"},
	{"{} junk\nok\n", "<1:{}><1?junk><2:ok>"},
	{"{\"a\":\"x\n\"}\n", "!<2:\"}>"},
	{"{\"a\":\"x\\\n\"}\n", "!<2:\"}>"},
	{"{\"a\":1]\n", "<1:{\"a\":1]>"},
	{"{\"a\":", "~{\"a\":~"},
	{"[1]\n", "<1:[1]>"},
	{"\n\n} \n", "<3:} >"},
};

START_TEST(test_every_cut)
{
	size_t step;

	for (step = 1; step < 12; step++) {
		char *got = split(cases[_i].text, step);

		ck_assert_str_eq(got, cases[_i].expected);
		free(got);
	}
}
END_TEST

START_TEST(test_limit)
{
	char text[MAX + 3] = "{\"";
	struct scan_piece piece;
	struct scan scan = {0};

	memset(text + 2, 'x', MAX - 4);
	memcpy(text + MAX - 2, "\"}", 3);
	ck_assert_int_eq(scan_next(&scan, text, MAX, MAX, &piece), SCAN_RECORD);
	ck_assert_int_eq(scan_next(&scan, text, MAX, MAX - 1, &piece), SCAN_TOO_BIG);
	ck_assert_int_eq(scan.kind, SCAN_NONE);
	ck_assert_int_eq(scan_next(&scan, text, MAX - 2, MAX - 2, &piece), SCAN_MORE);
	ck_assert_int_eq(scan_next(&scan, text, 1, MAX - 2, &piece), SCAN_TOO_BIG);
	ck_assert_int_eq(scan_next(&scan, "{}", 2, MAX, &piece), SCAN_RECORD);
}
END_TEST

START_TEST(test_drop_counts_lines_on)
{
	struct scan scan = {0};
	struct scan_piece piece;

	ck_assert_int_eq(scan_next(&scan, "\n{\n\n", 4, MAX, &piece), SCAN_MORE);
	ck_assert_int_eq(scan.kind, SCAN_OBJECT);
	scan_drop(&scan);
	ck_assert_int_eq(scan_next(&scan, "{}", 2, MAX, &piece), SCAN_RECORD);
	ck_assert_uint_eq(piece.line, 4);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("scan");
	TCase *tc = tcase_create("scan");

	suite_add_tcase(suite, tc);
	tcase_add_loop_test(tc, test_every_cut, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(tc, test_limit);
	tcase_add_test(tc, test_drop_counts_lines_on);
	return suite_run(suite);
}
