/* Settings of a hook: see settings.h.
 *
 * One table, `rows`, has a line per setting with the function that reads its text and the one that
 * shows it; the files of ctl/hooks/<hook>/, the overrides' file and the script's metadata all go
 * through it, so that a value means the same wherever it was written.  An override is kept as the
 * text its own setting would show ("90000ms" becomes "1m30s"), which makes the file canonical and
 * lets apply assume that it parses. */
#include "fsd/hooks/settings.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/units.h"
#include "fsd/events/events.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <string.h>

#define TYPES_MAX       64   /* patterns of one hook */
#define TYPE_TEXT_MAX   128  /* bytes of a pattern */
#define DESCRIPTION_MAX 1024 /* bytes */
#define CONCURRENCY_MAX 100000
#define TIMEOUT_MAX_NS  (7 * 24 * 3600 * NS_PER_S)
#define MEMORY_MIN      (1024 * 1024)

static void
json_auto(json_t **json)
{
	json_decref(*json);
}

static void
replace(char **text, char *value)
{
	free(*text);
	*text = value;
}

/* ---- one setting each ------------------------------------------------------------------------ */

static int
read_enabled(const char *text, struct hook_settings *s, struct err *err)
{
	if (!strcmp(text, "1") || !strcmp(text, "true"))
		s->is_enabled = true;
	else if (!strcmp(text, "0") || !strcmp(text, "false"))
		s->is_enabled = false;
	else
		return err_set(err, EINVAL, "enabled is 0 or 1, not '%s'", text);
	return 0;
}

static void
show_enabled(const struct hook_settings *s, struct sbuf *out)
{
	sbuf_addc(out, s->is_enabled ? '1' : '0');
}

/* A pattern is a type in which '*' stands for any characters. */
static int
check_pattern(const char *text, size_t len, struct err *err)
{
	char plain[TYPE_TEXT_MAX + 1];
	size_t i;

	if (len > TYPE_TEXT_MAX)
		return err_set(err, EINVAL, "an event type has at most %d bytes", TYPE_TEXT_MAX);
	for (i = 0; i < len; i++)
		plain[i] = text[i] == '*' ? 'x' : text[i];
	plain[len] = '\0';
	if (event_type_check(plain, len, NULL) != 0)
		return err_set(err, EINVAL,
			"'%.*s' is not an event type: write category.action, task.* or *", (int)len,
			text);
	return 0;
}

/* Patterns are separated by commas, spaces or newlines. */
static int
read_event(const char *text, struct hook_settings *s, struct err *err)
{
	AUTO(sbuf) struct sbuf types = {0};
	unsigned count = 0;

	for (;;) {
		size_t len;

		text += strspn(text, ", \t\r\n");
		len = strcspn(text, ", \t\r\n");
		if (len == 0)
			break;
		if (++count > TYPES_MAX)
			return err_set(err, EINVAL, "a hook names at most %d types", TYPES_MAX);
		if (check_pattern(text, len, err) != 0)
			return -EINVAL;
		if (types.len)
			sbuf_addc(&types, '\n');
		sbuf_add(&types, text, len);
		text += len;
	}
	replace(&s->types, sbuf_take(&types));
	return 0;
}

static void
show_event(const struct hook_settings *s, struct sbuf *out)
{
	sbuf_adds(out, s->types ? s->types : "");
}

static int
read_description(const char *text, struct hook_settings *s, struct err *err)
{
	char *p;

	if (strlen(text) > DESCRIPTION_MAX)
		return err_set(err, EINVAL, "a description has at most %d bytes", DESCRIPTION_MAX);
	replace(&s->description, mem_strdup(text));
	for (p = s->description; *p; p++)
		if (iscntrl((unsigned char)*p))
			*p = ' ';
	return 0;
}

static void
show_description(const struct hook_settings *s, struct sbuf *out)
{
	sbuf_adds(out, s->description ? s->description : "");
}

