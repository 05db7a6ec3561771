/* A lua_State for one hook: its memory cap, the sandbox, and the script compiled once.
 *
 * A script's main chunk is compiled as `function(_ENV, ...)` so that each invocation calls it with
 * globals of its own; what it leaves in them, and its top-level locals, go with the invocation.
 * Compiling once per invocation, or making a state per invocation, costs eight times as much.
 *
 * Everything a script allocates comes out of cap_bytes: the allocator refuses, Lua collects and
 * tries again, and then the allocation fails, which ends the invocation (limits.c).
 */
#include "base/auto.h"
#include "base/mem.h"
#include "lua/host/invocation.h"

#include <stdio.h>
#include <string.h>

#define JUMPS_MAX 8192 /* as STATE_JUMPS_TEXT says */

const char state_key_main, state_key_run, state_key_base, state_key_env_mt, state_key_libs,
	state_key_filtered;

/* A few instructions may move gigabytes (rep, upper, ..): have the clock looked at. */
static void
hurry(struct state *st)
{
	st->fresh_bytes = 0;
	if (st->running)
		limits_hurry(st->running);
}

static void *
allocate(void *arg, void *p, size_t old_bytes, size_t new_bytes)
{
	struct state *st = arg;
	size_t held = p ? old_bytes : 0; /* without p, old_bytes is a type */
	void *q;

	if (new_bytes == 0) {
		st->used_bytes -= held;
		blocks_free(&st->worker->blocks, p, held);
		return NULL;
	}
	if (new_bytes > held && new_bytes - held > st->cap_bytes - st->used_bytes) {
		st->is_refused = true;
		return NULL;
	}
	q = blocks_resize(&st->worker->blocks, p, held, new_bytes);
	if (!q)
		return NULL;
	st->used_bytes += new_bytes - held;
	st->fresh_bytes += new_bytes;
	if (new_bytes > st->largest_bytes)
		st->largest_bytes = new_bytes;
	if (st->fresh_bytes > HURRY_BYTES)
		hurry(st);
	return q;
}

static const char *
skip_bom(const char *source, size_t *len)
{
	if (*len < 3 || memcmp(source, "\xef\xbb\xbf", 3) != 0)
		return source;
	*len -= 3;
	return source + 3;
}

/* A "#!" line is left as an empty one. */
static const char *
skip_shebang(const char *source, size_t *len)
{
	const char *end;

	if (*len == 0 || source[0] != '#')
		return source;
	end = memchr(source, '\n', *len);
	if (!end)
		end = source + *len;
	*len -= (size_t)(end - source);
	return end;
}

struct pieces {
	const char *text[3];
	size_t len[3];
	int next;
};

static const char *
read_piece(lua_State *L, void *arg, size_t *len)
{
	struct pieces *p = arg;

	(void)L;
	if (p->next == 3)
		return NULL;
	*len = p->len[p->next];
	return p->text[p->next++];
}

/* The parser moves all jumps that wait for their label whenever one finds it, and looks at no clock
 * meanwhile.  Words in strings and comments count too, since nobody writes that many. */
bool
state_may_parse(const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i + 5 <= len && n <= JUMPS_MAX; i++)
		n += memcmp(text + i, "goto", 4) == 0 || memcmp(text + i, "break", 5) == 0;
	return n <= JUMPS_MAX;
}

/* The source is compiled plain first: this finds what is wrong in the user's own words, and keeps a
 * stray `end` from closing our function. */
int
state_compile(lua_State *L, const char *source, size_t len, const char *chunk_name)
{
	static const char head[] = "return function(_ENV, ...) ", tail[] = "\nend";
	struct pieces pieces;
	int status;

	source = skip_bom(source, &len);
	source = skip_shebang(source, &len);
	if (!state_may_parse(source, len)) {
		lua_pushfstring(L, "%s:1: " STATE_JUMPS_TEXT, chunk_name + (*chunk_name == '@'));
		return LUA_ERRSYNTAX;
	}
	status = luaL_loadbufferx(L, source, len, chunk_name, "t");
	if (status != LUA_OK)
		return status;
	lua_pop(L, 1);
	pieces = (struct pieces){
		.text = {head, source, tail},
		.len = {sizeof(head) - 1, len, sizeof(tail) - 1},
	};
	if (len == 0)
		pieces.text[1] = "\n", pieces.len[1] = 1; /* an empty piece would end the text */
	status = lua_load(L, read_piece, &pieces, chunk_name, "t");
	return status == LUA_OK ? lua_pcall(L, 0, 1, 0) : status;
}

static int
compile_script(lua_State *L)
{
	const struct script *s = lua_touserdata(L, 1);
	const char *name = lua_pushfstring(L, "@%s", s->path);

	if (state_compile(L, s->source, s->source_len, name) != LUA_OK)
		return lua_error(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &state_key_main);
	return 0;
}

static int
set_up(lua_State *L)
{
	lua_gc(L, LUA_GCSTOP); /* all of this stays */
	sandbox_push_base(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &state_key_base);

	lua_createtable(L, 0, 2);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &state_key_base);
	lua_setfield(L, -2, "__index");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &state_key_env_mt);

	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &state_key_libs);
	lua_gc(L, LUA_GCRESTART);
	return compile_script(L);
}

/* An error outside every protected call is a bug of ours; Lua aborts after this. */
static int
on_panic(lua_State *L)
{
	const char *text = lua_tostring(L, -1);

	(void)fprintf(stderr, "sloth-worker: unprotected Lua error: %s\n", text ? text : "?");
	return 0;
}

int
state_new(struct worker *w, struct script *s, struct state **ret_state, struct err *err)
{
	struct state *st = NEW(struct state);

	*st = (struct state){
		.worker = w,
		.script = s,
		.cap_bytes = s->memory_bytes ? s->memory_bytes : MEMORY_DEFAULT,
	};
	s->refs++;
	st->L = lua_newstate(allocate, st);
	if (!st->L) {
		state_free(st);
		return err_set(err, ENOMEM, "no memory for a Lua state");
	}
	(void)lua_atpanic(st->L, on_panic);
	*(struct state **)lua_getextraspace(st->L) = st;
	lua_pushcfunction(st->L, set_up);
	lua_pushlightuserdata(st->L, s);
	if (lua_pcall(st->L, 1, 0, 0) != LUA_OK) {
		(void)err_set(err, EINVAL, "%s", lua_tostring(st->L, -1));
		state_free(st);
		return -EINVAL;
	}
	limits_arm(st->L); /* it calls __tostring of error objects */
	*ret_state = st;
	return 0;
}

void
state_free(struct state *st)
{
	if (!st)
		return;
	if (st->L)
		lua_close(st->L);
	script_unref(st->script);
	free(st);
}

bool
host_new_metatable(lua_State *L, const char *name)
{
	if (!luaL_newmetatable(L, name))
		return false;
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	return true;
}
