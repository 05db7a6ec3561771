/* The envelope of an event: the fields a sender may give beside the payload.
 *
 * One table names them; the JSON form, the short form and events raised inside the daemon all go
 * through it, so a limit stands in one place.  Unknown fields are refused: a payload put beside
 * `data` instead of inside would otherwise be lost without a word.
 */
#include "fsd/events/envelope.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "fsd/events/json_check.h"
#include "fsd/events/types.h"

#include <stdlib.h>
#include <string.h>

enum field_kind { FIELD_TYPE, FIELD_ID, FIELD_STACK, FIELD_SEVERITY, FIELD_TIMESTAMP, FIELD_TEXT };

struct field {
	const char *name;
	enum field_kind kind;
	size_t offset; /* of the char * in struct event; 0: none */
};

static const struct field fields[] = {
	{"type", FIELD_TYPE, offsetof(struct event, type)},
	{"event_type", FIELD_TYPE, offsetof(struct event, type)},
	{"id", FIELD_ID, offsetof(struct event, sender_id)},
	{"stack", FIELD_STACK, offsetof(struct event, stack)},
	{"severity", FIELD_SEVERITY, offsetof(struct event, severity)},
	{"timestamp", FIELD_TIMESTAMP, 0},
	{"agent", FIELD_TEXT, offsetof(struct event, agent)},
	{"run_id", FIELD_TEXT, offsetof(struct event, run_id)},
	{"source", FIELD_TEXT, offsetof(struct event, source)},
};
#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

#define FIELDS_HELP                                                                                \
	"type, data, id, timestamp, severity, stack, agent, run_id, source; all else belongs "     \
	"into data"

_Static_assert(FIELD_COUNT <= ENVELOPE_FIELDS_MAX, "raise ENVELOPE_FIELDS_MAX");

int
envelope_field(const char *name, size_t len, struct err *err)
{
	size_t i;

	for (i = 0; i < FIELD_COUNT; i++)
		if (strlen(fields[i].name) == len && memcmp(fields[i].name, name, len) == 0)
			return (int)i;
	return err_set(err, EINVAL, "unknown field '%.*s': known are %s",
		(int)(len < 64 ? len : 64), name, FIELDS_HELP);
}

bool
envelope_is_number(int field)
{
	return fields[field].kind == FIELD_TIMESTAMP;
}

struct event *
envelope_new(const struct envelope_from *from)
{
	struct event *ev = NEW(struct event);

	ev->refs = 1;
	ev->stack = mem_strdup(from->stack);
	ev->sender = mem_strdup(from->sender);
	ev->timestamp_ns = from->now_ns;
	return ev;
}

static char **
field_place(struct event *ev, const struct field *f)
{
	return (char **)((char *)ev + f->offset);
}

/* ---- what each field may hold ---------------------------------------------------------------- */

bool
envelope_name_ok(const char *text, size_t len)
{
	size_t i;

	if (len == 0 || len > EVENT_ID_MAX || text[0] == '.')
		return false;
	for (i = 0; i < len; i++) {
		char c = text[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    c == '.' || c == '_' || c == '-'))
			return false;
	}
	return true;
}

/* By a file of events/ (emit, stream, ...). */
static bool
is_taken(const char *name)
{
	static const char *const taken[] = {"emit", "stream", "log", "log.d", "query", "latest",
		"types", "queue", "by-status", "by-type", "cleanup", "replay"};
	size_t i;

	for (i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (strcmp(name, taken[i]) == 0)
			return true;
	return false;
}

int
envelope_severity_check(const char *text, struct err *err)
{
	static const char *const known[] = {"debug", "info", "warning", "error", "critical"};
	struct nearest nearest = {.word = text};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(text, known[i]) == 0)
			return 0;
		nearest_offer(&nearest, known[i]);
	}
	return err_set(err, EINVAL,
		"severity '%.80s' is none of debug, info, warning, error, critical%s%s%s", text,
		nearest.name ? "; did you mean '" : "", nearest.name ? nearest.name : "",
		nearest.name ? "'?" : "");
}

static int
check_id(const char *text, size_t len, struct err *err)
{
	if (!envelope_name_ok(text, len))
		return err_set(err, EINVAL,
			"id '%.80s' must be 1 to %d of A-Z a-z 0-9 . _ - without a leading dot",
			text, EVENT_ID_MAX);
	if (is_taken(text))
		return err_set(err, EINVAL, "id '%s' is the name of a file of events/", text);
	return 0;
}

