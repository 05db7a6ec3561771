/* Words that choose events, as events/query and events/replay take them, from a command's flags. */
#ifndef SLOTH_RUNNER_QUESTION_H
#define SLOTH_RUNNER_QUESTION_H

#include "base/sbuf.h"
#include "tools/runner/args.h"

#include <stdbool.h>

/* The rows of the flags that question_add reads. */
#define FLAGS_QUESTION                                                                             \
	{.name = "type",                                                                           \
		.letter = 't',                                                                     \
		.kind = FLAG_STR,                                                                  \
		.value = "TYPE",                                                                   \
		.help = "only this type; patterns such as task.* too"},                            \
		{.name = "status",                                                                 \
			.letter = 's',                                                             \
			.kind = FLAG_STR,                                                          \
			.value = "STATUS",                                                         \
			.help = "pending, processing, completed or failed"},                       \
		{.name = "stack",                                                                  \
			.kind = FLAG_STR,                                                          \
			.value = "STACK",                                                          \
			.help = "only this stack's"},                                              \
		{.name = "severity",                                                               \
			.kind = FLAG_STR,                                                          \
			.value = "WORD",                                                           \
			.help = "only of this severity"},                                          \
		{.name = "text",                                                                   \
			.kind = FLAG_STR,                                                          \
			.value = "TEXT",                                                           \
			.help = "only with this in their data"},                                   \
		{.name = "since",                                                                  \
			.kind = FLAG_STR,                                                          \
			.value = "TIME",                                                           \
			.help = "how long ago (90m, 7d), or 2026-01-31T12:00:00Z"},                \
	{                                                                                          \
		.name = "until", .kind = FLAG_STR, .value = "TIME", .help = "the same, as the end" \
	}

/* Append the words of those flags that were typed.  Returns whether there was one. */
bool question_add(const struct args *args, struct sbuf *line);

/* Append one word; its value is quoted so that any text stays one. */
void question_add_word(struct sbuf *line, const char *name, const char *value);

#endif
