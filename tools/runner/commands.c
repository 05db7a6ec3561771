/* The tree of commands.  `later` names what the original's documents promise and this version does
 * not have: typing one of those is answered by saying so, not by a guess at another name.
 */
#include "tools/runner/commands.h"

#include "base/auto.h"
#include "tools/runner/help.h"

#include <stdio.h>

#define NO_REMOTE                                                                                  \
	"this version (" SLOTH_VERSION                                                             \
	") reaches only the master of this host, through its mount: use --mount"

static const struct flag root_flags[] = {
	{.name = "mount",
		.kind = FLAG_STR,
		.value = "DIR",
		.help = "the mount of the master to talk to (SLOTH_RUNNER_MOUNT)"},
	{.name = "state",
		.kind = FLAG_STR,
		.value = "DIR",
		.help = "the master's state directory (SLOTH_RUNNER_CACHE_DIR)"},
	{.name = "log-level",
		.kind = FLAG_WORD,
		.value = "debug|info|warn|error",
		.help = "debug tells which files are read and written (SLOTH_RUNNER_LOG_LEVEL)"},
	{.name = "master", .kind = FLAG_STR, .value = "ADDRESS", .refused = NO_REMOTE},
	{.name = "version", .letter = 'V', .kind = FLAG_BOOL, .help = "print the version"},
	{.name = "help", .letter = 'h', .kind = FLAG_BOOL, .help = "help for a command"},
	{0},
};

static const struct cmd *const hook_subs[] = {
	&cmd_hook_add,
	&cmd_hook_new,
	&cmd_hook_templates,
	&cmd_hook_list,
	&cmd_hook_get,
	&cmd_hook_show,
	&cmd_hook_enable,
	&cmd_hook_disable,
	&cmd_hook_remove,
	&cmd_hook_test,
	&cmd_hook_check,
	&cmd_hook_logs,
	&cmd_hook_why,
	&cmd_hook_stats,
	NULL,
};

static const struct cmd cmd_hook = {
	.name = "hook",
	.also = "hooks",
	.subs = hook_subs,
	.later = "docs",
	.summary = "Scripts that run when events happen",
	.text = "A hook is a file in the mount's hooks/ directory; what the master knows about it\n"
		"is under ctl/hooks/.  NAME@STACK names the hook of a stack.",
};

static const struct cmd *const events_subs[] = {
	&cmd_events_emit,
	&cmd_events_list,
	&cmd_events_get,
	&cmd_events_show,
	&cmd_events_why,
	&cmd_events_replay,
	&cmd_events_watch,
	&cmd_events_delete,
	&cmd_events_cleanup,
	&cmd_events_stats,
	NULL,
};

static const struct cmd cmd_events = {
	.name = "events",
	.also = "event",
	.subs = events_subs,
	.later = "docs",
	.summary = "What happened, and what the hooks made of it",
	.text = "An event is a directory in the mount's events/.  Where a command takes an ID, "
		"the\n"
		"last characters of one (or the first) are enough when they name one event only.",
};

/* ---- help as a command ---------------------------------------------------------------------- */

static int
help_run(const struct args *args, struct err *err)
{
	AUTO(sbuf) struct sbuf out = {0};
	struct args about = {.path = {&cmd_root}, .depth = 1};

	for (size_t i = 0; i < args->word_count; i++) {
		const struct cmd *cmd = cmd_find(args_cmd(&about), args_word(args, i));

		if (!cmd)
			return err_set(err, EINVAL, "no help about '%s': no such command",
				args_word(args, i));
		about.path[about.depth++] = cmd;
	}
	help_add(&out, &about);
	(void)fputs(sbuf_str(&out), stdout); /* a write error shows when main flushes */
	return EXIT_OK;
}

static const struct cmd cmd_help = {
	.name = "help",
	.words = "[COMMAND]...",
	.words_max = ARGS_DEPTH_MAX - 1,
	.summary = "Help about a command",
	.run = help_run,
};

static const struct cmd *const root_subs[] = {
	&cmd_master,
	&cmd_hook,
	&cmd_events,
	&cmd_version,
	&cmd_help,
	NULL,
};

const struct cmd cmd_root = {
	.name = "sloth-runner",
	.flags = root_flags,
	.subs = root_subs,
	.later = "run,workflow,list,sloth,agent,stack,state,secrets,scheduler,ui,completion,db,"
		 "history,group,modules,sysadmin,ssh",
	.summary = "sloth-runner: events, and the hooks that answer them, as files",
	.text = "Everything here is done by reading and writing files of the master's mount; what\n"
		"a command does, ls, cat and echo can do too (--log-level debug shows the files).\n"
		"\n"
		"Exit codes: 0 done, 1 failed, 2 wrong command line, 4 no master, 5 a hook failed.",
	.examples = "sloth-runner master start\n"
		    "sloth-runner hook add alert --event task.failed --script alert.lua\n"
		    "sloth-runner events emit task.failed task_name=build\n"
		    "sloth-runner events list --limit 5",
};

int
exit_code(int result)
{
	static const struct {
		int result;
		enum exit_code code;
	} codes[] = {
		{-EINVAL, EXIT_USAGE},
		{-EHOSTDOWN, EXIT_AWAY},
		{-ENOTCONN, EXIT_AWAY},
	};

	if (result >= 0)
		return result;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].result == result)
			return codes[i].code;
	return EXIT_GENERAL;
}
