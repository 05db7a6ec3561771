/* The command line, read once from left to right.
 *
 * A word is the name of a sub-command as long as the command so far has any; afterwards it is an
 * argument.  A flag is looked up in the rows of the command so far and of those above it, so a
 * global flag may stand anywhere and a command's own flags follow its name.  Values are judged
 * here, against the kind in the row, which is why the getters cannot fail.  getopt_long was not
 * taken: it keeps global state, knows no commands, and abbreviates long names, which would turn
 * every new flag into a change of meaning of an old script.
 */
#include "tools/runner/args.h"

#include "base/auto.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "base/units.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_DIGITS_MAX 7
#define PATH_LEN_MAX     96

struct reader {
	struct args *args;
	char **argv;
	int argc, at;
	bool is_words_only; /* after -- */
};

const struct cmd *
args_cmd(const struct args *args)
{
	return args->path[args->depth - 1];
}

const char *
args_path_text(const struct args *args, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < args->depth && len < size; i++)
		len += (size_t)snprintf(
			buf + len, size - len, "%s%s", i ? " " : "", args->path[i]->name);
	return buf;
}

/* ---- names ---------------------------------------------------------------------------------- */

/* Whether one of the comma separated names is name. */
static bool
list_has(const char *list, char separator, const char *name, size_t len)
{
	while (list) {
		const char *end = strchr(list, separator);
		size_t n = end ? (size_t)(end - list) : strlen(list);

		if (n == len && !memcmp(list, name, n))
			return true;
		list = end ? end + 1 : NULL;
	}
	return false;
}

const struct cmd *
cmd_find(const struct cmd *group, const char *name)
{
	for (const struct cmd *const *c = group->subs; c && *c; c++)
		if (!strcmp((*c)->name, name) || list_has((*c)->also, ',', name, strlen(name)))
			return *c;
	return NULL;
}

/* ---- values --------------------------------------------------------------------------------- */

static const char *
bool_text(const char *text)
{
	if (list_has("true,t,1,yes,on", ',', text, strlen(text)))
		return "true";
	if (list_has("false,f,0,no,off", ',', text, strlen(text)))
		return "false";
	return NULL;
}

static bool
is_count(const char *text, unsigned long min)
{
	size_t len = strspn(text, "0123456789");

	return len && len <= COUNT_DIGITS_MAX && !text[len] && strtoul(text, NULL, 10) >= min;
}

static int
count_check(const struct flag *flag, const char *text, struct err *err)
{
	unsigned min = flag->kind == FLAG_LIMIT;

	if (is_count(text, min))
		return 0;
	return err_set(err, EINVAL, "--%s is a number from %u to 9999999, not '%s'", flag->name,
		min, text);
}

static int
value_check(const struct flag *flag, const char *text, struct err *err)
{
	int64_t ns;

	switch (flag->kind) {
	case FLAG_STR:
		return 0;
	case FLAG_BOOL:
		if (bool_text(text))
			return 0;
		return err_set(err, EINVAL, "--%s is true or false, not '%s'", flag->name, text);
	case FLAG_COUNT:
	case FLAG_LIMIT:
		return count_check(flag, text, err);
	case FLAG_DURATION:
		if (!units_parse_duration(text, &ns, err))
			return 0;
		return err_wrap(err, EINVAL, "--%s", flag->name);
	case FLAG_WORD:
	case FLAG_SWITCH:
		if (list_has(flag->value, '|', text, strlen(text)) ||
			(flag->kind == FLAG_SWITCH && bool_text(text)))
			return 0;
		return err_set(
			err, EINVAL, "--%s is one of %s, not '%s'", flag->name, flag->value, text);
	}
	return -EINVAL;
}

static int
give(struct reader *r, const struct flag *flag, const char *text, struct err *err)
{
	struct args *args = r->args;

	if (flag->refused)
		return err_set(err, EINVAL, "--%s: %s", flag->name, flag->refused);
	if (value_check(flag, text, err) < 0)
		return -EINVAL;
	if (flag->kind == FLAG_BOOL || (flag->kind == FLAG_SWITCH && bool_text(text)))
		text = bool_text(text);
	args->given[args->given_count++] = (struct given){flag, text};
	return 0;
}

