/* What an invocation reports: the forms of scripts, the result rules, output, metadata. */
#include "base/auto.h"
#include "base/mem.h"
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

START_TEST(result_rules)
{
	static const struct {
		const char *body;
		uint32_t result;
		const char *message, *error;
	} cases[] = {
		{"return true", RUN_SUCCESS, "", ""},
		{"return true, 'done'", RUN_SUCCESS, "done", ""},
		{"return true, 42", RUN_SUCCESS, "42", ""},
		{"return false", RUN_FAILED, "", "the hook returned false"},
		{"return false, 'no disk'", RUN_FAILED, "", "no disk"},
		{"return", RUN_SUCCESS, "", ""},
		{"return nil, 'x'", RUN_SUCCESS, "", ""},
		{"return 'text'", RUN_SUCCESS, "", ""},
		{"return {}", RUN_SUCCESS, "", ""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct outcome o = rig_do(&rig, cases[i].body);

		ck_assert_msg(o.result == cases[i].result, "%s: %s", cases[i].body, o.error);
		ck_assert_str_eq(o.message, cases[i].message);
		ck_assert_str_eq(o.error, cases[i].error);
		outcome_fini(&o);
	}
}
END_TEST

START_TEST(errors_have_position_and_traceback)
{
	struct outcome o = rig_do_with(&rig,
		"local function inner()\n  error('boom')\nend\n"
		"return {execute = function() inner() end}",
		RIG_TIMEOUT_MS, 0);

	ck_assert_uint_eq(o.result, RUN_FAILED);
	ck_assert_msg(
		strncmp(o.error, "hooks/x.lua:2: boom\nstack traceback:", 36) == 0, "%s", o.error);
	ck_assert_ptr_nonnull(strstr(o.error, "hooks/x.lua:4:"));
	ck_assert_ptr_null(strstr(o.error, "lua/host/"));
	outcome_fini(&o);
	o = rig_do_with(&rig, "local x = nil\nlocal y = x.z\nreturn {}", RIG_TIMEOUT_MS, 0);
	ck_assert_msg(strncmp(o.error, "hooks/x.lua:2: attempt to index", 31) == 0, "%s", o.error);
	outcome_fini(&o);
	rig_fails(&rig, "error({})", "table");
	rig_fails(
		&rig, "error(setmetatable({}, {__tostring = function() return 'own' end}))", "own");
	rig_fails(&rig, "error()", "nil");
}
END_TEST

START_TEST(three_forms)
{
	static const char *const sources[] = {
		"return {execute = function(event) return true, event.type end}",
		"local h = {name='h'} function h.execute(e) return true, e.type end return h",
		"function on_event() return true, event.type end",
		"#!/usr/bin/lua\nfunction on_event() return true, event.type end",
		"\xef\xbb\xbf"
		"function on_event() return true, event.type end -- last",
		"return {on_event = function(e) return true, e.type end}",
		"return {handler = function(e) return true, e.type end}",
	};

	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		struct outcome o = rig_do_with(&rig, sources[i], RIG_TIMEOUT_MS, 0);

		ck_assert_msg(o.result == RUN_SUCCESS, "%s: %s", sources[i], o.error);
		ck_assert_str_eq(o.message, "task.failed");
		outcome_fini(&o);
	}
}
END_TEST

START_TEST(event_table)
{
	rig_ok(&rig, "assert(event.id == 'event-1' and event.attempt == 2)");
	rig_ok(&rig, "assert(event.stack == 'production' and event.run_id == 'run-9')");
	rig_ok(&rig, "assert(event.timestamp == 1700000000)");
	rig_ok(&rig, "assert(math.type(event.timestamp) == 'integer')");
	rig_ok(&rig, "assert(event.data.task.task_name == 'build')");
	rig_ok(&rig, "assert(event.task.exit_code == 3)");
	rig_ok(&rig, "assert(math.type(event.task.exit_code) == 'integer')");
	rig_ok(&rig, "assert(event.data.task_name == 'build')"); /* flat fallback */
	rig_ok(&rig, "assert(rawget(event.data, 'task_name') == nil)");
	rig_ok(&rig, "assert(event.data.nothing == nil and event.severity == nil)");
	rig_ok(&rig, "assert(event.agent_name == 'local')");
	rig_ok(&rig, "assert(event == _G.event)");
	rig_ok(&rig, "assert(event.dispatch and event.dispatch == require('event').dispatch)");
	rig_ok(&rig, "assert(not pcall(setmetatable, event, {}))");
}
END_TEST

