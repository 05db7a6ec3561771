/* Templates of hooks: see template.h. */
#include "tools/runner/template.h"

#include "base/auto.h"
#include "base/mem.h"
#include "base/units.h"
#include "tools/runner/event.h"

#include <ctype.h>
#include <string.h>

#define MARK "-- param "

static const char *const kind_names[] = {
	[PARAM_TEXT] = "text",
	[PARAM_URL] = "url",
	[PARAM_PATH] = "path",
	[PARAM_DURATION] = "duration",
	[PARAM_NUMBER] = "number",
	[PARAM_BOOLEAN] = "boolean",
	[PARAM_LIST] = "list",
};
#define KIND_COUNT (sizeof(kind_names) / sizeof(kind_names[0]))

static const char *
kind_name(enum param_kind kind)
{
	return kind_names[kind];
}

/* ---- reading declarations ------------------------------------------------------------------- */

/* A line of the source: borrowed, without its newline. */
struct line {
	const char *text;
	size_t len;
	unsigned number;
};

static bool
begins(const char *text, size_t len, const char *with)
{
	return len >= strlen(with) && !memcmp(text, with, strlen(with));
}

/* The last mark of the line: a value may hold one too. */
static const char *
find_mark(const struct line *line)
{
	for (size_t i = line->len; i-- > 0;)
		if (begins(line->text + i, line->len - i, MARK))
			return line->text + i;
	return NULL;
}

/* "duration, required: help", up to the end of the line. */
static bool
parse_comment(const char *text, size_t len, struct param *ret_param)
{
	const char *colon = memchr(text, ':', len);
	size_t word = strcspn(text, ",: \n");
	size_t kind;

	for (kind = 0; kind < KIND_COUNT; kind++)
		if (strlen(kind_names[kind]) == word && begins(text, len, kind_names[kind]))
			break;
	if (!colon || kind == KIND_COUNT)
		return false;
	ret_param->kind = (enum param_kind)kind;
	ret_param->is_required = begins(text + word, len - word, ", required:");
	if (!ret_param->is_required && text[word] != ':')
		return false;
	colon += strspn(colon, ": ");
	ret_param->help = mem_strndup(colon, len - (size_t)(colon - text));
	return true;
}

/* "local NAME = LITERAL -- param ...".  Fills what it allocates only when it returns true. */
static bool
parse_line(const char *source, const struct line *line, const char *mark, struct param *ret_param)
{
	const char *name = line->text + strlen("local "), *end = name, *value;

	if (!begins(line->text, line->len, "local "))
		return false;
	while (isalnum((unsigned char)*end) || *end == '_')
		end++;
	if (end == name || strncmp(end, " = ", 3) != 0)
		return false;
	value = end + 3;
	while (mark > value && mark[-1] == ' ')
		mark--;
	if (mark <= value)
		return false;
	ret_param->name = mem_strndup(name, (size_t)(end - name));
	ret_param->at = (size_t)(value - source);
	ret_param->len = (size_t)(mark - value);
	ret_param->literal = mem_strndup(value, ret_param->len);
	return true;
}

static int
take_line(struct template *t, const struct line *line, struct err *err)
{
	const char *mark = find_mark(line), *comment;
	struct param param = {0};

	if (!mark)
		return 0;
	comment = mark + strlen(MARK);
	if (!parse_comment(comment, line->len - (size_t)(comment - line->text), &param))
		return err_set(err, EINVAL, "'%s', line %u: a parameter is declared as %s", t->name,
			line->number, "local NAME = VALUE -- param TYPE[, required]: HELP");
	if (!parse_line(sbuf_str(&t->source), line, mark, &param)) {
		free(param.help);
		return err_set(err, EINVAL, "'%s', line %u: a parameter stands as %s", t->name,
			line->number, "local NAME = VALUE in front of its comment");
	}
	t->params = mem_realloc(t->params, (t->count + 1) * sizeof(*t->params));
	t->params[t->count++] = param;
	return 0;
}

/* The comment the file begins with, in one line. */
static char *
first_comment(const char *source)
{
	struct sbuf out = {0};

	while (begins(source, strlen(source), "-- ")) {
		size_t len = strcspn(source, "\n");

		sbuf_printf(&out, "%s%.*s", out.len ? " " : "", (int)len - 3, source + 3);
		source += len + (source[len] == '\n');
	}
	return sbuf_take(&out);
}

