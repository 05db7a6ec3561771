/* The command line: flags in every spelling, words, refusals and suggestions. */
#include "tools/runner/args.h"

#include "base/auto.h"
#include "base/clock.h"
#include "tests/unit/suite.h"
#include "tools/runner/commands.h"
#include "tools/runner/help.h"

#include <stdio.h>
#include <string.h>

#define ARGV_MAX 16

static const struct flag leaf_flags[] = {
	{.name = "file", .also = "script,source", .letter = 'f', .kind = FLAG_STR, .value = "FILE"},
	{.name = "limit", .letter = 'n', .kind = FLAG_COUNT, .value = "N", .preset = "20"},
	{.name = "age", .kind = FLAG_DURATION, .value = "DURATION", .preset = "1d"},
	{.name = "enabled", .letter = 'E', .kind = FLAG_BOOL, .preset = "true"},
	{.name = "quiet", .letter = 'q', .kind = FLAG_BOOL, .help = "say less"},
	{.name = "output", .letter = 'o', .kind = FLAG_SWITCH, .value = "table|json"},
	{.name = "format", .kind = FLAG_WORD, .value = "table|json", .preset = "table"},
	{.name = "port", .letter = 'p', .kind = FLAG_STR, .value = "PORT", .refused = "no door"},
	{0},
};
static int
run_nothing(const struct args *args, struct err *err)
{
	(void)args;
	(void)err;
	return 0;
}

static const struct cmd leaf = {.name = "add",
	.also = "create,new",
	.words = "NAME",
	.words_min = 1,
	.words_max = 1,
	.flags = leaf_flags,
	.summary = "Add one",
	.examples = "prog hook add x",
	.run = run_nothing};
static const struct cmd *const group_subs[] = {&leaf, NULL};
static const struct cmd group = {
	.name = "hook", .subs = group_subs, .later = "docs,export", .summary = "Hooks"};
static const struct cmd *const root_subs[] = {&group, NULL};
static const struct flag root_flags[] = {
	{.name = "level", .kind = FLAG_STR, .value = "LEVEL", .help = "how much"},
	{0},
};
static const struct cmd root = {
	.name = "prog", .flags = root_flags, .subs = root_subs, .summary = "A program"};

/* Parse "prog" and the words of line, which are separated by single blanks. */
static int
parse(const char *line, struct args *args, struct err *err)
{
	static char copy[512];
	char *argv[ARGV_MAX] = {copy}, *rest = copy + 5;
	int argc = 1;

	(void)snprintf(copy, sizeof(copy), "prog %s", line);
	copy[4] = '\0';
	while ((argv[argc] = strsep(&rest, " ")))
		argc++;
	return args_parse(&root, argc, argv, args, err);
}

START_TEST(test_spellings)
{
	static const char *const lines[] = {
		"hook add x --file a.lua",
		"hook add --file=a.lua x",
		"hook add x -f a.lua",
		"hook create -fa.lua x",
		"hook new -f=a.lua x",
		"--level debug hook add x --script a.lua",
		"hook add x --source a.lua --level=debug",
		"hook add --file old.lua x --file a.lua",
		"hook add --file a.lua -- x",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		AUTO(args) struct args args = {0};
		struct err err = {0};

		ck_assert_msg(!parse(lines[i], &args, &err), "%s: %s", lines[i], err.msg);
		ck_assert_ptr_eq(args_cmd(&args), &leaf);
		ck_assert_str_eq(args_str(&args, "file"), "a.lua");
		ck_assert_uint_eq(args.word_count, 1);
		ck_assert_str_eq(args_word(&args, 0), "x");
		ck_assert_ptr_null(args_word(&args, 1));
		ck_assert_int_eq(args_check_words(&args, &err), 0);
	}
}
END_TEST

