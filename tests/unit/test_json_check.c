/* The walk accepts what jansson accepts, but for NUL bytes, and tells where members lie. */
#include "fsd/events/json_check.h"

#include "tests/unit/cases.h"
#include "tests/unit/suite.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

static bool
ours(const char *text, size_t len)
{
	struct json_text t = {.at = text, .end = text + len};

	return json_value(&t) && t.at == t.end;
}

static bool
theirs(const char *text, size_t len)
{
	json_t *value = json_loadb(text, len, JSON_DECODE_ANY, NULL);

	json_decref(value);
	return value != NULL;
}

static void
check_verdict(const char *input, const char *expected)
{
	bool is_good = strcmp(expected, "good") == 0;

	ck_assert_msg(ours(input, strlen(input)) == is_good, "%s is not %s", input, expected);
	ck_assert_msg(theirs(input, strlen(input)) == is_good, "%s: jansson differs", input);
}

START_TEST(test_verdicts)
{
	each_case("tests/data/json.cases", check_verdict);
}
END_TEST

/* Every prefix, and every text with one byte replaced, gets jansson's verdict. */
static void
check_damage(const char *input, const char *expected)
{
	static const char spoilers[] = "\"\\{}[],:0-9.eE+ntfu\x01\x80\xC3\xED\xA0\xF4 ";
	size_t len = strlen(input), i, s;
	char text[512];

	(void)expected;
	for (i = 0; i <= len; i++)
		ck_assert_msg(ours(input, i) == theirs(input, i), "%.*s", (int)i, input);
	for (i = 0; i < len; i++)
		for (s = 0; s < sizeof(spoilers) - 1; s++) {
			memcpy(text, input, len);
			text[i] = spoilers[s];
			ck_assert_msg(ours(text, len) == theirs(text, len), "%.*s", (int)len, text);
		}
}

START_TEST(test_damaged_text_gets_the_same_verdict)
{
	each_case("tests/data/json.cases", check_damage);
}
END_TEST

START_TEST(test_nul_byte)
{
	static const char text[] = "{\"a\":1\0}";
	struct err err = {0};

	ck_assert(!ours(text, sizeof(text) - 1));
	ck_assert_int_eq(json_explain(text, sizeof(text) - 1, 1, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "NUL"));
}
END_TEST

START_TEST(test_depth)
{
	char text[2 * JSON_DEPTH_MAX + 2];
	size_t depth;

	for (depth = JSON_DEPTH_MAX - 1; depth <= JSON_DEPTH_MAX + 1; depth++) {
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		ck_assert_msg(ours(text, 2 * depth) == theirs(text, 2 * depth), "depth %zu", depth);
	}
	ck_assert(!ours(text, 2 * (depth - 1)));
}
END_TEST

START_TEST(test_members)
{
	static const char text[] = "{ \"a\" : [1, \"}\"] ,\"b\\u0063\":\"x\\ny\" }";
	struct json_text t = {.at = text, .end = text + strlen(text), .depth = 1};
	struct json_span key, value;
	struct sbuf out = {0};

	ck_assert(json_enter(&t));
	ck_assert_int_eq(json_member(&t, &key, &value), 1);
	ck_assert_int_eq(memcmp(value.at, "[1, \"}\"]", value.len), 0);
	ck_assert_uint_eq(value.len, 8);
	ck_assert_int_eq(json_member(&t, &key, &value), 1);
	json_unquote(key, &out);
	sbuf_addc(&out, '=');
	json_unquote(value, &out);
	ck_assert_str_eq(sbuf_str(&out), "bc=x\ny");
	ck_assert_int_eq(json_member(&t, &key, &value), 0);
	ck_assert_ptr_eq(t.at, t.end);
	sbuf_fini(&out);
}
END_TEST

START_TEST(test_unquote_makes_utf8)
{
	static const char text[] = "\"\\u00e9\\ud83d\\ude00\\/\"";
	struct sbuf out = {0};

	json_unquote((struct json_span){text, strlen(text)}, &out);
	ck_assert_str_eq(sbuf_str(&out), "\xC3\xA9\xF0\x9F\x98\x80/");
	sbuf_fini(&out);
}
END_TEST

START_TEST(test_complaint_names_line_and_column)
{
	static const char text[] = "{\n  \"type\": x\n}";
	struct err err = {0};

	ck_assert_int_eq(json_explain(text, strlen(text), 7, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "line 8, column 1"));
	ck_assert_ptr_nonnull(strstr(err.msg, "'x'"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("json_check");
	TCase *tc = tcase_create("json_check");

	suite_add_tcase(suite, tc);
	tcase_add_test(tc, test_verdicts);
	tcase_add_test(tc, test_damaged_text_gets_the_same_verdict);
	tcase_add_test(tc, test_nul_byte);
	tcase_add_test(tc, test_depth);
	tcase_add_test(tc, test_members);
	tcase_add_test(tc, test_unquote_makes_utf8);
	tcase_add_test(tc, test_complaint_names_line_and_column);
	return suite_run(suite);
}