int
template_parse(
	const char *name, struct sbuf *source, struct template *ret_template, struct err *err)
{
	struct template t = {.name = mem_strdup(name), .source = *source};
	struct line line = {.text = sbuf_str(&t.source), .number = 1};
	int result = 0;

	*source = (struct sbuf){0};
	t.description = first_comment(line.text);
	for (; !result && *line.text; line.number++) {
		line.len = strcspn(line.text, "\n");
		result = take_line(&t, &line, err);
		line.text += line.len + (line.text[line.len] == '\n');
	}
	if (result)
		template_fini(&t);
	else
		*ret_template = t;
	return result;
}

void
template_fini(struct template *t)
{
	for (size_t i = 0; i < t->count; i++) {
		free(t->params[i].name);
		free(t->params[i].help);
		free(t->params[i].literal);
		free(t->params[i].filled);
	}
	free(t->params);
	free(t->name);
	free(t->description);
	sbuf_fini(&t->source);
}

/* ---- values --------------------------------------------------------------------------------- */

/* Append the text as a literal of Lua: whatever is in it, it stays one. */
static void
add_quoted(struct sbuf *out, const char *text)
{
	sbuf_addc(out, '"');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			sbuf_printf(out, "\\%c", c);
		else if (c < ' ' || c == 127)
			sbuf_printf(out, "\\%03u", c);
		else
			sbuf_addc(out, (char)c);
	}
	sbuf_addc(out, '"');
}

static void
add_element(struct sbuf *out, const char *text)
{
	sbuf_adds(out, out->len > 2 ? ", " : "");
	add_quoted(out, text);
}

static bool
add_json_list(struct sbuf *out, const char *value)
{
	AUTO(json) json_t *list = json_loads(value, 0, NULL);
	json_t *element;
	size_t i;

	if (!json_is_array(list))
		return false;
	json_array_foreach (list, i, element) {
		if (!json_is_string(element))
			return false;
		add_element(out, json_string_value(element));
	}
	return true;
}

static bool
add_list(struct sbuf *out, const char *value)
{
	bool is_good = true;

	sbuf_adds(out, "{ ");
	if (*value == '[')
		is_good = add_json_list(out, value);
	else
		while (*value) {
			size_t len = strcspn(value, ",");
			AUTO(free) char *element = mem_strndup(value, len);

			if (len)
				add_element(out, element);
			value += len + (value[len] == ',');
		}
	sbuf_adds(out, out->len > 2 ? " }" : "}");
	return is_good;
}

static bool
is_number(const char *text)
{
	size_t whole, part = 0;

	text += *text == '-';
	whole = strspn(text, "0123456789");
	if (text[whole] == '.')
		part = strspn(text + whole + 1, "0123456789") + 1;
	return whole > 0 && part != 1 && whole + part < 16 && text[whole + part] == '\0';
}

static bool
is_url(const char *text)
{
	const char *host = !strncmp(text, "http://", 7)    ? text + 7
			   : !strncmp(text, "https://", 8) ? text + 8
							   : "";

	for (const char *c = host; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 127)
			return false;
	return isalnum((unsigned char)*host) || *host == '[';
}

static bool
is_path(const struct param *param, const char *text)
{
	return text[0] == '/' || !strncmp(text, "~/", 2) || (!*text && !param->is_required);
}

static const char *
expected(enum param_kind kind)
{
	static const char *const texts[] = {
		[PARAM_TEXT] = "text",
		[PARAM_URL] = "an address that begins with http:// or https://",
		[PARAM_PATH] = "a path that begins with / or ~/",
		[PARAM_DURATION] = "a duration such as 30s or 1h30m",
		[PARAM_NUMBER] = "a number",
		[PARAM_BOOLEAN] = "true or false",
		[PARAM_LIST] = "texts with commas between, or a JSON array of them",
	};

	return texts[kind];
}

/* Append the literal.  Returns false when the value is none of this kind. */
static bool
add_literal(struct sbuf *out, const struct param *param, const char *value)
{
	int64_t ns;

	switch (param->kind) {
	case PARAM_TEXT:
		break;
	case PARAM_URL:
		if (!is_url(value))
			return false;
		break;
	case PARAM_PATH:
		if (!is_path(param, value))
			return false;
		break;
	case PARAM_DURATION:
		if (units_parse_duration(value, &ns, NULL) < 0 || ns < 0)
			return false;
		break;
	case PARAM_NUMBER:
		sbuf_adds(out, value);
		return is_number(value);
	case PARAM_BOOLEAN:
		sbuf_adds(out, value);
		return !strcmp(value, "true") || !strcmp(value, "false");
	case PARAM_LIST:
		return add_list(out, value);
	}
	add_quoted(out, value);
	return true;
}

