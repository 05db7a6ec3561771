/* log and slog: lines in the recorded output of the run, "[INFO] text".  Their functions are
 * declared in doc/log.lua and doc/slog.lua.
 *
 * Fields are sorted by name, so that lines compare.  A run that returns false without a message
 * takes its error from what log.error wrote.
 */
#include "lua/modules/module.h"

static void
add_field(lua_State *L, struct sbuf *line, int key, int value)
{
	sbuf_addc(line, ' ');
	module_add_value(L, line, key);
	sbuf_addc(line, '=');
	module_add_value(L, line, value);
}

/* Put the string on top of the stack into the sorted array at `array`, which has n strings. */
static void
insert_sorted(lua_State *L, int array, lua_Integer n)
{
	lua_Integer at = n + 1;

	for (; at > 1; at--) {
		lua_rawgeti(L, array, at - 1);
		if (!lua_compare(L, -2, -1, LUA_OPLT)) {
			lua_pop(L, 1);
			break;
		}
		lua_rawseti(L, array, at);
	}
	lua_rawseti(L, array, at);
}

/* The fields of the table at idx, sorted: few enough for insertion. */
static void
add_table(lua_State *L, struct sbuf *line, int idx)
{
	lua_Integer n = 0;
	int array;

	lua_newtable(L);
	array = lua_gettop(L);
	for (lua_pushnil(L); lua_next(L, idx); lua_settop(L, array + 1)) {
		const char *key = luaL_tolstring(L, array + 1, NULL);
		const char *value = luaL_tolstring(L, array + 2, NULL);

		lua_pushfstring(L, " %s=%s", key, value);
		insert_sorted(L, array, n++);
	}
	for (lua_Integer i = 1; i <= n; i++) {
		lua_rawgeti(L, array, i);
		module_add_value(L, line, -1);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

/* msg, then a table of fields or pairs of key and value. */
static int
log_at(lua_State *L, enum host_level level, const char *mark)
{
	int top = lua_gettop(L);
	struct sbuf *line;

	luaL_checkany(L, 1);
	line = module_sbuf(L);
	sbuf_adds(line, mark);
	module_add_value(L, line, 1);
	if (lua_istable(L, 2))
		add_table(L, line, 2);
	else
		for (int i = 2; i + 1 <= top; i += 2)
			add_field(L, line, i, i + 1);
	host_log(L, level, sbuf_str(line), line->len);
	return 0;
}

static int
log_debug(lua_State *L)
{
	return log_at(L, HOST_DEBUG, "");
}

static int
log_info(lua_State *L)
{
	return log_at(L, HOST_INFO, "");
}

static int
log_success(lua_State *L)
{
	return log_at(L, HOST_INFO, "\xe2\x9c\x93 ");
}

static int
log_warn(lua_State *L)
{
	return log_at(L, HOST_WARN, "");
}

static int
log_error(lua_State *L)
{
	return log_at(L, HOST_ERROR, "");
}

static int
log_print(lua_State *L)
{
	int top = lua_gettop(L);
	struct sbuf *line = module_sbuf(L);

	for (int i = 1; i <= top; i++) {
		if (i > 1)
			sbuf_addc(line, '\t');
		module_add_value(L, line, i);
	}
	sbuf_addc(line, '\n');
	host_output(L, sbuf_str(line), line->len);
	return 0;
}

static int
log_table(lua_State *L)
{
	struct err err = {0};
	struct sbuf *line;

	lua_settop(L, 2);
	line = module_sbuf(L);
	if (!lua_isnil(L, 2)) {
		module_add_value(L, line, 2);
		sbuf_adds(line, ": ");
	}
	if (!lua_istable(L, 1))
		module_add_value(L, line, 1);
	else if (json_lua_encode(L, 1, true, line, &err) < 0)
		return luaL_error(L, "log.table: %s", err.msg);
	host_log(L, HOST_INFO, sbuf_str(line), line->len);
	return 0;
}

int
module_log(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"debug", log_debug},
		{"info", log_info},
		{"success", log_success},
		{"warn", log_warn},
		{"warning", log_warn},
		{"error", log_error},
		{"print", log_print},
		{"table", log_table},
		{NULL, NULL},
	};

	luaL_newlib(L, functions);
	return 1;
}

int
module_slog(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"debug", log_debug},
		{"info", log_info},
		{"warn", log_warn},
		{"error", log_error},
		{NULL, NULL},
	};

	luaL_newlib(L, functions);
	return 1;
}
