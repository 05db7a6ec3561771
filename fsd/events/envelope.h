/* The envelope of an event: the fields beside the payload, and what each may hold. */
#ifndef SLOTH_EVENTS_ENVELOPE_H
#define SLOTH_EVENTS_ENVELOPE_H

#include "base/err.h"
#include "fsd/store/records.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENVELOPE_TEXT_MAX 256 /* bytes of agent, run_id, source */

/* Where records come from. */
struct envelope_from {
	const char *sender;
	const char *stack; /* the wall: records get this stack and may name no other; "" for none */
	int64_t now_ns;    /* the timestamp of records that give none */
};

/* An empty event from there: one reference, stack and sender set.  Returns owned. */
struct event *envelope_new(const struct envelope_from *from);

/* The number of a field in the table below FIELDS_MAX, or -EINVAL with the list of fields. */
#define ENVELOPE_FIELDS_MAX 16
int envelope_field(const char *name, size_t len, struct err *err) MUST_USE;

/* Whether a field takes a JSON number too (timestamp). */
bool envelope_is_number(int field);

/* Set a field, by number, to NUL-terminated text.  Returns 0, -EINVAL, or -EACCES (a stack behind
 * the wall). */
int envelope_set(struct event *ev, int field, const char *text, size_t len,
	const struct envelope_from *from, struct err *err) MUST_USE;

/* Whether text may be a sender's id or a stack's name: 1 to 64 of [A-Za-z0-9._-], no leading dot.
 */
bool envelope_name_ok(const char *text, size_t len);

/* Whether text is a severity: 0, or -EINVAL with a sentence that names them. */
int envelope_severity_check(const char *text, struct err *err) MUST_USE;

#endif
