/* JSON to Lua values and back, keeping types: integers stay integers and reals floats, in both
 * directions.  Decoding may raise for lack of memory or time only; encoding never raises, and stops
 * at JSON_TEXT_MAX: a few tables that hold each other many times over make text without end. */
#include "base/auto.h"
#include "base/mem.h"
#include "lua/host/state.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#define DEPTH_MAX     100
#define TICK_ELEMENTS 1024 /* between two looks at the clock */

/* Of Lua's memory, at least. */
#define TABLE_BYTES  56
#define MEMBER_BYTES 24 /* an object's key and value */
#define VALUE_BYTES  16 /* of an array */

static const char null_address, array_mt;

void
json_lua_push_null(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)&null_address);
}

void
json_lua_push_array_mt(lua_State *L)
{
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &array_mt) == LUA_TTABLE)
		return;
	lua_pop(L, 1);
	lua_createtable(L, 0, 1);
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &array_mt);
}

/* ---- decoding ------------------------------------------------------------------------------- */

/* What the parser takes is not counted against the hook, and may be twenty times the text: so ask
 * first whether the values would fit its memory. */
static bool
can_fit(lua_State *L, const char *text, size_t len)
{
	size_t bytes = 0;
	bool is_string = false;

	for (const char *at = text, *end = text + len; at < end; at++) {
		switch (*at) {
		case '"':
			is_string = !is_string;
			break;
		case '\\':
			at++;
			break;
		case '[':
		case '{':
			bytes += is_string ? 0 : TABLE_BYTES;
			break;
		case ':':
			bytes += is_string ? 0 : MEMBER_BYTES;
			break;
		case ',':
			bytes += is_string ? 0 : VALUE_BYTES;
			break;
		}
	}
	return bytes <= state_of(L)->cap_bytes;
}

/* What is left of a text that is being parsed. */
struct rest {
	lua_State *L;
	const char *at;
	size_t len;
};

/* jansson asks for about a KiB at a time, so parsing looks at the clock in between. */
static size_t
read_piece(void *to, size_t room, void *arg)
{
	struct rest *rest = arg;
	size_t n = rest->len < room ? rest->len : room;

	if (host_is_late(rest->L))
		return (size_t)-1;
	memcpy(to, rest->at, n);
	rest->at += n;
	rest->len -= n;
	return n;
}

json_t *
json_lua_parse(lua_State *L, const char *text, size_t len, json_error_t *ret_problem)
{
	struct rest rest = {L, text, len};

	*ret_problem = (json_error_t){.text = "more than 16 MB of JSON"};
	if (len > JSON_TEXT_MAX)
		return NULL;
	*ret_problem = (json_error_t){.text = "more values than the hook's memory holds"};
	if (!can_fit(L, text, len))
		return NULL;
	return json_load_callback(read_piece, &rest, JSON_DECODE_ANY | JSON_ALLOW_NUL, ret_problem);
}

static void
push_array(lua_State *L, const json_t *value, bool keep_null)
{
	size_t n = json_array_size(value);

	lua_createtable(L, (int)n, 0);
	for (size_t i = 0; i < n; i++) {
		if (i % TICK_ELEMENTS == 0)
			host_tick(L);
		json_lua_push(L, json_array_get(value, i), keep_null);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	if (n > 0)
		return;
	json_lua_push_array_mt(L); /* so that it is written as an array again */
	lua_setmetatable(L, -2);
}

static void
push_object(lua_State *L, const json_t *value, bool keep_null)
{
	const char *key;
	json_t *field;
	size_t i = 0;

	lua_createtable(L, 0, (int)json_object_size(value));
	json_object_foreach ((json_t *)value, key, field) {
		if (i++ % TICK_ELEMENTS == 0)
			host_tick(L);
		lua_pushstring(L, key);
		json_lua_push(L, field, keep_null);
		lua_rawset(L, -3);
	}
}

void
json_lua_push(lua_State *L, const json_t *value, bool keep_null)
{
	luaL_checkstack(L, 4, "JSON nested too deep");
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		push_object(L, value, keep_null);
		break;
	case JSON_ARRAY:
		push_array(L, value, keep_null);
		break;
	case JSON_STRING:
		lua_pushlstring(L, json_string_value(value), json_string_length(value));
		break;
	case JSON_INTEGER:
		lua_pushinteger(L, json_integer_value(value));
		break;
	case JSON_REAL:
		lua_pushnumber(L, json_real_value(value));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		lua_pushboolean(L, json_is_true(value));
		break;
	case JSON_NULL:
		if (keep_null)
			json_lua_push_null(L);
		else
			lua_pushnil(L);
		break;
	}
}

