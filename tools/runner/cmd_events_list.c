/* `events list`: the newest events first.  What is left out by a limit is said, never hidden: on
 * standard error, so that the table and the JSON stay what they are.
 */
#include "tools/runner/commands.h"

#include "base/auto.h"
#include "base/mem.h"
#include "tools/runner/event.h"
#include "tools/runner/mount.h"
#include "tools/runner/print.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#define LIMIT_TEXT "50"

/* Whether the event is one of those asked for; --type may be a pattern such as task.*. */
static bool
is_wanted(const struct args *args, const json_t *event)
{
	static const char *const filters[] = {"type", "status", "stack"};

	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		const char *wanted = args_str(args, filters[i]);

		if (wanted && fnmatch(wanted, json_text(event, filters[i]), 0))
			return false;
	}
	return true;
}

/* The newest `limit` wanted events.  *ret_found counts the wanted ones beyond the limit too, as far
 * as that is known: without a filter every name counts and no more files are read. */
static int
collect(const struct args *args, const struct mount *mount, json_t *list, size_t *ret_found,
	struct err *err)
{
	AUTO(names) struct names ids = {0};
	size_t limit = args_count(args, "limit"), found = 0;
	bool is_filtered =
		args_has(args, "type") || args_has(args, "status") || args_has(args, "stack");
	int result = mount_events(mount, &ids, err);

	for (size_t i = 0; i < ids.count && !result; i++) {
		AUTO(json) json_t *event = NULL;

		if (!is_filtered && json_array_size(list) == limit) {
			found = ids.count;
			break;
		}
		result = event_read(mount, ids.list[i], &event, err);
		if (result == -ENOENT)
			result = 0; /* deleted since the listing */
		if (!event || !is_wanted(args, event))
			continue;
		found++;
		if (json_array_size(list) < limit)
			(void)json_array_append(list, event);
	}
	*ret_found = found;
	return result;
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

static int
list_run(const struct args *args, struct err *err)
{
	AUTO(mount) struct mount mount = {0};
	AUTO(json) json_t *list = json_array();
	size_t found = 0;
	int result = mount_find(args, &mount, err);

	if (!result)
		result = collect(args, &mount, list, &found, err);
	if (result)
		return result;
	if (print_is_json(args))
		print_json(list);
	else if (!found)
		(void)printf("No events.\n");
	else
		print_table(list);
	if (found > json_array_size(list))
		(void)fprintf(stderr, "showing %zu of the newest %zu; use --limit for more\n",
			json_array_size(list), found);
	return EXIT_OK;
}

static const struct flag list_flags[] = {
	{.name = "limit",
		.letter = 'l',
		.kind = FLAG_COUNT,
		.value = "N",
		.preset = LIMIT_TEXT,
		.help = "how many at most"},
	{.name = "type",
		.letter = 't',
		.kind = FLAG_STR,
		.value = "TYPE",
		.help = "only this type; patterns such as task.* too"},
	{.name = "status",
		.letter = 's',
		.kind = FLAG_WORD,
		.value = "pending|processing|completed|failed",
		.help = "only these"},
	{.name = "stack", .kind = FLAG_STR, .value = "STACK", .help = "only this stack's"},
	FLAG_OUTPUT,
	{0},
};

const struct cmd cmd_events_list = {
	.name = "list",
	.flags = list_flags,
	.summary = "List the newest events",
	.text = "Looks at the events that the mount's events/ lists (config/events_window).",
	.examples = "sloth-runner events list --limit 20\n"
		    "sloth-runner events list --type task.failed --status failed\n"
		    "sloth-runner events list -o json",
	.run = list_run,
};
