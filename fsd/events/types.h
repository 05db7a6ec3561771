/* The known event types: events/types.  Other names are accepted too (event_type_check). */
#ifndef SLOTH_EVENTS_TYPES_H
#define SLOTH_EVENTS_TYPES_H

#include <stddef.h>

struct event_type {
	const char *category;
	const char *name;
	const char *emitter; /* master, agent, run, ...: the part of the product; anyone */
	const char *fields;  /* of data, separated by commas */
	const char *meaning;
};

/* All of them, by category. */
extern const struct event_type event_types[];
extern const size_t event_type_count;

#endif
