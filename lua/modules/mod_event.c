/* event: raise events.  Its functions are declared in doc/event.lua.
 *
 * A string data.stack sets the stack as options.stack does; without either the new event inherits
 * the stack of the event that runs.  Few scripts look at the result, so a refusal is also noted in
 * the run's output.
 */
#include "base/frame.h"
#include "lua/modules/module.h"

#include <string.h>
#include <time.h>

#define NAME_BYTES_MAX 1024 /* far above what the daemon takes */

static int
answer_dispatch(lua_State *L, const struct host_answer *answer)
{
	if (answer->code) {
		const char *reason = answer->error ? answer->error : strerror(answer->code);
		const char *note;

		lua_pushboolean(L, false);
		lua_pushstring(L, reason);
		note = lua_pushfstring(L, "event not raised: %s", reason);
		host_log(L, HOST_WARN, note, strlen(note));
		lua_pop(L, 1);
		return 2;
	}
	lua_pushboolean(L, true);
	lua_pushlstring(L, answer->value, answer->value_len);
	return 2;
}

/* The stack named by the options at 3, else by the data at 2; NULL: inherited. */
static const char *
find_stack(lua_State *L)
{
	const char *stack = module_opt_str(L, 3, "stack");

	if (stack || !lua_istable(L, 2))
		return stack;
	lua_getfield(L, 2, "stack");
	if (lua_type(L, -1) == LUA_TSTRING)
		stack = lua_tostring(L, -1);
	lua_pop(L, 1); /* the data still holds it */
	return stack;
}

static struct sbuf *
encoded(lua_State *L, int idx, const char *what)
{
	struct sbuf *text = module_sbuf(L);
	struct err err = {0};

	if (lua_isnoneornil(L, idx))
		return text;
	luaL_checktype(L, idx, LUA_TTABLE);
	if (json_lua_encode(L, idx, false, text, &err) < 0)
		luaL_error(L, "event.dispatch: %s: %s", what, err.msg);
	if (text->len > HOST_FIELD_MAX)
		luaL_error(L, "event.dispatch: %s: %d bytes, %d are the most", what, (int)text->len,
			(int)HOST_FIELD_MAX);
	return text;
}

static int
event_dispatch(lua_State *L)
{
	const char *type = luaL_checkstring(L, 1);
	struct sbuf *data, *options, *frame;
	const char *stack;

	lua_settop(L, 3);
	luaL_argcheck(L, strlen(type) <= NAME_BYTES_MAX, 1, "a type that long");
	stack = find_stack(L);
	luaL_argcheck(L, !stack || strlen(stack) <= NAME_BYTES_MAX, 3, "a stack's name that long");
	data = encoded(L, 2, "data");
	options = encoded(L, 3, "options");
	frame = host_request_begin(L, MSG_EMIT, answer_dispatch);
	host_touch(L);
	frame_strz(frame, type);
	frame_str(frame, sbuf_str(data), data->len);
	frame_strz(frame, stack);
	frame_str(frame, sbuf_str(options), options->len);
	return host_request_wait(L);
}

static void
set_time(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)time(NULL));
	lua_setfield(L, -2, "timestamp");
}

static int
event_dispatch_custom(lua_State *L)
{
	luaL_checkstring(L, 1);
	lua_settop(L, 2);
	lua_pushliteral(L, "custom");
	lua_createtable(L, 0, 3);
	lua_pushvalue(L, 1);
	lua_setfield(L, -2, "name");
	lua_pushvalue(L, 2);
	lua_setfield(L, -2, "message");
	set_time(L);
	lua_remove(L, 1);
	lua_remove(L, 1);
	return event_dispatch(L);
}

static int
event_dispatch_file(lua_State *L)
{
	static const char *const kinds[] = {"created", "modified", "deleted", NULL};
	const char *kind = kinds[luaL_checkoption(L, 1, NULL, kinds)];

	luaL_checkstring(L, 2);
	lua_settop(L, 3);
	lua_pushfstring(L, "file.%s", kind);
	lua_createtable(L, 0, 3);
	lua_pushvalue(L, 2);
	lua_setfield(L, -2, "path");
	lua_pushvalue(L, 3);
	lua_setfield(L, -2, "watcher");
	set_time(L);
	lua_rotate(L, 1, 2);
	lua_settop(L, 2);
	return event_dispatch(L);
}

int
module_event(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"dispatch", event_dispatch},
		{"dispatch_custom", event_dispatch_custom},
		{"dispatch_file", event_dispatch_file},
		{NULL, NULL},
	};

	luaL_newlib(L, functions);
	return 1;
}
