/* Events through the tree: raised, shown, ended, linked, replayed, deleted. */
#include "tests/unit/events_fixture.h"

#include "tests/unit/suite.h"

#include <string.h>

static struct rig rig;
static char text[4096], id[4096], other[4096];

static void
setup(void)
{
	rig_open(&rig);
}

static void
teardown(void)
{
	rig_close(&rig);
}

static int
readlink_of(const char *path, char out[4096])
{
	struct node *node = walk(&rig.t, path);
	struct call call = CALL(.op = TREE_READLINK, .node = node);
	int code;

	if (!node)
		return -ENOENT;
	code = run_call(&rig.t, &call);
	(void)snprintf(out, 4096, "%s", sbuf_str(&call.req.out));
	sbuf_fini(&call.req.out);
	node_unref(node, 1);
	return code;
}

static int
remove_in(const char *dir, const char *name, enum tree_op op)
{
	struct node *node = walk(&rig.t, dir);
	char path[256];
	struct node *victim;
	int code;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	victim = walk(&rig.t, path); /* as the kernel does */
	ck_assert_ptr_nonnull(node);
	code = run_call(&rig.t, &CALL(.op = op, .node = node, .name = name));
	node_unref(node, 1);
	if (victim)
		node_unref(victim, 1);
	return code;
}

START_TEST(test_values)
{
	rig_send_one(&rig,
		"{\"type\":\"task.failed\",\"data\":{ \"n\": 1 },\"stack\":\"prod\","
		"\"severity\":\"error\",\"agent\":\"web-1\",\"run_id\":\"r\",\"source\":\"s\","
		"\"timestamp\":1769903999}",
		id);
	ck_assert_uint_eq(strlen(id), 36);
	ck_assert_str_eq(rig_cat(&rig, id, "type", text), "task.failed\n");
	ck_assert_str_eq(rig_cat(&rig, id, "status", text), "pending\n");
	ck_assert_str_eq(rig_cat(&rig, id, "data", text), "{ \"n\": 1 }\n");
	ck_assert_str_eq(rig_cat(&rig, id, "stack", text), "prod\n");
	ck_assert_str_eq(rig_cat(&rig, id, "severity", text), "error\n");
	ck_assert_str_eq(rig_cat(&rig, id, "agent", text), "web-1\n");
	ck_assert_str_eq(rig_cat(&rig, id, "run_id", text), "r\n");
	ck_assert_str_eq(rig_cat(&rig, id, "source", text), "s\n");
	ck_assert_str_eq(rig_cat(&rig, id, "error", text), "\n");
	ck_assert_str_eq(rig_cat(&rig, id, "processed_at", text), "\n");
	ck_assert_str_eq(rig_cat(&rig, id, "timestamp", text), "2026-01-31T23:59:59.000000000Z\n");
	rig_cat(&rig, id, "event.json", text);
	ck_assert_ptr_nonnull(strstr(text, "\"v\":1,"));
	ck_assert_ptr_nonnull(strstr(text, "\"data\":{ \"n\": 1 }"));
	ck_assert_ptr_nonnull(strstr(text, id));
}
END_TEST

START_TEST(test_ids_come_back_in_order)
{
	char first[40] = "", path[128];

	ck_assert_int_gt(rig_send(&rig, "a.a\nb.b\n{\"type\":\"c.c\",\"id\":\"mine\"}\n", text), 0);
	memcpy(first, text, 36);
	ck_assert_uint_eq(strcspn(text, "\n"), 36);
	ck_assert_str_eq(text + 74, "mine\n");
	(void)snprintf(path, sizeof(path), "/events/%.64s/type", first);
	ck_assert_int_gt(cat(&rig.t, path, text), 0);
	ck_assert_str_eq(text, "a.a\n");
	ck_assert_str_eq(rig_cat(&rig, "mine", "type", text), "c.c\n");
}
END_TEST

START_TEST(test_known_id_is_told_again_and_stored_once)
{
	static const char sent[] = "{\"type\":\"a.a\",\"id\":\"k1\",\"data\":{\"first\":true}}";
	struct events_figures figures;

	rig_send_one(&rig, sent, id);
	rig_send_one(&rig, "{\"type\":\"b.b\",\"id\":\"k1\"}", other);
	ck_assert_str_eq(id, "k1");
	ck_assert_str_eq(other, "k1");
	ck_assert_str_eq(rig_cat(&rig, "k1", "type", text), "a.a\n");
	events_figures(rig.events, &figures);
	ck_assert_uint_eq(figures.accepted, 1);
	ck_assert_uint_eq(figures.duplicates, 1);
}
END_TEST

