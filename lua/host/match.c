/* Conditions on events: see match.h.
 *
 * They are judged on the JSON text of the data, before anything of it is built for Lua: an event
 * that does not meet them costs a walk over its text.  What they cost at worst is bounded by
 * regex.c, which does the globs too.
 *
 * The first condition that does not hold is the reason; it shows the value of its own path, cut,
 * and nothing else of the data.
 */
#include "lua/host/match_impl.h"

#include "base/decimal.h"
#include "base/json_path.h"
#include "base/mem.h"

#include <string.h>

#define SHOWN_LINE_MAX  120 /* bytes of a condition in a reason */
#define SHOWN_VALUE_MAX 80  /* and of a value */

/* A value of the event. */
struct value {
	enum { VALUE_NONE, VALUE_TEXT, VALUE_NUMBER, VALUE_WORD, VALUE_OBJECT, VALUE_LIST } kind;
	const char *text; /* of a string without quotes and escapes; else as it stands */
	size_t len;
	struct sbuf own; /* backs text when it had escapes */
};

/* ---- values --------------------------------------------------------------------------------- */

static void
find_field(const struct host_event *ev, const char *name, struct value *ret_value)
{
	const struct {
		const char *name, *text;
	} fields[] = {{"@type", ev->type}, {"@stack", ev->stack}, {"@agent", ev->agent},
		{"@severity", ev->severity}, {"@source", ev->source}, {"@run_id", ev->run_id}};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (strcmp(name, fields[i].name) == 0 && fields[i].text[0])
			*ret_value = (struct value){.kind = VALUE_TEXT,
				.text = fields[i].text,
				.len = strlen(fields[i].text)};
}

static void
find_string(const char *json, size_t len, struct value *ret_value)
{
	ret_value->kind = VALUE_TEXT;
	if (!memchr(json, '\\', len)) {
		ret_value->text = json + 1;
		ret_value->len = len - 2;
		return;
	}
	json_value_text(json, len, &ret_value->own);
	ret_value->text = sbuf_str(&ret_value->own);
	ret_value->len = ret_value->own.len;
}

static void
find_value(const struct match_subject *subject, const char *path, struct value *ret_value)
{
	const char *json;
	size_t len;

	*ret_value = (struct value){0};
	if (path[0] == '@') {
		find_field(subject->event, path, ret_value);
		return;
	}
	json = json_path_find(subject->data, subject->data_len, path, &len);
	if (!json || len == 0)
		return;
	*ret_value = (struct value){.text = json, .len = len};
	if (json[0] == '"' && len >= 2)
		find_string(json, len, ret_value);
	else if (json[0] == '{')
		ret_value->kind = VALUE_OBJECT;
	else if (json[0] == '[')
		ret_value->kind = VALUE_LIST;
	else
		ret_value->kind = decimal_is(json, len) ? VALUE_NUMBER : VALUE_WORD;
}

/* ---- judging -------------------------------------------------------------------------------- */

/* 1, 0 or -EDQUOT, as all that follow.  regex is what the wanted one became, if it is a glob. */
static int
is_value(const struct value *v, const struct condition_value *wanted, const struct regex *regex)
{
	bool is_scalar = v->kind == VALUE_TEXT || v->kind == VALUE_NUMBER || v->kind == VALUE_WORD;

	if (!is_scalar || (wanted->form == CONDITION_QUOTED && v->kind != VALUE_TEXT))
		return 0;
	if (wanted->form == CONDITION_GLOB)
		return regex_find(regex, v->text, v->len);
	if (wanted->form == CONDITION_NUMBER && v->kind == VALUE_NUMBER)
		return decimal_compare(v->text, v->len, wanted->text, wanted->len) == 0;
	return v->len == wanted->len && memcmp(v->text, wanted->text, wanted->len) == 0;
}

static int
is_any_value(const struct value *v, const struct condition *c, struct regex *const *regexes)
{
	int verdict = 0;

	for (size_t i = 0; i < c->count && verdict == 0; i++)
		verdict = is_value(v, &c->values[i], regexes[i]);
	return verdict;
}

/* Whether they are of one kind: numbers, or text. */
static bool
can_compare(const struct value *v, const struct condition_value *limit)
{
	return v->kind == (limit->form == CONDITION_NUMBER ? VALUE_NUMBER : VALUE_TEXT);
}

