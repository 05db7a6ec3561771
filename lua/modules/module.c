/* What the modules share: buffers that Lua owns, failures as nil and a sentence, options, and work
 * on libuv's pool.  See module.h. */
#include "lua/modules/module.h"

#include <string.h>

#define SBUF_META "sloth.sbuf"
#define JSON_META "sloth.json"

static int
sbuf_gc(lua_State *L)
{
	sbuf_fini(lua_touserdata(L, 1));
	return 0;
}

struct sbuf *
module_sbuf(lua_State *L)
{
	struct sbuf *b = lua_newuserdatauv(L, sizeof(*b), 0);

	*b = (struct sbuf){0};
	if (host_new_metatable(L, SBUF_META)) {
		lua_pushcfunction(L, sbuf_gc);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
	return b;
}

static int
json_gc(lua_State *L)
{
	json_decref(*(json_t **)lua_touserdata(L, 1));
	return 0;
}

/* The parsed tree belongs to a userdata until the end, since pushing it may raise. */
bool
module_push_json(
	lua_State *L, const char *text, size_t len, bool keep_null, json_error_t *ret_problem)
{
	json_t **root = lua_newuserdatauv(L, sizeof(*root), 0);

	*root = NULL;
	if (host_new_metatable(L, JSON_META)) {
		lua_pushcfunction(L, json_gc);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
	*root = json_lua_parse(L, text, len, ret_problem);
	if (!*root) {
		host_tick(L);
		lua_pop(L, 1);
		return false;
	}
	json_lua_push(L, *root, keep_null);
	lua_remove(L, -2);
	return true;
}

int
module_fail(lua_State *L, const char *what, const char *path, int code)
{
	char reason[128];

	lua_pushnil(L);
	lua_pushfstring(L, "%s '%s': %s", what, path,
		strerror_r(code < 0 ? -code : code, reason, sizeof(reason)));
	return 2;
}

const char *
module_opt_str(lua_State *L, int idx, const char *field)
{
	const char *s = NULL;

	if (lua_isnoneornil(L, idx))
		return NULL;
	luaL_checktype(L, idx, LUA_TTABLE);
	lua_getfield(L, idx, field);
	if (!lua_isnil(L, -1)) {
		s = lua_tostring(L, -1);
		if (!s)
			luaL_error(L, "'%s' must be a string, it is a %s", field,
				luaL_typename(L, -1));
	}
	lua_pop(L, 1); /* the table still holds it */
	return s;
}

void
module_add_value(lua_State *L, struct sbuf *out, int idx)
{
	size_t len;
	const char *s = luaL_tolstring(L, idx, &len);

	sbuf_add(out, s, len);
	lua_pop(L, 1);
}

/* ---- work on the pool ------------------------------------------------------------------------ */

static int
work_results(lua_State *L, struct await *await)
{
	struct work *work = (struct work *)await;

	return work->results(L, work);
}

/* What has begun on the pool cannot be called back; its end is only waited for. */
static void
work_cancel(struct await *await)
{
	(void)uv_cancel((uv_req_t *)&((struct work *)await)->req);
}

static void
work_fini(struct await *await)
{
	struct work *work = (struct work *)await;

	if (work->fini)
		work->fini(work);
}

static const struct await_ops work_ops = {
	.name = "file",
	.results = work_results,
	.cancel = work_cancel,
	.fini = work_fini,
};

void *
work_begin(lua_State *L, size_t size)
{
	void *work;

	if (!host_is_check(L))
		return await_begin(L, size, &work_ops);
	work = lua_newuserdatauv(L, size, 0);
	memset(work, 0, size);
	return work;
}

static void
on_work(uv_work_t *req)
{
	struct work *work = req->data;
	int place = hand_begin(&work->hand);

	work->run(work);
	hand_end(&work->hand, place);
}

static void
on_work_done(uv_work_t *req, int status)
{
	struct work *work = req->data;

	(void)status; /* cancelled before it began: nobody waits for it */
	await_done(&work->await);
}

int
work_wait(lua_State *L, struct work *work)
{
	int results;

	if (host_is_check(L)) {
		work->run(work);
		results = work->results(L, work);
		work_fini(&work->await);
		return results;
	}
	work->req.data = work;
	work->hand = hand_of(L);
	if (uv_queue_work(host_loop(L), &work->req, on_work, on_work_done) != 0) {
		await_abandon(&work->await);
		return luaL_error(L, "no thread for file work");
	}
	return await_yield(L, &work->await);
}
