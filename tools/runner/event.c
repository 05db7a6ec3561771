/* Reading an event: event.json has it all, its executions included. */
#include "tools/runner/event.h"

#include "base/auto.h"

#include <stdio.h>
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

/* The executions in the original's words: hook is called hook_name there.  Returns a reference for
 * the caller. */
static json_t *
executions_of(const json_t *event)
{
	json_t *list = json_array(), *hook;
	size_t i;

	json_array_foreach (json_object_get(event, "hooks"), i, hook) {
		json_t *execution = json_pack("{s:O}", "hook_name", json_object_get(hook, "hook"));

		(void)json_object_del(hook, "hook");
		(void)json_object_update(execution, hook);
		(void)json_array_append_new(list, execution);
	}
	return list;
}

int
event_read(const struct mount *mount, const char *id, json_t **ret_event, struct err *err)
{
	AUTO(free) char *path = mount_path(mount, PLACE_EVENT_JSON, NULL, id);
	AUTO(sbuf) struct sbuf text = {0};
	AUTO(json) json_t *event = NULL;
	int result = mount_read(mount, path, &text, err);

	if (!result)
		result = json_parse(path, &text, &event, err);
	if (result)
		return result;
	(void)json_object_set_new(event, "hook_executions", executions_of(event));
	(void)json_object_del(event, "hooks");
	*ret_event = TAKE(event);
	return 0;
}

int
event_wait(const struct mount *mount, const char *id, bool is_quiet, struct err *err)
{
	AUTO(free) char *path = mount_path(mount, PLACE_EVENT_WAIT, NULL, id);
	AUTO(sbuf) struct sbuf status = {0};
	int result = mount_read_value(mount, path, &status, err);

	if (result < 0)
		return result;
	if (!is_quiet)
		(void)printf("%s\n", sbuf_str(&status));
	return strcmp(sbuf_str(&status), "failed") ? EXIT_OK : EXIT_HOOK;
}
