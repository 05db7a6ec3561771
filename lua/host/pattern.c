/* string.find, match, gmatch and gsub over our own matcher.
 *
 * Each is a C function that may yield in the middle of a match, when its time slice is over, and
 * gsub also while its function waits.  C's stack is gone then: what has to last is copied to, or
 * stands in, a userdata on the Lua stack.  The texts are arguments, so they stay where they are.
 *
 * A plain search uses memmem(), which is linear; Lua's own is not.
 */
#include "lua/host/invocation.h"
#include "lua/host/matcher.h"

#include <ctype.h>
#include <string.h>

/* Where a position as scripts give it is, from 0; beyond len when it is behind the text. */
static size_t
start_offset(lua_Integer at, size_t len)
{
	if (at > 0)
		return (size_t)at - 1;
	if (at == 0 || at < -(lua_Integer)len)
		return 0;
	return len + (size_t)at;
}

/* Keep a struct that ends with a matcher; its size so far is before. */
static void
save(lua_State *L, const void *object, size_t before, const struct matcher *m)
{
	size_t size = before + matcher_size(m);

	memcpy(lua_newuserdatauv(L, size, 0), object, size);
}

static void
restore(lua_State *L, void *object)
{
	memcpy(object, lua_touserdata(L, -1), lua_rawlen(L, -1));
	lua_pop(L, 1);
}

/* ---- find and match ------------------------------------------------------------------------- */

struct search {
	const char *at; /* where the match under way begins */
	bool is_find, is_anchored;
	struct matcher m; /* last */
};

static int
push_found(lua_State *L, const struct search *search)
{
	const struct matcher *m = &search->m;

	if (!search->is_find)
		return matcher_push_captures(m, L, search->at, true);
	lua_pushinteger(L, search->at - m->src + 1);
	lua_pushinteger(L, m->s - m->src);
	return matcher_push_captures(m, L, search->at, false) + 2;
}

static int continue_search(lua_State *L, int status, lua_KContext context);

static int
run_search(lua_State *L, struct search *search)
{
	struct matcher *m = &search->m;

	for (;;) {
		switch (matcher_run(m, L)) {
		case MATCH_YES:
			return push_found(L, search);
		case MATCH_LATER:
			save(L, search, offsetof(struct search, m), m);
			return limits_pass(L, 0, continue_search);
		case MATCH_NO:
			if (search->at == m->src_end || search->is_anchored) {
				luaL_pushfail(L);
				return 1;
			}
			matcher_start(m, ++search->at);
		}
	}
}

static int
continue_search(lua_State *L, int status, lua_KContext context)
{
	struct search search;

	(void)status;
	(void)context;
	restore(L, &search);
	return run_search(L, &search);
}

static bool
is_plain(const char *pat, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (pat[i] && strchr("^$*+?.([%-", pat[i]))
			return false;
	return true;
}

static int
find_plain(lua_State *L, const char *text, size_t len, size_t from)
{
	size_t what_len;
	const char *what = lua_tolstring(L, 2, &what_len);
	const char *found = memmem(text + from, len - from, what, what_len);

	if (!found) {
		luaL_pushfail(L);
		return 1;
	}
	lua_pushinteger(L, found - text + 1);
	lua_pushinteger(L, found - text + (lua_Integer)what_len);
	return 2;
}

static int
search_for(lua_State *L, bool is_find)
{
	size_t len, pat_len, from;
	const char *text = luaL_checklstring(L, 1, &len), *pat = luaL_checklstring(L, 2, &pat_len);
	struct search search;

	from = start_offset(luaL_optinteger(L, 3, 1), len);
	host_tick(L);
	if (from > len) {
		luaL_pushfail(L);
		return 1;
	}
	if (is_find && (lua_toboolean(L, 4) || is_plain(pat, pat_len)))
		return find_plain(L, text, len, from);
	search.is_find = is_find;
	search.is_anchored = *pat == '^';
	search.at = text + from;
	matcher_init(&search.m, text, len, pat + search.is_anchored, pat_len - search.is_anchored);
	matcher_start(&search.m, search.at);
	return run_search(L, &search);
}

int
pattern_find(lua_State *L)
{
	return search_for(L, true);
}

int
pattern_match(lua_State *L)
{
	return search_for(L, false);
}

/* ---- gmatch --------------------------------------------------------------------------------- */

/* What lasts from one call of the iterator to the next; the texts are upvalues 1 and 2. */
struct walk {
	const char *at, *last; /* where to go on; the end of the last match, or NULL */
};

static int continue_walk(lua_State *L, int status, lua_KContext context);

