/* sleep and contains: functions that scripts call without a module's name, declared in doc/. */
#include "base/units.h"
#include "lua/modules/sleep.h"

#define SLEEP_MAX_S (366.0 * 24 * 3600)

struct nap {
	struct await await; /* first */
	uv_timer_t timer;
};

static void
on_closed(uv_handle_t *handle)
{
	await_done(handle->data);
}

static void
nap_end(struct await *await)
{
	struct nap *nap = (struct nap *)await;

	if (!uv_is_closing((uv_handle_t *)&nap->timer))
		uv_close((uv_handle_t *)&nap->timer, on_closed);
}

static void
on_timer(uv_timer_t *timer)
{
	nap_end(timer->data);
}

static int
nap_results(lua_State *L, struct await *await)
{
	(void)L;
	(void)await;
	return 0;
}

static const struct await_ops nap_ops = {
	.name = "sleep",
	.results = nap_results,
	.cancel = nap_end,
};

static uint64_t
check_ms(lua_State *L)
{
	struct err err = {0};
	int64_t ns;

	if (lua_type(L, 1) == LUA_TNUMBER) {
		lua_Number s = lua_tonumber(L, 1);

		luaL_argcheck(L, s >= 0 && s <= SLEEP_MAX_S, 1, "seconds from 0 to a year");
		return (uint64_t)(s * 1000 + 0.5);
	}
	if (units_parse_duration(luaL_checkstring(L, 1), &ns, &err) < 0)
		luaL_error(L, "sleep: %s", err.msg);
	return (uint64_t)ns / 1000000;
}

int
sleep_call(lua_State *L)
{
	uint64_t ms = check_ms(L);
	struct nap *nap = await_begin(L, sizeof(*nap), &nap_ops);

	(void)uv_timer_init(host_loop(L), &nap->timer); /* never fails */
	nap->timer.data = nap;
	uv_update_time(host_loop(L)); /* the script may have run a while since the loop looked */
	(void)uv_timer_start(&nap->timer, on_timer, ms, 0); /* fails only without a callback */
	return await_yield(L, &nap->await);
}

int
module_sleep(lua_State *L)
{
	lua_pushcfunction(L, sleep_call);
	return 1;
}

static int
contains(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 2);
	for (lua_Integer i = 1; lua_rawgeti(L, 1, i) != LUA_TNIL; i++) {
		if (lua_rawequal(L, -1, 2)) {
			lua_pushboolean(L, true);
			return 1;
		}
		lua_pop(L, 1);
	}
	lua_pushboolean(L, false);
	return 1;
}

int
module_contains(lua_State *L)
{
	lua_pushcfunction(L, contains);
	return 1;
}