START_TEST(test_values_and_presets)
{
	AUTO(args) struct args args = {0};
	AUTO(args) struct args other = {0};

	ck_assert_int_eq(parse("hook add x", &args, NULL), 0);
	ck_assert_uint_eq(args_count(&args, "limit"), 20);
	ck_assert_int_eq(args_duration_ns(&args, "age"), 86400 * NS_PER_S);
	ck_assert(args_bool(&args, "enabled"));
	ck_assert(!args_bool(&args, "quiet"));
	ck_assert(!args_has(&args, "enabled"));
	ck_assert_ptr_null(args_str(&args, "file"));

	ck_assert_int_eq(parse("hook add --enabled=false -n3 --age 2w -q -- -x", &other, NULL), 0);
	ck_assert(!args_bool(&other, "enabled"));
	ck_assert(args_has(&other, "enabled"));
	ck_assert(args_bool(&other, "quiet"));
	ck_assert_uint_eq(args_count(&other, "limit"), 3);
	ck_assert_int_eq(args_duration_ns(&other, "age"), 14 * 86400 * NS_PER_S);
	ck_assert_str_eq(args_word(&other, 0), "-x");
}
END_TEST

/* A switch is a bool, unless one of its own words follows. */
START_TEST(test_switches)
{
	static const struct {
		const char *line, *output;
		size_t words;
	} cases[] = {
		{"hook add -o x", "true", 1},
		{"hook add x --output", "true", 1},
		{"hook add x -o json", "json", 1},
		{"hook add x -ojson", "json", 1},
		{"hook add x --output=table", "table", 1},
		{"hook add x --output=false", "false", 1},
		{"hook add -qo x", "true", 1},
		{"hook add -oq x", "true", 1},
		{"hook add -o json x", "json", 1},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(args) struct args args = {0};
		struct err err = {0};

		ck_assert_msg(!parse(cases[i].line, &args, &err), "%s: %s", cases[i].line, err.msg);
		ck_assert_str_eq(args_str(&args, "output"), cases[i].output);
		ck_assert_uint_eq(args.word_count, cases[i].words);
	}
}
END_TEST

