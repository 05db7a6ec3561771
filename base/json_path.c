/* Values of JSON text by path: see json_path.h.
 *
 * The text is an event's data as its sender wrote it: checked once, kept byte for byte, and asked
 * for one or two values by each hook it reaches.  So nothing is built: a step of the path is looked
 * for among the members of one object, what lies before it is skipped by counting brackets, and the
 * next step begins inside the member found.  Of a name given twice the last value counts, as it
 * does where a script sees the data.
 *
 * Every look checks the end of the text first: text that is not JSON gives a wrong answer, never a
 * read outside. */
#include "base/json_path.h"

#include "base/auto.h"

#include <stdbool.h>
#include <string.h>

#define PATH_MAX_BYTES 256
#define INDEX_DIGITS   9
#define NOT_IN_NAMES   ".[]\"=<>!~|," /* and blanks: they stand around paths */

/* JSON text from at on. */
struct span {
	const char *at, *end;
};

/* One step of a path: a member or an element. */
struct step {
	const char *name; /* NULL: an element */
	size_t len;
	bool has_escapes; /* name is JSON text */
	size_t index;
};

/* ---- text ------------------------------------------------------------------------------------ */

static void
skip_blanks(struct span *s)
{
	while (s->at < s->end && strchr(" \t\r\n", *s->at) && *s->at)
		s->at++;
}

/* Move behind a string that begins here. */
static void
skip_string(struct span *s)
{
	for (s->at++; s->at < s->end && *s->at != '"'; s->at++)
		if (*s->at == '\\' && s->at + 1 < s->end)
			s->at++;
	s->at = s->at < s->end ? s->at + 1 : s->end;
}

static bool
is_one_of(char c, const char *chars)
{
	return c && strchr(chars, c);
}

/* Move behind a value that begins here. */
static void
skip_value(struct span *s)
{
	size_t depth = 0;

	if (s->at < s->end && !is_one_of(*s->at, "{[\"")) {
		while (s->at < s->end && !is_one_of(*s->at, ",]} \t\r\n"))
			s->at++;
		return;
	}
	while (s->at < s->end) {
		if (*s->at == '"') {
			skip_string(s);
		} else {
			depth += is_one_of(*s->at, "{[") ? 1 : 0;
			depth -= is_one_of(*s->at, "}]") ? 1 : 0;
			s->at++;
		}
		if (depth == 0)
			return;
	}
}

