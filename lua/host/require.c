/* Modules: ours, opened on first use and frozen; and those of lib/, compiled on first use and kept
 * per state until their file changes.  The part that calls them is lua/host/require.lua.
 */
#include "base/auto.h"
#include "lua/host/invocation.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define LIB_BYTES_MAX (4 * 1024 * 1024)
#define PIECE_BYTES   1024 /* of a text that load() parses */

/* ---- ours ----------------------------------------------------------------------------------- */

static bool
push_new_builtin(lua_State *L, const char *name)
{
	if (sandbox_push_standard(L, name))
		return true;
	for (const struct host_module *m = host_modules; m->name; m++) {
		if (strcmp(m->name, name) == 0) {
			lua_pushcfunction(L, m->open);
			lua_pushstring(L, name);
			lua_call(L, 1, 1);
			return true;
		}
	}
	if (!library_push(L, state_of(L)->worker->library, "sloth", name))
		return false;
	lua_pushstring(L, name);
	lua_call(L, 1, 1);
	return true;
}

bool
require_push_builtin(lua_State *L, const char *name)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &state_key_base);
	lua_pushstring(L, name);
	if (lua_rawget(L, -2) == LUA_TTABLE) {
		lua_remove(L, -2);
		return true;
	}
	lua_pop(L, 1);
	if (!push_new_builtin(L, name)) {
		lua_pop(L, 1);
		return false;
	}
	if (lua_istable(L, -1))
		sandbox_freeze(L);
	lua_pushvalue(L, -1);
	lua_setfield(L, -3, name);
	lua_remove(L, -2);
	return true;
}

static int
builtin(lua_State *L)
{
	return require_push_builtin(L, luaL_checkstring(L, 1)) ? 1 : 0;
}

/* ---- lib/ ----------------------------------------------------------------------------------- */

/* Returns owned text, or NULL (not there, not a regular file, too large). */
static char *
read_file(const char *path, struct stat *ret_st)
{
	AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text;
	ssize_t n;

	if (fd < 0 || fstat(fd, ret_st) < 0 || !S_ISREG(ret_st->st_mode) ||
		ret_st->st_size > LIB_BYTES_MAX)
		return NULL;
	text = malloc((size_t)ret_st->st_size + 1);
	n = text ? pread(fd, text, (size_t)ret_st->st_size, 0) : -1;
	if (n < 0) {
		free(text);
		return NULL;
	}
	ret_st->st_size = n;
	return text;
}

