/* exec: run programs.  Its functions are declared in doc/exec.lua.
 *
 * Older scripts use the first result as a string, so it passes string methods, "..", tostring and #
 * on to stdout.  A failing command never raises.
 */
#include "base/units.h"
#include "lua/modules/module.h"

#include <string.h>

#define RESULT_META "sloth.exec.result"

/* ---- the result -------------------------------------------------------------------------------
 */

static int
finish_method(lua_State *L, int status, lua_KContext ctx)
{
	(void)status;
	(void)ctx;
	return lua_gettop(L);
}

/* A string method called on a result: R:gsub(...) works on R.stdout. */
static int
result_method(lua_State *L)
{
	if (lua_istable(L, 1)) {
		lua_getfield(L, 1, "stdout");
		lua_replace(L, 1);
	}
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_callk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, finish_method);
	return finish_method(L, LUA_OK, 0);
}

static int
result_index(lua_State *L)
{
	lua_getglobal(L, "string");
	if (!lua_istable(L, -1))
		return 0;
	lua_pushvalue(L, 2);
	if (lua_gettable(L, -2) != LUA_TFUNCTION)
		return 0;
	lua_pushcclosure(L, result_method, 1);
	return 1;
}

static void
push_operand(lua_State *L, int idx)
{
	if (lua_istable(L, idx))
		lua_getfield(L, idx, "stdout");
	else
		luaL_tolstring(L, idx, NULL);
}

static int
result_concat(lua_State *L)
{
	push_operand(L, 1);
	push_operand(L, 2);
	lua_concat(L, 2);
	return 1;
}

static int
result_tostring(lua_State *L)
{
	lua_getfield(L, 1, "stdout");
	return 1;
}

static int
result_len(lua_State *L)
{
	lua_getfield(L, 1, "stdout");
	lua_pushinteger(L, (lua_Integer)lua_rawlen(L, -1));
	return 1;
}

static void
set_result_metatable(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{"__index", result_index},
		{"__concat", result_concat},
		{"__tostring", result_tostring},
		{"__len", result_len},
		{NULL, NULL},
	};

	if (host_new_metatable(L, RESULT_META))
		luaL_setfuncs(L, methods, 0);
	lua_setmetatable(L, -2);
}

static void
set_text(lua_State *L, const char *name, const char *alias, const struct sbuf *text)
{
	lua_pushlstring(L, sbuf_str(text), text->len);
	lua_pushvalue(L, -1);
	lua_setfield(L, -3, name);
	lua_setfield(L, -2, alias);
}

/* Push err: why it failed, in the words of the program if it had any. */
static void
push_reason(lua_State *L, const struct exec_result *r)
{
	if (r->error)
		lua_pushstring(L, r->error);
	else if (r->is_timed_out)
		lua_pushstring(L, "timeout");
	else if (r->err.len)
		lua_pushlstring(L, r->err.data, r->err.len);
	else if (r->signal)
		lua_pushfstring(L, "ended by signal %d", r->signal);
	else
		lua_pushfstring(L, "exit status %d", r->exit_code);
}

static int
push_result(lua_State *L, const struct exec_result *r)
{
	bool is_good = r->exit_code == 0 && !r->error;

	lua_createtable(L, 0, 8);
	set_text(L, "stdout", "output", &r->out);
	set_text(L, "stderr", "error", &r->err);
	if (r->error) { /* not started: the reason stands where a shell would have put it */
		lua_pushstring(L, r->error);
		lua_pushvalue(L, -1);
		lua_setfield(L, -3, "stderr");
		lua_setfield(L, -2, "error");
	}
	lua_pushinteger(L, r->exit_code);
	lua_pushvalue(L, -1);
	lua_setfield(L, -3, "exit_code");
	lua_setfield(L, -2, "code");
	lua_pushboolean(L, is_good);
	lua_setfield(L, -2, "success");
	set_result_metatable(L);
	if (is_good)
		lua_pushnil(L);
	else
		push_reason(L, r);
	lua_pushboolean(L, !is_good);
	return 3;
}

