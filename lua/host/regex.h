/* Regular expressions (PCRE2) that end: each look is charged for, and stops when it costs more than
 * it may. */
#ifndef SLOTH_LUA_REGEX_H
#define SLOTH_LUA_REGEX_H

#include "base/err.h"

#include <stddef.h>

#define REGEX_PATTERN_MAX 8192 /* bytes */

struct regex;

/* Compile it; text is UTF-8.  Returns owned; -EINVAL with what is wrong with it and where. */
int regex_new(const char *pattern, size_t len, struct regex **ret_regex, struct err *err) MUST_USE;
void regex_free(struct regex *re); /* accepts NULL */

/* Look for it anywhere in the text, whose bytes need not be UTF-8.  1 found, 0 not, -EDQUOT: it
 * cost too much (some 80 ms). */
int regex_find(const struct regex *re, const char *text, size_t len) MUST_USE;

#endif
