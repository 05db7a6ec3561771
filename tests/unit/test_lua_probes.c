/* A31: what a hook can do to hold on beyond its deadline, to take memory, or to get out: every one
 * ends by the deadline and half a second, a neighbour in the same worker gets its answer meanwhile,
 * and the worker goes on. */
#include "tests/unit/suite.h"
#include "tests/unit/worker_rig.h"

#define TIMEOUT_MS 400
#define PROBES     (sizeof(probes) / sizeof(probes[0]))

/* A sanitizer makes everything slow: its build shows that nothing else is wrong.  A worker has one
 * thread, so the one for threads sees no more in the others than in the first. */
#ifdef __SANITIZE_ADDRESS__
#define GRACE_NS   (5000 * NS_PER_MS)
#define PROBES_RUN PROBES
#elif defined(__SANITIZE_THREAD__)
#define GRACE_NS   (5000 * NS_PER_MS)
#define PROBES_RUN 1
#else
#define GRACE_NS   (500 * NS_PER_MS)
#define PROBES_RUN PROBES
#endif
#define BIG "local big = ('x'):rep(20000000) "
#define CHAIN                                                                                      \
	"local t, top = {}, nil for i = 1, 1000000 do t[i] = '' end\n"                             \
	"for i = 1, 1500 do t = setmetatable({}, {__index = t}) end\n"

