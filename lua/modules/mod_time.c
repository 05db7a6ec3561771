/* time: moments as unix seconds, durations as Go writes them.  Its functions are declared in
 * doc/time.lua. */
#include "base/clock.h"
#include "base/units.h"
#include "lua/modules/sleep.h"

#include <math.h>
#include <string.h>
#include <time.h>

static lua_Number
opt_ts(lua_State *L, int idx)
{
	return luaL_optnumber(L, idx, (lua_Number)clock_real_ns() / 1e9);
}

static void
push_seconds(lua_State *L, lua_Number s)
{
	if (s == floor(s) && fabs(s) < 9e15)
		lua_pushinteger(L, (lua_Integer)s);
	else
		lua_pushnumber(L, s);
}

static int
time_now(lua_State *L)
{
	lua_pushnumber(L, (lua_Number)clock_real_ns() / 1e9);
	return 1;
}

static int
time_unix(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)time(NULL));
	return 1;
}

static int
time_unix_nano(lua_State *L)
{
	lua_pushinteger(L, clock_real_ns());
	return 1;
}

static int
time_rfc3339(lua_State *L)
{
	char text[CLOCK_TEXT_MAX];

	clock_format(
		lua_isnoneornil(L, 1) ? clock_real_ns() : (int64_t)(luaL_checknumber(L, 1) * 1e9),
		text);
	lua_pushstring(L, text);
	return 1;
}

/* Go's reference time, piece by piece, as strftime and strptime know it; longer pieces first. */
static const struct {
	const char *go, *conversion;
} pieces[] = {
	{"2006", "%Y"},
	{"January", "%B"},
	{"Monday", "%A"},
	{"-07:00", "%z"},
	{"-0700", "%z"},
	{"Z07:00", "%z"},
	{"Jan", "%b"},
	{"Mon", "%a"},
	{"MST", "%Z"},
	{"01", "%m"},
	{"02", "%d"},
	{"03", "%I"},
	{"04", "%M"},
	{"05", "%S"},
	{"06", "%y"},
	{"15", "%H"},
	{"PM", "%p"},
	{"_2", "%e"},
};

