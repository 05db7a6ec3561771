/* The files of hooks and stacks, through the tree as a door sees it. */
#include "fsd/stacks/stacks.h"
#include "tests/unit/hooks_fixture.h"
#include "tests/unit/suite.h"

#include <dirent.h>
#include <jansson.h>

static struct hooks_fixture f;
static struct stacks *stacks;
static bool has_unfinished;
static bool is_slow; /* runs end when the test says so */
static struct run *held_run;
static char seen_type[64], seen_data[512];
static enum run_part ran_part;

#define NOTHING_RAN ((enum run_part) - 1)

/* ---- the world ------------------------------------------------------------------------------ */

static void
end_run(struct run *run)
{
	struct run_outcome outcome = {.status = EXEC_SUCCESS, .duration_ns = 1500000};

	ran_part = run->part;
	if (strstr(run->event->data, "\"low\"")) {
		outcome.status = EXEC_FILTERED;
		outcome.why = (char *)"load > 1: it is \"low\"";
	} else {
		outcome.message = run->part == RUN_WHOLE ? (char *)"fine" : NULL;
		outcome.output = (char *)"printed\n";
	}
	run->done(run, &outcome);
}

static void
fake_run(void *arg, struct run *run)
{
	(void)arg;
	ck_assert(run->is_dry);
	ck_assert_ptr_nonnull(run->code->source);
	(void)snprintf(seen_type, sizeof(seen_type), "%s", run->event->type);
	(void)snprintf(seen_data, sizeof(seen_data), "%s", run->event->data);
	if (is_slow)
		held_run = run;
	else
		end_run(run);
}

static bool
fake_has_unfinished(void *arg, const char *stack)
{
	(void)arg;
	(void)stack;
	return has_unfinished;
}

static void
start_stacks(void)
{
	struct stacks_options opt = {.tree = f.tree,
		.hooks = f.hooks,
		.files = f.files,
		.state_dir = f.dir,
		.has_unfinished = fake_has_unfinished};
	struct err err = {0};

	ck_assert_msg(stacks_new(&opt, &stacks, &err) == 0, "%s", err.msg);
	tree_set_room(f.tree, "stacks", stacks);
}

static void
setup(void)
{
	f = (struct hooks_fixture){.rows = tree_rows, .row_count = tree_row_count, .run = fake_run};
	has_unfinished = is_slow = false;
	held_run = NULL;
	fixture_open(&f);
	start_stacks();
}

static void
teardown(void)
{
	stacks_free(stacks);
	fixture_close(&f);
}

/* ---- a door --------------------------------------------------------------------------------- */

static int op_result;
static bool op_done;

static void
on_done(struct treq *req, int result)
{
	(void)req;
	op_result = result;
	op_done = true;
}

static int
submit(struct treq *req)
{
	req->done = on_done;
	req->cred = (struct tree_cred){.uid = geteuid(), .gid = getegid()};
	op_done = false;
	tree_submit(f.tree, req);
	while (!op_done)
		uv_run(&f.loop, UV_RUN_ONCE);
	return op_result;
}

/* Returns a reference, or NULL. */
static struct node *
walk(const char *path)
{
	struct node *node = node_ref(tree_root(f.tree));

	while (*path) {
		size_t len = strcspn(++path, "/");
		AUTO(free) char *name = mem_strndup(path, len);
		struct treq req = {.op = TREE_LOOKUP, .node = node, .name = name};
		int code = submit(&req);

		node_unref(node, 1);
		if (code < 0)
			return NULL;
		node = req.ret_node;
		path += len;
	}
	return node;
}

static struct handle *
open_node(const char *path, int flags)
{
	struct treq req = {.op = TREE_OPEN, .node = walk(path), .flags = flags};

	ck_assert_msg(req.node != NULL, "%s is not there", path);
	ck_assert_msg(submit(&req) == 0, "%s: %s", path, req.err.msg);
	node_unref(req.node, 1);
	return req.handle;
}

