/* Waits: through the script's own coroutines, pcall, sort, gsub and require; loud where they cannot
 * be; many at once; and what passes between them stays apart. */
#include "tests/unit/suite.h"
#include "tests/unit/worker_rig.h"

static struct rig rig;

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

/* sleep(s) waits; nap() is it for a moment. */
#define NAP "local function nap(...) sleep(0.001) return ... end "

START_TEST(wait_returns)
{
	rig_ok(&rig, NAP "assert(nap(1) == 1)");
	rig_ok(&rig, NAP "for i = 1, 20 do assert(nap(i) == i) end");
}
END_TEST

START_TEST(wait_inside_coroutines)
{
	rig_ok(&rig, NAP "local co = coroutine.create(function(a) local b = nap(a) + 1\n"
			 "local c = coroutine.yield(b) nap() return c * 2 end)\n"
			 "local ok, v = coroutine.resume(co, 1) assert(ok and v == 2)\n"
			 "assert(coroutine.status(co) == 'suspended')\n"
			 "ok, v = coroutine.resume(co, 21) assert(ok and v == 42)\n"
			 "assert(coroutine.status(co) == 'dead')\n"
			 "ok, v = coroutine.resume(co) assert(not ok and v:find('dead'))");
	rig_ok(&rig, NAP "local gen = coroutine.wrap(function() for i = 1, 3 do nap() "
			 "coroutine.yield(i) end end)\n"
			 "local sum = 0 for i in gen do sum = sum + i end assert(sum == 6)");
	rig_ok(&rig, NAP /* two levels down */
		"local inner = coroutine.wrap(function() return nap('deep') end)\n"
		"local outer = coroutine.wrap(function() nap() return inner() end)\n"
		"assert(outer() == 'deep')");
	rig_ok(&rig, NAP /* errors after a wait reach the resumer */
		"local co = coroutine.create(function() nap() error('late', 0) end)\n"
		"local ok, e = coroutine.resume(co) assert(not ok and e == 'late')\n"
		"local w = coroutine.wrap(function() nap() error({code = 7}) end)\n"
		"local good, t = pcall(w) assert(not good and t.code == 7)");
	rig_ok(&rig, "local ok, e = pcall(coroutine.yield) assert(not ok and e:find('outside a'))\n"
		     "local co, main = coroutine.running() assert(main and not "
		     "coroutine.isyieldable())\n"
		     "coroutine.wrap(function() assert(coroutine.isyieldable()) end)()");
}
END_TEST

START_TEST(wait_inside_pcall)
{
	rig_ok(&rig, NAP "local ok, v = pcall(nap, 5) assert(ok and v == 5)");
	rig_ok(&rig, NAP "local ok, e = pcall(function() nap() error('x', 0) end)\n"
			 "assert(not ok and e == 'x')");
	rig_ok(&rig, NAP "local ok, e = xpcall(function() nap() error('x', 0) end,\n"
			 "function(m) return m .. '!' end) assert(not ok and e == 'x!')");
	rig_ok(&rig,
		NAP "local ok, a, b = xpcall(function(...) nap() return ... end, print, 1, 2)\n"
		    "assert(ok and a == 1 and b == 2)");
	rig_ok(&rig,
		NAP "local closed\n"
		    "do local x <close> = setmetatable({}, {__close = function() nap() closed = 1 "
		    "end}) end assert(closed)");
	rig_ok(&rig, NAP "local t = setmetatable({}, {__index = function(_, k) return nap(k) end,\n"
			 "__add = function(a, b) return nap(b) end})\n"
			 "assert(t.key == 'key' and t + 3 == 3)");
	rig_ok(&rig, NAP "local n = 0 for i in function(_, i) i = nap((i or 0) + 1)\n"
			 "if i < 4 then return i end end do n = n + i end assert(n == 6)");
}
END_TEST

START_TEST(wait_inside_sort_gsub_load)
{
	rig_ok(&rig, NAP "local t = {3, 1, 2, 5, 4}\n"
			 "table.sort(t, function(a, b) nap() return a > b end)\n"
			 "assert(table.concat(t) == '54321')");
	rig_ok(&rig, NAP
		"local s, n = ('hello world'):gsub('o', function(c) return nap(c:upper()) end)\n"
		"assert(s == 'hellO wOrld' and n == 2)");
	rig_ok(&rig,
		NAP "local parts = {'return ', 'nil', ' == x'}\n"
		    "local i = 0 local f = load(function() nap() i = i + 1 return parts[i] end)\n"
		    "assert(f() == true)");
}
END_TEST

