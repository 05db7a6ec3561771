/* `version`: the version, the commit and its date.  Not the date of the build: two builds of one
 * source are the same.  Outside of a clone commit and date are not known, and say so. */
#include "tools/runner/commands.h"

#include "base/auto.h"
#include "source_commit.h"
#include "tools/runner/print.h"

#include <stdio.h>

static int
version_run(const struct args *args, struct err *err)
{
	(void)err;
	if (args_cmd(args) == &cmd_version && print_is_json(args)) {
		json_t *json = json_pack("{s:s, s:s, s:s}", "version", SLOTH_VERSION, "commit",
			SOURCE_COMMIT, "commit_date", SOURCE_DATE);

		print_json(json);
		json_decref(json);
	} else {
		(void)printf("sloth-runner %s\ncommit %s\nof %s\n", SLOTH_VERSION, SOURCE_COMMIT,
			SOURCE_DATE);
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
