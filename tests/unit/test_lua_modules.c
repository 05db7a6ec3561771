/* The modules of lua/modules/, called as scripts call them. */
#include "tests/unit/suite.h"
#include "tests/unit/worker_rig.h"

#include <stdlib.h>

static struct rig rig;
static char dir[] = "/tmp/sloth-modules-XXXXXX";

static void
setup(void)
{
	rig_start(&rig);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(setenv("DIR", dir, 1), 0);
}

static void
teardown(void)
{
	char *command = mem_printf("exec.run('rm -rf %s')", dir);

	rig_ok(&rig, command);
	free(command);
	rig_stop(&rig);
}

/* Checked bodies: each raises when what it says is not so. */
static void
all_ok(const char *const *bodies)
{
	for (; *bodies; bodies++)
		rig_ok(&rig, *bodies);
}

START_TEST(json_keeps_types)
{
	static const char *const bodies[] = {
		"assert(math.type(json.decode('3')) == 'integer')",
		"assert(json.decode('9007199254740993') == 9007199254740993)",
		"assert(math.type(json.decode('3.0')) == 'float')",
		"assert(json.encode({b=1,a={1,2},c='x'}) == '{\"a\":[1,2],\"b\":1,\"c\":\"x\"}')",
		"assert(json.encode({}) == '{}' and json.encode(json.array{}) == '[]')",
		"assert(json.decode('{\"a\":null}').a == json.null)",
		"assert(json.encode({a=json.null}) == '{\"a\":null}')",
		"assert(json.parse('[1]')[1] == 1 and json.stringify('x') == '\"x\"')",
		"assert(json.pretty({a=1}):find('\\n') and "
		"json.encode({a=1},{indent=true}):find('\\n'))",
		"assert(require('json') == json)",
		NULL,
	};

	all_ok(bodies);
	rig_ok(&rig,
		"local v, why = json.decode('{\\n bad') assert(v == nil and why:find('line 2'))");
	rig_fails(&rig, "json.encode(print)", "function");
	rig_fails(&rig, "json.encode(0/0)", "json.encode");
	rig_fails(&rig, "local t = {} t.t = t json.encode(t)", "json.encode");
}
END_TEST

START_TEST(log_lines_are_in_the_output)
{
	struct outcome o = rig_do(&rig,
		"log.info('a', {z=1, b='x'}) log.warn(nil) log.error('e') log.success('s') "
		"log.print('p', 1) slog.info('m', 'k', 'v') slog.warn('n', {q=true}) "
		"log.table({1})");

	ck_assert_uint_eq(o.result, RUN_SUCCESS);
	ck_assert_str_eq(o.output,
		"[INFO] a b=x z=1\n[WARN] nil\n[ERROR] e\n[INFO] \xe2\x9c\x93 s\np\t1\n"
		"[INFO] m k=v\n[WARN] n q=true\n[INFO] [\n  1\n]\n");
	outcome_fini(&o);
	o = rig_do(&rig, "log.error('the disk is full') return false");
	ck_assert_uint_eq(o.result, RUN_FAILED);
	ck_assert_ptr_nonnull(strstr(o.error, "the disk is full"));
	outcome_fini(&o);
}
END_TEST

START_TEST(env_belongs_to_the_invocation)
{
	static const char *const bodies[] = {
		"assert(env.get('DIR') and env.has('DIR') and env.all().DIR == env.get('DIR'))",
		"assert(env.get('NOT_SET') == nil and env.get('NOT_SET', 'd') == 'd')",
		"env.set('A', 5) assert(env.get('A') == '5')"
		" assert(exec.run('printf %s \"$A\"').stdout == '5')",
		"assert(env.get('A') == nil)", /* the one before is over */
		"env.unset('DIR') assert(not env.has('DIR') and env.all().DIR == nil)"
		" assert(exec.run('printf %s \"$DIR\"').stdout == '')",
		"env.set('X', 'v') assert(env.expand('a$X-${X}b $ $NOT_SET.') == 'av-vb $ .')",
		NULL,
	};

	all_ok(bodies);
	rig_fails(&rig, "env.set('A=B', 'x')", "name");
}
END_TEST

