/* What was typed, judged against the rows of cmd.h.  Values are checked while parsing, so that the
 * getters cannot fail.  Strings are borrowed from argv.
 */
#ifndef SLOTH_RUNNER_ARGS_H
#define SLOTH_RUNNER_ARGS_H

#include "base/err.h"
#include "tools/runner/cmd.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARGS_DEPTH_MAX 4 /* sloth-runner, hook, add */

struct given {
	const struct flag *flag;
	const char *text;
};

struct args {
	const struct cmd *path[ARGS_DEPTH_MAX]; /* from the root to the command */
	size_t depth;
	struct given *given; /* in the order typed */
	size_t given_count;
	const char **words; /* the positional arguments */
	size_t word_count;
};

/* Read argv[1..].  Without a command's name the path is the root alone, and a group's name alone
 * is the group.  Returns 0, or -EINVAL with a sentence that names the flag or the word. */
int args_parse(const struct cmd *root, int argc, char **argv, struct args *ret_args,
	struct err *err) MUST_USE;
void args_fini(struct args *args);
static inline void
args_auto(struct args *args)
{
	args_fini(args);
}

/* The command itself: the last of the path. */
const struct cmd *args_cmd(const struct args *args);

/* Whether the number of words is what the command takes.  Returns 0 or -EINVAL. */
int args_check_words(const struct args *args, struct err *err) MUST_USE;

/* Values by the flag's first name, the last one typed or else the preset.  A name that no row
 * declares is our own bug (asserted). */
const char *args_str(const struct args *args, const char *name); /* NULL: none */
bool args_bool(const struct args *args, const char *name);
size_t args_count(const struct args *args, const char *name);
int64_t args_duration_ns(const struct args *args, const char *name);
bool args_has(const struct args *args, const char *name); /* typed at all */
/* The nth value typed for a flag that may be given several times, or NULL. */
const char *args_nth(const struct args *args, const char *name, size_t n);
/* The nth word, or NULL. */
const char *args_word(const struct args *args, size_t n);

/* The command of that name or second name below group; NULL. */
const struct cmd *cmd_find(const struct cmd *group, const char *name);

/* "sloth-runner hook add" into buf. */
const char *args_path_text(const struct args *args, char *buf, size_t size);

#endif
