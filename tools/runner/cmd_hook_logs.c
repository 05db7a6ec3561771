/* `hook logs`, also called `hook history`: what a hook did lately. */
#include "tools/runner/commands.h"

#include "base/auto.h"
#include "tools/runner/executions.h"
#include "tools/runner/print.h"

#include <stdio.h>
#include <string.h>

/* -o is the original's switch for outputs here; with a format behind it, it means that. */
static bool
is_json(const struct args *args)
{
	const char *output = args_str(args, "output");

	return !strcmp(args_str(args, "format"), "json") || (output && !strcmp(output, "json"));
}

static void
logs_print_json(const json_t *hook, json_t *list, const struct execution_counts *counts)
{
	json_t *json = json_pack("{s:s, s:I, s:I, s:I, s:O}", "hook", json_text(hook, "label"),
		"total_shown", (json_int_t)json_array_size(list), "success_count",
		(json_int_t)counts->success, "failed_count", (json_int_t)counts->failed,
		"executions", list);

	print_json(json);
	json_decref(json);
}

static void
print_text(const char *label, const char *text)
{
	if (*text)
		(void)printf("%s\n%s%s", label, text, text[strlen(text) - 1] == '\n' ? "" : "\n");
}

/* A block per execution, with what was asked for. */
static void
print_blocks(const json_t *list, bool has_output, bool has_error)
{
	json_t *execution;
	size_t i;

	json_array_foreach (list, i, execution) {
		(void)printf("\n%s  %s  %s  event %s\n", json_text(execution, "timestamp"),
			json_text(execution, "status"), json_text(execution, "duration"),
			json_text(execution, "event_id"));
		if (has_output)
			print_text("Output:", json_text(execution, "output"));
		if (has_error)
			print_text("Error:", json_text(execution, "error"));
	}
}

static void
logs_print(const struct args *args, const json_t *hook, const json_t *list,
	const struct execution_counts *counts)
{
	bool has_output = args_bool(args, "output"), has_error = args_bool(args, "error");

	(void)printf("Hook:    %s\nEvents:  %s\nShown:   %zu (%zu success, %zu failed)\n\n",
		json_text(hook, "label"), json_text(hook, "event_type"), json_array_size(list),
		counts->success, counts->failed);
	if (!json_array_size(list))
		(void)printf("No executions.\n");
	else if (has_output || has_error)
		print_blocks(list, has_output, has_error);
	else
		executions_print_table(list, true);
}

static int
logs_run(const struct args *args, struct err *err)
{
	AUTO(mount) struct mount mount = {0};
	AUTO(json) json_t *hook = NULL, *list = NULL;
	struct execution_counts counts;
	int result = mount_find(args, &mount, err);

	if (!result)
		result = hook_read(&mount, args_word(args, 0), &hook, err);
	if (!result)
		result = executions_read(&mount, hook, args_count(args, "limit"),
			args_bool(args, "only-failed"), &list, &counts, err);
	if (!result && (is_json(args) || args_bool(args, "output") || args_bool(args, "error")))
		result = executions_complete(&mount, list, err);
	if (result)
		return result;
	if (is_json(args))
		logs_print_json(hook, list, &counts);
	else
		logs_print(args, hook, list, &counts);
	executions_tell_rest(&counts);
	return EXIT_OK;
}

static const struct flag logs_flags[] = {
	{.name = "limit",
		.letter = 'n',
		.kind = FLAG_LIMIT,
		.value = "N",
		.preset = "20",
		.help = "how many at most"},
	{.name = "output",
		.letter = 'o',
		.kind = FLAG_SWITCH,
		.value = "table|json",
		.help = "with what the hook wrote"},
	{.name = "error", .letter = 'e', .kind = FLAG_BOOL, .help = "with errors and tracebacks"},
	{.name = "only-failed", .kind = FLAG_BOOL, .help = "only those that did not succeed"},
	{.name = "format",
		.letter = 'f',
		.kind = FLAG_WORD,
		.value = "table|json",
		.preset = "table",
		.help = "how to print it"},
	{0},
};

const struct cmd cmd_hook_logs = {
	.name = "logs",
	.also = "log,history",
	.words = "NAME",
	.words_min = 1,
	.words_max = 1,
	.flags = logs_flags,
	.summary = "Show what a hook did lately, newest first",
	.examples = "sloth-runner hook logs alert --only-failed --error\n"
		    "sloth-runner hook logs alert --limit 50 --format json",
	.run = logs_run,
};
