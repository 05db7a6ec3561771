/* Streams and the log: who follows hears everything, or how much it missed. */
#include "tests/unit/events_fixture.h"

#include "fsd/events/filter.h"
#include "fsd/events/stream.h"
#include "fsd/tree/log_file.h"
#include "tests/unit/suite.h"

#include <jansson.h>
#include <string.h>

static struct rig rig;
static char text[4096], id[4096], other[4096];

static void
setup(void)
{
	rig_open(&rig);
}

static void
teardown(void)
{
	rig_close(&rig);
}

static struct handle *
follow(const char *path, const char *filter)
{
	int code;
	struct handle *h = open_path(&rig.t, path, O_RDWR, &code);

	ck_assert_msg(h != NULL, "%s: %d", path, code);
	if (filter)
		ck_assert_int_eq(write_at(&rig.t, h, filter, 0), (int)strlen(filter));
	return h;
}

/* The next n lines, as "type status " each. */
static const char *
lines(struct handle *h, int n)
{
	static char out[4096];
	struct sbuf all = {0};
	char *rest, *line;

	out[0] = '\0';
	while (n > 0) {
		size_t i, from = all.len;

		ck_assert_int_gt(read_at(&rig.t, h, 0, text), 0);
		sbuf_adds(&all, text);
		for (i = from; i < all.len; i++)
			n -= all.data[i] == '\n';
	}
	ck_assert_int_eq(n, 0);
	rest = all.data;
	while ((line = strsep(&rest, "\n")) && line[0]) {
		json_t *value = json_loads(line, 0, NULL);
		size_t len = strlen(out);

		ck_assert_msg(value != NULL, "%s", line);
		(void)snprintf(out + len, sizeof(out) - len, "%s %s ",
			json_string_value(json_object_get(value, "type")),
			json_string_value(json_object_get(value, "status")));
		json_decref(value);
	}
	sbuf_fini(&all);
	return out;
}

START_TEST(test_stream_of_all)
{
	struct handle *h = follow("/events/stream", NULL);

	rig_send_one(&rig, "a.b k=v\n", id);
	rig_finish(&rig, id, EVENT_COMPLETED, true);
	rig_send_one(&rig, "{\"type\":\"c.d\",\n\"data\":{\n\"x\":\n1}}", id);
	ck_assert_str_eq(lines(h, 3), "a.b pending a.b completed c.d pending ");
	tree_release(h);
}
END_TEST

START_TEST(test_filters)
{
	struct handle *types = follow("/events/stream", "type=a.*\n");
	struct handle *failed = follow("/events/stream", "status=failed stack=prod\n");
	struct handle *one = follow("/events/by-type/c.d/stream", NULL);

	rig_send_one(&rig, "a.b\n", id);
	rig_finish(&rig, id, EVENT_FAILED, true);
	rig_send_one(&rig, "c.d stack=prod\n", id);
	rig_finish(&rig, id, EVENT_FAILED, true);
	ck_assert_str_eq(lines(types, 2), "a.b pending a.b failed ");
	ck_assert_str_eq(lines(failed, 1), "c.d failed ");
	ck_assert_str_eq(lines(one, 2), "c.d pending c.d failed ");
	ck_assert_int_eq(write_at(&rig.t, types, "colour=red\n", 0), -EINVAL);
	ck_assert_int_eq(write_at(&rig.t, types, "since=nobody\n", 0), -ENOENT);
	ck_assert_int_eq(write_at(&rig.t, types, "type=c.d\n", 0), 9);
	rig_send_one(&rig, "c.d\n", id);
	ck_assert_str_eq(lines(types, 1), "c.d pending ");
	tree_release(types);
	tree_release(failed);
	tree_release(one);
}
END_TEST