static int
write_handle(struct handle *h, const char *text)
{
	struct treq req = {.op = TREE_WRITE, .handle = h, .data = text, .size = strlen(text)};

	return submit(&req);
}

static int
flush_handle(struct handle *h)
{
	struct treq req = {.op = TREE_FLUSH, .handle = h};

	return submit(&req);
}

/* Returns owned. */
static char *
read_handle(struct handle *h)
{
	struct treq req = {.op = TREE_READ, .handle = h, .size = 65536};
	int code = submit(&req);
	char *text;

	ck_assert_int_ge(code, 0);
	text = mem_strndup(sbuf_str(&req.out), req.out.len);
	sbuf_fini(&req.out);
	return text;
}

static char *
read_path(const char *path)
{
	struct handle *h = open_node(path, O_RDONLY);
	char *text = read_handle(h);

	tree_release(h);
	return text;
}

static int
write_path(const char *path, const char *text)
{
	struct handle *h = open_node(path, O_WRONLY | O_TRUNC);
	int code = write_handle(h, text);

	if (code >= 0 && flush_handle(h) < 0)
		code = op_result;
	tree_release(h);
	return code;
}

static bool
add_name(void *arg, const char *name, uint64_t ino, unsigned char type, uint64_t cookie)
{
	(void)ino;
	(void)type;
	(void)cookie;
	sbuf_printf(arg, "%s ", name);
	return true;
}

static char *
list_path(const char *path)
{
	struct node *node = walk(path);
	struct treq open = {.op = TREE_OPENDIR, .node = node};
	struct treq list = {.op = TREE_READDIR, .node = node, .entry = add_name};
	struct sbuf names = {0};

	ck_assert_int_eq(submit(&open), 0);
	list.handle = open.handle;
	list.arg = &names;
	ck_assert_int_ge(submit(&list), 0);
	tree_release(open.handle);
	node_unref(node, 1);
	return sbuf_take(&names);
}

static int
dir_op(enum tree_op op, const char *dir, const char *name)
{
	struct treq req = {.op = op, .node = walk(dir), .name = name, .mode = 0755};
	int code = submit(&req);

	if (req.ret_node)
		node_unref(req.ret_node, 1);
	node_unref(req.node, 1);
	return code;
}

#define assert_text(path, expected)                                                                \
	do {                                                                                       \
		AUTO(free) char *got_ = read_path(path);                                           \
		ck_assert_str_eq(got_, expected);                                                  \
	} while (0)

static void
serve(const char *name, const char *meta)
{
	AUTO(free) char *path = mem_printf("hooks/%s.lua", name);

	fixture_save(&f, path, meta);
	fixture_await(&f, name, "");
}

/* ---- hooks ---------------------------------------------------------------------------------- */

START_TEST(test_values)
{
	hooks_set_defaults(f.hooks, 30000, 64 << 20, 25);
	serve("a", "{\"event_types\":[\"t.a\",\"u.*\"],\"description\":\"d\",\"stack\":\"prod\"}");
	assert_text("/ctl/hooks/a/status", "ok\n");
	assert_text("/ctl/hooks/a/enabled", "1\n");
	assert_text("/ctl/hooks/a/event", "t.a\nu.*\n");
	assert_text("/ctl/hooks/a/description", "d\n");
	assert_text("/ctl/hooks/a/stack", "prod\n");
	assert_text("/ctl/hooks/a/timeout", "30s\n");
	assert_text("/ctl/hooks/a/memory", "64M\n");
	assert_text("/ctl/hooks/a/concurrency", "25\n");
	assert_text("/ctl/hooks/a/overrides", "");
	assert_text("/ctl/hooks/a/runs", "0\n");
	assert_text("/ctl/hooks/a/failures", "0\n");
	assert_text("/ctl/hooks/a/last_run", "never\n");
	assert_text("/ctl/hooks/a/latency", "no runs since start\n");
}
END_TEST

