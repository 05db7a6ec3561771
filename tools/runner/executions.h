/* Executions of a hook, from its log. */
#ifndef SLOTH_RUNNER_EXECUTIONS_H
#define SLOTH_RUNNER_EXECUTIONS_H

#include "tools/runner/hook.h"

#include <stdbool.h>
#include <stddef.h>

struct execution_counts {
	size_t shown;           /* returned */
	size_t success, failed; /* among those returned */
	size_t left_out;        /* further ones in the log */
};

/* The newest `limit` (1 or more) executions, newest first, in the form of `hook logs --format
 * json`: {hook_name, hook_id, event_id, event_type, timestamp, status, success, duration,
 * duration_ms, attempts, message?, output?, error?}.  A reference for the caller. */
int executions_read(const struct mount *mount, const json_t *hook, size_t limit,
	bool is_only_failed, json_t **ret_list, struct execution_counts *ret_counts,
	struct err *err) MUST_USE;

/* Outputs and errors in full: the log has only their beginning, the event's files have all of it
 * (as long as the event is kept). */
int executions_complete(const struct mount *mount, json_t *list, struct err *err) MUST_USE;

/* Say on standard error how many were left out, if any. */
void executions_tell_rest(const struct execution_counts *counts);

/* TIMESTAMP, STATUS, DURATION and, on demand, DETAILS: output or error in short. */
void executions_print_table(const json_t *list, bool has_details);

#endif
