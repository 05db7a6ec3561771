/* Settings of a hook: see settings.h.
 *
 * One table, `rows`, has a line per setting with the function that reads its text and the one that
 * shows it (the rules have their own, rules.c); the files of ctl/hooks/<hook>/, the overrides' file
 * and the script's metadata all go through it, so that a value means the same wherever it was
 * written.  An override is kept as the text its own setting would show ("90000ms" becomes "1m30s"),
 * which makes the file canonical and lets apply assume that it parses. */
#include "fsd/hooks/settings.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/conditions.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "base/units.h"
#include "fsd/events/types.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#define TYPES_MAX       64   /* patterns of one hook */
#define DESCRIPTION_MAX 1024 /* bytes */
#define CONCURRENCY_MAX 100000
#define TIMEOUT_MAX_NS  (7 * 24 * 3600 * NS_PER_S)
#define MEMORY_MIN      (1024 * 1024)

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
		if (event_pattern_check(text, len, err) != 0)
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
	char *one_line, *p;
	size_t len;

	if (strlen(text) > DESCRIPTION_MAX)
		return err_set(err, EINVAL, "a description has at most %d bytes", DESCRIPTION_MAX);
	while (*text && (*text == ' ' || iscntrl((unsigned char)*text)))
		text++;
	one_line = mem_strdup(text);
	for (p = one_line; *p; p++)
		if (iscntrl((unsigned char)*p))
			*p = ' ';
	for (len = strlen(one_line); len && one_line[len - 1] == ' '; len--)
		continue;
	one_line[len] = '\0';
	replace(&s->description, one_line);
	return 0;
}

static void
show_description(const struct hook_settings *s, struct sbuf *out)
{
	sbuf_adds(out, s->description ? s->description : "");
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
	if (ns < NS_PER_MS || ns > TIMEOUT_MAX_NS)
		return err_set(err, EINVAL, "timeout must lie between 1ms and 7d");
	s->timeout_ms = (unsigned)(ns / NS_PER_MS);
	return 0;
}

static void
show_timeout(const struct hook_settings *s, struct sbuf *out)
{
	units_add_duration(out, s->timeout_ms * NS_PER_MS);
}

static int
read_memory(const char *text, struct hook_settings *s, struct err *err)
{
	int64_t bytes;

	if (units_parse_size(text, &bytes, NULL) != 0)
		return err_set(err, EINVAL, "memory is a size like 64M, not '%s'", text);
	if (bytes < MEMORY_MIN)
		return err_set(err, EINVAL, "memory must be at least 1M");
	s->memory_bytes = (uint64_t)bytes;
	return 0;
}

static void
show_memory(const struct hook_settings *s, struct sbuf *out)
{
	units_add_size(out, (int64_t)s->memory_bytes);
}

static int
read_concurrency(const char *text, struct hook_settings *s, struct err *err)
{
	size_t digits = strspn(text, "0123456789");
	long n;

	if (digits == 0 || digits > 9 || text[digits])
		return err_set(err, EINVAL, "concurrency is a whole number, not '%s'", text);
	n = strtol(text, NULL, 10);
	if (n < 1 || n > CONCURRENCY_MAX)
		return err_set(
			err, EINVAL, "concurrency must lie between 1 and %d", CONCURRENCY_MAX);
	s->concurrency = (unsigned)n;
	return 0;
}

static void
show_concurrency(const struct hook_settings *s, struct sbuf *out)
{
	sbuf_printf(out, "%u", s->concurrency);
}

/* Behind these come the rules, which have a table of their own. */
static const struct {
	const char *name;
	int (*read)(const char *text, struct hook_settings *s, struct err *err);
	void (*show)(const struct hook_settings *s, struct sbuf *out);
} rows[SETTING_RULES] = {
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
	return setting < SETTING_RULES ? rows[setting].name
				       : hook_rule_name((enum hook_rule)(setting - SETTING_RULES));
}

int
hook_setting_parse(
	struct hook_settings *s, enum hook_setting setting, const char *text, struct err *err)
{
	if (setting < SETTING_RULES)
		return rows[setting].read(text, s, err);
	return hook_rule_parse(&s->rules, (enum hook_rule)(setting - SETTING_RULES), text, err);
}

void
hook_setting_show(const struct hook_settings *s, enum hook_setting setting, struct sbuf *out)
{
	if (setting < SETTING_RULES)
		rows[setting].show(s, out);
	else
		(void)hook_rule_show(&s->rules, (enum hook_rule)(setting - SETTING_RULES), out);
}

/* ---- all of them ------------------------------------------------------------------- */

void
hook_settings_fini(struct hook_settings *s)
{
	free(s->types);
	free(s->description);
	free(s->alias);
	free(s->wall);
	hook_rules_fini(&s->rules);
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
	hook_rules_copy(&to->rules, &from->rules);
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
	       a->memory_bytes == b->memory_bytes && a->concurrency == b->concurrency &&
	       hook_rules_equal(&a->rules, &b->rules);
}