START_TEST(test_refusals_name_the_place)
{
	struct events_figures figures;

	ck_assert_int_eq(echo(&rig.t, "{bad}\n", 0, "/events/emit"), -EINVAL);
	ck_assert_msg(strstr(rig.text, "line 1, column 4"), "%s", rig.text);
	ck_assert_int_eq(echo(&rig.t, "{\"type\":\"x\"", 0, "/events/emit"), -EINVAL);
	ck_assert_msg(strstr(rig.text, "not finished"), "%s", rig.text);
	ck_assert_int_eq(echo(&rig.t, "a.b", 0, "/events/emit"), 0);
	events_figures(rig.events, &figures);
	ck_assert_uint_eq(figures.accepted, 1);
	ck_assert_uint_eq(figures.refused, 2);
	ck_assert_uint_eq(figures.dropped, 1);
}
END_TEST

static void
note_refusal(void *arg, const struct tree_cred *cred, const char *path, const char *op,
	const struct err *err)
{
	(void)cred;
	(void)snprintf(arg, sizeof(text), "%s %s: %s", op, path, err->msg);
}

START_TEST(test_unfinished_record_of_a_killed_writer_is_reported)
{
	struct events_figures figures;
	int code;
	struct handle *h = open_path(&rig.t, "/events/emit", O_WRONLY, &code);

	text[0] = '\0';
	tree_on_refusal(rig.t.tree, note_refusal, text);
	ck_assert_int_eq(write_at(&rig.t, h, "{\"type\":", 0), 8);
	tree_release(h);
	while (!text[0])
		(void)uv_run(&rig.t.loop, UV_RUN_ONCE);
	ck_assert_ptr_nonnull(strstr(text, "close /events/emit: "));
	ck_assert_ptr_nonnull(strstr(text, "not finished"));
	events_figures(rig.events, &figures);
	ck_assert_uint_eq(figures.dropped, 1);
	ck_assert_uint_eq(figures.accepted, 0);
}
END_TEST

START_TEST(test_bad_record_behind_the_line_of_an_earlier_write)
{
	struct events_figures figures;
	int code;
	struct handle *h = open_path(&rig.t, "/events/emit", O_WRONLY, &code);

	ck_assert_int_eq(write_at(&rig.t, h, "a.b n=1", 0), 7);
	ck_assert_int_eq(write_at(&rig.t, h, "\n{bad}\n", 7), -EINVAL);
	ck_assert_msg(strstr(rig.text, "line 2, column 4"), "%s", rig.text);
	events_figures(rig.events, &figures);
	ck_assert_uint_eq(figures.accepted, 1);
	ck_assert_uint_eq(figures.refused, 1);
	tree_release(h);
}
END_TEST

START_TEST(test_unfinished_line_of_a_writer_that_is_gone_is_taken)
{
	struct events_figures figures;
	int code;
	struct handle *h = open_path(&rig.t, "/events/emit", O_WRONLY, &code);

	ck_assert_int_eq(write_at(&rig.t, h, "a.b n=1", 0), 7);
	tree_release(h);
	do {
		(void)uv_run(&rig.t.loop, UV_RUN_ONCE);
		events_figures(rig.events, &figures);
	} while (figures.accepted == 0);
	ck_assert_uint_eq(figures.dropped, 0);
}
END_TEST

START_TEST(test_stopping_refuses)
{
	ck_assert_int_eq(echo(&rig.t, "a.b\n", 0, "/events/emit"), 0);
	events_stop(rig.events);
	ck_assert_int_eq(echo(&rig.t, "a.b\n", 0, "/events/emit"), -ESHUTDOWN);
	ck_assert_int_eq(rig_emit(&rig, &(struct emit){.type = "a.b"}), -ESHUTDOWN);
}
END_TEST

