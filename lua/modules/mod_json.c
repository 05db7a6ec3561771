/* json: text <-> Lua values.  Its functions are declared in doc/json.lua. */
#include "lua/modules/module.h"

static int
encode(lua_State *L, bool is_pretty)
{
	struct err err = {0};
	struct sbuf *out;

	luaL_checkany(L, 1);
	host_tick(L);
	out = module_sbuf(L);
	if (json_lua_encode(L, 1, is_pretty, out, &err) < 0)
		return luaL_error(L, "json.encode: %s", err.msg);
	lua_pushlstring(L, sbuf_str(out), out->len);
	return 1;
}

static int
json_encode(lua_State *L)
{
	bool is_pretty = false;

	if (!lua_isnoneornil(L, 2)) {
		luaL_checktype(L, 2, LUA_TTABLE);
		lua_getfield(L, 2, "indent");
		is_pretty = lua_toboolean(L, -1);
		lua_pop(L, 1);
	}
	return encode(L, is_pretty);
}

static int
json_pretty(lua_State *L)
{
	return encode(L, true);
}

static int
json_decode(lua_State *L)
{
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len);
	json_error_t problem;

	if (module_push_json(L, text, len, true, &problem))
		return 1;
	lua_pushnil(L);
	lua_pushfstring(L, "line %d column %d: %s", problem.line, problem.column, problem.text);
	return 2;
}

static int
json_array_mark(lua_State *L)
{
	if (lua_isnoneornil(L, 1)) {
		lua_settop(L, 0);
		lua_newtable(L);
	}
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	json_lua_push_array_mt(L);
	lua_setmetatable(L, 1);
	return 1;
}

int
module_json(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"encode", json_encode},
		{"stringify", json_encode},
		{"pretty", json_pretty},
		{"decode", json_decode},
		{"parse", json_decode},
		{"array", json_array_mark},
		{NULL, NULL},
	};

	luaL_newlib(L, functions);
	json_lua_push_null(L);
	lua_setfield(L, -2, "null");
	return 1;
}
