/* `events get` (JSON for scripts) and `events show` (for people): one event and what each hook made
 * of it. */
#include "tools/runner/commands.h"

#include "base/auto.h"
#include "base/clock.h"
#include "tools/runner/event.h"
#include "tools/runner/ids.h"
#include "tools/runner/print.h"

#include <stdio.h>

#define ID_EXAMPLES(verb)                                                                          \
	"sloth-runner events " verb " 01926f3e-8a00-7000-8000-00019f3c2b1a\n"                      \
	"sloth-runner events " verb " 3c2b1a"

static int
load(const struct args *args, json_t **ret_event, struct err *err)
{
	AUTO(mount) struct mount mount = {0};
	AUTO(free) char *id = NULL;
	int result = mount_find(args, &mount, err);

	if (!result)
		result = ids_find_event(&mount, args_word(args, 0), &id, err);
	if (!result)
		result = event_read(&mount, id, ret_event, err);
	return result;
}

static int
get_run(const struct args *args, struct err *err)
{
	AUTO(json) json_t *event = NULL;
	int result = load(args, &event, err);

	if (!result)
		print_json(event);
	return result;
}

static void
print_field(const json_t *event, const char *label, const char *name)
{
	const char *text = json_text(event, name);

	if (*text)
		(void)printf("%-10s %s\n", label, text);
}

static void
print_summary(const json_t *event)
{
	static const struct {
		const char *label, *name;
	} fields[] = {
		{"ID:", "id"},
		{"Type:", "type"},
		{"Status:", "status"},
		{"Timestamp:", "timestamp"},
		{"Created:", "created_at"},
		{"Processed:", "processed_at"},
		{"Severity:", "severity"},
		{"Stack:", "stack"},
		{"Agent:", "agent"},
		{"Run:", "run_id"},
		{"Source:", "source"},
		{"Error:", "error"},
	};
	char *data = json_dumps(json_object_get(event, "data"), JSON_INDENT(2) | JSON_ENCODE_ANY);

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		print_field(event, fields[i].label, fields[i].name);
	(void)printf("%-10s %s\n", "Data:", data ? data : "{}");
	free(data);
}

static void
print_executions(const json_t *hooks)
{
	static const char *const heads[] = {"Hook Name", "Status", "Duration", "Executed At", NULL};
	struct table *table;
	json_t *hook;
	size_t i;

	(void)printf("\nHook Executions\n");
	if (!json_array_size(hooks)) {
		(void)printf("No hook matched this event.\n");
		return;
	}
	table = table_new(heads, 1);
	json_array_foreach (hooks, i, hook) {
		AUTO(sbuf) struct sbuf duration = {0};
		double ms = json_number_value(json_object_get(hook, "duration_ms"));

		print_add_duration(&duration, (int64_t)(ms * NS_PER_MS));
		table_add(table,
			(const char *[]){json_text(hook, "hook_name"), json_text(hook, "status"),
				sbuf_str(&duration), json_text(hook, "executed_at")});
	}
	table_print(table);
	json_array_foreach (hooks, i, hook) {
		if (*json_text(hook, "output"))
			(void)printf("\n%s output:\n%s\n", json_text(hook, "hook_name"),
				json_text(hook, "output"));
		if (*json_text(hook, "error"))
			(void)printf("\n%s error:\n%s\n", json_text(hook, "hook_name"),
				json_text(hook, "error"));
	}
}

static int
show_run(const struct args *args, struct err *err)
{
	AUTO(json) json_t *event = NULL;
	int result = load(args, &event, err);

	if (result)
		return result;
	if (print_is_json(args)) {
		print_json(event);
		return EXIT_OK;
	}
	print_summary(event);
	print_executions(json_object_get(event, "hook_executions"));
	return EXIT_OK;
}

static const struct flag get_flags[] = {FLAG_OUTPUT_JSON, {0}};

const struct cmd cmd_events_get = {
	.name = "get",
	.words = "ID",
	.words_min = 1,
	.words_max = 1,
	.flags = get_flags,
	.summary = "Print an event as JSON",
	.examples = ID_EXAMPLES("get"),
	.run = get_run,
};

static const struct flag show_flags[] = {FLAG_OUTPUT, {0}};

const struct cmd cmd_events_show = {
	.name = "show",
	.words = "ID",
	.words_min = 1,
	.words_max = 1,
	.flags = show_flags,
	.summary = "Show an event and what each hook made of it",
	.examples = ID_EXAMPLES("show"),
	.run = show_run,
};
