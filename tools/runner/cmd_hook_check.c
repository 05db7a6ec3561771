/* `hook check`: whether files are hooks, without a master.  sloth-worker loads each as the master
 * would and writes errors as FILE:LINE: text, which editors read (vim: set makeprg and
 * errorformat).
 */
#include "tools/runner/commands.h"

#include "base/auto.h"
#include "tools/runner/args.h"
#include "tools/runner/program.h"

#include <stdio.h>

static int
check_run(const struct args *args, struct err *err)
{
	AUTO(free) char *program = program_find("sloth-worker", err);
	int worst = EXIT_OK;

	if (!program)
		return -ENOENT;
	for (size_t i = 0; i < args->word_count; i++) {
		const char *argv[] = {program, "--check", args->words[i], NULL};
		int result = program_run(argv, err);

		if (result < 0)
			return result;
		if (result)
			worst = EXIT_GENERAL;
	}
	return worst; /* the errors are on standard output, one a line */
}

const struct cmd cmd_hook_check = {
	.name = "check",
	.words = "FILE...",
	.words_min = 1,
	.words_max = WORDS_ANY,
	.summary = "Check scripts before they are hooks",
	.text = "Errors are written as FILE:LINE: TEXT.  Exit code 1 when there are any.\n"
		"Needs no master.",
	.examples = "sloth-runner hook check alert.lua",
	.run = check_run,
};