START_TEST(test_refusals)
{
	static const struct {
		const char *line, *why;
	} cases[] = {
		{"hook add --nope x", "unknown flag '--nope'"},
		{"hook add -z x", "unknown flag '-z'"},
		{"hook add --nope=1 x", "unknown flag '--nope' (see 'prog hook add --help')"},
		{"hook --file a", "unknown flag '--file'"},
		{"hook add x --file", "--file needs a value (FILE)"},
		{"hook add x --limit many", "--limit is a number"},
		{"hook add x --limit -1", "--limit is a number"},
		{"hook add x --limit 10000000", "--limit is a number"},
		{"hook add x --limit=", "--limit is a number"},
		{"hook add x --age 5parsecs", "--age: "},
		{"hook add x --enabled=maybe", "--enabled is true or false, not 'maybe'"},
		{"hook add x --format xml", "--format is one of table|json, not 'xml'"},
		{"hook add x --port 5", "--port: no door"},
		{"hook add x -p", "--port: no door"},
		{"hook add x --port=5", "--port: no door"},
		{"hok", "did you mean 'hook'?"},
		{"hook ad x", "did you mean 'add'?"},
		{"hook dad x", "did you mean 'add'?"},
		{"hook frobnicate", "unknown command 'frobnicate' for 'prog hook' (see"},
		{"hook docs", "'prog hook docs' is not part of this version"},
		{"hook export --nope", "'prog hook export' is not part of this version"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(args) struct args args = {0};
		struct err err = {0};

		ck_assert_msg(parse(cases[i].line, &args, &err) == -EINVAL, "%s", cases[i].line);
		ck_assert_msg(
			strstr(err.msg, cases[i].why) != NULL, "%s: %s", cases[i].line, err.msg);
	}
}
END_TEST

START_TEST(test_word_counts)
{
	AUTO(args) struct args none = {0};
	AUTO(args) struct args two = {0};
	struct err err = {0};

	ck_assert_int_eq(parse("hook add", &none, NULL), 0);
	ck_assert_int_eq(args_check_words(&none, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "'prog hook add' takes NAME, got 0 arguments"));
	ck_assert_int_eq(parse("hook add x y", &two, NULL), 0);
	ck_assert_int_eq(args_check_words(&two, &err), -EINVAL);
}
END_TEST

START_TEST(test_suggestions)
{
	AUTO(args) struct args args = {0};
	struct err err = {0};

	ck_assert_int_eq(parse("ohok add", &args, &err), -EINVAL);
	ck_assert_str_eq(err.msg, "unknown command 'ohok' for 'prog'; did you mean 'hook'?");
	ck_assert_int_eq(parse("workflow", &args, &err), -EINVAL);
	ck_assert_str_eq(err.msg, "unknown command 'workflow' for 'prog' (see 'prog --help')");
}
END_TEST

/* Help shows every row that has a help text, and nothing it refuses. */
START_TEST(test_help)
{
	AUTO(args) struct args args = {0};
	AUTO(sbuf) struct sbuf out = {0};

	ck_assert_int_eq(parse("hook add", &args, NULL), 0);
	help_add(&out, &args);
	ck_assert_ptr_nonnull(strstr(sbuf_str(&out), "Usage:\n  prog hook add NAME [flags]"));
	ck_assert_ptr_nonnull(strstr(sbuf_str(&out), "Aliases:\n  add,create,new\n"));
	ck_assert_ptr_nonnull(strstr(sbuf_str(&out), "Examples:\n  prog hook add x\n"));
	ck_assert_ptr_nonnull(strstr(sbuf_str(&out), "-q, --quiet   say less\n"));
	ck_assert_ptr_nonnull(strstr(sbuf_str(&out), "    --level LEVEL   how much\n"));
	ck_assert_ptr_null(strstr(sbuf_str(&out), "port"));
}
END_TEST

/* The real rows: every preset is a value of its flag, names and letters of a command are unique. */
static void
check_flags(const struct cmd *cmd)
{
	for (const struct flag *f = cmd->flags; f && f->name; f++) {
		for (const struct flag *g = f + 1; g->name; g++) {
			ck_assert_msg(strcmp(f->name, g->name), "%s --%s", cmd->name, f->name);
			ck_assert_msg(!f->letter || f->letter != g->letter, "%s -%c", cmd->name,
				f->letter);
		}
		ck_assert_msg(f->refused || f->help, "%s --%s has no help", cmd->name, f->name);
		ck_assert_msg(f->kind == FLAG_BOOL || f->value, "%s --%s", cmd->name, f->name);
	}
}

static void
check_rows(const struct cmd *cmd)
{
	ck_assert_msg(cmd->summary, "%s has no summary", cmd->name);
	ck_assert_msg(cmd->run || cmd->subs, "%s does nothing", cmd->name);
	ck_assert_msg(!cmd->words_max == !cmd->words, "%s", cmd->name);
	check_flags(cmd);
	for (const struct cmd *const *sub = cmd->subs; sub && *sub; sub++) {
		ck_assert_ptr_eq(cmd_find(cmd, (*sub)->name), *sub);
		check_rows(*sub);
	}
}

START_TEST(test_real_rows)
{
	static const char *const later[] = {"run", "workflow", "list", "sloth", "agent", "stack",
		"state", "secrets", "scheduler", "ui", "completion"};

	check_rows(&cmd_root);
	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
		char *argv[] = {(char[]){"sloth-runner"}, NULL, NULL};
		char word[32];
		struct args args;
		struct err err = {0};

		(void)snprintf(word, sizeof(word), "%s", later[i]);
		argv[1] = word;
		ck_assert_int_eq(args_parse(&cmd_root, 2, argv, &args, &err), -EINVAL);
		ck_assert_msg(strstr(err.msg, "not part of this version") != NULL, "%s", err.msg);
	}
}
END_TEST

START_TEST(test_exit_codes)
{
	ck_assert_int_eq(exit_code(EXIT_OK), 0);
	ck_assert_int_eq(exit_code(EXIT_HOOK), 5);
	ck_assert_int_eq(exit_code(-EINVAL), 2);
	ck_assert_int_eq(exit_code(-EHOSTDOWN), 4);
	ck_assert_int_eq(exit_code(-ENOENT), 1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("runner args");
	TCase *tc = tcase_create("args");

	tcase_add_test(tc, test_spellings);
	tcase_add_test(tc, test_values_and_presets);
	tcase_add_test(tc, test_switches);
	tcase_add_test(tc, test_refusals);
	tcase_add_test(tc, test_word_counts);
	tcase_add_test(tc, test_suggestions);
	tcase_add_test(tc, test_help);
	tcase_add_test(tc, test_real_rows);
	tcase_add_test(tc, test_exit_codes);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