static int
push_output(lua_State *L, const struct exec_result *r)
{
	if (r->exit_code == 0 && !r->error) {
		lua_pushlstring(L, sbuf_str(&r->out), r->out.len);
		return 1;
	}
	lua_pushnil(L);
	push_reason(L, r);
	return 2;
}

/* ---- the call -----------------------------------------------------------------------------------
 */

/* "K=V" strings of the table on top of the stack, kept alive by a table pushed in its place, over
 * the changes env.set made.  Returns a NULL-ended array owned by a userdata on the stack. */
static const char **
push_environment(lua_State *L, int opts)
{
	lua_Integer n = 0;
	const char **env;
	int strings;

	lua_newtable(L);
	strings = lua_gettop(L);
	host_push_locals(L, "env");
	if (lua_istable(L, opts) && lua_getfield(L, opts, "env") != LUA_TNIL)
		luaL_checktype(L, -1, LUA_TTABLE);
	for (int source = strings + 1; source <= lua_gettop(L) && source <= strings + 2; source++) {
		if (!lua_istable(L, source))
			continue;
		for (lua_pushnil(L); lua_next(L, source); lua_pop(L, 1)) {
			const char *name = luaL_tolstring(L, -2, NULL);
			bool is_unset = lua_isboolean(L, -2) && !lua_toboolean(L, -2);
			const char *value = is_unset ? NULL : luaL_tolstring(L, -2, NULL);

			lua_pushfstring(L, is_unset ? "%s" : "%s=%s", name, value);
			lua_rawseti(L, strings, ++n);
			lua_pop(L, is_unset ? 1 : 2);
		}
	}
	lua_settop(L, strings);
	env = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof(*env), 0);
	for (lua_Integer i = 1; i <= n; i++) {
		lua_rawgeti(L, strings, i);
		env[i - 1] = lua_tostring(L, -1);
		lua_pop(L, 1);
	}
	env[n] = NULL;
	return env;
}

static uint64_t
timeout_ms(lua_State *L, int opts)
{
	struct err err = {0};
	int64_t ns = 0;

	if (!lua_istable(L, opts))
		return 0;
	if (lua_getfield(L, opts, "timeout") == LUA_TNUMBER)
		ns = (int64_t)(lua_tonumber(L, -1) * 1e9);
	else if (!lua_isnil(L, -1) && units_parse_duration(luaL_checkstring(L, -1), &ns, &err) < 0)
		luaL_error(L, "exec.run: timeout: %s", err.msg);
	lua_pop(L, 1);
	if (ns < 0)
		luaL_error(L, "exec.run: timeout must not be negative");
	return (uint64_t)ns / 1000000;
}

static int
start(lua_State *L, exec_results_fn *results)
{
	struct exec_options opt = {.command = luaL_checkstring(L, 1)};

	lua_settop(L, 2);
	opt.workdir = module_opt_str(L, 2, "workdir");
	opt.input = module_opt_str(L, 2, "stdin");
	opt.input_len = opt.input ? strlen(opt.input) : 0;
	opt.timeout_ms = timeout_ms(L, 2);
	if (opt.workdir)
		opt.workdir = host_path(L, opt.workdir);
	opt.env = push_environment(L, 2);
	return exec_wait(L, &opt, results);
}

static int
exec_run(lua_State *L)
{
	return start(L, push_result);
}

static int
exec_output(lua_State *L)
{
	return start(L, push_output);
}

static int
exec_call(lua_State *L)
{
	lua_remove(L, 1); /* the module itself */
	return start(L, push_result);
}

int
module_exec(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"run", exec_run},
		{"sh", exec_run},
		{"command", exec_run},
		{"output", exec_output},
		{NULL, NULL},
	};

	luaL_newlib(L, functions);
	if (host_new_metatable(L, "sloth.exec")) {
		lua_pushcfunction(L, exec_call);
		lua_setfield(L, -2, "__call");
	}
	lua_setmetatable(L, -2);
	return 1;
}
