/* Filter lines: `type=task.* stack=production status=failed since=<id>`.  Words are all to be met;
 * keys are type (a glob), stack, status, severity, agent, run_id, source, and since. */
#ifndef SLOTH_EVENTS_FILTER_H
#define SLOTH_EVENTS_FILTER_H

#include "base/err.h"
#include "fsd/store/records.h"

#include <stdbool.h>
#include <stddef.h>

/* {0} lets everything pass; but status, where -1 does (filter_init). */
struct event_filter {
	char *type, *stack, *severity, *agent, *run_id, *source, *since;
	int status; /* enum event_status or -1 */
};

/* Let everything pass. */
void filter_init(struct event_filter *filter);
/* Free what it holds; it lets everything pass again. */
void filter_fini(struct event_filter *filter);

/* Take the next word off a line, cutting it in place: words are parted by blanks, but not inside
 * double quotes, where a backslash takes the next character as it is.  NULL at the end. */
char *filter_word(char **rest);
/* Whether there is a key of that name. */
bool filter_has(const char *name);
/* Set one key; -EINVAL names the keys there are, or the values. */
int filter_set(
	struct event_filter *filter, const char *name, const char *value, struct err *err) MUST_USE;

/* Read one line; an empty one lets everything pass.  Returns 0 or -EINVAL. */
int filter_parse(
	const char *line, size_t len, struct event_filter *ret_filter, struct err *err) MUST_USE;

/* Whether the event meets every word but since, which is the caller's. */
bool filter_match(const struct event_filter *filter, const struct event *ev);

#endif