/* ---- flags ---------------------------------------------------------------------------------- */

static const struct flag *
flag_find(const struct args *args, const char *name, size_t len, char letter)
{
	for (size_t i = args->depth; i-- > 0;) {
		for (const struct flag *f = args->path[i]->flags; f && f->name; f++) {
			if (letter ? f->letter == letter
				   : list_has(f->name, ',', name, len) ||
						list_has(f->also, ',', name, len))
				return f;
		}
	}
	return NULL;
}

static int
flag_unknown(const struct args *args, const char *text, int len, struct err *err)
{
	AUTO(free) char *word = mem_strndup(text, (size_t)len);
	struct nearest nearest = {.word = word + strspn(word, "-")};
	char path[PATH_LEN_MAX];

	for (size_t i = args->depth; i-- > 0 && len > 2;)
		for (const struct flag *f = args->path[i]->flags; f && f->name; f++)
			nearest_offer(&nearest, f->name);
	if (nearest.name)
		return err_set(
			err, EINVAL, "unknown flag '%s'; did you mean '--%s'?", word, nearest.name);
	args_path_text(args, path, sizeof(path));
	return err_set(err, EINVAL, "unknown flag '%.*s' (see '%s --help')", len, text, path);
}

static bool
takes_value(const struct flag *flag)
{
	return flag->kind != FLAG_BOOL && flag->kind != FLAG_SWITCH;
}

/* The value of a flag that stands alone: the next word where the kind wants one.  A switch takes
 * the next word only when it is one of its own. */
static int
give_next(struct reader *r, const struct flag *flag, struct err *err)
{
	const char *next = r->at + 1 < r->argc ? r->argv[r->at + 1] : NULL;

	if (flag->refused)
		return give(r, flag, "", err);
	if (takes_value(flag) && !next)
		return err_set(err, EINVAL, "--%s needs a value (%s)", flag->name, flag->value);
	if (takes_value(flag) || (flag->kind == FLAG_SWITCH && next &&
					 list_has(flag->value, '|', next, strlen(next)))) {
		r->at++;
		return give(r, flag, next, err);
	}
	return give(r, flag, "true", err);
}

static int
read_long(struct reader *r, const char *text, struct err *err)
{
	size_t len = strcspn(text, "=");
	const struct flag *flag = flag_find(r->args, text, len, 0);

	if (!flag)
		return flag_unknown(r->args, text - 2, (int)len + 2, err);
	return text[len] ? give(r, flag, text + len + 1, err) : give_next(r, flag, err);
}

/* -f value, -fvalue, -f=value, and bools in a bundle: -oe. */
static int
read_short(struct reader *r, const char *text, struct err *err)
{
	for (; *text; text++) {
		const struct flag *flag = flag_find(r->args, NULL, 0, *text);
		const char *rest = text + 1;
		int result;

		if (!flag)
			return flag_unknown(r->args, (char[]){'-', *text}, 2, err);
		if (*rest == '=')
			return give(r, flag, rest + 1, err);
		if (!*rest)
			return give_next(r, flag, err);
		if (takes_value(flag) || (flag->kind == FLAG_SWITCH &&
						 list_has(flag->value, '|', rest, strlen(rest))))
			return give(r, flag, rest, err);
		result = give(r, flag, "true", err);
		if (result < 0)
			return result;
	}
	return 0;
}

/* ---- words ---------------------------------------------------------------------------------- */

static int
unknown_command(const struct args *args, const char *word, struct err *err)
{
	struct nearest nearest = {.word = word};
	char path[PATH_LEN_MAX];

	for (const struct cmd *const *c = args_cmd(args)->subs; c && *c; c++)
		nearest_offer(&nearest, (*c)->name);
	args_path_text(args, path, sizeof(path));
	if (list_has(args_cmd(args)->later, ',', word, strlen(word)))
		return err_set(err, EINVAL,
			"'%s %s' is not part of this version (" SLOTH_VERSION ")", path, word);
	if (nearest.name)
		return err_set(err, EINVAL, "unknown command '%s' for '%s'; did you mean '%s'?",
			word, path, nearest.name);
	return err_set(
		err, EINVAL, "unknown command '%s' for '%s' (see '%s --help')", word, path, path);
}

