/* One invocation: a coroutine of its hook's state, from MSG_RUN to MSG_DONE.
 *
 *	new -> ready <-> running -> (waiting -> ready)* -> ended -> nothing left -> finished
 *
 * Ready invocations stand in one queue and get a slice each; the loop looks at its handles in
 * between.  A waiting one is in no queue: its operation brings it back (await_done), its timer ends
 * it.  Ended means that Lua is through with it; it is finished, and the daemon told, when the
 * processes it started are gone too (contain.c).
 */
#include "lua/host/invocation.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"

#include <assert.h>
#include <string.h>

struct invocation *
invocation_new(struct worker *w, uint32_t id)
{
	struct invocation *inv = NEW(struct invocation);

	*inv = (struct invocation){
		.worker = w,
		.co_ref = LUA_NOREF,
		.env_ref = LUA_NOREF,
		.locals_ref = LUA_NOREF,
		.id = id,
		.started_ns = clock_mono_ns(),
	};
	(void)uv_timer_init(&w->loop, &inv->timer);
	inv->timer.data = inv;
	HASH_ADD(hh, w->runs, id, sizeof(inv->id), inv);
	return inv;
}

#define FILES_LEFT 16 /* may stay open, not closed, until the state collects them by itself */
#define RUN_ARGS   7  /* arguments of lua/host/run.lua */

/* ---- start ---------------------------------------------------------------------------------- */

/* The globals: their own table over the read-only base. */
static void
push_env(lua_State *L)
{
	lua_createtable(L, 0, 4);
	lua_pushvalue(L, -1);
	lua_setfield(L, -2, "_G");
	lua_rawgetp(L, LUA_REGISTRYINDEX, &state_key_env_mt);
	lua_setmetatable(L, -2);
}

static int
set_up_coroutine(lua_State *L)
{
	struct invocation *inv = lua_touserdata(L, 1);

	inv->co = lua_newthread(L);
	inv->co_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	limits_arm(inv->co);

	lua_rawgetp(L, LUA_REGISTRYINDEX, &state_key_run);
	lua_pushboolean(L, inv->is_check);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &state_key_main);
	push_env(L);
	lua_pushvalue(L, -1);
	inv->env_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	event_push(L, inv);
	lua_pushvalue(L, -1);
	lua_setfield(L, -3, "event");
	lua_pushboolean(L, inv->part != RUN_EXECUTE);
	lua_pushboolean(L, inv->part != RUN_CONDITIONS);
	lua_pushlightuserdata(L, (void *)&state_key_filtered);
	lua_xmove(L, inv->co, 1 + RUN_ARGS);
	return 0;
}

/* One that computes meets its count hook in its next slice, which knows the line better. */
static void
on_deadline(uv_timer_t *timer)
{
	struct invocation *inv = timer->data;

	if (!inv->is_started || !inv->is_ready)
		invocation_kill(inv, KILL_TIMEOUT);
}

void
invocation_start(struct invocation *inv)
{
	struct state *st = inv->state;
	lua_State *L = st->L;
	int status;

	if (inv->timeout_ms) {
		inv->deadline_ns = inv->started_ns + (int64_t)inv->timeout_ms * NS_PER_MS;
		uv_update_time(&inv->worker->loop);
		(void)uv_timer_start(&inv->timer, on_deadline, inv->timeout_ms, 0);
	}
	lua_pushcfunction(L, set_up_coroutine);
	lua_pushlightuserdata(L, inv);
	st->current = inv;
	status = lua_pcall(L, 1, 0, 0);
	if (status != LUA_OK)
		limits_note_memory(L, inv, status);
	st->current = NULL;
	json_decref(TAKE(inv->data)); /* Lua has it now, and may wait for hours */
	if (status == LUA_OK) {
		invocation_ready(inv);
		return;
	}
	if (inv->kill)
		results_take_kill(inv);
	else
		inv->error = mem_strdup(lua_tostring(L, -1));
	lua_settop(L, 0);
	invocation_end(inv);
}

