/* `hook list`, `hook get` (JSON for scripts) and `hook show` (for people). */
#include "tools/runner/commands.h"

#include "base/auto.h"
#include "tools/runner/event_types.h"
#include "tools/runner/executions.h"
#include "tools/runner/hook.h"
#include "tools/runner/print.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

/* ---- list ----------------------------------------------------------------------------------- */

static void
print_table(const json_t *hooks)
{
	static const char *const heads[] = {
		"Name", "Event Type", "Stack", "Status", "Run Count", "Last Run", NULL};
	struct table *table = table_new(heads, 3);
	json_t *hook;
	size_t i;

	json_array_foreach (hooks, i, hook) {
		AUTO(sbuf) struct sbuf runs = {0};
		const char *last = json_text(hook, "last_run");

		sbuf_printf(&runs, "%lld",
			(long long)json_integer_value(json_object_get(hook, "run_count")));
		table_add(
			table, (const char *[]){json_text(hook, "name"),
				       json_text(hook, "event_type"), json_text(hook, "stack"),
				       hook_state(hook), sbuf_str(&runs), *last ? last : "Never"});
	}
	table_print(table);
	(void)printf("\nTotal: %zu\n", json_array_size(hooks));
}

/* Whether it listens to the type or pattern: task.* finds task.failed, and the other way round. */
static bool
hears(const json_t *hook, const char *wanted)
{
	json_t *type;
	size_t i;

	json_array_foreach (json_object_get(hook, "event_types"), i, type)
		if (!fnmatch(json_string_value(type), wanted, 0) ||
			!fnmatch(wanted, json_string_value(type), 0))
			return true;
	return false;
}

/* Drop the hooks that were not asked for. */
static void
filter(const struct args *args, json_t *hooks)
{
	const char *stack = args_str(args, "stack"), *event = args_str(args, "event");

	for (size_t i = json_array_size(hooks); i-- > 0;) {
		const json_t *hook = json_array_get(hooks, i);

		if ((stack && strcmp(stack, json_text(hook, "stack"))) ||
			(event && !hears(hook, event)))
			(void)json_array_remove(hooks, i);
	}
}

static int
list_run(const struct args *args, struct err *err)
{
	AUTO(mount) struct mount mount = {0};
	AUTO(json) json_t *hooks = NULL;
	int result = mount_find(args, &mount, err);

	if (!result)
		result = hooks_read(&mount, &hooks, err);
	if (result)
		return result;
	filter(args, hooks);
	if (print_is_json(args))
		print_json(hooks);
	else if (!json_array_size(hooks))
		(void)printf("No hooks%s.  Add one: sloth-runner hook add FILE.lua\n",
			args->given_count ? " of that kind" : "");
	else
		print_table(hooks);
	if (!json_array_size(hooks) && args_str(args, "event"))
		return event_types_warn_one(&mount, args_str(args, "event"), err);
	return EXIT_OK;
}

static const struct flag list_flags[] = {
	{.name = "stack",
		.letter = 's',
		.kind = FLAG_STR,
		.value = "STACK",
		.help = "only this stack's"},
	{.name = "event",
		.letter = 'e',
		.kind = FLAG_STR,
		.value = "TYPE",
		.help = "only those that listen to it"},
	FLAG_OUTPUT,
	{0},
};

const struct cmd cmd_hook_list = {
	.name = "list",
	.also = "ls",
	.flags = list_flags,
	.summary = "List the hooks",
	.examples = "sloth-runner hook list\n"
		    "sloth-runner hook list --stack production -o json",
	.run = list_run,
};

/* ---- get ------------------------------------------------------------------------------------ */

static int
get_run(const struct args *args, struct err *err)
{
	AUTO(mount) struct mount mount = {0};
	AUTO(json) json_t *hook = NULL;
	int result = mount_find(args, &mount, err);

	if (!result)
		result = hook_read(&mount, args_word(args, 0), &hook, err);
	if (!result)
		print_json(hook);
	return result;
}

static const struct flag get_flags[] = {FLAG_OUTPUT_JSON, {0}};

const struct cmd cmd_hook_get = {
	.name = "get",
	.words = "NAME",
	.words_min = 1,
	.words_max = 1,
	.flags = get_flags,
	.summary = "Print what is known about a hook as JSON",
	.examples = "sloth-runner hook get alert\n"
		    "sloth-runner hook get alert@production",
	.run = get_run,
};

/* ---- show ----------------------------------------------------------------------------------- */

static void
print_hook(const json_t *hook)
{
	static const struct {
		const char *label, *name;
	} fields[] = {
		{"Alias:", "alias"},
		{"Description:", "description"},
		{"Event type:", "event_type"},
		{"Stack:", "stack"},
		{"File:", "file_path"},
		{"Status:", "status"},
		{"Last run:", "last_run"},
		{"Created:", "created_at"},
		{"Updated:", "updated_at"},
	};

	(void)printf("%-13s %s\n", "Name:", json_text(hook, "label"));
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (*json_text(hook, fields[i].name))
			(void)printf(
				"%-13s %s\n", fields[i].label, json_text(hook, fields[i].name));
	(void)printf("%-13s %lld\n%-13s %lld\n",
		"Runs:", (long long)json_integer_value(json_object_get(hook, "run_count")),
		"Failures:", (long long)json_integer_value(json_object_get(hook, "failure_count")));
}

static int
show_run(const struct args *args, struct err *err)
{
	AUTO(mount) struct mount mount = {0};
	AUTO(json) json_t *hook = NULL, *executions = NULL;
	struct execution_counts counts = {0};
	int result = 0;

	if (args_has(args, "limit") && !args_bool(args, "history"))
		return err_set(err, EINVAL, "--limit is for --history: give both, or neither");
	result = mount_find(args, &mount, err);
	if (!result)
		result = hook_read(&mount, args_word(args, 0), &hook, err);
	if (!result && args_bool(args, "history"))
		result = executions_read(
			&mount, hook, args_count(args, "limit"), false, &executions, &counts, err);
	if (result)
		return result;
	executions_tell_rest(&counts);
	if (print_is_json(args)) {
		if (executions)
			(void)json_object_set(hook, "executions", executions);
		print_json(hook);
		return EXIT_OK;
	}
	print_hook(hook);
	if (executions) {
		(void)printf("\nHistory\n");
		executions_print_table(executions, true);
	}
	return EXIT_OK;
}

static const struct flag show_flags[] = {
	{.name = "history", .kind = FLAG_BOOL, .help = "with the last executions"},
	{.name = "limit",
		.letter = 'n',
		.kind = FLAG_LIMIT,
		.value = "N",
		.preset = "10",
		.help = "how many of them"},
	FLAG_OUTPUT,
	{0},
};

const struct cmd cmd_hook_show = {
	.name = "show",
	.words = "NAME",
	.words_min = 1,
	.words_max = 1,
	.flags = show_flags,
	.summary = "Show a hook, with its last executions on demand",
	.examples = "sloth-runner hook show alert --history --limit 50",
	.run = show_run,
};
