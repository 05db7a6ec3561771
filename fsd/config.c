/* Settings: see config.h.
 *
 * The table below is the only list of them: parsing, bounds, the files under config/ and their help
 * come from it.  Every value is kept twice, as the number rooms use and as the canonical text
 * people read.  Sources are applied from the weakest to the strongest: the table's defaults, the
 * file, the environment (SLOTH_RUNNER_<NAME>), --set options; a bad value anywhere is refused with
 * the place where it stands, so a master never runs with half a configuration.
 */
#include "fsd/config.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/units.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define DAY_NS   (86400 * NS_PER_S)
#define MB       (1024LL * 1024)

enum setting_kind { SETTING_NUMBER, SETTING_DURATION, SETTING_SIZE, SETTING_LEVEL, SETTING_SWITCH };

struct setting {
	const char *name;
	enum setting_kind kind;
	const char *standard; /* the default */
	int64_t min, max;
	bool has_none; /* 0 means "no limit" and is allowed below min */
};

static const struct setting settings[] = {
	{"workers", SETTING_NUMBER, "100", 1, 100000, false},
	{"hook_timeout", SETTING_DURATION, "30s", NS_PER_MS, DAY_NS, false},
	{"hook_memory", SETTING_SIZE, "64M", MB, 4096 * MB, false},
	{"event_buffer", SETTING_NUMBER, "65536", 16, 10000000, false},
	{"events_window", SETTING_NUMBER, "1000", 1, 1000000, false},
	{"retention", SETTING_DURATION, "90d", NS_PER_S, 100 * 365 * DAY_NS, true},
	{"retention_count", SETTING_NUMBER, "0", 1, INT64_MAX, true},
	{"retention_bytes", SETTING_SIZE, "0", MB, INT64_MAX, true},
	{"hook_versions", SETTING_NUMBER, "20", 1, 10000, false},
	{"log_level", SETTING_LEVEL, "info", LOG_LEVEL_DEBUG, LOG_LEVEL_ERROR, false},
	{"log_max_bytes", SETTING_SIZE, "16M", 4096, INT64_MAX, true},
	{"events_log_max_bytes", SETTING_SIZE, "64M", 4096, INT64_MAX, true},
	{"shutdown_timeout", SETTING_DURATION, "10s", NS_PER_MS, DAY_NS, false},
	{"disk_reserve", SETTING_SIZE, "64M", MB, INT64_MAX, true},
	{"allow_other", SETTING_SWITCH, "0", 0, 1, false},
	{"no_new_privs", SETTING_SWITCH, "1", 0, 1, false},
};

struct watcher {
	void (*changed)(void *arg, int64_t value);
	void *arg;
	SLIST_ENTRY(watcher) link;
};

struct config {
	struct config_places places;
	struct {
		int64_t number;
		char *text;
		SLIST_HEAD(, watcher) watchers;
	} values[COUNT(settings)];
	struct sbuf options; /* "key\0value\0"..., applied after the file */
	struct sbuf warnings;
};

static const struct setting *
setting_find(const char *name)
{
	for (size_t i = 0; i < COUNT(settings); i++)
		if (strcmp(settings[i].name, name) == 0)
			return &settings[i];
	return NULL;
}

static size_t
index_of(const char *name)
{
	const struct setting *s = setting_find(name);

	assert(s); /* names of settings are written in the source, not by users */
	return (size_t)(s - settings);
}

const char *
config_name(size_t i)
{
	return i < COUNT(settings) ? settings[i].name : NULL;
}

bool
config_has(const char *name)
{
	return setting_find(name) != NULL;
}

/* ---- values --------------------------------------------------------------------------------- */

static int
parse_number(const char *text, int64_t *ret, struct err *err)
{
	char *end;

	errno = 0;
	*ret = strtoll(text, &end, 10);
	if (errno || !isdigit((unsigned char)text[0]) || *end)
		return err_set(err, EINVAL, "'%.40s' is not a whole number", text);
	return 0;
}

