/* `events why`: what each hook made of one event; `hook why`: what one hook made of the newest
 * events.  Both say what events/<id>/why says. */
#include "tools/runner/commands.h"

#include "base/auto.h"
#include "tools/runner/event.h"
#include "tools/runner/explanation.h"
#include "tools/runner/hook.h"
#include "tools/runner/ids.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

/* ---- events why ------------------------------------------------------------------------------ */

static void
print_event(const json_t *lines)
{
	static const char *const heads[] = {"Hook", "Decision", "Reason", NULL};
	const json_t *event = json_array_get(lines, 0);
	struct table *table = table_new(heads, 1);
	json_t *line;
	size_t i;

	(void)printf("Event:  %s\nStatus: %s\n\n", json_text(event, "reason"),
		json_text(event, "decision"));
	json_array_foreach (lines, i, line)
		if (i > 0)
			table_add(table,
				(const char *[]){json_text(line, "hook"),
					json_text(line, "decision"), json_text(line, "reason")});
	if (json_array_size(lines) > 1)
		table_print(table);
	else
		(void)printf("No hooks.\n");
}

/* Keep the event's line and the hook's. */
static int
keep_hook(json_t *lines, const char *label, struct err *err)
{
	json_t *line = explanation_of(lines, label);

	if (!line)
		return err_set(err, ENOENT,
			"there is no hook '%s': see sloth-runner hook list (a stack's is "
			"NAME@STACK)",
			label);
	json_incref(line);
	while (json_array_size(lines) > 1)
		(void)json_array_remove(lines, 1);
	(void)json_array_append_new(lines, line);
	return 0;
}

static int
events_why_run(const struct args *args, struct err *err)
{
	AUTO(mount) struct mount mount = {0};
	AUTO(json) json_t *lines = NULL;
	AUTO(free) char *id = NULL;
	int result = mount_find(args, &mount, err);

	if (!result)
		result = ids_find_event(&mount, args_word(args, 0), &id, err);
	if (!result)
		result = explanation_read(&mount, id, &lines, err);
	if (!result && args_str(args, "hook"))
		result = keep_hook(lines, args_str(args, "hook"), err);
	if (result)
		return result;
	if (print_is_json(args))
		print_json(lines);
	else
		print_event(lines);
	return EXIT_OK;
}

static const struct flag events_why_flags[] = {
	{.name = "hook", .kind = FLAG_STR, .value = "NAME", .help = "only this hook"},
	FLAG_OUTPUT,
	{0},
};

const struct cmd cmd_events_why = {
	.name = "why",
	.words = "ID",
	.words_min = 1,
	.words_max = 1,
	.flags = events_why_flags,
	.summary = "Explain what each hook made of an event, and why",
	.examples = "sloth-runner events why 3c2b1a\n"
		    "sloth-runner events why 3c2b1a --hook alert",
	.run = events_why_run,
};

/* ---- hook why -------------------------------------------------------------------------------- */

/* Add what the hook made of one event. */
static int
add_event(const struct mount *mount, const json_t *hook, const char *id, const char *type,
	json_t *list, struct err *err)
{
	AUTO(json) json_t *event = NULL, *lines = NULL;
	json_t *line;
	int result = event_read(mount, id, &event, err);

	if (result)
		return result == -ENOENT ? 0 : result; /* deleted since the listing */
	if (type && fnmatch(type, json_text(event, "type"), 0))
		return 0;
	result = explanation_read(mount, id, &lines, err);
	if (result)
		return result == -ENOENT ? 0 : result;
	line = explanation_of(lines, json_text(hook, "label"));
	if (line)
		(void)json_array_append_new(list,
			json_pack("{s:s, s:s, s:s, s:s, s:s}", "event_id", id, "event_type",
				json_text(event, "type"), "created_at",
				json_text(event, "created_at"), "decision",
				json_text(line, "decision"), "reason", json_text(line, "reason")));
	return 0;
}

static void
print_decisions(const json_t *list)
{
	static const char *const heads[] = {"Event", "Type", "Decision", "Reason", NULL};
	struct table *table = table_new(heads, 2);
	json_t *row;
	size_t i;

	json_array_foreach (list, i, row)
		table_add(table,
			(const char *[]){json_text(row, "event_id"), json_text(row, "event_type"),
				json_text(row, "decision"), json_text(row, "reason")});
	table_print(table);
}

static int
hook_why_run(const struct args *args, struct err *err)
{
	AUTO(mount) struct mount mount = {0};
	AUTO(json) json_t *hook = NULL, *list = json_array();
	AUTO(names) struct names ids = {0};
	size_t limit = args_count(args, "limit");
	int result = mount_find(args, &mount, err);

	if (!result)
		result = hook_read(&mount, args_word(args, 0), &hook, err);
	if (!result)
		result = mount_events(&mount, &ids, err);
	for (size_t i = 0; i < ids.count && json_array_size(list) < limit && !result; i++)
		result = add_event(&mount, hook, ids.list[i], args_str(args, "type"), list, err);
	if (result)
		return result;
	if (print_is_json(args))
		print_json(list);
	else if (!json_array_size(list))
		(void)printf("No events%s.\n", args_has(args, "type") ? " of that type" : "");
	else
		print_decisions(list);
	return EXIT_OK;
}

static const struct flag hook_why_flags[] = {
	{.name = "type",
		.letter = 't',
		.kind = FLAG_STR,
		.value = "TYPE",
		.help = "only events of this type; patterns such as task.* too"},
	{.name = "limit",
		.letter = 'n',
		.kind = FLAG_COUNT,
		.value = "N",
		.preset = "10",
		.help = "how many events, newest first"},
	FLAG_OUTPUT,
	{0},
};

const struct cmd cmd_hook_why = {
	.name = "why",
	.words = "NAME",
	.words_min = 1,
	.words_max = 1,
	.flags = hook_why_flags,
	.summary = "Explain what a hook made of the newest events, and why",
	.examples = "sloth-runner hook why alert\n"
		    "sloth-runner hook why alert --type 'task.*' --limit 50",
	.run = hook_why_run,
};