START_TEST(exec_tells_how_it_went)
{
	static const char *const bodies[] = {
		"local r, err, failed = exec.run('echo out; echo err >&2') "
		"assert(r.stdout == 'out\\n' and r.stderr == 'err\\n' and r.exit_code == 0 and "
		"r.success)"
		"assert(err == nil and failed == false and r.output == r.stdout and r.code == 0)",
		"local r, err, failed = exec.run('echo bad >&2; exit 3') "
		"assert(r.exit_code == 3 and not r.success and err == 'bad\\n' and failed)",
		"local r, err = exec.run('exit 4') assert(err == 'exit status 4')",
		"local r = exec.run('kill -9 $$') assert(r.exit_code == -1 and not r.success)",
		"assert(exec('echo x').stdout == 'x\\n' and exec.sh('true').success)",
		"assert(exec.output('echo x') == 'x\\n')",
		"local out, why = exec.output('echo no >&2; false') assert(out == nil and why == "
		"'no\\n')",
		/* as a string */
		"local out = exec.run('printf abc') assert(out:gsub('b', 'X') == 'aXc')"
		"assert('<' .. out .. '>' == '<abc>' and #out == 3 and tostring(out) == 'abc')"
		"assert(out:match('b') == 'b' and out:upper() == 'ABC')",
		"local r = exec.run('pwd; printf %s \"$K\"; cat', {workdir='/', env={K='v'}, "
		"stdin='in'})"
		"assert(r.stdout == '/\\nvin', r.stdout)",
		"assert(not exec.run('true', {workdir='/not/there'}).success)",
		"local r, err = exec.run('sleep 20', {timeout='100ms'}) assert(not r.success and "
		"err == 'timeout')",
		"assert(exec.run('sleep 300 & echo done').stdout == 'done\\n')",
		"assert(exec.run('cat').stdout == '')", /* no standard input */
		NULL,
	};

	all_ok(bodies);
	rig_fails(&rig, "exec.run()", "string expected");
	rig_fails(&rig, "exec.run('true', {timeout='soon'})", "timeout");
}
END_TEST

START_TEST(time_and_sleep)
{
	static const char *const bodies[] = {
		"assert(math.type(time.unix()) == 'integer' and time.now() > 1.7e9)",
		"assert(math.abs(time.unix_nano() / 1e9 - time.now()) < 60)",
		"assert(time.rfc3339(0) == '1970-01-01T00:00:00.000000000Z')",
		"assert(time.parse('2006-01-02 15:04:05', time.format(86400 * 365)) == 86400 * "
		"365)",
		"assert(time.parse('rfc3339', '2026-01-31T00:00:00Z') == 1769817600)",
		"local ts, why = time.parse('2006', 'soon') assert(ts == nil and why:find('soon'))",
		"assert(time.duration('1h30m') == 5400 and time.add(10, '1m') == 70 and "
		"time.sub(70, 60) == 10)",
		"local s, why = time.duration('x') assert(s == nil and why)",
		"assert(time.before(1, 2) and time.after(2, 1) and time.equal(1, 1))",
		"assert(time.year(86400 * 365) == 1971 and time.since(time.now() - 5) >= 5)",
		"assert(time.format(0, '%d 2006') == '%d 1970')",
		"local t = time.now() sleep(0.05) time.sleep('20ms') assert(time.now() - t >= "
		"0.065)",
		NULL,
	};

	all_ok(bodies);
	rig_fails(&rig, "sleep(-1)", "seconds");
	rig_fails(&rig, "sleep('soon')", "sleep");
}
END_TEST

START_TEST(files)
{
	static const char *const bodies[] = {
		"local p = env.get('DIR') .. '/f' assert(file.write(p, 'a\\0b') and file.append(p, "
		"'c'))"
		"assert(file.read(p) == 'a\\0bc' and file.exists(p) and not file.exists(p .. 'x'))",
		"local c, why = file.read('/not/there') assert(c == nil and why:find('No such "
		"file'))",
		"local ok, why = file.write('/not/there', 'x') assert(ok == false and why:find('No "
		"such file'))",
		"local c, why = file.read('/') assert(c == nil and why:find('directory'))",
		"local c, why = file.read('/dev/zero') assert(c == nil)",
		NULL,
	};

	all_ok(bodies);
}
END_TEST

