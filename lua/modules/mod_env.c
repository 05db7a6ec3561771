/* env: the environment of the worker, to read, and of what this run starts, to change.  Its
 * functions are declared in doc/env.lua.
 *
 * What set() changes lives in the invocation and ends with it: hooks share a process, not an
 * environment.
 */
#include "lua/modules/module.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

/* Push the value of the variable as this run sees it, or nil. */
static void
push_variable(lua_State *L, const char *name)
{
	const char *value;

	host_push_locals(L, "env");
	if (lua_getfield(L, -1, name) == LUA_TNIL) {
		value = getenv(name);
		lua_pop(L, 1);
		if (value)
			lua_pushstring(L, value);
		else
			lua_pushnil(L);
	} else if (lua_isboolean(L, -1)) { /* unset */
		lua_pop(L, 1);
		lua_pushnil(L);
	}
	lua_remove(L, -2);
}

static int
env_get(lua_State *L)
{
	push_variable(L, luaL_checkstring(L, 1));
	if (lua_isnil(L, -1) && !lua_isnone(L, 2))
		lua_pushvalue(L, 2);
	return 1;
}

static int
env_has(lua_State *L)
{
	push_variable(L, luaL_checkstring(L, 1));
	lua_pushboolean(L, !lua_isnil(L, -1));
	return 1;
}

static const char *
check_name(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);

	luaL_argcheck(L, *name && !strchr(name, '='), 1, "not a variable's name");
	return name;
}

static int
env_set(lua_State *L)
{
	const char *name = check_name(L);

	luaL_checkstring(L, 2); /* a number becomes its text */
	host_push_locals(L, "env");
	lua_pushvalue(L, 2);
	lua_setfield(L, -2, name);
	lua_pushboolean(L, true);
	return 1;
}

static int
env_unset(lua_State *L)
{
	const char *name = check_name(L);

	host_push_locals(L, "env");
	lua_pushboolean(L, false);
	lua_setfield(L, -2, name);
	lua_pushboolean(L, true);
	return 1;
}

static int
env_all(lua_State *L)
{
	lua_newtable(L);
	for (char **e = environ; *e; e++) {
		const char *equals = strchr(*e, '=');

		if (!equals)
			continue;
		lua_pushlstring(L, *e, (size_t)(equals - *e));
		lua_pushstring(L, equals + 1);
		lua_rawset(L, -3);
	}
	host_push_locals(L, "env");
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		lua_pushvalue(L, -2);
		if (lua_isboolean(L, -2))
			lua_pushnil(L);
		else
			lua_pushvalue(L, -2);
		lua_rawset(L, -6);
	}
	lua_pop(L, 1);
	return 1;
}

/* The name after a '$' at s: its start and length; returns the end of the whole reference. */
static const char *
find_name(const char *s, const char **ret_name, size_t *ret_len)
{
	bool is_braced = *s == '{';
	const char *end;

	*ret_name = s + is_braced;
	for (end = *ret_name; isalnum((unsigned char)*end) || *end == '_'; end++)
		continue;
	*ret_len = (size_t)(end - *ret_name);
	return is_braced && *end == '}' ? end + 1 : end;
}

static int
env_expand(lua_State *L)
{
	const char *s = luaL_checkstring(L, 1);
	struct sbuf *out = module_sbuf(L);

	while (*s) {
		const char *name, *end;
		size_t len;

		if (*s != '$') {
			sbuf_addc(out, *s++);
			continue;
		}
		end = find_name(s + 1, &name, &len);
		if (!len) {
			sbuf_addc(out, *s++);
			continue;
		}
		lua_pushlstring(L, name, len);
		push_variable(L, lua_tostring(L, -1));
		if (!lua_isnil(L, -1))
			module_add_value(L, out, -1);
		lua_pop(L, 2);
		s = end;
	}
	lua_pushlstring(L, sbuf_str(out), out->len);
	return 1;
}

int
module_env(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"get", env_get},
		{"has", env_has},
		{"set", env_set},
		{"unset", env_unset},
		{"all", env_all},
		{"list", env_all},
		{"expand", env_expand},
		{NULL, NULL},
	};

	luaL_newlib(L, functions);
	return 1;
}
