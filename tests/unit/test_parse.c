/* Records become events, or get a complaint that helps. */
#include "fsd/events/parse.h"

#include "base/mem.h"
#include "base/sbuf.h"
#include "tests/unit/cases.h"
#include "tests/unit/suite.h"

#include <inttypes.h>
#include <string.h>

static const struct envelope_from root = {.sender = "uid:7", .stack = "", .now_ns = 42};
static const struct envelope_from walled = {.sender = "uid:7", .stack = "prod", .now_ns = 42};

static int
parse(const char *text, const struct envelope_from *from, struct event **ret_ev, struct err *err)
{
	return text[0] == '{' ? parse_object(text, strlen(text), 1, from, ret_ev, err)
			      : parse_line(text, strlen(text), 1, from, ret_ev, err);
}

static const char *
or_empty(const char *text)
{
	return text ? text : "";
}

static void
check_record(const char *input, const char *expected)
{
	struct sbuf got = {0};
	struct err err = {0};
	struct event *ev = NULL;
	int code = parse(input, &root, &ev, &err);

	if (strncmp(expected, "bad ", 4) == 0) {
		ck_assert_msg(code == -EINVAL, "%s: accepted", input);
		ck_assert_msg(strstr(err.msg, expected + 4), "%s: %s", input, err.msg);
		ck_assert_msg(strncmp(err.msg, "line 1", 6) == 0, "%s: %s", input, err.msg);
		return;
	}
	ck_assert_msg(code == 0, "%s: %s", input, err.msg);
	sbuf_printf(&got, "%s|%s|%s|%s|%s|%s|%s|", ev->type, or_empty(ev->sender_id), ev->stack,
		or_empty(ev->severity), or_empty(ev->agent), or_empty(ev->run_id),
		or_empty(ev->source));
	if (ev->timestamp_ns != root.now_ns)
		sbuf_printf(&got, "%" PRId64, ev->timestamp_ns);
	sbuf_printf(&got, "|%s", ev->data);
	ck_assert_str_eq(sbuf_str(&got), expected);
	ck_assert_uint_eq(ev->data_len, strlen(ev->data));
	ck_assert_str_eq(ev->sender, "uid:7");
	ck_assert_uint_eq(ev->refs, 1);
	sbuf_fini(&got);
	event_unref(ev);
}

START_TEST(test_records)
{
	each_case("tests/data/records.cases", check_record);
}
END_TEST

START_TEST(test_inside_the_wall)
{
	struct err err = {0};
	struct event *ev;

	ck_assert_int_eq(parse("{\"type\":\"x\"}", &walled, &ev, &err), 0);
	ck_assert_str_eq(ev->stack, "prod");
	event_unref(ev);
	ck_assert_int_eq(parse("x stack=prod", &walled, &ev, &err), 0);
	event_unref(ev);
	ck_assert_int_eq(parse("x stack=other", &walled, &ev, &err), -EACCES);
	ck_assert_int_eq(parse("{\"type\":\"x\",\"stack\":\"\"}", &walled, &ev, &err), -EACCES);
}
END_TEST

START_TEST(test_limits)
{
	char text[2048], word[1024];
	struct err err = {0};
	struct event *ev;

	memset(word, 'a', sizeof(word));
	(void)snprintf(text, sizeof(text), "%.128s", word);
	ck_assert_int_eq(parse(text, &root, &ev, &err), 0);
	event_unref(ev);
	(void)snprintf(text, sizeof(text), "%.129s", word);
	ck_assert_int_eq(parse(text, &root, &ev, &err), -EINVAL);
	(void)snprintf(text, sizeof(text), "x id=%.64s agent=%.256s", word, word);
	ck_assert_int_eq(parse(text, &root, &ev, &err), 0);
	event_unref(ev);
	(void)snprintf(text, sizeof(text), "x id=%.65s", word);
	ck_assert_int_eq(parse(text, &root, &ev, &err), -EINVAL);
	(void)snprintf(text, sizeof(text), "x agent=%.257s", word);
	ck_assert_int_eq(parse(text, &root, &ev, &err), -EINVAL);
}
END_TEST

START_TEST(test_nul_byte_in_a_line)
{
	struct err err = {0};
	struct event *ev;

	ck_assert_int_eq(parse_line("x a=b\0c", 7, 3, &root, &ev, &err), -EINVAL);
	ck_assert_str_eq(err.msg, "line 3: the record holds a NUL byte");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("parse");
	TCase *tc = tcase_create("parse");

	suite_add_tcase(suite, tc);
	tcase_add_test(tc, test_records);
	tcase_add_test(tc, test_inside_the_wall);
	tcase_add_test(tc, test_limits);
	tcase_add_test(tc, test_nul_byte_in_a_line);
	return suite_run(suite);
}