START_TEST(event_count)
{
	rig.count = 12;
	rig_ok(&rig, "assert(event.count == 12 and math.type(event.count) == 'integer')");
}
END_TEST

/* The source's filter stands in a table with an execute that says what it did. */
static struct outcome
run_filter(const char *filter)
{
	AUTO(free) char *source =
		mem_printf("return {filter = %s, "
			   "execute = function(event) print('ran') return true, 'ran' end}",
			filter);

	return rig_do_with(&rig, source, 1000, 0);
}

START_TEST(filters)
{
	static const struct {
		const char *filter;
		uint32_t result;
		const char *message;
	} cases[] = {
		{"function(e) return true end", RUN_SUCCESS, "ran"},
		{"function(e) return 0 end", RUN_SUCCESS, "ran"},
		{"function(e) return e.type == 'task.failed', 'x' end", RUN_SUCCESS, "ran"},
		{"function(e) return e.type == 'x', 'no x' end", RUN_FILTERED, "filter: no x"},
		{"function(e) return nil end", RUN_FILTERED, "filter: it returned nil"},
		{"function(e) end", RUN_FILTERED, "filter: it returned nil"},
		{"function(e) return false end", RUN_FILTERED, "filter: it returned false"},
		{"function(e) return false, 7 end", RUN_FILTERED, "filter: 7"},
		{"function(e) sleep(0.005) return false, 'later' end", RUN_FILTERED,
			"filter: later"},
		{"nil", RUN_SUCCESS, "ran"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct outcome o = run_filter(cases[i].filter);

		ck_assert_msg(o.result == cases[i].result, "%s: %s", cases[i].filter, o.error);
		ck_assert_str_eq(o.message, cases[i].message);
		ck_assert_str_eq(o.output, o.result == RUN_SUCCESS ? "ran\n" : "");
		outcome_fini(&o);
	}
}
END_TEST

START_TEST(a_filter_that_raises_fails_the_run)
{
	struct outcome o = run_filter("function(e)\n return e.data.x.y end");

	ck_assert_uint_eq(o.result, RUN_FAILED);
	ck_assert_msg(strstr(o.error, "hooks/x.lua:2: attempt to index"), "%s", o.error);
	ck_assert_ptr_nonnull(strstr(o.error, "stack traceback:"));
	outcome_fini(&o);
	o = run_filter("function(e) while true do end end");
	ck_assert_uint_eq(o.result, RUN_TIMEOUT);
	outcome_fini(&o);
}
END_TEST

START_TEST(parts_of_a_run)
{
	static const struct {
		enum run_part part;
		const char *filter;
		uint32_t result;
		const char *output;
	} cases[] = {
		{RUN_CONDITIONS, "function() print('asked') return true end", RUN_SUCCESS,
			"asked\n"},
		{RUN_CONDITIONS, "function() return false end", RUN_FILTERED, ""},
		{RUN_EXECUTE, "function() return false end", RUN_SUCCESS, "ran\n"},
		{RUN_WHOLE, "function() print('asked') return true end", RUN_SUCCESS,
			"asked\nran\n"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct outcome o;

		rig.part = cases[i].part;
		o = run_filter(cases[i].filter);
		ck_assert_msg(o.result == cases[i].result, "%zu: %s", i, o.error);
		ck_assert_str_eq(o.output, cases[i].output);
		outcome_fini(&o);
	}
}
END_TEST

START_TEST(data_of_every_shape)
{
	static const struct {
		const char *data, *test;
	} cases[] = {
		{"{}", "next(event.data) == nil"},
		{"{\"n\":3.0}", "math.type(event.data.n) == 'float'"},
		{"{\"n\":9007199254740993}", "event.data.n == 9007199254740993"},
		{"{\"a\":[1,2,3]}", "#event.data.a == 3"},
		{"{\"x\":null}", "event.data.x == nil"},
		{"\"text\"", "event.data == 'text'"},
		{"[4,5]", "event.data[2] == 5"},
		{"{\"agent\":{\"name\":\"web-1\"}}", "event.agent_name == 'web-1'"},
		{"{\"s\":\"a\\u0000b\"}", "#event.data.s == 3"},
		{"", "type(event.data) == 'table'"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *source = mem_printf("function on_event() assert(%s) end", cases[i].test);
		struct outcome o;

		rig_script(&rig, 500 + i, source, 0, "");
		(void)rig_run(&rig, 500 + i, RIG_TIMEOUT_MS, "custom.x", cases[i].data);
		o = rig_outcome(&rig);
		ck_assert_msg(o.result == RUN_SUCCESS, "%s: %s", cases[i].data, o.error);
		outcome_fini(&o);
		free(source);
	}
}
END_TEST

START_TEST(output_is_captured_and_capped)
{
	struct outcome o = rig_do(&rig, "print('a', 1, nil) io.write('b', 2) io.stdout:write('c')");

	ck_assert_str_eq(o.output, "a\t1\tnil\nb2c");
	outcome_fini(&o);
	o = rig_do(&rig, "local s = ('x'):rep(1000) for i = 1, 1000 do io.write(s) end");
	ck_assert_uint_eq(strlen(o.output), RUN_OUTPUT_MAX);
	ck_assert_uint_eq(o.dropped_bytes, 1000000 - RUN_OUTPUT_MAX);
	outcome_fini(&o);
}
END_TEST

START_TEST(nothing_survives_an_invocation)
{
	rig_script(&rig, 1,
		"count = (count or 0) + 1\nlocal top = {}\n"
		"function on_event() local n = (top.n or 0) + 1 top.n = n\n"
		"  pcall(function() string.leak = 1 end) pcall(function() math.leak = 1 end)\n"
		"  pcall(rawset, string, 'leak', 1) pcall(table.insert, string, 'leak')\n"
		"  _G.leak2 = 1\n"
		"  assert(not string.leak or n == 99) return true, count .. ' ' .. n end",
		0, "");
	for (int i = 0; i < 3; i++) {
		struct outcome o;

		(void)rig_run(&rig, 1, RIG_TIMEOUT_MS, "x.y", "");
		o = rig_outcome(&rig);
		ck_assert_msg(o.result == RUN_SUCCESS, "%s", o.error);
		ck_assert_str_eq(o.message, "1 1");
		outcome_fini(&o);
	}
}
END_TEST

/* ---- checks --------------------------------------------------------------------------------- */

static struct outcome
check_with(const char *source, const char *match)
{
	struct sbuf out = {0};
	size_t mark = frame_begin(&out, MSG_CHECK, 7);

	frame_strz(&out, "hooks/x.lua");
	frame_strz(&out, source);
	frame_strz(&out, "");
	frame_strz(&out, match);
	frame_u32(&out, 300);
	frame_end(&out, mark);
	rig_send(&rig, &out);
	return rig_outcome(&rig);
}

static struct outcome
check_source(const char *source)
{
	return check_with(source, "");
}

START_TEST(conditions_from_outside_are_checked)
{
	struct outcome o = check_with("return {execute = print}", "a = 1\nb ~ (");

	ck_assert_int_eq(o.type, MSG_DONE);
	ck_assert_msg(strstr(o.error, "hooks/x.lua: line 2: the regular expression is wrong"), "%s",
		o.error);
	outcome_fini(&o);
	o = check_with("return {execute = print}", "a = 1\nb ~ ()");
	ck_assert_int_eq(o.type, MSG_META);
	outcome_fini(&o);
}
END_TEST

START_TEST(metadata)
{
	static const struct {
		const char *source, *meta;
	} cases[] = {
		{"return {name='n', description='d', event_type='a.b', stack='s', enabled=false,\n"
		 "timeout=1.5, concurrency=2, filter=print, execute=function() end}",
			"{\"form\":\"table\",\"event_types\":[\"a.b\"],\"name\":\"n\","
			"\"description\":\"d\",\"stack\":\"s\",\"enabled\":false,\"timeout\":1.5,"
			"\"concurrency\":2,\"filter\":true}"},
		{"return {event_types={'a.b','c.*'}, timeout='1m', execute=function() end}",
			"{\"form\":\"table\",\"event_types\":[\"a.b\",\"c.*\"],\"timeout\":60.0}"},
		{"-- a comment\n-- event: task.failed, task.timeout\nfunction on_event() end",
			"{\"form\":\"on_event\",\"event_types\":[\"task.failed\",\"task.timeout\"]"
			"}"},
		{"function on_event() end", "{\"form\":\"on_event\",\"event_types\":[]}"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct outcome o = check_source(cases[i].source);

		ck_assert_msg(o.type == MSG_META, "%s", o.error);
		ck_assert_str_eq(o.meta, cases[i].meta);
		outcome_fini(&o);
	}
}
END_TEST

/* Every way a rule may be written ends as its one text. */
START_TEST(rules)
{
	static const struct {
		const char *fields, *expected; /* "field": text */
	} cases[] = {
		{"rate='10/s'", "\"rate\":\"10/s\""},
		{"rate=10", "\"rate\":\"10\""},
		{"rate={100, '5m', burst=20}", "\"rate\":\"100/5m burst 20\""},
		{"rate_drop={count=100, per=300}", "\"rate_drop\":\"100/300\""},
		{"accumulate_within={'1m', count=10}", "\"accumulate_within\":\"10/1m\""},
		{"once_within=60", "\"once_within\":\"60\""},
		{"once_after=0.5", "\"once_after\":\"0.5\""},
		{"dedup={path='host', ttl='10m'}", "\"dedup\":\"10m by host\""},
		{"dedup={'10m'}", "\"dedup\":\"10m\""},
		{"sequence={'a.b','c.d', within='5m', by='host'}",
			"\"sequence\":\"a.b then c.d within 5m by host\""},
		{"absent={'a.b','c.d', within=300}", "\"absent\":\"a.b without c.d within 300\""},
		{"retries={count=3, backoff='1s', max='1m', jitter=0.2}",
			"\"retries\":\"3 backoff 1s max 1m jitter 0.2\""},
		{"retries=3", "\"retries\":\"3\""},
		{"at_most_once=true", "\"at_most_once\":\"true\""},
		{"replay=false", "\"replay\":\"off\""},
		{"rate=false", "\"rate\":\"off\""},
		{"priority=-5", "\"priority\":\"-5\""},
		{"_channels={1}, helper=print, filter=print, filters=print, name='n'",
			"\"name\":\"n\""},
		{"match='a = 1\\nb = 2'", "\"match\":\"a = 1\\nb = 2\""},
		{"match={'a = 1', 'b exists'}", "\"match\":\"a = 1\\nb exists\\n\""},
		{"match={z={1, 'x*', true}, a=2.5}",
			"\"match\":\"a = 2.5\\nz = 1 | x* | true\\n\""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(free) char *source = mem_printf("return {%s, execute=print}", cases[i].fields);
		struct outcome o = check_source(source);

		ck_assert_msg(o.type == MSG_META, "%s: %s", source, o.error);
		ck_assert_msg(strstr(o.meta, cases[i].expected) != NULL, "%s: %s", source, o.meta);
		outcome_fini(&o);
	}
}
END_TEST

START_TEST(refused_scripts)
{
	static const struct {
		const char *source, *error;
	} cases[] = {
		{"local a = 1\nlocal b = = 2", "hooks/x.lua:2: unexpected symbol near '='"},
		{"x = 1\nend", "hooks/x.lua:2: <eof> expected near 'end'"},
		{"x = 1 end return function() ", "hooks/x.lua:1: <eof> expected near 'end'"},
		{"\x1bLua", "hooks/x.lua: attempt to load a binary chunk"},
		{"\nerror('no')", "hooks/x.lua:2: no"},
		{"x = 1", "there is no entry point"},
		{"return {timeout='soon', execute=print}", "field 'timeout' is to be seconds"},
		{"return {event_types={1}, execute=print}", "field 'event_types' is to be text or"},
		{"return {event_type='\\xff', execute=print}",
			"field 'event_type' is to be text or"},
		{"return {name=('x'):rep(1e6), execute=print}", "field 'name' is to be text"},
		{"return {filter='x', execute=print}", "field 'filter' is to be a function"},
		{"return {rate={count=1, per='1s', brust=2}, execute=print}",
			"field 'rate' has no part 'brust'"},
		{"return {rate={per='1s'}, execute=print}", "field 'rate': 'count' is missing"},
		{"return {rate={{}, '1s'}, execute=print}", "field 'rate': 'count' is to be"},
		{"return {sequence={'a', within=5}, execute=print}",
			"'the second type' is missing"},
		{"return {sequence={'a', 'b', 'c', within=5}, execute=print}", "has no part [3]"},
		{"return {once_within={1}, execute=print}",
			"field 'once_within' is to be text or a number"},
		{"return {retries=print, execute=print}", "field 'retries' is to be text, a"},
		{"return {match=5, execute=print}", "field 'match' is to be text, a list"},
		{"return {match={print}, execute=print}", "field 'match' is to be text, a list"},
		{"return {match={a={}}, execute=print}", "field 'match' is to be text, a list"},
		{"return {match={a='x\\nb = y'}, execute=print}", "field 'match' is to be text"},
		{"return {match='cpu >', execute=print}",
			"hooks/x.lua: field 'match': line 1: a value is missing"},
		{"return {match={'a = 1', 'b ~ +'}, execute=print}",
			"field 'match': line 2: the regular expression is wrong at character 1"},
		{"return {once_witin='5m', execute=print}",
			"hooks/x.lua: a hook has no field 'once_witin'; did you mean "
			"'once_within'?"},
		{"return {zeta=1, channels={}, theta=2, execute=print}",
			"a hook has no field 'channels'; a name of your own begins with '_'"},
		{"return {filtr=print, execute=print}", "did you mean 'filter'?"},
		{"return {evnt_type='a.b', execute=print}", "did you mean 'event_type'?"},
		{"return {execute=print, 'a.b'}", "a hook has no field [1]; a name"},
		{"return {execute=print, [print]=1}", "a hook has no field of another kind"},
		{"return {execute=print, ['a\\nb']=1}", "a hook has no field of another kind"},
		{"while true do end", "loading timed out after 300ms"},
		{"os.execute('true')", "exec: not while the script is loaded"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct outcome o = check_source(cases[i].source);

		ck_assert_msg(o.type == MSG_DONE, "%s is accepted", cases[i].source);
		ck_assert_msg(strstr(o.error, cases[i].error) != NULL, "%s: %s", cases[i].source,
			o.error);
		outcome_fini(&o);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("results");
	TCase *tc = tcase_create("results");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, result_rules);
	tcase_add_test(tc, errors_have_position_and_traceback);
	tcase_add_test(tc, three_forms);
	tcase_add_test(tc, event_table);
	tcase_add_test(tc, event_count);
	tcase_add_test(tc, filters);
	tcase_add_test(tc, a_filter_that_raises_fails_the_run);
	tcase_add_test(tc, parts_of_a_run);
	tcase_add_test(tc, data_of_every_shape);
	tcase_add_test(tc, output_is_captured_and_capped);
	tcase_add_test(tc, nothing_survives_an_invocation);
	tcase_add_test(tc, conditions_from_outside_are_checked);
	tcase_add_test(tc, metadata);
	tcase_add_test(tc, rules);
	tcase_add_test(tc, refused_scripts);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
