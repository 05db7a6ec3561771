/* From which run of a hook a process writes: read from its environment. */
#include "base/mem.h"
#include "base/worker_proto.h"
#include "fsd/events/origin.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* A process with this environment, which waits to be killed. */
static pid_t
start(char *const env[], bool is_apart)
{
	char *argv[] = {(char *)"cat", NULL};
	int ready[2], in[2];
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		if (is_apart)
			(void)setsid();
		(void)dup2(in[0], 0);
		(void)execve("/bin/cat", argv, env);
		_exit(127);
	}
	ck_assert_int_gt(pid, 0);
	(void)close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 0); /* the exec closed the other end */
	(void)close(ready[0]);
	(void)close(in[0]);
	return pid; /* in[1] stays open: it goes on reading */
}

static void
end(pid_t pid)
{
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

START_TEST(a_marked_process_names_its_run)
{
	char *env[] = {(char *)"A=b", (char *)WORKER_SCOPE_ENV "=x",
		(char *)WORKER_RUN_ENV "=123-4567", NULL};
	struct origin origin;
	pid_t pid = start(env, false);

	ck_assert(origin_may_be(pid));
	origin_read(pid, &origin);
	ck_assert_int_eq(origin.worker, 123);
	ck_assert_uint_eq(origin.run, 4567);
	end(pid);
}
END_TEST

START_TEST(a_worker_is_named_by_its_scope)
{
	char *env[] = {(char *)WORKER_SCOPE_ENV "=x", NULL};
	struct origin origin;
	pid_t pid = start(env, false);

	origin_read(pid, &origin);
	ck_assert_int_eq(origin.worker, pid);
	ck_assert_uint_eq(origin.run, 0);
	end(pid);
}
END_TEST

START_TEST(everybody_else_is_nobody)
{
	char *env[] = {(char *)"X" WORKER_SCOPE_ENV "=x", (char *)WORKER_RUN_ENV "=nonsense", NULL};
	struct origin origin;
	pid_t pid = start(env, true);

	ck_assert(!origin_may_be(pid)); /* a session of its own */
	ck_assert(!origin_may_be(0));
	origin_read(pid, &origin);
	ck_assert_int_eq(origin.worker, 0);
	end(pid);
	origin_read(pid, &origin); /* gone */
	ck_assert_int_eq(origin.worker, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("origin");
	TCase *tc = tcase_create("origin");

	tcase_add_test(tc, a_marked_process_names_its_run);
	tcase_add_test(tc, a_worker_is_named_by_its_scope);
	tcase_add_test(tc, everybody_else_is_nobody);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
