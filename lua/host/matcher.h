/* Lua's patterns: one match, which may be interrupted and gone on with. */
#ifndef SLOTH_LUA_MATCHER_H
#define SLOTH_LUA_MATCHER_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#define MATCH_CAPTURES_MAX 32
#define MATCH_DEPTH_MAX    200 /* places to come back to, of one match */
#define MATCH_UNFINISHED   (-1)
#define MATCH_POSITION     (-2)

enum match_result { MATCH_NO, MATCH_YES, MATCH_LATER };

struct match_capture {
	const char *start;
	ptrdiff_t len; /* or MATCH_UNFINISHED, MATCH_POSITION */
};

/* Where a match that failed further on goes back to. */
struct match_frame {
	enum match_back {
		BACK_OPEN,   /* a capture was opened */
		BACK_CLOSE,  /* capture `count` was closed */
		BACK_MOST,   /* count items from s on are taken; fewer may do */
		BACK_FEWEST, /* the items before s are taken; one more may do */
		BACK_OPTION, /* the item at s was taken; none may do */
	} kind;
	const char *s;
	const char *item, *item_end; /* in the pattern */
	ptrdiff_t count;
};

struct matcher {
	const char *src, *src_end, *pat, *pat_end;
	const char *s, *p; /* what comes next; after MATCH_YES s is the end of the match */
	enum { NEXT_MATCH, NEXT_COUNT, NEXT_BACK } next;
	unsigned steps; /* since the clock was looked at */
	unsigned level, depth;
	struct match_capture captures[MATCH_CAPTURES_MAX];
	struct match_frame frames[MATCH_DEPTH_MAX]; /* last: those in use are saved */
};

/* Make m match the pattern against the text; both are borrowed, and are Lua's (a NUL follows).  The
 * caller has taken an anchor off the pattern. */
void matcher_init(
	struct matcher *m, const char *src, size_t src_len, const char *pat, size_t pat_len);
/* Begin at s. */
void matcher_start(struct matcher *m, const char *s);
/* Go on until it matched, or cannot.  MATCH_LATER: the time slice is over and L can yield; call it
 * again later.  Raises what is wrong with the pattern, and when the deadline has passed. */
enum match_result matcher_run(struct matcher *m, lua_State *L);
/* The bytes of m that are in use: it may be copied elsewhere and back. */
size_t matcher_size(const struct matcher *m);

/* Capture i (from 0) of a match from s to m->s; the whole match when there is no capture.  Returns
 * its length and where it starts, or MATCH_POSITION having pushed the position.  May raise. */
ptrdiff_t matcher_capture(
	const struct matcher *m, lua_State *L, unsigned i, const char *s, const char **ret_start);
/* Push all captures, or the whole match when there are none and is_whole; returns how many. */
int matcher_push_captures(const struct matcher *m, lua_State *L, const char *s, bool is_whole);

#endif
