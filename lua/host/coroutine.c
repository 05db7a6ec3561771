/* coroutine.* as scripts see it.
 *
 * Two kinds of yield travel here.  The script's own go to whoever resumed the coroutine.  A wait,
 * or the end of a time slice (inv->is_passing), is for the scheduler: each resume on the way passes
 * it on by yielding itself, with a continuation that resumes the inner coroutine again.  Plain Lua
 * would hand it to the script as a resume that returned nothing.
 *
 * Where the resumer cannot be yielded across (a resume inside a comparator that C calls),
 * inv->stuck tells the coroutines below that they cannot wait.
 */
#include "lua/host/invocation.h"

static lua_State *
check_coroutine(lua_State *L)
{
	lua_State *co = lua_tothread(L, 1);

	luaL_argexpected(L, co, 1, "coroutine");
	return co;
}

/* ---- resume --------------------------------------------------------------------------------- */

#define RESUME_FAILED (-1) /* the error is on top of L */

static int
take_results(lua_State *L, lua_State *co, int status, int count)
{
	if (status != LUA_OK && status != LUA_YIELD) {
		lua_xmove(co, L, 1);
		limits_rethrow(L, status);
		return RESUME_FAILED;
	}
	if (!lua_checkstack(L, count + 1)) {
		lua_pop(co, count);
		lua_pushliteral(L, "too many results to resume");
		return RESUME_FAILED;
	}
	lua_xmove(co, L, count);
	return count;
}

/* Run co until it yields to the script or ends; k finishes the caller after a wait in between. */
static int
drive(lua_State *L, lua_State *co, int args, lua_KFunction k)
{
	struct state *st = state_of(L);
	struct invocation *inv = st->current;
	bool is_stuck = !lua_isyieldable(L);
	int count, status;

	inv->stuck += is_stuck;
	st->running = co;
	status = lua_resume(co, L, args, &count);
	st->running = L;
	inv->stuck -= is_stuck;
	if (status != LUA_YIELD || !inv->is_passing)
		return take_results(L, co, status, count);
	lua_pop(co, count);
	return lua_yieldk(L, 0, 0, k);
}

static int
start(lua_State *L, lua_State *co, int args, lua_KFunction k)
{
	if (!lua_checkstack(co, args)) {
		lua_pushliteral(L, "too many arguments to resume");
		return RESUME_FAILED;
	}
	lua_xmove(L, co, args);
	return drive(L, co, args, k);
}

static int
finish_resume(lua_State *L, int count)
{
	lua_pushboolean(L, count != RESUME_FAILED);
	if (count == RESUME_FAILED)
		count = 1;
	lua_insert(L, -(count + 1));
	return count + 1;
}

static int
continue_resume(lua_State *L, int status, lua_KContext context)
{
	(void)status;
	(void)context;
	return finish_resume(L, drive(L, lua_tothread(L, 1), 0, continue_resume));
}

static int
co_resume(lua_State *L)
{
	lua_State *co = check_coroutine(L);

	return finish_resume(L, start(L, co, lua_gettop(L) - 1, continue_resume));
}

/* ---- close ---------------------------------------------------------------------------------- */

#define CLOSES_MAX 10 /* within each other */

/* Close the variables of co, which may close another coroutine: Lua does not count these calls, and
 * a long chain of them would take all of the C stack.  Raises, or returns the status and leaves an
 * error on top of co. */
static int
close_variables(lua_State *L, lua_State *co)
{
	struct state *st = state_of(L);
	int status;

	if (st->current->closes == CLOSES_MAX)
		return luaL_error(L, "more than %d coroutines close each other", CLOSES_MAX);
	st->current->closes++;
	st->running = co;
	status = lua_resetthread(co);
	st->running = L;
	st->current->closes--;
	return status;
}

/* ---- wrap ----------------------------------------------------------------------------------- */

static int
finish_wrap(lua_State *L, int count)
{
	lua_State *co = lua_tothread(L, lua_upvalueindex(1));
	int status;

	if (count != RESUME_FAILED)
		return count;
	status = lua_status(co);
	if (status != LUA_OK && status != LUA_YIELD) { /* it failed: close its variables */
		lua_pop(L, 1);
		status = close_variables(L, co);
		lua_xmove(co, L, 1);
		limits_rethrow(L, status);
	}
	if (lua_type(L, -1) == LUA_TSTRING) { /* tell where it was called from, as Lua does */
		luaL_where(L, 1);
		lua_insert(L, -2);
		lua_concat(L, 2);
	}
	return lua_error(L);
}

static int
continue_wrap(lua_State *L, int status, lua_KContext context)
{
	lua_State *co = lua_tothread(L, lua_upvalueindex(1));

	(void)status;
	(void)context;
	return finish_wrap(L, drive(L, co, 0, continue_wrap));
}

static int
call_wrapped(lua_State *L)
{
	lua_State *co = lua_tothread(L, lua_upvalueindex(1));

	return finish_wrap(L, start(L, co, lua_gettop(L), continue_wrap));
}

static int
co_create(lua_State *L)
{
	lua_State *co;

	luaL_checktype(L, 1, LUA_TFUNCTION);
	co = lua_newthread(L);
	limits_arm(co);
	lua_pushvalue(L, 1);
	lua_xmove(L, co, 1);
	return 1;
}

static int
co_wrap(lua_State *L)
{
	co_create(L);
	lua_pushcclosure(L, call_wrapped, 1);
	return 1;
}

/* ---- the rest ------------------------------------------------------------------------------- */

static bool
is_outermost(lua_State *L)
{
	return invocation_of(L)->co == L;
}

static int co_yield (lua_State *L)
{
	if (is_outermost(L))
		return luaL_error(L, "attempt to yield from outside a coroutine");
	return lua_yield(L, lua_gettop(L));
}

static int
co_isyieldable(lua_State *L)
{
	lua_State *co = lua_isthread(L, 1) ? lua_tothread(L, 1) : L;

	lua_pushboolean(L, !is_outermost(co) && lua_isyieldable(co));
	return 1;
}

static int
co_running(lua_State *L)
{
	lua_pushthread(L);
	lua_pushboolean(L, is_outermost(L));
	return 2;
}

static const char *
status_name(lua_State *L, lua_State *co)
{
	lua_Debug ar;

	if (L == co)
		return "running";
	if (lua_status(co) == LUA_YIELD)
		return "suspended";
	if (lua_status(co) != LUA_OK)
		return "dead";
	if (lua_getstack(co, 0, &ar))
		return "normal"; /* it resumed the one that asks */
	return lua_gettop(co) == 0 ? "dead" : "suspended";
}

static int
co_status(lua_State *L)
{
	lua_pushstring(L, status_name(L, check_coroutine(L)));
	return 1;
}

static int
co_close(lua_State *L)
{
	lua_State *co = check_coroutine(L);
	const char *name = status_name(L, co);
	int status;

	if (name[0] != 'd' && name[0] != 's')
		return luaL_error(L, "cannot close a %s coroutine", name);
	status = close_variables(L, co);
	if (status == LUA_OK) {
		lua_pushboolean(L, 1);
		return 1;
	}
	lua_pushboolean(L, 0);
	lua_xmove(co, L, 1);
	limits_rethrow(L, status);
	return 2;
}

int
sandbox_open_coroutine(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"create", co_create},
		{"resume", co_resume},
		{"wrap", co_wrap},
		{"yield", co_yield },
		{"status", co_status},
		{"isyieldable", co_isyieldable},
		{"running", co_running},
		{"close", co_close},
		{NULL, NULL},
	};

	luaL_newlib(L, functions);
	return 1;
}
