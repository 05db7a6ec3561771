/* Patterns: the same as Lua's own, interrupted or not.  tests/fuzz/lua_pattern.c tries what nobody
 * thought of. */
#include "tests/unit/suite.h"
#include "tests/unit/worker_rig.h"

#include <lualib.h>

/* Lua code that is run twice, with our functions and with Lua's own, and must say the same. */
static const char *const programs[] = {
	"return s.find('hello world', 'lo w')",
	"return s.find('hello world', 'l+', 4)",
	"return s.find('a.b', '.', 2, true)",
	"return s.find('', '')",
	"return s.find('abc', '', 10)",
	"return s.find('abc', 'b', -2)",
	"return s.find('abc', 'b', -200)",
	"return s.find('a\\0b\\0c', '\\0c')",
	"return s.find('a\\0b', '%z')",
	"return s.match('key = value', '^(%w+)%s*=%s*(%w+)$')",
	"return s.match('2024-01-31', '(%d+)-(%d+)-(%d+)')",
	"return s.match('  x  ', '^%s*(.-)%s*$')",
	"return s.match('THE (quick) fox', '%f[%a]%l+%f[%A]')",
	"return s.match('f(a(b)c)d', '%b()')",
	"return s.match([[say \"hi\" or 'ho']], [[([\"'])(.-)%1]])",
	"return s.match('hello', '()ll()')",
	"return s.match('a]b-c^', '[]^-]+')",
	"return s.match('x', '[^%a]?')",
	"return s.match('$5', '%$%d$')",
	"return s.match('aaa', 'a-b')",
	"return s.match('aaa', '(a*)(aaa)')",
	"return s.match('ab', '(%a+)(b)')",
	"return s.match('ab', '(a?)(ab)')",
	"return s.match('abab', '((a)(b))%1')",
	"return s.match('xy', '(x?)((x)y)')",
	"return s.match('é', '%a')",
	"return s.match(12345, 34)",
	"return s.gsub('hello world', 'o', '0', 1)",
	"return s.gsub('hello', '', '-')",
	"return s.gsub('abc', '%w', '%0%0')",
	"return s.gsub('abc', '(a)(b)', '%2%1')",
	"return s.gsub('abc', '()', '%1')",
	"return s.gsub('$name is $age', '%$(%w+)', {name = 'x', age = 7})",
	"return s.gsub('abc', '.', {a = false, b = 'B'})",
	"return s.gsub('abc', '.', function(c) if c ~= 'b' then return c .. c end end)",
	"return s.gsub('abc', '^a', 'x')",
	"return s.gsub(('x'):rep(2000), 'x', 'yz')",
	"return s.gsub('abc', 'b', '%%')",
	"return s.gsub('abc', 'b', 'x', -1)",
	"local t = {} for k, v in s.gmatch('a=1, b=2', '(%w+)=(%w+)') do t[#t + 1] = k .. v end "
	"return table.concat(t, ',')",
	"local t = {} for w in s.gmatch('one two', '%a*') do t[#t + 1] = w end return #t, t[2]",
	"local t = {} for w in s.gmatch('abc', '', 3) do t[#t + 1] = w end return #t",
	"return s.gmatch('abc', '^a')()",
	"return s.match(('a'):rep(199), ('a?'):rep(199))",
	/* errors */
	"return s.find('x', '%')",
	"return s.find('x', '[a')",
	"return s.find('x', '[]')",
	"return s.find('x', '[%')",
	"return s.find('x', '(x')",
	"return s.find('x', 'x)')",
	"return s.find('x', '%1')",
	"return s.find('x', '%0')",
	"return s.find('x', '(%1)')",
	"return s.find('x', '%b')",
	"return s.find('x', '%bx')",
	"return s.find('x', '%f')",
	"return s.find('x', ('()'):rep(33))",
	"return s.find(('a'):rep(300), ('a?'):rep(200))",
	"return s.find(('a'):rep(300), ('(a'):rep(30))",
	"return s.find()",
	"return s.match('x', {})",
	"return s.gmatch('x')",
	"return s.find('x', 'x', 'y')",
	"return s.gsub('x', 'x')",
	"return s.gsub('x', 'x', true)",
	"return s.gsub('x', 'x', '%')",
	"return s.gsub('x', 'x', '%a')",
	"return s.gsub('x', 'x', '%2')",
	"return s.gsub('x', 'x', function() return {} end)",
	"return s.gsub('x', 'x', {x = print})",
	"return s.gsub('x', 'x', function() error('mine', 0) end)",
	"return s.gsub('x', 'x', 'y', {})",
};

