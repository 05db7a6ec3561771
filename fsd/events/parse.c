/* Records to events: see parse.h.
 *
 * The payload of the JSON form is never rebuilt: the bytes between its brackets are kept as they
 * were sent, blanks, order of keys and digits of numbers included.  The short form is made into
 * such text once; from there on both are the same.
 */
#include "fsd/events/parse.h"

#include "base/auto.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "fsd/events/json_check.h"

#include <assert.h>
#include <string.h>

struct parse {
	struct event *ev;
	const struct envelope_from *from;
	unsigned fields_seen; /* bits by field number */
	bool has_data;
	struct sbuf scratch; /* a string's content */
};

static void
parse_begin(struct parse *p, const struct envelope_from *from)
{
	*p = (struct parse){.ev = envelope_new(from), .from = from};
}

/* Close the books: hands out the event or drops it. */
static int
parse_end(struct parse *p, int code, size_t line, struct event **ret_ev, struct err *err)
{
	sbuf_fini(&p->scratch);
	if (code == 0 && !p->ev->type)
		code = err_set(err, EINVAL, "the event has no type");
	if (code < 0) {
		event_unref(p->ev);
		return err_wrap(err, -code, "line %zu", line);
	}
	if (!p->ev->data) {
		p->ev->data = mem_strdup("{}");
		p->ev->data_len = 2;
	}
	*ret_ev = p->ev;
	return 0;
}

static int
set_field(struct parse *p, int field, const char *text, size_t len, struct err *err)
{
	/* type and event_type fill the same place, so a second type shows by the place too */
	bool is_second_type = p->ev->type && field <= 1;

	assert(field >= 0 && field < ENVELOPE_FIELDS_MAX);
	if (is_second_type || (p->fields_seen & 1u << field))
		return err_set(err, EINVAL, "a field is given twice: '%.80s'", text);
	p->fields_seen |= 1u << field;
	return envelope_set(p->ev, field, text, len, p->from, err);
}

/* ---- the JSON form --------------------------------------------------------------------------- */

static bool
span_is(struct json_span s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.at, text, s.len) == 0;
}

static int
set_data(struct parse *p, struct json_span value, struct err *err)
{
	if (p->has_data)
		return err_set(err, EINVAL, "data is given twice");
	p->has_data = true;
	if (span_is(value, "null"))
		return 0;
	if (value.at[0] != '{')
		return err_set(
			err, EINVAL, "data must be an object, as in \"data\":{\"key\":\"value\"}");
	p->ev->data = mem_strndup(value.at, value.len);
	p->ev->data_len = value.len;
	return 0;
}

static int
set_member(struct parse *p, struct json_span key, struct json_span value, struct err *err)
{
	int field;

	sbuf_reset(&p->scratch);
	json_unquote(key, &p->scratch);
	if (p->scratch.len == 4 && memcmp(p->scratch.data, "data", 4) == 0)
		return set_data(p, value, err);
	field = envelope_field(sbuf_str(&p->scratch), p->scratch.len, err);
	if (field < 0)
		return field;
	if (span_is(value, "null"))
		return 0;
	if (value.at[0] != '"' &&
		!(envelope_is_number(field) && strchr("-0123456789", value.at[0])))
		return err_set(err, EINVAL, "%s must be a string", sbuf_str(&p->scratch));
	sbuf_reset(&p->scratch);
	if (value.at[0] == '"')
		json_unquote(value, &p->scratch);
	else
		sbuf_add(&p->scratch, value.at, value.len);
	return set_field(p, field, sbuf_str(&p->scratch), p->scratch.len, err);
}

/* The complaint about a record that is no JSON names its own line. */
static int
refuse_text(struct parse *p, const char *text, size_t len, size_t line, struct err *err)
{
	sbuf_fini(&p->scratch);
	event_unref(p->ev);
	return json_explain(text, len, line, err);
}

int
parse_object(const char *text, size_t len, size_t first_line, const struct envelope_from *from,
	struct event **ret_ev, struct err *err)
{
	struct json_text t = {.at = text, .end = text + len, .depth = 1};
	struct json_span key, value;
	struct parse p;
	struct err why;
	int more, code = 0;

	parse_begin(&p, from);
	more = json_enter(&t) ? json_member(&t, &key, &value) : -1;
	for (; more > 0; more = json_member(&t, &key, &value))
		if (code == 0)
			code = set_member(&p, key, value, &why);
	if (more < 0 || t.at != t.end)
		return refuse_text(&p, text, len, first_line, err);
	if (code < 0 && err)
		*err = why;
	return parse_end(&p, code, first_line, ret_ev, err);
}

