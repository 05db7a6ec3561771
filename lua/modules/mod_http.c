/* http: ask web servers.  Its functions are declared in doc/http.lua.
 *
 * Without a response (refused, timeout, too large) there is a result all the same, so that a script
 * that looks at nothing but status_code does the right thing: it is 0 then.  Also taken are the
 * forms of older scripts: url and options in one table, get(url, headers), post(url, body,
 * headers).
 */
#include "base/units.h"
#include "lua/modules/module.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define TIMEOUT_MS     30000
#define TIMEOUT_MAX_MS (24.0 * 3600 * 1000)

/* ---- the result ------------------------------------------------------------------------------ */

/* Push a header's name as it is usually written: content-type as "Content-Type". */
static void
push_name(lua_State *L, const char *name, size_t len)
{
	bool is_first = true;
	luaL_Buffer b;

	luaL_buffinit(L, &b);
	for (size_t i = 0; i < len; i++) {
		int c = (unsigned char)name[i];

		luaL_addchar(&b, (char)(is_first ? toupper(c) : tolower(c)));
		is_first = c == '-';
	}
	luaL_pushresult(&b);
}

/* Add name and value, on top of the stack, to the table below: the second of a name makes it a
 * list. */
static void
add_header(lua_State *L)
{
	int table = lua_gettop(L) - 2;

	lua_pushvalue(L, -2);
	if (lua_gettable(L, table) == LUA_TTABLE) {
		lua_insert(L, -2);
		lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
		lua_pop(L, 2);
		return;
	}
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
	} else {
		lua_createtable(L, 2, 0);
		lua_insert(L, -2);
		lua_rawseti(L, -2, 1);
		lua_insert(L, -2);
		lua_rawseti(L, -2, 2);
	}
	lua_settable(L, table);
}

static void
push_headers(lua_State *L, const struct sbuf *headers)
{
	const char *line = sbuf_str(headers), *end = line + headers->len;

	lua_newtable(L);
	for (; line < end; line += strlen(line) + 1) {
		size_t len = strcspn(line, ":");
		const char *value = line + len;

		value += *value == ':';
		push_name(L, line, len);
		lua_pushstring(L, value + strspn(value, " \t"));
		add_header(L);
	}
}

/* R, on top of the stack, gets the value of its body when that is said to be JSON and is. */
static void
set_json(lua_State *L, const struct sbuf *body)
{
	json_error_t problem;

	lua_getfield(L, -1, "headers");
	if (lua_getfield(L, -1, "Content-Type") == LUA_TSTRING &&
		strcasestr(lua_tostring(L, -1), "application/json") &&
		module_push_json(L, sbuf_str(body), body->len, true, &problem))
		lua_setfield(L, -4, "json");
	lua_pop(L, 2);
}

static int
push_result(lua_State *L, const struct http_result *r)
{
	lua_createtable(L, 0, 10);
	lua_pushinteger(L, r->status_code);
	lua_setfield(L, -2, "status_code");
	lua_pushlstring(L, sbuf_str(&r->status), r->status.len);
	lua_setfield(L, -2, "status");
	lua_pushlstring(L, sbuf_str(&r->body), r->body.len);
	lua_pushvalue(L, -1);
	lua_setfield(L, -3, "body");
	lua_setfield(L, -2, "text");
	push_headers(L, &r->headers);
	lua_setfield(L, -2, "headers");
	lua_pushboolean(L, r->status_code / 100 == 2);
	lua_pushvalue(L, -1);
	lua_setfield(L, -3, "success");
	lua_setfield(L, -2, "ok");
	lua_pushinteger(L, (lua_Integer)r->elapsed_ms);
	lua_setfield(L, -2, "elapsed_ms");
	if (!r->error) {
		set_json(L, &r->body);
		return 1;
	}
	lua_pushstring(L, r->error);
	lua_pushvalue(L, -1);
	lua_setfield(L, -3, "error");
	return 2;
}

/* ---- the arguments --------------------------------------------------------------------------- */

static const char *const option_names[] = {
	"body", "headers", "insecure", "json", "method", "proxy", "query", "timeout", "url", NULL};

static bool
is_option(lua_State *L, int idx)
{
	for (const char *const *name = option_names; *name; name++) {
		if (lua_type(L, idx) == LUA_TSTRING && strcmp(*name, lua_tostring(L, idx)) == 0)
			return true;
	}
	return false;
}

/* Whether the table at idx has a key that is an option, or one that is none. */
static bool
has_key(lua_State *L, int idx, bool want_option)
{
	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
		if (is_option(L, -2) != want_option)
			continue;
		lua_pop(L, 2);
		return true;
	}
	return false;
}

