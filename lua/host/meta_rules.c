/* The rules of a script's table as the texts the daemon keeps them in.
 *
 * A rule may be written as that text, as a number, or as a table with the parts of it: rate =
 * "10/s", retries = 3, dedup = {path = "host", ttl = "10m"}.  `forms` says how the parts are put
 * together; what they may be is the daemon's to judge, so that a wrong one is told in the same
 * words wherever it was written.  Here only what would vanish is refused: a part that no rule has,
 * a value that has no text. */
#include "base/mem.h"
#include "lua/host/invocation.h"
#include "lua/host/match.h"

#include <stdlib.h>
#include <string.h>

#define PART_BYTES  1024        /* of one value */
#define MATCH_BYTES (64 * 1024) /* of all conditions */
#define PARTS_MAX   4

static const struct form {
	const char *field;
	struct part {
		const char *before; /* it in the text */
		const char *name;   /* NULL: it has none */
		lua_Integer index;  /* 0: it has none */
		bool is_needed;
	} parts[PARTS_MAX];
} forms[] = {
	{"retries", {{"", "count", 1, true}, {" backoff ", "backoff", 0, false},
			    {" max ", "max", 0, false}, {" jitter ", "jitter", 0, false}}},
	{"rate", {{"", "count", 1, true}, {"/", "per", 2, true}, {" burst ", "burst", 0, false}}},
	{"rate_drop",
		{{"", "count", 1, true}, {"/", "per", 2, true}, {" burst ", "burst", 0, false}}},
	{"accumulate_within", {{"", "count", 2, true}, {"/", "within", 1, true}}},
	{"dedup", {{"", "ttl", 1, true}, {" by ", "path", 0, false}}},
	{"sequence", {{"", NULL, 1, true}, {" then ", NULL, 2, true},
			     {" within ", "within", 0, true}, {" by ", "by", 0, false}}},
	{"absent", {{"", NULL, 1, true}, {" without ", NULL, 2, true},
			   {" within ", "within", 0, true}, {" by ", "by", 0, false}}},
	{"once_within", {{0}}},
	{"once_after", {{0}}},
	{"group_by", {{0}}},
	{"order_by", {{0}}},
	{"priority", {{0}}},
	{"at_most_once", {{0}}},
	{"idempotent", {{0}}},
	{"replay", {{0}}},
};

void
meta_key_text(lua_State *L, int index, char text[META_KEY_BYTES])
{
	const char *name = lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index) : NULL;

	if (lua_isinteger(L, index))
		(void)snprintf(text, META_KEY_BYTES, "[%lld]", (long long)lua_tointeger(L, index));
	else if (name && name[strcspn(name, "\n\r")] == '\0')
		(void)snprintf(text, META_KEY_BYTES, "'%.40s'", name); /* cut is accepted */
	else
		(void)snprintf(text, META_KEY_BYTES, "of another kind");
}

/* Append the value on top of the stack; false when it is none that has a text of one line. */
static bool
add_scalar(lua_State *L, struct sbuf *out)
{
	const char *text;
	size_t len, i;

	switch (lua_type(L, -1)) {
	case LUA_TNUMBER:
		if (lua_isinteger(L, -1))
			sbuf_printf(out, "%lld", (long long)lua_tointeger(L, -1));
		else
			sbuf_printf(out, "%.14g", lua_tonumber(L, -1));
		return true;
	case LUA_TBOOLEAN:
		sbuf_adds(out, lua_toboolean(L, -1) ? "true" : "false");
		return true;
	case LUA_TSTRING:
		text = lua_tolstring(L, -1, &len);
		for (i = 0; i < len; i++)
			if ((unsigned char)text[i] < ' ')
				return false;
		sbuf_add(out, text, len);
		return len <= PART_BYTES;
	default:
		return false;
	}
}

/* ---- parts ----------------------------------------------------------------------------------- */

/* The key below the top of the stack names a part of the form. */
static bool
is_part(lua_State *L, const struct form *form)
{
	const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
	lua_Integer index = lua_isinteger(L, -2) ? lua_tointeger(L, -2) : 0;
	size_t i;

	for (i = 0; i < PARTS_MAX; i++) {
		const struct part *part = &form->parts[i];

		if (index ? part->index == index : part->name && !strcmp(part->name, name))
			return true;
	}
	return false;
}

static int
check_parts(lua_State *L, const struct form *form, struct err *err)
{
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		char name[META_KEY_BYTES];

		if (is_part(L, form))
			continue;
		meta_key_text(L, -2, name);
		lua_pop(L, 2);
		return err_set(err, EINVAL, "field '%s' has no part %s", form->field, name);
	}
	return 0;
}

/* Push the part's value: by its name, else by its place. */
static bool
push_part(lua_State *L, const struct part *part)
{
	lua_pushnil(L);
	if (part->name) {
		lua_pop(L, 1);
		lua_pushstring(L, part->name);
		(void)lua_rawget(L, -2);
	}
	if (lua_isnil(L, -1) && part->index) {
		lua_pop(L, 1);
		(void)lua_rawgeti(L, -1, part->index);
	}
	return !lua_isnil(L, -1);
}