static void
push_string(lua_State *L, bool is_ours)
{
	static const luaL_Reg ours[] = {{"find", pattern_find}, {"match", pattern_match},
		{"gmatch", pattern_gmatch}, {"gsub", pattern_gsub}, {NULL, NULL}};

	luaopen_string(L);
	if (is_ours)
		luaL_setfuncs(L, ours, 0);
}

/* What the program says: its values, or its error.  Our functions yield whenever they look at the
 * clock.  Returns owned. */
static char *
say(const char *program, bool is_ours)
{
	struct invocation inv = {.slice_end_ns = 0};
	struct state st = {.current = &inv};
	struct sbuf out = {0};
	lua_State *L = luaL_newstate(), *co;
	int status, count;

	*(struct state **)lua_getextraspace(L) = &st;
	luaL_openlibs(L);
	push_string(L, is_ours);
	lua_setglobal(L, "s");
	co = lua_newthread(L);
	ck_assert_int_eq(luaL_loadstring(co, program), LUA_OK);
	while ((status = lua_resume(co, L, 0, &count)) == LUA_YIELD)
		lua_pop(co, count);
	for (int i = status == LUA_OK ? 1 : lua_gettop(co); i <= lua_gettop(co); i++) {
		sbuf_adds(&out, luaL_tolstring(co, i, NULL));
		sbuf_addc(&out, '\n');
		lua_pop(co, 1);
	}
	lua_close(L);
	return sbuf_take(&out);
}

START_TEST(the_same_as_luas_own)
{
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		char *ours = say(programs[i], true), *theirs = say(programs[i], false);

		ck_assert_msg(strcmp(ours, theirs) == 0, "%s\nours: %s\ntheirs: %s", programs[i],
			ours, theirs);
		free(ours);
		free(theirs);
	}
}
END_TEST

/* Long enough that each yields many times. */
START_TEST(the_same_when_interrupted)
{
	static const char *const long_ones[] = {
		"return s.find(('a'):rep(20), ('a-'):rep(6) .. 'b')",
		"return s.find(('ab'):rep(30000) .. 'c', '(ab)*(c)$')",
		"return s.match(('x'):rep(50000) .. 'y', '^(x*)(y)()')",
		"return s.gsub(('ab'):rep(20000), 'a', function(c) return c:upper() end)",
		"return s.gsub(('ab'):rep(20000), '(a)(b)', '%2%1')",
		"return s.gsub(('x'):rep(9000) .. 'y', '^x-y', 'z')",
		"local n = 0 for w in s.gmatch(('x'):rep(3000), '(x-)y?$') do n = n + #w end "
		"return n",
		"return s.find(('a'):rep(300), '(.-)%1%1b')",
		"return s.find(('('):rep(3000), '%b()')",
	};

	for (size_t i = 0; i < sizeof(long_ones) / sizeof(long_ones[0]); i++) {
		char *ours = say(long_ones[i], true), *theirs = say(long_ones[i], false);

		ck_assert_msg(strcmp(ours, theirs) == 0, "%s", long_ones[i]);
		free(ours);
		free(theirs);
	}
}
END_TEST

/* A pattern that explodes takes its turns: a neighbour in the same worker is served meanwhile. */
START_TEST(neighbours_run_meanwhile)
{
	struct rig rig;
	struct outcome o;
	uint32_t quick;
	struct frame f;

	rig_start(&rig);
	rig_script(&rig, 1, "function on_event() ('a'):rep(60):find(('a-'):rep(40) .. 'b') end", 0,
		"");
	rig_script(&rig, 2, "function on_event() sleep(0.01) return true, 'quick' end", 0, "");
	(void)rig_run(&rig, 1, 500, "x.y", "");
	quick = rig_run(&rig, 2, 10000, "x.y", "");
	f = rig_next(&rig);
	ck_assert_uint_eq(f.type, MSG_DONE);
	ck_assert_uint_eq(f.id, quick);
	o = rig_outcome(&rig);
	ck_assert_uint_eq(o.result, RUN_TIMEOUT);
	ck_assert_ptr_nonnull(strstr(o.error, "in function 'string.find'"));
	outcome_fini(&o);
	rig_stop(&rig);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("pattern");
	TCase *tc = tcase_create("pattern");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, the_same_as_luas_own);
	tcase_add_test(tc, the_same_when_interrupted);
	tcase_add_test(tc, neighbours_run_meanwhile);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
