/* The way of an event in the log. */
#include "base/auto.h"
#include "base/mem.h"
#include "fsd/steps.h"
#include "tests/unit/suite.h"

#include <stdio.h>
#include <string.h>

static char lines[4096];

static void
sink(void *arg, enum log_level level, const char *line, size_t len)
{
	size_t at = strlen(lines);

	(void)arg;
	ck_assert_int_eq(level, LOG_LEVEL_DEBUG);
	ck_assert_uint_gt(len, 44);
	(void)snprintf(lines + at, sizeof(lines) - at, "%s\n", strstr(line, "\"msg\""));
}

static unsigned asked;

static void
add_labels(const void *arg, struct sbuf *out)
{
	asked++;
	sbuf_adds(out, arg);
}

/* Every step of an event whose data, outputs, errors and reasons are all the same word. */
static void
take_steps(struct log *log)
{
	char secret[] = "hunter2", id[] = "e-1", type[] = "a.b", stack[] = "prod",
	     hook[] = "x@prod";
	struct event ev = {.refs = 1,
		.sender_id = id,
		.type = type,
		.stack = stack,
		.data = secret,
		.data_len = strlen(secret),
		.agent = secret,
		.run_id = secret,
		.source = secret,
		.error = secret,
		.created_ns = 1000000,
		.processed_ns = 3500000,
		.status = EVENT_FAILED};
	struct execution ex = {.hook = hook,
		.status = EXEC_FAILED,
		.attempts = 2,
		.duration_ns = 1250000,
		.message = secret,
		.output = secret,
		.error = secret,
		.why = secret};

	lines[0] = '\0';
	step_accepted(log, &ev);
	step_matched(log, &ev, add_labels, "x@prod y");
	step_started(log, &ev, hook, 2);
	step_recorded(log, &ev, &ex);
	ex.status = EXEC_THROTTLED;
	step_recorded(log, &ev, &ex);
	step_final(log, &ev);
}

START_TEST(a_line_for_each_step)
{
	struct log *log = log_new(LOG_LEVEL_DEBUG, sink, NULL);
	static const char head[] = "\"event\":\"e-1\",\"type\":\"a.b\",\"stack\":\"prod\"";
	AUTO(free) char *expected =
		mem_printf("\"msg\":\"accepted\",%s}\n"
			   "\"msg\":\"matched\",%s,\"hooks\":\"x@prod y\"}\n"
			   "\"msg\":\"started\",%s,\"hook\":\"x@prod\",\"attempt\":2}\n"
			   "\"msg\":\"ended: "
			   "failed\",%s,\"hook\":\"x@prod\",\"attempt\":2,\"duration_ms\":1.250}\n"
			   "\"msg\":\"decided: throttled\",%s,\"hook\":\"x@prod\"}\n"
			   "\"msg\":\"final: failed\",%s,\"since_accepted_ms\":2.500}\n",
			head, head, head, head, head, head);

	take_steps(log);
	ck_assert_str_eq(lines, expected);
	log_free(log);
}
END_TEST

START_TEST(nothing_is_made_when_nobody_reads)
{
	struct log *log = log_new(LOG_LEVEL_INFO, sink, NULL);

	take_steps(log);
	take_steps(NULL);
	ck_assert_str_eq(lines, "");
	ck_assert_uint_eq(asked, 0);
	log_free(log);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("steps");
	TCase *tc = tcase_create("steps");

	tcase_add_test(tc, a_line_for_each_step);
	tcase_add_test(tc, nothing_is_made_when_nobody_reads);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
