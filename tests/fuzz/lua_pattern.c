/* string.find, match, gmatch and gsub: ours and Lua's own give the same results and the same errors
 * for the same arguments, also when ours yields in the middle of a match.
 *
 * The first byte says which function and how, the second splits the rest into pattern and text.
 * What would take Lua's own too long is left out: ours is asked first, and gives up at its
 * deadline.
 */
#include "base/clock.h"
#include "lua/host/invocation.h"

#include <assert.h>
#include <lualib.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TURNS_MAX 8 /* yields of ours: some thousand steps each */

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len);

/* Append the values from first on as text. */
static void
note_values(lua_State *L, int first, struct sbuf *out)
{
	for (int i = first; i <= lua_gettop(L); i++) {
		size_t len;
		const char *s;

		if (lua_isfunction(L, i))
			continue; /* its address differs */
		s = luaL_tolstring(L, i, &len);
		sbuf_printf(out, "%s %zu ", luaL_typename(L, i), len);
		sbuf_add(out, s, len);
		sbuf_addc(out, '\n');
		lua_pop(L, 1);
	}
}

/* Run the function below `args` arguments on top to its end.  Returns false when it takes too
 * long. */
static bool
run(lua_State *L, int args, struct sbuf *out)
{
	lua_State *co = lua_newthread(L);
	int status, count, turns = 0;

	lua_insert(L, -args - 2);
	lua_xmove(L, co, args + 1);
	while ((status = lua_resume(co, L, args, &count)) == LUA_YIELD) {
		lua_pop(co, count);
		args = 0;
		if (++turns > TURNS_MAX)
			break;
	}
	if (status != LUA_YIELD) {
		sbuf_printf(out, "status %d\n", status);
		note_values(co, status == LUA_OK ? 1 : lua_gettop(co), out);
	}
	if (status == LUA_OK && lua_iscfunction(co, 1)) { /* gmatch */
		lua_settop(co, 1);
		/* After an error Lua's own goes on with the depth it had: nothing to compare. */
		for (int i = 0; i < 5 && status == LUA_OK; i++) {
			lua_State *step = lua_newthread(co);

			lua_pushvalue(co, 1);
			lua_xmove(co, step, 1);
			turns = 0;
			args = 0;
			while ((status = lua_resume(step, co, args, &count)) == LUA_YIELD) {
				lua_pop(step, count);
				if (++turns > TURNS_MAX)
					return false;
			}
			sbuf_printf(out, "status %d\n", status);
			note_values(step, status == LUA_OK ? 1 : lua_gettop(step), out);
		}
	}
	lua_pop(L, 1);
	return status != LUA_YIELD;
}

static int
echo(lua_State *L)
{
	lua_settop(L, 1);
	return 1;
}

struct input {
	const char *pattern, *text, *extra;
	size_t pattern_len, text_len, extra_len;
	unsigned how;
};

/* Push the arguments after text and pattern; returns how many. */
static int
push_extra(lua_State *L, const struct input *in)
{
	unsigned function = in->how & 3, form = in->how >> 2 & 7;

	if (function == 3 && form == 0) {
		lua_pushcfunction(L, echo);
	} else if (function == 3 && form == 1) {
		lua_newtable(L);
		lua_pushboolean(L, 0);
		lua_setfield(L, -2, "a");
		lua_pushliteral(L, "AB");
		lua_setfield(L, -2, "b");
		lua_pushinteger(L, 7);
		lua_rawseti(L, -2, 1);
	} else if (function == 3) {
		lua_pushlstring(L, in->extra, in->extra_len);
	} else if (form < 4) {
		return 0;
	} else {
		lua_pushinteger(L, (int)form - 6);
	}
	if (function == 3 && form > 5) {
		lua_pushinteger(L, (int)form - 4);
		return 2;
	}
	if (function == 0 && form == 7) {
		lua_pushboolean(L, 1);
		return 2;
	}
	return 1;
}

static bool
ask(lua_State *L, lua_CFunction function, const struct input *in, struct sbuf *out)
{
	lua_settop(L, 0);
	lua_pushcfunction(L, function);
	lua_pushlstring(L, in->text, in->text_len);
	lua_pushlstring(L, in->pattern, in->pattern_len);
	return run(L, 2 + push_extra(L, in), out);
}

static lua_CFunction
original(lua_State *L, const char *name)
{
	lua_CFunction f;

	lua_settop(L, 0);
	luaL_requiref(L, "string", luaopen_string, 0);
	lua_getfield(L, -1, name);
	f = lua_tocfunction(L, -1);
	lua_settop(L, 0);
	return f;
}

static void
compare(const struct input *in)
{
	static const struct {
		const char *name;
		lua_CFunction ours;
	} functions[] = {{"find", pattern_find}, {"match", pattern_match},
		{"gmatch", pattern_gmatch}, {"gsub", pattern_gsub}};
	struct invocation inv = {.slice_end_ns = 0}; /* a yield at every look at the clock */
	struct state st = {.current = &inv};
	struct sbuf ours = {0}, theirs = {0};
	lua_State *L = luaL_newstate();

	*(struct state **)lua_getextraspace(L) = &st;
	inv.co = L;
	if (ask(L, functions[in->how & 3].ours, in, &ours)) {
		(void)ask(L, original(L, functions[in->how & 3].name), in, &theirs);
		if (ours.len != theirs.len ||
			memcmp(sbuf_str(&ours), sbuf_str(&theirs), ours.len) != 0) {
			(void)fprintf(stderr, "ours:\n%s\ntheirs:\n%s\n", sbuf_str(&ours),
				sbuf_str(&theirs));
			abort();
		}
	}
	lua_close(L);
	sbuf_fini(&ours);
	sbuf_fini(&theirs);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
	struct input in;
	size_t rest;

	if (len < 3 || len > 4096)
		return 0;
	rest = len - 2;
	in.how = input[0];
	in.pattern = (const char *)input + 2;
	in.pattern_len = input[1] % (rest + 1);
	in.text = in.pattern + in.pattern_len;
	in.text_len = rest - in.pattern_len;
	in.extra_len = in.text_len / 2 < 8 ? in.text_len / 2 : 8; /* a replacement */
	in.extra = in.text + in.text_len - in.extra_len;
	compare(&in);
	return 0;
}
