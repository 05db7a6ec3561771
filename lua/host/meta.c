/* What a script says about itself, as JSON for the daemon: the fields of its table that are
 * settings, checked for their type, or the `-- event:` line of a script that only defines
 * on_event().
 *
 * A field that nobody reads is refused, for it may be a limit that somebody relies on.  What a
 * script keeps in its table for itself has a name that begins with '_', or is a function.
 */
#include "base/mem.h"
#include "base/nearest.h"
#include "base/units.h"
#include "lua/host/invocation.h"

#include <string.h>

#define TEXT_MAX  4096 /* bytes of one text */
#define TYPES_MAX 256  /* event types of one hook */

enum field_kind {
	FIELD_TEXT,
	FIELD_BOOL,
	FIELD_INTEGER,
	FIELD_DURATION,
	FIELD_SIZE,
	FIELD_FUNCTION
};

static const struct field {
	const char *name;
	enum field_kind kind;
} fields[] = {
	{"name", FIELD_TEXT},
	{"description", FIELD_TEXT},
	{"stack", FIELD_TEXT},
	{"enabled", FIELD_BOOL},
	{"timeout", FIELD_DURATION},
	{"memory", FIELD_SIZE},
	{"concurrency", FIELD_INTEGER},
	{"filter", FIELD_FUNCTION},
};

/* Read elsewhere: below, and by run.lua. */
static const char *const other_fields[] = {
	"event_type", "event_types", "execute", "on_event", "handler"};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* NULL also for what is not UTF-8, or far too long for a setting. */
static json_t *
text_value(lua_State *L)
{
	size_t len = 0;
	const char *s = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : NULL;

	return s && len <= TEXT_MAX ? json_stringn(s, len) : NULL;
}

/* Seconds: a number, or text such as "1m30s". */
static json_t *
duration_value(lua_State *L)
{
	int64_t ns;

	if (lua_type(L, -1) == LUA_TNUMBER && lua_tonumber(L, -1) >= 0)
		return json_real(lua_tonumber(L, -1));
	if (lua_type(L, -1) != LUA_TSTRING ||
		units_parse_duration(lua_tostring(L, -1), &ns, NULL) < 0)
		return NULL;
	return json_real((double)ns / 1e9);
}

/* Bytes: a number, or text such as "64M". */
static json_t *
size_value(lua_State *L)
{
	int64_t bytes;

	if (lua_isinteger(L, -1) && lua_tointeger(L, -1) > 0)
		return json_integer(lua_tointeger(L, -1));
	if (lua_type(L, -1) != LUA_TSTRING ||
		units_parse_size(lua_tostring(L, -1), &bytes, NULL) < 0)
		return NULL;
	return json_integer(bytes);
}

/* Returns owned; NULL when the value on top does not fit. */
static json_t *
field_value(lua_State *L, enum field_kind kind)
{
	switch (kind) {
	case FIELD_TEXT:
		return text_value(L);
	case FIELD_BOOL:
		return lua_isboolean(L, -1) ? json_boolean(lua_toboolean(L, -1)) : NULL;
	case FIELD_INTEGER:
		return lua_isinteger(L, -1) ? json_integer(lua_tointeger(L, -1)) : NULL;
	case FIELD_DURATION:
		return duration_value(L);
	case FIELD_SIZE:
		return size_value(L);
	case FIELD_FUNCTION:
		return lua_isfunction(L, -1) ? json_true() : NULL;
	}
	return NULL;
}

static const char *
kind_name(enum field_kind kind)
{
	static const char *const names[] = {[FIELD_TEXT] = "text",
		[FIELD_BOOL] = "true or false",
		[FIELD_INTEGER] = "a whole number",
		[FIELD_DURATION] = "seconds, or text such as \"30s\"",
		[FIELD_SIZE] = "bytes, or text such as \"64M\"",
		[FIELD_FUNCTION] = "a function"};

	return names[kind];
}

static int
take_fields(lua_State *L, json_t *meta, struct err *err)
{
	for (size_t i = 0; i < COUNT(fields); i++) {
		const struct field *f = &fields[i];
		json_t *value;

		lua_pushstring(L, f->name);
		if (lua_rawget(L, -2) == LUA_TNIL) {
			lua_pop(L, 1);
			continue;
		}
		value = field_value(L, f->kind);
		lua_pop(L, 1);
		if (!value)
			return err_set(
				err, EINVAL, "field '%s' is to be %s", f->name, kind_name(f->kind));
		(void)json_object_set_new(meta, f->name, value);
	}
	return meta_take_rules(L, meta, err);
}

/* ---- names ---------------------------------------------------------------------------------- */

/* From 0 on; NULL behind the last. */
static const char *
known_field(size_t i)
{
	if (i < COUNT(fields))
		return fields[i].name;
	i -= COUNT(fields);
	return i < COUNT(other_fields) ? other_fields[i] : meta_rule_name(i - COUNT(other_fields));
}

static const char *
nearest_field(const char *word)
{
	struct nearest nearest = {.word = word};
	const char *name;

	for (size_t i = 0; (name = known_field(i)); i++)
		nearest_offer(&nearest, name);
	return nearest.name;
}

