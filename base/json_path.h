/* Look up a value in JSON text by a path, without building a tree: `host.name`, `disks[0].path`,
 * `labels["a.b"]`.  Walks the text once; the text must be valid JSON. */
#ifndef SLOTH_BASE_JSON_PATH_H
#define SLOTH_BASE_JSON_PATH_H

#include "base/err.h"
#include "base/sbuf.h"

#include <stddef.h>

/* 0, or -EINVAL with what is wrong with the path. */
int json_path_check(const char *path, struct err *err) MUST_USE;

/* The value's text, inside json; NULL when there is none.  The path has passed the check. */
const char *json_path_find(const char *json, size_t len, const char *path, size_t *ret_len);

/* Append a value as people write it: a string without its quotes and escapes, anything else as it
 * stands. */
void json_value_text(const char *value, size_t len, struct sbuf *out);

#endif
