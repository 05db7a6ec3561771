/* table.concat, insert, move, remove and unpack, which look at the clock.
 *
 * Lua's own loop in C over as many elements as they are told; and one element can take long, when a
 * metatable leads to another table, which leads to another.  These do what lib_table does, with the
 * same messages, and end with the invocation.
 */
#include "lua/host/state.h"

#include <limits.h>

#define TICK_ELEMENTS 64

static void
tick(lua_State *L, lua_Unsigned n)
{
	if (n % TICK_ELEMENTS == 0)
		host_tick(L);
}

static lua_Integer
check_length(lua_State *L)
{
	lua_Integer len;

	luaL_checktype(L, 1, LUA_TTABLE);
	len = luaL_len(L, 1);
	if (len > HOST_ELEMENTS_MAX) /* a __len may claim anything */
		luaL_error(L, "a table of more than %d elements", HOST_ELEMENTS_MAX);
	return len;
}

int
table_insert(lua_State *L)
{
	lua_Integer end = (lua_Integer)((lua_Unsigned)check_length(L) + 1), at = end;

	switch (lua_gettop(L)) {
	case 2:
		break;
	case 3:
		at = luaL_checkinteger(L, 2);
		luaL_argcheck(
			L, (lua_Unsigned)at - 1u < (lua_Unsigned)end, 2, "position out of bounds");
		for (lua_Integer i = end; i > at; i--) {
			tick(L, (lua_Unsigned)i);
			lua_geti(L, 1, i - 1);
			lua_seti(L, 1, i);
		}
		break;
	default:
		return luaL_error(L, "wrong number of arguments to 'insert'");
	}
	lua_seti(L, 1, at);
	return 0;
}

int
table_remove(lua_State *L)
{
	lua_Integer size = check_length(L), at = luaL_optinteger(L, 2, size);

	if (lua_gettop(L) > 1)
		luaL_argcheck(L, (lua_Unsigned)at - 1u <= (lua_Unsigned)size, 2,
			"position out of bounds");
	lua_geti(L, 1, at);
	for (; at < size; at++) {
		tick(L, (lua_Unsigned)at);
		lua_geti(L, 1, at + 1);
		lua_seti(L, 1, at);
	}
	lua_pushnil(L);
	lua_seti(L, 1, at);
	return 1;
}

static void
move_one(lua_State *L, int to, lua_Integer from, lua_Integer at)
{
	tick(L, (lua_Unsigned)from);
	lua_geti(L, 1, from);
	lua_seti(L, to, at);
}

int
table_move(lua_State *L)
{
	lua_Integer first = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3);
	lua_Integer at = luaL_checkinteger(L, 4);
	int to = lua_isnoneornil(L, 5) ? 1 : 5;
	bool overlaps;

	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_checktype(L, to, LUA_TTABLE);
	if (last >= first) {
		lua_Unsigned n = (lua_Unsigned)last - (lua_Unsigned)first;

		if (n >= HOST_ELEMENTS_MAX)
			return luaL_argerror(L, 3, "too many elements to move");
		luaL_argcheck(
			L, at <= LUA_MAXINTEGER - (lua_Integer)n, 4, "destination wrap around");
		overlaps = at > first && at <= last && (to == 1 || lua_compare(L, 1, to, LUA_OPEQ));
		for (lua_Integer i = 0; i <= (lua_Integer)n; i++) {
			lua_Integer k = overlaps ? (lua_Integer)n - i : i;

			move_one(L, to, first + k, at + k);
		}
	}
	lua_pushvalue(L, to);
	return 1;
}

static void
add_element(lua_State *L, luaL_Buffer *b, lua_Integer i)
{
	lua_geti(L, 1, i);
	if (!lua_isstring(L, -1))
		luaL_error(L, "invalid value (at index %I) in table for 'concat'", (LUAI_UACINT)i);
	luaL_addvalue(b);
	tick(L, (lua_Unsigned)i);
}

int
table_concat(lua_State *L)
{
	size_t len;
	lua_Integer last, i;
	const char *separator;
	luaL_Buffer b;

	luaL_checktype(L, 1, LUA_TTABLE);
	last = luaL_len(L, 1);
	separator = luaL_optlstring(L, 2, "", &len);
	i = luaL_optinteger(L, 3, 1);
	last = luaL_optinteger(L, 4, last);
	luaL_buffinit(L, &b);
	for (; i < last; i++) {
		add_element(L, &b, i);
		luaL_addlstring(&b, separator, len);
	}
	if (i == last)
		add_element(L, &b, i);
	luaL_pushresult(&b);
	return 1;
}

int
table_unpack(lua_State *L)
{
	lua_Integer i = luaL_optinteger(L, 2, 1);
	lua_Integer last = luaL_opt(L, luaL_checkinteger, 3, luaL_len(L, 1));
	lua_Unsigned n = (lua_Unsigned)last - (lua_Unsigned)i;

	if (i > last)
		return 0;
	if (n >= INT_MAX || !lua_checkstack(L, (int)++n))
		return luaL_error(L, "too many results to unpack");
	for (lua_Unsigned k = 0; k < n; k++) {
		tick(L, k);
		lua_geti(L, 1, i + (lua_Integer)k);
	}
	return (int)n;
}