START_TEST(test_settings_are_written)
{
	serve("a", "{\"event_type\":\"t\"}");
	ck_assert_int_eq(write_path("/ctl/hooks/a/enabled", "0\n"), 2);
	assert_text("/ctl/hooks/a/enabled", "0\n");
	assert_text("/ctl/hooks/a/status", "disabled (overridden: enabled)\n");
	assert_text("/ctl/hooks/a/overrides", "enabled = 0\n");
	/* what a file of overrides could not give back is not taken */
	ck_assert_int_eq(write_path("/ctl/hooks/a/description", " one\tline\x01\n"), 11);
	assert_text("/ctl/hooks/a/description", "one line\n");
	ck_assert_int_eq(write_path("/ctl/hooks/a/description", "\x01\n"), 2);
	assert_text("/ctl/hooks/a/overrides", "enabled = 0\n");
	ck_assert_int_eq(write_path("/ctl/hooks/a/timeout", "1.5s"), 4);
	assert_text("/ctl/hooks/a/timeout", "1.5s\n");
	ck_assert_int_eq(write_path("/ctl/hooks/a/enabled", "maybe\n"), -EINVAL);
	ck_assert_int_eq(write_path("/ctl/hooks/a/enabled", "\n"), 1);
	ck_assert_int_eq(write_path("/ctl/hooks/a/timeout", "\n"), 1);
	assert_text("/ctl/hooks/a/status", "ok\n");
}
END_TEST

START_TEST(test_a_hook_that_runs_alone)
{
	struct hook_code *code;

	serve("a", "{\"event_type\":\"t\"}");
	code = &fixture_hook(&f, "a")->current->code;
	code->is_alone = true;
	hooks_note_alone(f.hooks, code);
	assert_text("/ctl/hooks/a/status", "ok (got its worker killed: runs alone until edited)\n");
	ck_assert_int_eq(write_path("/ctl/hooks/a/timeout", "5s"), 2); /* the same script */
	assert_text("/ctl/hooks/a/status", "ok (got its worker killed: runs alone until edited) "
					   "(overridden: timeout)\n");
	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"u\"}");
	fixture_await(&f, "a", "ok (overridden: timeout)");
}
END_TEST

START_TEST(test_listing)
{
	AUTO(free) char *before = NULL, *after = NULL;

	serve("a", "{\"event_type\":\"t\"}");
	serve("b", "broken");
	before = list_path("/ctl/hooks");
	ck_assert_ptr_nonnull(strstr(before, "a b "));
	fixture_remove(&f, "hooks/a.lua");
	while (fixture_hook(&f, "a")->has_file)
		uv_run(&f.loop, UV_RUN_ONCE);
	after = list_path("/ctl/hooks");
	ck_assert_ptr_null(strstr(after, "a "));
	ck_assert_ptr_null(walk("/ctl/hooks/a"));
}
END_TEST

START_TEST(test_jsonl)
{
	AUTO(free) char *text = NULL;
	json_t *root;

	serve("a", "{\"event_type\":\"t\",\"name\":\"other\",\"description\":\"say \\\"hi\\\"\"}");
	text = read_path("/ctl/hooks.jsonl");
	ck_assert_uint_eq(strcspn(text, "\n"), strlen(text) - 1);
	root = json_loads(text, 0, NULL);
	ck_assert_ptr_nonnull(root);
	ck_assert_str_eq(json_string_value(json_object_get(root, "name")), "a");
	ck_assert_str_eq(json_string_value(json_object_get(root, "alias")), "other");
	ck_assert_str_eq(json_string_value(json_object_get(root, "status")), "ok");
	ck_assert_str_eq(json_string_value(json_object_get(root, "description")), "say \"hi\"");
	ck_assert_str_eq(json_string_value(json_object_get(root, "file_path")), "hooks/a.lua");
	ck_assert(json_is_true(json_object_get(root, "enabled")));
	ck_assert(json_is_null(json_object_get(root, "last_run")));
	ck_assert_uint_eq(json_array_size(json_object_get(root, "event_types")), 1);
	json_decref(root);
}
END_TEST

