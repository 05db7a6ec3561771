/* What came of an invocation: its result, message and error from what its coroutine left, and the
 * metadata of a script that is being registered.
 *
 *	true, "message"   success, and the message        false, "error"   failure
 *	nothing, or anything else: success                error(...)       failure, with traceback
 *	of a filter: nil or false, "reason"               filtered, and the reason
 */
#include "base/auto.h"
#include "base/mem.h"
#include "base/units.h"
#include "lua/host/invocation.h"

#include <string.h>

#define FILTER_REASON_MAX 200 /* bytes of what a filter says */

/* ---- text of Lua values --------------------------------------------------------------------- */

static int
to_text(lua_State *L)
{
	luaL_tolstring(L, 1, NULL);
	return 1;
}

/* The value at idx of from as text, at most RUN_ERROR_MAX bytes; __tostring of the script's own
 * tables may fail or run out of time, so it is called protected.  Returns owned. */
static char *
dup_text(struct invocation *inv, lua_State *from, int idx)
{
	lua_State *L = inv->state->L;
	char *text;
	const char *s;
	size_t len;

	lua_pushvalue(from, idx);
	lua_xmove(from, L, 1);
	lua_pushcfunction(L, to_text);
	lua_insert(L, -2);
	(void)lua_pcall(L, 1, 1, 0); /* an error in there is as good a text */
	s = lua_tolstring(L, -1, &len);
	if (!s)
		s = "(an error without text)", len = strlen(s);
	text = mem_strndup(s, len < RUN_ERROR_MAX ? len : RUN_ERROR_MAX);
	lua_pop(L, 1);
	return text;
}

/* ---- errors --------------------------------------------------------------------------------- */

/* Leave out the lines of our own Lua files: they tell a script's author nothing. */
static void
add_trace(struct sbuf *out, const char *trace)
{
	while (trace && *trace) {
		const char *end = strchr(trace, '\n');
		size_t len = end ? (size_t)(end - trace) + 1 : strlen(trace);

		if (!memmem(trace, len, "lua/host/", 9))
			sbuf_add(out, trace, len);
		trace += len;
	}
}

static char *
with_trace(char *message, const char *trace)
{
	struct sbuf out = {0};

	sbuf_adds(&out, message);
	free(message);
	if (trace) {
		sbuf_addc(&out, '\n');
		add_trace(&out, trace);
	}
	if (out.len > RUN_ERROR_MAX) {
		out.len = RUN_ERROR_MAX;
		out.data[out.len] = '\0';
	}
	while (out.len > 0 && out.data[out.len - 1] == '\n')
		out.data[--out.len] = '\0';
	return sbuf_take(&out);
}

static char *
timeout_text(const struct invocation *inv)
{
	struct sbuf out = {0};

	sbuf_adds(&out, inv->is_check ? "loading timed out after " : "hook timed out after ");
	units_add_duration(&out, (int64_t)inv->timeout_ms * 1000000);
	return sbuf_take(&out);
}

static char *
memory_text(const struct invocation *inv)
{
	uint64_t cap = inv->state->cap_bytes;

	return mem_printf("out of memory (%llu MB, by its `memory` or config/hook_memory)",
		(unsigned long long)((cap + (1 << 20) - 1) >> 20));
}

void
results_take_kill(struct invocation *inv)
{
	inv->result = RUN_FAILED;
	switch (inv->kill) {
	case KILL_NONE:
		break;
	case KILL_TIMEOUT:
		inv->result = RUN_TIMEOUT;
		inv->error = with_trace(timeout_text(inv), inv->kill_trace);
		break;
	case KILL_MEMORY:
		inv->error = memory_text(inv);
		break;
	case KILL_CANCEL:
		inv->result = inv->cancel_result;
		if (inv->result == RUN_TIMEOUT)
			inv->error = with_trace(timeout_text(inv), inv->kill_trace);
		else
			inv->error = mem_strdup("stopped on request");
		break;
	}
}

static void
take_error(struct invocation *inv)
{
	lua_State *main = inv->state->L;
	char *message = dup_text(inv, inv->co, -1);

	if (inv->is_check) { /* one line: "hooks/x.lua:3: ..." */
		inv->error = message;
	} else {
		limits_keep_trace(inv->co, inv);
		inv->error = with_trace(message, inv->kill_trace);
	}
	lua_settop(main, 0);
	inv->result = RUN_FAILED;
}

/* ---- results -------------------------------------------------------------------------------- */

static char *
failure_text(struct invocation *inv, int count)
{
	if (count > 1 && !lua_isnil(inv->co, -count + 1))
		return dup_text(inv, inv->co, -count + 1);
	if (inv->errors.len > 0)
		return mem_strdup(sbuf_str(&inv->errors));
	return mem_strdup("the hook returned false");
}

/* Which answer of the filter it was, and its reason when it gave one. */
static char *
filter_text(struct invocation *inv, int count)
{
	AUTO(free) char *reason = NULL;

	if (count < 3 || lua_isnil(inv->co, -count + 2))
		return mem_printf(
			"filter: it returned %s", lua_isnil(inv->co, -count + 1) ? "nil" : "false");
	reason = dup_text(inv, inv->co, -count + 2);
	return mem_printf("filter: %.*s", FILTER_REASON_MAX, reason);
}

static void
take_values(struct invocation *inv, int count)
{
	lua_State *co = inv->co;

	if (count > 0 && lua_touserdata(co, -count) == &state_key_filtered) {
		inv->result = RUN_FILTERED;
		inv->message = filter_text(inv, count);
		return;
	}
	if (count == 0 || !lua_isboolean(co, -count))
		return;
	if (!lua_toboolean(co, -count)) {
		inv->result = RUN_FAILED;
		inv->error = failure_text(inv, count);
	} else if (count > 1 && !lua_isnil(co, -count + 1)) {
		inv->message = dup_text(inv, co, -count + 1);
	}
}

void
results_take(struct invocation *inv, int status, int count)
{
	if (status != LUA_OK && !inv->kill)
		take_error(inv);
	else if (!inv->kill && inv->is_check)
		meta_take(inv);
	else if (!inv->kill)
		take_values(inv, count);
	if (inv->kill) { /* also when making a text of a value was what took too long */
		free(inv->error);
		results_take_kill(inv);
	}
}
