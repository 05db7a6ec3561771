/* Conditions as people write them: see match.h.
 *
 * A line is a path, an operator and what is compared with, which goes to the end of the line: so a
 * regular expression needs no quotes, and a text only when it could be read as something else.
 * Everything that can be refused is refused here, when the hook is loaded.
 */
#include "lua/host/match_impl.h"

#include "base/auto.h"
#include "base/decimal.h"
#include "base/json_path.h"
#include "base/mem.h"

#include <string.h>

#define LINE_MAX_BYTES 1024

/* ---- lines ---------------------------------------------------------------------------------- */

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

static int
take_path(const char **at, struct condition *c, struct err *err)
{
	static const char *const names[] = {
		"@type", "@stack", "@agent", "@severity", "@source", "@run_id"};
	size_t len = **at == '@' ? strcspn(*at, " \t\r=!<>~") : json_path_span(*at);

	if (len == 0)
		return err_set(err, EINVAL, "'%s' does not begin with a path", c->line);
	c->path = mem_strndup(*at, len);
	*at += len;
	if (c->path[0] != '@')
		return json_path_check(c->path, err);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(c->path, names[i]) == 0)
			return 0;
	return err_set(err, EINVAL,
		"%s is not known: there are @type, @stack, @agent, @severity, @source and @run_id",
		c->path);
}

static int
take_relation(const char **at, struct condition *c, struct err *err)
{
	static const struct {
		const char *text;
		enum relation op;
	} rows[] = {
		{"=", OP_EQUAL},
		{"!=", OP_UNEQUAL},
		{"<", OP_LESS},
		{"<=", OP_LESS_EQUAL},
		{">", OP_GREATER},
		{">=", OP_GREATER_EQUAL},
		{"~", OP_MATCHED},
		{"!~", OP_UNMATCHED},
		{"exists", OP_EXISTS},
		{"absent", OP_ABSENT},
	};

	size_t len;

	*at = skip_blanks(*at);
	len = strspn(*at, "=!<>~");
	if (len == 0)
		len = strcspn(*at, " \t\r");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strlen(rows[i].text) != len || strncmp(*at, rows[i].text, len) != 0)
			continue;
		c->op = rows[i].op;
		*at = skip_blanks(*at + len);
		if ((c->op == OP_EXISTS || c->op == OP_ABSENT) && **at)
			return err_set(err, EINVAL, "nothing may stand behind '%s'", rows[i].text);
		return 0;
	}
	return err_set(err, EINVAL,
		"behind '%s' must stand = != < <= > >= ~ !~ exists or absent, not '%.*s'", c->path,
		(int)len, *at);
}

/* ---- literals ------------------------------------------------------------------------------- */

static bool
is_plain(char c)
{
	return (unsigned char)c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z');
}

/* Write text up to the next star as a regular expression; returns what is behind it. */
static const char *
add_piece(struct sbuf *out, const char *text, const char *end)
{
	for (; text < end && *text != '*'; text++) {
		if (*text == '?') {
			sbuf_addc(out, '.');
			continue;
		}
		if (!is_plain(*text))
			sbuf_addc(out, '\\');
		sbuf_addc(out, *text);
	}
	return text;
}

/* The first piece stands at the begin and the last at the end; those between take the first place
 * that fits, which is as good as any other. */
static int
compile_glob(struct literal *l, struct err *err)
{
	AUTO(sbuf) struct sbuf out = {0};
	const char *at = l->text, *end = l->text + l->len;

	sbuf_adds(&out, "(?s)\\A");
	at = add_piece(&out, at, end);
	while (at < end) {
		bool is_last;

		while (at < end && *at == '*')
			at++;
		is_last = !memchr(at, '*', (size_t)(end - at));

		sbuf_adds(&out, is_last ? ".*" : "(?>.*?");
		at = add_piece(&out, at, end);
		sbuf_adds(&out, is_last ? "" : ")");
	}
	sbuf_adds(&out, "\\z");
	return regex_new(out.data, out.len, &l->glob, err);
}

