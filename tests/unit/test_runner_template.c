/* tools/runner/template.c: declarations are read where they stand, and what is filled in is one
 * literal of Lua. */
#include "base/auto.h"
#include "base/mem.h"
#include "tests/unit/suite.h"
#include "tools/runner/event.h"
#include "tools/runner/template.h"

#include <check.h>
#include <string.h>

static const char source[] = "-- Say things.\n"
			     "-- And more.\n"
			     "\n"
			     "local text = \"a -- param b\" -- param text: what to say\n"
			     "local url = nil -- param url, required: where\n"
			     "local n = 1   -- param number: how often\n"
			     "local other = 2 -- no parameter\n"
			     "return {}";

static struct template parsed(const char *text)
{
	struct sbuf copy = {0};
	struct template t;
	struct err err = {0};

	sbuf_adds(&copy, text);
	ck_assert_msg(template_parse("say", &copy, &t, &err) == 0, "%s", err.msg);
	ck_assert_uint_eq(copy.len, 0);
	return t;
}

static char *
filled(const struct template *t)
{
	struct sbuf out = {0};
	struct err err = {0};

	ck_assert_msg(template_fill(t, &out, &err) == 0, "%s", err.msg);
	return sbuf_take(&out);
}

START_TEST(declarations_are_read)
{
	AUTO(template) struct template t = parsed(source);

	ck_assert_str_eq(t.description, "Say things. And more.");
	ck_assert_uint_eq(t.count, 3);
	ck_assert_str_eq(t.params[0].name, "text");
	ck_assert_str_eq(t.params[0].literal, "\"a -- param b\"");
	ck_assert_str_eq(t.params[0].help, "what to say");
	ck_assert(!t.params[0].is_required);
	ck_assert_int_eq(t.params[1].kind, PARAM_URL);
	ck_assert(t.params[1].is_required);
	ck_assert_str_eq(t.params[2].literal, "1");
}
END_TEST

START_TEST(wrong_declarations_are_refused)
{
	static const char *const wrong[] = {
		"local x = 1 -- param nmber: help\n",
		"local x = 1 -- param number\n",
		"local x = 1 -- param number,required: help\n",
		"local x = 1 -- param number, optional: help\n",
		"local x = 1 -- param numbers: help\n",
		"local x =1 -- param number: help\n",
		"local x = -- param number: help\n",
		"local = 1 -- param number: help\n",
		"x = 1 -- param number: help\n",
		"-- param number: help\n",
		"-- param ",
		"local -- param text: help",
		"local x = 1 -- param :",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		AUTO(sbuf) struct sbuf text = {0};
		struct template t;
		struct err err = {0};

		sbuf_printf(&text, "\n%s", wrong[i]);
		ck_assert_msg(template_parse("say", &text, &t, &err) == -EINVAL, "%s", wrong[i]);
		ck_assert_ptr_nonnull(strstr(err.msg, "'say', line 2: a parameter"));
	}
}
END_TEST

START_TEST(what_is_filled_in_stands_in_its_line)
{
	AUTO(template) struct template t = parsed(source);
	AUTO(free) char *text = NULL;
	struct err err = {0};

	ck_assert_int_eq(template_set(&t, "url", "http://h/x", &err), 0);
	ck_assert_int_eq(template_set(&t, "text", "first", &err), 0);
	ck_assert_int_eq(template_set(&t, "text", "the last wins", &err), 0);
	text = filled(&t);
	ck_assert_str_eq(text, "-- Say things.\n"
			       "-- And more.\n"
			       "\n"
			       "local text = \"the last wins\" -- param text: what to say\n"
			       "local url = \"http://h/x\" -- param url, required: where\n"
			       "local n = 1   -- param number: how often\n"
			       "local other = 2 -- no parameter\n"
			       "return {}");
}
END_TEST

START_TEST(a_required_one_must_be_given)
{
	AUTO(template) struct template t = parsed(source);
	AUTO(sbuf) struct sbuf out = {0};
	struct err err = {0};

	ck_assert_int_eq(template_fill(&t, &out, &err), -EINVAL);
	ck_assert_str_eq(err.msg, "template 'say' needs 'url', where: --set url=VALUE");
}
END_TEST