static int
run_walk(lua_State *L, struct matcher *m)
{
	struct walk *walk = lua_touserdata(L, lua_upvalueindex(3));

	for (;;) {
		enum match_result r = matcher_run(m, L);
		const char *from = walk->at;

		if (r == MATCH_LATER) {
			save(L, m, 0, m);
			return limits_pass(L, 0, continue_walk);
		}
		if (r == MATCH_YES && m->s != walk->last) {
			walk->at = walk->last = m->s;
			return matcher_push_captures(m, L, from, true);
		}
		if (walk->at++ == m->src_end)
			return 0;
		matcher_start(m, walk->at);
	}
}

static int
continue_walk(lua_State *L, int status, lua_KContext context)
{
	struct matcher m;

	(void)status;
	(void)context;
	restore(L, &m);
	return run_walk(L, &m);
}

static int
next_match(lua_State *L)
{
	const struct walk *walk = lua_touserdata(L, lua_upvalueindex(3));
	size_t len, pat_len;
	const char *text = lua_tolstring(L, lua_upvalueindex(1), &len);
	const char *pat = lua_tolstring(L, lua_upvalueindex(2), &pat_len);
	struct matcher m;

	if (walk->at > text + len)
		return 0;
	matcher_init(&m, text, len, pat, pat_len);
	matcher_start(&m, walk->at);
	return run_walk(L, &m);
}

int
pattern_gmatch(lua_State *L)
{
	size_t len, from;
	const char *text = luaL_checklstring(L, 1, &len);
	struct walk *walk;

	(void)luaL_checkstring(L, 2);
	from = start_offset(luaL_optinteger(L, 3, 1), len);
	lua_settop(L, 2);
	walk = lua_newuserdatauv(L, sizeof(*walk), 0);
	walk->at = text + (from > len ? len + 1 : from); /* behind the text: nothing to find */
	walk->last = NULL;
	lua_pushcclosure(L, next_match, 3);
	return 1;
}

/* ---- gsub ----------------------------------------------------------------------------------- */

/* Arguments 1 to 4, then this; then, once the result is longer than `first`, its memory. */
#define SUBST_INDEX  5
#define MEMORY_INDEX 6

struct subst {
	const char *pat;
	size_t pat_len;
	const char *at, *last;  /* where the match under way begins; the end of the last, or NULL */
	const char *end;        /* of the match whose replacement is being asked for */
	lua_Integer count, max; /* replacements */
	bool is_anchored, is_changed;
	char *text; /* the result */
	size_t len, cap;
	char first[512];
};

enum { AFTER_SLICE, AFTER_CALL };
static int continue_subst(lua_State *L, int status, lua_KContext context);

static void
add(lua_State *L, struct subst *sub, const char *text, size_t len)
{
	if (len > sub->cap - sub->len) {
		size_t cap = sub->len + len + (sub->len + len) / 2;
		char *bigger = lua_newuserdatauv(L, cap, 0);

		memcpy(bigger, sub->text, sub->len);
		sub->text = bigger;
		sub->cap = cap;
		lua_replace(L, MEMORY_INDEX);
	}
	memcpy(sub->text + sub->len, text, len);
	sub->len += len;
}

/* Add what is on top, a text or number, and pop it. */
static void
add_value(lua_State *L, struct subst *sub)
{
	size_t len;
	const char *text = lua_tolstring(L, -1, &len);

	add(L, sub, text, len);
	lua_pop(L, 1);
}

/* The replacement is a text in which %1 stands for a capture. */
static void
add_template(lua_State *L, struct subst *sub, const struct matcher *m)
{
	size_t len;
	const char *p = lua_tolstring(L, 3, &len), *end = p + len, *escape;

	for (; (escape = memchr(p, '%', (size_t)(end - p))) != NULL; p = escape + 2) {
		const char *start = escape + 1;
		ptrdiff_t n = 1;

		add(L, sub, p, (size_t)(escape - p));
		if (*start == '0')
			start = sub->at, n = m->s - sub->at;
		else if (isdigit((unsigned char)*start))
			n = matcher_capture(m, L, (unsigned)(*start - '1'), sub->at, &start);
		else if (*start != '%')
			luaL_error(L, "invalid use of '%c' in replacement string", '%');
		if (n == MATCH_POSITION)
			add_value(L, sub);
		else
			add(L, sub, start, (size_t)n);
	}
	add(L, sub, p, (size_t)(end - p));
}

/* A function or table gave what is on top; false or nil: the match stays. */
static void
add_answer(lua_State *L, struct subst *sub)
{
	if (!lua_toboolean(L, -1)) {
		lua_pop(L, 1);
		add(L, sub, sub->at, (size_t)(sub->end - sub->at));
		return;
	}
	if (!lua_isstring(L, -1))
		luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
	add_value(L, sub);
	sub->is_changed = true;
}

