/* base/environ.c: the environment of another process, also of one that executes a program just now.
 */
#include "base/environ.h"

#include "tests/unit/restless.h"
#include "tests/unit/suite.h"

#include <errno.h>
#include <signal.h>

#define LOOKS 300 /* some meet it without an environment when a look is not repeated */

START_TEST(one_that_executes_a_program_has_it)
{
	char dir[] = "/tmp/test_environ.XXXXXX";
	AUTO(free) char *script = NULL;
	int status;
	pid_t pid;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	script = mem_printf("%s/restless", dir);
	pid = restless_start(dir, "SLOTH_TEST_MARK", "here");
	for (int i = 0; i < LOOKS; i++) {
		AUTO(sbuf) struct sbuf env = {0};

		ck_assert_int_eq(environ_read(pid, 10000, &env), 0);
		ck_assert_ptr_nonnull(memmem(
			env.data, env.len, "SLOTH_TEST_MARK=here", sizeof("SLOTH_TEST_MARK=here")));
	}
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(unlink(script), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

START_TEST(one_that_has_none_is_not_waited_for)
{
	AUTO(sbuf) struct sbuf env = {0};
	int ends[2], status;
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		(void)dup2(ends[1], STDOUT_FILENO);
		(void)dup2(ends[0], STDIN_FILENO);
		(void)execle(
			"/bin/sh", "sh", "-c", "echo; exec cat", (char *)NULL, (char *[]){NULL});
		_exit(127);
	}
	ck_assert_int_eq(read(ends[0], &byte, 1), 1); /* the program runs */
	ck_assert_int_eq(environ_read(pid, 10000, &env), 0);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_lt(environ_read(pid, 10000, &env), 0);
	(void)close(ends[0]);
	(void)close(ends[1]);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("environ");
	TCase *t = tcase_create("environ");

	tcase_add_test(t, one_that_executes_a_program_has_it);
	tcase_add_test(t, one_that_has_none_is_not_waited_for);
	suite_add_tcase(suite, t);
	return suite_run(suite);
}