/* A function is a helper, unless it must be the filter: a hook with an entry point has no other. */
static bool
is_helper(lua_State *L, const char *name, bool has_filter)
{
	struct nearest nearest = {.word = name};

	if (!has_filter)
		nearest_offer(&nearest, "filter");
	return lua_isfunction(L, -1) && !nearest.name;
}

/* Whether the field, its key below its value on top, is read by somebody or the script's own. */
static bool
is_field(lua_State *L, bool has_filter)
{
	const char *word = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL, *name;

	if (!word)
		return false;
	for (size_t i = 0; (name = known_field(i)); i++)
		if (strcmp(word, name) == 0)
			return true;
	return word[0] == '_' || is_helper(L, word, has_filter);
}

/* word is the key if it is text, shown is what a message calls it. */
static int
refuse_field(const char *word, const char *shown, struct err *err)
{
	const char *nearest = word ? nearest_field(word) : NULL;

	if (nearest)
		return err_set(
			err, EINVAL, "a hook has no field %s; did you mean '%s'?", shown, nearest);
	return err_set(
		err, EINVAL, "a hook has no field %s; a name of your own begins with '_'", shown);
}

/* Lua keeps no order of names: of several the first by its letters is told, always the same. */
static int
check_names(lua_State *L, struct err *err)
{
	char shown[META_KEY_BYTES], first[META_KEY_BYTES] = "";
	const char *word = NULL; /* a key, which the table keeps */
	bool has_filter;

	lua_pushstring(L, "filter");
	has_filter = lua_rawget(L, -2) != LUA_TNIL;
	lua_pop(L, 1);
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		if (is_field(L, has_filter))
			continue;
		meta_key_text(L, -2, shown);
		if (first[0] && strcmp(shown, first) >= 0)
			continue;
		memcpy(first, shown, sizeof(first));
		word = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
	}
	return first[0] ? refuse_field(word, first, err) : 0;
}

/* ---- types ---------------------------------------------------------------------------------- */

/* event_type and event_types may each be text or a list of texts. */
static int
take_types(lua_State *L, const char *name, json_t *types, struct err *err)
{
	int kind;

	lua_pushstring(L, name);
	kind = lua_rawget(L, -2);
	if (kind == LUA_TSTRING) {
		if (json_array_append_new(types, text_value(L)) < 0)
			kind = LUA_TNONE;
	} else if (kind == LUA_TTABLE) {
		lua_Unsigned n = lua_rawlen(L, -1);

		for (lua_Unsigned i = 1; i <= n && i <= TYPES_MAX + 1 && kind == LUA_TTABLE; i++) {
			(void)lua_rawgeti(L, -1, (lua_Integer)i);
			if (json_array_append_new(types, text_value(L)) < 0)
				kind = LUA_TNONE;
			lua_pop(L, 1);
		}
	} else if (kind != LUA_TNIL) {
		kind = LUA_TNONE;
	}
	lua_pop(L, 1);
	if (kind == LUA_TNONE || json_array_size(types) > TYPES_MAX)
		return err_set(err, EINVAL,
			"field '%s' is to be text or a list of texts (%d at most)", name,
			TYPES_MAX);
	return 0;
}

/* "-- event: task.failed, task.timeout" in one of the comment lines the script begins with. */
static void
take_event_line(const char *source, json_t *types)
{
	if (strncmp(source, "\xef\xbb\xbf", 3) == 0)
		source += 3;
	while (source[0] == '#' || source[0] == '\n' || strncmp(source, "--", 2) == 0) {
		const char *p = source + 2 + strspn(source + 2, " \t");
		const char *end = strchrnul(source, '\n');

		if (source[0] == '-' && strncmp(p, "event:", 6) == 0) {
			for (p += 6; p < end;) {
				size_t len;

				p += strspn(p, " \t,\r");
				len = strcspn(p, " \t,\r\n");
				if (len > 0 && json_array_size(types) < TYPES_MAX)
					(void)json_array_append_new(types, json_stringn(p, len));
				p += len ? len : 1;
			}
			return;
		}
		source = *end ? end + 1 : end;
	}
}

static int
take_all(struct invocation *inv, json_t *meta, struct err *err)
{
	lua_State *L = inv->co;
	json_t *types = json_array();
	int r;

	(void)json_object_set_new(meta, "form", json_string(lua_tostring(L, -1)));
	(void)json_object_set_new(meta, "event_types", types);
	lua_pop(L, 1);
	if (!lua_istable(L, -1)) {
		take_event_line(inv->state->script->source, types);
		return 0;
	}
	r = check_names(L, err);
	if (r == 0)
		r = take_fields(L, meta, err);
	if (r == 0)
		r = take_types(L, "event_type", types, err);
	if (r == 0)
		r = take_types(L, "event_types", types, err);
	if (r == 0 && json_array_size(types) == 0)
		take_event_line(inv->state->script->source, types);
	return r;
}

void
meta_take(struct invocation *inv)
{
	json_t *meta = json_object();
	struct err err = {.msg = "out of stack"};

	if (!lua_checkstack(inv->co, 8) || take_all(inv, meta, &err) < 0) {
		inv->result = RUN_FAILED;
		inv->error = mem_strdup(err.msg);
	} else {
		inv->meta = json_dumps(meta, JSON_COMPACT);
	}
	json_decref(meta);
}
