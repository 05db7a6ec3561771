/* The base environment: which functions of Lua's library scripts find, and in which form.
 * docs/sandbox.md is the same list in words.
 *
 * A standard library is opened into the state's own globals, which no script ever sees; ours go
 * over it; then the names listed here are copied into a read-only table.  What is not listed does
 * not exist.  All but strings are opened when a script first names them: opening all of them was
 * half of what a state costs.
 */
#include "lua/host/invocation.h"

#include <lualib.h>
#include <string.h>
#include <sys/random.h>

#define FORMAT_VALUES_MAX   10000 /* of one string.format */
#define FORMAT_VALUES_QUICK 64    /* beyond these the clock is looked at */
#define SHORT_FORMAT_MAX    65536 /* bytes */
#define QUOTED_MAX          (1024 * 1024)

/* ---- protected calls ------------------------------------------------------------------------ */

static int
finish_pcall(lua_State *L, int status, lua_KContext skip)
{
	if (status == LUA_OK || status == LUA_YIELD)
		return lua_gettop(L) - (int)skip;
	limits_rethrow(L, status);
	lua_pushboolean(L, 0);
	lua_pushvalue(L, -2);
	return 2;
}

static int
safe_pcall(lua_State *L)
{
	int status;

	luaL_checkany(L, 1);
	lua_pushboolean(L, 1);
	lua_insert(L, 1);
	status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, finish_pcall);
	return finish_pcall(L, status, 0);
}

/* A message handler that stays out of the way when the invocation is being ended: handlers run
 * with hooks off, so one that loops could not be stopped. */
static int
handle_message(lua_State *L)
{
	struct invocation *inv = invocation_of(L);

	if (inv && inv->kill)
		return 1;
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, 1);
	return 1;
}

static int
safe_xpcall(lua_State *L)
{
	int status, n = lua_gettop(L);

	luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_pushvalue(L, 2);
	lua_pushcclosure(L, handle_message, 1);
	lua_replace(L, 2);
	lua_pushboolean(L, 1);
	lua_pushvalue(L, 1);
	lua_rotate(L, 3, 2); /* f, handler, true, f, arguments */
	status = lua_pcallk(L, n - 2, LUA_MULTRET, 2, 2, finish_pcall);
	return finish_pcall(L, status, 2);
}

/* ---- single functions ----------------------------------------------------------------------- */

