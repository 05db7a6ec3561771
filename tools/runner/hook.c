/* Hooks from ctl/hooks.jsonl: one file a stack tells everything about all of its hooks, so a list
 * of a thousand costs one open.  The tree's words become the original's here (run_count for runs),
 * because scripts read those.
 */
#include "tools/runner/hook.h"

#include "base/auto.h"
#include "base/mem.h"
#include "base/nearest.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

/* The types as one text, as the original has them. */
static json_t *
types_join(const json_t *types)
{
	AUTO(sbuf) struct sbuf text = {0};
	json_t *type;
	size_t i;

	json_array_foreach (types, i, type)
		sbuf_printf(&text, "%s%s", i ? ", " : "", json_string_value(type));
	return json_string(sbuf_str(&text));
}

/* The facts of one line of hooks.jsonl; dir_stack is whose hooks/ holds it.  Returns a reference
 * for the caller. */
static json_t *
facts_make(const struct mount *mount, const json_t *line, const char *dir_stack)
{
	static const struct {
		const char *ours, *tree;
	} members[] = {
		{"id", "id"},
		{"name", "name"},
		{"alias", "alias"},
		{"description", "description"},
		{"event_types", "event_types"},
		{"enabled", "enabled"},
		{"status", "status"},
		{"created_at", "created_at"},
		{"updated_at", "updated_at"},
		{"last_run", "last_run"},
		{"run_count", "runs"},
		{"failure_count", "failures"},
		{"version", "version"},
		{"owner", "owner"},
		{"timeout_ms", "timeout_ms"},
		{"memory_bytes", "memory_bytes"},
		{"concurrency", "concurrency"},
		{"rules", "rules"},
		{"counts", "counts"},
		{"p50_ms", "p50_ms"},
		{"p99_ms", "p99_ms"},
	};
	const char *name = json_text(line, "name"), *stack = json_text(line, "stack");
	AUTO(free) char *file = mount_path(mount, PLACE_HOOK_FILE, dir_stack, name);
	AUTO(free) char *label = mem_printf("%s%s%s", name, *dir_stack ? "@" : "", dir_stack);
	json_t *facts = json_object();

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		json_t *value = json_object_get(line, members[i].tree);

		if (value && !json_is_null(value))
			(void)json_object_set(facts, members[i].ours, value);
	}
	(void)json_object_set_new(facts, "label", json_string(label));
	(void)json_object_set_new(
		facts, "event_type", types_join(json_object_get(line, "event_types")));
	(void)json_object_set_new(facts, "file_path", json_string(file));
	if (*stack)
		(void)json_object_set_new(facts, "stack", json_string(stack));
	return facts;
}

/* Whose hooks/ holds it; "" for the root.  Borrowed. */
static const char *
dir_stack_of(const json_t *hook)
{
	const char *at = strchr(json_text(hook, "label"), '@');

	return at ? at + 1 : "";
}

static int
read_stack(const struct mount *mount, const char *stack, json_t *hooks, struct err *err)
{
	AUTO(free) char *path = mount_path(mount, PLACE_HOOK_LIST, stack, NULL);
	AUTO(sbuf) struct sbuf text = {0};
	int result = mount_read(mount, path, &text, err);
	char *line, *rest = text.data;

	while (!result && (line = strsep(&rest, "\n"))) {
		AUTO(json) json_t *json = NULL;
		json_error_t why;

		if (!*line)
			continue;
		json = json_loads(line, 0, &why);
		if (!json)
			return err_set(
				err, EIO, "'%s' has a line that is not JSON: %s", path, why.text);
		(void)json_array_append_new(hooks, facts_make(mount, json, stack));
	}
	return result;
}

int
hooks_read(const struct mount *mount, json_t **ret_hooks, struct err *err)
{
	AUTO(json) json_t *hooks = json_array();
	AUTO(names) struct names stacks = {0};
	AUTO(free) char *path = mount_path(mount, PLACE_STACKS, NULL, NULL);
	int result = read_stack(mount, "", hooks, err);

	if (!result)
		result = mount_list(mount, path, DT_DIR, &stacks, err);
	for (size_t i = 0; i < stacks.count && !result; i++)
		result = read_stack(mount, stacks.list[i], hooks, err);
	if (!result)
		*ret_hooks = TAKE(hooks);
	return result;
}

/* How well a hook fits a name: 3 its own at the root, 2 its alias at the root, 1 in a stack. */
static int
fit(const json_t *hook, const char *name, size_t name_len, const char *stack)
{
	const char *own = json_text(hook, "name"), *alias = json_text(hook, "alias");
	bool is_own = strlen(own) == name_len && !memcmp(own, name, name_len);
	bool is_alias = strlen(alias) == name_len && !memcmp(alias, name, name_len);

	if ((!is_own && !is_alias) || (stack && strcmp(stack, dir_stack_of(hook))))
		return 0;
	if (!stack && *dir_stack_of(hook))
		return 1;
	return is_own ? 3 : 2;
}

static int
unknown_hook(const json_t *hooks, const char *text, struct err *err)
{
	struct nearest nearest = {.word = text};
	json_t *hook;
	size_t i;

	json_array_foreach (hooks, i, hook)
		nearest_offer(&nearest, json_text(hook, strchr(text, '@') ? "label" : "name"));
	if (nearest.name)
		return err_set(err, ENOENT, "hook '%s' is not registered; did you mean '%s'?", text,
			nearest.name);
	return err_set(err, ENOENT, "hook '%s' is not registered (sloth-runner hook list)", text);
}

/* Borrowed from hooks. */
static int
pick(const json_t *hooks, const char *text, json_t **ret_hook, struct err *err)
{
	const char *at = strchr(text, '@');
	size_t name_len = at ? (size_t)(at - text) : strlen(text);
	json_t *hook, *best = NULL;
	int best_fit = 0;
	bool is_tie = false;
	size_t i;

	json_array_foreach (hooks, i, hook) {
		int its_fit = fit(hook, text, name_len, at ? at + 1 : NULL);

		is_tie = its_fit == best_fit ? is_tie || best : is_tie && its_fit < best_fit;
		if (its_fit > best_fit) {
			best_fit = its_fit;
			best = hook;
		}
	}
	if (!best)
		return unknown_hook(hooks, text, err);
	if (is_tie)
		return err_set(
			err, EEXIST, "several stacks have a hook '%s': say %s@STACK", text, text);
	*ret_hook = best;
	return 0;
}

int
hook_read(const struct mount *mount, const char *text, json_t **ret_hook, struct err *err)
{
	AUTO(json) json_t *hooks = NULL;
	json_t *hook = NULL;
	int result = hooks_read(mount, &hooks, err);

	if (!result)
		result = pick(hooks, text, &hook, err);
	if (!result)
		*ret_hook = json_incref(hook);
	return result;
}

char *
hook_place(const struct mount *mount, enum place place, const json_t *hook)
{
	return mount_path(mount, place, dir_stack_of(hook), json_text(hook, "name"));
}

const char *
hook_state(const json_t *hook)
{
	static const char *const states[] = {"disabled", "no event", "loading", "broken"};
	const char *status = json_text(hook, "status");

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (!strncmp(status, states[i], strlen(states[i])))
			return states[i];
	return "enabled";
}

int
hook_value(const struct mount *mount, enum place place, const json_t *hook, struct sbuf *ret_text,
	struct err *err)
{
	AUTO(free) char *path = hook_place(mount, place, hook);

	return mount_read_value(mount, path, ret_text, err);
}