int
hook_settings_check(const struct hook_settings *s, struct err *err)
{
	return hook_rules_check(&s->rules, s->types ? s->types : "", err);
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
	if (hook_setting_parse(&s, setting, text, err) != 0)
		return -EINVAL;
	hook_setting_show(&s, setting, &shown);
	for (i = 0; i < shown.len && setting == SETTING_EVENT; i++)
		if (shown.data[i] == '\n') /* one line in the file of overrides */
			shown.data[i] = ' ';
	replace(&o->text[setting],
		shown.len ? sbuf_take(&shown) : NULL); /* only blanks or commas */
	return 0;
}

/* Conditions stand there a line each, which is the one a message is to name. */
static int
add_condition(struct hook_overrides *o, const char *value, struct err *err)
{
	const enum hook_setting setting = SETTING_RULES + RULE_MATCH;
	AUTO(condition) struct condition c = {0};
	AUTO(free) char *all = NULL;

	if (!o->text[setting] && (!*value || !strcmp(value, "off")))
		return hook_override_set(o, setting, value, err);
	if (condition_parse(value, strlen(value), &c, err) < 0)
		return -EINVAL;
	if (o->text[setting])
		all = mem_printf("%s\n%s", o->text[setting], value);
	return hook_override_set(o, setting, all ? all : value, err);
}

/* End the key and the value of a line; returns the value, NULL when there is none. */
static char *
split_line(char *line)
{
	char *value = strchr(line, '=');
	size_t len;

	if (!value)
		return NULL;
	for (len = (size_t)(value - line); len && strchr(" \t", line[len - 1]); len--)
		continue;
	line[len] = '\0';
	value += 1 + strspn(value + 1, " \t");
	for (len = strlen(value); len && strchr(" \t\r", value[len - 1]); len--)
		continue;
	value[len] = '\0';
	return value;
}

static int
parse_line(struct hook_overrides *o, char *line, struct err *err)
{
	const char *value = split_line(line);
	struct nearest nearest = {.word = line};
	int i;

	if (!value)
		return err_set(err, EINVAL, "expected key = value");
	for (i = 0; i < SETTING_COUNT; i++) {
		if (!strcmp(line, hook_setting_name(i)))
			return i == SETTING_RULES + RULE_MATCH
				       ? add_condition(o, value, err)
				       : hook_override_set(o, i, value, err);
		nearest_offer(&nearest, hook_setting_name(i));
	}
	if (nearest.name)
		return err_set(err, EINVAL, "'%s' is not a setting; did you mean '%s'?", line,
			nearest.name);
	return err_set(err, EINVAL, "'%s' is not a setting", line);
}

/* Returns the next line without the blanks before it, owned; NULL: there is none. */
static char *
next_line(const char **text)
{
	size_t len = strcspn(*text, "\n");
	size_t blanks = strspn(*text, " \t\r");
	const char *line = *text;

	if (!*line)
		return NULL;
	*text += len + (line[len] == '\n');
	return mem_strndup(line + blanks, len - blanks);
}

int
hook_overrides_parse(struct hook_overrides *o, const char *text, struct err *err)
{
	unsigned number;
	char *line;

	for (number = 1; (line = next_line(&text)); number++) {
		int code = *line && *line != '#' ? parse_line(o, line, err) : 0;

		free(line);
		if (code < 0)
			return err_wrap(err, EINVAL, "line %u", number);
	}
	return 0;
}

void
hook_overrides_conditions(const char *text, struct sbuf *out)
{
	const char *key = hook_setting_name(SETTING_RULES + RULE_MATCH);
	char *line;

	while ((line = next_line(&text))) {
		const char *value = *line == '#' ? NULL : split_line(line);

		if (value && !strcmp(line, key) && strcmp(value, "off") != 0)
			sbuf_adds(out, value);
		sbuf_addc(out, '\n');
		free(line);
	}
}

void
hook_overrides_format(const struct hook_overrides *o, struct sbuf *out)
{
	const char *at;
	int i;

	for (i = 0; i < SETTING_COUNT; i++) {
		for (at = o->text[i]; at && *at;) {
			size_t len = strcspn(at, "\n");

			sbuf_printf(out, "%s = %.*s\n", hook_setting_name(i), (int)len, at);
			at += len + (at[len] == '\n');
		}
	}
}

void
hook_overrides_apply(const struct hook_overrides *o, struct hook_settings *s)
{
	int i, code;

	for (i = 0; i < SETTING_COUNT; i++) {
		if (!o->text[i])
			continue;
		code = hook_setting_parse(s, i, o->text[i], NULL);
		assert(code == 0); /* hook_override_set let it in */
	}
}