START_TEST(test_sixteen_writers_at_once)
{
	struct events_figures figures;
	struct call calls[16];
	struct handle *h[16];
	char sent[16][64];
	int i, code;

	for (i = 0; i < 16; i++) {
		h[i] = open_path(&rig.t, "/events/emit", O_RDWR, &code);
		(void)snprintf(sent[i], sizeof(sent[i]), "{\"type\":\"w.w\",\"id\":\"w%d\"}\n", i);
		calls[i] = CALL(.op = TREE_WRITE, .handle = h[i], .data = sent[i],
			.size = strlen(sent[i]));
	}
	for (i = 0; i < 16; i++)
		start_call(&rig.t, &calls[i]);
	for (i = 0; i < 16; i++)
		while (calls[i].answers == 0)
			uv_run(&rig.t.loop, UV_RUN_ONCE);
	for (i = 0; i < 16; i++) {
		ck_assert_int_eq(calls[i].result, (int)strlen(sent[i]));
		ck_assert_int_gt(read_at(&rig.t, h[i], 0, text), 0);
		(void)snprintf(other, sizeof(other), "w%d\n", i);
		ck_assert_str_eq(text, other);
		tree_release(h[i]);
	}
	events_figures(rig.events, &figures);
	ck_assert_uint_eq(figures.accepted, 16);
}
END_TEST

/* Writes of one conversation that do not wait for each other (SFTP) are still one stream of bytes.
 */
START_TEST(test_pipelined_writes_of_one_handle)
{
	static const char *const parts[] = {
		"{\"type\":\"p", ".1\"}{\"ty", "pe\":\"p.2\"}\np.3", "\n"};
	struct call calls[4];
	int i, code;
	struct handle *h = open_path(&rig.t, "/events/emit", O_RDWR, &code);

	for (i = 0; i < 4; i++)
		calls[i] = CALL(.op = TREE_WRITE, .handle = h, .data = parts[i],
			.size = strlen(parts[i]));
	for (i = 0; i < 4; i++)
		start_call(&rig.t, &calls[i]);
	for (i = 0; i < 4; i++)
		while (calls[i].answers == 0)
			uv_run(&rig.t.loop, UV_RUN_ONCE);
	for (i = 0; i < 4; i++)
		ck_assert_int_eq(calls[i].result, (int)strlen(parts[i]));
	ck_assert_int_eq(read_at(&rig.t, h, 0, text), 3 * 37);
	tree_release(h);
}
END_TEST

/* Until one more than `before` is accepted.  Returns how many then are. */
static uint64_t
await_accepted(uint64_t before)
{
	struct events_figures figures;

	for (;;) {
		events_figures(rig.events, &figures);
		if (figures.accepted > before)
			return figures.accepted;
		(void)uv_run(&rig.t.loop, UV_RUN_ONCE);
	}
}

/* A thousand lines, and one that is none. */
START_TEST(test_bulk_is_done_in_parts_while_others_send_single_events)
{
	enum { LINES = 1000 };
	static char sent[4 * LINES + 8];
	int code;
	struct handle *h = open_path(&rig.t, "/events/emit", O_WRONLY, &code);
	struct call bulk =
		CALL(.op = TREE_WRITE, .handle = h, .data = sent, .size = sizeof(sent) - 1);
	uint64_t accepted;

	for (int i = 0; i < LINES; i++)
		memcpy(sent + 4 * i, "a.b\n", 4);
	memcpy(sent + 4 * LINES, "{bad}\n\n", 8);
	ck_assert_int_eq(echo(&rig.t, "a.b\n", 0, "/events/emit"), 0);
	start_call(&rig.t, &bulk);
	accepted = await_accepted(1);
	ck_assert_uint_eq(accepted, 1 + store_job_events(rig.store));
	ck_assert_uint_lt(accepted, LINES);
	ck_assert_int_eq(bulk.answers, 0);
	while (bulk.answers == 0)
		(void)uv_run(&rig.t.loop, UV_RUN_ONCE);
	ck_assert_int_eq(bulk.result, 4 * LINES - 1);
	ck_assert_uint_eq(await_accepted(accepted), 1 + LINES);
	ck_assert_int_eq(write_at(&rig.t, h, sent + bulk.result, 0), -EINVAL);
	ck_assert_msg(strstr(rig.text, "line 1001, column 4"), "%s", rig.text);
	tree_release(h);
}
END_TEST

/* 37 bytes an id: nobody reads them, so they must not pile up. */
static int
send_many(int flags)
{
	static char sent[4000 * 4 + 1];
	int code, i;
	struct handle *h = open_path(&rig.t, "/events/emit", flags, &code);

	for (i = 0; i < 4000; i++)
		memcpy(sent + 4 * i, "a.b\n", 5);
	for (i = 0; i < 12 && code >= 0; i++)
		code = write_at(&rig.t, h, sent, 0);
	ck_assert_uint_le(handle_unread(h), 1500000);
	tree_release(h);
	return code;
}

