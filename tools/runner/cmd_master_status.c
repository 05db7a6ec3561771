/* `master status`: for people and for probes.  A probe must end even when the daemon does not
 * answer, and a read of a hung mount can be ended by nothing but a deadly signal; so the question
 * is asked by a child process, which is killed when its time is up.
 */
#include "tools/runner/commands.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "tools/runner/mount.h"
#include "tools/runner/print.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void
print_away(bool is_json)
{
	json_t *json;

	if (!is_json)
		return;
	json = json_pack("{s:b}", "running", false);
	print_json(json);
	json_decref(json);
}

static int
print_status(const struct mount *mount, bool is_json, struct err *err)
{
	AUTO(free) char *path =
		mount_path(mount, is_json ? PLACE_STATUS_JSON : PLACE_STATUS, NULL, NULL);
	AUTO(sbuf) struct sbuf text = {0};
	json_error_t why;
	json_t *json;
	int result = mount_read(mount, path, &text, err);

	if (result < 0)
		return result;
	if (!is_json) {
		(void)fputs(sbuf_str(&text), stdout); /* a write error shows at the flush */
		return EXIT_OK;
	}
	json = json_loads(sbuf_str(&text), 0, &why);
	if (!json)
		return err_set(err, EIO, "'%s' is not JSON: %s", path, why.text);
	(void)json_object_set_new(json, "running", json_true());
	print_json(json);
	json_decref(json);
	return EXIT_OK;
}

static int
ask(const struct args *args, struct err *err)
{
	AUTO(mount) struct mount mount = {0};
	bool is_json = print_is_json(args);
	int result = mount_find(args, &mount, err);

	if (!result)
		result = print_status(&mount, is_json, err);
	if (result == -EHOSTDOWN)
		print_away(is_json);
	return result;
}

/* The child: asks, says what went wrong, and tells the rest by its exit code. */
static void
ask_and_exit(const struct args *args)
{
	struct err err = {0};
	int result;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	result = ask(args, &err);
	if (err.code)
		(void)fprintf(stderr, "error: %s\n", err.msg);
	exit(fflush(stdout) == EOF ? EXIT_GENERAL : exit_code(result));
}

static int
status_run(const struct args *args, struct err *err)
{
	int64_t timeout_ms = args_duration_ns(args, "timeout") / NS_PER_MS;
	struct pollfd end = {.fd = -1, .events = POLLIN};
	pid_t pid;
	int n, status = 0;

	(void)fflush(stdout); /* nothing buffered may be printed twice */
	pid = fork();
	if (pid < 0)
		return err_set(err, errno, "cannot start a process: %s", strerror(errno));
	if (!pid)
		ask_and_exit(args);
	end.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	n = poll(&end, 1, timeout_ms > INT32_MAX ? -1 : (int)timeout_ms);
	if (n <= 0)
		(void)kill(pid, SIGKILL); /* it is our own child, not yet waited for */
	(void)close(end.fd);
	if (waitpid(pid, &status, 0) < 0)
		return err_set(err, errno, "cannot wait for a process: %s", strerror(errno));
	if (n > 0 && WIFEXITED(status))
		return WEXITSTATUS(status);
	print_away(print_is_json(args));
	return err_set(
		err, EHOSTDOWN, "the master did not answer within %s", args_str(args, "timeout"));
}

static const struct flag status_flags[] = {
	FLAG_OUTPUT,
	{.name = "timeout",
		.kind = FLAG_DURATION,
		.value = "DURATION",
		.preset = "5s",
		.help = "how long the master may take to answer"},
	{0},
};

const struct cmd cmd_master_status = {
	.name = "status",
	.flags = status_flags,
	.summary = "Whether the master runs, and how it is",
	.text = "Exit code 0: it runs and answers.  4: it does not.",
	.run = status_run,
};
