/* lua/host/transfer.c and the http module, against a server in a child process. */
#include "tests/tools/http_server.h"
#include "tests/unit/suite.h"
#include "tests/unit/worker_rig.h"

#include <sys/wait.h>

static struct rig rig;
static pid_t server_pid;

static void
setup(void)
{
	struct http_server server;
	char url[64];
	int port = http_server_listen(&server, 200);

	ck_assert_int_ne(port, 0);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%d", port);
	ck_assert_int_eq(setenv("URL", url, 1), 0);
	/* what the requests must not use */
	ck_assert_int_eq(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
	server_pid = fork();
	if (server_pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		http_server_serve(&server);
	}
	(void)close(server.listener);
	(void)signal(SIGPIPE, SIG_IGN); /* as the zygote does */
	rig_start(&rig);
}

static void
teardown(void)
{
	rig_stop(&rig);
	(void)kill(server_pid, SIGKILL);
	(void)waitpid(server_pid, NULL, 0);
}

#define URL "local url = os.getenv('URL') "

START_TEST(get_tells_what_came)
{
	rig_ok(&rig, URL
		"local r, err = http.get(url .. '/status/200') assert(err == nil)"
		"assert(r.status_code == 200 and r.status == '200 OK' and r.success and r.ok)"
		"assert(r.body == 'ok' and r.text == 'ok' and r.json == nil and r.elapsed_ms >= 0)"
		"assert(r.headers['Content-Length'] == '2')"
		"assert(require('http') == http)");
	rig_ok(&rig, URL "local r, err = http.get(url .. '/status/404') assert(err == nil)"
			 "assert(r.status_code == 404 and not r.success and r.body == 'ok')");
	rig_ok(&rig, URL "local r = http.get(url .. '/json') assert(r.json.a[2] == 2)"
			 "assert(table.concat(r.headers['X-Many'], ',') == 'a,b,c')");
	rig_ok(&rig, URL "local r = http.head(url .. '/status/200')"
			 "assert(r.status_code == 200 and r.body == '' and "
			 "r.headers['Content-Length'] == '2')");
}
END_TEST

/* Each form of the arguments, and what the server saw of it. */
START_TEST(every_form_of_the_arguments_is_sent)
{
	static const char *const bodies[] = {
		"local r = http.get(url, {['X-A'] = 'b'}) has(r, 'GET /echo HTTP', 'X-A: b\\r\\n')",
		"local r = http.get(url, {headers = {['X-A'] = 5}, timeout = '200s'}) has(r, 'X-A: "
		"5')",
		"local r = http.get{url = url, timeout = 200, headers = {['X-A'] = ''}} "
		"has(r, 'X-A:\\r\\n', 'User-Agent: sloth-runner/')",
		"local r = http.get(url .. '#top', {query = {['a b'] = 'c&d'}}) "
		"has(r, 'GET /echo?a%20b=c%26d HTTP')",
		"local r = http.post(url, {headers = {['Content-Type'] = 'x/y'}, body = 'text'}) "
		"has(r, 'POST /echo', 'Content-Type: x/y', 'Content-Length: 4', "
		"'\\r\\n\\r\\ntext')",
		"local r = http.post{url = url, body = '{\"a\":1}'} "
		"has(r, 'Content-Type: application/json', '{\"a\":1}')",
		"local r = http.post(url, 'plain', {['X-A'] = 'b'}) "
		"has(r, 'Content-Type: text/plain', 'X-A: b', '\\r\\n\\r\\nplain')",
		"local r = http.post(url) has(r, 'POST /echo', 'Content-Length: 0')",
		"local r = http.put(url, {json = {1, 2}}) has(r, 'PUT /echo', '\\r\\n\\r\\n[1,2]')",
		"local r = http.patch(url, {body = {a = 1}}) has(r, 'PATCH /echo', '{\"a\":1}')",
		"local r = http.delete(url) has(r, 'DELETE /echo')",
		"local r = http.request{url = url} has(r, 'GET /echo')",
		"local r = http.request{method = 'report', url = url, body = 'x'} has(r, 'REPORT "
		"/echo')",
		"local r = http.post(url, string.rep('x', 2000000)) "
		"assert(#r.body > 2000000 and not r.body:find('Expect'))",
		"local r = http.get('http://name.invalid/a', {proxy = os.getenv('URL')}) "
		"has(r, 'GET http://name.invalid/a HTTP')",
		NULL,
	};

	for (const char *const *body = bodies; *body; body++) {
		char *text = mem_printf(
			"local url = os.getenv('URL') .. '/echo' "
			"local function has(r, ...) for _, s in ipairs{...} do "
			"assert(r.body:find(s, 1, true), s .. ' is not in ' .. r.body) end end %s",
			*body);

		rig_ok(&rig, text);
		free(text);
	}
}
END_TEST

START_TEST(wrong_arguments_raise)
{
	rig_fails(&rig, URL "http.get(url, {headers = {}, retries = 2})", "unknown option");
	rig_fails(&rig, URL "http.post(url, {text = 'hi'})", "unknown option");
	rig_fails(&rig, URL "http.get(url, {headers = {['A'] = 'b\\r\\nC: d'}})", "line break");
	rig_fails(&rig, URL "http.get(url, {timeout = 'soon'})", "timeout");
	rig_fails(&rig, URL "http.get(url, {timeout = 0})", "timeout");
	rig_fails(&rig, URL "http.get(url, {method = 'PUT'})", "http.request");
	rig_fails(&rig, URL "http.request{url = url, method = 'A B'}", "letters");
	rig_fails(&rig, URL "http.post(url, {json = print})", "function");
	rig_fails(&rig, "http.get()", "string expected");
}
END_TEST

START_TEST(redirects_are_followed_five_times)
{
	rig_ok(&rig, URL
		"local r = http.get(url .. '/to/to/to/to/to/status/201')"
		"assert(r.status_code == 201 and r.body == 'ok' and r.headers['X-Old'] == nil)");
	rig_ok(&rig, URL "local r, err = http.get(url .. '/to/to/to/to/to/to/status/201')"
			 "assert(r.status_code == 0 and err:find('redirects'))");
	rig_ok(&rig, URL "local r, err = http.get(url .. '/loop')"
			 "assert(r.status_code == 0 and r.error == err)");
}
END_TEST

START_TEST(without_a_response_the_code_is_0)
{
	rig_ok(&rig,
		"local r, err = http.get('http://127.0.0.1:1/')"
		"assert(r.status_code == 0 and not r.success and r.body == '' and r.status == '')"
		"assert(next(r.headers) == nil and err:find('connect'), err)");
	rig_ok(&rig, "local r, err = http.get('file:///etc/passwd')"
		     "assert(r.status_code == 0 and r.body == '' and err:find('rotocol'), err)");
	rig_ok(&rig, "local r, err = http.get('http://[') assert(r.status_code == 0 and err)");
	rig_ok(&rig, URL
		"local r, err = http.get(url .. '/slow', {timeout = '50ms'})"
		"assert(r.status_code == 0 and err:find('^timeout') and r.elapsed_ms >= 50, err)"
		"assert(r.elapsed_ms < 30000)");
}
END_TEST

START_TEST(a_body_over_the_limit_is_refused)
{
	for (int i = 0; i < 2; i++) {
		char *text = mem_printf(URL
			"local r, err = http.get(url .. '%s', {timeout = 200}) "
			"assert(r.status_code == 0 and r.body == '' and err:find('16 MiB'), err)",
			i ? "/said" : "/big");

		rig_ok(&rig, text);
		free(text);
	}
}
END_TEST

/* The server answers the first only when the second has come too. */
START_TEST(two_runs_wait_at_once)
{
	rig_script(&rig, 1,
		"return {execute = function() return http.get(os.getenv('URL') .. '/meet', "
		"{timeout = 200}).status_code == 200 end}",
		0, "");
	(void)rig_run(&rig, 1, RIG_TIMEOUT_MS, "a.b", "{}");
	(void)rig_run(&rig, 1, RIG_TIMEOUT_MS, "a.b", "{}");
	for (int i = 0; i < 2; i++) {
		struct outcome o = rig_outcome(&rig);

		ck_assert_msg(o.result == RUN_SUCCESS, "%s", o.error);
		outcome_fini(&o);
	}
}
END_TEST

/* Under the address sanitizer a handle that stayed is a leak. */
START_TEST(the_deadline_ends_a_request)
{
	struct outcome o = rig_do_with(&rig,
		"return {execute = function() http.get(os.getenv('URL') .. '/slow') end}", 100, 0);

	ck_assert_msg(o.result != RUN_SUCCESS && strstr(o.error, "timed out"), "%s", o.error);
	outcome_fini(&o);
	rig_ok(&rig, URL "assert(http.get(url .. '/status/200').ok)");
}
END_TEST

START_TEST(a_connection_serves_again)
{
	rig_ok(&rig, URL "assert(http.get(url .. '/keep').body == 'first')");
	rig_ok(&rig, URL "assert(http.get(url .. '/keep').body == 'second')");
	rig_ok(&rig, URL "assert(http.get(url .. '/keep').body == 'first')"); /* kept to the end */
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("transfer");
	TCase *tc = tcase_create("transfer");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, get_tells_what_came);
	tcase_add_test(tc, every_form_of_the_arguments_is_sent);
	tcase_add_test(tc, wrong_arguments_raise);
	tcase_add_test(tc, redirects_are_followed_five_times);
	tcase_add_test(tc, without_a_response_the_code_is_0);
	tcase_add_test(tc, a_body_over_the_limit_is_refused);
	tcase_add_test(tc, two_runs_wait_at_once);
	tcase_add_test(tc, the_deadline_ends_a_request);
	tcase_add_test(tc, a_connection_serves_again);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