START_TEST(test_ids_nobody_reads_are_bounded)
{
	ck_assert_int_eq(send_many(O_RDWR), -EAGAIN);
	ck_assert_int_eq(send_many(O_WRONLY), 16000);
}
END_TEST

START_TEST(test_final_state_reaches_an_open_directory)
{
	char path[128], status[4096];
	struct node *node;

	rig_send_one(&rig, "a.b k=v\n", id);
	(void)snprintf(path, sizeof(path), "/events/%.64s", id);
	node = walk(&rig.t, path); /* pinned while pending */
	ck_assert_str_eq(rig_cat(&rig, id, "status", status), "pending\n");
	rig_finish(&rig, id, EVENT_FAILED, true);
	ck_assert_str_eq(rig_cat(&rig, id, "status", status), "failed\n");
	ck_assert_str_eq(rig_cat(&rig, id, "error", text), "hook 'notify' failed\n");
	ck_assert_str_eq(rig_cat(&rig, id, "hooks/notify/status", text), "failed\n");
	ck_assert_str_eq(rig_cat(&rig, id, "hooks/notify/output", text), "printed\n");
	ck_assert_str_eq(rig_cat(&rig, id, "hooks/notify/duration_ms", text), "2.500\n");
	ck_assert_str_eq(rig_cat(&rig, id, "hooks/notify/attempts", text), "1\n");
	rig_cat(&rig, id, "event.json", text);
	ck_assert_ptr_nonnull(
		strstr(text, "\"hooks\":[{\"hook\":\"notify\",\"status\":\"failed\""));
	ck_assert_ptr_nonnull(strstr(text, "\"output\":\"printed\""));
	node_unref(node, 1);
}
END_TEST

START_TEST(test_final_event_is_read_from_the_store)
{
	rig_send_one(&rig, "a.b k=v\n", id);
	rig_finish(&rig, id, EVENT_COMPLETED, true);
	ck_assert_str_eq(rig_cat(&rig, id, "status", text), "completed\n");
	ck_assert_str_eq(rig_cat(&rig, id, "hooks/notify/status", text), "success\n");
	(void)snprintf(other, sizeof(other), "/events/%.36s/hooks/nobody/status", id);
	ck_assert_int_eq(cat(&rig.t, other, text), -ENOENT);
}
END_TEST

START_TEST(test_wait_gives_the_final_status)
{
	char path[128];
	struct call call;
	struct handle *h;
	int code;

	rig_send_one(&rig, "a.b\n", id);
	(void)snprintf(path, sizeof(path), "/events/%.64s/wait", id);
	h = open_path(&rig.t, path, O_RDONLY, &code);
	call = CALL(.op = TREE_READ, .handle = h, .size = 100);
	start_call(&rig.t, &call);
	ck_assert_uint_eq(call.answers, 0);
	rig_finish(&rig, id, EVENT_COMPLETED, true);
	ck_assert_uint_eq(call.answers, 1);
	ck_assert_str_eq(sbuf_str(&call.req.out), "completed\n");
	sbuf_fini(&call.req.out);
	ck_assert_int_eq(read_at(&rig.t, h, 10, text), 0);
	tree_release(h);
	ck_assert_int_eq(cat(&rig.t, path, text), 10);
}
END_TEST

START_TEST(test_links)
{
	char path[256];
	struct listing list = {0};

	ck_assert_int_eq(readlink_of("/events/latest", text), -ENOENT);
	rig_send_one(&rig, "a.b\n", other);
	rig_send_one(&rig, "c.d\n", id);
	ck_assert_int_ge(readlink_of("/events/latest", text), 0);
	ck_assert_str_eq(text, id);
	rig_finish(&rig, id, EVENT_COMPLETED, true);
	ck_assert_int_eq(list_path(&rig.t, "/events/by-status/completed", 0, &list), 0);
	ck_assert_str_eq(list.names, id);
	(void)snprintf(path, sizeof(path), "/events/by-status/completed/%.64s", id);
	ck_assert_int_ge(readlink_of(path, text), 0);
	(void)snprintf(path, sizeof(path), "../../%.64s", id);
	ck_assert_str_eq(text, path);
	(void)snprintf(path, sizeof(path), "/events/by-status/pending/%.64s", id);
	ck_assert_int_eq(readlink_of(path, text), -ENOENT);
	list = (struct listing){0};
	ck_assert_int_eq(list_path(&rig.t, "/events/by-type", 0, &list), 0);
	ck_assert_msg(strstr(list.names, "a.b") && strstr(list.names, "c.d"), "%s", list.names);
	list = (struct listing){0};
	ck_assert_int_eq(list_path(&rig.t, "/events/by-type/a.b", 0, &list), 0);
	ck_assert_str_eq(list.names, other);
}
END_TEST