static int
parse_switch(const char *text, int64_t *ret, struct err *err)
{
	if (strcmp(text, "0") != 0 && strcmp(text, "1") != 0)
		return err_set(err, EINVAL, "'%.40s' is neither 0 nor 1", text);
	*ret = text[0] == '1';
	return 0;
}

static int
parse_level(const char *text, int64_t *ret, struct err *err)
{
	enum log_level level;
	int rc = log_level_parse(text, &level, err);

	if (rc == 0)
		*ret = level;
	return rc;
}

static void
add_value(struct sbuf *out, enum setting_kind kind, int64_t value)
{
	switch (kind) {
	case SETTING_DURATION:
		units_add_duration(out, value);
		return;
	case SETTING_SIZE:
		units_add_size(out, value);
		return;
	case SETTING_LEVEL:
		sbuf_adds(out, log_level_name((enum log_level)value));
		return;
	case SETTING_NUMBER:
	case SETTING_SWITCH:
		sbuf_printf(out, "%" PRId64, value);
		return;
	}
}

static int
parse_value(const struct setting *s, const char *text, int64_t *ret, struct err *err)
{
	static int (*const parsers[])(const char *, int64_t *, struct err *) = {
		[SETTING_NUMBER] = parse_number,
		[SETTING_DURATION] = units_parse_duration,
		[SETTING_SIZE] = units_parse_size,
		[SETTING_LEVEL] = parse_level,
		[SETTING_SWITCH] = parse_switch,
	};

	return parsers[s->kind](text, ret, err);
}

static int
refuse_bounds(const struct setting *s, const char *text, struct err *err)
{
	AUTO(sbuf) struct sbuf range = {0};

	if (s->has_none)
		sbuf_adds(&range, "0 (no limit) or ");
	if (s->max == INT64_MAX) {
		sbuf_adds(&range, "at least ");
		add_value(&range, s->kind, s->min);
	} else {
		add_value(&range, s->kind, s->min);
		sbuf_adds(&range, " to ");
		add_value(&range, s->kind, s->max);
	}
	return err_set(err, EINVAL, "%s: '%.40s' is out of bounds: it may be %s", s->name, text,
		sbuf_str(&range));
}

static int
judge(const struct setting *s, const char *text, int64_t *ret, struct err *err)
{
	int64_t value;
	int rc = parse_value(s, text, &value, err);

	if (rc < 0)
		return err_wrap(err, -rc, "%s", s->name);
	if (!(s->has_none && value == 0) && (value < s->min || value > s->max))
		return refuse_bounds(s, text, err);
	*ret = value;
	return 0;
}

int
config_check(const char *name, const char *text, struct err *err)
{
	const struct setting *s = setting_find(name);
	int64_t value;

	if (!s)
		return err_set(err, EINVAL, "there is no setting '%.40s'", name);
	return judge(s, text, &value, err);
}

static void
take_value(struct config *config, const struct setting *s, int64_t value)
{
	size_t i = (size_t)(s - settings);
	struct sbuf text = {0};

	add_value(&text, s->kind, value);
	free(config->values[i].text);
	config->values[i].text = sbuf_take(&text);
	config->values[i].number = value;
}

void
config_apply(struct config *config, const char *name, const char *text)
{
	size_t i = index_of(name);
	struct watcher *w;
	int64_t value;
	int rc;

	rc = judge(&settings[i], text, &value, NULL);
	assert(rc == 0); /* config_check accepted it */
	take_value(config, &settings[i], value);
	SLIST_FOREACH (w, &config->values[i].watchers, link)
		w->changed(w->arg, value);
}

int64_t
config_int(const struct config *config, const char *name)
{
	return config->values[index_of(name)].number;
}

const char *
config_str(const struct config *config, const char *name)
{
	return config->values[index_of(name)].text;
}

void
config_watch(struct config *config, const char *name, void (*changed)(void *arg, int64_t value),
	void *arg)
{
	struct watcher *w = NEW(struct watcher);
	size_t i = index_of(name);

	w->changed = changed;
	w->arg = arg;
	SLIST_INSERT_HEAD(&config->values[i].watchers, w, link);
	changed(arg, config->values[i].number);
}

