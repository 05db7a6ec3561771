/* Look up a value in JSON text by a path, without building a tree: `host.name`, `disks[0].path`,
 * `labels["a.b"]`.  Walks the text once; the text must be valid JSON.  Of a member given twice the
 * last counts. */
#ifndef SLOTH_BASE_JSON_PATH_H
#define SLOTH_BASE_JSON_PATH_H

#include "base/err.h"
#include "base/sbuf.h"

#include <stddef.h>

/* 0, or -EINVAL with what is wrong with the path. */
int json_path_check(const char *path, struct err *err) MUST_USE;

/* How many bytes of text, from its begin, are a path; 0: it begins with none.  A path ends at a
 * blank, the end, or one of = < > ! ~ | and the comma, unless in quotes. */
size_t json_path_span(const char *text);

/* The value's text, inside json; NULL when there is none.  The path has passed the check. */
const char *json_path_find(const char *json, size_t len, const char *path, size_t *ret_len);

/* Append a value as people write it: a string without its quotes and escapes, anything else as it
 * stands. */
void json_value_text(const char *value, size_t len, struct sbuf *out);

#endif
