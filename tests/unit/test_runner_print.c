/* Durations and cut texts, ids by their parts, samples. */
#include "tools/runner/print.h"

#include "base/auto.h"
#include "base/clock.h"
#include "tests/unit/suite.h"
#include "tools/runner/ids.h"
#include "tools/runner/mock.h"

#include <string.h>

START_TEST(test_durations)
{
	static const struct {
		int64_t ns;
		const char *text;
	} cases[] = {
		{0, "0s"},
		{7, "7ns"},
		{1500, "1.5us"},
		{245300000, "245.3ms"},
		{NS_PER_S, "1s"},
		{90 * NS_PER_S + 500 * NS_PER_MS, "1m30.5s"},
		{3600 * NS_PER_S, "1h0m0s"},
		{25 * 3600 * NS_PER_S + NS_PER_MS, "25h0m0.001s"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(sbuf) struct sbuf out = {0};

		print_add_duration(&out, cases[i].ns);
		ck_assert_str_eq(sbuf_str(&out), cases[i].text);
	}
}
END_TEST

START_TEST(test_cut)
{
	static const struct {
		const char *text, *cut;
	} cases[] = {
		{"", ""}, {"short\n", "short"}, {"ten bytes!", "ten bytes!"},
		{"two\nlines", "two lines"}, {"more than ten", "more th..."},
		{"sechs \xc3\xa4 und mehr", "sechs ..."}, /* not inside a character */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(sbuf) struct sbuf out = {0};

		print_add_cut(&out, cases[i].text, 10);
		ck_assert_str_eq(sbuf_str(&out), cases[i].cut);
	}
}
END_TEST

START_TEST(test_ids)
{
	AUTO(names) struct names ids = {0};
	struct err err = {0};
	size_t index = 99;

	names_add(&ids, "01926f3e-8a00-7000-8000-00019f3c2b1a");
	names_add(&ids, "01926f3e-8a01-7000-8000-0002aabbccdd");
	names_add(&ids, "deploy-17");
	ck_assert_int_eq(ids_match(&ids, "3c2b1a", &index, &err), 0);
	ck_assert_uint_eq(index, 0);
	ck_assert_int_eq(ids_match(&ids, "01926f3e-8a01", &index, &err), 0);
	ck_assert_uint_eq(index, 1);
	ck_assert_int_eq(ids_match(&ids, "deploy-17", &index, &err), 0);
	ck_assert_uint_eq(index, 2);
	ck_assert_int_eq(ids_match(&ids, "01926f3e", &index, &err), -EEXIST);
	ck_assert_ptr_nonnull(strstr(err.msg, "00019f3c2b1a, 01926f3e-8a01"));
	ck_assert_int_eq(ids_match(&ids, "ffff", &index, &err), -ENOENT);
	ck_assert_int_eq(ids_match(&ids, "1a", &index, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.msg, "at least"));
	ck_assert_int_eq(ids_match(&ids, "", &index, &err), -ENOENT);
	ck_assert_uint_eq(index, 2);
}
END_TEST

START_TEST(test_samples)
{
	static const char *const categories[] = {"agent.registered", "task.failed",
		"workflow.failed", "system.cpu_high", "schedule.missed", "state.updated",
		"secret.accessed", "stack.failed", "backup.failed", "restore.failed", "db.error",
		"network.down", "security.breach", "file.created", "dir.created", "deploy.started",
		"health.degraded", "custom", "process.stopped", "port.closed", "service.failed"};

	for (size_t i = 0; i < sizeof(categories) / sizeof(categories[0]); i++) {
		json_t *json = json_loads(mock_data(categories[i]), 0, NULL);

		ck_assert_msg(json_object_size(json) > 0, "%s", categories[i]);
		ck_assert_msg(!json_object_get(json, "test"), "%s has no sample", categories[i]);
		json_decref(json);
	}
	ck_assert_str_eq(mock_type("task.started"), "task.started");
	ck_assert_str_eq(mock_type("deploy.*"), "deploy.started");
	ck_assert_str_eq(mock_type("*"), "custom");
	ck_assert_str_eq(mock_type("own.*"), "custom");
	ck_assert_ptr_nonnull(strstr(mock_data("own.thing"), "test"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("runner print");
	TCase *tc = tcase_create("print");

	tcase_add_test(tc, test_durations);
	tcase_add_test(tc, test_cut);
	tcase_add_test(tc, test_ids);
	tcase_add_test(tc, test_samples);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
