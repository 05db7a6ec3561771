/* A validating walk over JSON text that makes nothing: it tells where values begin and end, so that
 * a payload can be kept byte for byte.  It accepts what jansson accepts, no more and no less. */
#ifndef SLOTH_EVENTS_JSON_CHECK_H
#define SLOTH_EVENTS_JSON_CHECK_H

#include "base/err.h"
#include "base/sbuf.h"

#include <stdbool.h>
#include <stddef.h>

#define JSON_DEPTH_MAX 2048 /* jansson's */

struct json_text {
	const char *at, *end;
	unsigned depth;
};

struct json_span {
	const char *at;
	size_t len;
};

/* Move behind one value and the blanks around it.  Returns whether there was a valid one. */
bool json_value(struct json_text *t) MUST_USE;

/* Move behind one number, string, ... with nothing around it: for words of the short form. */
bool json_is_value(const char *text, size_t len);

/* Walk the members of an object: json_enter once, then json_member until it returns 0 (the closing
 * bracket is passed); -1 is invalid text.  Both spans are raw: strings have their quotes. */
bool json_enter(struct json_text *t) MUST_USE;
int json_member(
	struct json_text *t, struct json_span *ret_key, struct json_span *ret_value) MUST_USE;

/* Append the content of a valid JSON string given with its quotes. */
void json_unquote(struct json_span string, struct sbuf *out);

/* Say what is wrong with text that is not valid.  Line counts from first_line.  Returns -EINVAL. */
int json_explain(const char *text, size_t len, size_t first_line, struct err *err);

#endif
