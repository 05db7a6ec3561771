/* `events list`: stored events, the newest first, by what events/query can be asked.  What is left
 * out by the limit is said, never hidden: on standard error, so that the table and the JSON stay
 * what they are.
 */
#include "tools/runner/commands.h"

#include "base/auto.h"
#include "base/mem.h"
#include "tools/runner/event.h"
#include "tools/runner/event_types.h"
#include "tools/runner/ids.h"
#include "tools/runner/mount.h"
#include "tools/runner/print.h"
#include "tools/runner/question.h"

#include <stdio.h>
#include <string.h>

#define LIMIT_TEXT "50"

/* ---- the question ---------------------------------------------------------------------------- */

/* The words of the flags typed; --before may be a part of an id. */
static int
make_question(
	const struct args *args, const struct mount *mount, struct sbuf *line, struct err *err)
{
	const char *before = args_str(args, "before");

	(void)question_add(args, line); /* without words: all */
	if (args_str(args, "hook"))
		question_add_word(line, "hook", args_str(args, "hook"));
	if (before) {
		AUTO(free) char *id = NULL;
		int result = ids_find_event(mount, before, &id, err);

		if (result)
			return result;
		question_add_word(line, "before", id);
	}
	question_add_word(line, "limit", args_bool(args, "all") ? "all" : args_str(args, "limit"));
	return 0;
}

/* ---- the answer ------------------------------------------------------------------------------ */

struct answer {
	json_t *list;
	bool is_cut; /* there are older ones */
};

static int
on_line(void *arg, const char *line, struct err *err)
{
	struct answer *answer = arg;
	AUTO(json) json_t *json = json_loads(line, 0, NULL);

	if (!json)
		return err_set(err, EIO, "events/query gave a line that is not JSON: %.80s", line);
	if (json_object_get(json, "id"))
		(void)json_array_append(answer->list, json);
	else
		answer->is_cut = json_is_string(json_object_get(json, "next"));
	return 0;
}

static void
print_table(const json_t *list)
{
	static const char *const heads[] = {"ID", "Type", "Status", "Created", "Processed", NULL};
	struct table *table = table_new(heads, 2);
	json_t *event;
	size_t i;

	json_array_foreach (list, i, event) {
		const char *processed = json_text(event, "processed_at");

		table_add(table, (const char *[]){json_text(event, "id"), json_text(event, "type"),
					 json_text(event, "status"), json_text(event, "created_at"),
					 *processed ? processed : "N/A"});
	}
	table_print(table);
}

static void
tell_rest(const struct answer *answer)
{
	size_t count = json_array_size(answer->list);

	if (answer->is_cut)
		(void)fprintf(stderr, "showing the newest %zu; older ones: --before %s, or --all\n",
			count, json_text(json_array_get(answer->list, count - 1), "id"));
}

/* A type that nobody knows is the likely reason for finding nothing. */
static int
tell_none(const struct args *args, const struct mount *mount, struct err *err)
{
	const char *type = args_str(args, "type");

	if (!print_is_json(args))
		(void)printf("No events.\n");
	return type ? event_types_warn_one(mount, type, err) : 0;
}

static int
list_run(const struct args *args, struct err *err)
{
	AUTO(mount) struct mount mount = {0};
	AUTO(json) json_t *list = json_array();
	AUTO(sbuf) struct sbuf question = {0};
	AUTO(free) char *path = NULL;
	struct answer answer = {.list = list};
	int result = 0;

	if (args_bool(args, "all") && args_has(args, "limit"))
		return err_set(err, EINVAL, "--limit and --all exclude each other");
	result = mount_find(args, &mount, err);
	if (!result)
		result = make_question(args, &mount, &question, err);
	if (result)
		return result;
	path = mount_path(&mount, PLACE_EVENTS_QUERY, NULL, NULL);
	result = mount_follow(&mount, path, sbuf_str(&question), on_line, &answer, err);
	if (result)
		return result;
	if (print_is_json(args))
		print_json(list);
	else if (json_array_size(list))
		print_table(list);
	tell_rest(&answer);
	return json_array_size(list) ? EXIT_OK : tell_none(args, &mount, err);
}

static const struct flag list_flags[] = {
	{.name = "limit",
		.letter = 'l',
		.kind = FLAG_LIMIT,
		.value = "N",
		.preset = LIMIT_TEXT,
		.help = "how many at most"},
	{.name = "all", .kind = FLAG_BOOL, .help = "without a limit"},
	{.name = "before", .kind = FLAG_STR, .value = "ID", .help = "only older than this one"},
	{.name = "hook",
		.kind = FLAG_STR,
		.value = "NAME",
		.help = "only what this hook matched; --status is its own then"},
	FLAGS_QUESTION,
	FLAG_OUTPUT,
	{0},
};

const struct cmd cmd_events_list = {
	.name = "list",
	.also = "ls",
	.flags = list_flags,
	.summary = "List events, the newest first",
	.text = "Asks events/query, so the flags find any stored event, however old.",
	.examples = "sloth-runner events list --limit 20\n"
		    "sloth-runner events list --type 'task.*' --status failed --since 24h\n"
		    "sloth-runner events list --hook alert --status timeout --all -o json",
	.run = list_run,
};
