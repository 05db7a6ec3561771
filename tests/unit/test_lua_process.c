/* What invocations start: results of programs, and that nothing of them is left. */
#include "tests/unit/suite.h"
#include "tests/unit/worker_rig.h"

#include <dirent.h>
#include <sys/wait.h>

static struct rig rig;
static char dir[32];

static void
setup(void)
{
	rig_start(&rig);
	(void)snprintf(dir, sizeof(dir), "/tmp/sloth-exec-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)setenv("D", dir, 1);
}

static void
teardown(void)
{
	struct dirent *e;
	DIR *d;

	rig_stop(&rig);
	d = opendir(dir);
	while (d && (e = readdir(d)) != NULL)
		(void)unlinkat(dirfd(d), e->d_name, 0);
	(void)closedir(d);
	ck_assert_int_eq(rmdir(dir), 0);
}

START_TEST(results)
{
	rig_ok(&rig, "local r = exec.run('echo out; echo err >&2; exit 3')\n"
		     "assert(r.stdout == 'out\\n' and r.stderr == 'err\\n' and r.exit_code == 3)");
	rig_ok(&rig, "local r = exec.run('kill -9 $$') assert(r.exit_code == -1)");
	rig_ok(&rig, "assert(exec.run('pwd').stdout == '/tmp\\n')");
	rig_ok(&rig, "local r = exec.run('true', {workdir = '/nowhere'})\n"
		     "assert(not r.success and r.stderr:find('/nowhere: No such file'))");
	rig_ok(&rig, "assert(exec.run('cat').success)"); /* standard input is empty */
	rig_ok(&rig, "local r = exec.run('echo $X$D', {env = {X = 'x', D = 'd'}})\n"
		     "assert(r.stdout == 'xd\\n')");
	rig_ok(&rig, "assert(exec.run('ulimit -Sn').stdout == '1024\\n')");
	rig_ok(&rig, "assert(#exec.run('head -c 5000000 /dev/zero').stdout == 5000000)");
	rig_ok(&rig, "assert(exec.run('ls /proc/self/fd | wc -l').stdout == '4\\n')");
}
END_TEST

static unsigned
open_files(void)
{
	DIR *fds = opendir("/proc/self/fd");
	unsigned count = 0;

	ck_assert_ptr_nonnull(fds);
	while (readdir(fds))
		count++;
	ck_assert_int_eq(closedir(fds), 0);
	return count;
}

START_TEST(popen_without_memory_leaves_no_file)
{
	unsigned before;
	struct outcome o;

	rig_ok(&rig, "return true");
	before = open_files();
	o = rig_do_with(&rig,
		"function on_event() local p = io.popen('cat', 'w')\n"
		"for i = 1, 30 do p:write(('x'):rep(100000)) end p:close() end",
		RIG_TIMEOUT_MS, 2 << 20);
	ck_assert_msg(strstr(o.error, "out of memory") != NULL, "%s", o.error);
	ck_assert_uint_eq(open_files(), before);
	outcome_fini(&o);
}
END_TEST

/* An idle state collects nothing, and the files of one hook would be missed by the others. */
START_TEST(forgotten_files_are_closed)
{
	unsigned before;

	rig_ok(&rig, "return true");
	before = open_files();
	for (int i = 0; i < 3; i++)
		rig_ok(&rig, "for i = 1, 200 do assert(io.open('/dev/null')) end");
	ck_assert_uint_le(open_files(), before + 3 * 16);
}
END_TEST

START_TEST(popen_and_execute)
{
	rig_ok(&rig, "local p = io.popen('echo a; echo b; exit 2') assert(p:read('l') == 'a')\n"
		     "assert(p:read('*a') == 'b\\n')\n"
		     "local ok, how, n = p:close() assert(not ok and how == 'exit' and n == 2)");
	rig_ok(&rig,
		"local n = 0 for l in io.popen('seq 3'):lines() do n = n + l end assert(n == 6)");
	rig_ok(&rig, "local p = io.popen('cat > $D/in', 'w') p:write('x', 5) assert(p:close())\n"
		     "assert(io.open(os.getenv('D') .. '/in'):read('a') == 'x5')");
	rig_ok(&rig, "local ok, how, n = os.execute('exit 4') assert(not ok and n == 4)\n"
		     "assert(os.execute() == true and os.execute('true') == true)");
}
END_TEST

START_TEST(returns_when_the_shell_exits)
{
	struct outcome o = rig_do(&rig, "local r = exec.run('echo a; sleep 60 &')\n"
					"assert(r.stdout == 'a\\n')");

	ck_assert_msg(o.result == RUN_SUCCESS, "%s", o.error);
	ck_assert_uint_lt(o.duration_ns, 30 * NS_PER_S);
	outcome_fini(&o);
}
END_TEST

/* Runs after the loop has looked for news: lets the shell write its last words and end, and takes
 * longer than a worker waits for what a background job may still write. */
static void
end_the_shell(uv_poll_t *handle, int status, int events)
{
	const struct timespec pause = {.tv_nsec = 200 * NS_PER_MS};
	pid_t shell = *(pid_t *)handle->data;
	siginfo_t info;

	(void)status, (void)events;
	ck_assert_int_eq(kill(shell, SIGCONT), 0);
	ck_assert_int_eq(waitid(P_PID, (id_t)shell, &info, WEXITED | WNOWAIT), 0);
	(void)nanosleep(&pause, NULL);
	uv_close((uv_handle_t *)handle, NULL);
}

/* The end of one child finds another that has just ended too, before its output was read; and then
 * the worker is busy. */
START_TEST(output_is_read_to_the_end_by_a_busy_worker)
{
	struct rig *r = &rig;
	siginfo_t info;
	uv_poll_t news;
	struct outcome o;
	pid_t shell;

	rig_script(r, 1,
		"function on_event() return true, exec.run('kill -STOP $$; echo last').stdout end",
		0, "");
	(void)rig_run(r, 1, RIG_TIMEOUT_MS, "x.y", "");
	while (!r->worker->children)
		(void)uv_run(&r->worker->loop, UV_RUN_ONCE);
	shell = r->worker->children->pid;
	ck_assert_int_eq(waitid(P_PID, (id_t)shell, &info, WSTOPPED | WNOWAIT), 0);
	(void)uv_run(&r->worker->loop, UV_RUN_NOWAIT);
	news.data = &shell;
	ck_assert_int_eq(uv_poll_init(&r->worker->loop, &news, r->fd), 0);
	ck_assert_int_eq(uv_poll_start(&news, UV_WRITABLE, end_the_shell), 0);
	(void)raise(SIGCHLD);
	o = rig_outcome(r);
	ck_assert_msg(o.result == RUN_SUCCESS, "%s", o.error);
	ck_assert_str_eq(o.message, "last\n");
	outcome_fini(&o);
}
END_TEST

/* Nothing but ourselves is below the worker. */
static void
no_children(void)
{
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}

/* The processes whose ids stand in the file are gone.  Returns their number. */
static unsigned
are_gone(const char *name)
{
	char path[64];
	unsigned count = 0;
	FILE *f;
	int pid;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "re");
	while (f && fscanf(f, "%d", &pid) == 1) {
		count++;
		ck_assert_msg(
			kill(pid, 0) < 0 && errno == ESRCH, "%s: process %d lives", name, pid);
	}
	if (f)
		(void)fclose(f);
	return count;
}

