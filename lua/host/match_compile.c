/* Conditions made ready to be judged: see match.h.  What may stand in them is base/conditions.h;
 * here their globs and regular expressions become what regex.c looks for, so that one that is wrong
 * is known when the hook is loaded. */
#include "lua/host/match_impl.h"

#include "base/auto.h"
#include "base/mem.h"

#include <string.h>

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
compile_glob(const struct condition_value *v, struct regex **ret, struct err *err)
{
	AUTO(sbuf) struct sbuf out = {0};
	const char *at = v->text, *end = v->text + v->len;

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
	return regex_new(out.data, out.len, ret, err);
}

static int
compile(const struct condition_value *v, struct regex **ret, struct err *err)
{
	if (v->form == CONDITION_GLOB)
		return compile_glob(v, ret, err);
	return v->form == CONDITION_REGEX ? regex_new(v->text, v->len, ret, err) : 0;
}

static int
compile_all(const struct condition *c, struct regex **regexes, struct err *err)
{
	for (size_t i = 0; i < c->count; i++)
		if (compile(&c->values[i], &regexes[i], err) < 0)
			return -EINVAL;
	return 0;
}

int
match_new(const char *text, struct match **ret_match, struct err *err)
{
	struct match *m = NEW(struct match);
	int code = conditions_parse(text, &m->says, err);

	for (size_t i = 0; i < m->says.count && code == 0; i++) {
		const struct condition *c = &m->says.rows[i];

		m->regexes[i] = NEW_N(struct regex *, c->count);
		code = compile_all(c, m->regexes[i], err);
		if (code < 0)
			code = err_wrap(err, -code, "line %u", m->says.numbers[i]);
	}
	if (code == 0)
		*ret_match = m->says.count > 0 ? TAKE(m) : NULL;
	match_free(m);
	return code;
}

void
match_free(struct match *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->says.count; i++) {
		for (size_t k = 0; m->regexes[i] && k < m->says.rows[i].count; k++)
			regex_free(m->regexes[i][k]);
		free(m->regexes[i]);
	}
	conditions_fini(&m->says);
	free(m);
}
