/* An event as the commands show it. */
#ifndef SLOTH_RUNNER_EVENT_H
#define SLOTH_RUNNER_EVENT_H

#include "tools/runner/mount.h"
#include "tools/runner/print.h"

#include <jansson.h>

/* Read event.json, with "hook_executions": an array of {hook_name, status, attempts, executed_at,
 * duration_ms, message?, output?, error?}.  Returns 0 and a reference for the caller. */
int event_read(
	const struct mount *mount, const char *id, json_t **ret_event, struct err *err) MUST_USE;

/* Wait for the end of an event.  Its status is told by words, unless is_quiet, and by the result:
 * EXIT_OK, EXIT_HOOK when it failed, or a negative errno. */
int event_wait(const struct mount *mount, const char *id, bool is_quiet, struct err *err) MUST_USE;

/* Parse a JSON file of the mount that was read into text. */
int json_parse(
	const char *path, const struct sbuf *text, json_t **ret_json, struct err *err) MUST_USE;

static inline void
json_auto(json_t **json)
{
	json_decref(*json);
}

#endif