static int64_t
mtime_of(const char *path)
{
	struct treq req = {.op = TREE_GETATTR, .node = walk(path)};

	ck_assert_int_eq(submit(&req), 0);
	node_unref(req.node, 1);
	return req.attr.st_mtim.tv_sec * NS_PER_S + req.attr.st_mtim.tv_nsec;
}

static void
save(const char *meta, uint32_t version)
{
	serve("a", meta);
	while (fixture_hook(&f, "a")->current->code.version < version)
		uv_run(&f.loop, UV_RUN_ONCE);
}

START_TEST(test_versions)
{
	static const char one[] = "{\"event_type\":\"t\"}", two[] = "{\"event_type\":\"u\"}";
	static const char *const wrong[] = {"0.lua", "01.lua", "1", "1.lu", "-1.lua", ".lua",
		"9.lua", "4294967297.lua", "99999999999.lua"};
	AUTO(free) char *names = NULL, *later = NULL;
	int64_t first_ns;

	save(one, 1);
	names = list_path("/ctl/hooks/a/versions");
	ck_assert_ptr_nonnull(strstr(names, "1.lua "));
	first_ns = fixture_hook(&f, "a")->updated_ns;
	ck_assert_int_eq(mtime_of("/ctl/hooks/a/versions/1.lua"), first_ns);
	ck_assert_int_eq(write_path("/ctl/hooks/a/enabled", "0\n"), 2); /* version 2 */
	save(two, 3);
	assert_text("/ctl/hooks/a/versions/3.lua", two); /* perhaps not in the store yet */
	ck_assert_int_eq(write_path("/ctl/hooks/a/enabled", "\n"), 1); /* version 4 */
	later = list_path("/ctl/hooks/a/versions");
	ck_assert_ptr_nonnull(strstr(later, "1.lua 3.lua "));
	ck_assert_ptr_null(strstr(later, "2.lua"));
	ck_assert_ptr_null(strstr(later, "4.lua"));
	assert_text("/ctl/hooks/a/versions/1.lua", one);
	assert_text("/ctl/hooks/a/versions/4.lua", two);
	ck_assert_int_eq(mtime_of("/ctl/hooks/a/versions/1.lua"), first_ns);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		AUTO(free) char *path = mem_printf("/ctl/hooks/a/versions/%s", wrong[i]);

		ck_assert_msg(walk(path) == NULL, "%s is there", path);
	}
}
END_TEST

START_TEST(test_a_hook_never_in_service_has_no_versions)
{
	AUTO(free) char *names = NULL;

	serve("a", "broken");
	names = list_path("/ctl/hooks/a/versions");
	ck_assert_ptr_null(strstr(names, ".lua"));
	ck_assert_ptr_null(walk("/ctl/hooks/a/versions/1.lua"));
}
END_TEST

static void
record(const char *hook, enum exec_status status, int64_t duration_ns)
{
	struct event ev = {.seq = 7, .created_ns = clock_real_ns()};
	struct execution ex = {.seq = 7,
		.hook_id = fixture_hook(&f, hook)->id,
		.version = 1,
		.status = status,
		.attempts = 1,
		.started_ns = clock_real_ns(),
		.duration_ns = duration_ns};

	ev.type = mem_strdup("t");
	ex.error = mem_strdup(status == EXEC_FAILED ? "boom \"quoted\"" : NULL);
	hooks_record(f.hooks, &ev, &ex);
	free(ev.type);
	free(ex.error);
}

START_TEST(test_counters)
{
	AUTO(free) char *latency = NULL;
	double p50, p90, p99, max;
	int i;

	serve("a", "{\"event_type\":\"t\"}");
	for (i = 1; i <= 100; i++)
		record("a", i % 10 ? EXEC_SUCCESS : EXEC_FAILED, i * NS_PER_MS);
	record("a", EXEC_REMOVED, 0); /* it did not run */
	assert_text("/ctl/hooks/a/runs", "100\n");
	assert_text("/ctl/hooks/a/failures", "10\n");
	latency = read_path("/ctl/hooks/a/latency");
	ck_assert_int_eq(sscanf(latency, "p50 %lfms\np90 %lfms\np99 %lfms\nmax %lfms", &p50, &p90,
				 &p99, &max),
		4);
	ck_assert_double_ge(p50, 50);
	ck_assert_double_le(p50, 60);
	ck_assert_double_ge(p90, 90);
	ck_assert_double_le(p90, 100);
	ck_assert_double_ge(p99, 99);
	ck_assert_double_eq(max, 100);
}
END_TEST

