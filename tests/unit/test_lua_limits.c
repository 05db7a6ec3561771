/* Limits: every known way to hold on beyond the deadline, to eat memory, or to leave the sandbox.
 */
#include "tests/unit/suite.h"
#include "tests/unit/worker_rig.h"

static struct rig rig;

#define TIMEOUT_MS 150
#define MEMORY     (8u * 1024 * 1024)

static void
setup(void)
{
	rig_start(&rig);
}

static void
teardown(void)
{
	rig_stop(&rig);
}

#ifndef __SANITIZE_THREAD__
/* Ends by its deadline, soon after it, and the worker goes on. */
static void
times_out(const char *body)
{
	char *source = mem_printf("function on_event() %s end", body);
	int64_t start = clock_mono_ns();
	struct outcome o = rig_do_with(&rig, source, TIMEOUT_MS, 0);
	int64_t took = clock_mono_ns() - start;

	ck_assert_msg(
		o.result == RUN_TIMEOUT, "%s: result %u, %s%s", body, o.result, o.error, o.message);
	ck_assert_msg(strstr(o.error, "hook timed out after 150ms") != NULL, "%s", o.error);
	ck_assert_msg(took < 30 * NS_PER_S, "%s: took %lld ms", body, (long long)took / NS_PER_MS);
	outcome_fini(&o);
	free(source);
	rig_ok(&rig, "return true");
}

START_TEST(nothing_holds_on_beyond_the_deadline)
{
	static const char *const bodies[] = {
		"while true do end",
		"while true do pcall(function() while true do end end) end",
		"while true do pcall(error) end",
		"xpcall(function() while true do end end, function() while true do end end)",
		"xpcall(error, function() while true do end end)",
		"while true do xpcall(string.rep, print) end",
		"local x <close> = setmetatable({}, {__close = function() while true do end end})\n"
		"while true do end",
		"for i = 1, 3 do local x <close> = setmetatable({}, {__close = function()\n"
		"while true do pcall(error) end end}) end",
		"coroutine.wrap(function() while true do end end)()",
		"while true do coroutine.resume(coroutine.create(function() while true do end "
		"end)) end",
		"while true do coroutine.wrap(function() for i = 1, 10 do end end)() end",
		"local co = coroutine.create(function() local x <close> = setmetatable({},\n"
		"{__close = function() while true do end end}) coroutine.yield() end)\n"
		"coroutine.resume(co) while true do coroutine.close(co) end",
		"while true do pcall(string.rep, 'x', 1000000) end",
		"local s = ('x'):rep(3000000) while true do local u = s:upper() end",
		"local s = ('x'):rep(3000000) local t while true do t = s .. 'y' end",
		"local s = ('x'):rep(100000) while true do s:find('y') end",
		"tostring(setmetatable({}, {__tostring = function() while true do end end}))",
		"table.sort({3, 2, 1, 5, 4, 9, 8, 7}, function(a, b) while true do end end)",
		"local t = {} for i = 1, 50 do t[i] = i end\n"
		"while true do table.sort(t, function() return true end) end",
		"('x'):gsub('x', function() while true do end end)",
		"load(function() while true do end end)",
		"load(function() return ' ' end)",
		"local function f() return f() end f()",
		"for i = 1, math.huge do end",
		"goto a ::a:: goto a",
		"error(setmetatable({}, {__tostring = function() while true do end end}))",
		"return false, setmetatable({}, {__tostring = function() while true do end end})",
		"sleep(60)",
		"pcall(sleep, 60) while true do pcall(sleep, 60) end",
		"coroutine.wrap(function() pcall(sleep, 60) end)() while true do end",
		"exec.run('sleep 60')",
	};

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		times_out(bodies[i]);
}
END_TEST
#endif

START_TEST(the_error_says_where)
{
	struct outcome o = rig_do_with(&rig,
		"local function slow()\n while true do end\nend\nfunction on_event()\n "
		"pcall(slow)\nend",
		1000, 0);

	ck_assert_msg(strstr(o.error, "hooks/x.lua:2:") != NULL, "%s", o.error);
	ck_assert_msg(strstr(o.error, "hooks/x.lua:5:") != NULL, "%s", o.error);
	outcome_fini(&o);
	o = rig_do_with(&rig, "function on_event()\n sleep(600)\nend", 1000, 0);
	ck_assert_msg(strstr(o.error, "hooks/x.lua:2:") != NULL, "%s", o.error);
	outcome_fini(&o);
}
END_TEST