static int
compare(const struct value *v, const struct condition_value *limit)
{
	size_t len = v->len < limit->len ? v->len : limit->len;
	int order;

	if (limit->form == CONDITION_NUMBER)
		return decimal_compare(v->text, v->len, limit->text, limit->len);
	order = memcmp(v->text, limit->text, len);
	return order ? order : (v->len > limit->len) - (v->len < limit->len);
}

static int
is_within_limit(const struct value *v, const struct condition *c)
{
	int order;

	if (!can_compare(v, c->values))
		return 0;
	order = compare(v, c->values);
	if (c->op == CONDITION_LESS || c->op == CONDITION_LESS_EQUAL)
		return order < 0 || (order == 0 && c->op == CONDITION_LESS_EQUAL);
	return order > 0 || (order == 0 && c->op == CONDITION_GREATER_EQUAL);
}

static int
negated(int verdict)
{
	return verdict < 0 ? verdict : !verdict;
}

static int
holds(const struct condition *c, struct regex *const *regexes, const struct value *v)
{
	bool is_there = v->kind != VALUE_NONE;

	switch (c->op) {
	case CONDITION_EXISTS:
		return is_there;
	case CONDITION_ABSENT:
		return !is_there;
	case CONDITION_EQUAL:
		return is_any_value(v, c, regexes);
	case CONDITION_UNEQUAL:
		return negated(is_any_value(v, c, regexes));
	case CONDITION_LESS:
	case CONDITION_LESS_EQUAL:
	case CONDITION_GREATER:
	case CONDITION_GREATER_EQUAL:
		return is_there ? is_within_limit(v, c) : 0;
	case CONDITION_MATCHED:
		return is_there ? regex_find(regexes[0], v->text, v->len) : 0;
	case CONDITION_UNMATCHED:
		return is_there ? negated(regex_find(regexes[0], v->text, v->len)) : 1;
	}
	return 0;
}

/* ---- reasons -------------------------------------------------------------------------------- */

/* How much of the text to show: whole characters. */
static size_t
shown_bytes(const char *text, size_t len, size_t max)
{
	if (len <= max)
		return len;
	while (max > 0 && ((unsigned char)text[max] & 0xc0) == 0x80)
		max--;
	return max;
}

static void
show_value(const struct value *v, struct sbuf *out)
{
	size_t shown = shown_bytes(v->text, v->len, SHOWN_VALUE_MAX);

	if (v->kind == VALUE_OBJECT)
		sbuf_adds(out, "an object");
	else if (v->kind == VALUE_LIST)
		sbuf_adds(out, "a list");
	else if (v->kind == VALUE_TEXT)
		sbuf_json(out, v->text, shown);
	else
		sbuf_add(out, v->text, shown);
	if (shown < v->len && v->kind != VALUE_OBJECT && v->kind != VALUE_LIST)
		sbuf_adds(out, "...");
}

static void
show_condition(const struct condition *c, struct sbuf *out)
{
	size_t len = strlen(c->line), shown = shown_bytes(c->line, len, SHOWN_LINE_MAX);

	sbuf_add(out, c->line, shown);
	sbuf_adds(out, shown < len ? "...: " : ": ");
}

static char *
reason(const struct condition *c, const struct value *v, int verdict)
{
	bool is_order = c->op == CONDITION_LESS || c->op == CONDITION_LESS_EQUAL ||
			c->op == CONDITION_GREATER || c->op == CONDITION_GREATER_EQUAL;
	struct sbuf out = {0};

	show_condition(c, &out);
	if (verdict < 0) {
		sbuf_printf(
			&out, "gave up on a value of %zu bytes: it takes too many steps", v->len);
	} else if (v->kind == VALUE_NONE) {
		sbuf_printf(&out, "there is no %s", c->path);
	} else {
		sbuf_adds(&out, "it is ");
		show_value(v, &out);
		if (is_order && !can_compare(v, c->values))
			sbuf_printf(&out, ", not %s",
				c->values->form == CONDITION_NUMBER ? "a number" : "text");
	}
	return sbuf_take(&out);
}

int
match_judge(const struct match *m, const struct match_subject *subject, char **ret_why)
{
	for (size_t i = 0; m && i < m->says.count; i++) {
		const struct condition *c = &m->says.rows[i];
		struct value value;
		int verdict;

		find_value(subject, c->path, &value);
		verdict = holds(c, m->regexes[i], &value);
		if (verdict <= 0)
			*ret_why = reason(c, &value, verdict);
		sbuf_fini(&value.own);
		if (verdict <= 0)
			return verdict;
	}
	return 1;
}