static const struct {
	const char *kind, *value, *literal; /* NULL: refused */
} values[] = {
	{"text", "", "\"\""},
	{"text", "a\"b\\c", "\"a\\\"b\\\\c\""},
	{"text", "two\nlines\r\t", "\"two\\010lines\\013\\009\""},
	{"text", "1\0012", "\"1\\0012\""},
	{"text", "\xc3\xbc", "\"\xc3\xbc\""},
	{"url", "http://h", "\"http://h\""},
	{"url", "https://[::1]:80/x?y", "\"https://[::1]:80/x?y\""},
	{"url", "http://", NULL},
	{"url", "http:// h", NULL},
	{"url", "http://h/a b", NULL},
	{"url", "javascript:x", NULL},
	{"path", "/", "\"/\""},
	{"path", "~/x", "\"~/x\""},
	{"path", "", "\"\""},
	{"path", "x", NULL},
	{"path", "~root", NULL},
	{"duration", "1h30m", "\"1h30m\""},
	{"duration", "5", NULL},
	{"duration", "", NULL},
	{"number", "0", "0"},
	{"number", "-1.5", "-1.5"},
	{"number", "1.", NULL},
	{"number", ".5", NULL},
	{"number", "", NULL},
	{"number", "-", NULL},
	{"number", "1e5", NULL},
	{"number", "1)os.exit(", NULL},
	{"number", "12345678901234567890", NULL},
	{"boolean", "true", "true"},
	{"boolean", "1", NULL},
	{"list", "", "{ }"},
	{"list", "a", "{ \"a\" }"},
	{"list", "a,,b,", "{ \"a\", \"b\" }"},
	{"list", "[]", "{ }"},
	{"list", "[\"a,b\",\"}\"]", "{ \"a,b\", \"}\" }"},
	{"list", "[\"a\",2]", NULL},
	{"list", "[a", NULL},
};

START_TEST(values_become_literals_or_are_refused)
{
	AUTO(free) char *line = mem_printf("local x = 1 -- param %s: help\n", values[_i].kind);
	AUTO(template) struct template t = parsed(line);
	struct err err = {0};
	int code = template_set(&t, "x", values[_i].value, &err);

	if (!values[_i].literal) {
		ck_assert_int_eq(code, -EINVAL);
		ck_assert_ptr_nonnull(strstr(err.msg, "'x' of template 'say' has to be "));
		ck_assert_ptr_null(t.params[0].filled);
	} else {
		ck_assert_msg(code == 0, "%s", err.msg);
		ck_assert_str_eq(t.params[0].filled, values[_i].literal);
	}
}
END_TEST

START_TEST(defaults_are_shown_as_values)
{
	static const struct {
		const char *literal, *json;
	} cases[] = {
		{"nil", "null"},
		{"true", "true"},
		{"12", "12"},
		{"0.5", "0.5"},
		{"\"a b\"", "\"a b\""},
		{"{ \"a\", \"b\" }", "[\"a\",\"b\"]"},
		{"{ }", "[]"},
		{"{}", "[]"},
		{"os.time()", "\"os.time()\""},
		{"{ f() }", "\"{ f() }\""},
		{"{ \"a", "\"{ \\\"a\""},
		{"\"a\" .. \"b\"", "\"\\\"a\\\" .. \\\"b\\\"\""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(free) char *line =
			mem_printf("local x = %s -- param text: help\n", cases[i].literal);
		AUTO(template) struct template t = parsed(line);
		AUTO(json) json_t *json = template_json(&t);
		json_t *param = json_array_get(json_object_get(json, "parameters"), 0);
		AUTO(free) char *text = json_dumps(
			json_object_get(param, "default"), JSON_ENCODE_ANY | JSON_COMPACT);

		ck_assert_str_eq(text, cases[i].json);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("template");
	TCase *tc = tcase_create("template");

	tcase_add_test(tc, declarations_are_read);
	tcase_add_test(tc, wrong_declarations_are_refused);
	tcase_add_test(tc, what_is_filled_in_stands_in_its_line);
	tcase_add_test(tc, a_required_one_must_be_given);
	tcase_add_loop_test(
		tc, values_become_literals_or_are_refused, 0, sizeof(values) / sizeof(values[0]));
	tcase_add_test(tc, defaults_are_shown_as_values);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