START_TEST(test_listing_is_a_window_of_the_newest)
{
	struct listing list = {0};
	char newest[4096];

	ck_assert_int_gt(rig_send(&rig, "a.a\na.a\na.a\na.a\n", text), 0);
	rig_send_one(&rig, "b.b\n", newest);
	events_set_window(rig.events, 3);
	ck_assert_int_eq(list_path(&rig.t, "/events", 0, &list), 0);
	ck_assert_ptr_nonnull(strstr(list.names, newest));
	ck_assert_ptr_null(strstr(list.names, " stream"));
	text[36] = '\0';
	ck_assert_ptr_null(strstr(list.names, text)); /* the oldest, which opens by name */
	ck_assert_str_eq(rig_cat(&rig, text, "type", other), "a.a\n");
}
END_TEST

START_TEST(test_listing_by_cursor)
{
	struct listing whole = {0}, part = {0};
	unsigned count = 0, i;

	ck_assert_int_gt(rig_send(&rig, "a.a\na.a\na.a\na.a\na.a\n", text), 0);
	ck_assert_int_eq(list_path(&rig.t, "/events", 0, &whole), 0);
	for (i = 0; i < 40; i++) { /* one entry a call */
		part = (struct listing){.limit = 1, .cookie = part.cookie};
		ck_assert_int_eq(list_path(&rig.t, "/events", part.cookie, &part), 0);
		if (part.count == 0)
			break;
		ck_assert_ptr_nonnull(strstr(whole.names, part.names));
		count++;
	}
	ck_assert_uint_eq(count, whole.count);
}
END_TEST

START_TEST(test_cause_and_effects)
{
	struct event *cause;
	struct listing list = {0};
	char path[256], effect[64];
	unsigned depth;

	rig_send_one(&rig, "a.b stack=prod\n", id);
	cause = rig_find(&rig, id);
	ck_assert_int_eq(rig_emit(&rig, &(struct emit){.type = "c.d",
						.data = "{\"x\":1}",
						.sender = "hook:notify",
						.cause = cause}),
		0);
	(void)snprintf(effect, sizeof(effect), "%.36s", rig.text);
	(void)snprintf(path, sizeof(path), "/events/%.64s/cause", effect);
	ck_assert_int_ge(readlink_of(path, text), 0);
	ck_assert_str_eq(text + 3, id);
	ck_assert_str_eq(rig_cat(&rig, effect, "stack", text), "prod\n");
	(void)snprintf(path, sizeof(path), "/events/%.64s/effects", id);
	ck_assert_int_eq(list_path(&rig.t, path, 0, &list), 0);
	ck_assert_str_eq(list.names, effect);
	(void)snprintf(path, sizeof(path), "/events/%.64s/cause", id);
	ck_assert_int_eq(readlink_of(path, text), -ENOENT);
	depth = cause->depth;
	cause->depth = EVENT_DEPTH_MAX;
	ck_assert_int_eq(rig_emit(&rig, &(struct emit){.type = "c.d", .cause = cause}), -ELOOP);
	cause->depth = depth;
	event_unref(cause);
}
END_TEST

START_TEST(test_emit_from_inside_is_checked)
{
	ck_assert_int_eq(rig_emit(&rig, &(struct emit){.type = "Bad"}), -EINVAL);
	ck_assert_int_eq(rig_emit(&rig, &(struct emit){.type = "a", .data = "[1]"}), -EINVAL);
	ck_assert_int_eq(rig_emit(&rig, &(struct emit){.type = "a", .data = "{x}"}), -EINVAL);
	ck_assert_int_eq(rig_emit(&rig, &(struct emit){.type = "a", .severity = "x"}), -EINVAL);
	ck_assert_int_eq(rig_emit(&rig, &(struct emit){.type = "a", .id = "emit"}), -EINVAL);
	ck_assert_int_eq(rig_emit(&rig, &(struct emit){.type = "a", .id = "own"}), 0);
	ck_assert_str_eq(rig.text, "own");
}
END_TEST