START_TEST(long_loops_in_c_are_refused)
{
	rig_ok(&rig, "assert((''):rep(1 << 60) == '')");
	rig_fails(&rig, "table.move({}, 1, 1 << 40, 2)", "too many elements to move");
	rig_fails(&rig,
		"table.insert(setmetatable({}, {__len = function() return 1 << 40 end}), 1, 1)",
		"a table of more than");
	rig_fails(&rig,
		"table.remove(setmetatable({}, {__len = function() return 1 << 40 end}), 1)",
		"a table of more than");
	rig_fails(&rig, "return table.unpack({}, 1, 1e7)", "too many results to unpack");
	rig_fails(&rig, "return table.concat({}, 'x', 1, 1e9)", "invalid value");
	rig_fails(&rig, "local t = {} for i = 1, 60 do t = {t, t} end json.encode(t)",
		"more than 16 MB of JSON");
	rig_fails(&rig, "string.format(('%d'):rep(20000), table.unpack({}, 1, 20000))",
		"more than 10000 values to format");
	rig_fails(
		&rig, "string.format('%d%q', 1, ('x'):rep(2000000))", "more than 1 MiB of strings");
	rig_ok(&rig, "assert(#string.format('100%%q%s', ('x'):rep(2000000)) == 2000005)");
	rig_fails(&rig, "os.date((' '):rep(70000))", "format too long");
	rig_fails(&rig, "string.packsize(('b'):rep(70000))", "format too long");
	rig_fails(&rig, "assert(load(('goto a '):rep(8193) .. '::a::'))",
		"more than 8192 times goto or break in one text");
	rig_ok(&rig, "assert(load(('goto a '):rep(8192) .. '::a::'))");
	rig_fails(&rig, "assert(json.decode('[' .. ('[],'):rep(1200000) .. '1]'))",
		"more values than the hook's memory holds");
	rig_ok(&rig,
		"assert(#json.decode('\"' .. ('[],\\\\\"{'):rep(1200000) .. '\"') == 6000000)");
	rig_fails(&rig, "state.set('k', ('x'):rep(9000000))", "are the most");
	rig_fails(&rig, "event.dispatch(('x'):rep(9000000), {})", "a type that long");
	rig_fails(&rig, "event.dispatch('a.b', {x = ('x'):rep(9000000)})", "are the most");
	rig_ok(&rig, "local t = {1, 2, 3} table.insert(t, 1, 0) assert(table.remove(t, 1) == 0)\n"
		     "assert(#t == 3 and table.move(t, 1, 3, 2)[4] == 3)");
}
END_TEST

/* ---- memory --------------------------------------------------------------------------------- */

static void
runs_out_of_memory(const char *body)
{
	char *source = mem_printf("function on_event() %s end", body);
	struct outcome o = rig_do_with(&rig, source, RIG_TIMEOUT_MS, MEMORY);

	ck_assert_msg(o.result == RUN_FAILED, "%s: result %u", body, o.result);
	ck_assert_msg(
		strcmp(o.error, "out of memory (8 MB, by its `memory` or config/hook_memory)") == 0,
		"%s: %s", body, o.error);
	outcome_fini(&o);
	free(source);
}

START_TEST(memory_is_capped)
{
	runs_out_of_memory("local t = {} while true do t[#t + 1] = {} end");
	runs_out_of_memory("local s = 'x' while true do s = s .. s end");
	runs_out_of_memory("return ('x'):rep(1e9)");
	runs_out_of_memory("while true do pcall(string.rep, 'x', 1e9) end");
	runs_out_of_memory(
		"local t = {} while true do pcall(function() t[#t + 1] = ('x'):rep(1e5) .. #t "
		"end) end");
	runs_out_of_memory(
		"coroutine.wrap(function() local t = {} while true do t[#t+1] = {} end end)()");
	runs_out_of_memory("local t = {} for i = 1, 1e7 do t[i] = i end table.concat(t)");
	rig_ok(&rig, "return true");
}
END_TEST

START_TEST(full_state_is_retired)
{
	rig_script(&rig, 1,
		"function on_event() if event.data.eat then local t = {} while true do t[#t + 1] = "
		"{} "
		"end end return true end",
		MEMORY, "");
	for (int i = 0; i < 6; i++) {
		struct outcome o;

		(void)rig_run(&rig, 1, RIG_TIMEOUT_MS, "x.y", i % 2 ? "{}" : "{\"eat\":1}");
		o = rig_outcome(&rig);
		ck_assert_uint_eq(o.result, i % 2 ? RUN_SUCCESS : RUN_FAILED);
		outcome_fini(&o);
		ck_assert_uint_eq(rig.worker->idle_count, 0); /* no state is kept for it any more */
	}
}
END_TEST