START_TEST(test_since_goes_on_where_the_reader_was)
{
	struct handle *h;
	char filter[128];
	const char *got;
	int i;

	rig_send_one(&rig, "a.first\n", other);
	for (i = 0; i < 150; i++) /* more than a page */
		rig_send_one(&rig, "a.b\n", id);
	rig_finish(&rig, id, EVENT_COMPLETED, true);
	(void)snprintf(filter, sizeof(filter), "since=%.64s\n", other);
	h = follow("/events/stream", filter);
	got = lines(h, 150);
	ck_assert_str_eq(got + strlen(got) - 26, "a.b pending a.b completed ");
	rig_send_one(&rig, "live.now\n", id);
	ck_assert_str_eq(lines(h, 1), "live.now pending ");
	tree_release(h);
}
END_TEST

START_TEST(test_reader_that_leaves_while_the_store_is_asked)
{
	struct handle *h = follow("/events/stream", NULL);
	struct call call;
	char filter[128];

	rig_send_one(&rig, "a.b\n", id);
	(void)snprintf(filter, sizeof(filter), "since=%.64s\n", id);
	call = CALL(.op = TREE_WRITE, .handle = h, .data = filter, .size = strlen(filter));
	(void)run_call(&rig.t, &call); /* the store is asked for the first page now */
	tree_release(h);
	rig_send_one(&rig, "a.b\n", id);
}
END_TEST

START_TEST(test_slow_reader_is_told_what_it_missed)
{
	struct events_figures figures;
	struct handle *h = follow("/events/stream", NULL);
	static char sent[40000], got[65536];
	char *lost = NULL;
	int i;

	memset(sent, 'x', sizeof(sent));
	memcpy(sent, "{\"type\":\"big.one\",\"data\":{\"x\":\"", 31);
	memcpy(sent + sizeof(sent) - 5, "\"}}\n", 5);
	for (i = 0; i < 6; i++)
		rig_send_one(&rig, sent, id);
	events_figures(rig.events, &figures);
	ck_assert_uint_eq(figures.lost, 3); /* three of 40 KB fit into 128 KiB */
	while (!lost) {
		struct call call = CALL(.op = TREE_READ, .handle = h, .size = sizeof(got) - 1);
		int n = run_call(&rig.t, &call);

		ck_assert_int_gt(n, 0);
		memcpy(got, call.req.out.data, (size_t)n);
		got[n] = '\0';
		sbuf_fini(&call.req.out);
		lost = strstr(got, "{\"lost\":");
	}
	ck_assert_msg(strncmp(lost, "{\"lost\":3,\"next\":\"", 18) == 0, "%s", lost);
	rig_send_one(&rig, "a.b\n", id);
	ck_assert_str_eq(lines(h, 1), "a.b pending ");
	tree_release(h);
}
END_TEST

/* ---- the log --------------------------------------------------------------------------------- */

/* The whole log as "type status " per line, once it has count lines. */
static const char *
log_lines(int count)
{
	static char out[4096];
	char line[4096];
	int n;

	do {
		FILE *f = fopen(rig.log, "re");

		out[0] = '\0';
		for (n = 0; f && fgets(line, sizeof(line), f); n++) {
			json_t *value = json_loads(line, 0, NULL);
			size_t len = strlen(out);

			ck_assert_msg(value != NULL, "%s", line);
			ck_assert_int_eq(json_integer_value(json_object_get(value, "v")), 1);
			(void)snprintf(out + len, sizeof(out) - len, "%s %s ",
				json_string_value(json_object_get(value, "type")),
				json_string_value(json_object_get(value, "status")));
			json_decref(value);
		}
		if (f)
			(void)fclose(f);
		if (n < count)
			uv_run(&rig.t.loop, UV_RUN_ONCE);
	} while (n < count);
	ck_assert_int_eq(n, count);
	return out;
}