/* ---- loading -------------------------------------------------------------------------------- */

static int
set_text(struct config *config, const struct setting *s, const char *text, struct err *err)
{
	int64_t value;
	int rc = judge(s, text, &value, err);

	if (rc == 0)
		take_value(config, s, value);
	return rc;
}

static void
load_defaults(struct config *config)
{
	for (size_t i = 0; i < COUNT(settings); i++) {
		int rc = set_text(config, &settings[i], settings[i].standard, NULL);

		assert(rc == 0); /* a default keeps its own bounds */
	}
}

static int
from_file(void *arg, const char *key, const char *value, unsigned line, struct err *err)
{
	struct config *config = arg;
	const struct setting *s = setting_find(key);
	int rc;

	if (!s) {
		sbuf_printf(&config->warnings, "%s:%u: there is no setting '%.40s'; ignored\n",
			config->places.config_file, line, key);
		return 0;
	}
	rc = set_text(config, s, value, err);
	return rc < 0 ? err_wrap(err, -rc, "%s:%u", config->places.config_file, line) : 0;
}

static int
load_environment(struct config *config, struct err *err)
{
	char name[64];

	for (size_t i = 0; i < COUNT(settings); i++) {
		const char *value;
		int n = snprintf(name, sizeof(name), "SLOTH_RUNNER_%s", settings[i].name);
		int rc;

		assert(n > 0 && (size_t)n < sizeof(name));
		for (char *p = name; *p; p++)
			*p = (char)toupper((unsigned char)*p);
		value = getenv(name);
		if (!value || !*value)
			continue;
		rc = set_text(config, &settings[i], value, err);
		if (rc < 0)
			return err_wrap(err, -rc, "environment %s", name);
	}
	return 0;
}

/* Options are judged when read, and kept: the file, weaker than they, is known only after them. */
static int
keep_option(void *arg, const char *key, const char *value, struct err *err)
{
	struct config *config = arg;
	int rc = config_check(key, value, err);

	if (rc < 0)
		return rc;
	sbuf_add(&config->options, key, strlen(key) + 1);
	sbuf_add(&config->options, value, strlen(value) + 1);
	return 0;
}

static void
apply_options(struct config *config)
{
	const char *p = config->options.data;
	const char *end = p + config->options.len;

	while (p && p < end) {
		const char *value = p + strlen(p) + 1;

		config_apply(config, p, value);
		p = value + strlen(value) + 1;
	}
}

static int
load_all(struct config *config, int argc, char **argv, struct err *err)
{
	int rc;

	load_defaults(config);
	rc = options_read(argc, argv, &config->places, keep_option, config, err);
	if (rc < 0 || config->places.answer)
		return rc;
	rc = config_file_read(config->places.config_file, from_file, config, err);
	if (rc < 0)
		return rc;
	rc = load_environment(config, err);
	if (rc < 0)
		return rc;
	apply_options(config);
	return 0;
}

int
config_load(int argc, char **argv, struct config **ret_config, struct err *err)
{
	struct config *config = NEW(struct config);
	int rc = load_all(config, argc, argv, err);

	if (rc < 0) {
		config_free(config);
		return rc;
	}
	*ret_config = config;
	return 0;
}

void
config_free(struct config *config)
{
	struct watcher *w;

	if (!config)
		return;
	for (size_t i = 0; i < COUNT(settings); i++) {
		free(config->values[i].text);
		while ((w = SLIST_FIRST(&config->values[i].watchers))) {
			SLIST_REMOVE_HEAD(&config->values[i].watchers, link);
			free(w);
		}
	}
	config_places_fini(&config->places);
	sbuf_fini(&config->options);
	sbuf_fini(&config->warnings);
	free(config);
}

const struct config_places *
config_places(const struct config *config)
{
	return &config->places;
}

const char *
config_warnings(const struct config *config)
{
	return sbuf_str(&config->warnings);
}