static int
safe_setmetatable(lua_State *L)
{
	int type = lua_type(L, 2);

	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_argexpected(L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table");
	if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
		return luaL_error(L, "cannot change a protected metatable");
	if (type == LUA_TTABLE) {
		lua_pushliteral(L, "__gc");
		if (lua_rawget(L, 2) != LUA_TNIL)
			return luaL_error(L, "__gc is not available here: use __close");
	}
	lua_settop(L, 2);
	lua_setmetatable(L, 1);
	return 1;
}

static int
safe_rawset(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_checkany(L, 2);
	luaL_checkany(L, 3);
	if (sandbox_is_frozen(L, 1))
		return sandbox_refuse_write(L);
	lua_settop(L, 3);
	lua_rawset(L, 1);
	return 1;
}

static int
safe_collectgarbage(lua_State *L)
{
	static const char *const options[] = {"collect", "count", "step", NULL};

	host_tick(L);
	switch (luaL_checkoption(L, 1, "collect", options)) {
	case 1:
		lua_pushnumber(L, (lua_Number)state_of(L)->used_bytes / 1024);
		return 1;
	case 2:
		lua_pushboolean(L, lua_gc(L, LUA_GCSTEP, 0));
		return 1;
	}
	lua_gc(L, LUA_GCCOLLECT);
	lua_pushinteger(L, 0);
	return 1;
}

static int
print(lua_State *L)
{
	int n = lua_gettop(L);

	for (int i = 1; i <= n; i++) {
		size_t len;
		const char *s = luaL_tolstring(L, i, &len);

		if (i > 1)
			host_output(L, "\t", 1);
		host_output(L, s, len);
		lua_pop(L, 1);
	}
	host_output(L, "\n", 1);
	return 0;
}

static int
math_pow(lua_State *L)
{
	lua_Number x = luaL_checknumber(L, 1), y = luaL_checknumber(L, 2);

	lua_settop(L, 0);
	lua_pushnumber(L, x);
	lua_pushnumber(L, y);
	lua_arith(L, LUA_OPPOW);
	return 1;
}

static int
table_getn(lua_State *L)
{
	lua_pushinteger(L, luaL_len(L, 1));
	return 1;
}

/* ---- library functions that can take long in C ---------------------------------------------- */

/* The original is the upvalue; none of them has upvalues of its own. */
static int
call_original(lua_State *L)
{
	host_tick(L);
	return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

/* rep counts to n even when there is nothing to copy. */
static int
string_rep(lua_State *L)
{
	size_t len, separator_len = 0;

	(void)luaL_checklstring(L, 1, &len);
	if (!lua_isnoneornil(L, 3))
		(void)luaL_checklstring(L, 3, &separator_len);
	if (len + separator_len == 0) {
		(void)luaL_checkinteger(L, 2);
		lua_pushliteral(L, "");
		return 1;
	}
	return call_original(L);
}

static bool
has_quotes(const char *format, size_t len)
{
	const char *end = format + len, *at = format;

	while ((at = memchr(at, '%', (size_t)(end - at))) && end - at >= 2) {
		if (at[1] == 'q')
			return true;
		at += 2;
	}
	return false;
}

static size_t
bytes_of_strings(lua_State *L, int from, int to)
{
	size_t total = 0;

	for (int i = from; i <= to; i++)
		if (lua_type(L, i) == LUA_TSTRING)
			total += lua_rawlen(L, i);
	return total;
}

/* One value may take ten microseconds (a float of 400 digits), and a call any number of them.  %q
 * takes 60 ns for a byte. */
static int
string_format(lua_State *L)
{
	int n = lua_gettop(L);
	size_t len;
	const char *format = luaL_checklstring(L, 1, &len);

	if (n > FORMAT_VALUES_MAX)
		return luaL_error(L, "more than %d values to format", FORMAT_VALUES_MAX);
	if (bytes_of_strings(L, 2, n) > QUOTED_MAX && has_quotes(format, len))
		return luaL_error(L, "more than 1 MiB of strings for a format with %%q");
	if (n > FORMAT_VALUES_QUICK)
		return call_original(L);
	return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

/* Each field of a format takes its time. */
static int
short_format(lua_State *L)
{
	size_t len;

	(void)luaL_optlstring(L, 1, "", &len);
	luaL_argcheck(L, len <= SHORT_FORMAT_MAX, 1, "format too long");
	return call_original(L);
}

/* ---- the libraries -------------------------------------------------------------------------- */

struct replacement {
	const char *name;
	lua_CFunction function; /* gets the original as its upvalue */
};

static const struct replacement in_globals[] = {
	{"error", call_original},
	{"pcall", safe_pcall},
	{"xpcall", safe_xpcall},
	{"setmetatable", safe_setmetatable},
	{"rawset", safe_rawset},
	{"collectgarbage", safe_collectgarbage},
	{"print", print},
	{NULL, NULL},
};
static const struct replacement in_string[] = {
	{"rep", string_rep},
	{"format", string_format},
	{"pack", short_format},
	{"packsize", short_format},
	{"unpack", short_format},
	{"find", pattern_find},
	{"match", pattern_match},
	{"gmatch", pattern_gmatch},
	{"gsub", pattern_gsub},
	{NULL, NULL},
};
static const struct replacement in_table[] = {
	{"concat", table_concat},
	{"unpack", table_unpack},
	{"insert", table_insert},
	{"remove", table_remove},
	{"move", table_move},
	{"getn", table_getn},
	{NULL, NULL},
};
static const struct replacement in_math[] = {{"pow", math_pow}, {NULL, NULL}};
static const struct replacement in_debug[] = {{"traceback", call_original}, {NULL, NULL}};
static const struct replacement in_os[] = {{"date", short_format}, {NULL, NULL}};
static const struct replacement in_none[] = {{NULL, NULL}};

/* What scripts find. */
static const char kept_globals[] =
	"_VERSION assert collectgarbage error getmetatable ipairs load loadstring next pairs pcall "
	"print rawequal rawget rawlen rawset require select setmetatable tonumber tostring type "
	"unpack xpcall";
static const struct standard {
	const char *name;
	lua_CFunction open;
	const struct replacement *with;
	const char *in_lua; /* the function that is ours, and lua/host/<in_lua>.lua that makes it */
	const char *kept;
} standards[] = {
	{"string", luaopen_string, in_string, NULL,
		"byte char find format gmatch gsub len lower match pack packsize rep reverse sub "
		"unpack upper"},
	{"table", luaopen_table, in_table, "sort",
		"concat getn insert move pack remove sort unpack"},
	{"math", luaopen_math, in_math, NULL,
		"abs acos asin atan ceil cos deg exp floor fmod huge log max maxinteger min "
		"mininteger modf pi pow rad random randomseed sin sqrt tan tointeger type ult"},
	{"utf8", luaopen_utf8, in_none, NULL, "char charpattern codepoint codes len offset"},
	{"coroutine", sandbox_open_coroutine, in_none, NULL,
		"close create isyieldable resume running status wrap yield"},
	{"debug", luaopen_debug, in_debug, NULL, "traceback"},
	{"io", sandbox_open_io, in_none, NULL,
		"lines open popen read stderr stdin stdout tmpfile type write"},
	{"os", sandbox_open_os, in_os, NULL,
		"clock date difftime execute getenv remove rename time tmpname"},
};
enum { STRING, TABLE, STANDARDS = sizeof(standards) / sizeof(standards[0]) };

/* In the table on top. */
static void
replace(lua_State *L, const struct replacement *with)
{
	for (; with->name; with++) {
		lua_getfield(L, -1, with->name);
		lua_pushcclosure(L, with->function, 1);
		lua_setfield(L, -2, with->name);
	}
}

/* Push what lua/host/<name>.lua returns: `count` values. */
static void
run_own(lua_State *L, const char *name, int args, int count)
{
	if (!library_push(L, state_of(L)->worker->library, "host", name))
		luaL_error(L, "lua/host/%s.lua is missing in this build", name);
	lua_insert(L, -args - 1);
	lua_call(L, args, count);
}

static void
seed_random(lua_State *L)
{
	lua_Integer seed[2] = {0, 0};

	/* Forked workers share Lua's idea of a seed: addresses and the second. */
	if (getrandom(seed, sizeof(seed), GRND_NONBLOCK) < 0)
		return;
	lua_getfield(L, -1, "randomseed");
	lua_pushinteger(L, seed[0]);
	lua_pushinteger(L, seed[1]);
	lua_call(L, 2, 0);
}

/* Push the library as only our own code sees it. */
static void
push_opened(lua_State *L, const struct standard *lib)
{
	if (lua_getglobal(L, lib->name) != LUA_TNIL)
		return;
	lua_pop(L, 1);
	luaL_requiref(L, lib->name, lib->open, 1);
	replace(L, lib->with);
	if (lib->open == luaopen_math)
		seed_random(L);
}

/* Push a copy of the named fields of the table on top, and remove that. */
static void
copy_fields(lua_State *L, const char *names)
{
	lua_createtable(L, 0, (int)strlen(names) / 6); /* grows once at most */
	while (*names) {
		size_t len = strcspn(names, " ");

		lua_pushlstring(L, names, len);
		lua_pushvalue(L, -1);
		lua_gettable(L, -4);
		lua_rawset(L, -3);
		names += len + strspn(names + len, " ");
	}
	lua_remove(L, -2);
}

static void
push_standard(lua_State *L, const struct standard *lib)
{
	push_opened(L, lib);
	if (lib->in_lua) {
		run_own(L, lib->in_lua, 0, 1);
		lua_setfield(L, -2, lib->in_lua);
	}
	copy_fields(L, lib->kept);
}

bool
sandbox_push_standard(lua_State *L, const char *name)
{
	for (size_t i = 0; i < STANDARDS; i++)
		if (strcmp(standards[i].name, name) == 0) {
			push_standard(L, &standards[i]);
			return true;
		}
	return false;
}

/* ---- putting it together -------------------------------------------------------------------- */

/* The metatable of strings leads to the listed functions, not to what Lua opened. */
static void
lock_strings(lua_State *L)
{
	lua_pushliteral(L, "");
	lua_getmetatable(L, -1);
	lua_pushvalue(L, -3);
	lua_setfield(L, -2, "__index");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 2);
}

static void
add_own_globals(lua_State *L)
{
	push_opened(L, &standards[TABLE]);
	lua_getfield(L, -1, "unpack");
	lua_setglobal(L, "unpack");
	lua_pop(L, 1);

	run_own(L, "require", 0, 1);
	lua_newtable(L);
	require_add_functions(L);
	lua_call(L, 1, 2);
	lua_pushvalue(L, -1);
	lua_setglobal(L, "loadstring");
	lua_setglobal(L, "load");
	lua_setglobal(L, "require");

	run_own(L, "run", 0, 1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &state_key_run);
}

/* __index of the base environment: a library or a module of ours, opened when its name is first
 * used. */
static int
find_module(lua_State *L)
{
	if (lua_type(L, 2) != LUA_TSTRING)
		return 0;
	return require_push_builtin(L, lua_tostring(L, 2)) ? 1 : 0;
}

void
sandbox_push_base(lua_State *L)
{
	luaL_requiref(L, "_G", luaopen_base, 1);
	replace(L, in_globals);
	lua_pop(L, 1);
	push_opened(L, &standards[STRING]); /* before our own files look for it */
	lua_pop(L, 1);
	add_own_globals(L);

	lua_pushglobaltable(L);
	copy_fields(L, kept_globals);
	push_standard(L, &standards[STRING]); /* "x":upper() names no library */
	lock_strings(L);
	sandbox_freeze(L);
	lua_setfield(L, -2, "string");
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, find_module);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
}
