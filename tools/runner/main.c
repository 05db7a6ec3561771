/* sloth-runner: read the command line, run the command, tell the shell.
 *
 * Results are on standard output; a failure is one line on standard error, printed here and nowhere
 * else.  What a failure means to a shell is exit_code()'s to say.
 */
#include "base/auto.h"
#include "tools/runner/args.h"
#include "tools/runner/commands.h"
#include "tools/runner/help.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

static int
run(const struct args *args, struct err *err)
{
	const struct cmd *cmd = args_cmd(args);
	AUTO(sbuf) struct sbuf help = {0};
	int result;

	if (args_bool(args, "help") || (!cmd->run && !args_bool(args, "version"))) {
		help_add(&help, args);
		(void)fputs(sbuf_str(&help), stdout); /* told below, at the flush */
		return EXIT_OK;
	}
	if (args_bool(args, "version"))
		return cmd_version.run(args, err);
	result = args_check_words(args, err);
	return result < 0 ? result : cmd->run(args, err);
}

int
main(int argc, char **argv)
{
	AUTO(args) struct args args = {0};
	struct err err = {0};
	int result;

	(void)setlocale(LC_CTYPE, ""); /* widths of table cells; the C locale does otherwise */
	result = args_parse(&cmd_root, argc, argv, &args, &err);
	if (!result)
		result = run(&args, &err);
	if (fflush(stdout) == EOF || ferror(stdout))
		result = err_set(&err, EIO, "cannot write to standard output: %s", strerror(errno));
	if (err.code)
		(void)fprintf(stderr, "error: %s\n", err.msg);
	return exit_code(result);
}
