/* Conditions as match_compile.c makes them and match.c judges them. */
#ifndef SLOTH_LUA_MATCH_IMPL_H
#define SLOTH_LUA_MATCH_IMPL_H

#include "lua/host/match.h"

#include "base/conditions.h"
#include "lua/host/regex.h"

struct match {
	struct conditions says;
	/* of each of the values of each: what a glob or a regular expression became, else NULL */
	struct regex **regexes[CONDITIONS_MAX];
};

#endif
