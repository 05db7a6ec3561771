/* Valid JSON, and where its parts lie: see json_check.h.
 *
 * A payload is stored as its sender wrote it, so what intake needs from a parser is a verdict and
 * a few spans.  A parser that builds a tree of values answers that at more than ten times the cost
 * of this walk and then has to be asked twice where `data` stood.  jansson stays the judge: it
 * words the complaint about a bad record (json_explain), and a test and a fuzzer hold both to the
 * same verdict, down to integers of 64 bits, overlong UTF-8, lone surrogates and depth.  In two
 * points the walk is stricter: jansson skips a NUL byte behind a number or a word, and has no bound
 * for the length of a number.
 *
 * The text is a pair of pointers; every look checks the end first, so nothing needs a NUL.
 */
#include "fsd/events/json_check.h"

#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX                                                                                 \
	512 /* longest real number looked at; jansson has no bound, strtod needs a NUL             \
	     */

static void
skip_blanks(struct json_text *t)
{
	while (t->at < t->end &&
		(*t->at == ' ' || *t->at == '\t' || *t->at == '\n' || *t->at == '\r'))
		t->at++;
}

static bool
take(struct json_text *t, char c)
{
	if (t->at == t->end || *t->at != c)
		return false;
	t->at++;
	return true;
}

static bool
take_word(struct json_text *t, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(t->end - t->at) < len || memcmp(t->at, word, len) != 0)
		return false;
	t->at += len;
	return true;
}

/* ---- strings --------------------------------------------------------------------------------- */

/* One character of several bytes.  The second byte's bounds exclude overlong forms, surrogates and
 * what lies past U+10FFFF; see table 3-7 of the Unicode standard. */
static bool
take_utf8(struct json_text *t)
{
	const unsigned char *s = (const unsigned char *)t->at;
	size_t left = (size_t)(t->end - t->at), n, i;
	unsigned char low = 0x80, high = 0xBF;

	if (s[0] < 0xC2 || s[0] > 0xF4)
		return false;
	n = s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
	if (s[0] == 0xE0)
		low = 0xA0;
	else if (s[0] == 0xED)
		high = 0x9F;
	else if (s[0] == 0xF0)
		low = 0x90;
	else if (s[0] == 0xF4)
		high = 0x8F;
	if (left < n || s[1] < low || s[1] > high)
		return false;
	for (i = 2; i < n; i++)
		if ((s[i] & 0xC0) != 0x80)
			return false;
	t->at += n;
	return true;
}

