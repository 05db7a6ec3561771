/* What a script says about itself, as JSON for the daemon: the fields of its table that are
 * settings, checked for their type, or the `-- event:` line of a script that only defines
 * on_event().
 */
#include "base/mem.h"
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
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
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