static unsigned
hex4(const char *p)
{
	unsigned v = 0;
	int i;

	for (i = 0; i < 4; i++) {
		char c = p[i];

		v = v * 16 + (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return v & 0xffff;
}

static void
add_utf8(struct sbuf *out, unsigned c)
{
	if (c < 0x80) {
		sbuf_addc(out, (char)c);
	} else if (c < 0x800) {
		sbuf_addc(out, (char)(0xc0 | c >> 6));
		sbuf_addc(out, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		sbuf_addc(out, (char)(0xe0 | c >> 12));
		sbuf_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
		sbuf_addc(out, (char)(0x80 | (c & 0x3f)));
	} else {
		sbuf_addc(out, (char)(0xf0 | c >> 18));
		sbuf_addc(out, (char)(0x80 | (c >> 12 & 0x3f)));
		sbuf_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
		sbuf_addc(out, (char)(0x80 | (c & 0x3f)));
	}
}

/* Append the character whose \u escape begins at p; returns what is behind it.  Half a pair is no
 * character: U+FFFD. */
static const char *
add_unicode(struct sbuf *out, const char *p, const char *end)
{
	unsigned c, low;

	if (end - p < 6)
		return end;
	c = hex4(p + 2);
	p += 6;
	if (c >= 0xd800 && c < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
		low = hex4(p + 2);
		if (low >= 0xdc00 && low < 0xe000) {
			add_utf8(out, 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00));
			return p + 6;
		}
	}
	add_utf8(out, c >= 0xd800 && c < 0xe000 ? 0xfffd : c);
	return p;
}

/* Append what stands between the quotes of a string. */
static void
add_unescaped(struct sbuf *out, const char *p, size_t len)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *end = p + len;

	while (p < end) {
		const char *escape = memchr(p, '\\', (size_t)(end - p));
		const char *found;

		sbuf_add(out, p, (size_t)((escape ? escape : end) - p));
		if (!escape || end - escape < 2)
			return;
		if (escape[1] == 'u') {
			p = add_unicode(out, escape, end);
			continue;
		}
		found = escape[1] ? strchr(from, escape[1]) : NULL;
		sbuf_addc(out, found ? to[found - from] : escape[1]);
		p = escape + 2;
	}
}

void
json_value_text(const char *value, size_t len, struct sbuf *out)
{
	if (len >= 2 && value[0] == '"')
		add_unescaped(out, value + 1, len - 2);
	else
		sbuf_add(out, value, len);
}

/* ---- paths ----------------------------------------------------------------------------------- */

/* Read `0]` or `"name"]` behind a bracket. */
static bool
take_bracket(const char **p, struct step *ret)
{
	struct span s = {*p, *p + strlen(*p)};

	*ret = (struct step){0};
	if (*s.at == '"') {
		skip_string(&s);
		ret->name = *p + 1;
		ret->len = (size_t)(s.at - *p) < 2 ? 0 : (size_t)(s.at - *p) - 2;
		ret->has_escapes = memchr(ret->name, '\\', ret->len) != NULL;
		if (s.at[-1] != '"' || *s.at != ']')
			return false;
		*p = s.at + 1;
		return true;
	}
	for (; *s.at >= '0' && *s.at <= '9' && s.at - *p < INDEX_DIGITS; s.at++)
		ret->index = ret->index * 10 + (size_t)(*s.at - '0');
	if (s.at == *p || *s.at != ']')
		return false;
	*p = s.at + 1;
	return true;
}

/* Read the step at *p and move behind it. */
static bool
take_step(const char **p, bool is_first, struct step *ret)
{
	size_t len;

	if (**p == '[') {
		(*p)++;
		return take_bracket(p, ret);
	}
	if (!is_first && *(*p)++ != '.')
		return false;
	for (len = 0; (unsigned char)(*p)[len] > ' ' && !strchr(NOT_IN_NAMES, (*p)[len]); len++)
		continue;
	*ret = (struct step){.name = *p, .len = len};
	*p += len;
	return len > 0;
}

size_t
json_path_span(const char *text)
{
	const char *p = text;
	struct step step;

	do {
		if (!take_step(&p, p == text, &step))
			return 0;
	} while (*p == '.' || *p == '[');
	return p - text <= PATH_MAX_BYTES ? (size_t)(p - text) : 0;
}

int
json_path_check(const char *path, struct err *err)
{
	if (strlen(path) > PATH_MAX_BYTES)
		return err_set(err, EINVAL, "a path has at most %d bytes", PATH_MAX_BYTES);
	if (path[0] == '@')
		return err_set(err, EINVAL,
			"'%s' is no path in the data: a member of that name is written [\"%s\"]",
			path, path);
	if (json_path_span(path) == 0 || path[json_path_span(path)])
		return err_set(err, EINVAL,
			"'%s' is not a path: write host.name, disks[0].path or labels[\"a.b\"]",
			path);
	return 0;
}

/* ---- looking --------------------------------------------------------------------------------- */

/* Whether the string between the quotes at name is the step's. */
static bool
is_named(const struct step *step, const char *name, size_t len)
{
	AUTO(sbuf) struct sbuf own = {0}, wanted = {0};

	if (!step->has_escapes && !memchr(name, '\\', len))
		return len == step->len && !memcmp(name, step->name, len);
	add_unescaped(&own, name, len);
	if (step->has_escapes)
		add_unescaped(&wanted, step->name, step->len);
	else
		sbuf_add(&wanted, step->name, step->len);
	return own.len == wanted.len && !memcmp(sbuf_str(&own), sbuf_str(&wanted), own.len);
}

/* s is inside an object, at a name; leaves it behind the value. */
static bool
take_member(struct span *s, const struct step *step, struct span *ret_value)
{
	const char *name = s->at + 1;
	bool is_wanted;

	skip_string(s);
	is_wanted = s->at > name && is_named(step, name, (size_t)(s->at - name) - 1);
	skip_blanks(s);
	if (s->at < s->end)
		s->at++; /* the colon */
	skip_blanks(s);
	ret_value->at = s->at;
	skip_value(s);
	ret_value->end = s->at;
	return is_wanted;
}

static bool
find_member(struct span s, const struct step *step, struct span *ret_value)
{
	struct span value;
	bool is_found = false;

	for (s.at++, skip_blanks(&s); s.at < s.end && *s.at == '"'; skip_blanks(&s)) {
		if (take_member(&s, step, &value)) {
			*ret_value = value;
			is_found = true;
		}
		skip_blanks(&s);
		if (s.at == s.end || *s.at != ',')
			break;
		s.at++;
	}
	return is_found;
}

static bool
find_element(struct span s, size_t index, struct span *ret_value)
{
	size_t i = 0;

	for (s.at++, skip_blanks(&s); s.at < s.end && *s.at != ']'; i++, skip_blanks(&s)) {
		ret_value->at = s.at;
		skip_value(&s);
		ret_value->end = s.at;
		if (i == index)
			return true;
		skip_blanks(&s);
		if (s.at == s.end || *s.at != ',')
			break;
		s.at++;
	}
	return false;
}

const char *
json_path_find(const char *json, size_t len, const char *path, size_t *ret_len)
{
	struct span value = {json, json + len}, outer;
	const char *p = path;
	struct step step;

	skip_blanks(&value);
	while (*p) {
		char open = value.at < value.end ? *value.at : '\0';

		if (!take_step(&p, p == path, &step))
			return NULL;
		outer = value;
		if (step.name ? open != '{' || !find_member(outer, &step, &value)
			      : open != '[' || !find_element(outer, step.index, &value))
			return NULL;
	}
	*ret_len = (size_t)(value.end - value.at);
	return value.at;
}
