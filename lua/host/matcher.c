/* The matcher of Lua 5.4's patterns, on a stack of its own.
 *
 * Lua's own recurses in C: no count hook runs inside it, so a pattern that explodes ("a-a-a-...b")
 * could be ended by killing the process only.  Here what Lua keeps on the C stack, the places to
 * come back to when the rest does not match, is an array (bounded, since Lua bounds its recursion),
 * and everything else is in struct matcher too.  So a match can stop between any two steps: to look
 * at the clock, and to let others run when its slice is over.
 *
 * A success further on is the success of the whole: nothing is to be done on the way back.  Only
 * failures come back, to the newest frame: it tries its next possibility, or goes.
 *
 * Results and messages are those of lstrlib.c in 5.4.4, also where they surprise; tests/fuzz
 * compares.
 */
#include "lua/host/matcher.h"
#include "lua/host/invocation.h"

#include <ctype.h>
#include <string.h>

#define ESCAPE         '%'
#define STEPS_PER_LOOK 4096 /* some 20 us */
#define COUNT_CHUNK    4096 /* items counted in one step */
#define SET_BYTES_STEP 16   /* bytes of a [set], or of a text compared, that count as a step */

static inline unsigned char
byte(const char *s)
{
	return (unsigned char)*s;
}

/* ---- single characters ---------------------------------------------------------------------- */

static const char *
item_end(const struct matcher *m, lua_State *L, const char *p)
{
	if (*p == ESCAPE) {
		if (p + 1 == m->pat_end)
			luaL_error(L, "malformed pattern (ends with '%%')");
		return p + 2;
	}
	if (*p++ != '[')
		return p;
	if (*p == '^')
		p++;
	do { /* a ']' that comes first is one of the set */
		if (p == m->pat_end)
			luaL_error(L, "malformed pattern (missing ']')");
		if (*p++ == ESCAPE && p < m->pat_end)
			p++;
	} while (*p != ']');
	return p + 1;
}

static bool
in_class(int c, int class)
{
	bool is_in;

	switch (tolower(class)) {
	case 'a':
		is_in = isalpha(c);
		break;
	case 'c':
		is_in = iscntrl(c);
		break;
	case 'd':
		is_in = isdigit(c);
		break;
	case 'g':
		is_in = isgraph(c);
		break;
	case 'l':
		is_in = islower(c);
		break;
	case 'p':
		is_in = ispunct(c);
		break;
	case 's':
		is_in = isspace(c);
		break;
	case 'u':
		is_in = isupper(c);
		break;
	case 'w':
		is_in = isalnum(c);
		break;
	case 'x':
		is_in = isxdigit(c);
		break;
	case 'z': /* Lua 5.1 */
		is_in = c == 0;
		break;
	default:
		return class == c;
	}
	return isupper(class) ? !is_in : is_in;
}

/* p is at the '[', last at the ']'. */
static bool
in_set(int c, const char *p, const char *last)
{
	bool is_listed = true;

	if (p[1] == '^') {
		is_listed = false;
		p++;
	}
	while (++p < last) {
		if (*p == ESCAPE) {
			p++;
			if (in_class(c, byte(p)))
				return is_listed;
		} else if (p[1] == '-' && p + 2 < last) {
			p += 2;
			if (byte(p - 2) <= c && c <= byte(p))
				return is_listed;
		} else if (byte(p) == c) {
			return is_listed;
		}
	}
	return !is_listed;
}

static inline bool
is_item(struct matcher *m, const char *s, const char *item, const char *end)
{
	if (s >= m->src_end)
		return false;
	switch (*item) {
	case '.':
		return true;
	case ESCAPE:
		return in_class(byte(s), byte(item + 1));
	case '[':
		m->steps += (unsigned)((size_t)(end - item) / SET_BYTES_STEP);
		return in_set(byte(s), item, end - 1);
	default:
		return *item == *s;
	}
}

/* ---- going forward -------------------------------------------------------------------------- */

static void
fail(struct matcher *m)
{
	m->next = NEXT_BACK;
}

static void
go(struct matcher *m, const char *s, const char *p)
{
	m->s = s;
	m->p = p;
	m->next = NEXT_MATCH;
}

static struct match_frame *
push_frame(struct matcher *m, lua_State *L, enum match_back kind, const char *s)
{
	struct match_frame *f = &m->frames[m->depth];

	if (m->depth == MATCH_DEPTH_MAX - 1)
		luaL_error(L, "pattern too complex");
	m->depth++;
	f->kind = kind;
	f->s = s;
	return f;
}

