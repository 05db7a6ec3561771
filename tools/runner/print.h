/* What people and scripts see: tables, JSON, durations.  Results go to standard output, everything
 * else to standard error, so that `-o json` stays clean. */
#ifndef SLOTH_RUNNER_PRINT_H
#define SLOTH_RUNNER_PRINT_H

#include "base/sbuf.h"
#include "tools/runner/args.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* The row of the flag that print_is_json reads: -o json, --output json, --format json. */
#define FLAG_OUTPUT                                                                                \
	{                                                                                          \
		.name = "output", .also = "format", .letter = 'o', .kind = FLAG_WORD,              \
		.value = "table|json", .preset = "table", .help = "how to print it"                \
	}
bool print_is_json(const struct args *args);

/* The row of the same flag where JSON is all there is. */
#define FLAG_OUTPUT_JSON                                                                           \
	{                                                                                          \
		.name = "output", .also = "format", .letter = 'o', .kind = FLAG_WORD,              \
		.value = "json", .preset = "json", .help = "how to print it"                       \
	}

/* Two-space indent, members in the order they were set.  Borrows. */
void print_json(const json_t *json);

/* A table: heads ends with NULL.  Cells of the column `status` (-1: none) are coloured by what they
 * say.  A row has a cell for every head; NULL is shown as "-". */
struct table;
struct table *table_new(const char *const *heads, int status);
void table_add(struct table *table, const char *const *cells);
void table_print(struct table *table); /* releases it */

/* Append a duration as Go writes it: "245.3ms", "1m30.5s", "1h0m0s". */
void print_add_duration(struct sbuf *out, int64_t ns);

/* Append the text on one line and at most max bytes, with "..." where it was cut. */
void print_add_cut(struct sbuf *out, const char *text, size_t max);

/* Append it as one word of a shell's line, in quotes where it needs them. */
void print_add_quoted(struct sbuf *out, const char *text);

/* Ask on the terminal; yes only for y or yes.  Returns 1 yes, 0 no, or -EINVAL without a terminal:
 * then nobody can answer, and err says which flag skips the question. */
int print_confirm(const char *question, struct err *err) MUST_USE;

/* Members of a JSON object as text: "" when missing or of another kind.  Borrowed. */
const char *json_text(const json_t *object, const char *name);

#endif
