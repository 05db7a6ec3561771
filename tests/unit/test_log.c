/* The log's lines: one JSON object each, levels kept, members added, odd bytes escaped. */
#include "base/log.h"

#include "base/sbuf.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <jansson.h>
#include <string.h>

static void
to_buffer(void *arg, enum log_level level, const char *line, size_t len)
{
	(void)level;
	sbuf_add(arg, line, len);
	sbuf_addc(arg, '\n');
}

START_TEST(test_a_line_is_an_object)
{
	struct sbuf got = {0};
	struct log *log = log_new(LOG_LEVEL_INFO, to_buffer, &got);
	const char *msg;
	int ms;
	json_t *line;

	log_write_with(log, LOG_LEVEL_WARN, "\"ms\":7", "node \"%s\"\n", "/x");
	line = json_loads(sbuf_str(&got), 0, NULL);
	ck_assert_ptr_nonnull(line);
	ck_assert_int_eq(json_unpack(line, "{s:s, s:i}", "msg", &msg, "ms", &ms), 0);
	ck_assert_str_eq(msg, "node \"/x\"\n");
	ck_assert_int_eq(ms, 7);
	ck_assert_str_eq(json_string_value(json_object_get(line, "level")), "warn");
	ck_assert_uint_eq(strlen(json_string_value(json_object_get(line, "time"))), 30);
	ck_assert_ptr_eq(strchr(got.data, '\n'), got.data + got.len - 1);
	json_decref(line);
	log_free(log);
	sbuf_fini(&got);
}
END_TEST

START_TEST(test_levels)
{
	struct sbuf got = {0};
	struct log *log = log_new(LOG_LEVEL_WARN, to_buffer, &got);

	log_write(log, LOG_LEVEL_INFO, "not this");
	ck_assert_uint_eq(got.len, 0);
	log_set_level(log, LOG_LEVEL_DEBUG);
	log_write(log, LOG_LEVEL_DEBUG, "but this");
	ck_assert_ptr_nonnull(strstr(sbuf_str(&got), "but this"));
	log_free(log);
	sbuf_fini(&got);
}
END_TEST

START_TEST(test_level_names)
{
	enum log_level level;
	struct err err = {0};

	for (int i = LOG_LEVEL_DEBUG; i <= LOG_LEVEL_ERROR; i++) {
		ck_assert_int_eq(
			log_level_parse(log_level_name((enum log_level)i), &level, NULL), 0);
		ck_assert_int_eq((int)level, i);
	}
	ck_assert_int_eq(log_level_parse("warning", &level, NULL), 0);
	ck_assert_int_eq((int)level, LOG_LEVEL_WARN);
	ck_assert_int_eq(log_level_parse("loud", &level, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "'loud'"));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("log");
	TCase *tc = tcase_create("lines");

	tcase_add_test(tc, test_a_line_is_an_object);
	tcase_add_test(tc, test_levels);
	tcase_add_test(tc, test_level_names);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