static void
replace(lua_State *L, struct subst *sub, const struct matcher *m)
{
	const char *start;
	ptrdiff_t len;

	sub->count++;
	sub->end = m->s;
	switch (lua_type(L, 3)) {
	case LUA_TFUNCTION:
		lua_pushvalue(L, 3);
		lua_callk(L, matcher_push_captures(m, L, sub->at, true), 1, AFTER_CALL,
			continue_subst);
		add_answer(L, sub);
		break;
	case LUA_TTABLE:
		len = matcher_capture(m, L, 0, sub->at, &start);
		if (len != MATCH_POSITION)
			lua_pushlstring(L, start, (size_t)len);
		lua_gettable(L, 3);
		add_answer(L, sub);
		break;
	default:
		add_template(L, sub, m);
		sub->is_changed = true;
	}
}

static int
finish_subst(lua_State *L, struct subst *sub, const char *src_end)
{
	if (sub->is_changed) {
		add(L, sub, sub->at, (size_t)(src_end - sub->at));
		lua_pushlstring(L, sub->text, sub->len);
	} else {
		lua_pushvalue(L, 1);
	}
	lua_pushinteger(L, sub->count);
	return 2;
}

/* The match that began at sub->at has this result.  Returns false when it was the last. */
static bool
take_match(lua_State *L, struct subst *sub, const struct matcher *m, enum match_result r)
{
	if (r == MATCH_YES && m->s != sub->last) {
		replace(L, sub, m);
		sub->at = sub->last = sub->end;
	} else if (sub->at < m->src_end) {
		add(L, sub, sub->at++, 1);
	} else {
		return false;
	}
	return !sub->is_anchored;
}

/* is_begun: m is in the middle of a match. */
static int
run_subst(lua_State *L, struct subst *sub, struct matcher *m, bool is_begun)
{
	bool goes_on = true;

	while (goes_on && (is_begun || sub->count < sub->max)) {
		enum match_result r;

		if (!is_begun)
			matcher_start(m, sub->at);
		is_begun = false;
		r = matcher_run(m, L);
		if (r == MATCH_LATER) {
			save(L, m, 0, m);
			return limits_pass(L, AFTER_SLICE, continue_subst);
		}
		goes_on = take_match(L, sub, m, r);
	}
	return finish_subst(L, sub, m->src_end);
}

static int
continue_subst(lua_State *L, int status, lua_KContext context)
{
	struct subst *sub = lua_touserdata(L, SUBST_INDEX);
	struct matcher m;
	size_t len;
	const char *src = lua_tolstring(L, 1, &len);

	(void)status;
	if (context == AFTER_SLICE) {
		restore(L, &m);
		return run_subst(L, sub, &m, true);
	}
	add_answer(L, sub);
	sub->at = sub->last = sub->end;
	matcher_init(&m, src, len, sub->pat, sub->pat_len);
	if (sub->is_anchored)
		return finish_subst(L, sub, m.src_end);
	return run_subst(L, sub, &m, false);
}

static struct subst *
new_subst(lua_State *L, const char *src, const char *pat, size_t pat_len, lua_Integer max)
{
	struct subst *sub;

	lua_settop(L, SUBST_INDEX - 1);
	sub = lua_newuserdatauv(L, sizeof(*sub), 0);
	lua_pushnil(L);
	sub->is_anchored = *pat == '^';
	sub->is_changed = false;
	sub->pat = pat + sub->is_anchored;
	sub->pat_len = pat_len - sub->is_anchored;
	sub->at = src;
	sub->last = sub->end = NULL;
	sub->count = 0;
	sub->max = max;
	sub->text = sub->first;
	sub->len = 0;
	sub->cap = sizeof(sub->first);
	return sub;
}

int
pattern_gsub(lua_State *L)
{
	size_t len, pat_len;
	const char *src = luaL_checklstring(L, 1, &len), *pat = luaL_checklstring(L, 2, &pat_len);
	int type = lua_type(L, 3);
	lua_Integer max = luaL_optinteger(L, 4, (lua_Integer)len + 1);
	struct subst *sub;
	struct matcher m;

	luaL_argexpected(L,
		type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION ||
			type == LUA_TTABLE,
		3, "string/function/table");
	host_tick(L);
	sub = new_subst(L, src, pat, pat_len, max);
	matcher_init(&m, src, len, sub->pat, sub->pat_len);
	return run_subst(L, sub, &m, false);
}
