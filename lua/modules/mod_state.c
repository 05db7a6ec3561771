/* state: values by key, kept by the daemon, one space for each stack.  Its functions are declared
 * in doc/state.lua.
 *
 * All wait for the daemon and raise when it refuses (a full disk, a number expected).
 */
#include "base/clock.h"
#include "base/frame.h"
#include "base/units.h"
#include "lua/modules/module.h"

#include <string.h>

#define KEY_MAX 1024 /* bytes of a key */

struct ask {
	enum state_op op;
	const char *key;
	int value, expect; /* stack indexes; 0: none */
	uint64_t expires_ns;
	host_answer_fn *answer;
};

static const char *
check_key(lua_State *L)
{
	size_t len;
	const char *key = luaL_checklstring(L, 1, &len);

	luaL_argcheck(L, len > 0 && len <= KEY_MAX, 1, "a key has 1 to 1024 bytes");
	luaL_argcheck(L, strlen(key) == len, 1, "a key holds no NUL byte");
	return key;
}

/* The JSON text of the value at idx, in a buffer Lua owns; empty for idx 0. */
static struct sbuf *
encoded(lua_State *L, int idx)
{
	struct sbuf *text = module_sbuf(L);
	struct err err = {0};

	if (idx && json_lua_encode(L, idx, false, text, &err) < 0)
		luaL_error(L, "state: %s", err.msg);
	if (text->len > HOST_FIELD_MAX)
		luaL_error(L, "state: a value of %d bytes, %d are the most", (int)text->len,
			(int)HOST_FIELD_MAX);
	return text;
}

static int
ask(lua_State *L, const struct ask *a)
{
	struct sbuf *value = encoded(L, a->value);
	struct sbuf *expect = encoded(L, a->expect);
	struct sbuf *frame = host_request_begin(L, MSG_STATE, a->answer);

	if (a->op != STATE_GET && a->op != STATE_KEYS)
		host_touch(L);
	frame_u32(frame, a->op);
	frame_strz(frame, a->key);
	frame_str(frame, sbuf_str(value), value->len);
	frame_str(frame, sbuf_str(expect), expect->len);
	frame_u64(frame, a->expires_ns);
	return host_request_wait(L);
}

static int
refuse(lua_State *L, const struct host_answer *answer)
{
	return luaL_error(L, "state: %s", answer->error ? answer->error : strerror(answer->code));
}

static int
push_value(lua_State *L, const struct host_answer *answer)
{
	json_error_t problem;

	if (!module_push_json(L, answer->value, answer->value_len, false, &problem))
		return luaL_error(L, "state: the stored value is not JSON: %s", problem.text);
	return 1;
}

static int
answer_get(lua_State *L, const struct host_answer *answer)
{
	if (answer->code == ENOENT) {
		lua_settop(L, 2);
		return 1; /* the default, or nil */
	}
	return answer->code ? refuse(L, answer) : push_value(L, answer);
}

static int
answer_value(lua_State *L, const struct host_answer *answer)
{
	return answer->code ? refuse(L, answer) : push_value(L, answer);
}

static int
answer_done(lua_State *L, const struct host_answer *answer)
{
	if (answer->code)
		return refuse(L, answer);
	lua_pushboolean(L, true);
	return 1;
}

static int
answer_found(lua_State *L, const struct host_answer *answer)
{
	if (answer->code && answer->code != ENOENT)
		return refuse(L, answer);
	lua_pushboolean(L, answer->code == 0);
	return 1;
}

static int
answer_swapped(lua_State *L, const struct host_answer *answer)
{
	if (answer->code && answer->code != EAGAIN)
		return refuse(L, answer);
	lua_pushboolean(L, answer->code == 0);
	return 1;
}

static int
state_get(lua_State *L)
{
	lua_settop(L, 2);
	return ask(L, &(struct ask){.op = STATE_GET, .key = check_key(L), .answer = answer_get});
}

static int
state_exists(lua_State *L)
{
	return ask(L, &(struct ask){.op = STATE_GET, .key = check_key(L), .answer = answer_found});
}

/* When a value set now with the time to live at idx goes away; 0: never. */
static uint64_t
expiry(lua_State *L, int idx)
{
	struct err err = {0};
	int64_t ns = 0;

	if (lua_isnoneornil(L, idx))
		return 0;
	if (lua_type(L, idx) == LUA_TNUMBER)
		ns = (int64_t)(lua_tonumber(L, idx) * 1e9);
	else if (units_parse_duration(luaL_checkstring(L, idx), &ns, &err) < 0)
		luaL_error(L, "state: time to live: %s", err.msg);
	luaL_argcheck(L, ns > 0, idx, "a time to live is positive");
	return (uint64_t)(clock_real_ns() + ns);
}

static int
state_set(lua_State *L)
{
	struct ask a = {.op = STATE_SET, .value = 2, .answer = answer_done};

	a.key = check_key(L);
	luaL_checkany(L, 2);
	if (lua_isnil(L, 2)) {
		a.op = STATE_DELETE;
		a.value = 0;
		a.answer = answer_found;
		return ask(L, &a);
	}
	a.expires_ns = expiry(L, 3);
	return ask(L, &a);
}

static int
state_delete(lua_State *L)
{
	return ask(
		L, &(struct ask){.op = STATE_DELETE, .key = check_key(L), .answer = answer_found});
}

static int
increment(lua_State *L, int sign)
{
	struct ask a = {.op = STATE_INCR, .key = check_key(L), .answer = answer_value};

	if (lua_isnoneornil(L, 2))
		lua_pushinteger(L, sign);
	else if (lua_isinteger(L, 2))
		lua_pushinteger(L, sign * lua_tointeger(L, 2));
	else
		lua_pushnumber(L, sign * luaL_checknumber(L, 2));
	a.value = lua_gettop(L);
	return ask(L, &a);
}

static int
state_incr(lua_State *L)
{
	return increment(L, 1);
}

static int
state_decr(lua_State *L)
{
	return increment(L, -1);
}

static int
state_compare_swap(lua_State *L)
{
	struct ask a = {.op = STATE_CAS, .key = check_key(L), .value = 3, .answer = answer_swapped};

	lua_settop(L, 3);
	luaL_argcheck(L, !lua_isnil(L, 3), 3, "the new value must not be nil; use state.delete");
	a.expect = lua_isnil(L, 2) ? 0 : 2;
	return ask(L, &a);
}

static int
state_keys(lua_State *L)
{
	return ask(L, &(struct ask){
			      .op = STATE_KEYS,
			      .key = luaL_optstring(L, 1, ""),
			      .answer = answer_value,
		      });
}

static int
state_clear(lua_State *L)
{
	return ask(L, &(struct ask){
			      .op = STATE_CLEAR,
			      .key = luaL_optstring(L, 1, ""),
			      .answer = answer_done,
		      });
}

int
module_state(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"get", state_get},
		{"set", state_set},
		{"set_with_ttl", state_set},
		{"delete", state_delete},
		{"exists", state_exists},
		{"incr", state_incr},
		{"increment", state_incr},
		{"decr", state_decr},
		{"decrement", state_decr},
		{"compare_swap", state_compare_swap},
		{"keys", state_keys},
		{"clear", state_clear},
		{NULL, NULL},
	};

	luaL_newlib(L, functions);
	return 1;
}
