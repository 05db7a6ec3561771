/* What a script says of itself: the JSON a worker made of its table, or of its first line.
 *
 * Values that ctl/ has a file for are turned into the text that file takes and read by the same
 * function, so that a timeout is judged alike wherever it is written. */
#include "fsd/hooks/settings.h"

#include "base/auto.h"
#include "base/mem.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

static void
json_auto(json_t **json)
{
	json_decref(*json);
}

/* event_type is a string, event_types a list; either may be used for the other. */
static int
add_types(const json_t *value, struct sbuf *out, struct err *err)
{
	size_t i;

	if (json_is_string(value)) {
		sbuf_printf(out, "%s\n", json_string_value(value));
		return 0;
	}
	if (!json_is_array(value))
		return err_set(err, EINVAL, "event_types must be a list of strings");
	for (i = 0; i < json_array_size(value); i++) {
		const json_t *item = json_array_get(value, i);

		if (!json_is_string(item))
			return err_set(err, EINVAL, "event_types must be a list of strings");
		sbuf_printf(out, "%s\n", json_string_value(item));
	}
	return 0;
}

static int
take_types(const json_t *meta, struct hook_settings *s, struct err *err)
{
	AUTO(sbuf) struct sbuf text = {0};
	const json_t *one = json_object_get(meta, "event_type");
	const json_t *many = json_object_get(meta, "event_types");

	if (one && add_types(one, &text, err) != 0)
		return -EINVAL;
	if (many && add_types(many, &text, err) != 0)
		return -EINVAL;
	return hook_setting_parse(s, SETTING_EVENT, sbuf_str(&text), err);
}

static int
take_string(const json_t *meta, const char *key, const char **ret_text, struct err *err)
{
	const json_t *value = json_object_get(meta, key);

	if (value && !json_is_string(value))
		return err_set(err, EINVAL, "%s must be a string", key);
	*ret_text = value ? json_string_value(value) : NULL;
	return 0;
}

static int
take_names(const json_t *meta, struct hook_settings *s, struct err *err)
{
	const char *alias = NULL, *wall = NULL, *description = NULL;

	if (take_string(meta, "name", &alias, err) != 0 ||
		take_string(meta, "stack", &wall, err) != 0 ||
		take_string(meta, "description", &description, err) != 0)
		return -EINVAL;
	if (wall && wall[0] && !hook_name_is_valid(wall, strlen(wall)))
		return err_set(err, EINVAL, "'%s' cannot be the name of a stack", wall);
	if (alias && alias[0])
		s->alias = mem_strdup(alias);
	if (wall && wall[0])
		s->wall = mem_strdup(wall);
	return hook_setting_parse(s, SETTING_DESCRIPTION, description ? description : "", err);
}

/* A string is what the file takes; a number is in seconds or bytes, or a count. */
static int
take_setting(
	const json_t *meta, enum hook_setting setting, struct hook_settings *s, struct err *err)
{
	const char *name = hook_setting_name(setting);
	const json_t *value = json_object_get(meta, name);
	AUTO(free) char *text = NULL;

	if (!value)
		return 0;
	if (json_is_string(value))
		text = mem_strdup(json_string_value(value));
	else if (json_is_integer(value))
		text = mem_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		text = mem_printf("%.3f", json_real_value(value));
	else if (json_is_boolean(value) && setting >= SETTING_RULES)
		text = mem_strdup(json_is_true(value) ? "on" : "off");
	else
		return err_set(err, EINVAL, "%s must be a number or a string", name);
	return hook_setting_parse(s, setting, text, err);
}

int
hook_settings_read(const char *meta, struct hook_settings *ret_settings, struct err *err)
{
	AUTO(hook_settings) struct hook_settings s = {.is_enabled = true};
	json_error_t why;
	AUTO(json) json_t *root = json_loads(meta, 0, &why);
	const json_t *enabled;
	int i;

	if (!json_is_object(root))
		return err_set(err, EINVAL, "the metadata is not a JSON object: %s", why.text);
	enabled = json_object_get(root, "enabled");
	if (enabled && !json_is_boolean(enabled))
		return err_set(err, EINVAL, "enabled must be true or false");
	s.is_enabled = !enabled || json_is_true(enabled);
	if (take_types(root, &s, err) != 0 || take_names(root, &s, err) != 0)
		return -EINVAL;
	for (i = SETTING_TIMEOUT; i < SETTING_COUNT; i++)
		if (take_setting(root, i, &s, err) != 0)
			return -EINVAL;
	s.rules.has_filter = json_is_true(json_object_get(root, "filter"));
	*ret_settings = s;
	s = (struct hook_settings){0};
	return 0;
}
