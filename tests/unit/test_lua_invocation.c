/* What an invocation tells the daemon through the page they share. */
#include "tests/unit/suite.h"
#include "tests/unit/worker_rig.h"

static struct rig rig;

static void
setup(void)
{
	rig_start(&rig);
	rig.worker->page = NEW(struct worker_page);
}

static void
teardown(void)
{
	struct worker_page *page = rig.worker->page;

	rig_stop(&rig);
	free(page);
}

/* Run the body up to its sleep.  Returns whether the run counts as one that did something. */
static bool
touches(const char *body)
{
	char *source =
		mem_printf("function on_event() pcall(function() %s\nend) sleep(60) end", body);
	uint64_t hook_id = 1000 + rig.last_run;
	uint32_t id;
	struct outcome o;
	bool is_touched;

	rig_script(&rig, hook_id, source, 0, "");
	free(source);
	id = rig_run(&rig, hook_id, 300, "x.y", "{}");
	o = rig_outcome(&rig);
	ck_assert_uint_eq(o.result, RUN_TIMEOUT);
	outcome_fini(&o);
	is_touched = rig.worker->page->touched[id] == id;
	return is_touched;
}

START_TEST(what_cannot_be_taken_back_is_told)
{
	static const char *const bodies[] = {"exec.run('true')", "os.execute('true')",
		"io.popen('true')", "io.popen('true', 'w'):close()",
		"http.get('http://127.0.0.1:1/')", "file.write('/nowhere/x', 'y')",
		"file.append('/nowhere/x', 'y')", "file_ops.lineinfile('/proc/nowhere/x', 'y')",
		"io.open('/nowhere/x', 'w')", "io.open('/nowhere/x', 'a')",
		"io.open('/nowhere/x', 'r+')", "os.remove('/nowhere/x')",
		"os.rename('/nowhere/x', '/nowhere/y')"};

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		ck_assert_msg(touches(bodies[i]), "%s", bodies[i]);
}
END_TEST

START_TEST(what_leaves_no_trace_is_not)
{
	static const char *const bodies[] = {"print('x') io.write('x')", "log.error('x')",
		"sleep(0.001)", "file.read('/etc/hostname')", "file.exists('/etc')",
		"io.open('/etc/hostname'):close()", "for l in io.lines('/etc/passwd') do end",
		"env.set('A', 'b')", "json.encode({1})", "io.tmpfile():write('x')"};

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		ck_assert_msg(!touches(bodies[i]), "%s", bodies[i]);
}
END_TEST

/* Questions to the daemon: which of them change something. */
START_TEST(questions)
{
	static const struct {
		const char *body;
		bool touches;
	} cases[] = {
		{"event.dispatch('a.b', {})", true},
		{"state.set('k', 1)", true},
		{"state.delete('k')", true},
		{"state.incr('k')", true},
		{"state.compare_swap('k', 1, 2)", true},
		{"state.clear()", true},
		{"state.get('k')", false},
		{"state.exists('k')", false},
		{"state.keys()", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *source = mem_printf("function on_event() %s end", cases[i].body);
		uint32_t id;
		struct outcome o;
		struct frame f;

		rig_script(&rig, 1 + i, source, 0, "");
		id = rig_run(&rig, 1 + i, 100, "x.y", "{}");
		f = rig_next(&rig); /* the question, which stays without an answer */
		ck_assert(f.type == MSG_STATE || f.type == MSG_EMIT);
		ck_assert_msg((rig.worker->page->touched[id] == id) == cases[i].touches, "%s",
			cases[i].body);
		o = rig_outcome(&rig);
		outcome_fini(&o);
		free(source);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("invocation");
	TCase *tc = tcase_create("invocation");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, what_cannot_be_taken_back_is_told);
	tcase_add_test(tc, what_leaves_no_trace_is_not);
	tcase_add_test(tc, questions);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