/* A probe that goes on for ever must be ended as timed out; any other may end as it likes. */
static const struct probe {
	const char *name, *body;
	bool may_end;
} probes[] = {
	/* loops */
	{"endless loop", "while true do end", false},
	{"pcall in a loop", "while true do pcall(function() while true do end end) end", false},
	{"xpcall handler that loops", "xpcall(error, function() while true do end end)", false},
	{"__close that loops",
		"local x <close> = setmetatable({}, {__close = function() while true do end end})",
		false},
	{"__gc that loops", "setmetatable({}, {__gc = function() while true do end end})", true},
	{"coroutine that loops", "coroutine.wrap(function() while true do end end)()", false},
	{"many short coroutines", "while true do coroutine.wrap(function() end)() end", false},
	{"coroutines that never end",
		"local t = {} while true do t[#t % 100 + 1] = coroutine.create(function() end) "
		"coroutine.resume(t[1]) end",
		false},
	{"deep recursion", "local function f() return 1 + f() end while true do pcall(f) end",
		true},
	{"nested pcall", "local function f() pcall(f) end while true do f() end", false},
	{"nested coroutines",
		"local function f() coroutine.wrap(f)() end while true do pcall(f) end", false},
	{"deep parser levels",
		"while true do load('return ' .. ('('):rep(190) .. '1' .. (')'):rep(190)) end",
		false},
	/* patterns */
	{"pattern a-a-...b", "('a'):rep(60):find(('a-'):rep(28) .. 'b')", false},
	{"pattern .-.-.-.-.- on 60 KB", "('a'):rep(60000):find(('.-'):rep(5) .. 'b')", false},
	{"pattern a?a?...aaa", "('a'):rep(25):match(('a?'):rep(60) .. ('a'):rep(60))", false},
	{"pattern through gmatch", "for w in ('a'):rep(60):gmatch(('a-'):rep(28) .. 'b') do end",
		false},
	{"pattern through gsub", "('a'):rep(60):gsub(('a-'):rep(28) .. 'b', '')", false},
	{"pattern with captures", "('a'):rep(60):find(('(a-)'):rep(28) .. 'b')", false},
	{"pattern %b", "while true do ('('):rep(1000000):find('%b()') end", false},
	{"pattern with a back reference", "('a'):rep(100000):find('(.-)(.-)%1%2b')", false},
	{"pattern with a large set",
		"local set = '[' .. ('b'):rep(1000000) .. ']' ('a'):rep(1000000):find(set)", false},
	{"pattern under pcall in a loop",
		"while true do pcall(string.find, ('a'):rep(60), ('a-'):rep(28) .. 'b') end",
		false},
	{"pattern inside __tostring",
		"tostring(setmetatable({}, {__tostring = function() ('a'):rep(60):find(('a-'):rep("
		"28) .. 'b') end}))",
		false},
	{"plain search of half the text",
		"local a = ('a'):rep(1000000) while true do a:find(('a'):rep(500000) .. 'b', 1, "
		"true) end",
		false},
	/* other functions of the library */
	{"rep in a loop", "while true do pcall(string.rep, 'x', 1e6) end", false},
	{"rep of 1e9", "('x'):rep(1e9)", true},
	{"rep of nothing", "(''):rep(1 << 60)", true},
	{"rep with nothing but a separator", "while true do ('x'):rep(1000000, ',') end", false},
	{"concat of 1e9", "table.concat({}, 'x', 1, 1e9)", true},
	{"concat through __index",
		"table.concat(setmetatable({}, {__index = rawlen}), '', 1, 1 << 40)", true},
	{"concat through a chain of __index", CHAIN "table.concat(t, '', 1, 1000000)", false},
	{"unpack of 1e7", "table.unpack({}, 1, 1e7)", true},
	{"unpack through a chain of __index", CHAIN "table.unpack(t, 1, 900000)", false},
	{"move of 1 << 40", "table.move({}, 1, 1 << 40, 2)", true},
	{"move through a chain of __index", CHAIN "table.move(t, 1, 1000000, 1, {})", false},
	{"insert with a __len of 1 << 40",
		"table.insert(setmetatable({}, {__len = function() return 1 << 40 end}), 1, 1)",
		true},
	{"insert through a chain of __index",
		CHAIN "table.insert(setmetatable({}, {__index = t, __len = function() return "
		      "1000000 end}), 1, 1)",
		false},
	{"remove through a chain of __index",
		CHAIN "table.remove(setmetatable({}, {__index = t, __newindex = rawlen, __len = "
		      "function() return 1000000 end}), 1)",
		false},
	{"sort with a comparator that contradicts itself",
		"local t = {} for i = 1, 50 do t[i] = i end\n"
		"while true do table.sort(t, function() return true end) end",
		false},
	{"sort of much",
		"local t = {} for i = 1, 1e6 do t[i] = -i end while true do "
		"table.sort(t, function(a, b) return a < b end) end",
		false},
	{"format with a wide field", "string.format('%99999d', 1)", true},
	{"format of much",
		"while true do ('%99.99f'):rep(10000):format(table.unpack({}, 1, 1)) end", true},
	{"pack of 1e9", "string.pack('c1000000000', 'x')", true},
	{"upper of 20 MB", BIG "while true do big:upper() end", false},
	{"utf8.len of 20 MB", BIG "while true do utf8.len(big) end", false},
	{"utf8.offset over 20 MB", BIG "while true do utf8.offset(big, 19999999) end", false},
	{"byte and sub of 20 MB", BIG "while true do big:sub(2) end", false},
	{"comparison of 20 MB",
		BIG "local a, b = big .. 'a', big .. 'b' while true do local c = a < b end", true},
	{"tonumber of 20 MB", BIG "while true do tonumber(big, 36) end", false},
	{"gsub of 20 MB", BIG "while true do big:gsub('x', 'y') end", true},
	{"os.date with a long format", "os.date(('%c'):rep(5000000))", true},
	{"collectgarbage in a loop",
		"local t = {} for i = 1, 400000 do t[i] = {} end while true do collectgarbage() "
		"end",
		false},
	{"load of 10 MB", "load(('a=a '):rep(2500000))", true},
	{"load of 100,000 elseif", "load('if a then ' .. ('elseif a then '):rep(600000) .. ' end')",
		true},
	{"load that never ends", "load(function() return ' ' end)", true}, /* or by its memory */
	{"load of bytecode", "assert(load('\\27Lua'))", true},
	{"dump", "string.dump(print)", true},
	{"string metatable", "getmetatable('').__index.rep = nil", true},
	/* memory */
	{"table that grows", "local t = {} while true do t[#t + 1] = {} end", true},
	{"string that doubles", "local s = 'x' while true do s = s .. s end", true},
	{"memory under pcall", "while true do pcall(string.rep, 'x', 1e9) end", true},
	/* ours */
	{"print without end", "while true do print(('x'):rep(10000)) end", false},
	{"an error of 20 MB", BIG "error(big)", true},
	{"an error that is a table without end",
		"error(setmetatable({}, {__tostring = function() while true do end end}))", false},
	{"json of deep nesting",
		"local t = {} for i = 1, 1e5 do t = {t} end while true do pcall(json.encode, t) "
		"end",
		false},
	{"json text of deep nesting",
		"local s = ('['):rep(1e6) while true do pcall(json.decode, s) end", false},
	{"json of 2 MB",
		"local s = '[' .. ('1,'):rep(1000000) .. '1]' while true do "
		"pcall(json.decode, s) end",
		true},
	{"json of 17 MB", "assert(json.decode((' '):rep(17 << 20)))", true},
	{"log without end", "while true do log.info('x') end", false},
	{"sleep", "pcall(sleep, 60) while true do pcall(sleep, 60) end", false},
	/* the parser, which no hook interrupts */
	{"load of many gotos", "load(('goto a '):rep(32000) .. '::a::')", true},
	{"load of many breaks", "load('while true do ' .. ('break '):rep(32000) .. 'end')", true},
	{"load of as many gotos as may be", "load(('goto a '):rep(8192) .. '::a::')", true},
	{"load of many labels",
		"local t = {} for i = 1, 32000 do t[i] = '::l' .. i .. '::' end\n"
		"load(table.concat(t) .. ('goto l32000 '):rep(1000000))",
		true},
	{"load of many blocks", "load(('goto a do ::b:: end '):rep(30000) .. '::a::')", true},
	{"load of a sum", "while true do load('return 1' .. ('+1'):rep(5000000)) end", false},
	{"load of and", "load('return a' .. (' and a'):rep(1000000))", true},
	{"load of names of outer functions",
		"local t = {} for i = 1, 190 do\n"
		"t[i] = 'local a' .. i .. ' ' end local l = table.concat(t)\n"
		"load((l .. 'return function() '):rep(100) .. ('x=x '):rep(100000) .. ('end "
		"'):rep(100))",
		true},
	{"load of a comment", "while true do load('--[[' .. (' '):rep(20000000) .. ']]') end",
		true},
	{"load of a string",
		"while true do load('return \"' .. ('\\\\65'):rep(5000000) .. '\"') end", true},
	/* lookups and numbers */
	{"keys that fall together",
		"local m, t = (1 << 17) - 1, {} for i = 1, 65537 do t['k' .. i] = 1 end\n"
		"for i = 1, 65000 do t[i * m] = 1 end\n"
		"while true do local x = t[-m] end",
		false},
	{"next over what was emptied",
		"local t = {} for i = 1, 500000 do t['k' .. i] = 1 end for k in next, t do t[k] = "
		"nil end\n"
		"while true do next(t) end",
		false},
	{"next over a large array",
		"local t = {} for i = 1, 2000000 do t[i] = 1 end for i = 1, 2000000 do t[i] = nil "
		"end\n"
		"while true do next(t) end",
		false},
	{"format of many values",
		"local t = {} for i = 1, 200000 do t[i] = 5e-324 end\n"
		"local f = ('%.1e'):rep(#t) while true do pcall(string.format, f, table.unpack(t)) "
		"end",
		false},
	{"format of few values",
		"local t = {} for i = 1, 9000 do t[i] = 5e-324 end\n"
		"local function g(f, ...) while true do string.format(f, ...) end end "
		"g(('%.1e'):rep(#t), table.unpack(t))",
		false},
	{"format of large values",
		"local t = {} for i = 1, 90000 do t[i] = 1.7e308 end\n"
		"local f = ('%99.0f'):rep(#t) while true do pcall(string.format, f, "
		"table.unpack(t)) end",
		true},
	{"format of a table without end",
		"string.format('%s', setmetatable({}, {__tostring = function() while true do end "
		"end}))",
		false},
	{"os.date of many fields", "while true do os.date(('%n'):rep(12000000)) end", true},
	{"os.date of many short fields", "while true do os.date(('%x'):rep(1500000)) end", true},
	{"tonumber of 20 MB of digits",
		"local big = ('9'):rep(20000000) while true do tonumber(big) end", false},
	{"tonumber of 20 MB of hex",
		"local big = '0x' .. ('9'):rep(20000000) while true do tonumber(big) end", false},
	{"packsize of 20 MB",
		"local f = ('<'):rep(20000000) while true do pcall(string.packsize, f) end", false},
	{"unpack of 20 MB",
		"local f = ('<'):rep(20000000) while true do pcall(string.unpack, f, '') end",
		false},
	{"unpack of a million",
		"local s = ('x'):rep(1000000) local f = ('b'):rep(900000) while true do "
		"pcall(string.unpack, f, s) end",
		false},
	{"utf8.char of many",
		"local t = {} for i = 1, 200000 do t[i] = 0x7fffffff end while true do "
		"utf8.char(table.unpack(t)) end",
		false},
	{"utf8.codepoint of many",
		"local s = ('x'):rep(900000) while true do pcall(utf8.codepoint, s, 1, -1) end",
		false},
	{"select over many values",
		"local function f(...) while true do select(2, ...) end end f(table.unpack({}, 1, "
		"200000))",
		false},
	{"format %q of 10 MB",
		"local big = ('\\0'):rep(5000000) while true do ('%q'):format(big) end", true},
	{"format %q of 1 MB",
		"local big = ('\\0'):rep(1000000) while true do ('%q'):format(big) end", false},
	{"gsub of nothing", "local s = ('x'):rep(1000000) while true do s:gsub('', '') end", true},
	{"gsub by a table",
		"local t = setmetatable({}, {__index = function() while true do end end}); "
		"('x'):rep(10):gsub('x', t)",
		false},
	/* depth */
	{"traceback far down",
		"local function f(n) if n == 0 then while true do debug.traceback() end end return "
		"1 + f(n - 1) end f(150000)",
		false},
	{"error with a level far down",
		"local function f(n) if n == 0 then while true do pcall(error, 'x', 140000) end "
		"end return 1 + f(n - 1) end f(150000)",
		false},
	{"many __close that loop",
		"local mt = {__close = function() while true do end end}\n"
		"local function f(n) local x <close> = setmetatable({}, mt) if n > 0 then f(n - 1) "
		"end end f(100000)",
		true},
	{"many __close in C",
		"local t = {} for i = 1, 300000 do t[i] = i end setmetatable(t, {__close = "
		"json.encode})\n"
		"local function f(n) local x <close> = t if n > 0 then f(n - 1) end while true do "
		"end end f(100)",
		false},
	{"many __close that print",
		"local t = setmetatable({}, {__close = print, __tostring = function() while true "
		"do end end})\n"
		"local function f(n) local x <close> = t if n > 0 then f(n - 1) end while true do "
		"end end f(100)",
		false},
	{"handlers of handlers", "local function f() xpcall(error, f) xpcall(error, f) end f()",
		true},
	{"__index that leads far",
		"local t = {} for i = 1, 1900 do t = setmetatable({}, {__index = t}) end\n"
		"while true do local x = t.x end",
		false},
	{"coroutines closed in a loop",
		"while true do local c = coroutine.wrap(function() local x <close> = "
		"setmetatable({}, {__close = function() "
		"while true do end end}) coroutine.yield() end) c() end",
		true},
	{"coroutine.close that loops",
		"local c = coroutine.create(function() local x <close> = setmetatable({}, {__close "
		"= function() "
		"while true do end end}) coroutine.yield() end) coroutine.resume(c) "
		"coroutine.close(c)",
		false},
	{"coroutines that close each other",
		"local c = {} for i = 1, 30000 do c[i] = coroutine.create(function()\n"
		"local x <close> = setmetatable({}, {__close = function()\n"
		"if c[i + 1] then coroutine.close(c[i + 1]) end end}) coroutine.yield() end)\n"
		"coroutine.resume(c[i]) end coroutine.close(c[1])",
		true},
	{"coroutines that fail within each other",
		"local w = {} for i = 1, 30000 do w[i] = coroutine.wrap(function()\n"
		"local x <close> = setmetatable({}, {__close = function()\n"
		"if w[i + 1] then w[i + 1]() end end}) coroutine.yield() error('x') end)\n"
		"w[i]() end w[1]()",
		true},
	{"sort with a __len of 1 << 40",
		"table.sort(setmetatable({}, {__len = function() return 1 << 40 end, __index = "
		"function() return 1 end}))",
		true},
	{"files without end", "while true do io.open('/dev/null') end", false},
	/* JSON */
	{"json of many arrays", "pcall(json.decode, '[' .. ('[],'):rep(5000000) .. '[]]')", true},
	{"json of many objects", "pcall(json.decode, '[' .. ('{\"a\":1},'):rep(1800000) .. '{}]')",
		true},
	{"json of many keys",
		"local t = {} for i = 1, 300000 do t['k' .. i] = i end while true do "
		"json.encode(t) end",
		true}, /* by its deadline or for want of memory */
	{"json of many floats",
		"local t = {} for i = 1, 500000 do t[i] = 5e-324 end while true do "
		"pcall(json.encode, t) end",
		false},
	{"json text of many floats",
		"local s = '[' .. ('5e-324,'):rep(2000000) .. '1]' while true do "
		"pcall(json.decode, s) end",
		true},
	{"json of tables that hold each other",
		"local t = {} for i = 1, 60 do t = {t, t, t, t} end while true do "
		"pcall(json.encode, t) end",
		false},
	{"json of a large text far down",
		"local t = ('x'):rep(8000000) for i = 1, 95 do t = {a = 1, b = t} end while true "
		"do pcall(json.encode, t) end",
		false},
	{"json text of many keys",
		"local t = {} for i = 1, 900000 do t[i] = '\"k' .. i .. '\":1' end\n"
		"local s = '{' .. table.concat(t, ',') .. '}' t = nil while true do "
		"pcall(json.decode, s) end",
		true},
	{"weak keys in a chain",
		"local k, mt = {}, {__mode = 'k'} for i = 1, 40000 do k[i] = {} end local e = {}\n"
		"for i = 1, 39999 do local j = (i * 7919) % 39999 + 1 e[j] = setmetatable({[k[j]] "
		"= k[j + 1]}, mt) end\n"
		"local first = k[1] k = nil while true do collectgarbage() end",
		true},
	{"a program that ignores signals", "exec.run('trap \"\" TERM INT; sleep 60')", false},
};