/* ---- encoding ------------------------------------------------------------------------------- */

struct encoder {
	lua_State *L;
	struct sbuf *out, place; /* place: "x[3].y" */
	struct err *err;
	bool is_pretty;
	int depth;
	unsigned values; /* seen so far */
};

static int encode(struct encoder *e, int idx);

static void
leave_place(struct encoder *e, size_t mark)
{
	e->place.len = mark;
	e->place.data[mark] = '\0';
}

static int
fail(struct encoder *e, const char *what)
{
	if (e->place.len > 0)
		return err_set(e->err, EINVAL, "field '%s': %s", sbuf_str(&e->place), what);
	return err_set(e->err, EINVAL, "%s", what);
}

static void
newline(struct encoder *e)
{
	if (!e->is_pretty)
		return;
	sbuf_addc(e->out, '\n');
	for (int i = 0; i < e->depth; i++)
		sbuf_adds(e->out, "  ");
}

/* Floats always show that they are ("3.0"), in as few digits as give the same number back. */
static int
encode_float(struct encoder *e, double v)
{
	char text[40];

	if (!isfinite(v))
		return fail(e, "not a finite number");
	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	sbuf_adds(e->out, text);
	if (!strpbrk(text, ".e"))
		sbuf_adds(e->out, ".0");
	return 0;
}

static bool
is_array(lua_State *L, int idx, lua_Unsigned *ret_len)
{
	lua_Unsigned n = lua_rawlen(L, idx), keys = 0;
	bool is_marked;

	for (lua_pushnil(L); lua_next(L, idx) != 0; lua_pop(L, 1)) {
		if (!lua_isinteger(L, -2) || lua_tointeger(L, -2) < 1 || ++keys > n) {
			lua_pop(L, 2);
			return false;
		}
	}
	*ret_len = n;
	if (n > 0)
		return keys == n;
	if (!lua_getmetatable(L, idx))
		return false;
	lua_rawgetp(L, LUA_REGISTRYINDEX, &array_mt);
	is_marked = lua_rawequal(L, -1, -2);
	lua_pop(L, 2);
	return is_marked;
}

static int
encode_array(struct encoder *e, int idx, lua_Unsigned n)
{
	size_t mark = e->place.len;
	int r = 0;

	sbuf_addc(e->out, '[');
	e->depth++;
	for (lua_Unsigned i = 1; r == 0 && i <= n; i++) {
		if (i > 1)
			sbuf_addc(e->out, ',');
		newline(e);
		sbuf_printf(&e->place, "[%llu]", i);
		lua_rawgeti(e->L, idx, (lua_Integer)i);
		r = encode(e, lua_gettop(e->L));
		lua_pop(e->L, 1);
		if (r == 0)
			leave_place(e, mark);
	}
	e->depth--;
	if (n > 0)
		newline(e);
	sbuf_addc(e->out, ']');
	return r;
}

static int
encode_key(struct encoder *e, int idx)
{
	char text[32];
	size_t len;
	const char *s;

	if (lua_isinteger(e->L, idx)) {
		(void)snprintf(text, sizeof(text), "%lld", lua_tointeger(e->L, idx));
		sbuf_json(e->out, text, strlen(text));
		sbuf_printf(&e->place, "[%s]", text);
		return 0;
	}
	if (lua_type(e->L, idx) != LUA_TSTRING)
		return fail(e, "a key that is neither text nor an integer");
	s = lua_tolstring(e->L, idx, &len);
	sbuf_json(e->out, s, len);
	sbuf_printf(&e->place, "%s%.60s", e->place.len ? "." : "", s);
	return 0;
}

/* Where the text of one member of an object stands in the output. */
struct member {
	size_t at, len;
};