START_TEST(sort_and_gsub_do_as_lua_does)
{
	rig_ok(&rig, "for n = 0, 200 do local t, u = {}, {}\n"
		     "for i = 1, n do t[i] = (i * 7919) % 101 u[i] = t[i] end\n"
		     "table.sort(t) for i = 2, n do assert(t[i - 1] <= t[i]) end\n"
		     "table.sort(u, function(a, b) return a > b end)\n"
		     "for i = 1, n do assert(u[i] == t[n - i + 1]) end end");
	rig_ok(&rig, "assert(not pcall(table.sort, {1, 'x'}) and not pcall(table.sort, 5))");
	/* against the original, which a replacement table still uses */
	rig_ok(&rig,
		"local id = setmetatable({}, {__index = function(_, k) return '<' .. tostring(k) "
		".. "
		"'>' end})\n"
		"local subjects = {'', 'a', 'hello world', 'aaa', 'one, two;three', '  x  '}\n"
		"local patterns = {'', 'a*', '^a', '%w+', '(%w)(%w)', '()', 'x?', '^', '$', "
		"'%f[%w]%w+', "
		"'.-', 'l'}\n"
		"for _, s in ipairs(subjects) do for _, p in ipairs(patterns) do\n"
		"for _, max in ipairs{0, 1, 2, 100} do\n"
		"local a, n = s:gsub(p, id, max)\n"
		"local b, m = s:gsub(p, function(k) return '<' .. tostring(k) .. '>' end, max)\n"
		"assert(a == b and n == m, s .. '|' .. p .. '|' .. max .. ': ' .. a .. ' ' .. b)\n"
		"end end end");
	rig_ok(&rig, "assert(('abc'):gsub('b', function() return false end) == 'abc')");
	rig_fails(&rig, "return ('abc'):gsub('b', function() return {} end)",
		"invalid replacement value (a table)");
}
END_TEST

START_TEST(wait_where_it_cannot_be)
{
	rig_fails(&rig,
		NAP "tostring(setmetatable({}, {__tostring = function() nap() return '' end}))",
		"cannot wait inside tostring");
	rig_fails(&rig, NAP "return ('%s'):format(setmetatable({}, {__tostring = nap}))",
		"cannot wait inside format");
	rig_fails(&rig, NAP "print(setmetatable({}, {__tostring = nap}))",
		"cannot wait inside print");
	rig_fails(&rig, NAP "('x'):gsub('x', setmetatable({}, {__index = nap}))", "cannot wait");
	rig_fails(&rig,
		NAP /* not even in a coroutine below it */
		"print(setmetatable({}, {__tostring = function()\n"
		"return coroutine.wrap(function() nap() return 'x' end)() end}))",
		"cannot wait");
	rig_ok(&rig, NAP "xpcall(error, function() local ok, e = pcall(nap)\n"
			 "handled = not ok and e end) assert(handled:find('cannot wait'))");
}
END_TEST

START_TEST(many_wait_at_once)
{
	int64_t start = clock_mono_ns();

	rig_script(&rig, 1,
		"function on_event() local mine = {} G = mine sleep(0.2) assert(G == mine) return "
		"true "
		"end",
		0, "");
	for (int i = 0; i < 200; i++)
		(void)rig_run(&rig, 1, RIG_TIMEOUT_MS, "x.y", "");
	for (int i = 0; i < 200; i++) {
		struct outcome o = rig_outcome(&rig);

		ck_assert_msg(o.result == RUN_SUCCESS, "%s", o.error);
		outcome_fini(&o);
	}
	ck_assert_int_lt(clock_mono_ns() - start, 30 * NS_PER_S); /* one after the other: 40 s */
	ck_assert_uint_eq(rig.worker->idle_count, 1);             /* all in one state */
}
END_TEST

static void
cancel(uint32_t run)
{
	struct sbuf out = {0};
	size_t mark = frame_begin(&out, MSG_CANCEL, run);

	frame_u32(&out, RUN_INTERRUPTED);
	frame_end(&out, mark);
	rig_send(&rig, &out);
}