static struct rig rig;

/* Everything here is one process.  On a busy machine time passes in which it does nothing; its own
 * time tells whether it came to an end when it should. */
static int64_t
cpu_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static void
run_probe(const struct probe *p)
{
	char *source = mem_printf("function on_event() %s end", p->body);
	int64_t begun = cpu_ns(), took;
	uint32_t probe, neighbour;
	bool is_answered = false;
	struct outcome o;

	rig_script(&rig, 1000 + rig.last_run, source, 0, "");
	probe = rig_run(&rig, 1000 + rig.last_run, TIMEOUT_MS, "x.y", "");
	neighbour = rig_run(&rig, 1, 10000, "x.y", "");
	for (int i = 0; i < 2; i++) {
		struct frame f = rig_next(&rig);

		ck_assert_uint_eq(f.type, MSG_DONE);
		ck_assert(f.id == probe || f.id == neighbour);
		if (f.id == neighbour) {
			ck_assert_uint_eq(frame_get_u32(&f), RUN_SUCCESS);
			is_answered = true;
			continue;
		}
		took = cpu_ns() - begun;
		o.result = frame_get_u32(&f);
		ck_assert_msg(took < TIMEOUT_MS * NS_PER_MS + GRACE_NS, "%s: took %lld ms", p->name,
			(long long)(took / NS_PER_MS));
		ck_assert_msg(
			p->may_end || o.result == RUN_TIMEOUT, "%s: result %u", p->name, o.result);
	}
	ck_assert(is_answered);
	free(source);
}

START_TEST(every_probe_ends_by_its_deadline)
{
	rig_start(&rig);
	rig_script(&rig, 1, "function on_event() sleep(0.001) return true end", 0, "");
	run_probe(&probes[_i]);
	rig_ok(&rig, "return true");
	rig_stop(&rig);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("probes");
	TCase *tc = tcase_create("probes");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, every_probe_ends_by_its_deadline, 0, PROBES_RUN);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