static int
set_timeout_ns(int64_t ns, struct hook_settings *s, struct err *err)
{
	if (ns < NS_PER_MS || ns > TIMEOUT_MAX_NS)
		return err_set(err, EINVAL, "timeout must lie between 1ms and 7d");
	s->timeout_ms = (unsigned)(ns / NS_PER_MS);
	return 0;
}

/* A bare number is in seconds, as in the script's table. */
static int
read_timeout(const char *text, struct hook_settings *s, struct err *err)
{
	AUTO(free) char *with_unit = NULL;
	int64_t ns;

	with_unit = mem_printf("%s%s", text, text[strspn(text, "0123456789.")] ? "" : "s");
	if (units_parse_duration(with_unit, &ns, NULL) != 0)
		return err_set(
			err, EINVAL, "timeout is a duration like 30s or 1m30s, not '%s'", text);
	return set_timeout_ns(ns, s, err);
}

static void
show_timeout(const struct hook_settings *s, struct sbuf *out)
{
	units_add_duration(out, s->timeout_ms * NS_PER_MS);
}

static int
set_memory(int64_t bytes, struct hook_settings *s, struct err *err)
{
	if (bytes < MEMORY_MIN)
		return err_set(err, EINVAL, "memory must be at least 1M");
	s->memory_bytes = (uint64_t)bytes;
	return 0;
}

static int
read_memory(const char *text, struct hook_settings *s, struct err *err)
{
	int64_t bytes;

	if (units_parse_size(text, &bytes, NULL) != 0)
		return err_set(err, EINVAL, "memory is a size like 64M, not '%s'", text);
	return set_memory(bytes, s, err);
}

static void
show_memory(const struct hook_settings *s, struct sbuf *out)
{
	units_add_size(out, (int64_t)s->memory_bytes);
}

static int
set_concurrency(int64_t n, struct hook_settings *s, struct err *err)
{
	if (n < 1 || n > CONCURRENCY_MAX)
		return err_set(
			err, EINVAL, "concurrency must lie between 1 and %d", CONCURRENCY_MAX);
	s->concurrency = (unsigned)n;
	return 0;
}

static int
read_concurrency(const char *text, struct hook_settings *s, struct err *err)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 9 || text[digits])
		return err_set(err, EINVAL, "concurrency is a whole number, not '%s'", text);
	return set_concurrency(strtol(text, NULL, 10), s, err);
}

static void
show_concurrency(const struct hook_settings *s, struct sbuf *out)
{
	sbuf_printf(out, "%u", s->concurrency);
}

static const struct {
	const char *name;
	int (*read)(const char *text, struct hook_settings *s, struct err *err);
	void (*show)(const struct hook_settings *s, struct sbuf *out);
} rows[SETTING_COUNT] = {
	[SETTING_ENABLED] = {"enabled", read_enabled, show_enabled},
	[SETTING_EVENT] = {"event", read_event, show_event},
	[SETTING_DESCRIPTION] = {"description", read_description, show_description},
	[SETTING_TIMEOUT] = {"timeout", read_timeout, show_timeout},
	[SETTING_MEMORY] = {"memory", read_memory, show_memory},
	[SETTING_CONCURRENCY] = {"concurrency", read_concurrency, show_concurrency},
};

const char *
hook_setting_name(enum hook_setting setting)
{
	return rows[setting].name;
}

void
hook_setting_show(const struct hook_settings *s, enum hook_setting setting, struct sbuf *out)
{
	rows[setting].show(s, out);
}

/* ---- the script's metadata ------------------------------------------------------------------- */

void
hook_settings_fini(struct hook_settings *s)
{
	free(s->types);
	free(s->description);
	free(s->alias);
	free(s->wall);
	*s = (struct hook_settings){0};
}

void
hook_settings_copy(struct hook_settings *to, const struct hook_settings *from)
{
	*to = *from;
	to->types = mem_strdup(from->types);
	to->description = mem_strdup(from->description);
	to->alias = mem_strdup(from->alias);
	to->wall = mem_strdup(from->wall);
}

