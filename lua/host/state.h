/* A lua_State and what scripts find in it.
 *
 * The struct stands in the state's extra space, which every coroutine copies: state_of() works
 * anywhere in Lua.
 */
#ifndef SLOTH_LUA_STATE_H
#define SLOTH_LUA_STATE_H

#include "lua/host/worker.h"

#define MEMORY_DEFAULT    (64u * 1024 * 1024)
#define HURRY_BYTES       (4u * 1024 * 1024) /* allocated between two looks at the clock */
#define HOST_ELEMENTS_MAX (1 << 24)          /* elements one table function may go through */

/* ---- state.c: one lua_State ----------------------------------------------------------------- */

struct state {
	lua_State *L;
	struct worker *worker;
	struct script *script;
	size_t used_bytes, cap_bytes;
	bool is_refused;      /* an allocation was refused, perhaps to no harm */
	bool is_full;         /* an invocation ended for it: no new ones here */
	uint64_t fresh_bytes; /* allocated since the clock was looked at */
	size_t largest_bytes; /* of what was allocated at once */
	lua_State *running;   /* the innermost coroutine that runs */
	unsigned refs;        /* invocations */
	unsigned open_files;  /* of the io library */
	struct invocation *current;
	TAILQ_ENTRY(state) link; /* in worker->idle */
};
/* Make a state with the sandbox and the script compiled.  Returns owned; -EINVAL with "path:line:
 * message" when the script does not parse, -ENOMEM. */
int state_new(
	struct worker *w, struct script *s, struct state **ret_state, struct err *err) MUST_USE;
void state_free(struct state *st); /* accepts NULL */

/* The caller's state and running invocation. */
static inline struct state *
state_of(lua_State *L)
{
	return *(struct state **)lua_getextraspace(L);
}
static inline struct invocation *
invocation_of(lua_State *L)
{
	return state_of(L)->current;
}

/* Registry keys (their addresses). */
extern const char state_key_main;   /* the script's main function */
extern const char state_key_run;    /* lua/host/run.lua: calls it and its handler */
extern const char state_key_base;   /* the base environment */
extern const char state_key_env_mt; /* the metatable of every invocation's globals */
extern const char state_key_libs;   /* compiled lib/ modules by path */
/* Its address is what run.lua returns first when a filter did not let the event pass. */
extern const char state_key_filtered;

/* Compile text as a function of its own environment, function(_ENV, ...), and push it; or push a
 * message and return the status.  Line numbers stay true; #! and BOM are skipped; binary chunks are
 * refused. */
int state_compile(lua_State *L, const char *source, size_t len, const char *chunk_name);
/* Whether text is parsed in a time that its length bounds; STATE_JUMPS_TEXT says what it is when
 * not. */
bool state_may_parse(const char *text, size_t len);
#define STATE_JUMPS_TEXT "more than 8192 times goto or break in one text"

/* ---- freeze.c: what no invocation changes ---------------------------------------------------- */

/* Replace the table on top by a read-only view of it, recursively.  May raise. */
void sandbox_freeze(lua_State *L);
/* Whether the value at idx is such a view. */
bool sandbox_is_frozen(lua_State *L, int idx);
/* Raise that the key at 2 cannot be set. */
int sandbox_refuse_write(lua_State *L);

/* ---- sandbox: what scripts find (sandbox.c, coroutine.c, require.c) -------------------------- */

/* Push the base environment, which finds the standard libraries and ours.  May raise. */
void sandbox_push_base(lua_State *L);
/* Push a table of what scripts find of Lua's own library of that name, opened now.  Returns false,
 * and pushes nothing, when there is none. */
bool sandbox_push_standard(lua_State *L, const char *name);
/* Openers of our libraries, as luaL_requiref wants them.  May raise. */
int sandbox_open_coroutine(lua_State *L);
int sandbox_open_io(lua_State *L);
int sandbox_open_os(lua_State *L);
/* As in the table library, but they look at the clock (table.c). */
int table_concat(lua_State *L);
int table_insert(lua_State *L);
int table_move(lua_State *L);
int table_remove(lua_State *L);
int table_unpack(lua_State *L);
/* string.find, match, gmatch and gsub (pattern.c): as Lua's, but they can be ended, and take turns
 * with others.  gsub's function may wait. */
int pattern_find(lua_State *L);
int pattern_match(lua_State *L);
int pattern_gmatch(lua_State *L);
int pattern_gsub(lua_State *L);
/* Push the module of that name (opened when it is not yet); false, pushing nothing: unknown. */
bool require_push_builtin(lua_State *L, const char *name);
void require_add_functions(lua_State *L); /* helpers of lua/host/require.lua to the table on top */

#endif
