/* An incremental scanner for records: see scan.h.
 *
 * A shell writes a pretty-printed object line by line, a stream of lines is cut by the kernel
 * wherever its buffer ends, and Python writes the newline by itself.  So the ends of records are
 * found by brackets and strings, never by the bounds of a write: an object is complete with its
 * last bracket, whether or not a newline follows.  The state is a few words, so each byte is looked
 * at once however small the pieces are.
 *
 * Brackets are counted, not matched: `{"a":1]` ends at the `]` and is refused by who reads it,
 * which names line and column.  A raw line break inside a string is not JSON and most often means a
 * missing quote; the record ends there as broken, lest one quote swallow all that follows.
 */
#include "fsd/events/scan.h"

#include <string.h>

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void
count_break(struct scan *s, char c)
{
	if (c == '\n') {
		s->line++;
		s->after_object = false;
	}
}

void
scan_drop(struct scan *s)
{
	s->line += s->lines_within;
	s->kind = SCAN_NONE;
	s->record_bytes = s->lines_within = 0;
	s->depth = 0;
	s->in_string = s->is_escaped = s->after_object = false;
}

/* Inside a string: to its closing quote, or to what breaks it. */
static size_t
scan_string(struct scan *s, const char *data, size_t at, size_t len)
{
	for (; at < len; at++) {
		char c = data[at];

		if (s->is_escaped)
			s->is_escaped = false;
		else if (c == '\\')
			s->is_escaped = true;
		else if (c == '"') {
			s->in_string = false;
			return at + 1;
		}
		if (c == '\n')
			return at;
	}
	return at;
}

/* One character of an object outside strings.  Returns true when it closed the object. */
static bool
scan_bracket(struct scan *s, char c)
{
	switch (c) {
	case '"':
		s->in_string = true;
		return false;
	case '{':
	case '[':
		s->depth++;
		return false;
	case '}':
	case ']':
		s->depth--;
		return s->depth == 0;
	case '\n':
		s->lines_within++;
		return false;
	default:
		return false;
	}
}

static enum scan_end
scan_object(struct scan *s, const char *data, size_t at, size_t len, size_t *ret_end)
{
	while (at < len) {
		if (s->in_string) {
			at = scan_string(s, data, at, len);
			if (s->in_string && at < len) {
				*ret_end = at + 1;
				return SCAN_BROKEN;
			}
		} else if (scan_bracket(s, data[at++])) {
			*ret_end = at;
			return SCAN_RECORD;
		}
	}
	*ret_end = len;
	return SCAN_MORE;
}

static enum scan_end
scan_line(const char *data, size_t at, size_t len, size_t *ret_end)
{
	const char *end = memchr(data + at, '\n', len - at);

	*ret_end = end ? (size_t)(end - data) : len;
	return end ? SCAN_RECORD : SCAN_MORE;
}

static void
scan_finish(struct scan *s, enum scan_end end)
{
	bool is_object = s->kind == SCAN_OBJECT && end == SCAN_RECORD;

	s->lines_within += end == SCAN_BROKEN;
	scan_drop(s);
	s->after_object = is_object;
}

enum scan_end
scan_next(struct scan *s, const char *data, size_t len, size_t max_bytes,
	struct scan_piece *ret_piece)
{
	enum scan_end end;
	size_t at = 0;

	*ret_piece = (struct scan_piece){0};
	for (; s->kind == SCAN_NONE && at < len && is_blank(data[at]); at++)
		count_break(s, data[at]);
	ret_piece->begin = ret_piece->end = at;
	if (at == len)
		return SCAN_MORE;
	if (s->kind == SCAN_NONE)
		s->kind = data[at] == '{' ? SCAN_OBJECT : SCAN_LINE;
	end = s->kind == SCAN_OBJECT ? scan_object(s, data, at, len, &ret_piece->end)
				     : scan_line(data, at, len, &ret_piece->end);
	ret_piece->kind = s->kind;
	ret_piece->line = s->line + 1;
	ret_piece->is_junk = s->kind == SCAN_LINE && s->after_object;
	s->record_bytes += ret_piece->end - at;
	if (s->record_bytes > max_bytes)
		end = SCAN_TOO_BIG;
	if (end != SCAN_MORE)
		scan_finish(s, end);
	return end;
}