static int
add_parts(lua_State *L, const struct form *form, struct sbuf *out, struct err *err)
{
	size_t i;

	for (i = 0; i < PARTS_MAX && form->parts[i].before; i++) {
		const struct part *part = &form->parts[i];
		bool is_there = push_part(L, part), is_good = true;

		if (is_there) {
			sbuf_adds(out, part->before);
			is_good = add_scalar(L, out);
		}
		lua_pop(L, 1);
		if (!is_good || (!is_there && part->is_needed))
			return err_set(err, EINVAL, "field '%s': '%s' is %s", form->field,
				part->name ? part->name
				: i == 0   ? "the first type"
					   : "the second type",
				is_there ? "to be text or a number" : "missing");
	}
	return 0;
}

static int
take_form(lua_State *L, const struct form *form, struct sbuf *out, struct err *err)
{
	if (lua_isboolean(L, -1) && !lua_toboolean(L, -1)) {
		sbuf_adds(out, "off");
		return 0;
	}
	if (add_scalar(L, out))
		return 0;
	if (!lua_istable(L, -1) || !form->parts[0].before)
		return err_set(err, EINVAL, "field '%s' is to be text%s", form->field,
			form->parts[0].before ? ", a number or a table" : " or a number");
	if (check_parts(L, form, err) != 0)
		return -EINVAL;
	sbuf_reset(out);
	return add_parts(L, form, out, err);
}

/* ---- match ----------------------------------------------------------------------------------- */

/* What to is to hold as `path = one | other`: the value on top, under the path below it. */
static bool
add_condition(lua_State *L, struct sbuf *out)
{
	lua_Unsigned n, i;
	bool is_good = true;

	sbuf_printf(out, "%s = ", lua_tostring(L, -2));
	if (!lua_istable(L, -1))
		return add_scalar(L, out);
	n = lua_rawlen(L, -1);
	for (i = 1; i <= n && is_good; i++) {
		if (i > 1)
			sbuf_adds(out, " | ");
		(void)lua_rawgeti(L, -1, (lua_Integer)i);
		is_good = add_scalar(L, out);
		lua_pop(L, 1);
	}
	return is_good && n > 0;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Lua keeps no order of names: sorted, the same script always says the same. */
static void
add_sorted(struct sbuf *out, char **lines, size_t count)
{
	size_t i;

	if (count)
		qsort(lines, count, sizeof(lines[0]), by_text);
	for (i = 0; i < count; i++) {
		sbuf_printf(out, "%s\n", lines[i]);
		free(lines[i]);
	}
	free(lines);
}

/* A list of lines, and values by path. */
static bool
add_conditions(lua_State *L, struct sbuf *out)
{
	char **lines = NULL;
	size_t count = 0, bytes = 0;
	bool is_good = true;

	for (lua_pushnil(L); is_good && lua_next(L, -2); lua_pop(L, 1)) {
		struct sbuf line = {0};

		if (lua_isinteger(L, -2))
			is_good = lua_type(L, -1) == LUA_TSTRING && add_scalar(L, &line);
		else
			is_good = lua_type(L, -2) == LUA_TSTRING && add_condition(L, &line);
		bytes += line.len;
		is_good = is_good && bytes <= MATCH_BYTES;
		lines = mem_realloc(lines, (count + 1) * sizeof(lines[0]));
		lines[count++] = sbuf_take(&line);
	}
	if (!is_good)
		lua_pop(L, 1); /* the key: the loop has taken the value away */
	add_sorted(out, lines, count);
	return is_good;
}

/* A condition that cannot be judged is known before the hook is in service. */
static int
check_match(const struct sbuf *lines, struct err *err)
{
	struct match *match;
	int code = match_new(sbuf_str(lines), &match, err);

	if (code < 0)
		return err_wrap(err, -code, "field 'match'");
	match_free(match);
	return 0;
}

static int
take_match(lua_State *L, struct sbuf *out, struct err *err)
{
	size_t len = 0;
	const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : NULL;

	if (text && len <= MATCH_BYTES && strlen(text) == len)
		sbuf_add(out, text, len);
	else if (lua_isboolean(L, -1) && !lua_toboolean(L, -1))
		sbuf_adds(out, "off");
	else if (!lua_istable(L, -1) || !add_conditions(L, out))
		return err_set(err, EINVAL,
			"field 'match' is to be text, a list of lines, or a table of paths with "
			"a value or a list of values each");
	return strcmp(sbuf_str(out), "off") == 0 ? 0 : check_match(out, err);
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* Take the field, pushed already, with one of the readers. */
static int
take_field(lua_State *L, json_t *meta, const char *name, const struct form *form, struct err *err)
{
	struct sbuf text = {0};
	int code = form ? take_form(L, form, &text, err) : take_match(L, &text, err);
	json_t *value = code == 0 ? json_stringn(sbuf_str(&text), text.len) : NULL;

	sbuf_fini(&text);
	if (code == 0 && !value)
		return err_set(err, EINVAL, "field '%s' is not UTF-8", name);
	if (value)
		(void)json_object_set_new(meta, name, value);
	return code;
}

const char *
meta_rule_name(size_t i)
{
	size_t count = sizeof(forms) / sizeof(forms[0]);

	return i < count ? forms[i].field : i == count ? "match" : NULL;
}

int
meta_take_rules(lua_State *L, json_t *meta, struct err *err)
{
	size_t i, count = sizeof(forms) / sizeof(forms[0]);
	const char *name;
	int code = 0;

	for (i = 0; code == 0 && (name = meta_rule_name(i)); i++) {
		lua_pushstring(L, name);
		if (lua_rawget(L, -2) != LUA_TNIL)
			code = take_field(L, meta, name, i < count ? &forms[i] : NULL, err);
		lua_pop(L, 1);
	}
	return code;
}