void
invocation_ready(struct invocation *inv)
{
	struct worker *w = inv->worker;

	assert(!inv->is_ready && !inv->is_ended);
	if (TAILQ_EMPTY(&w->ready))
		(void)uv_idle_start(&w->turn, invocation_turn);
	inv->is_ready = true;
	TAILQ_INSERT_TAIL(&w->ready, inv, link);
}

static void
leave_queue(struct invocation *inv)
{
	struct worker *w = inv->worker;

	if (!inv->is_ready)
		return;
	inv->is_ready = false;
	TAILQ_REMOVE(&w->ready, inv, link);
	if (TAILQ_EMPTY(&w->ready))
		(void)uv_idle_stop(&w->turn);
}

void
host_push_locals(lua_State *L, const char *name)
{
	struct invocation *inv = invocation_of(L);

	if (inv->locals_ref == LUA_NOREF) {
		lua_newtable(L);
		inv->locals_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	}
	lua_rawgeti(L, LUA_REGISTRYINDEX, inv->locals_ref);
	(void)luaL_getsubtable(L, -1, name);
	lua_remove(L, -2);
}

/* ---- run ------------------------------------------------------------------------------------ */

/* Short runs begin and end in one turn of the loop, and one write tells of all of them. */
static void
say_started(struct invocation *inv)
{
	struct worker *w = inv->worker;
	size_t mark;

	if (inv->is_check)
		return;
	mark = frame_begin(link_out(w), MSG_STARTED, inv->id);
	frame_u64(link_out(w), (uint64_t)clock_real_ns());
	frame_end(link_out(w), mark);
	link_flush(w);
}

/* The page outlives us, however we end. */
void
host_touch(lua_State *L)
{
	const struct invocation *inv = invocation_of(L);
	struct worker_page *page = inv ? inv->worker->page : NULL;

	if (page && !inv->is_check)
		page->touched[inv->id % RUN_PLACES] = inv->id;
}

static int
resume(struct invocation *inv, int *ret_count)
{
	struct state *st = inv->state;
	struct worker_page *page = inv->worker->page;
	int status, args = 0;

	if (!inv->is_started) {
		inv->is_started = true;
		inv->started_ns = clock_mono_ns();
		args = RUN_ARGS;
		say_started(inv);
	}
	inv->resumed = TAKE(inv->waiting);
	inv->is_passing = false;
	inv->stuck = 0;
	inv->slice_end_ns = clock_mono_ns() + SLICE_NS;
	st->current = inv;
	st->running = inv->co;
	if (page)
		page->running = inv->id;
	status = lua_resume(inv->co, NULL, args, ret_count);
	if (page)
		page->running = 0;
	st->running = NULL;
	if (inv->resumed)
		await_release(TAKE(inv->resumed));
	return status;
}

static void
run_slice(struct invocation *inv)
{
	int count, status = resume(inv, &count);

	if (status == LUA_YIELD) {
		inv->state->current = NULL;
		lua_pop(inv->co, count);
		if (!inv->waiting || inv->waiting->is_done)
			invocation_ready(inv);
		return;
	}
	if (status != LUA_OK)
		limits_note_memory(inv->co, inv, status);
	results_take(inv, status, count);
	inv->state->current = NULL;
	invocation_end(inv);
}

void
invocation_turn(uv_idle_t *handle)
{
	struct worker *w = handle->data;
	int64_t end = clock_mono_ns() + TURN_NS;
	struct invocation *inv;

	while ((inv = TAILQ_FIRST(&w->ready)) != NULL) {
		leave_queue(inv);
		run_slice(inv);
		if (clock_mono_ns() >= end)
			break;
	}
}

/* ---- end ------------------------------------------------------------------------------------ */

