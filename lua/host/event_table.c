/* The `event` a hook gets, as its argument and as a global: what is known of the event, its data,
 * and through its metatable the functions of the event module (event.dispatch).
 *
 * Data comes nested under its category from some senders ({"task":{...}}) and flat from others.
 * Scripts of both kinds run: event.task is data.task, and a field missing in data is looked up in
 * the one nested category.
 */
#include "lua/host/invocation.h"

#include <string.h>

static const char *const shortcuts[] = {"task", "agent", "resource", "workflow", "deploy", "health",
	"schedule", "state", "secret", "stack_data", "backup", "db", "network", "security", "file",
	"custom", "system"};

static void
set_text(lua_State *L, const char *name, const char *value)
{
	if (!value[0])
		return;
	lua_pushstring(L, value);
	lua_setfield(L, -2, name);
}

static void
set_integer(lua_State *L, const char *name, uint64_t value)
{
	lua_pushinteger(L, (lua_Integer)value);
	lua_setfield(L, -2, name);
}

/* Push the nested table whose fields stand in for missing ones of the data on top: the type's
 * category, else the only table there is.  Returns false, pushing nothing. */
static bool
push_nested(lua_State *L, const char *type)
{
	int found = 0, data = lua_gettop(L);

	lua_pushlstring(L, type, strcspn(type, "."));
	if (lua_rawget(L, data) == LUA_TTABLE)
		return true;
	lua_pop(L, 1);
	for (lua_pushnil(L); lua_next(L, data) != 0;) {
		if (lua_istable(L, -1) && lua_type(L, -2) == LUA_TSTRING && found++ == 0) {
			lua_pushvalue(L, -1);
			lua_insert(L, data + 1);
		}
		lua_pop(L, 1);
	}
	if (found == 1)
		return true;
	lua_settop(L, data);
	return false;
}

static void
add_fallback(lua_State *L, const char *type)
{
	if (!push_nested(L, type))
		return;
	lua_createtable(L, 0, 1);
	lua_insert(L, -2);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
}

static bool
is_shortcut(const char *name)
{
	for (size_t i = 0; i < sizeof(shortcuts) / sizeof(shortcuts[0]); i++)
		if (strcmp(shortcuts[i], name) == 0)
			return true;
	return false;
}

/* The data on top becomes event.data; its tables get their shortcuts. */
static void
set_data(lua_State *L, int event)
{
	int data = lua_gettop(L);

	for (lua_pushnil(L); lua_next(L, data) != 0; lua_settop(L, data + 1)) {
		if (!lua_istable(L, -1) || lua_type(L, -2) != LUA_TSTRING ||
			!is_shortcut(lua_tostring(L, -2)))
			continue;
		lua_pushvalue(L, -2);
		lua_insert(L, -2);
		lua_rawset(L, event);
	}
	lua_setfield(L, event, "data");
}

static bool
push_field_of(lua_State *L, int event, const char *table, const char *field)
{
	int top = lua_gettop(L);

	if (lua_getfield(L, event, table) == LUA_TTABLE &&
		lua_getfield(L, -1, field) == LUA_TSTRING)
		return true;
	lua_settop(L, top);
	return false;
}

/* agent_name: the event's agent, else the one its data names, else this host. */
static void
set_agent_name(lua_State *L, int event, const struct host_event *ev)
{
	if (ev->agent[0])
		lua_pushstring(L, ev->agent);
	else if (!push_field_of(L, event, "agent", "name") &&
		 !push_field_of(L, event, "task", "agent_name"))
		lua_pushliteral(L, "local");
	lua_setfield(L, event, "agent_name");
	lua_settop(L, event);
}

/* Shared by the events of a state: __index is the event module. */
static void
push_metatable(lua_State *L)
{
	if (!host_new_metatable(L, "sloth.event"))
		return;
	if (require_push_builtin(L, "event"))
		lua_setfield(L, -2, "__index");
}

void
event_push(lua_State *L, struct invocation *inv)
{
	const struct host_event *ev = &inv->event;
	int event;

	lua_createtable(L, 0, 8); /* what most events have */
	event = lua_gettop(L);
	set_text(L, "id", ev->id);
	set_text(L, "type", ev->type);
	set_text(L, "stack", ev->stack);
	set_text(L, "run_id", ev->run_id);
	set_text(L, "severity", ev->severity);
	set_text(L, "source", ev->source);
	set_text(L, "cause", ev->cause_id);
	set_integer(L, "timestamp", ev->timestamp_ns / 1000000000);
	set_integer(L, "timestamp_ns", ev->timestamp_ns);
	set_integer(L, "attempt", ev->attempt);
	set_integer(L, "count", ev->count);
	if (inv->data)
		json_lua_push(L, inv->data, false);
	else
		lua_newtable(L);
	if (lua_istable(L, -1)) {
		add_fallback(L, ev->type);
		set_data(L, event);
	} else {
		lua_setfield(L, event, "data");
	}
	set_agent_name(L, event, ev);
	push_metatable(L);
	lua_setmetatable(L, event);
}
