/* Read-only tables: an empty table whose metatable leads to the real one, so that nothing an
 * invocation does to a library or a module is seen by the next.
 */
#include "lua/host/state.h"

static const char frozen_key; /* its address, in the metatable of a read-only table */

int
sandbox_refuse_write(lua_State *L)
{
	return luaL_error(L, "modules are read-only: '%s' cannot be set",
		lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : luaL_typename(L, 2));
}

static int
next_pair(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 2);
	return lua_next(L, 1) ? 2 : (lua_pushnil(L), 1);
}

/* __pairs: over the view of each value, so take the real table for the keys only. */
static int
pairs_of_frozen(lua_State *L)
{
	lua_pushcfunction(L, next_pair);
	lua_getmetatable(L, 1);
	lua_getfield(L, -1, "__index");
	lua_newtable(L); /* a copy: the real one must not get out */
	for (lua_pushnil(L); lua_next(L, -3) != 0; lua_pop(L, 1)) {
		lua_pushvalue(L, -2);
		lua_pushvalue(L, -2);
		lua_rawset(L, -5);
	}
	lua_replace(L, -3);
	lua_pop(L, 1);
	lua_pushnil(L);
	return 3;
}

bool
sandbox_is_frozen(lua_State *L, int idx)
{
	bool is_frozen;

	if (!lua_getmetatable(L, idx))
		return false;
	is_frozen = lua_rawgetp(L, -1, &frozen_key) != LUA_TNIL;
	lua_pop(L, 2);
	return is_frozen;
}

static bool
is_plain_table(lua_State *L, int idx)
{
	return lua_istable(L, idx) && !sandbox_is_frozen(L, idx);
}

static void
freeze_fields(lua_State *L)
{
	luaL_checkstack(L, 8, "modules are nested too deep");
	for (lua_pushnil(L); lua_next(L, -2) != 0;) {
		if (!is_plain_table(L, -1)) {
			lua_pop(L, 1);
			continue;
		}
		sandbox_freeze(L);
		lua_pushvalue(L, -2);
		lua_insert(L, -2);
		lua_rawset(L, -4); /* an existing key: allowed while traversing */
	}
}

void
sandbox_freeze(lua_State *L)
{
	lua_newtable(L);          /* real, view */
	lua_createtable(L, 0, 6); /* real, view, meta */
	lua_pushboolean(L, 1);
	lua_rawsetp(L, -2, &frozen_key);
	lua_pushvalue(L, -3);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, sandbox_refuse_write);
	lua_setfield(L, -2, "__newindex");
	lua_pushcfunction(L, pairs_of_frozen);
	lua_setfield(L, -2, "__pairs");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	if (luaL_getmetafield(L, -3, "__call") != LUA_TNIL)
		lua_setfield(L, -2, "__call");
	lua_setmetatable(L, -2); /* real, view */
	lua_pushvalue(L, -2);
	freeze_fields(L);
	lua_pop(L, 1);
	lua_remove(L, -2);
}
