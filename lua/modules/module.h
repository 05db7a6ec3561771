/* What the modules share.  Every function here may raise. */
#ifndef SLOTH_LUA_MODULE_H
#define SLOTH_LUA_MODULE_H

#include "base/sbuf.h"
#include "lua/host/hands.h"
#include "lua/host/host.h"

/* A buffer that Lua owns: pushed as a userdata, released when it is collected, so that a raise
 * between filling it and using it leaks nothing. */
struct sbuf *module_sbuf(lua_State *L);

/* Push the value of a JSON text.  Returns false, with nothing pushed, when it is not JSON. */
bool module_push_json(
	lua_State *L, const char *text, size_t len, bool keep_null, json_error_t *ret_problem);

/* Push nil and "what 'path': reason" for a negative errno.  Returns 2. */
int module_fail(lua_State *L, const char *what, const char *path, int code);

/* The optional field of the options table at idx (nil: no options).  Borrowed while the table holds
 * it.  Raises when the field has another type. */
const char *module_opt_str(lua_State *L, int idx, const char *field);

/* Append the value at idx as text, as print shows it. */
void module_add_value(lua_State *L, struct sbuf *out, int idx);

/* Work that blocks (files may be on a network, or nodes of our own mount that wait): it runs on
 * libuv's pool and the coroutine waits.  While a script is only being checked it runs at once,
 * since a check cannot wait. */
struct work {
	struct await await;             /* first */
	uv_work_t req;                  /* the helper's */
	struct hand hand;               /* whose work it is */
	void (*run)(struct work *work); /* pool thread; no Lua */
	int (*results)(
		lua_State *L, struct work *work); /* push results, return their number; may raise */
	void (*fini)(struct work *work);          /* release what it holds; may be NULL */
};

/* size bytes, zeroed, starting with a struct work.  After it the caller fills it without raising
 * and returns work_wait(). */
void *work_begin(lua_State *L, size_t size);
int work_wait(lua_State *L, struct work *work);

/* The modules of C: one file each. */
int module_json(lua_State *L);
int module_log(lua_State *L);
int module_slog(lua_State *L);
int module_env(lua_State *L);
int module_exec(lua_State *L);
int module_event(lua_State *L);
int module_time(lua_State *L);
int module_sleep(lua_State *L);
int module_state(lua_State *L);
int module_file(lua_State *L);
int module_file_ops(lua_State *L);
int module_http(lua_State *L);
int module_contains(lua_State *L);

#endif