static int
read_word(struct reader *r, const char *word, struct err *err)
{
	struct args *args = r->args;
	const struct cmd *group = args_cmd(args), *sub;

	if (!group->subs) {
		args->words[args->word_count++] = word;
		return 0;
	}
	sub = cmd_find(group, word);
	if (!sub)
		return unknown_command(args, word, err);
	assert(args->depth < ARGS_DEPTH_MAX);
	args->path[args->depth++] = sub;
	return 0;
}

int
args_parse(const struct cmd *root, int argc, char **argv, struct args *ret_args, struct err *err)
{
	struct args args = {.path = {root}, .depth = 1};
	struct reader r = {.args = &args, .argv = argv, .argc = argc, .at = 1};
	int result = 0;

	/* A bundle gives a flag a letter, so letters bound the number of flags. */
	for (int i = 1; i < argc; i++)
		args.given_count += strlen(argv[i]) + 1;
	args.given = NEW_N(struct given, args.given_count + 1);
	args.given_count = 0;
	args.words = NEW_N(const char *, (size_t)argc + 1);
	for (; r.at < argc && !result; r.at++) {
		const char *word = argv[r.at];

		if (r.is_words_only || word[0] != '-' || !word[1])
			result = read_word(&r, word, err);
		else if (!strcmp(word, "--"))
			r.is_words_only = true;
		else if (word[1] == '-')
			result = read_long(&r, word + 2, err);
		else
			result = read_short(&r, word + 1, err);
	}
	if (result < 0)
		args_fini(&args);
	else
		*ret_args = args;
	return result;
}

void
args_fini(struct args *args)
{
	free(args->given);
	free(args->words);
	*args = (struct args){0};
}

int
args_check_words(const struct args *args, struct err *err)
{
	const struct cmd *cmd = args_cmd(args);
	size_t n = args->word_count;
	char path[PATH_LEN_MAX];

	if (n >= cmd->words_min && n <= cmd->words_max)
		return 0;
	args_path_text(args, path, sizeof(path));
	if (!cmd->words_max)
		return err_set(err, EINVAL, "'%s' takes no arguments, got %zu", path, n);
	return err_set(err, EINVAL, "'%s' takes %s, got %zu argument%s (see '%s --help')", path,
		cmd->words, n, n == 1 ? "" : "s", path);
}

/* ---- getters -------------------------------------------------------------------------------- */

static const struct given *
last_given(const struct args *args, const char *name, const char **ret_preset)
{
	const struct flag *flag = flag_find(args, name, strlen(name), 0);

	assert(flag);
	*ret_preset = flag->preset;
	for (size_t i = args->given_count; i-- > 0;)
		if (args->given[i].flag == flag)
			return &args->given[i];
	return NULL;
}

const char *
args_str(const struct args *args, const char *name)
{
	const char *preset;
	const struct given *given = last_given(args, name, &preset);

	return given ? given->text : preset;
}

const char *
args_nth(const struct args *args, const char *name, size_t n)
{
	const struct flag *flag = flag_find(args, name, strlen(name), 0);

	assert(flag);
	for (size_t i = 0; i < args->given_count; i++)
		if (args->given[i].flag == flag && n-- == 0)
			return args->given[i].text;
	return NULL;
}

bool
args_has(const struct args *args, const char *name)
{
	const char *preset;

	return last_given(args, name, &preset) != NULL;
}

bool
args_bool(const struct args *args, const char *name)
{
	const char *text = args_str(args, name);

	return text && !strcmp(text, "true");
}

size_t
args_count(const struct args *args, const char *name)
{
	const char *text = args_str(args, name);

	return text ? (size_t)strtoul(text, NULL, 10) : 0;
}

int64_t
args_duration_ns(const struct args *args, const char *name)
{
	const char *text = args_str(args, name);
	int64_t ns = 0;

	if (text && units_parse_duration(text, &ns, NULL) < 0)
		assert(!"a preset is not a duration");
	return ns;
}

const char *
args_word(const struct args *args, size_t n)
{
	return n < args->word_count ? args->words[n] : NULL;
}
