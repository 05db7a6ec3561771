/* What modules ask of the invocation that runs them: its event, its place, and where its output
 * goes. Contracts are in host.h.
 */
#include "lua/host/invocation.h"

#include <string.h>

const struct host_event *
host_event(lua_State *L)
{
	return &invocation_of(L)->event;
}

uv_loop_t *
host_loop(lua_State *L)
{
	return &state_of(L)->worker->loop;
}

bool
host_is_check(lua_State *L)
{
	return invocation_of(L)->is_check;
}

const char *
host_workdir(lua_State *L)
{
	return state_of(L)->worker->home;
}

const char *
host_path(lua_State *L, const char *path)
{
	const char *home = state_of(L)->worker->home;

	if (path[0] == '/')
		return lua_pushstring(L, path);
	if (path[0] == '~' && (path[1] == '/' || !path[1]))
		return lua_pushfstring(L, "%s%s", home, path + 1);
	return lua_pushfstring(L, "%s/%s", host_workdir(L), path);
}

void
host_output(lua_State *L, const char *text, size_t len)
{
	struct invocation *inv = invocation_of(L);
	size_t room = RUN_OUTPUT_MAX - inv->output.len, kept = len < room ? len : room;

	sbuf_add(&inv->output, text, kept);
	inv->dropped_bytes += len - kept;
}

void
host_log(lua_State *L, enum host_level level, const char *text, size_t len)
{
	static const char *const heads[] = {"[DEBUG] ", "[INFO] ", "[WARN] ", "[ERROR] "};
	struct invocation *inv = invocation_of(L);

	if ((int)level < inv->worker->log_level)
		return;
	host_output(L, heads[level], strlen(heads[level]));
	host_output(L, text, len);
	host_output(L, "\n", 1);
	if (level < HOST_ERROR || inv->errors.len + len >= RUN_ERROR_MAX)
		return;
	if (inv->errors.len > 0)
		sbuf_addc(&inv->errors, '\n');
	sbuf_add(&inv->errors, text, len);
}