START_TEST(lineinfile)
{
	static const char *const bodies[] = {
		"local p = env.get('DIR') .. '/new/dir/f' "
		"local r, same = file_ops.lineinfile{path=p, line='one', create=true} "
		"assert(r == same and r.changed and r.success and r.path == p)"
		"assert(file.read(p) == 'one\\n')"
		"assert(not file_ops.lineinfile{path=p, line='one'}.changed)"
		"assert(file_ops.lineinfile(p, 'two').changed and file.read(p) == 'one\\ntwo\\n')"
		"assert(file_ops.lineinfile{path=p, line='ONE', regexp='^(?:o|O)'} == nil)"
		"assert(file_ops.lineinfile(p, 'uno', {regexp='^on\\\\w$'}).changed)"
		"assert(file.read(p) == 'uno\\ntwo\\n')"
		"assert(file_ops.lineinfile{path=p, regexp='(?i)^TWO', state='absent'}.changed)"
		"assert(file.read(p) == 'uno\\n')",
		"local p = env.get('DIR') .. '/g' file.write(p, 'no newline') exec.run('chmod 640 "
		"' .. p)"
		"file_ops.lineinfile{path=p, line='next'} assert(file.read(p) == 'no "
		"newline\\nnext\\n')"
		"assert(exec.output('stat -c %a ' .. p) == '640\\n')",
		"local p = env.get('DIR') .. '/two' local two = 'a\\nb' file.write(p, 'a\\nc\\n')"
		"assert(file_ops.lineinfile(p, two).changed and file.read(p) == 'a\\nc\\na\\nb\\n')"
		"assert(not file_ops.lineinfile(p, two).changed)"
		"assert(not file_ops.lineinfile(p, two .. '\\n').changed)"
		"assert(file_ops.lineinfile(p, two, {state='absent'}).changed)"
		"assert(file.read(p) == 'a\\nc\\n')"
		"assert(file_ops.lineinfile(p, 'x\\ny', {regexp='^[cx]'}).changed)"
		"assert(not file_ops.lineinfile(p, 'x\\ny', {regexp='^[cx]'}).changed)"
		"assert(file.read(p) == 'a\\nx\\ny\\n')",
		"local _, text = file_ops.lineinfile(env.get('DIR') .. '/t', 'x')"
		"assert('now ' .. text == 'now changed' and tostring(text) == 'changed')",
		"local r, why = file_ops.lineinfile{line='x'} assert(r == nil and why:find('path "
		"parameter'))",
		"local r, why = file_ops.lineinfile{path=env.get('DIR')..'/none', line='x', "
		"create=false}"
		"assert(r == nil and why:find('No such file'))",
		NULL,
	};

	all_ok(bodies);
	rig_fails(&rig, "file_ops.lineinfile{path='x', line='y', state='gone'}", "state");
}
END_TEST

START_TEST(contains_finds_values)
{
	rig_ok(&rig, "assert(contains({1,'a'}, 'a') and not contains({1}, 2) and not contains({}, "
		     "nil))");
}
END_TEST

/* The daemon's side of a question: take the frame, give the answer. */
static struct frame
asked(enum msg type, uint32_t *ret_request)
{
	struct frame f = rig_next(&rig);

	ck_assert_uint_eq(f.type, type);
	*ret_request = frame_get_u32(&f);
	return f;
}

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

static void
begin(const char *body)
{
	static uint64_t hook_id = 1;
	char *source = mem_printf("return {execute = function(event) %s\nend}", body);

	rig_script(&rig, ++hook_id, source, 0, "");
	(void)rig_run(&rig, hook_id, RIG_TIMEOUT_MS, "task.failed", "{}");
	free(source);
}

