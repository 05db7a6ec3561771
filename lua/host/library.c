/* The Lua files built into the worker, compiled once.
 *
 * The zygote compiles them before it forks, so that every worker shares the pages and a new state
 * only undumps what it uses (parsing again would cost ten times as much).  Bytecode is loaded here
 * and nowhere else: what scripts and lib/ hold is text, because a crafted binary chunk can do
 * anything.
 */
#include "base/embed.h"
#include "base/mem.h"
#include "lua/host/worker.h"

#include <string.h>

struct compiled {
	const char *path; /* "lua/host/sort.lua" */
	struct sbuf code;
};

struct library {
	struct compiled *files;
	size_t count;
};

static int
add_code(lua_State *L, const void *data, size_t len, void *arg)
{
	(void)L;
	sbuf_add(arg, data, len);
	return 0;
}

static int
compile(lua_State *L, const struct embedded_file *file, struct compiled *ret, struct err *err)
{
	char name[128];

	(void)snprintf(name, sizeof(name), "=%s", file->path);
	if (luaL_loadbufferx(L, file->data, file->len, name, "t") != LUA_OK)
		return err_set(err, EINVAL, "%s", lua_tostring(L, -1));
	ret->path = file->path;
	(void)lua_dump(L, add_code, &ret->code, 0); /* add_code cannot fail */
	lua_pop(L, 1);
	return 0;
}

int
library_new(struct library **ret_library, struct err *err)
{
	struct library *lib = NEW(struct library);
	lua_State *L = luaL_newstate();
	int r = L ? 0 : err_set(err, ENOMEM, "no memory for a Lua state");
	size_t n = 0;

	while (embedded_lua_sources[n].path)
		n++;
	lib->files = NEW_N(struct compiled, n + 1);
	for (; r == 0 && lib->count < n; lib->count++)
		r = compile(L, &embedded_lua_sources[lib->count], &lib->files[lib->count], err);
	if (L)
		lua_close(L);
	if (r < 0) {
		library_free(lib);
		return r;
	}
	*ret_library = lib;
	return 0;
}

void
library_free(struct library *lib)
{
	if (!lib)
		return;
	for (size_t i = 0; i < lib->count; i++)
		sbuf_fini(&lib->files[i].code);
	free(lib->files);
	free(lib);
}

/* Whether path is lua/FOLDER/NAME.lua: asked for each global that a script has not, too. */
static bool
is_file(const char *path, const char *folder, const char *name)
{
	const char *const parts[] = {"lua/", folder, "/", name, ".lua"};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		size_t len = strlen(parts[i]);

		if (strncmp(path, parts[i], len) != 0)
			return false;
		path += len;
	}
	return !*path;
}

bool
library_push(lua_State *L, struct library *lib, const char *folder, const char *name)
{
	for (size_t i = 0; i < lib->count; i++) {
		const struct compiled *c = &lib->files[i];

		if (!is_file(c->path, folder, name))
			continue;
		if (luaL_loadbufferx(L, c->code.data, c->code.len, c->path, "b") != LUA_OK)
			lua_error(L); /* memory: nothing else can be wrong with our own code */
		return true;
	}
	return false;
}