/* Append the layout in strftime's words. */
static void
add_format(struct sbuf *out, const char *layout)
{
	while (*layout) {
		size_t i;

		for (i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
			if (strncmp(layout, pieces[i].go, strlen(pieces[i].go)) == 0)
				break;
		if (i < sizeof(pieces) / sizeof(pieces[0])) {
			sbuf_adds(out, pieces[i].conversion);
			layout += strlen(pieces[i].go);
		} else {
			sbuf_adds(out, *layout == '%' ? "%%" : "");
			sbuf_add(out, layout, *layout == '%' ? 0 : 1);
			layout++;
		}
	}
}

static struct tm
local_time(lua_State *L, int idx)
{
	time_t t = (time_t)floor(opt_ts(L, idx));
	struct tm tm = {0};

	if (!localtime_r(&t, &tm))
		luaL_argerror(L, idx, "a time too far away");
	return tm;
}

/* The format is built from the table above, so it holds only conversions named there. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static int
time_format(lua_State *L)
{
	struct tm tm = local_time(L, 1);
	const char *layout = luaL_optstring(L, 2, "2006-01-02 15:04:05");
	struct sbuf *format = module_sbuf(L);
	char text[512];
	size_t len;

	add_format(format, layout);
	len = strftime(text, sizeof(text), sbuf_str(format), &tm);
	if (!len && *layout)
		return luaL_argerror(L, 2, "a layout of at most 511 bytes of text");
	lua_pushlstring(L, text, len);
	return 1;
}

#pragma GCC diagnostic pop

static int
time_parse(lua_State *L)
{
	const char *layout = luaL_checkstring(L, 1);
	const char *text = luaL_checkstring(L, 2);
	struct sbuf *format = module_sbuf(L);
	struct tm tm = {.tm_mday = 1, .tm_isdst = -1};
	struct err err = {0};
	const char *end;
	int64_t ns;

	if (strcmp(layout, "rfc3339") == 0 && clock_parse(text, &ns, &err) < 0) {
		lua_pushnil(L);
		lua_pushstring(L, err.msg);
		return 2;
	}
	if (strcmp(layout, "rfc3339") == 0) {
		push_seconds(L, (lua_Number)ns / 1e9);
		return 1;
	}
	add_format(format, layout);
	end = strptime(text, sbuf_str(format), &tm);
	if (!end || *end) {
		lua_pushnil(L);
		lua_pushfstring(L, "'%s' does not have the layout '%s'", text, layout);
		return 2;
	}
	lua_pushinteger(L, (lua_Integer)mktime(&tm));
	return 1;
}

/* Seconds of a number or a duration text at idx. */
static lua_Number
check_seconds(lua_State *L, int idx)
{
	struct err err = {0};
	int64_t ns;

	if (lua_type(L, idx) == LUA_TNUMBER)
		return lua_tonumber(L, idx);
	if (units_parse_duration(luaL_checkstring(L, idx), &ns, &err) < 0)
		luaL_argerror(L, idx, lua_pushstring(L, err.msg));
	return (lua_Number)ns / 1e9;
}

static int
time_duration(lua_State *L)
{
	struct err err = {0};
	int64_t ns;

	if (units_parse_duration(luaL_checkstring(L, 1), &ns, &err) < 0) {
		lua_pushnil(L);
		lua_pushstring(L, err.msg);
		return 2;
	}
	push_seconds(L, (lua_Number)ns / 1e9);
	return 1;
}

static int
time_add(lua_State *L)
{
	push_seconds(L, luaL_checknumber(L, 1) + check_seconds(L, 2));
	return 1;
}

static int
time_sub(lua_State *L)
{
	push_seconds(L, luaL_checknumber(L, 1) - check_seconds(L, 2));
	return 1;
}

static int
time_since(lua_State *L)
{
	lua_pushnumber(L, (lua_Number)clock_real_ns() / 1e9 - luaL_checknumber(L, 1));
	return 1;
}

static int
time_until(lua_State *L)
{
	lua_pushnumber(L, luaL_checknumber(L, 1) - (lua_Number)clock_real_ns() / 1e9);
	return 1;
}

static int
time_before(lua_State *L)
{
	lua_pushboolean(L, luaL_checknumber(L, 1) < luaL_checknumber(L, 2));
	return 1;
}

static int
time_after(lua_State *L)
{
	lua_pushboolean(L, luaL_checknumber(L, 1) > luaL_checknumber(L, 2));
	return 1;
}

static int
time_equal(lua_State *L)
{
	lua_pushboolean(L, luaL_checknumber(L, 1) == luaL_checknumber(L, 2));
	return 1;
}

/* time.year and the rest: one function, told by its upvalue which part of the calendar is meant. */
static int
time_part(lua_State *L)
{
	struct tm tm = local_time(L, 1);
	int parts[] = {tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
		tm.tm_sec, tm.tm_wday};

	lua_pushinteger(L, parts[lua_tointeger(L, lua_upvalueindex(1))]);
	return 1;
}

int
module_time(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"now", time_now},
		{"unix", time_unix},
		{"unix_nano", time_unix_nano},
		{"rfc3339", time_rfc3339},
		{"format", time_format},
		{"parse", time_parse},
		{"duration", time_duration},
		{"add", time_add},
		{"sub", time_sub},
		{"since", time_since},
		{"until", time_until},
		{"before", time_before},
		{"after", time_after},
		{"equal", time_equal},
		{"sleep", sleep_call},
		{NULL, NULL},
	};
	static const char *const parts[] = {
		"year", "month", "day", "hour", "minute", "second", "weekday", NULL};

	luaL_newlib(L, functions);
	for (lua_Integer i = 0; parts[i]; i++) {
		lua_pushinteger(L, i);
		lua_pushcclosure(L, time_part, 1);
		lua_setfield(L, -2, parts[i]);
	}
	return 1;
}