static void
open_capture(struct matcher *m, lua_State *L)
{
	bool is_position = m->p[1] == ')';

	if (m->level >= MATCH_CAPTURES_MAX)
		luaL_error(L, "too many captures");
	m->captures[m->level++] = (struct match_capture){
		.start = m->s, .len = is_position ? MATCH_POSITION : MATCH_UNFINISHED};
	(void)push_frame(m, L, BACK_OPEN, m->s);
	go(m, m->s, m->p + 1 + is_position);
}

static void
close_capture(struct matcher *m, lua_State *L)
{
	unsigned i = m->level;

	while (i > 0 && m->captures[i - 1].len != MATCH_UNFINISHED)
		i--;
	if (i == 0)
		luaL_error(L, "invalid pattern capture");
	m->captures[i - 1].len = m->s - m->captures[i - 1].start;
	push_frame(m, L, BACK_CLOSE, m->s)->count = i - 1;
	go(m, m->s, m->p + 1);
}

/* %bxy */
static void
balance(struct matcher *m, lua_State *L)
{
	const char *s = m->s, *p = m->p + 2;
	int open = 1;

	if (p >= m->pat_end - 1)
		luaL_error(L, "malformed pattern (missing arguments to '%%b')");
	fail(m);
	if (*s != *p)
		return;
	while (++s < m->src_end) {
		if (*s == p[1]) {
			if (--open == 0) {
				go(m, s + 1, p + 2);
				break;
			}
		} else if (*s == p[0]) {
			open++;
		}
	}
	m->steps += (unsigned)((s - m->s) / 4);
}

/* %f[set] */
static void
frontier(struct matcher *m, lua_State *L)
{
	const char *set = m->p + 2, *end;
	int before = m->s == m->src ? '\0' : byte(m->s - 1);

	if (*set != '[')
		luaL_error(L, "missing '[' after '%%f' in pattern");
	end = item_end(m, L, set);
	m->steps += (unsigned)((end - set) / SET_BYTES_STEP);
	if (!in_set(before, set, end - 1) && in_set(byte(m->s), set, end - 1))
		go(m, m->s, end);
	else
		fail(m);
}

/* %1 */
static void
back_reference(struct matcher *m, lua_State *L)
{
	int i = m->p[1] - '1';
	size_t len;

	if (i < 0 || i >= (int)m->level || m->captures[i].len == MATCH_UNFINISHED)
		luaL_error(L, "invalid capture index %%%d", i + 1);
	len = (size_t)m->captures[i].len; /* that of a position is longer than any text */
	fail(m);
	if ((size_t)(m->src_end - m->s) < len)
		return;
	m->steps += (unsigned)(len / SET_BYTES_STEP);
	if (memcmp(m->captures[i].start, m->s, len) == 0)
		go(m, m->s + len, m->p + 2);
}

static void
repeat(struct matcher *m, lua_State *L, enum match_back kind, const char *end)
{
	struct match_frame *f = push_frame(m, L, kind, m->s);

	f->item = m->p;
	f->item_end = end;
	f->count = 1; /* that the first one is there is known */
	if (kind == BACK_MOST)
		m->next = NEXT_COUNT;
	else
		go(m, kind == BACK_FEWEST ? m->s : m->s + 1, end + 1);
}

/* One character, perhaps with '*', '+', '-' or '?'. */
static void
match_item(struct matcher *m, lua_State *L)
{
	const char *end = item_end(m, L, m->p);
	char suffix = *end; /* NUL at the end of the pattern */

	if (!is_item(m, m->s, m->p, end)) {
		if (suffix == '*' || suffix == '?' || suffix == '-')
			go(m, m->s, end + 1);
		else
			fail(m);
		return;
	}
	switch (suffix) {
	case '*':
		repeat(m, L, BACK_MOST, end);
		break;
	case '+':
		m->s++;
		repeat(m, L, BACK_MOST, end);
		m->frames[m->depth - 1].count = 0;
		break;
	case '-':
		repeat(m, L, BACK_FEWEST, end);
		break;
	case '?':
		repeat(m, L, BACK_OPTION, end);
		break;
	default:
		go(m, m->s + 1, end);
	}
}