/* Bring every form of the arguments into one: the URL at 1, options at 2. */
static void
take_arguments(lua_State *L, bool has_body)
{
	lua_settop(L, 3);
	if (lua_istable(L, 1)) {
		lua_pushvalue(L, 1);
		lua_replace(L, 2);
		lua_getfield(L, 1, "url");
		lua_replace(L, 1);
	} else if (has_body && lua_isstring(L, 2)) {
		lua_createtable(L, 0, 2);
		lua_pushvalue(L, 2);
		lua_setfield(L, -2, "body");
		lua_pushvalue(L, 3);
		lua_setfield(L, -2, "headers");
		lua_replace(L, 2);
	} else if (lua_isnil(L, 2)) {
		lua_newtable(L);
		lua_replace(L, 2);
	} else if (!has_body && lua_istable(L, 2) && !has_key(L, 2, true)) {
		lua_createtable(L, 0, 1);
		lua_pushvalue(L, 2);
		lua_setfield(L, -2, "headers");
		lua_replace(L, 2);
	}
	luaL_checktype(L, 2, LUA_TTABLE);
	if (has_key(L, 2, false))
		luaL_error(L, "http: unknown option; there are body, headers, insecure, json, "
			      "proxy, query, timeout and url");
	lua_settop(L, 2);
}

/* Append the value on top of the stack as it stands in a query, and pop it. */
static void
add_query_text(lua_State *L, struct sbuf *url)
{
	size_t len;
	const char *s = luaL_tolstring(L, -1, &len);

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (isalnum(c) || (c && strchr("-._~", c)))
			sbuf_addc(url, (char)c);
		else
			sbuf_printf(url, "%%%02X", c);
	}
	lua_pop(L, 2);
}

/* The URL with the query, without a fragment (servers are not told it). */
static const char *
url_of(lua_State *L)
{
	size_t len;
	const char *given = luaL_checklstring(L, 1, &len);
	struct sbuf *url = module_sbuf(L);
	char joint = strchr(given, '?') ? '&' : '?';

	luaL_argcheck(L, strlen(given) == len, 1, "the URL has a NUL in it");
	sbuf_add(url, given, strcspn(given, "#"));
	if (lua_getfield(L, 2, "query") == LUA_TNIL)
		return sbuf_str(url);
	luaL_checktype(L, -1, LUA_TTABLE);
	for (lua_pushnil(L); lua_next(L, -2);) {
		sbuf_addc(url, joint);
		joint = '&';
		lua_pushvalue(L, -2);
		add_query_text(L, url);
		sbuf_addc(url, '=');
		add_query_text(L, url);
	}
	return sbuf_str(url);
}

static uint64_t
timeout_ms(lua_State *L)
{
	struct err err = {0};
	lua_Number ms = TIMEOUT_MS;
	int64_t ns;

	if (lua_getfield(L, 2, "timeout") == LUA_TNUMBER) {
		ms = lua_tonumber(L, -1) * 1000;
	} else if (!lua_isnil(L, -1)) {
		if (units_parse_duration(luaL_checkstring(L, -1), &ns, &err) < 0)
			luaL_error(L, "http: timeout: %s", err.msg);
		ms = (lua_Number)ns / 1e6;
	}
	if (!(ms >= 1 && ms <= TIMEOUT_MAX_MS))
		luaL_error(L, "http: timeout must be from 1ms to a day");
	return (uint64_t)ms;
}

static void
take_json(lua_State *L, int idx, struct http_options *opt)
{
	struct sbuf *text = module_sbuf(L);
	struct err err = {0};

	if (json_lua_encode(L, idx, false, text, &err) < 0)
		luaL_error(L, "http: body: %s", err.msg);
	opt->body = sbuf_str(text);
	opt->body_len = text->len;
}

static void
take_body(lua_State *L, struct http_options *opt)
{
	if (lua_getfield(L, 2, "json") != LUA_TNIL)
		take_json(L, lua_gettop(L), opt);
	else if (lua_getfield(L, 2, "body") == LUA_TTABLE)
		take_json(L, lua_gettop(L), opt);
	else if (!lua_isnil(L, -1))
		opt->body = luaL_checklstring(L, -1, &opt->body_len);
}

static bool
is_json(lua_State *L, const char *text, size_t len)
{
	json_error_t problem;
	json_t *value = json_lua_parse(L, text, len, &problem);

	json_decref(value);
	return value != NULL;
}

