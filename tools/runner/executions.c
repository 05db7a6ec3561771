/* A hook's log, ctl/hooks/<hook>/log: JSON lines, oldest first.  The newest are wanted first, so
 * the last lines are kept in a ring while the file is read once. */
#include "tools/runner/executions.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "tools/runner/print.h"

#include <stdio.h>
#include <string.h>

#define DETAILS_MAX 60

struct ring {
	const json_t *hook;
	bool is_only_failed;
	json_t **slots;
	size_t limit, seen; /* limit: 1 or more; the nth wanted line is in slot n % limit */
};

static bool
is_failed(const char *status)
{
	return !strcmp(status, "failed") || !strcmp(status, "timeout") ||
	       !strcmp(status, "interrupted");
}

/* One execution in the original's words.  Returns a reference for the caller. */
static json_t *
execution_make(const json_t *hook, const json_t *line)
{
	static const struct {
		const char *ours, *tree;
	} members[] = {
		{"event_id", "event"},
		{"event_type", "type"},
		{"timestamp", "time"},
		{"status", "status"},
		{"duration_ms", "duration_ms"},
		{"attempts", "attempts"},
		{"message", "message"},
		{"output", "output"},
		{"error", "error"},
	};
	AUTO(sbuf) struct sbuf duration = {0};
	double ms = json_number_value(json_object_get(line, "duration_ms"));
	json_t *execution = json_pack("{s:s}", "hook_name", json_text(hook, "label"));
	json_t *id = json_object_get(hook, "id");

	if (id)
		(void)json_object_set(execution, "hook_id", id);
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		json_t *value = json_object_get(line, members[i].tree);

		if (value && !json_is_null(value))
			(void)json_object_set(execution, members[i].ours, value);
	}
	print_add_duration(&duration, (int64_t)(ms * NS_PER_MS));
	(void)json_object_set_new(execution, "duration", json_string(sbuf_str(&duration)));
	(void)json_object_set_new(
		execution, "success", json_boolean(!strcmp(json_text(line, "status"), "success")));
	return execution;
}

static int
on_line(void *arg, const char *line, struct err *err)
{
	struct ring *ring = arg;
	AUTO(json) json_t *json = json_loads(line, 0, NULL);
	json_t **slot;

	if (!json)
		return err_set(err, EIO, "a line of the hook's log is not JSON: %.80s", line);
	if (ring->is_only_failed && !is_failed(json_text(json, "status")))
		return 0;
	slot = &ring->slots[ring->seen++ % ring->limit];
	json_decref(*slot);
	*slot = execution_make(ring->hook, json);
	return 0;
}

int
executions_read(const struct mount *mount, const json_t *hook, size_t limit, bool is_only_failed,
	json_t **ret_list, struct execution_counts *ret_counts, struct err *err)
{
	AUTO(free) char *path = hook_place(mount, PLACE_HOOK_LOG, hook);
	AUTO(free) json_t **slots = NEW_N(json_t *, limit + 1);
	struct ring ring = {hook, is_only_failed, slots, limit, 0};
	AUTO(json) json_t *list = json_array();
	struct execution_counts counts = {0};
	int result = mount_follow(mount, path, NULL, on_line, &ring, err);
	size_t kept = ring.seen < limit ? ring.seen : limit;

	for (size_t i = 0; i < kept; i++) {
		json_t *execution = slots[(ring.seen - 1 - i) % limit];

		counts.success += json_is_true(json_object_get(execution, "success"));
		counts.failed += is_failed(json_text(execution, "status"));
		(void)json_array_append_new(list, execution); /* the slot's reference */
	}
	counts.shown = kept;
	counts.left_out = ring.seen - kept;
	if (result)
		return result;
	*ret_list = TAKE(list);
	*ret_counts = counts;
	return 0;
}

/* Replace a member by what the event's file holds. */
static int
complete(const struct mount *mount, json_t *execution, const char *name, struct err *err)
{
	AUTO(free) char *hooks =
		mount_path(mount, PLACE_EVENT_HOOKS, NULL, json_text(execution, "event_id"));
	AUTO(free) char *path =
		mem_printf("%s/%s/%s", hooks, json_text(execution, "hook_name"), name);
	AUTO(sbuf) struct sbuf text = {0};
	int result;

	if (!json_object_get(execution, name))
		return 0;
	result = mount_read_value(mount, path, &text, err);
	if (result == -ENOENT)
		return 0; /* the event is gone: the log's beginning is what there is */
	if (!result)
		(void)json_object_set_new(execution, name, json_stringn(sbuf_str(&text), text.len));
	return result;
}

int
executions_complete(const struct mount *mount, json_t *list, struct err *err)
{
	json_t *execution;
	size_t i;

	json_array_foreach (list, i, execution) {
		int result = complete(mount, execution, "output", err);

		if (!result)
			result = complete(mount, execution, "error", err);
		if (result)
			return result;
	}
	return 0;
}

void
executions_tell_rest(const struct execution_counts *counts)
{
	if (counts->left_out)
		(void)fprintf(stderr, "showing %zu of %zu; use --limit for more\n", counts->shown,
			counts->shown + counts->left_out);
}

void
executions_print_table(const json_t *list, bool has_details)
{
	static const char *const heads[] = {"TIMESTAMP", "STATUS", "DURATION", "DETAILS", NULL};
	static const char *const short_heads[] = {"TIMESTAMP", "STATUS", "DURATION", NULL};
	struct table *table = table_new(has_details ? heads : short_heads, 1);
	json_t *execution;
	size_t i;

	json_array_foreach (list, i, execution) {
		AUTO(sbuf) struct sbuf details = {0};
		const char *error = json_text(execution, "error");

		print_add_cut(
			&details, *error ? error : json_text(execution, "output"), DETAILS_MAX);
		table_add(table, (const char *[]){json_text(execution, "timestamp"),
					 json_text(execution, "status"),
					 json_text(execution, "duration"), sbuf_str(&details)});
	}
	table_print(table);
}
