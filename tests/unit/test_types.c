/* The documented types are all there, in the documented numbers, and names are judged alike. */
#include "fsd/events/types.h"

#include "base/sbuf.h"
#include "fsd/events/events.h"
#include "fsd/tree/room.h"
#include "handlers.h"
#include "tests/unit/suite.h"

#include <string.h>

static const struct {
	const char *category;
	size_t count;
} documented[] = {
	{"agent", 7},
	{"task", 6},
	{"workflow", 6},
	{"system", 8},
	{"scheduler", 7},
	{"state", 6},
	{"secret", 6},
	{"stack", 5},
	{"backup", 6},
	{"database", 5},
	{"network", 4},
	{"security", 5},
	{"file", 6},
	{"deploy", 4},
	{"health", 4},
	{"custom", 1},
	{"resource", 4},
};

START_TEST(test_counts)
{
	size_t count = 0, i;

	for (i = 0; i < event_type_count; i++)
		count += strcmp(event_types[i].category, documented[_i].category) == 0;
	ck_assert_msg(count == documented[_i].count, "%s has %zu types, not %zu",
		documented[_i].category, count, documented[_i].count);
}
END_TEST

START_TEST(test_rows_are_whole_and_different)
{
	size_t i, j;

	ck_assert_uint_ge(event_type_count, 100);
	for (i = 0; i < event_type_count; i++) {
		const struct event_type *t = &event_types[i];

		ck_assert_int_eq(event_type_check(t->name, strlen(t->name), NULL), 0);
		ck_assert(t->fields[0] && t->meaning[0] && t->emitter[0]);
		ck_assert_ptr_null(strchr(t->fields, ' '));
		for (j = 0; j < i; j++)
			ck_assert_str_ne(t->name, event_types[j].name);
	}
}
END_TEST

START_TEST(test_the_masters_own)
{
	static const char *const own[] = {
		"system.startup", "system.shutdown", "system.error", "system.warning"};
	size_t i, j, found = 0;

	for (i = 0; i < event_type_count; i++)
		for (j = 0; j < 4; j++)
			found += strcmp(event_types[i].name, own[j]) == 0 &&
				 strcmp(event_types[i].emitter, "master") == 0;
	ck_assert_uint_eq(found, 4);
}
END_TEST

START_TEST(test_file_is_aligned)
{
	struct sbuf out = {0};
	size_t lines = 0, column = 0;
	char *line, *rest;

	ck_assert_int_eq(event_types_read(NULL, &out, NULL), 0);
	for (line = strtok_r(out.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (lines++ == 0)
			column = (size_t)(strstr(line, "MEANING") - line);
		ck_assert_msg(line[column - 1] == ' ' && line[column] != ' ', "%s", line);
	}
	ck_assert_uint_eq(lines, event_type_count + 1);
	sbuf_fini(&out);
}
END_TEST

static const struct {
	const char *pattern, *type;
	bool is_match;
} globs[] = {
	{"task.failed", "task.failed", true},
	{"task.failed", "task.fail", false},
	{"task.*", "task.failed", true},
	{"task.*", "task", false},
	{"task.*", "tasks.failed", false},
	{"*", "anything.at.all", true},
	{"*", "", true},
	{"*.failed", "task.failed", true},
	{"*.failed", "task.failed.x", false},
	{"a*b*c", "a-b-b-c", true},
	{"a*b*c", "a-c-b", false},
	{"**", "x", true},
	{"", "x", false},
	{"", "", true},
};

START_TEST(test_globs)
{
	ck_assert_msg(event_type_match(globs[_i].pattern, globs[_i].type) == globs[_i].is_match,
		"'%s' and '%s'", globs[_i].pattern, globs[_i].type);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("types");
	TCase *tc = tcase_create("types");

	suite_add_tcase(suite, tc);
	tcase_add_loop_test(tc, test_counts, 0, sizeof(documented) / sizeof(documented[0]));
	tcase_add_test(tc, test_rows_are_whole_and_different);
	tcase_add_test(tc, test_the_masters_own);
	tcase_add_test(tc, test_file_is_aligned);
	tcase_add_loop_test(tc, test_globs, 0, sizeof(globs) / sizeof(globs[0]));
	return suite_run(suite);
}