static bool
texts_equal(const char *a, const char *b)
{
	return !strcmp(a ? a : "", b ? b : "");
}

bool
hook_settings_equal(const struct hook_settings *a, const struct hook_settings *b)
{
	return a->is_enabled == b->is_enabled && texts_equal(a->types, b->types) &&
	       texts_equal(a->wall, b->wall) && a->timeout_ms == b->timeout_ms &&
	       a->memory_bytes == b->memory_bytes && a->concurrency == b->concurrency;
}

bool
hook_name_is_valid(const char *text, size_t len)
{
	size_t i;

	if (len < 1 || len > 64 || text[0] == '.' || text[0] == '-')
		return false;
	for (i = 0; i < len; i++)
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-",
			    text[i]) ||
			!text[i])
			return false;
	return true;
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
	return read_event(sbuf_str(&text), s, err);
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
		replace(&s->alias, mem_strdup(alias));
	if (wall && wall[0])
		replace(&s->wall, mem_strdup(wall));
	return read_description(description ? description : "", s, err);
}

/* A number in the unit the script uses, or the text its file takes. */
static int
take_limits(const json_t *meta, struct hook_settings *s, struct err *err)
{
	const json_t *timeout = json_object_get(meta, "timeout");
	const json_t *memory = json_object_get(meta, "memory");
	const json_t *concurrency = json_object_get(meta, "concurrency");
	int code = 0;

	if (json_is_number(timeout))
		code = json_number_value(timeout) < (double)TIMEOUT_MAX_NS / NS_PER_S + 1
			       ? set_timeout_ns(
					 (int64_t)(json_number_value(timeout) * NS_PER_S), s, err)
			       : set_timeout_ns(INT64_MAX, s, err);
	else if (timeout)
		code = json_is_string(timeout)
			       ? read_timeout(json_string_value(timeout), s, err)
			       : err_set(err, EINVAL, "timeout must be a number of seconds");
	if (code == 0 && json_is_integer(memory))
		code = set_memory(json_integer_value(memory), s, err);
	else if (code == 0 && memory)
		code = json_is_string(memory)
			       ? read_memory(json_string_value(memory), s, err)
			       : err_set(err, EINVAL,
					 "memory must be bytes or a size like \"64M\"");
	if (code == 0 && concurrency)
		code = json_is_integer(concurrency)
			       ? set_concurrency(json_integer_value(concurrency), s, err)
			       : err_set(err, EINVAL, "concurrency must be a whole number");
	return code;
}

int
hook_settings_read(const char *meta, struct hook_settings *ret_settings, struct err *err)
{
	AUTO(hook_settings) struct hook_settings s = {.is_enabled = true};
	json_error_t why;
	AUTO(json) json_t *root = json_loads(meta, 0, &why);
	const json_t *enabled;

	if (!json_is_object(root))
		return err_set(err, EINVAL, "the metadata is not a JSON object: %s", why.text);
	enabled = json_object_get(root, "enabled");
	if (enabled && !json_is_boolean(enabled))
		return err_set(err, EINVAL, "enabled must be true or false");
	s.is_enabled = !enabled || json_is_true(enabled);
	if (take_types(root, &s, err) != 0 || take_names(root, &s, err) != 0 ||
		take_limits(root, &s, err) != 0)
		return -EINVAL;
	*ret_settings = s;
	s = (struct hook_settings){0};
	return 0;
}

/* Where the types stand in a first line `-- event: ...`, or NULL. */
static const char *
comment_types(const char *source, size_t len, size_t *ret_len)
{
	const char *end, *p = source;

	end = memchr(source, '\n', len);
	if (!end)
		end = source + len;
	if (end - p < 2 || p[0] != '-' || p[1] != '-')
		return NULL;
	for (p += 2; p < end && (*p == ' ' || *p == '\t'); p++)
		continue;
	if (end - p < 6 || memcmp(p, "event:", 6) != 0)
		return NULL;
	*ret_len = (size_t)(end - p) - 6;
	return p + 6;
}