static void
match_next(struct matcher *m, lua_State *L)
{
	switch (*m->p) {
	case '(':
		open_capture(m, L);
		return;
	case ')':
		close_capture(m, L);
		return;
	case '$':
		if (m->p + 1 != m->pat_end)
			break;
		if (m->s == m->src_end)
			go(m, m->s, m->pat_end);
		else
			fail(m);
		return;
	case ESCAPE:
		if (m->p[1] == 'b')
			balance(m, L);
		else if (m->p[1] == 'f')
			frontier(m, L);
		else if (isdigit(byte(m->p + 1)))
			back_reference(m, L);
		else
			break;
		return;
	}
	match_item(m, L);
}

/* A '*' or '+': how many there are at most. */
static void
count_items(struct matcher *m)
{
	struct match_frame *f = &m->frames[m->depth - 1];
	ptrdiff_t from = f->count, until = from + COUNT_CHUNK;

	while (f->count < until && is_item(m, f->s + f->count, f->item, f->item_end))
		f->count++;
	m->steps += (unsigned)(f->count - from);
	if (f->count < until)
		go(m, f->s + f->count, f->item_end + 1);
}

/* ---- coming back ---------------------------------------------------------------------------- */

/* The rest did not match. */
static void
go_back(struct matcher *m)
{
	struct match_frame *f = &m->frames[m->depth - 1];

	switch (f->kind) {
	case BACK_OPEN:
		m->level--;
		m->depth--;
		break;
	case BACK_CLOSE:
		m->captures[f->count].len = MATCH_UNFINISHED;
		m->depth--;
		break;
	case BACK_MOST:
		if (f->count-- > 0)
			go(m, f->s + f->count, f->item_end + 1);
		else
			m->depth--;
		break;
	case BACK_FEWEST:
		if (is_item(m, f->s, f->item, f->item_end))
			go(m, ++f->s, f->item_end + 1);
		else
			m->depth--;
		break;
	case BACK_OPTION:
		m->depth--;
		go(m, f->s, f->item_end + 1);
		break;
	}
}

/* ---- the whole ------------------------------------------------------------------------------ */

void
matcher_init(struct matcher *m, const char *src, size_t src_len, const char *pat, size_t pat_len)
{
	m->src = src;
	m->src_end = src + src_len;
	m->pat = pat;
	m->pat_end = pat + pat_len;
	m->steps = 0;
}

void
matcher_start(struct matcher *m, const char *s)
{
	m->level = m->depth = 0;
	m->steps++;
	go(m, s, m->pat);
}

enum match_result
matcher_run(struct matcher *m, lua_State *L)
{
	for (;;) {
		if (m->steps++ >= STEPS_PER_LOOK) {
			m->steps = 0;
			if (limits_slice_is_over(L))
				return MATCH_LATER;
		}
		switch (m->next) {
		case NEXT_MATCH:
			if (m->p == m->pat_end)
				return MATCH_YES;
			match_next(m, L);
			break;
		case NEXT_COUNT:
			count_items(m);
			break;
		case NEXT_BACK:
			if (m->depth == 0)
				return MATCH_NO;
			go_back(m);
			break;
		}
	}
}

size_t
matcher_size(const struct matcher *m)
{
	return offsetof(struct matcher, frames) + m->depth * sizeof(m->frames[0]);
}

/* ---- captures ------------------------------------------------------------------------------- */

ptrdiff_t
matcher_capture(
	const struct matcher *m, lua_State *L, unsigned i, const char *s, const char **ret_start)
{
	const struct match_capture *c = &m->captures[i];

	if (i >= m->level) {
		if (i != 0)
			luaL_error(L, "invalid capture index %%%d", (int)i + 1);
		*ret_start = s;
		return m->s - s;
	}
	if (c->len == MATCH_UNFINISHED)
		luaL_error(L, "unfinished capture");
	if (c->len == MATCH_POSITION)
		lua_pushinteger(L, c->start - m->src + 1);
	*ret_start = c->start;
	return c->len;
}

int
matcher_push_captures(const struct matcher *m, lua_State *L, const char *s, bool is_whole)
{
	unsigned count = m->level == 0 && is_whole ? 1 : m->level;

	luaL_checkstack(L, (int)count, "too many captures");
	for (unsigned i = 0; i < count; i++) {
		const char *start;
		ptrdiff_t len = matcher_capture(m, L, i, s, &start);

		if (len != MATCH_POSITION)
			lua_pushlstring(L, start, (size_t)len);
	}
	return (int)count;
}
