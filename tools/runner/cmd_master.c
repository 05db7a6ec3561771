/* `master start` and `master stop`: the daemon's life.  sloth-fsd puts itself into the background
 * and ends its first process once the tree is mounted, so its exit code is the answer here and
 * nothing has to be waited for.  A stop drains, so it is waited for: on a pidfd, with a bound.
 */
#include "tools/runner/commands.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "tools/runner/master.h"
#include "tools/runner/mount.h"
#include "tools/runner/program.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SSH_LATER                                                                                  \
	"belongs to the door for remote hosts, which is not part of this version (" SLOTH_VERSION  \
	"); the master is reached through its mount"

static const struct flag start_flags[] = {
	{.name = "foreground", .kind = FLAG_BOOL, .help = "stay in the foreground"},
	{.name = "daemon", .kind = FLAG_BOOL, .help = "go into the background (the default)"},
	{.name = "config", .kind = FLAG_STR, .value = "FILE", .help = "settings"},
	{.name = "set",
		.kind = FLAG_STR,
		.value = "KEY=VALUE",
		.help = "one setting, as under config/ in the mount; repeatable"},
	{.name = "debug", .kind = FLAG_BOOL, .help = "the same as --log-level debug"},
	{.name = "port", .letter = 'p', .kind = FLAG_STR, .value = "PORT", .refused = SSH_LATER},
	{.name = "bind",
		.also = "bind-address",
		.kind = FLAG_STR,
		.value = "ADDRESS",
		.refused = SSH_LATER},
	{0},
};

/* ---- start ---------------------------------------------------------------------------------- */

/* Whether the recorded master lives.  Tells the user so. */
static bool
is_running(const struct args *args)
{
	AUTO(master) struct master master = {0};
	AUTO(fd) int fd = -1;

	if (master_read(args, &master, NULL) < 0)
		return false;
	fd = master_open_process(&master);
	if (fd < 0)
		return false;
	(void)printf("master already running (pid %d)\nmount  %s\nstate  %s\n", (int)master.pid,
		master.mount ? master.mount : "-", master.state_dir);
	return true;
}

static void
tell_started(const struct args *args)
{
	AUTO(master) struct master master = {0};

	if (master_read(args, &master, NULL) < 0)
		return;
	(void)printf("master started (pid %d)\nmount  %s\nstate  %s\nlog    %s/log\n",
		(int)master.pid, master.mount ? master.mount : "-", master.state_dir,
		master.state_dir);
}

/* The daemon's command line: what was said here, in its words. */
static void
daemon_argv(const struct args *args, const char *program, const char **argv)
{
	static const char *const passed[] = {
		"--state", "--mount", "--config", "--log-level", "--set"};
	size_t n = 0;

	argv[n++] = program;
	for (size_t i = 0; i < args->given_count; i++)
		for (size_t k = 0; k < sizeof(passed) / sizeof(passed[0]); k++)
			if (!strcmp(args->given[i].flag->name, passed[k] + 2)) {
				argv[n++] = passed[k];
				argv[n++] = args->given[i].text;
			}
	if (args_bool(args, "debug") && !args_has(args, "log-level")) {
		argv[n++] = "--log-level";
		argv[n++] = "debug";
	}
	if (args_bool(args, "foreground"))
		argv[n++] = "--foreground";
	argv[n] = NULL;
}

static int
start_run(const struct args *args, struct err *err)
{
	AUTO(free) char *program = NULL;
	AUTO(free) const char **argv = NEW_N(const char *, 2 * args->given_count + 8);
	int result;

	if (args_bool(args, "foreground") && args_bool(args, "daemon"))
		return err_set(err, EINVAL, "--foreground and --daemon exclude each other");
	if (is_running(args))
		return EXIT_OK;
	program = program_find("sloth-fsd", err);
	if (!program)
		return -ENOENT;
	daemon_argv(args, program, argv);
	result = program_run(argv, err);
	if (!result && !args_bool(args, "foreground"))
		tell_started(args);
	return result; /* sloth-fsd said itself what was wrong */
}

static const struct cmd cmd_master_start = {
	.name = "start",
	.flags = start_flags,
	.summary = "Start the master and mount its tree",
	.text = "Returns when the tree is mounted.  Does nothing when a master already runs on\n"
		"the same state directory.",
	.examples = "sloth-runner master start\n"
		    "sloth-runner --mount ~/tree --state ~/data master start --set workers=10",
	.run = start_run,
};

/* ---- stop ----------------------------------------------------------------------------------- */

static int
wait_for_end(int pidfd, pid_t pid, int64_t timeout_ns, struct err *err)
{
	int64_t end_ns = clock_mono_ns() + timeout_ns;
	struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};

	for (;;) {
		int64_t left_ms = (end_ns - clock_mono_ns() + NS_PER_MS - 1) / NS_PER_MS;
		int n = poll(&poll_fd, 1, left_ms > 0 ? (int)left_ms : 0);

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return err_set(err, errno, "cannot wait for the master (pid %d): %s",
				(int)pid, strerror(errno));
		if (!n)
			return err_set(err, ETIMEDOUT,
				"the master (pid %d) was asked to stop and still runs; it finishes "
				"running hooks first: try again, or kill -KILL %d",
				(int)pid, (int)pid);
	}
}

static int
stop_run(const struct args *args, struct err *err)
{
	AUTO(master) struct master master = {0};
	AUTO(fd) int pidfd = -1;
	int result = master_read(args, &master, err);

	if (result < 0 && result != -ENOENT)
		return result;
	if (!result)
		pidfd = master_open_process(&master);
	if (pidfd < 0) {
		*err = (struct err){0}; /* nothing to stop is what was asked for */
		(void)printf("no master runs on %s\n", master.state_dir);
		return EXIT_OK;
	}
	if (syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0) < 0)
		return err_set(err, errno, "cannot stop the master (pid %d): %s", (int)master.pid,
			strerror(errno));
	result = wait_for_end(pidfd, master.pid, args_duration_ns(args, "timeout"), err);
	if (!result)
		(void)printf("master stopped (pid %d)\n", (int)master.pid);
	return result;
}

static const struct flag stop_flags[] = {
	{.name = "timeout",
		.kind = FLAG_DURATION,
		.value = "DURATION",
		.preset = "30s",
		.help = "how long to wait for its end"},
	{0},
};

static const struct cmd cmd_master_stop = {
	.name = "stop",
	.flags = stop_flags,
	.summary = "Stop the master: running hooks finish, the rest stays pending",
	.run = stop_run,
};

static const struct cmd *const master_subs[] = {
	&cmd_master_start, &cmd_master_stop, &cmd_master_status, NULL};

const struct cmd cmd_master = {
	.name = "master",
	.flags = start_flags,
	.subs = master_subs,
	.later = "add,list,select,show,update,remove,rm,delete",
	.summary = "Start, stop and look at the master; without a sub-command: start",
	.run = start_run,
};