START_TEST(states_are_bounded)
{
	for (unsigned i = 0; i < STATES_MAX + 20; i++) {
		struct outcome o;

		rig_script(&rig, 1 + i, "function on_event() end", 0, "");
		(void)rig_run(&rig, 1 + i, RIG_TIMEOUT_MS, "x.y", "");
		o = rig_outcome(&rig);
		ck_assert_uint_eq(o.result, RUN_SUCCESS);
		outcome_fini(&o);
	}
	ck_assert_uint_eq(rig.worker->idle_count, STATES_MAX);
}
END_TEST

/* ---- the sandbox ---------------------------------------------------------------------------- */

START_TEST(what_is_absent)
{
	static const char *const names[] = {"dofile", "loadfile", "package", "debug.sethook",
		"debug.getregistry", "debug.getupvalue", "debug.getmetatable", "string.dump",
		"os.exit", "os.setlocale", "io.input", "io.output", "warn"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *body = mem_printf("assert(%s == nil)", names[i]);

		rig_ok(&rig, body);
		free(body);
	}
}
END_TEST

START_TEST(what_is_refused)
{
	rig_fails(&rig, "setmetatable({}, {__gc = function() end})", "__gc is not available");
	rig_fails(&rig, "string.rep = nil", "modules are read-only: 'rep'");
	rig_fails(&rig, "rawset(string, 'rep', nil)", "modules are read-only");
	rig_fails(&rig, "getmetatable('').__index = {}", "");
	rig_fails(&rig, "setmetatable(_G, {})", "protected metatable");
	rig_fails(&rig, "getmetatable(_G).__index = {}", "");
	rig_fails(&rig, "getmetatable(io.tmpfile()).__index = {}", "");
	rig_fails(&rig, "collectgarbage('stop')", "invalid option");
	rig_ok(&rig, "local f, e = load('\\27Lua') assert(not f and e:find('binary'))");
	rig_ok(&rig, "local f, e = load('return 1', 'x', 'b') assert(not f)");
	rig_ok(&rig, "local f = load('x = 1') f() assert(x == 1)");
	rig_ok(&rig, "local e = {} load('x = 1', 'n', 't', e)() assert(e.x == 1 and x == nil)");
	rig_ok(&rig, "local f, e = load('x = = 1', '=name') assert(not f and e:find('name:1:'))");
	rig_ok(&rig, "assert(loadstring('return 7')() == 7 and math.pow(2, 3) == 8.0)");
	rig_ok(&rig, "assert(table.getn({1, 2}) == 2 and select('#', unpack({1, 2})) == 2)");
	rig_ok(&rig, "local n = 0 for k, v in pairs(string) do n = n + 1 end assert(n > 15)");
	rig_fails(&rig, "local function f() return f() + 1 end f()", "");
	rig_ok(&rig, "assert(os.time() > 0 and os.date('%Y') and os.getenv('PATH'))");
}
END_TEST

START_TEST(files)
{
	char dir[] = "/tmp/sloth-lua-XXXXXX", *body;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	body = mem_printf(
		"local d = '%s/' local f = assert(io.open(d .. 'a', 'w')) f:write('1\\n2\\n') "
		"f:close()\n"
		"local n = 0 for line in io.lines(d .. 'a') do n = n + tonumber(line) end assert(n "
		"== 3)\n"
		"local f <close> = io.open(d .. 'a', 'a+') f:write('3') f:seek('set')\n"
		"assert(f:read('*a') == '1\\n2\\n3') assert(io.type(f) == 'file')\n"
		"assert(os.rename(d .. 'a', d .. 'b') and os.remove(d .. 'b'))\n"
		"local no, e = io.open(d .. 'a') assert(not no and e:find('No such file'))\n"
		"assert(not pcall(io.lines, d .. 'a') and not pcall(io.open, d .. 'a', 'z'))\n"
		"assert(exec.run('mkfifo ' .. d .. 'p').success)\n"
		"local no, e = io.open(d .. 'p') assert(not no)\n"
		"assert(io.read() == nil)",
		dir);
	rig_ok(&rig, body);
	free(body);
	body = mem_printf("rm -r %s", dir);
	ck_assert_int_eq(unlinkat(AT_FDCWD, dir, AT_REMOVEDIR), -1); /* the pipe is left */
	free(body);
	body = mem_printf("%s/p", dir);
	ck_assert_int_eq(unlink(body), 0);
	ck_assert_int_eq(rmdir(dir), 0);
	free(body);
}
END_TEST

