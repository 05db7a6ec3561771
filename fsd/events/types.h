/* Names of event types, and those that are known: events/types.  Other rooms may include this. */
#ifndef SLOTH_EVENTS_TYPES_H
#define SLOTH_EVENTS_TYPES_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct event_type {
	const char *category;
	const char *name;
	const char *emitter; /* master, agent, run, ...: the part of the product; anyone */
	const char *fields;  /* of data, separated by commas */
	const char *meaning;
};

/* All that are known, by category; other names are accepted too. */
extern const struct event_type event_types[];
extern const size_t event_type_count;

/* Whether text may be an event type: `category.action`, 1 to 128 of [a-z0-9_.-] in dotted parts, or
 * a single word.  Returns 0 or -EINVAL with a sentence. */
int event_type_check(const char *type, size_t len, struct err *err);
/* Whether text may be a pattern of types: a type in which * stands for any characters.  Returns 0
 * or -EINVAL with a sentence, which names the known type that was probably meant. */
int event_pattern_check(const char *pattern, size_t len, struct err *err);
/* Whether a pattern (task.*, *) matches a type. */
bool event_type_match(const char *pattern, const char *type);

#endif
