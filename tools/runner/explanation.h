/* What each hook made of an event, from events/<id>/why. */
#ifndef SLOTH_RUNNER_EXPLANATION_H
#define SLOTH_RUNNER_EXPLANATION_H

#include "tools/runner/mount.h"
#include "tools/runner/print.h"

#include <jansson.h>

/* One line of why each, as {hook, decision, reason}; the first is about the event itself and its
 * hook is "event".  A reference for the caller. */
int explanation_read(
	const struct mount *mount, const char *id, json_t **ret_lines, struct err *err) MUST_USE;

/* The line of a hook, by its label; NULL when there is none.  Borrowed from lines. */
json_t *explanation_of(const json_t *lines, const char *label);

#endif
