/* Conditions on events, as a hook's `match` has them: one a line, and all must hold.
 *
 *	cpu.load >= 90                        numbers by their digits, text by its bytes
 *	host.name = web-* | "db 1"            any of several; * and ? unless in quotes
 *	labels["team"] != ops
 *	message ~ (?i)out of (memory|space)   a regular expression (PCRE2), anywhere in the text
 *	@severity !~ ^debug
 *	disks[0].path exists
 *	error absent
 *
 * The grammar is that of base/conditions.h; docs/conditions.md has the rules of comparison. */
#ifndef SLOTH_LUA_MATCH_H
#define SLOTH_LUA_MATCH_H

#include "lua/host/host.h"

struct match;

/* Compile the lines.  Returns owned, NULL when there is no condition; -EINVAL with the number of
 * the line that is wrong. */
int match_new(const char *text, struct match **ret_match, struct err *err) MUST_USE;
void match_free(struct match *m); /* accepts NULL */

/* What is judged. */
struct match_subject {
	const struct host_event *event;
	const char *data; /* JSON */
	size_t data_len;
};
/* 1 all hold; 0 one does not; -EDQUOT judging it cost too much.  Unless 1, *ret_why is owned and
 * names the condition, and what the value was: "cpu.load >= 90: it is 42". */
int match_judge(
	const struct match *m, const struct match_subject *subject, char **ret_why) MUST_USE;

#endif