START_TEST(test_each_decision_is_counted)
{
	AUTO(free) char *counts = NULL, *jsonl = NULL;
	AUTO(sbuf) struct sbuf metrics = {0};

	serve("a", "{\"event_type\":\"t\"}");
	record("a", EXEC_SUCCESS, NS_PER_MS);
	record("a", EXEC_HELD, 0);
	record("a", EXEC_HELD, 0);
	record("a", EXEC_THROTTLED, 0);
	counts = read_path("/ctl/hooks/a/counts");
	ck_assert_ptr_nonnull(strstr(counts, "success      1\n"));
	ck_assert_ptr_nonnull(strstr(counts, "held         2\n"));
	ck_assert_ptr_nonnull(strstr(counts, "throttled    1\n"));
	jsonl = read_path("/ctl/hooks.jsonl");
	ck_assert_ptr_nonnull(
		strstr(jsonl, "\"counts\":{\"success\":1,\"held\":2,\"throttled\":1},\"p50_ms\":"));
	hooks_add_metrics(f.hooks, &metrics);
	ck_assert_ptr_nonnull(strstr(metrics.data, "\nsloth_hook_runs_total{hook=\"a\"} 1\n"));
	ck_assert_ptr_nonnull(strstr(
		metrics.data, "\nsloth_hook_decisions_total{hook=\"a\",decision=\"held\"} 2\n"));
	ck_assert_ptr_nonnull(strstr(metrics.data,
		"\nsloth_hook_duration_seconds_bucket{hook=\"a\",le=\"0.001048576\"} 1\n"));
	ck_assert_ptr_nonnull(
		strstr(metrics.data, "\nsloth_hook_duration_seconds_count{hook=\"a\"} 1\n"));
}
END_TEST

START_TEST(test_metrics_are_bounded)
{
	AUTO(sbuf) struct sbuf metrics = {0};
	unsigned lines = 0;

	for (unsigned i = 0; i < 130; i++) {
		AUTO(free) char *name = mem_printf("h%u", i);

		serve(name, "{\"event_type\":\"t\"}");
		record(name, EXEC_SUCCESS, NS_PER_MS);
	}
	hooks_add_metrics(f.hooks, &metrics);
	for (const char *at = metrics.data; (at = strstr(at, "\nsloth_hook_runs_total{")); at++)
		lines++;
	ck_assert_uint_eq(lines, 101);
	ck_assert_ptr_nonnull(strstr(metrics.data, "\nsloth_hook_runs_total{hook=\"*\"} 30\n"));
}
END_TEST

START_TEST(test_log_grows)
{
	AUTO(free) char *text = mem_strdup("");
	struct handle *h;

	serve("a", "{\"event_type\":\"t\"}");
	h = open_node("/ctl/hooks/a/log", O_RDONLY);
	record("a", EXEC_FAILED, NS_PER_MS);
	while (!text[0]) {
		struct treq req = {.op = TREE_READ, .handle = h, .size = 4096};

		uv_run(&f.loop, UV_RUN_ONCE);
		ck_assert_int_ge(submit(&req), 0);
		free(text);
		text = mem_strndup(sbuf_str(&req.out), req.out.len);
		sbuf_fini(&req.out);
	}
	tree_release(h);
	ck_assert_ptr_nonnull(strstr(text, "\"status\":\"failed\""));
	ck_assert_ptr_nonnull(strstr(text, "\"error\":\"boom \\\"quoted\\\"\""));
	ck_assert_int_eq(text[strlen(text) - 1], '\n');
}
END_TEST

/* ---- test ----------------------------------------------------------------------------------- */