static int
check_stack(const char *text, size_t len, const struct envelope_from *from, struct err *err)
{
	if (len > 0 && !envelope_name_ok(text, len))
		return err_set(err, EINVAL,
			"stack '%.80s' must be 1 to %d of A-Z a-z 0-9 . _ - without a leading dot",
			text, EVENT_ID_MAX);
	if (from->stack[0] && strcmp(from->stack, text) != 0)
		return err_set(err, EACCES, "an event raised in stack '%s' cannot name stack '%s'",
			from->stack, text);
	return 0;
}

static int
check_text(const char *name, const char *text, size_t len, struct err *err)
{
	size_t i;

	if (len > ENVELOPE_TEXT_MAX)
		return err_set(
			err, EINVAL, "'%s' is longer than %d bytes", name, ENVELOPE_TEXT_MAX);
	for (i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
			return err_set(err, EINVAL, "'%s' holds a control character", name);
	return 0;
}

/* The decimals of a number, in units of unit_ns / 10, / 100, ... */
static int64_t
parse_decimals(const char *digits, int64_t unit_ns)
{
	int64_t ns = 0;

	for (; *digits; digits++) {
		unit_ns /= 10;
		ns += (*digits - '0') * unit_ns;
	}
	return ns;
}

/* Numbers are seconds, or by their size milli-, micro- or nanoseconds since 1970: the ranges do not
 * meet before the year 5138.  Decimals are read as digits, because a double has none left. */
static int
parse_unix(const char *text, size_t len, int64_t *ret_ns)
{
	static const struct {
		int64_t below, unit_ns;
	} ranges[] = {{100000000000, NS_PER_S}, {100000000000000, NS_PER_MS},
		{100000000000000000, NS_PER_US}, {INT64_MAX, 1}};
	int64_t whole;
	size_t i = 0;
	char *end;

	if (!json_is_value(text, len) || text[0] < '0' || text[0] > '9')
		return -EINVAL;
	whole = strtoll(text, &end, 10);
	if (*end && *end != '.')
		return -EINVAL;
	while (whole >= ranges[i].below && ranges[i].below < INT64_MAX)
		i++;
	if (whole > INT64_MAX / ranges[i].unit_ns - 1)
		return -EINVAL;
	*ret_ns = whole * ranges[i].unit_ns;
	if (*end && end[1 + strspn(end + 1, "0123456789")])
		return -EINVAL;
	if (*end)
		*ret_ns += parse_decimals(end + 1, ranges[i].unit_ns);
	return 0;
}

static int
set_timestamp(struct event *ev, const char *text, size_t len, struct err *err)
{
	int64_t ns;

	if (parse_unix(text, len, &ns) < 0 && clock_parse(text, &ns, NULL) < 0)
		return err_set(err, EINVAL,
			"timestamp '%.80s' is neither RFC 3339 (2026-01-02T03:04:05Z) nor a number "
			"of "
			"seconds since 1970",
			text);
	ev->timestamp_ns = ns;
	return 0;
}

static int
field_check(const struct field *f, const char *text, size_t len, const struct envelope_from *from,
	struct err *err)
{
	switch (f->kind) {
	case FIELD_TYPE:
		return event_type_check(text, len, err);
	case FIELD_ID:
		return check_id(text, len, err);
	case FIELD_STACK:
		return check_stack(text, len, from, err);
	case FIELD_SEVERITY:
		return envelope_severity_check(text, err);
	case FIELD_TEXT:
		return check_text(f->name, text, len, err);
	case FIELD_TIMESTAMP:
		break;
	}
	return 0;
}

int
envelope_set(struct event *ev, int field, const char *text, size_t len,
	const struct envelope_from *from, struct err *err)
{
	const struct field *f = &fields[field];
	int code;

	if (f->kind == FIELD_TIMESTAMP)
		return set_timestamp(ev, text, len, err);
	code = field_check(f, text, len, from, err);
	if (code < 0)
		return code;
	free(*field_place(ev, f));
	*field_place(ev, f) = mem_strndup(text, len);
	return 0;
}