/* ---- the short form -------------------------------------------------------------------------- */

struct word {
	const char *at;
	size_t key_len; /* 0: no '=' */
	const char *value;
	size_t value_len;
};

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Where a value ends: quoted text and brackets may hold blanks, so the longest JSON value that is
 * followed by a blank is taken; a bare word ends at the first one. */
static int
value_end(const char *at, const char *end, const char **ret_end)
{
	struct json_text t = {.at = at, .end = end};

	if (at < end && strchr("\"{[", *at)) {
		if (!json_value(&t))
			return -EINVAL;
		while (t.at > at && is_space(t.at[-1]))
			t.at--;
		if (t.at < end && !is_space(*t.at))
			return -EINVAL;
		*ret_end = t.at;
		return 0;
	}
	for (*ret_end = at; *ret_end < end && !is_space(**ret_end); ++*ret_end)
		;
	return 0;
}

static bool
is_key_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == '-';
}

/* Take the next key=value.  Returns 1, 0 at the end, or -EINVAL. */
static int
next_word(const char **at, const char *end, struct word *ret, struct err *err)
{
	const char *p;

	while (*at < end && is_space(**at))
		++*at;
	if (*at == end)
		return 0;
	for (p = *at; p < end && is_key_char(*p); p++)
		;
	if (p == *at || p == end || *p != '=')
		return err_set(err, EINVAL, "'%.*s' is not key=value",
			(int)(end - *at > 80 ? 80 : end - *at), *at);
	*ret = (struct word){.at = *at, .key_len = (size_t)(p - *at), .value = p + 1};
	if (value_end(ret->value, end, at) < 0)
		return err_set(err, EINVAL, "the value of '%.*s' is not valid JSON",
			(int)ret->key_len, ret->at);
	ret->value_len = (size_t)(*at - ret->value);
	return 1;
}

/* null is left a text: a word that says nothing is rarely meant. */
static void
add_data(struct sbuf *data, const struct word *w)
{
	sbuf_adds(data, data->len == 0 ? "{" : ",");
	sbuf_json(data, w->at, w->key_len);
	sbuf_addc(data, ':');
	if (w->value_len > 0 && w->value[0] != 'n' && json_is_value(w->value, w->value_len))
		sbuf_add(data, w->value, w->value_len);
	else
		sbuf_json(data, w->value, w->value_len);
}

static int
take_word(struct parse *p, const struct word *w, struct sbuf *data, struct err *err)
{
	int field = envelope_field(w->at, w->key_len, NULL);

	if (field < 0) {
		add_data(data, w);
		return 0;
	}
	sbuf_reset(&p->scratch);
	if (w->value_len > 0 && w->value[0] == '"')
		json_unquote((struct json_span){w->value, w->value_len}, &p->scratch);
	else
		sbuf_add(&p->scratch, w->value, w->value_len);
	return set_field(p, field, sbuf_str(&p->scratch), p->scratch.len, err);
}

static int
take_type(struct parse *p, const char **at, const char *end, struct err *err)
{
	const char *start = *at;
	int field = envelope_field("type", 4, err);

	if (*start == '[')
		return err_set(err, EINVAL,
			"an event is a JSON object: write objects one after another, not an array");
	while (*at < end && !is_space(**at))
		++*at;
	sbuf_reset(&p->scratch);
	sbuf_add(&p->scratch, start, (size_t)(*at - start));
	return field < 0 ? field : set_field(p, field, sbuf_str(&p->scratch), p->scratch.len, err);
}

int
parse_line(const char *text, size_t len, size_t line, const struct envelope_from *from,
	struct event **ret_ev, struct err *err)
{
	AUTO(sbuf) struct sbuf data = {0};
	const char *at = text, *end = text + len;
	struct parse p;
	struct word w = {0};
	int code, more = 1;

	parse_begin(&p, from);
	code = memchr(text, '\0', len) ? err_set(err, EINVAL, "the record holds a NUL byte")
				       : take_type(&p, &at, end, err);
	while (code == 0 && (more = next_word(&at, end, &w, err)) > 0)
		code = take_word(&p, &w, &data, err);
	if (more < 0)
		code = more;
	if (code == 0 && data.len > 0) {
		sbuf_addc(&data, '}');
		p.ev->data_len = data.len;
		p.ev->data = sbuf_take(&data);
	}
	return parse_end(&p, code, line, ret_ev, err);
}