START_TEST(slices_are_fair)
{
	struct outcome o;

	rig_script(&rig, 1, "function on_event() while true do end end", 0, "");
	rig_script(&rig, 2,
		"function on_event() coroutine.wrap(function() while true do end end)() end", 0,
		"");
	rig_script(&rig, 3, "function on_event() return true end", 0, "");
	for (uint64_t hook_id = 1; hook_id <= 3; hook_id++)
		(void)rig_run(&rig, hook_id, RIG_TIMEOUT_MS, "x.y", "");
	o = rig_outcome(&rig);
	ck_assert_msg(o.result == RUN_SUCCESS, "%s", o.error);
	ck_assert_uint_lt(o.duration_ns, 10 * NS_PER_S);
	outcome_fini(&o);
	for (uint32_t run = 1; run <= 2; run++) {
		cancel(run);
		o = rig_outcome(&rig);
		ck_assert_uint_eq(o.result, RUN_INTERRUPTED);
		outcome_fini(&o);
	}
}
END_TEST

START_TEST(slices_keep_the_computation_intact)
{
	rig_ok(&rig, "local x = 0 for i = 1, 3000000 do x = x + i % 7 end\n"
		     "local co = coroutine.wrap(function() local y = 0\n"
		     "for i = 1, 3000000 do y = y + i % 7 if i % 1000000 == 0 then\n"
		     "coroutine.yield(i) end end return y end)\n"
		     "assert(co() == 1000000 and co() == 2000000 and co() == 3000000)\n"
		     "assert(co() == x)");
}
END_TEST

/* ---- requests to the daemon ----------------------------------------------------------------- */

static void
answer(uint32_t request, uint32_t code, const char *value, const char *error)
{
	struct sbuf out = {0};
	size_t mark = frame_begin(&out, MSG_ANSWER, 0);

	frame_u32(&out, request);
	frame_u32(&out, code);
	frame_strz(&out, value);
	frame_strz(&out, error);
	frame_end(&out, mark);
	rig_send(&rig, &out);
}

START_TEST(requests_are_answered)
{
	struct frame f;
	struct outcome o;
	char *key;

	rig_script(&rig, 1,
		"function on_event() local v = state.get('k') state.set('k', v + 1) return true, v "
		"end",
		0, "");
	(void)rig_run(&rig, 1, RIG_TIMEOUT_MS, "x.y", "");
	f = rig_next(&rig);
	ck_assert_uint_eq(f.type, MSG_STATE);
	ck_assert_uint_eq(f.id, 1);
	answer(frame_get_u32(&f), 0, "41", "");
	f = rig_next(&rig);
	ck_assert_uint_eq(f.type, MSG_STATE);
	answer(frame_get_u32(&f) + 1000, 0, "", ""); /* one that nobody asked for */
	f.at -= 4;
	answer(frame_get_u32(&f), 0, "", "");
	(void)frame_get_u32(&f);
	key = rig_text(&f);
	ck_assert_str_eq(key, "k");
	free(key);
	o = rig_outcome(&rig);
	ck_assert_msg(o.result == RUN_SUCCESS, "%s", o.error);
	ck_assert_str_eq(o.message, "41");
	outcome_fini(&o);
}
END_TEST

START_TEST(cancel_ends_a_wait)
{
	struct frame f;
	struct outcome o;

	rig_script(
		&rig, 1, "function on_event() pcall(state.get, 'k') while true do end end", 0, "");
	(void)rig_run(&rig, 1, RIG_TIMEOUT_MS, "x.y", "");
	f = rig_next(&rig);
	ck_assert_uint_eq(f.type, MSG_STATE);
	cancel(1);
	o = rig_outcome(&rig);
	ck_assert_uint_eq(o.result, RUN_INTERRUPTED);
	outcome_fini(&o);
	answer(1, 0, "1", ""); /* too late: nobody is there */
	rig_ok(&rig, "return true");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("waiting");
	TCase *tc = tcase_create("waiting");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, wait_returns);
	tcase_add_test(tc, wait_inside_coroutines);
	tcase_add_test(tc, wait_inside_pcall);
	tcase_add_test(tc, wait_inside_sort_gsub_load);
	tcase_add_test(tc, sort_and_gsub_do_as_lua_does);
	tcase_add_test(tc, wait_where_it_cannot_be);
	tcase_add_test(tc, many_wait_at_once);
	tcase_add_test(tc, slices_are_fair);
	tcase_add_test(tc, slices_keep_the_computation_intact);
	tcase_add_test(tc, requests_are_answered);
	tcase_add_test(tc, cancel_ends_a_wait);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
