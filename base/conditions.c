/* Conditions as text: see conditions.h.
 *
 * A line is a path, an operator and what is compared with, which goes to the end of the line: so a
 * regular expression needs no quotes, and a text only when it could be read as something else.  The
 * table of operators says what may stand behind each.  An operator is all of its characters that
 * stand together, never the longest that is known: `=~` is a slip, not `=` and a value. */
#include "base/conditions.h"

#include "base/auto.h"
#include "base/decimal.h"
#include "base/json_path.h"
#include "base/mem.h"

#include <stdbool.h>
#include <string.h>

static const char *const own_paths[] = {
	"@type", "@stack", "@agent", "@severity", "@source", "@run_id"};

/* What stands behind an operator. */
enum operand { OPERAND_VALUES, OPERAND_LIMIT, OPERAND_REGEX, OPERAND_NONE };

static const struct operator
{
	const char *text;
	enum operand operand;
}
operators[] = {
	[CONDITION_EQUAL] = {"=", OPERAND_VALUES},
	[CONDITION_UNEQUAL] = {"!=", OPERAND_VALUES},
	[CONDITION_LESS] = {"<", OPERAND_LIMIT},
	[CONDITION_LESS_EQUAL] = {"<=", OPERAND_LIMIT},
	[CONDITION_GREATER] = {">", OPERAND_LIMIT},
	[CONDITION_GREATER_EQUAL] = {">=", OPERAND_LIMIT},
	[CONDITION_MATCHED] = {"~", OPERAND_REGEX},
	[CONDITION_UNMATCHED] = {"!~", OPERAND_REGEX},
	[CONDITION_EXISTS] = {"exists", OPERAND_NONE},
	[CONDITION_ABSENT] = {"absent", OPERAND_NONE},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- words ---------------------------------------------------------------------------------- */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static const char *
skip_blanks(const char *at)
{
	while (is_blank(*at))
		at++;
	return at;
}

/* The length of text without the blanks at its end. */
static size_t
trimmed(const char *text, size_t len)
{
	while (len > 0 && is_blank(text[len - 1]))
		len--;
	return len;
}

static size_t
own_path_len(const char *text)
{
	return strcspn(text, " \t\r\n=<>!~|,");
}

size_t
condition_path_span(const char *text)
{
	size_t len = own_path_len(text);

	if (text[0] != '@')
		return json_path_span(text);
	for (size_t i = 0; i < COUNT(own_paths); i++)
		if (len == strlen(own_paths[i]) && memcmp(text, own_paths[i], len) == 0)
			return len;
	return 0;
}

static int
take_path(const char **at, struct condition *c, struct err *err)
{
	size_t len = condition_path_span(*at);

	if (len == 0 && **at == '@')
		return err_set(err, EINVAL,
			"%.*s is not known: there are @type, @stack, @agent, @severity, @source "
			"and @run_id",
			(int)own_path_len(*at), *at);
	if (len == 0)
		return err_set(err, EINVAL, "'%s' does not begin with a path", *at);
	c->path = mem_strndup(*at, len);
	*at += len;
	return 0;
}

static int
take_operator(const char **at, struct condition *c, struct err *err)
{
	size_t len;

	*at = skip_blanks(*at);
	len = strspn(*at, "=!<>~");
	if (len == 0)
		len = strcspn(*at, " \t\r");
	for (size_t i = 0; i < COUNT(operators); i++) {
		if (strlen(operators[i].text) != len || memcmp(*at, operators[i].text, len) != 0)
			continue;
		c->op = (enum condition_op)i;
		*at = skip_blanks(*at + len);
		return 0;
	}
	return err_set(err, EINVAL,
		"behind '%s' must stand = != < <= > >= ~ !~ exists or absent, not '%.*s'", c->path,
		(int)len, *at);
}

/* ---- values --------------------------------------------------------------------------------- */

/* at is at the quote. */
static int
take_quoted(const char **at, struct condition_value *v, struct err *err)
{
	const char *end = *at + 1;
	struct sbuf text = {0};

	while (*end && *end != '"')
		end += *end == '\\' && end[1] ? 2 : 1;
	if (!*end)
		return err_set(err, EINVAL, "a quote is not closed");
	json_value_text(*at, (size_t)(end + 1 - *at), &text);
	v->form = CONDITION_QUOTED;
	v->len = text.len;
	v->text = sbuf_take(&text);
	*at = skip_blanks(end + 1);
	return 0;
}

/* Where a bare value that may be one of several ends. */
static const char *
find_bar(const char *at)
{
	for (; *at; at++)
		if (is_blank(*at) && at[1] == '|' && (is_blank(at[2]) || !at[2]))
			return at;
	return at;
}

static int
take_value(const char **at, struct condition *c, struct err *err)
{
	bool is_one_of = operators[c->op].operand == OPERAND_VALUES;
	struct condition_value *v = &c->values[c->count++];
	const char *end;

	*v = (struct condition_value){0};
	if (!**at || **at == '|')
		return err_set(err, EINVAL, "a value is missing: write \"\" for an empty text");
	if (**at == '"')
		return take_quoted(at, v, err);
	end = is_one_of ? find_bar(*at) : *at + strlen(*at);
	v->len = trimmed(*at, (size_t)(end - *at));
	v->text = mem_strndup(*at, v->len);
	*at = skip_blanks(end);
	v->form = decimal_is(v->text, v->len) ? CONDITION_NUMBER : CONDITION_BARE;
	if (is_one_of && strpbrk(v->text, "*?"))
		v->form = CONDITION_GLOB;
	return 0;
}

/* With bars between them. */
static int
take_values(const char *at, struct condition *c, struct err *err)
{
	int code;

	for (;;) {
		c->values = mem_realloc(c->values, (c->count + 1) * sizeof(*c->values));
		code = take_value(&at, c, err);
		if (code < 0 || !*at)
			return code;
		if (*at != '|')
			return err_set(err, EINVAL, "'%s' stands behind a value", at);
		at = skip_blanks(at + 1);
	}
}

static int
take_limit(const char *at, struct condition *c, struct err *err)
{
	static const char *const words[] = {"true", "false", "null"};
	int code;

	c->values = NEW(struct condition_value);
	code = take_value(&at, c, err);
	if (code == 0 && *at)
		return err_set(err, EINVAL, "'%s' stands behind the value", at);
	for (size_t i = 0; code == 0 && i < COUNT(words); i++)
		if (c->values->form == CONDITION_BARE && !strcmp(c->values->text, words[i]))
			return err_set(
				err, EINVAL, "%s is neither more nor less than anything", words[i]);
	return code;
}

static int
take_regex(const char *at, struct condition *c, struct err *err)
{
	if (!*at)
		return err_set(err, EINVAL, "a regular expression is missing");
	c->values = NEW(struct condition_value);
	c->count = 1;
	*c->values = (struct condition_value){CONDITION_REGEX, mem_strdup(at), strlen(at)};
	return 0;
}

static int
take_operand(const char *at, struct condition *c, struct err *err)
{
	switch (operators[c->op].operand) {
	case OPERAND_VALUES:
		return take_values(at, c, err);
	case OPERAND_LIMIT:
		return take_limit(at, c, err);
	case OPERAND_REGEX:
		return take_regex(at, c, err);
	case OPERAND_NONE:
		break;
	}
	return *at ? err_set(err, EINVAL, "nothing may stand behind '%s'", operators[c->op].text)
		   : 0;
}

/* ---- lines ---------------------------------------------------------------------------------- */

/* text has no blanks around it. */
static int
take_line(const char *text, struct condition *c, struct err *err)
{
	const char *at = text;
	int code = take_path(&at, c, err);

	if (code == 0)
		code = take_operator(&at, c, err);
	if (code < 0)
		return code;
	c->line = mem_printf("%s %s%s%s", c->path, operators[c->op].text, *at ? " " : "", at);
	if (strlen(c->line) > CONDITION_BYTES_MAX)
		return err_set(
			err, EINVAL, "a condition has at most %d bytes", CONDITION_BYTES_MAX);
	return take_operand(at, c, err);
}

int
condition_parse(const char *line, size_t len, struct condition *ret, struct err *err)
{
	AUTO(condition) struct condition c = {0};
	AUTO(free) char *text = NULL;
	int code;

	for (len = trimmed(line, len); len > 0 && is_blank(*line); len--)
		line++;
	if (!sbuf_is_utf8(line, len))
		return err_set(err, EINVAL, "it is not UTF-8");
	text = mem_strndup(line, len);
	code = take_line(text, &c, err);
	if (code < 0)
		return code;
	*ret = c;
	c = (struct condition){0};
	return 0;
}

/* Blanks are no condition. */
static int
add_line(struct conditions *c, const char *line, size_t len, unsigned number, struct err *err)
{
	int code;

	if (trimmed(line, len) == 0)
		return 0;
	if (c->count == CONDITIONS_MAX)
		return err_set(err, EINVAL, "there are more than %d conditions", CONDITIONS_MAX);
	code = condition_parse(line, len, &c->rows[c->count], err);
	if (code == 0)
		c->numbers[c->count++] = number;
	return code;
}

int
conditions_parse(const char *text, struct conditions *ret, struct err *err)
{
	AUTO(conditions) struct conditions c = {0};

	for (unsigned number = 1; *text; number++) {
		size_t len = strcspn(text, "\n");

		if (add_line(&c, text, len, number, err) < 0)
			return err_wrap(err, EINVAL, "line %u", number);
		text += len + (text[len] == '\n');
	}
	*ret = c;
	c.count = 0;
	return 0;
}

void
conditions_show(const struct conditions *c, struct sbuf *out)
{
	for (size_t i = 0; i < c->count; i++)
		sbuf_printf(out, "%s%s", i ? "\n" : "", c->rows[i].line);
}

void
condition_fini(struct condition *c)
{
	for (size_t i = 0; i < c->count; i++)
		free(c->values[i].text);
	free(c->values);
	free(c->line);
	free(c->path);
	*c = (struct condition){0};
}

void
conditions_fini(struct conditions *c)
{
	for (size_t i = 0; i < c->count; i++)
		condition_fini(&c->rows[i]);
	c->count = 0;
}
