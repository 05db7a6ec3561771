/* Deadlines, time slices and the memory cap, as the running script meets them.
 *
 * A count hook looks at the clock every HOOK_COUNT instructions.  At the end of a slice it yields
 * to the scheduler, where that is possible; past the deadline it raises, and from then on
 * everything that catches errors (our pcall, xpcall, coroutine functions) raises again, so that
 * nothing in the script can hold on.  Hooks are inherited by new coroutines.  A script that
 * allocates much in few instructions is looked at sooner: the allocator asks for it (state.c).
 *
 * What this cannot end is one long call of a C function.  Those that can be long look at the clock
 * themselves (host_tick, limits_slice_is_over); for the rest the daemon kills the process.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "lua/host/invocation.h"

#include <string.h>

static const char sentinel; /* its address is the error that ends an invocation */

static void on_count(lua_State *L, lua_Debug *ar);

/* One instruction may go through a whole text (a comparison, utf8.len): where there are long ones,
 * fewer instructions pass between two looks. */
static int
hook_count(lua_State *L)
{
	size_t larger = state_of(L)->largest_bytes / LARGE_BYTES;

	return larger < HOOK_COUNT / HOOK_COUNT_MIN ? HOOK_COUNT / (int)(larger + 1)
						    : HOOK_COUNT_MIN;
}

void
limits_arm(lua_State *L)
{
	lua_sethook(L, on_count, LUA_MASKCOUNT, hook_count(L));
}

void
limits_hurry(lua_State *L)
{
	lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
}

static int
raise_end(lua_State *L)
{
	limits_hurry(L); /* handlers of __close on the way out get one instruction */
	lua_pushlightuserdata(L, (void *)&sentinel);
	return lua_error(L);
}

static int
push_trace(lua_State *L)
{
	luaL_traceback(L, lua_touserdata(L, 1), NULL, 0);
	return 1;
}

void
limits_keep_trace(lua_State *L, struct invocation *inv)
{
	lua_State *main = inv->state->L;

	if (inv->kill_trace)
		return;
	lua_pushcfunction(main, push_trace);
	lua_pushlightuserdata(main, L);
	if (lua_pcall(main, 1, 1, 0) == LUA_OK)
		inv->kill_trace = mem_strdup(lua_tostring(main, -1));
	lua_pop(main, 1);
}

static bool
is_late(const struct invocation *inv, int64_t now)
{
	return inv->deadline_ns != 0 && now >= inv->deadline_ns;
}

static void
check_deadline(lua_State *L, struct invocation *inv, int64_t now)
{
	if (!inv->kill && !is_late(inv, now))
		return;
	if (!inv->kill) {
		inv->kill = KILL_TIMEOUT;
		limits_keep_trace(L, inv);
	}
	raise_end(L);
}

static void
on_count(lua_State *L, lua_Debug *ar)
{
	struct invocation *inv = invocation_of(L);
	int64_t now = clock_mono_ns();

	(void)ar;
	if (!inv)
		return; /* the state is being set up */
	check_deadline(L, inv, now);
	state_of(L)->fresh_bytes = 0;
	if (lua_gethookcount(L) != hook_count(L))
		limits_arm(L); /* it was hurried, or there are larger texts */
	if (now < inv->slice_end_ns || !limits_can_yield(L))
		return;
	inv->is_passing = true;
	lua_yield(L, 0); /* from a hook this returns, and the yield happens after us */
}

void
host_tick(lua_State *L)
{
	struct invocation *inv = invocation_of(L);

	if (inv)
		check_deadline(L, inv, clock_mono_ns());
}

bool
host_is_late(lua_State *L)
{
	const struct invocation *inv = invocation_of(L);

	return inv && (inv->kill || is_late(inv, clock_mono_ns()));
}

bool
limits_slice_is_over(lua_State *L)
{
	struct invocation *inv = invocation_of(L);
	int64_t now;

	if (!inv)
		return false;
	now = clock_mono_ns();
	check_deadline(L, inv, now);
	return now >= inv->slice_end_ns && limits_can_yield(L);
}

int
limits_pass(lua_State *L, lua_KContext context, lua_KFunction k)
{
	invocation_of(L)->is_passing = true;
	return lua_yieldk(L, 0, context, k);
}

bool
limits_can_yield(lua_State *L)
{
	const struct invocation *inv = invocation_of(L);

	return inv && inv->stuck == 0 && lua_isyieldable(L);
}

/* A refused allocation is LUA_ERRMEM from Lua's core, but a plain error from the string buffers of
 * its libraries. */
static bool
is_out_of_memory(lua_State *L, int status)
{
	const char *text;

	if (status == LUA_ERRMEM)
		return true;
	text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
	return state_of(L)->is_refused && strstr(text, "not enough memory");
}

void
limits_note_memory(lua_State *L, struct invocation *inv, int status)
{
	if (inv->kill || !is_out_of_memory(L, status))
		return;
	inv->kill = KILL_MEMORY;
	state_of(L)->is_full = true;
}

void
limits_rethrow(lua_State *L, int status)
{
	struct invocation *inv = invocation_of(L);

	if (!inv)
		return;
	limits_note_memory(L, inv, status);
	if (inv->kill)
		raise_end(L);
}
