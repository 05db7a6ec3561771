/* Reading an event: event.json for what it is, hooks/ for what became of it. */
#include "tools/runner/event.h"

#include "base/auto.h"
#include "base/mem.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

int
json_parse(const char *path, const struct sbuf *text, json_t **ret_json, struct err *err)
{
	json_error_t why;
	json_t *json = json_loadb(sbuf_str(text), text->len, JSON_DECODE_ANY, &why);

	if (!json)
		return err_set(err, EIO, "'%s' line %d: %s", path, why.line, why.text);
	*ret_json = json;
	return 0;
}

int
event_read(const struct mount *mount, const char *id, json_t **ret_event, struct err *err)
{
	AUTO(free) char *path = mount_path(mount, PLACE_EVENT_JSON, NULL, id);
	AUTO(sbuf) struct sbuf text = {0};
	int result = mount_read(mount, path, &text, err);

	return result < 0 ? result : json_parse(path, &text, ret_event, err);
}

/* Set a member from one file of an execution, when the file has something to say. */
static int
set_from_file(const struct mount *mount, json_t *execution, const char *dir, const char *name,
	struct err *err)
{
	AUTO(free) char *path = mem_printf("%s/%s", dir, name);
	AUTO(sbuf) struct sbuf text = {0};
	bool is_number = !strcmp(name, "duration_ms") || !strcmp(name, "attempts");
	int result = mount_read_value(mount, path, &text, err);

	if (result < 0 || !text.len)
		return result;
	(void)json_object_set_new(execution, name,
		is_number ? json_real(strtod(text.data, NULL)) : json_stringn(text.data, text.len));
	return 0;
}

static int
read_execution(const struct mount *mount, const char *dir, json_t *execution, struct err *err)
{
	static const char *const files[] = {
		"status", "duration_ms", "executed_at", "attempts", "output", "error"};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		int result = set_from_file(mount, execution, dir, files[i], err);

		if (result < 0)
			return result;
	}
	return 0;
}

int
event_read_hooks(const struct mount *mount, const char *id, json_t **ret_hooks, struct err *err)
{
	AUTO(free) char *path = mount_path(mount, PLACE_EVENT_HOOKS, NULL, id);
	AUTO(names) struct names hooks = {0};
	AUTO(json) json_t *list = json_array();
	int result = mount_list(mount, path, DT_DIR, &hooks, err);

	for (size_t i = 0; i < hooks.count && !result; i++) {
		AUTO(free) char *dir = mem_printf("%s/%s", path, hooks.list[i]);
		json_t *execution = json_pack("{s:s}", "hook_name", hooks.list[i]);

		(void)json_array_append_new(list, execution);
		result = read_execution(mount, dir, execution, err);
	}
	if (!result)
		*ret_hooks = TAKE(list);
	return result;
}