static bool
take_hex4(struct json_text *t, unsigned *ret_code)
{
	unsigned code = 0;
	int i;

	if (t->end - t->at < 4)
		return false;
	for (i = 0; i < 4; i++) {
		unsigned char c = (unsigned char)*t->at++;

		if (!isxdigit(c))
			return false;
		code = code << 4 | (unsigned)(isdigit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	*ret_code = code;
	return true;
}

/* The rest of \uXXXX, with the second half of a surrogate pair. */
static bool
take_unicode(struct json_text *t, uint32_t *ret_code)
{
	unsigned high, low;

	if (!take_hex4(t, &high) || high == 0 || (high >= 0xDC00 && high <= 0xDFFF))
		return false;
	*ret_code = high;
	if (high < 0xD800 || high > 0xDFFF)
		return true;
	if (!take_word(t, "\\u") || !take_hex4(t, &low) || low < 0xDC00 || low > 0xDFFF)
		return false;
	*ret_code = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
	return true;
}

static bool
take_escape(struct json_text *t)
{
	uint32_t code;

	if (t->at == t->end)
		return false;
	if (take(t, 'u'))
		return take_unicode(t, &code);
	return strchr("\"\\/bfnrt", *t->at) && *t->at++;
}

static bool
take_string(struct json_text *t)
{
	if (!take(t, '"'))
		return false;
	while (t->at < t->end) {
		unsigned char c = (unsigned char)*t->at;

		if (c < 0x20)
			return false;
		if (c >= 0x80) {
			if (!take_utf8(t))
				return false;
			continue;
		}
		t->at++;
		if (c == '"')
			return true;
		if (c == '\\' && !take_escape(t))
			return false;
	}
	return false;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static bool
take_digits(struct json_text *t)
{
	const char *start = t->at;

	while (t->at < t->end && isdigit((unsigned char)*t->at))
		t->at++;
	return t->at > start;
}

/* Whether the number can be represented: jansson refuses what overflows. */
static bool
is_in_range(const char *start, size_t len, bool is_real)
{
	char text[NUMBER_MAX + 1];
	double value;

	if (len < 19 && !is_real)
		return true;
	if (len > NUMBER_MAX)
		return false;
	memcpy(text, start, len);
	text[len] = '\0';
	errno = 0;
	if (!is_real) {
		(void)strtoll(text, NULL, 10); /* for errno */
		return errno != ERANGE;
	}
	value = strtod(text, NULL);
	return !isinf(value);
}

static bool
take_number(struct json_text *t)
{
	const char *start = t->at;
	bool is_real = false;

	(void)take(t, '-'); /* optional */
	if (!take(t, '0') && !take_digits(t))
		return false;
	if (take(t, '.')) {
		is_real = true;
		if (!take_digits(t))
			return false;
	}
	if (take(t, 'e') || take(t, 'E')) {
		is_real = true;
		if (!take(t, '+'))
			(void)take(t, '-'); /* optional */
		if (!take_digits(t))
			return false;
	}
	return is_in_range(start, (size_t)(t->at - start), is_real);
}

/* ---- values ---------------------------------------------------------------------------------- */

static bool take_value(struct json_text *t);

static bool
take_array(struct json_text *t)
{
	t->at++;
	skip_blanks(t);
	if (take(t, ']'))
		return true;
	do {
		if (!json_value(t))
			return false;
	} while (take(t, ','));
	return take(t, ']');
}

static bool
take_object(struct json_text *t)
{
	struct json_span key, value;
	int more;

	if (!json_enter(t))
		return false;
	while ((more = json_member(t, &key, &value)) > 0)
		;
	return more == 0;
}

static bool
take_any(struct json_text *t)
{
	if (t->at == t->end)
		return false;
	switch (*t->at) {
	case '{':
		return take_object(t);
	case '[':
		return take_array(t);
	case '"':
		return take_string(t);
	case 't':
		return take_word(t, "true");
	case 'f':
		return take_word(t, "false");
	case 'n':
		return take_word(t, "null");
	default:
		return take_number(t);
	}
}

static bool
take_value(struct json_text *t)
{
	bool is_valid;

	if (++t->depth > JSON_DEPTH_MAX)
		return false;
	is_valid = take_any(t);
	t->depth--;
	return is_valid;
}

bool
json_value(struct json_text *t)
{
	skip_blanks(t);
	if (!take_value(t))
		return false;
	skip_blanks(t);
	return true;
}

bool
json_is_value(const char *text, size_t len)
{
	struct json_text t = {.at = text, .end = text + len};

	return take_value(&t) && t.at == t.end;
}

bool
json_enter(struct json_text *t)
{
	skip_blanks(t);
	return take(t, '{');
}

int
json_member(struct json_text *t, struct json_span *ret_key, struct json_span *ret_value)
{
	skip_blanks(t);
	if (take(t, '}'))
		return 0;
	ret_key->at = t->at;
	if (!take_string(t))
		return -1;
	ret_key->len = (size_t)(t->at - ret_key->at);
	skip_blanks(t);
	if (!take(t, ':'))
		return -1;
	skip_blanks(t);
	ret_value->at = t->at;
	if (!take_value(t))
		return -1;
	ret_value->len = (size_t)(t->at - ret_value->at);
	skip_blanks(t);
	if (take(t, ',')) {
		skip_blanks(t);
		return t->at < t->end && *t->at == '"' ? 1 : -1;
	}
	return t->at < t->end && *t->at == '}' ? 1 : -1;
}

/* ---- content and complaints ------------------------------------------------------------------ */

static void
add_utf8(struct sbuf *out, uint32_t c)
{
	if (c < 0x80) {
		sbuf_addc(out, (char)c);
	} else if (c < 0x800) {
		sbuf_addc(out, (char)(0xC0 | c >> 6));
		sbuf_addc(out, (char)(0x80 | (c & 0x3F)));
	} else if (c < 0x10000) {
		sbuf_addc(out, (char)(0xE0 | c >> 12));
		sbuf_addc(out, (char)(0x80 | (c >> 6 & 0x3F)));
		sbuf_addc(out, (char)(0x80 | (c & 0x3F)));
	} else {
		sbuf_addc(out, (char)(0xF0 | c >> 18));
		sbuf_addc(out, (char)(0x80 | (c >> 12 & 0x3F)));
		sbuf_addc(out, (char)(0x80 | (c >> 6 & 0x3F)));
		sbuf_addc(out, (char)(0x80 | (c & 0x3F)));
	}
}

void
json_unquote(struct json_span string, struct sbuf *out)
{
	static const char names[] = "bfnrt", meant[] = "\b\f\n\r\t";
	struct json_text t = {.at = string.at + 1, .end = string.at + string.len - 1};

	while (t.at < t.end) {
		const char *stop = memchr(t.at, '\\', (size_t)(t.end - t.at));
		const char *name;
		uint32_t code;

		if (!stop)
			stop = t.end;
		sbuf_add(out, t.at, (size_t)(stop - t.at));
		t.at = stop + 1;
		if (stop == t.end)
			return;
		if (take(&t, 'u')) {
			if (take_unicode(&t, &code))
				add_utf8(out, code);
			continue;
		}
		name = strchr(names, *t.at);
		sbuf_addc(out, name ? meant[name - names] : *t.at);
		t.at++;
	}
}

int
json_explain(const char *text, size_t len, size_t first_line, struct err *err)
{
	json_error_t why;
	json_t *value = json_loadb(text, len, 0, &why);

	json_decref(value);
	if (value && memchr(text, '\0', len))
		return err_set(err, EINVAL, "line %zu: the record holds a NUL byte", first_line);
	if (value)
		return err_set(err, EINVAL, "line %zu: a number of more than %d characters",
			first_line, NUMBER_MAX);
	return err_set(err, EINVAL, "line %zu, column %d (byte %d of the record): %s",
		first_line + (size_t)why.line - 1, why.column, why.position, why.text);
}