void
invocation_kill(struct invocation *inv, enum kill kill)
{
	struct state *st = inv->state;

	if (inv->is_ended)
		return;
	leave_queue(inv);
	st->current = inv;
	if (!inv->kill) {
		inv->kill = kill;
		if (inv->is_started)
			limits_keep_trace(inv->co, inv);
	}
	results_take_kill(inv);
	st->current = NULL;
	invocation_end(inv);
}

/* Close what the script left to be closed (<close> variables).  A coroutine that was ended from
 * inside a count hook cannot be closed: its hooks are off for good, and a handler that loops would
 * never end.  The collector takes what it held. */
static void
close_coroutine(struct invocation *inv)
{
	struct state *st = inv->state;

	if (inv->kill && lua_status(inv->co) != LUA_YIELD)
		return;
	st->current = inv;
	st->running = inv->co;
	if (inv->kill)
		limits_hurry(inv->co);
	(void)lua_resetthread(inv->co); /* errors of __close change nothing any more */
	st->running = NULL;
	st->current = NULL;
}

static void
release_lua(struct invocation *inv)
{
	lua_State *L = inv->state->L;

	if (inv->co)
		close_coroutine(inv);
	luaL_unref(L, LUA_REGISTRYINDEX, inv->co_ref);
	luaL_unref(L, LUA_REGISTRYINDEX, inv->env_ref);
	luaL_unref(L, LUA_REGISTRYINDEX, inv->locals_ref);
	inv->co = NULL;
	if ((inv->kill || inv->state->open_files > FILES_LEFT) && !inv->state->is_full)
		(void)lua_gc(L, LUA_GCCOLLECT); /* files it had open, above all */
}

void
invocation_end(struct invocation *inv)
{
	assert(!inv->is_ended);
	if (inv->waiting)
		await_cancel(TAKE(inv->waiting));
	if (inv->state) {
		release_lua(inv);
		worker_release_state(inv->worker, TAKE(inv->state));
	}
	inv->is_ended = true;
	(void)uv_timer_stop(&inv->timer);
	contain_end(inv);
}

static void
send_result(struct invocation *inv)
{
	struct sbuf *out = link_out(inv->worker);
	size_t mark = frame_begin(out, inv->meta ? MSG_META : MSG_DONE, inv->id);

	if (inv->meta) {
		frame_strz(out, inv->meta);
	} else {
		frame_u32(out, inv->result);
		frame_strz(out, inv->message);
		frame_strz(out, inv->error);
		frame_str(out, sbuf_str(&inv->output), inv->output.len);
		frame_u64(out, (uint64_t)(clock_mono_ns() - inv->started_ns));
		frame_u64(out, inv->dropped_bytes);
	}
	frame_end(out, mark);
	link_flush(inv->worker);
}

static void
on_timer_closed(uv_handle_t *handle)
{
	struct invocation *inv = handle->data;

	json_decref(inv->data);
	sbuf_fini(&inv->output);
	sbuf_fini(&inv->errors);
	free(inv->strings);
	free(inv->path);
	free(inv->kill_trace);
	free(inv->message);
	free(inv->error);
	free(inv->meta);
	free(inv);
}

/* What is wrong with a script begins with its path. */
static void
name_script(struct invocation *inv)
{
	char *error = inv->error;

	if (!inv->path || !error || strncmp(error, inv->path, strlen(inv->path)) == 0)
		return;
	inv->error = mem_printf("%s: %s", inv->path, error);
	free(error);
}

void
invocation_finish(struct invocation *inv)
{
	struct worker *w = inv->worker;

	HASH_DEL(w->runs, inv);
	name_script(inv);
	if (w->report)
		w->report(w->report_arg, inv->meta, inv->error);
	else
		send_result(inv);
	uv_close((uv_handle_t *)&inv->timer, on_timer_closed);
}

void
invocation_fail(struct invocation *inv, const char *error)
{
	inv->result = RUN_FAILED;
	inv->error = mem_strdup(error);
	invocation_end(inv);
}