/* "path inode size mtime": the key under which the compiled function is kept. */
static void
push_stamp(lua_State *L, const char *path, const struct stat *st)
{
	char stamp[96];

	(void)snprintf(stamp, sizeof(stamp), " %llu %lld %lld.%09ld",
		(unsigned long long)st->st_ino, (long long)st->st_size,
		(long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	lua_pushfstring(L, "%s%s", path, stamp);
}

/* The rule of cron, as for hooks: who may write what this user would run is the user or root. Asked
 * when a file is compiled: one that is changed is compiled anew.  Raises. */
static void
check_rights(lua_State *L, const struct stat *st, const char *shown, const char *what)
{
	bool is_foreign = st->st_uid != 0 && st->st_uid != getuid();

	if (st->st_mode & (S_IWGRP | S_IWOTH))
		lua_pushfstring(L,
			"%s: others may write %s, and this hook would run it: chmod go-w %s", shown,
			what, what);
	else if (is_foreign)
		lua_pushfstring(L,
			"%s: uid %d owns %s, and this hook would run it as uid %d: chown %s", shown,
			(int)st->st_uid, what, (int)getuid(), what);
	else
		return;
	lua_error(L); /* not luaL_error, which would name a line of ours */
}

/* The directories of path, up to that of lib/, which is dir_len long. */
static void
check_dirs(lua_State *L, const char *path, size_t dir_len, const char *shown)
{
	const char *dir = path;
	int top = lua_gettop(L);
	struct stat st;

	for (const char *end = strrchr(dir, '/'); end && (size_t)(end - dir) >= dir_len;
		end = strrchr(dir, '/')) {
		dir = lua_pushlstring(L, dir, (size_t)(end - dir));
		if (stat(dir, &st) == 0)
			check_rights(L, &st, shown, "its directory");
	}
	lua_settop(L, top);
}

/* Push the compiled function of path.  Returns false, pushing nothing, when there is no such file;
 * raises when it does not parse.  shown is what tracebacks call it. */
static bool
push_lib(lua_State *L, const char *path, size_t dir_len, const char *shown)
{
	int top = lua_gettop(L), status;
	struct stat st;
	char *text;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	lua_rawgetp(L, LUA_REGISTRYINDEX, &state_key_libs);
	push_stamp(L, path, &st);
	lua_pushvalue(L, -1);
	if (lua_rawget(L, top + 1) != LUA_TFUNCTION) {
		lua_pop(L, 1);
		check_rights(L, &st, shown, "it");
		check_dirs(L, path, dir_len, shown);
		lua_pushfstring(L, "@%s", shown);
		text = read_file(path, &st);
		if (!text) {
			lua_settop(L, top);
			return false;
		}
		status = state_compile(L, text, (size_t)st.st_size, lua_tostring(L, -1));
		free(text);
		if (status != LUA_OK) {
			limits_rethrow(L, status);
			lua_error(L);
		}
		lua_pushvalue(L, top + 2);
		lua_pushvalue(L, -2);
		lua_rawset(L, top + 1);
	}
	lua_replace(L, top + 1);
	lua_settop(L, top + 1);
	return true;
}

static bool
is_good_name(const char *name)
{
	return name[0] && name[0] != '.' && !strchr(name, '/') && !strstr(name, "..");
}

static bool
push_from_dir(lua_State *L, const char *dir, size_t dir_len, const char *file)
{
	static const char *const forms[] = {"%s/%s.lua", "%s/%s/init.lua"};

	lua_pushlstring(L, dir, dir_len);
	for (size_t i = 0; i < 2; i++) {
		const char *path = lua_pushfstring(L, forms[i], lua_tostring(L, -1), file);
		const char *shown = lua_pushfstring(L, i ? "lib/%s/init.lua" : "lib/%s.lua", file);

		if (push_lib(L, path, dir_len, shown)) {
			lua_pushvalue(L, -2);
			return true;
		}
		lua_pop(L, 2);
	}
	lua_pop(L, 1);
	return false;
}

/* find_lib(name) -> main, path | nil, message */
static int
find_lib(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1), *dir = state_of(L)->script->lib_dirs;
	const char *file;

	file = is_good_name(name) ? luaL_gsub(L, name, ".", "/") : NULL;
	while (file && *dir) {
		size_t len = strcspn(dir, "\n");

		if (len > 0 && push_from_dir(L, dir, len, file))
			return 2;
		dir += len + (dir[len] == '\n');
	}
	lua_pushnil(L);
	lua_pushfstring(L, "module '%s' not found: no module of this name, and no lib/%s.lua", name,
		file ? file : name);
	return 2;
}

/* ---- what require.lua needs of the invocation ----------------------------------------------- */

static int
globals(lua_State *L)
{
	lua_rawgeti(L, LUA_REGISTRYINDEX, invocation_of(L)->env_ref);
	return 1;
}

static int
loaded(lua_State *L)
{
	host_push_locals(L, "loaded");
	return 1;
}

/* What is left of a text that is being parsed. */
struct rest {
	const char *at;
	size_t len;
};

/* In small pieces: parsing looks at the clock in between. */
static const char *
read_piece(lua_State *L, void *arg, size_t *ret_len)
{
	struct rest *rest = arg;
	const char *piece = rest->at;

	*ret_len = rest->len < PIECE_BYTES ? rest->len : PIECE_BYTES;
	rest->at += *ret_len;
	rest->len -= *ret_len;
	host_tick(L);
	return piece;
}

/* load_text(text, name, env) -> function | nil, message */
static int
load_text(lua_State *L)
{
	struct rest rest;
	int status;

	rest.at = luaL_checklstring(L, 1, &rest.len);
	if (!state_may_parse(rest.at, rest.len)) {
		lua_pushnil(L);
		lua_pushliteral(L, STATE_JUMPS_TEXT);
		return 2;
	}
	status = lua_load(L, read_piece, &rest, luaL_checkstring(L, 2), "t");

	if (status != LUA_OK) {
		limits_rethrow(L, status);
		lua_pushnil(L);
		lua_insert(L, -2);
		return 2;
	}
	lua_pushvalue(L, 3);
	lua_setupvalue(L, -2, 1);
	return 1;
}

void
require_add_functions(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"builtin", builtin},
		{"find_lib", find_lib},
		{"globals", globals},
		{"loaded", loaded},
		{"load_text", load_text},
		{NULL, NULL},
	};

	luaL_setfuncs(L, functions, 0);
}