/* at is behind the quote. */
static int
take_quoted(const char **at, struct literal *l, struct err *err)
{
	const char *begin = *at - 1, *end = *at;
	struct sbuf text = {0};

	while (*end && *end != '"')
		end += *end == '\\' && end[1] ? 2 : 1;
	if (!*end)
		return err_set(err, EINVAL, "a quote is not closed");
	json_value_text(begin, (size_t)(end + 1 - begin), &text);
	l->kind = LITERAL_QUOTED;
	l->len = text.len;
	l->text = sbuf_take(&text);
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
take_bare(const char **at, bool is_equality, struct literal *l, struct err *err)
{
	const char *end = is_equality ? find_bar(*at) : *at + strlen(*at);

	l->len = trimmed(*at, (size_t)(end - *at));
	l->text = mem_strndup(*at, l->len);
	*at = skip_blanks(end);
	l->kind = decimal_is(l->text, l->len) ? LITERAL_NUMBER : LITERAL_BARE;
	if (!is_equality || !strpbrk(l->text, "*?"))
		return 0;
	l->kind = LITERAL_GLOB;
	return compile_glob(l, err);
}

static int
take_literal(const char **at, struct condition *c, struct err *err)
{
	struct literal *l = &c->literals[c->count++];

	*l = (struct literal){0};
	if (!**at || **at == '|')
		return err_set(err, EINVAL, "a value is missing: write \"\" for an empty text");
	if (**at != '"')
		return take_bare(at, c->op == OP_EQUAL || c->op == OP_UNEQUAL, l, err);
	(*at)++;
	return take_quoted(at, l, err);
}

/* Values of = and !=, with bars between them. */
static int
take_literals(const char *at, struct condition *c, struct err *err)
{
	int code;

	for (;;) {
		c->literals = mem_realloc(c->literals, (c->count + 1) * sizeof(*c->literals));
		code = take_literal(&at, c, err);
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

	c->literals = NEW(struct literal);
	code = take_literal(&at, c, err);
	if (code == 0 && *at)
		return err_set(err, EINVAL, "'%s' stands behind the value", at);
	for (size_t i = 0; code == 0 && i < sizeof(words) / sizeof(words[0]); i++)
		if (c->literals->kind == LITERAL_BARE && !strcmp(c->literals->text, words[i]))
			return err_set(
				err, EINVAL, "%s is neither more nor less than anything", words[i]);
	return code;
}

static int
check_utf8(const char *line, size_t len, struct err *err)
{
	json_t *text = json_stringn(line, len);

	if (!text)
		return err_set(err, EINVAL, "it is not UTF-8");
	json_decref(text);
	return 0;
}

static int
take_condition(const char *line, size_t len, struct condition *c, struct err *err)
{
	const char *at;
	int code;

	if (len > LINE_MAX_BYTES)
		return err_set(err, EINVAL, "a condition has at most %d bytes", LINE_MAX_BYTES);
	at = c->line = mem_strndup(line, len);
	code = check_utf8(line, len, err);
	if (code == 0)
		code = take_path(&at, c, err);
	if (code == 0)
		code = take_relation(&at, c, err);
	if (code < 0)
		return code;
	switch (c->op) {
	case OP_EXISTS:
	case OP_ABSENT:
		return 0;
	case OP_EQUAL:
	case OP_UNEQUAL:
		return take_literals(at, c, err);
	case OP_LESS:
	case OP_LESS_EQUAL:
	case OP_GREATER:
	case OP_GREATER_EQUAL:
		return take_limit(at, c, err);
	case OP_MATCHED:
	case OP_UNMATCHED:
		break;
	}
	if (!*at)
		return err_set(err, EINVAL, "a regular expression is missing");
	return regex_new(at, strlen(at), &c->regex, err);
}

int
match_new(const char *text, struct match **ret_match, struct err *err)
{
	struct match *m = NEW(struct match);
	unsigned number = 0;
	int code = 0;

	while (*text && code == 0) {
		const char *line = skip_blanks(text), *end = strchrnul(text, '\n');
		size_t len = line < end ? trimmed(line, (size_t)(end - line)) : 0;

		number++;
		text = *end ? end + 1 : end;
		if (len == 0)
			continue;
		if (m->count == MATCH_LINES_MAX)
			code = err_set(
				err, EINVAL, "there are more than %d conditions", MATCH_LINES_MAX);
		else
			code = take_condition(line, len, &m->conditions[m->count++], err);
	}
	if (code == 0 && m->count > 0)
		*ret_match = TAKE(m);
	else if (code == 0)
		*ret_match = NULL;
	match_free(m);
	return code < 0 ? err_wrap(err, -code, "line %u", number) : 0;
}

static void
condition_fini(struct condition *c)
{
	for (size_t i = 0; i < c->count; i++) {
		free(c->literals[i].text);
		regex_free(c->literals[i].glob);
	}
	free(c->literals);
	free(c->line);
	free(c->path);
	regex_free(c->regex);
}

void
match_free(struct match *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->count; i++)
		condition_fini(&m->conditions[i]);
	free(m);
}