char *
hook_meta_with_comment(const char *meta, const char *source, size_t len)
{
	AUTO(json) json_t *root = json_loads(meta, 0, NULL);
	AUTO(free) char *types = NULL;
	const char *text;
	size_t text_len;
	json_t *value;
	char *out;

	if (!json_is_object(root) || json_object_get(root, "event_type") ||
		json_array_size(json_object_get(root, "event_types")) > 0)
		return mem_strdup(meta);
	text = comment_types(source, len, &text_len);
	if (!text)
		return mem_strdup(meta);
	types = mem_strndup(text, text_len);
	value = json_string(types);
	if (!value || json_object_set_new(root, "event_type", value) != 0)
		return mem_strdup(meta); /* not UTF-8: no type could be read from it either */
	out = json_dumps(root, JSON_COMPACT);
	return out ? out : mem_strdup(meta);
}

/* ---- overrides ------------------------------------------------------------------------------- */

void
hook_overrides_fini(struct hook_overrides *o)
{
	int i;

	for (i = 0; i < SETTING_COUNT; i++)
		replace(&o->text[i], NULL);
}

bool
hook_overrides_is_empty(const struct hook_overrides *o)
{
	int i;

	for (i = 0; i < SETTING_COUNT; i++)
		if (o->text[i])
			return false;
	return true;
}

int
hook_override_set(
	struct hook_overrides *o, enum hook_setting setting, const char *text, struct err *err)
{
	AUTO(hook_settings) struct hook_settings s = {0};
	AUTO(sbuf) struct sbuf shown = {0};
	size_t i;

	if (text[strspn(text, " \t\r\n")] == '\0') {
		replace(&o->text[setting], NULL);
		return 0;
	}
	if (rows[setting].read(text, &s, err) != 0)
		return -EINVAL;
	rows[setting].show(&s, &shown);
	for (i = 0; i < shown.len; i++)
		if (shown.data[i] == '\n') /* types: one line in the file of overrides */
			shown.data[i] = ' ';
	replace(&o->text[setting], sbuf_take(&shown));
	return 0;
}

static int
parse_line(struct hook_overrides *o, char *line, struct err *err)
{
	char *value = strchr(line, '=');
	size_t len;
	int i;

	if (!value)
		return err_set(err, EINVAL, "expected key = value");
	for (len = (size_t)(value - line); len && strchr(" \t", line[len - 1]); len--)
		continue;
	line[len] = '\0';
	value += 1 + strspn(value + 1, " \t");
	for (len = strlen(value); len && strchr(" \t\r", value[len - 1]); len--)
		continue;
	value[len] = '\0';
	for (i = 0; i < SETTING_COUNT; i++)
		if (!strcmp(line, rows[i].name))
			return hook_override_set(o, i, value, err);
	return err_set(err, EINVAL, "'%s' is not a setting", line);
}

int
hook_overrides_parse(struct hook_overrides *o, const char *text, struct err *err)
{
	unsigned number = 1;

	for (; *text; number++) {
		size_t len = strcspn(text, "\n");
		AUTO(free) char *line = mem_strndup(text, len);
		char *start = line + strspn(line, " \t\r");

		if (*start && *start != '#' && parse_line(o, start, err) != 0)
			return err_wrap(err, EINVAL, "line %u", number);
		text += len + (text[len] == '\n');
	}
	return 0;
}

void
hook_overrides_format(const struct hook_overrides *o, struct sbuf *out)
{
	int i;

	for (i = 0; i < SETTING_COUNT; i++)
		if (o->text[i])
			sbuf_printf(out, "%s = %s\n", rows[i].name, o->text[i]);
}

void
hook_overrides_apply(const struct hook_overrides *o, struct hook_settings *s)
{
	int i, code;

	for (i = 0; i < SETTING_COUNT; i++) {
		if (!o->text[i])
			continue;
		code = rows[i].read(o->text[i], s, NULL);
		assert(code == 0); /* hook_override_set let it in */
	}
}