START_TEST(nothing_outlives_its_invocation)
{
	static const struct {
		const char *name, *command;
	} cases[] = {
		{"background", "sleep 60 & echo $! > $D/background"},
		{"setsid", "setsid sh -c 'echo $$ > $D/setsid; sleep 60' & "
			   "while ! [ -s $D/setsid ]; do sleep 0.01; done"},
		{"double", "(setsid sh -c '(sleep 60 & echo $! > $D/double; sleep 60) & ' &); "
			   "while ! [ -s $D/double ]; do sleep 0.01; done"},
		{"nohup", "nohup sleep 60 >/dev/null 2>&1 & echo $! > $D/nohup; disown"},
		{"cleared", "env -i setsid sleep 60 & echo $! > $D/cleared; sleep 0.05"},
		{"trap", "sh -c 'trap \"\" TERM HUP INT; echo $$ > $D/trap; while :; do sleep 60; "
			 "done' &"
			 "while ! [ -s $D/trap ]; do sleep 0.01; done"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *body = mem_printf("assert(exec.run([==[%s]==]).success)", cases[i].command);

		rig_ok(&rig, body);
		free(body);
		ck_assert_uint_eq(are_gone(cases[i].name), 1);
		no_children();
	}
}
END_TEST

START_TEST(timeout_ends_what_runs)
{
	unsigned count = 0;

	for (uint32_t ms = 300; count < 2; ms *= 3) { /* until both have started by then */
		struct outcome o = rig_do_with(&rig,
			"function on_event() pcall(exec.run, 'echo $$ > $D/fg; sleep 600 & echo "
			"$! >> $D/fg; wait') end",
			ms, 0);

		ck_assert_uint_eq(o.result, RUN_TIMEOUT);
		outcome_fini(&o);
		count = are_gone("fg");
		no_children();
	}
}
END_TEST

START_TEST(neighbours_are_left_alone)
{
	struct outcome o;

	rig_script(&rig, 1,
		"function on_event() local r = exec.run('setsid sleep 60 & sleep 0.3; jobs -p | "
		"wc -l')\n"
		"return r.stdout == '1\\n', r.stdout end",
		0, "");
	rig_script(&rig, 2, "function on_event() exec.run('sleep 60 &') end", 0, "");
	(void)rig_run(&rig, 1, RIG_TIMEOUT_MS, "x.y", "");
	for (int i = 0; i < 3; i++)
		(void)rig_run(&rig, 2, RIG_TIMEOUT_MS, "x.y", "");
	for (int i = 0; i < 4; i++) {
		o = rig_outcome(&rig);
		ck_assert_msg(o.result == RUN_SUCCESS, "%s", o.error);
		outcome_fini(&o);
	}
	no_children();
}
END_TEST

START_TEST(many_programs_at_once)
{
	rig_script(&rig, 1, "function on_event() assert(exec.run('sleep 0.1').success) end", 0, "");
	for (int i = 0; i < 40; i++)
		(void)rig_run(&rig, 1, RIG_TIMEOUT_MS, "x.y", "");
	for (int i = 0; i < 40; i++) {
		struct outcome o = rig_outcome(&rig);

		ck_assert_msg(o.result == RUN_SUCCESS, "%s", o.error);
		outcome_fini(&o);
	}
	no_children();
}
END_TEST

static unsigned
count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	(void)closedir(d);
	return n;
}

START_TEST(no_descriptor_is_left)
{
	unsigned before;

	rig_ok(&rig, "exec.run('true')");
	before = count_fds();
	for (int i = 0; i < 5; i++) {
		rig_ok(&rig, "exec.run('sleep 60 & echo x') io.popen('true'):close()");
		rig_ok(&rig, "pcall(exec.run, 'true', {workdir = '/nowhere'})");
	}
	ck_assert_uint_eq(count_fds(), before);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("process");
	TCase *tc = tcase_create("process");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, results);
	tcase_add_test(tc, popen_and_execute);
	tcase_add_test(tc, forgotten_files_are_closed);
	tcase_add_test(tc, popen_without_memory_leaves_no_file);
	tcase_add_test(tc, returns_when_the_shell_exits);
	tcase_add_test(tc, output_is_read_to_the_end_by_a_busy_worker);
	tcase_add_test(tc, nothing_outlives_its_invocation);
	tcase_add_test(tc, timeout_ends_what_runs);
	tcase_add_test(tc, neighbours_are_left_alone);
	tcase_add_test(tc, many_programs_at_once);
	tcase_add_test(tc, no_descriptor_is_left);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
