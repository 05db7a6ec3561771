/* From the text of one record to an event: the JSON form and the short form. */
#ifndef SLOTH_EVENTS_PARSE_H
#define SLOTH_EVENTS_PARSE_H

#include "fsd/events/envelope.h"

/* Make an event of a JSON object.  first_line is where it begins, for complaints.  Thread: any.
 * Returns owned in *ret_ev, or -EINVAL, -EACCES (a stack behind the wall). */
int parse_object(const char *text, size_t len, size_t first_line, const struct envelope_from *from,
	struct event **ret_ev, struct err *err) MUST_USE;

/* The same for `type word=value ...`.  A value that is valid JSON (5, true, "two words", {"a":1})
 * is that; other text is a string.  stack, id, severity, timestamp, run_id, agent and source go to
 * the envelope, every other word to data. */
int parse_line(const char *text, size_t len, size_t line, const struct envelope_from *from,
	struct event **ret_ev, struct err *err) MUST_USE;

#endif