static int
refuse_name(const struct template *t, const char *name, struct err *err)
{
	AUTO(sbuf) struct sbuf names = {0};

	for (size_t i = 0; i < t->count; i++)
		sbuf_printf(&names, "%s%s", i ? ", " : "", t->params[i].name);
	return err_set(err, EINVAL, "template '%s' has no parameter '%s'; it has %s", t->name, name,
		t->count ? sbuf_str(&names) : "none");
}

int
template_set(struct template *t, const char *name, const char *value, struct err *err)
{
	AUTO(sbuf) struct sbuf literal = {0};
	struct param *param = NULL;

	for (size_t i = 0; i < t->count && !param; i++)
		if (!strcmp(t->params[i].name, name))
			param = &t->params[i];
	if (!param)
		return refuse_name(t, name, err);
	if (!add_literal(&literal, param, value))
		return err_set(err, EINVAL, "'%s' of template '%s' has to be %s, not '%s'", name,
			t->name, expected(param->kind), value);
	free(param->filled);
	param->filled = sbuf_take(&literal);
	return 0;
}

int
template_fill(const struct template *t, struct sbuf *out, struct err *err)
{
	const char *source = sbuf_str(&t->source);
	size_t at = 0;

	for (size_t i = 0; i < t->count; i++) {
		const struct param *param = &t->params[i];

		if (!param->filled && param->is_required && !strcmp(param->literal, "nil"))
			return err_set(err, EINVAL, "template '%s' needs '%s', %s: --set %s=%s",
				t->name, param->name, param->help, param->name, "VALUE");
		sbuf_add(out, source + at, param->at - at);
		sbuf_adds(out, param->filled ? param->filled : param->literal);
		at = param->at + param->len;
	}
	sbuf_add(out, source + at, t->source.len - at);
	return 0;
}

/* ---- as JSON -------------------------------------------------------------------------------- */

/* The text of a literal without escapes, at its opening quote; NULL for any other. */
static json_t *
plain_text(const char **at)
{
	size_t len = strcspn(*at + 1, "\"\\");
	const char *text = *at + 1;

	if (**at != '"' || text[len] != '"')
		return NULL;
	*at = text + len + 1;
	return json_stringn(text, len);
}

static json_t *
plain_list(const char *at)
{
	json_t *list = json_array(), *element = NULL;

	for (at++; *at == ' ' || *at == ','; at += strspn(at, " ")) {
		at += strspn(at, " ,");
		if (*at == '}')
			break;
		element = plain_text(&at);
		if (json_array_append_new(list, element) < 0)
			break;
	}
	if (!strcmp(at, "}"))
		return list;
	json_decref(list);
	return NULL;
}

/* Templates are written with plain literals; another expression is shown as it stands. */
static json_t *
literal_json(const char *literal)
{
	const char *at = literal;
	json_t *value = NULL;

	if (!strcmp(literal, "nil"))
		return json_null();
	if (!strcmp(literal, "true") || !strcmp(literal, "false"))
		return json_boolean(*literal == 't');
	if (is_number(literal))
		return strchr(literal, '.') ? json_real(strtod(literal, NULL))
					    : json_integer(strtoll(literal, NULL, 10));
	if (*literal == '"')
		value = plain_text(&at);
	else if (*literal == '{')
		return (value = plain_list(literal)) ? value : json_string(literal);
	if (value && !*at)
		return value;
	json_decref(value);
	return json_string(literal);
}

json_t *
template_json(const struct template *t)
{
	json_t *params = json_array();

	for (size_t i = 0; i < t->count; i++) {
		const struct param *param = &t->params[i];

		(void)json_array_append_new(params,
			json_pack("{s:s, s:s, s:b, s:o, s:s}", "name", param->name, "type",
				kind_name(param->kind), "required", param->is_required, "default",
				literal_json(param->literal), "help", param->help));
	}
	return json_pack("{s:s, s:s, s:o}", "name", t->name, "description", t->description,
		"parameters", params);
}
