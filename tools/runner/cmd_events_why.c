/* `events why`: what each hook made of one event; `hook why`: what one hook made of the newest
 * events.  Both say what events/<id>/why says. */
#include "tools/runner/commands.h"

#include "base/auto.h"
#include "tools/runner/event.h"
#include "tools/runner/explanation.h"
#include "tools/runner/hook.h"
#include "tools/runner/ids.h"
#include "tools/runner/print.h"
#include "tools/runner/question.h"

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

struct decisions {
	const struct mount *mount;
	const char *label; /* of the hook */
	json_t *list;
	size_t limit;
	bool is_cut; /* there are older ones */
};

/* Something but 0 ends the answer; a positive value is not an error. */
#define ENOUGH 1

/* One line of events/query: add what the hook made of that event. */
static int
on_line(void *arg, const char *text, struct err *err)
{
	struct decisions *d = arg;
	AUTO(json) json_t *event = json_loads(text, 0, NULL), *lines = NULL;
	json_t *line;
	int result;

	if (!event)
		return err_set(err, EIO, "events/query gave a line that is not JSON: %.80s", text);
	if (!json_object_get(event, "id"))
		return 0; /* the line that says how it ended */
	result = explanation_read(d->mount, json_text(event, "id"), &lines, err);
	if (result)
		return result == -ENOENT ? 0 : result; /* deleted since */
	line = explanation_of(lines, d->label);
	if (!line)
		return 0;
	d->is_cut = json_array_size(d->list) == d->limit;
	if (d->is_cut)
		return ENOUGH;
	(void)json_array_append_new(
		d->list, json_pack("{s:s, s:s, s:s, s:s, s:s}", "event_id", json_text(event, "id"),
				 "event_type", json_text(event, "type"), "created_at",
				 json_text(event, "created_at"), "decision",
				 json_text(line, "decision"), "reason", json_text(line, "reason")));
	return 0;
}

/* Ask for events, the newest first, until there are enough. */
static int
decisions_read(const struct args *args, struct decisions *d, struct err *err)
{
	AUTO(free) char *path = mount_path(d->mount, PLACE_EVENTS_QUERY, NULL, NULL);
	AUTO(sbuf) struct sbuf question = {0};
	int result;

	if (args_str(args, "type"))
		question_add_word(&question, "type", args_str(args, "type"));
	question_add_word(&question, "limit", "all");
	result = mount_follow(d->mount, path, sbuf_str(&question), on_line, d, err);
	return result == ENOUGH ? 0 : result;
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
	struct decisions decisions = {
		.mount = &mount, .list = list, .limit = args_count(args, "limit")};
	int result = mount_find(args, &mount, err);

	if (!result)
		result = hook_read(&mount, args_word(args, 0), &hook, err);
	decisions.label = json_text(hook, "label");
	if (!result)
		result = decisions_read(args, &decisions, err);
	if (result)
		return result;
	if (print_is_json(args))
		print_json(list);
	else if (!json_array_size(list))
		(void)printf("No events%s.\n", args_has(args, "type") ? " of that type" : "");
	else
		print_decisions(list);
	if (decisions.is_cut)
		(void)fprintf(
			stderr, "showing the newest %zu; use --limit for more\n", decisions.limit);
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
		.kind = FLAG_LIMIT,
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
