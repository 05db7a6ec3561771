/* Filter lines: see filter.h.  A table of the text keys keeps parsing and matching in step. */
#include "fsd/events/filter.h"

#include "base/mem.h"
#include "fsd/events/envelope.h"
#include "fsd/events/types.h"

#include <stdlib.h>
#include <string.h>

static const struct key {
	const char *name;
	size_t in_filter;
	size_t in_event; /* of the char * to compare with; 0: matched otherwise */
} keys[] = {
	{"type", offsetof(struct event_filter, type), 0},
	{"stack", offsetof(struct event_filter, stack), offsetof(struct event, stack)},
	{"severity", offsetof(struct event_filter, severity), offsetof(struct event, severity)},
	{"agent", offsetof(struct event_filter, agent), offsetof(struct event, agent)},
	{"run_id", offsetof(struct event_filter, run_id), offsetof(struct event, run_id)},
	{"source", offsetof(struct event_filter, source), offsetof(struct event, source)},
	{"since", offsetof(struct event_filter, since), 0},
};
#define BLANKS    " \t\r\n"
#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

static char *
text_at(const void *base, size_t offset)
{
	return *(char *const *)((const char *)base + offset);
}

void
filter_init(struct event_filter *filter)
{
	*filter = (struct event_filter){.status = -1};
}

void
filter_fini(struct event_filter *filter)
{
	size_t i;

	for (i = 0; i < KEY_COUNT; i++)
		free(text_at(filter, keys[i].in_filter));
	filter_init(filter);
}

static int
set_status(struct event_filter *filter, const char *value, struct err *err)
{
	int status;

	for (status = EVENT_PENDING; status <= EVENT_FAILED; status++)
		if (strcmp(event_status_name(status), value) == 0) {
			filter->status = status;
			return 0;
		}
	return err_set(err, EINVAL,
		"status '%.40s' is none of pending, processing, completed, failed", value);
}

/* What no event can have would find nothing, and a follower wait for ever. */
static int
check_value(const char *name, const char *value, struct err *err)
{
	if (strcmp(name, "type") == 0)
		return event_pattern_check(value, strlen(value), err);
	if (strcmp(name, "severity") == 0)
		return envelope_severity_check(value, err);
	return 0;
}

bool
filter_has(const char *name)
{
	size_t i;

	for (i = 0; i < KEY_COUNT; i++)
		if (strcmp(keys[i].name, name) == 0)
			return true;
	return strcmp(name, "status") == 0;
}

int
filter_set(struct event_filter *filter, const char *name, const char *value, struct err *err)
{
	size_t i;

	if (strcmp(name, "status") == 0)
		return set_status(filter, value, err);
	for (i = 0; i < KEY_COUNT; i++)
		if (strcmp(keys[i].name, name) == 0) {
			char **place = (char **)((char *)filter + keys[i].in_filter);

			if (check_value(name, value, err) < 0)
				return -EINVAL;
			free(*place);
			*place = mem_strdup(value);
			return 0;
		}
	return err_set(err, EINVAL,
		"'%.40s' cannot be filtered by; use type, stack, status, severity, agent, run_id, "
		"source, since",
		name);
}

char *
filter_word(char **rest)
{
	char *from = *rest + strspn(*rest, BLANKS), *word = from, *to = from;
	bool is_quoted = false;

	if (!*from)
		return NULL;
	for (; *from && (is_quoted || !strchr(BLANKS, *from)); from++) {
		if (*from == '"') {
			is_quoted = !is_quoted;
			continue;
		}
		if (is_quoted && *from == '\\' && from[1])
			from++;
		*to++ = *from;
	}
	*rest = from + (*from != '\0');
	*to = '\0';
	return word;
}

int
filter_parse(const char *line, size_t len, struct event_filter *ret_filter, struct err *err)
{
	char *text = mem_strndup(line, len), *rest = text, *word;
	struct event_filter filter;
	int code = 0;

	filter_init(&filter);
	while (code == 0 && (word = filter_word(&rest))) {
		char *value = strchr(word, '=');

		if (!value || value == word) {
			code = err_set(err, EINVAL, "'%.80s' is not key=value", word);
			break;
		}
		*value = '\0';
		code = filter_set(&filter, word, value + 1, err);
	}
	free(text);
	if (code < 0) {
		filter_fini(&filter);
		return code;
	}
	*ret_filter = filter;
	return 0;
}

bool
filter_match(const struct event_filter *filter, const struct event *ev)
{
	size_t i;

	if (filter->status >= 0 && filter->status != (int)ev->status)
		return false;
	if (filter->type && !event_type_match(filter->type, ev->type))
		return false;
	for (i = 0; i < KEY_COUNT; i++) {
		const char *wanted = text_at(filter, keys[i].in_filter), *got;

		if (!keys[i].in_event || !wanted)
			continue;
		got = text_at(ev, keys[i].in_event);
		if (strcmp(got ? got : "", wanted) != 0)
			return false;
	}
	return true;
}
