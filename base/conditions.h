/* Conditions on events as people write them, a line each; all must hold.
 *
 *	line   = path operator
 *	path   = a path in the data (base/json_path.h) | @type | @stack | @agent | @severity
 *	       | @source | @run_id
 *	= !=               value | value ...      one of them; * and ? in a bare one are globs
 *	< <= > >=          value                  a number or text, no word of JSON
 *	~ !~               regular expression     to the end of the line
 *	exists absent      nothing
 *	value  = "text with the escapes of JSON" | whatever stands up to the end or ` | `
 *
 * Blanks may stand around the operator, and no other operator's characters behind it: `a =~ b` is
 * refused.  This is the whole grammar, for who keeps conditions and for who judges them; what a
 * glob and a regular expression mean is the judge's (lua/host/match.h).  Pure values. */
#ifndef SLOTH_BASE_CONDITIONS_H
#define SLOTH_BASE_CONDITIONS_H

#include "base/err.h"
#include "base/sbuf.h"

#include <stddef.h>

#define CONDITIONS_MAX      64
#define CONDITION_BYTES_MAX 1024 /* of a line in the form it is shown in */

enum condition_op {
	CONDITION_EQUAL,
	CONDITION_UNEQUAL,
	CONDITION_LESS,
	CONDITION_LESS_EQUAL,
	CONDITION_GREATER,
	CONDITION_GREATER_EQUAL,
	CONDITION_MATCHED,
	CONDITION_UNMATCHED,
	CONDITION_EXISTS,
	CONDITION_ABSENT,
};

enum condition_form {
	CONDITION_NUMBER,
	CONDITION_BARE,
	CONDITION_QUOTED, /* without its quotes and escapes; may have a NUL */
	CONDITION_GLOB,
	CONDITION_REGEX,
};

/* What a value of an event is compared with. */
struct condition_value {
	enum condition_form form;
	char *text;
	size_t len;
};

struct condition {
	char *line; /* in its one form, `path operator value`, which reads back to the same */
	char *path;
	enum condition_op op;
	struct condition_value *values; /* several for = and !=, else one at most */
	size_t count;
};

struct conditions {
	struct condition rows[CONDITIONS_MAX];
	unsigned numbers[CONDITIONS_MAX]; /* on which line of the text each stands, from 1 */
	size_t count;
};

/* Read one line of len bytes.  On success ret is the caller's, for condition_fini; -EINVAL says
 * what is wrong and leaves nothing. */
int condition_parse(const char *line, size_t len, struct condition *ret, struct err *err) MUST_USE;
/* Read a line each; those of blanks count for the number alone.  As condition_parse; -EINVAL begins
 * with the line's number: "line 3: a value is missing". */
int conditions_parse(const char *text, struct conditions *ret, struct err *err) MUST_USE;
/* Append their lines, without a newline at the end. */
void conditions_show(const struct conditions *c, struct sbuf *out);

/* How many bytes of text, from its begin, are a path of an event; 0: it begins with none. */
size_t condition_path_span(const char *text);

/* Leave it all zero. */
void condition_fini(struct condition *c);
void conditions_fini(struct conditions *c);
static inline void
condition_auto(struct condition *c)
{
	condition_fini(c);
}
static inline void
conditions_auto(struct conditions *c)
{
	conditions_fini(c);
}

#endif