static void
require_answers(const char *expected)
{
	struct outcome o;

	(void)rig_run(&rig, 1, RIG_TIMEOUT_MS, "x.y", "");
	o = rig_outcome(&rig);
	ck_assert_msg(o.result == RUN_SUCCESS, "%s", o.error);
	ck_assert_str_eq(o.message, expected);
	outcome_fini(&o);
}

/* What others may write, or own, is not run in their stead. */
START_TEST(lib_modules_of_others)
{
	char dir[] = "/tmp/sloth-lib-XXXXXX", path[64];
	FILE *f;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/m.lua", dir);
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	(void)fputs("return 'ran'", f);
	(void)fclose(f);
	rig_script(&rig, 1,
		"function on_event() local _, m = pcall(require, 'm') return true, m end", 0, dir);
	ck_assert_int_eq(chmod(path, 0664), 0);
	require_answers(
		"lib/m.lua: others may write it, and this hook would run it: chmod go-w it");
	ck_assert_int_eq(chmod(path, 0644), 0);
	ck_assert_int_eq(chmod(dir, 0777), 0);
	require_answers("lib/m.lua: others may write its directory, and this hook would run it: "
			"chmod go-w its directory");
	ck_assert_int_eq(chmod(dir, 0755), 0);
	if (chown(path, 65534, 65534) == 0) { /* root may */
		require_answers("lib/m.lua: uid 65534 owns it, and this hook would run it as uid "
				"0: chown it");
		ck_assert_int_eq(chown(path, 0, 0), 0);
	}
	require_answers("ran");
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

START_TEST(lib_modules)
{
	char dir[] = "/tmp/sloth-lib-XXXXXX", path[64];
	struct outcome o;
	FILE *f;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/m.lua", dir);
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	(void)fputs("loads = (loads or 0) + 1 sleep(0.001) return {n = loads, name = ...}", f);
	(void)fclose(f);
	rig_script(&rig, 1,
		"function on_event() local m = require 'm' assert(m == require 'm' and m.name == "
		"'m')\n"
		"assert(require 'json' == json and require('event').dispatch)\n"
		"local ok, e = pcall(require, 'nope') assert(not ok and e:find(\"module 'nope' not "
		"found\"))\n"
		"assert(not pcall(require, '../m') and not pcall(require, '/etc/passwd'))\n"
		"return true, m.n end",
		0, dir);
	for (int i = 0; i < 2; i++) {
		(void)rig_run(&rig, 1, RIG_TIMEOUT_MS, "x.y", "");
		o = rig_outcome(&rig);
		ck_assert_msg(o.result == RUN_SUCCESS, "%s", o.error);
		ck_assert_str_eq(o.message, "1");
		outcome_fini(&o);
	}
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	(void)fputs("return {n = 'edited', name = 'm'}", f);
	(void)fclose(f);
	(void)rig_run(&rig, 1, RIG_TIMEOUT_MS, "x.y", "");
	o = rig_outcome(&rig);
	ck_assert_str_eq(o.message, "edited");
	outcome_fini(&o);
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	(void)fputs("\nlocal x = = 1", f);
	(void)fclose(f);
	(void)rig_run(&rig, 1, RIG_TIMEOUT_MS, "x.y", "");
	o = rig_outcome(&rig);
	ck_assert_msg(strstr(o.error, "lib/m.lua:2: unexpected symbol") != NULL, "%s", o.error);
	outcome_fini(&o);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("limits");
	TCase *tc = tcase_create("limits");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
#ifndef __SANITIZE_THREAD__
	/* The thread sanitizer's own stack of calls is not unwound by longjmp, so 65,536 errors are
	 * more than it bears.  There is one thread here. */
	tcase_add_test(tc, nothing_holds_on_beyond_the_deadline);
#endif
	tcase_add_test(tc, the_error_says_where);
	tcase_add_test(tc, long_loops_in_c_are_refused);
	tcase_add_test(tc, memory_is_capped);
	tcase_add_test(tc, full_state_is_retired);
	tcase_add_test(tc, states_are_bounded);
	tcase_add_test(tc, what_is_absent);
	tcase_add_test(tc, what_is_refused);
	tcase_add_test(tc, files);
	tcase_add_test(tc, lib_modules);
	tcase_add_test(tc, lib_modules_of_others);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