static void
ends_well(void)
{
	struct outcome o = rig_outcome(&rig);

	ck_assert_msg(o.result == RUN_SUCCESS, "%s", o.error);
	outcome_fini(&o);
}

START_TEST(state_asks_the_daemon)
{
	uint32_t request;
	struct frame f;
	char *value;

	begin("assert(state.get('n') == nil) assert(state.get('n', 7) == 7) state.set('n', {1,'x'})"
	      "assert(state.incr('n', 2) == 5) assert(state.delete('n') == false)"
	      "assert(state.compare_swap('n', 1, 2) == false) assert(#state.keys('p') == 2)");
	f = asked(MSG_STATE, &request);
	ck_assert_uint_eq(frame_get_u32(&f), STATE_GET);
	answer(request, ENOENT, "", "not there");
	(void)asked(MSG_STATE, &request);
	answer(request, ENOENT, "", "not there");
	f = asked(MSG_STATE, &request);
	ck_assert_uint_eq(frame_get_u32(&f), STATE_SET);
	free(rig_text(&f));
	value = rig_text(&f);
	ck_assert_str_eq(value, "[1,\"x\"]");
	free(value);
	answer(request, 0, "", "");
	(void)asked(MSG_STATE, &request);
	answer(request, 0, "5", "");
	(void)asked(MSG_STATE, &request);
	answer(request, ENOENT, "", "not there");
	(void)asked(MSG_STATE, &request);
	answer(request, EAGAIN, "", "different");
	(void)asked(MSG_STATE, &request);
	answer(request, 0, "[\"p1\",\"p2\"]", "");
	ends_well();
}
END_TEST

START_TEST(state_refusals_raise)
{
	struct outcome o;
	uint32_t request;

	begin("state.incr('text')");
	(void)asked(MSG_STATE, &request);
	answer(request, EINVAL, "", "key 'text' is not a number");
	o = rig_outcome(&rig);
	ck_assert_uint_eq(o.result, RUN_FAILED);
	ck_assert_ptr_nonnull(strstr(o.error, "key 'text' is not a number"));
	outcome_fini(&o);
	rig_fails(&rig, "state.get('')", "key");
	rig_fails(&rig, "state.set('k', print)", "function");
}
END_TEST

START_TEST(event_dispatch_asks_the_daemon)
{
	static const char *const expected[] = {
		"deploy.done", "{\"stack\":\"prod\",\"v\":2}", "prod"};
	uint32_t request;
	struct frame f;

	begin("local ok, id = event.dispatch('deploy.done', {v=2, stack='prod'}) assert(ok and id "
	      "== 'new-1')"
	      "local no, why = require('event').dispatch('x y') assert(no == false and why == 'bad "
	      "type')"
	      "assert(event.dispatch_custom('n', 'm')) assert(event.dispatch_file('created', "
	      "'/x'))");
	f = asked(MSG_EMIT, &request);
	for (size_t i = 0; i < 3; i++) {
		char *text = rig_text(&f);

		ck_assert_str_eq(text, expected[i]);
		free(text);
	}
	answer(request, 0, "new-1", "");
	(void)asked(MSG_EMIT, &request);
	answer(request, EINVAL, "", "bad type");
	for (int i = 0; i < 2; i++) {
		char *type;

		f = asked(MSG_EMIT, &request);
		type = rig_text(&f);
		ck_assert_str_eq(type, i ? "file.created" : "custom");
		free(type);
		answer(request, 0, "new-2", "");
	}
	ends_well();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("modules");
	TCase *tc = tcase_create("modules");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, json_keeps_types);
	tcase_add_test(tc, log_lines_are_in_the_output);
	tcase_add_test(tc, env_belongs_to_the_invocation);
	tcase_add_test(tc, exec_tells_how_it_went);
	tcase_add_test(tc, time_and_sleep);
	tcase_add_test(tc, files);
	tcase_add_test(tc, lineinfile);
	tcase_add_test(tc, contains_finds_values);
	tcase_add_test(tc, state_asks_the_daemon);
	tcase_add_test(tc, state_refusals_raise);
	tcase_add_test(tc, event_dispatch_asks_the_daemon);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