#define ANSWER                                                                                     \
	"{\"decision\":\"run\",\"why\":null,\"result\":\"success\",\"message\":\"fine\","          \
	"\"output\":\"printed\\n\",\"error\":null,"                                                \
	"\"duration_ms\":1.500}\n"

START_TEST(test_dry_run)
{
	static const struct {
		const char *written, *type, *data;
	} cases[] = {
		{"{\"type\":\"deploy.x\",\"data\":{\"n\":1}}\n", "deploy.x", "{\"n\":1}"},
		{"{\"event_type\":\"deploy.x\"}\n", "deploy.x", "{}"},
		{"{\"n\":1}\n", "deploy.test", "{\"n\":1}"},
		{"\n", "deploy.test",
			"{\"deploy\":{\"deploy_id\":\"test-deploy\",\"version\":\"v1\","
			"\"environment\":\"test\"}}"},
	};
	size_t i;

	serve("a", "{\"event_type\":\"deploy.*\"}");
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct handle *h = open_node("/ctl/hooks/a/test", O_RDWR);
		AUTO(free) char *text = NULL;

		ck_assert_int_eq(write_handle(h, cases[i].written), (int)strlen(cases[i].written));
		text = read_handle(h);
		ck_assert_str_eq(text, ANSWER);
		ck_assert_str_eq(seen_type, cases[i].type);
		ck_assert_str_eq(seen_data, cases[i].data);
		tree_release(h);
	}
}
END_TEST

static char *
ask(const char *hook, const char *text)
{
	AUTO(free) char *path = mem_printf("/ctl/hooks/%s/test", hook);
	struct handle *h = open_node(path, O_RDWR);
	char *answer;

	ran_part = NOTHING_RAN;
	ck_assert_int_eq(write_handle(h, text), (int)strlen(text));
	answer = read_handle(h);
	tree_release(h);
	return answer;
}

/* What is decided, by what, and what is run for it. */
START_TEST(test_decisions)
{
	static const struct {
		const char *hook, *written;
		const char *decision, *why, *result;
		enum run_part part;
	} cases[] = {
		{"a", "{}\n", "run", NULL, "success", RUN_WHOLE},
		{"a", "dry=1 {}\n", "run", NULL, NULL, NOTHING_RAN},
		{"a", "dry=1\n", "run", NULL, NULL, NOTHING_RAN},
		{"a", " dry=1\n{\"type\":\"t\"}\n", "run", NULL, NULL, NOTHING_RAN},
		{"a", "{\"type\":\"x\"}\n", "other-type", "hears t", "success", RUN_WHOLE},
		{"a", "dry=1{\"type\":\"x\"}\n", "other-type", "hears t", NULL, NOTHING_RAN},
		{"m", "{}\n", "run", NULL, "success", RUN_WHOLE},
		{"m", "dry=1 {}\n", "run", NULL, NULL, RUN_CONDITIONS},
		{"m", "{\"load\":\"low\"}\n", "filtered", "load > 1: it is \"low\"", "filtered",
			RUN_WHOLE},
		{"m", "dry=1 {\"load\":\"low\"}\n", "filtered", "load > 1: it is \"low\"", NULL,
			RUN_CONDITIONS},
		{"w", "{}\n", "run", NULL, "success", RUN_WHOLE},
		{"w", "{\"type\":\"t\",\"stack\":\"dev\"}\n", "wall",
			"stands behind the wall of stack 'prod', the event is of stack 'dev'", NULL,
			NOTHING_RAN},
		{"off", "dry=1\n", "disabled", "is disabled", NULL, NOTHING_RAN},
		{"off", "\n", "disabled", "is disabled", "success", RUN_WHOLE},
	};

	serve("a", "{\"event_type\":\"t\"}");
	serve("m", "{\"event_type\":\"t\",\"match\":\"load > 1\"}");
	serve("w", "{\"event_type\":\"t\",\"stack\":\"prod\"}");
	serve("off", "{\"event_type\":\"t\",\"enabled\":false}");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(free) char *text = ask(cases[i].hook, cases[i].written);
		AUTO(sbuf) struct sbuf begin = {0};

		sbuf_printf(&begin, "{\"decision\":\"%s\",\"why\":", cases[i].decision);
		sbuf_jsons(&begin, cases[i].why);
		sbuf_adds(&begin, ",\"result\":");
		sbuf_jsons(&begin, cases[i].result);
		sbuf_addc(&begin, ',');
		ck_assert_msg(strncmp(text, begin.data, begin.len) == 0, "%s %s: %s", cases[i].hook,
			cases[i].written, text);
		ck_assert_int_eq(ran_part, cases[i].part);
	}
}
END_TEST