static int
compare_members(const void *a, const void *b, void *text)
{
	const struct member *x = a, *y = b;
	size_t len = x->len < y->len ? x->len : y->len;
	int order = memcmp((char *)text + x->at, (char *)text + y->at, len);

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

/* Bring the members, written one after the other from `start`, into the order of their keys, so
 * that equal tables give equal text.  Sorting text that is there cannot raise; sorting Lua's keys
 * could. */
static void
sort_members(struct encoder *e, size_t start, struct member *members, size_t count)
{
	AUTO(sbuf) struct sbuf sorted = {0};

	qsort_r(members, count, sizeof(*members), compare_members, e->out->data);
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			sbuf_addc(&sorted, ',');
		sbuf_add(&sorted, e->out->data + members[i].at, members[i].len);
	}
	assert(start + sorted.len == e->out->len);
	memcpy(e->out->data + start, sorted.data, sorted.len);
}

static int
encode_member(struct encoder *e)
{
	int r;

	newline(e);
	r = encode_key(e, lua_gettop(e->L) - 1);
	sbuf_adds(e->out, e->is_pretty ? ": " : ":");
	return r == 0 ? encode(e, lua_gettop(e->L)) : r;
}

static int
encode_object(struct encoder *e, int idx)
{
	size_t mark = e->place.len, start, count = 0, room = 0;
	AUTO(free) struct member *members = NULL;
	int r = 0;

	sbuf_addc(e->out, '{');
	start = e->out->len;
	e->depth++;
	for (lua_pushnil(e->L); r == 0 && lua_next(e->L, idx) != 0; lua_pop(e->L, 1)) {
		if (count == room)
			members = mem_realloc(members, (room = 2 * room + 4) * sizeof(*members));
		if (count > 0)
			sbuf_addc(e->out, ',');
		members[count].at = e->out->len;
		r = encode_member(e);
		members[count].len = e->out->len - members[count].at;
		count++;
		if (r == 0)
			leave_place(e, mark);
	}
	e->depth--;
	if (r < 0)
		return r; /* the key is left; json_lua_encode restores the stack */
	if (host_is_late(e->L))
		return fail(e, "the time is over");
	if (count > 1)
		sort_members(e, start, members, count);
	if (count > 0)
		newline(e);
	sbuf_addc(e->out, '}');
	return 0;
}

static int
encode_table(struct encoder *e, int idx)
{
	lua_Unsigned n;

	if (e->depth >= DEPTH_MAX || !lua_checkstack(e->L, 8))
		return fail(e, "nested too deep, or a cycle");
	if (is_array(e->L, idx, &n))
		return encode_array(e, idx, n);
	return encode_object(e, idx);
}

static int
encode(struct encoder *e, int idx)
{
	size_t len;
	const char *s;

	if (e->out->len > JSON_TEXT_MAX)
		return fail(e, "more than 16 MB of JSON");
	if (e->values++ % TICK_ELEMENTS == 0 && host_is_late(e->L))
		return fail(e, "the time is over");
	switch (lua_type(e->L, idx)) {
	case LUA_TNIL:
		sbuf_adds(e->out, "null");
		return 0;
	case LUA_TBOOLEAN:
		sbuf_adds(e->out, lua_toboolean(e->L, idx) ? "true" : "false");
		return 0;
	case LUA_TNUMBER:
		if (!lua_isinteger(e->L, idx))
			return encode_float(e, lua_tonumber(e->L, idx));
		sbuf_printf(e->out, "%lld", lua_tointeger(e->L, idx));
		return 0;
	case LUA_TSTRING:
		s = lua_tolstring(e->L, idx, &len);
		if (len > JSON_TEXT_MAX)
			return fail(e, "more than 16 MB of JSON");
		sbuf_json(e->out, s, len);
		return 0;
	case LUA_TTABLE:
		return encode_table(e, idx);
	case LUA_TLIGHTUSERDATA:
		if (lua_touserdata(e->L, idx) == (const void *)&null_address) {
			sbuf_adds(e->out, "null");
			return 0;
		}
	}
	return fail(e, lua_type(e->L, idx) == LUA_TFUNCTION ? "a function has no JSON form"
							    : "a value without a JSON form");
}

int
json_lua_encode(lua_State *L, int idx, bool is_pretty, struct sbuf *out, struct err *err)
{
	struct encoder e = {.L = L, .out = out, .err = err, .is_pretty = is_pretty};
	int r, top = lua_gettop(L);

	idx = lua_absindex(L, idx);
	r = lua_checkstack(L, 8) ? encode(&e, idx) : fail(&e, "out of stack");
	lua_settop(L, top);
	sbuf_fini(&e.place);
	return r;
}
