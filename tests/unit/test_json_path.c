/* Paths are checked, values are found and written as people write them. */
#include "base/json_path.h"

#include "base/auto.h"
#include "base/mem.h"
#include "tests/unit/suite.h"

/* What the path finds, as text; "-" when nothing.  The text has no NUL behind it, so that a read
 * past its end is one that the sanitizer sees. */
static void
check_find(const char *json, const char *path, const char *expected)
{
	AUTO(free) char *exact = memcpy(mem_realloc(NULL, strlen(json)), json, strlen(json));
	AUTO(sbuf) struct sbuf out = {0};
	struct err err = {0};
	const char *value;
	size_t len = 0;

	ck_assert_msg(json_path_check(path, &err) == 0, "%s", err.msg);
	value = json_path_find(exact, strlen(json), path, &len);
	if (value)
		json_value_text(value, len, &out);
	else
		sbuf_adds(&out, "-");
	ck_assert_msg(!strcmp(sbuf_str(&out), expected), "%s of %s is %s, not %s", path, json,
		sbuf_str(&out), expected);
}

static const struct {
	const char *json, *path, *expected;
} finds[] = {
	{"{\"host\":\"web1\"}", "host", "web1"},
	{" { \"host\" : \"web1\" , \"n\" : 3 } ", "n", "3"},
	{"{\"a\":{\"b\":{\"c\":true}}}", "a.b.c", "true"},
	{"{\"a\":{\"b\":{\"c\":true}}}", "a.b", "{\"c\":true}"},
	{"{\"a\":{\"b\":1}}", "a.c", "-"},
	{"{\"a\":{\"b\":1}}", "b", "-"},
	{"{\"a\":1}", "a.b", "-"},
	{"{\"a\":\"{}\"}", "a.b", "-"},
	{"{}", "a", "-"},
	{"[]", "a", "-"},
	{"{\"a\":null}", "a", "null"},
	{"{\"a\":\"\"}", "a", ""},
	{"{\"disks\":[{\"path\":\"/\"},{\"path\":\"/var\"}]}", "disks[1].path", "/var"},
	{"{\"disks\":[ 1 , [ 2, 3 ] ,4]}", "disks[1][1]", "3"},
	{"{\"disks\":[1,2]}", "disks[2]", "-"},
	{"{\"disks\":[]}", "disks[0]", "-"},
	{"{\"disks\":{\"0\":1}}", "disks[0]", "-"},
	{"{\"disks\":[1]}", "disks.0", "-"},
	{"{\"labels\":{\"a.b\":7}}", "labels[\"a.b\"]", "7"},
	{"{\"\":7}", "[\"\"]", "7"},
	{"{\"@type\":7}", "[\"@type\"]", "7"},
	{"[10,11]", "[1]", "11"},
	/* brackets, commas and quotes inside strings are no structure */
	{"{\"x\":\"}],{[\\\"\",\"y\":1}", "y", "1"},
	{"{\"x\":\"\\\\\",\"y\":\"a\\\"b\"}", "y", "a\"b"},
	{"{\"x\":[\"]\",{\"y\":2}],\"y\":3}", "y", "3"},
	/* of a name given twice the last counts, also one step above */
	{"{\"a\":1,\"a\":2}", "a", "2"},
	{"{\"a\":{\"b\":1},\"a\":{\"c\":2}}", "a.b", "-"},
	/* escapes in names, in the text and in the path */
	{"{\"\\u0061b\":5}", "ab", "5"},
	{"{\"a\\\"b\":5}", "[\"a\\\"b\"]", "5"},
	{"{\"ab\":5}", "[\"\\u0061b\"]", "5"},
	{"{\"a\\u0062\":5,\"abc\":6}", "abc", "6"},
	{"{\"\xc3\xa4\":5}", "[\"\\u00e4\"]", "5"},
	{"{\"\xc3\xa4\":5}", "\xc3\xa4", "5"},
	/* escapes in values */
	{"{\"a\":\"\\b\\f\\n\\r\\t\\/\\\\\\\"\"}", "a", "\b\f\n\r\t/\\\""},
	{"{\"a\":\"\\u00e4\\u20ac\\ud83d\\ude00x\"}", "a", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80x"},
	{"{\"a\":\"\\ud83dx\\ude00\"}", "a", "\xef\xbf\xbdx\xef\xbf\xbd"},
	{"{\"a\":\"\\ud83d\\u0041\"}", "a",
		"\xef\xbf\xbd"
		"A"},
	/* numbers stand as they were written */
	{"{\"a\":-1.50e+3}", "a", "-1.50e+3"},
	{"{\"a\":1}", "a", "1"},
	{"7", "a", "-"},
	/* not JSON: no answer, or a wrong one, but no read outside */
	{"{\"a\":\"x", "a", ""},
	{"{\"a\":\"\\u12", "b", "-"},
	{"{\"a\\", "a", ""},
	{"{\"a\"", "a", ""},
	{"{\"a\":{\"b\":[1,", "a.b[1]", "-"},
	{"{", "a", "-"},
	{"[", "[0]", "-"},
	{"[}", "[1]", "-"},
};

START_TEST(test_values_are_found)
{
	check_find(finds[_i].json, finds[_i].path, finds[_i].expected);
}
END_TEST

START_TEST(test_a_nul_byte_is_a_byte)
{
	AUTO(sbuf) struct sbuf out = {0};

	json_value_text("\"a\\u0000b\"", 10, &out);
	ck_assert_uint_eq(out.len, 3);
	ck_assert(!memcmp(out.data, "a\0b", 3));
}
END_TEST

START_TEST(test_every_prefix_of_a_text_is_safe)
{
	const char *json = "{\"a\\u0062\": [1, {\"c\": \"\\ud83d\\ude00\\\"\"}], \"d\": \"e\"}";
	size_t len;

	for (len = 1; len < strlen(json); len++) {
		AUTO(free) char *exact = memcpy(mem_realloc(NULL, len), json, len);
		AUTO(sbuf) struct sbuf out = {0};
		size_t found_len = 0;
		const char *found = json_path_find(exact, len, "ab[1].c", &found_len);

		ck_assert(!found || found + found_len <= exact + len);
		if (found)
			json_value_text(found, found_len, &out);
	}
}
END_TEST

static const char *const bad_paths[] = {
	"",
	".",
	".a",
	"a.",
	"a..b",
	"a b",
	" a",
	"a ",
	"a[",
	"a[]",
	"a[x]",
	"a[-1]",
	"a[1",
	"a[1]b",
	"a[1234567890]",
	"a]",
	"a\"b",
	"[\"a",
	"[\"a\"",
	"[\"a\\\"]",
	"[\"",
	"@type",
	"a=b",
	"a\nb",
};

START_TEST(test_what_is_no_path)
{
	struct err err = {0};

	ck_assert_msg(json_path_check(bad_paths[_i], &err) == -EINVAL, "'%s' is taken for a path",
		bad_paths[_i]);
	ck_assert_int_gt((int)strlen(err.msg), 0);
}
END_TEST

START_TEST(test_the_length_of_a_path_is_bounded)
{
	char path[300];

	memset(path, 'a', sizeof(path));
	path[256] = '\0';
	ck_assert_int_eq(json_path_check(path, NULL), 0);
	path[256] = 'a';
	path[257] = '\0';
	ck_assert_int_eq(json_path_check(path, NULL), -EINVAL);
}
END_TEST

START_TEST(test_where_a_path_ends_in_a_line)
{
	ck_assert_uint_eq(json_path_span("host.name = web*"), 9);
	ck_assert_uint_eq(json_path_span("disks[0].free<5"), 13);
	ck_assert_uint_eq(json_path_span("[\"a = b\"] = c"), 9);
	ck_assert_uint_eq(json_path_span("a"), 1);
	ck_assert_uint_eq(json_path_span("= a"), 0);
	ck_assert_uint_eq(json_path_span("a. b"), 0);
	ck_assert_uint_eq(json_path_span(""), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("json_path");
	TCase *tc = tcase_create("json_path");

	tcase_add_loop_test(tc, test_values_are_found, 0, sizeof(finds) / sizeof(finds[0]));
	tcase_add_test(tc, test_a_nul_byte_is_a_byte);
	tcase_add_test(tc, test_every_prefix_of_a_text_is_safe);
	tcase_add_loop_test(tc, test_what_is_no_path, 0, sizeof(bad_paths) / sizeof(bad_paths[0]));
	tcase_add_test(tc, test_the_length_of_a_path_is_bounded);
	tcase_add_test(tc, test_where_a_path_ends_in_a_line);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