START_TEST(test_replay)
{
	char path[256], copy[4096];
	struct handle *h;
	struct event *ev;
	int code;

	rig_send_one(&rig, "{\"type\":\"a.b\",\"data\":{ \"k\" : 1}}", id);
	rig_finish(&rig, id, EVENT_COMPLETED, true);
	(void)snprintf(path, sizeof(path), "/events/%.64s/replay", id);
	h = open_path(&rig.t, path, O_RDWR, &code);
	ck_assert_int_eq(write_at(&rig.t, h, "hook=notify\n", 0), 12);
	ck_assert_int_eq(read_at(&rig.t, h, 0, copy), 37);
	tree_release(h);
	copy[36] = '\0';
	ck_assert_str_ne(copy, id);
	ck_assert_str_eq(rig_cat(&rig, copy, "data", text), "{ \"k\" : 1}\n");
	ck_assert_str_eq(rig_cat(&rig, copy, "status", text), "pending\n");
	ev = rig_find(&rig, copy);
	ck_assert_uint_eq(ev->replay_of, 1);
	ck_assert_uint_eq(ev->cause_seq, 1);
	ck_assert_str_eq(ev->replay_hook, "notify");
	event_unref(ev);
	ck_assert_int_eq(echo(&rig.t, "2\n", 0, path), -EINVAL);
}
END_TEST

START_TEST(test_delete)
{
	struct listing list = {0};
	struct node *open_dir;
	char path[256];

	rig_send_one(&rig, "a.b\n", other);
	rig_send_one(&rig, "a.b\n", id);
	(void)snprintf(path, sizeof(path), "/events/%.64s", id);
	ck_assert_int_eq(remove_in("/events", id, TREE_RMDIR), -EBUSY);
	ck_assert_int_eq(remove_in(path, "status", TREE_UNLINK), -EBUSY);
	rig_finish(&rig, id, EVENT_COMPLETED, true);
	ck_assert_int_eq(remove_in(path, "status", TREE_UNLINK), 0);
	ck_assert_int_eq(remove_in(path, "hooks", TREE_RMDIR), 0);
	open_dir = walk(&rig.t, path); /* somebody stands in it */
	ck_assert_int_eq(remove_in("/events", id, TREE_RMDIR), 0);
	ck_assert_ptr_null(walk(&rig.t, path));
	ck_assert_int_eq(list_path(&rig.t, "/events", 0, &list), 0);
	ck_assert_ptr_null(strstr(list.names, id));
	ck_assert_ptr_nonnull(strstr(list.names, other));
	while (readlink_of("/events/latest", text) < 0)
		uv_run(&rig.t.loop, UV_RUN_ONCE);
	ck_assert_str_eq(text, other);
	ck_assert_ptr_null(walk(&rig.t, path)); /* the store has done it by now */
	ck_assert_int_eq(remove_in("/events", "emit", TREE_UNLINK), -EPERM);
	node_unref(open_dir, 1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("events");
	TCase *tc = tcase_create("events");

	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, test_values);
	tcase_add_test(tc, test_ids_come_back_in_order);
	tcase_add_test(tc, test_known_id_is_told_again_and_stored_once);
	tcase_add_test(tc, test_refusals_name_the_place);
	tcase_add_test(tc, test_unfinished_record_of_a_killed_writer_is_reported);
	tcase_add_test(tc, test_bad_record_behind_the_line_of_an_earlier_write);
	tcase_add_test(tc, test_unfinished_line_of_a_writer_that_is_gone_is_taken);
	tcase_add_test(tc, test_stopping_refuses);
	tcase_add_test(tc, test_sixteen_writers_at_once);
	tcase_add_test(tc, test_pipelined_writes_of_one_handle);
	tcase_add_test(tc, test_bulk_is_done_in_parts_while_others_send_single_events);
	tcase_add_test(tc, test_ids_nobody_reads_are_bounded);
	tcase_add_test(tc, test_final_state_reaches_an_open_directory);
	tcase_add_test(tc, test_final_event_is_read_from_the_store);
	tcase_add_test(tc, test_wait_gives_the_final_status);
	tcase_add_test(tc, test_links);
	tcase_add_test(tc, test_listing_is_a_window_of_the_newest);
	tcase_add_test(tc, test_listing_by_cursor);
	tcase_add_test(tc, test_cause_and_effects);
	tcase_add_test(tc, test_emit_from_inside_is_checked);
	tcase_add_test(tc, test_replay);
	tcase_add_test(tc, test_delete);
	return suite_run(suite);
}