static void
add_given_header(lua_State *L, struct sbuf *headers)
{
	size_t name_len, value_len;
	const char *name, *value;

	if (lua_type(L, -2) != LUA_TSTRING || !lua_isstring(L, -1))
		luaL_error(L, "http: headers are a table of strings by name");
	name = lua_tolstring(L, -2, &name_len);
	lua_pushvalue(L, -1); /* a number becomes text here, not in the script's table */
	value = lua_tolstring(L, -1, &value_len);
	if (name_len == 0 || strcspn(name, ": \r\n") != name_len ||
		strcspn(value, "\r\n") != value_len)
		luaL_error(L, "http: a header may not hold a line break, nor its name a colon");
	sbuf_adds(headers, name);
	sbuf_adds(headers, value_len > 0 ? ": " : ";"); /* curl's way to send an empty one */
	sbuf_add(headers, value, value_len + 1);
	lua_pop(L, 1);
}

/* Those given, and what a body needs: curl would say that it is a form, and wait a second for leave
 * to send a large one. */
static void
take_headers(lua_State *L, struct http_options *opt)
{
	static const char no_expect[] = "Expect:", json[] = "Content-Type: application/json",
			  text[] = "Content-Type: text/plain", none[] = "Content-Type:";
	struct sbuf *headers = module_sbuf(L);
	bool has_type = false;

	if (lua_getfield(L, 2, "headers") != LUA_TNIL) {
		luaL_checktype(L, -1, LUA_TTABLE);
		for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
			add_given_header(L, headers);
			has_type |= strcasecmp(lua_tostring(L, -2), "content-type") == 0;
		}
	}
	if (opt->body) {
		sbuf_add(headers, no_expect, sizeof(no_expect));
		if (!has_type && opt->body_len == 0)
			sbuf_add(headers, none, sizeof(none));
		else if (!has_type && is_json(L, opt->body, opt->body_len))
			sbuf_add(headers, json, sizeof(json));
		else if (!has_type)
			sbuf_add(headers, text, sizeof(text));
	}
	opt->headers = sbuf_str(headers);
	opt->headers_len = headers->len;
}

/* ---- the calls ------------------------------------------------------------------------------- */

/* The URL is at 1, the options are at 2. */
static int
start(lua_State *L, const char *method)
{
	struct http_options opt = {.method = method, .timeout_ms = timeout_ms(L)};

	opt.url = url_of(L);
	opt.proxy = module_opt_str(L, 2, "proxy");
	lua_getfield(L, 2, "insecure");
	opt.is_insecure = lua_toboolean(L, -1);
	take_body(L, &opt);
	if (!opt.body && (strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
				 strcmp(method, "PATCH") == 0))
		opt.body = "";
	take_headers(L, &opt);
	return http_wait(L, &opt, push_result);
}

static int
request_call(lua_State *L)
{
	luaL_Buffer upper;
	const char *method;

	luaL_checktype(L, 1, LUA_TTABLE);
	take_arguments(L, true);
	lua_getfield(L, 2, "method");
	method = luaL_optstring(L, -1, "GET");
	luaL_buffinit(L, &upper);
	for (; isalpha((unsigned char)*method); method++)
		luaL_addchar(&upper, (char)toupper((unsigned char)*method));
	if (*method || luaL_bufflen(&upper) == 0)
		luaL_error(L, "http.request: a method is a word of letters");
	luaL_pushresult(&upper);
	return start(L, lua_tostring(L, -1));
}

/* get, post, ...: the method and whether it has a body are upvalues. */
static int
method_call(lua_State *L)
{
	take_arguments(L, lua_toboolean(L, lua_upvalueindex(2)));
	if (lua_getfield(L, 2, "method") != LUA_TNIL)
		luaL_error(L, "http: 'method' is for http.request");
	return start(L, lua_tostring(L, lua_upvalueindex(1)));
}

int
module_http(lua_State *L)
{
	static const struct {
		const char *name, *method;
		bool has_body;
	} methods[] = {
		{"get", "GET", false},
		{"head", "HEAD", false},
		{"delete", "DELETE", false},
		{"post", "POST", true},
		{"put", "PUT", true},
		{"patch", "PATCH", true},
	};

	lua_createtable(L, 0, 7);
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		lua_pushstring(L, methods[i].method);
		lua_pushboolean(L, methods[i].has_body);
		lua_pushcclosure(L, method_call, 2);
		lua_setfield(L, -2, methods[i].name);
	}
	lua_pushcfunction(L, request_call);
	lua_setfield(L, -2, "request");
	return 1;
}