/* Rules are asked, and count nothing: the same test twice has the same answer. */
START_TEST(test_rules_are_foreseen)
{
	serve("later", "{\"event_type\":\"t\",\"once_after\":\"1m\"}");
	serve("once", "{\"event_type\":\"t\",\"once_within\":\"1m\"}");
	for (int i = 0; i < 2; i++) {
		AUTO(free) char *later = ask("later", "dry=1\n");
		AUTO(free) char *once = ask("once", "\n");

		ck_assert_msg(
			strstr(later, "{\"decision\":\"held\",\"why\":\"once_after 1m: ") == later,
			"%s", later);
		ck_assert_msg(strstr(once, "{\"decision\":\"run\",") == once, "%s", once);
	}
}
END_TEST

START_TEST(test_dry_run_in_pieces)
{
	struct handle *h;
	AUTO(free) char *text = NULL;

	serve("a", "{\"event_type\":\"t\"}");
	h = open_node("/ctl/hooks/a/test", O_RDWR);
	ck_assert_int_gt(write_handle(h, "{\n  \"n\":\n"), 0);
	ck_assert_int_gt(write_handle(h, " 2 }\n"), 0);
	text = read_handle(h);
	ck_assert_str_eq(text, ANSWER);
	ck_assert_int_eq(write_handle(h, "{\"n\" 3}\n"), -EINVAL);
	ck_assert_int_gt(write_handle(h, "{\"n\":"), 0);
	ck_assert_int_eq(flush_handle(h), -EINVAL);
	tree_release(h);
}
END_TEST

static void
fake_cancel(void *arg, struct run *run)
{
	(void)arg;
	ck_assert_ptr_eq(run, held_run);
	held_run = NULL;
	end_run(run);
}

START_TEST(test_dry_run_is_closed_early)
{
	struct handle *h;

	serve("a", "{\"event_type\":\"t\"}");
	f.hooks->opt.services.cancel = fake_cancel;
	is_slow = true;
	h = open_node("/ctl/hooks/a/test", O_RDWR);
	ck_assert_int_eq(write_handle(h, "\n"), 1);
	ck_assert_ptr_nonnull(held_run);
	ck_assert_int_eq(write_handle(h, "\n"), -EBUSY);
	tree_release(h);
	ck_assert_ptr_null(held_run);
}
END_TEST

START_TEST(test_dry_run_of_a_broken_hook)
{
	struct handle *h;

	serve("a", "broken");
	h = open_node("/ctl/hooks/a/test", O_RDWR);
	ck_assert_int_eq(write_handle(h, "\n"), -EINVAL);
	tree_release(h);
}
END_TEST

/* ---- stacks --------------------------------------------------------------------------------- */

