/* `version`: one line.  No commit and no build date: two builds of one source are the same. */
#include "tools/runner/commands.h"

#include "base/auto.h"
#include "tools/runner/print.h"

#include <stdio.h>

static int
version_run(const struct args *args, struct err *err)
{
	(void)err;
	if (args_cmd(args) == &cmd_version && print_is_json(args)) {
		json_t *json = json_pack("{s:s}", "version", SLOTH_VERSION);

		print_json(json);
		json_decref(json);
	} else {
		(void)printf("sloth-runner %s\n", SLOTH_VERSION);
	}
	return EXIT_OK;
}

static const struct flag version_flags[] = {FLAG_OUTPUT, {0}};

const struct cmd cmd_version = {
	.name = "version",
	.flags = version_flags,
	.summary = "Print the version",
	.run = version_run,
};
