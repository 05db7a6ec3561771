/* An event as one JSON object: event.json, the lines of streams and of the log.
 *
 * Version 1 of the schema.  Always there: v, seq, id, type, status, timestamp, created_at, sender,
 * data.  Only where they mean something: processed_at, stack, severity, agent, run_id, source,
 * cause_seq, cause, replay_of_seq, error, hooks (a list of hook, status, attempts, executed_at,
 * duration_ms, held_until, why, message, error, output).  Times are RFC 3339 in UTC with
 * nanoseconds.
 */
#ifndef SLOTH_EVENTS_EVENT_JSON_H
#define SLOTH_EVENTS_EVENT_JSON_H

#include "base/sbuf.h"
#include "fsd/store/records.h"

#include <stdbool.h>

#define EVENT_JSON_VERSION 1

struct event_json {
	const struct event *ev;
	enum event_status status;
	const struct execution_list *executions; /* NULL: not known */
	bool with_output;
};

/* Append the object on one line, without a newline at its end. */
void event_json(struct sbuf *out, const struct event_json *what);

#endif
