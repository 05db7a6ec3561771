/* Conditions as match_lines.c makes them and match.c judges them. */
#ifndef SLOTH_LUA_MATCH_IMPL_H
#define SLOTH_LUA_MATCH_IMPL_H

#include "lua/host/match.h"
#include "lua/host/regex.h"

enum relation {
	OP_EQUAL,
	OP_UNEQUAL,
	OP_LESS,
	OP_LESS_EQUAL,
	OP_GREATER,
	OP_GREATER_EQUAL,
	OP_MATCHED,
	OP_UNMATCHED,
	OP_EXISTS,
	OP_ABSENT,
};

/* One of what a value may be compared with. */
struct literal {
	enum { LITERAL_NUMBER, LITERAL_BARE, LITERAL_QUOTED, LITERAL_GLOB } kind;
	char *text;
	size_t len;
	struct regex *glob;
};

struct condition {
	char *line; /* without the blanks around it */
	char *path;
	enum relation op;
	struct literal *literals; /* several for = and !=, else one at most */
	size_t count;
	struct regex *regex;
};

struct match {
	struct condition conditions[MATCH_LINES_MAX];
	size_t count;
};

#endif