START_TEST(test_mkdir_and_rmdir)
{
	ck_assert_int_eq(dir_op(TREE_MKDIR, "/stacks", "prod"), 0);
	ck_assert_int_eq(dir_op(TREE_MKDIR, "/stacks", "prod"), -EEXIST);
	ck_assert_int_eq(dir_op(TREE_MKDIR, "/stacks", ".hidden"), -EINVAL);
	fixture_save(&f, "stacks/prod/hooks/a.lua", "{\"event_type\":\"t\"}");
	while (!hook_find(hook_dir_find(f.hooks, "prod"), "a") ||
		!hook_find(hook_dir_find(f.hooks, "prod"), "a")->current)
		uv_run(&f.loop, UV_RUN_ONCE);
	assert_text("/stacks/prod/ctl/hooks/a/status", "ok\n");
	assert_text("/stacks/prod/ctl/hooks/a/stack", "prod\n");
	ck_assert_int_eq(dir_op(TREE_RMDIR, "/stacks", "prod"), -ENOTEMPTY);
	fixture_remove(&f, "stacks/prod/hooks/a.lua");
	has_unfinished = true;
	ck_assert_int_eq(dir_op(TREE_RMDIR, "/stacks", "prod"), -ENOTEMPTY);
	has_unfinished = false;
	ck_assert_int_eq(dir_op(TREE_RMDIR, "/stacks", "prod"), 0);
	ck_assert_ptr_null(walk("/stacks/prod"));
	ck_assert_int_eq(dir_op(TREE_RMDIR, "/stacks", "prod"), -ENOENT);
	ck_assert_int_eq(dir_op(TREE_MKDIR, "/stacks", "prod"), 0);
}
END_TEST

START_TEST(test_stacks_are_kept)
{
	AUTO(free) char *names = NULL;

	ck_assert_int_eq(dir_op(TREE_MKDIR, "/stacks", "prod"), 0);
	ck_assert_int_eq(write_path("/stacks/prod/description", "what we sell\n"), 13);
	stacks_free(stacks);
	fixture_stop(&f);
	fixture_start(&f);
	start_stacks();
	names = list_path("/stacks");
	ck_assert_ptr_nonnull(strstr(names, "prod "));
	assert_text("/stacks/prod/description", "what we sell\n");
}
END_TEST

/* ---- whose file it is ----------------------------------------------------------------------- */

START_TEST(test_rule_of_cron)
{
	AUTO(free) char *path = mem_printf("%s/hooks/a.lua", f.dir);
	AUTO(free) char *status = NULL;

	if (geteuid() != 0)
		return; /* only a master of root's runs hooks as others */
	serve("a", "{\"event_type\":\"t\"}");
	assert_text("/ctl/hooks/a/owner", "root\n");
	ck_assert_int_eq(chmod(path, 0664), 0);
	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"u\"}");
	fixture_await(&f, "a", "broken");
	status = read_path("/ctl/hooks/a/status");
	ck_assert_ptr_nonnull(strstr(status, "chmod go-w it"));
	assert_match(&f, f.next_seq, "u", "", "");
	assert_match(&f, f.next_seq, "t", "", "a:1");

	ck_assert_int_eq(chmod(path, 0644), 0);
	ck_assert_int_eq(chown(path, 65534, 65534), 0);
	fixture_save(&f, "hooks/a.lua", "{\"event_type\":\"v\"}");
	fixture_await(&f, "a", "ok");
	ck_assert_uint_eq(fixture_hook(&f, "a")->current->code.uid, 65534);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("hook_nodes");
	TCase *tc = tcase_create("nodes");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_values);
	tcase_add_test(tc, test_settings_are_written);
	tcase_add_test(tc, test_a_hook_that_runs_alone);
	tcase_add_test(tc, test_listing);
	tcase_add_test(tc, test_jsonl);
	tcase_add_test(tc, test_versions);
	tcase_add_test(tc, test_a_hook_never_in_service_has_no_versions);
	tcase_add_test(tc, test_counters);
	tcase_add_test(tc, test_each_decision_is_counted);
	tcase_add_test(tc, test_metrics_are_bounded);
	tcase_add_test(tc, test_log_grows);
	tcase_add_test(tc, test_dry_run);
	tcase_add_test(tc, test_decisions);
	tcase_add_test(tc, test_rules_are_foreseen);
	tcase_add_test(tc, test_dry_run_in_pieces);
	tcase_add_test(tc, test_dry_run_is_closed_early);
	tcase_add_test(tc, test_dry_run_of_a_broken_hook);
	tcase_add_test(tc, test_mkdir_and_rmdir);
	tcase_add_test(tc, test_stacks_are_kept);
	tcase_add_test(tc, test_rule_of_cron);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