START_TEST(test_log_has_a_line_when_an_event_is_final)
{
	rig_send_one(&rig, "a.b\n", other);
	rig_send_one(&rig, "c.d\n", id);
	rig_finish(&rig, id, EVENT_COMPLETED, true);
	rig_finish(&rig, other, EVENT_FAILED, true);
	ck_assert_str_eq(log_lines(2), "c.d completed a.b failed ");
	ck_assert_int_gt(cat(&rig.t, "/events/log", text), 0);
	ck_assert_ptr_nonnull(
		strstr(text, "\"hooks\":[{\"hook\":\"notify\",\"status\":\"success\""));
	ck_assert_ptr_nonnull(strstr(text, "\"open_since\":\"2"));
}
END_TEST

/* As after a crash: the store knows of final events that the log does not. */
START_TEST(test_log_is_repaired_from_the_store)
{
	rig_send_one(&rig, "a.b\n", id);
	rig_send_one(&rig, "late.one\n", other);
	rig_finish(&rig, id, EVENT_COMPLETED, true);
	ck_assert_str_eq(log_lines(1), "a.b completed ");
	rig_finish(&rig, other, EVENT_FAILED, false); /* committed, not written */
	rig_send_one(&rig, "still.open\n", other);
	rig_stop(&rig);
	rig_mark_crashed(&rig);
	rig_start(&rig);
	ck_assert_str_eq(log_lines(2), "a.b completed late.one failed ");
	rig_stop(&rig);
	rig_mark_crashed(&rig);
	rig_start(&rig); /* a second time there is nothing to add */
	rig_send_one(&rig, "c.d\n", id);
	rig_finish(&rig, id, EVENT_COMPLETED, true);
	ck_assert_str_eq(log_lines(3), "a.b completed late.one failed c.d completed ");
}
END_TEST

/* ---- filter lines ---------------------------------------------------------------------------- */

START_TEST(test_filter_lines)
{
	struct event_filter filter;
	struct err err = {0};

	ck_assert_int_eq(filter_parse("", 0, &filter, &err), 0);
	ck_assert(!filter.type && !filter.since && filter.status == -1);
	filter_fini(&filter);
	ck_assert_int_eq(filter_parse(" type=a.*\tstatus=failed \n", 24, &filter, &err), 0);
	ck_assert_str_eq(filter.type, "a.*");
	ck_assert_int_eq(filter.status, EVENT_FAILED);
	filter_fini(&filter);
	ck_assert_int_eq(filter_parse("status=late", 11, &filter, &err), -EINVAL);
	ck_assert_int_eq(filter_parse("type", 4, &filter, &err), -EINVAL);
	ck_assert_int_eq(filter_parse("=x", 2, &filter, &err), -EINVAL);
}
END_TEST

/* What no event can have is refused: a reader would wait for it in vain. */
START_TEST(test_impossible_values)
{
	static const struct {
		const char *line, *part;
	} cases[] = {
		{"severity=warn", "none of debug, info, warning, error, critical"},
		{"severity=errors", "did you mean 'error'?"},
		{"type=Task.failed", "did you mean 'task.failed'?"},
		{"type=task..x", "'task..x' is not an event type"},
		{"type=", "'' is not an event type"},
		{"type=task.[fx]*", "write category.action, task.* or *"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct event_filter filter;
		struct err err = {0};
		int code = filter_parse(cases[i].line, strlen(cases[i].line), &filter, &err);

		ck_assert_msg(code == -EINVAL && strstr(err.msg, cases[i].part), "%s: %d, %s",
			cases[i].line, code, err.msg);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("feed");
	TCase *tc = tcase_create("feed");

	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, test_stream_of_all);
	tcase_add_test(tc, test_filters);
	tcase_add_test(tc, test_since_goes_on_where_the_reader_was);
	tcase_add_test(tc, test_reader_that_leaves_while_the_store_is_asked);
	tcase_add_test(tc, test_slow_reader_is_told_what_it_missed);
	tcase_add_test(tc, test_log_has_a_line_when_an_event_is_final);
	tcase_add_test(tc, test_log_is_repaired_from_the_store);
	tcase_add_test(tc, test_filter_lines);
	tcase_add_test(tc, test_impossible_values);
	return suite_run(suite);
}
