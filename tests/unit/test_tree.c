/* The tree over a small table of rows of every kind: requests, nodes, permissions. */
#include "tests/unit/suite.h"
#include "tests/unit/tree_fixture.h"

#include "base/clock.h"
#include "base/mem.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- a room -----------------------------------------------------------------------------------
 */

struct room {
	char value[128];
	unsigned sets;
	char verbs[256];
	struct treq *parked;
	struct handle *stream;
	unsigned drained, pins, releases;
	bool has_link, is_cold, is_slow;
};

static struct room room;

static int
text_read(struct node *node, struct sbuf *out, struct err *err)
{
	(void)err;
	ck_assert_ptr_eq(node_room(node), &room);
	for (int64_t begin_ns = clock_mono_ns(); room.is_slow;)
		room.is_slow = clock_mono_ns() - begin_ns < 2 * NS_PER_MS;
	sbuf_printf(out, "%s\n", room.value);
	return 0;
}

static int
value_set(struct node *node, const char *text, size_t len, struct treq *req, struct err *err)
{
	(void)node;
	ck_assert_uint_eq(strlen(text), len);
	if (strcmp(text, "bad") == 0)
		return err_set(err, EINVAL, "'bad' is not a value");
	if (strcmp(text, "park") == 0) {
		room.parked = req;
		return TREE_PARKED;
	}
	(void)snprintf(room.value, sizeof(room.value), "%s", text);
	room.sets++;
	return 0;
}

static int
verb(struct node *node, const char *text, size_t len, struct treq *req, struct err *err)
{
	(void)node, (void)len, (void)req;
	if (strcmp(text, "bad") == 0)
		return err_set(err, EINVAL, "unknown verb 'bad'");
	strncat(room.verbs, text, sizeof(room.verbs) - strlen(room.verbs) - 1);
	strncat(room.verbs, ";", sizeof(room.verbs) - strlen(room.verbs) - 1);
	return 0;
}

static int
link_read(struct node *node, struct sbuf *out, struct err *err)
{
	(void)node, (void)err;
	if (!room.has_link)
		return -ENOENT;
	sbuf_adds(out, "things/one");
	return 0;
}

/* Things are named one, two and three, and cold is found later. */
static const char *const thing_names[] = {"one", "two", "three"};

static int
things_lookup(struct node *parent, const char *name, struct treq *req, void **ret_obj,
	uint64_t *ret_ino, struct err *err)
{
	(void)parent, (void)err;
	if (strcmp(name, "cold") == 0) {
		room.parked = req;
		return TREE_PARKED;
	}
	for (unsigned i = 0; i < 3; i++) {
		if (strcmp(name, thing_names[i]) == 0) {
			room.pins++;
			*ret_obj = mem_strdup(name);
			*ret_ino = i + 1;
			return 0;
		}
	}
	return -ENOENT;
}

static int
things_list(struct node *parent, uint64_t cookie, struct treq *req, entry_fn *entry, void *arg,
	struct err *err)
{
	(void)parent, (void)err;
	if (room.is_cold) {
		room.parked = req;
		return TREE_PARKED;
	}
	while (cookie < 3 && entry(arg, thing_names[cookie], cookie + 1, cookie + 1))
		cookie++;
	return 0;
}

static void
things_release(void *obj)
{
	room.releases++;
	free(obj);
}

static int64_t
things_mtime(void *obj)
{
	(void)obj;
	return INT64_C(1000000000) * 1234;
}

static const struct node_set things = {
	.lookup = things_lookup,
	.list = things_list,
	.release = things_release,
	.mtime_ns = things_mtime,
};

static int
thing_read(struct node *node, struct sbuf *out, struct err *err)
{
	(void)err;
	ck_assert_str_eq(node_param(node, "thing"), node_pinned(node, &things));
	sbuf_printf(out, "%s\n", node_param(node, "thing"));
	return 0;
}

static int
things_rmdir(struct node *dir, const char *name, struct treq *req, struct err *err)
{
	(void)dir, (void)name, (void)err;
	return treq_uid(req) == 0 ? 0 : -EPERM;
}

static const struct dir_edit things_edit = {.rmdir = things_rmdir};

/* An rpc that answers each line with its length, and "park" later. */
static int
rpc_write(struct handle *h, const char *data, size_t len, struct treq *req, struct err *err)
{
	char answer[32];

	(void)err;
	if (len == 1 && *data == 'p') {
		room.parked = req;
		return TREE_PARKED;
	}
	(void)snprintf(answer, sizeof(answer), "%zu\n", len);
	handle_push(h, answer, strlen(answer));
	return (int)len;
}

static const struct rpc_ops rpc = {.write = rpc_write};

static int
later_write(struct handle *h, const char *data, size_t len, struct treq *req, struct err *err)
{
	(void)data, (void)req, (void)err;
	room.stream = h;
	return (int)len;
}

static const struct rpc_ops later = {.write = later_write, .reads_wait = true};

static int
stream_open(struct handle *h, struct err *err)
{
	(void)err;
	room.stream = h;
	return 0;
}

static void
stream_drained(struct handle *h)
{
	room.drained++;
	if (room.drained == 1)
		handle_push(h, "more\n", 5); /* a room may push from here */
}

static const struct stream_ops stream = {.open = stream_open, .drained = stream_drained};

#define ROW(p, n, k, m, ...)                                                                       \
	{                                                                                          \
		.path = (p), .name = (n), .room = "test", .help = "help of " p, .kind = (k),       \
		.mode = (m), __VA_ARGS__                                                           \
	}

static const struct row rows[] = {
	ROW("/", "", ROW_DIR, 0755, .first_child = 1, .child_count = 9),
	ROW("/text", "text", ROW_TEXT, 0444, .read.text = text_read),
	ROW("/value", "value", ROW_VALUE, 0644, .read.text = text_read, .write.set = value_set),
	ROW("/ctl", "ctl", ROW_CTL, 0200, .write.set = verb),
	ROW("/rpc", "rpc", ROW_RPC, 0666, .read.rpc = &rpc, .flags = ROW_FRESH),
	ROW("/later", "later", ROW_RPC, 0666, .read.rpc = &later, .flags = ROW_QUIET),
	ROW("/stream", "stream", ROW_STREAM, 0444, .read.stream = &stream, .flags = ROW_UNLISTED),
	ROW("/link", "link", ROW_LINK, 0777, .read.text = link_read),
	ROW("/things", "things", ROW_DIR, 0755, .first_child = 10, .child_count = 2,
		.write.edit = &things_edit),
	ROW("/private", "private", ROW_DIR, 0700, .first_child = 12, .child_count = 1),
	ROW("/things/all", "all", ROW_TEXT, 0444, .read.text = text_read, .parent = 8),
	ROW("/things/{thing}", "thing", ROW_DIR, 0755, .set = &things, .flags = ROW_PARAM,
		.parent = 8, .first_child = 13, .child_count = 1),
	ROW("/private/text", "text", ROW_TEXT, 0444, .read.text = text_read, .parent = 9),
	ROW("/things/{thing}/name", "name", ROW_TEXT, 0444, .read.text = thing_read, .parent = 11),
};

static struct fixture f;

static void
setup(void)
{
	room = (struct room){.value = "first"};
	fixture_start(&f, rows, sizeof(rows) / sizeof(rows[0]));
	tree_set_room(f.tree, "test", &room);
}

static void
teardown(void)
{
	fixture_stop(&f);
	ck_assert_uint_eq(room.pins, room.releases);
}

/* ---- nodes ------------------------------------------------------------------------------------
 */

START_TEST(a_lookup_gives_the_same_node_again)
{
	struct node *a = walk(&f, "/things/two/name"), *b = walk(&f, "/things/two/name");
	struct node *other = walk(&f, "/things/one/name");

	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_eq(a, b);
	ck_assert_ptr_ne(a, other);
	ck_assert_uint_ne(node_ino(a), node_ino(other));
	ck_assert_uint_eq(room.pins, 2); /* the second walk found it pinned */
	node_unref(a, 2);
	node_unref(other, 1);
	ck_assert_ptr_null(walk(&f, "/things/four"));
	ck_assert_ptr_null(walk(&f, "/text/below"));
}
END_TEST

START_TEST(a_fresh_row_gives_a_node_per_lookup)
{
	struct node *a = walk(&f, "/rpc"), *b = walk(&f, "/rpc");

	ck_assert_ptr_ne(a, b);
	ck_assert_uint_eq(node_ino(a), node_ino(b));
	ck_assert(node_is_fresh(a));
	node_unref(a, 1);
	node_unref(b, 1);
}
END_TEST

static struct handle *
open_node(struct node *node)
{
	struct call call = CALL(.op = TREE_OPEN, .node = node, .flags = O_RDWR);

	ck_assert_int_eq(run_call(&f, &call), 0);
	return call.req.handle;
}

/* As one who opens, writes and closes again and again, and another who comes meanwhile. */
START_TEST(a_fresh_node_is_found_again_when_it_was_closed)
{
	struct node *first = walk(&f, "/rpc"), *second, *again;
	struct handle *one = open_node(first), *two = open_node(first);

	tree_release(one);
	second = walk(&f, "/rpc"); /* while the first is open */
	ck_assert_ptr_ne(second, first);
	tree_release(two);
	tree_release(open_node(second)); /* two rest now, of which one is found */
	again = walk(&f, "/rpc");
	ck_assert_ptr_eq(again, first);
	ck_assert_ptr_ne(again, second);
	node_unref(again, 1);
	again = walk(&f, "/rpc"); /* given to somebody: perhaps about to be opened */
	ck_assert_ptr_ne(again, first);
	node_unref(again, 1);
	tree_release(open_node(first));
	node_unref(first, 1); /* forgotten while it may be found */
	node_unref(second, 1);
	again = walk(&f, "/rpc");
	ck_assert(node_is_fresh(again));
	node_unref(again, 1);
}
END_TEST

START_TEST(a_removed_name_is_looked_up_anew)
{
	struct node *old = walk(&f, "/things/one"), *node;

	tree_removed(f.tree, "/things", "one");
	node = walk(&f, "/things/one");
	ck_assert_ptr_ne(old, node);
	ck_assert_uint_eq(node_ino(old), node_ino(node));
	node_unref(old, 1);
	node_unref(node, 1);
}
END_TEST

START_TEST(a_cold_lookup_is_answered_later)
{
	struct node *dir = walk(&f, "/things");
	struct call call = CALL(.op = TREE_LOOKUP, .node = dir, .name = "cold");

	start_call(&f, &call);
	ck_assert_uint_eq(call.answers, 0);
	ck_assert_uint_eq(tree_outstanding(f.tree), 1);
	room.pins++;
	treq_pin(room.parked, 0, mem_strdup("cold"), 99);
	ck_assert_uint_eq(call.answers, 1);
	ck_assert_str_eq(node_name(call.req.ret_node), "cold");
	ck_assert_int_eq(call.req.attr.st_mtim.tv_sec, 1234);
	node_unref(call.req.ret_node, 1);

	call = CALL(.op = TREE_LOOKUP, .node = dir, .name = "cold");
	start_call(&f, &call);
	treq_pin(room.parked, -ENOENT, NULL, 0);
	ck_assert_int_eq(call.result, -ENOENT);
	node_unref(dir, 1);
}
END_TEST

/* ---- listing ----------------------------------------------------------------------------------
 */

START_TEST(what_blocks_is_reachable_and_not_listed)
{
	struct listing list = {0};
	struct node *node = walk(&f, "/stream");

	ck_assert_int_eq(list_path(&f, "/", 0, &list), 0);
	ck_assert_str_eq(list.names, "text value ctl rpc later things private");
	ck_assert_ptr_nonnull(node);
	node_unref(node, 1);
}
END_TEST

START_TEST(a_link_shows_while_it_leads_somewhere)
{
	struct listing list = {0};
	struct call call;

	ck_assert_ptr_null(walk(&f, "/link"));
	room.has_link = true;
	ck_assert_int_eq(list_path(&f, "/", 0, &list), 0);
	ck_assert_ptr_nonnull(strstr(list.names, "link"));
	call = CALL(.op = TREE_READLINK, .node = walk(&f, "/link"));
	ck_assert_int_ge(run_call(&f, &call), 0);
	ck_assert_str_eq(sbuf_str(&call.req.out), "things/one");
	sbuf_fini(&call.req.out);
	node_unref(call.req.node, 1);
}
END_TEST

START_TEST(a_directory_is_read_on_from_any_position)
{
	struct listing list = {.limit = 1};
	struct sbuf all = {0};

	for (uint64_t cookie = 0;; cookie = list.cookie) {
		list = (struct listing){.limit = 1};
		ck_assert_int_eq(list_path(&f, "/things", cookie, &list), 0);
		if (list.count == 0)
			break;
		sbuf_printf(&all, "%s ", list.names);
	}
	ck_assert_str_eq(sbuf_str(&all), "all one two three ");
	sbuf_fini(&all);
}
END_TEST

START_TEST(a_cold_list_is_answered_later)
{
	struct node *dir = walk(&f, "/things");
	struct listing list = {0};
	struct call call = CALL(.op = TREE_OPENDIR, .node = dir);

	room.is_cold = true;
	ck_assert_int_eq(run_call(&f, &call), 0);
	struct call read = CALL(.op = TREE_READDIR, .handle = call.req.handle,
		.entry = listing_entry, .arg = &list);
	start_call(&f, &read);
	ck_assert_uint_eq(read.answers, 0);
	ck_assert(treq_entry(room.parked, "late", 7, 1));
	treq_reply(room.parked, 0, NULL);
	ck_assert_uint_eq(read.answers, 1);
	ck_assert_str_eq(list.names, "all late");
	tree_release(call.req.handle);
	node_unref(dir, 1);
}
END_TEST

START_TEST(every_directory_has_help)
{
	char text[4096];

	ck_assert_int_gt(cat(&f, "/.help", text), 0);
	ck_assert_ptr_nonnull(strstr(text, "help of /value"));
	ck_assert_ptr_nonnull(strstr(text, "stream"));
	ck_assert_int_gt(cat(&f, "/things/two/.help", text), 0);
	ck_assert_ptr_nonnull(strstr(text, "/things/two: help of /things/{thing}\n"));
}
END_TEST

/* ---- text and value ---------------------------------------------------------------------------
 */

static off_t
size_for(pid_t pid, const char *path, struct timespec *ret_mtime)
{
	struct call call = CALL(.op = TREE_GETATTR, .node = walk(&f, path), .cred.pid = pid);

	ck_assert_int_eq(run_call(&f, &call), 0);
	node_unref(call.req.node, 1);
	if (ret_mtime)
		*ret_mtime = call.req.attr.st_mtim;
	return call.req.attr.st_size;
}

static off_t
size_of(const char *path, struct timespec *ret_mtime)
{
	return size_for(0, path, ret_mtime);
}

START_TEST(an_open_text_does_not_change)
{
	struct call open = CALL(.op = TREE_OPEN, .node = walk(&f, "/text"), .cred.pid = 7);
	char text[4096];
	struct handle *h;

	ck_assert_int_eq(run_call(&f, &open), 0);
	node_unref(open.req.node, 1);
	h = open.req.handle;
	(void)snprintf(room.value, sizeof(room.value), "second value");
	ck_assert_int_eq(size_for(7, "/text", NULL), 6); /* of the one who has it open */
	ck_assert_int_eq(size_for(8, "/text", NULL), 13);
	ck_assert_int_eq(read_at(&f, h, 0, text), 6);
	ck_assert_str_eq(text, "first\n");
	ck_assert_int_eq(read_at(&f, h, 2, text), 4);
	ck_assert_str_eq(text, "rst\n");
	ck_assert_int_eq(read_at(&f, h, 6, text), 0);
	ck_assert_int_eq(read_at(&f, h, 600, text), 0);
	tree_release(h);
	ck_assert_int_eq(size_for(7, "/text", NULL), 13);
	ck_assert_int_eq(cat(&f, "/text", text), 13);
}
END_TEST

START_TEST(the_size_of_a_text_that_takes_long_is_remembered)
{
	int64_t begin_ns = clock_mono_ns();
	char text[4096];
	off_t size;

	room.is_slow = true;
	ck_assert_int_eq(size_of("/text", NULL), 6);
	(void)snprintf(room.value, sizeof(room.value), "second value");
	size = size_of("/text", NULL);
	if (clock_mono_ns() - begin_ns < NS_PER_S) /* the machine did not stand still */
		ck_assert_int_eq(size, 6);
	ck_assert_int_eq(cat(&f, "/text", text), 13); /* what is read is as it is now */
	ck_assert_int_eq(size_of("/text", NULL), 13);
}
END_TEST

START_TEST(mtime_moves_with_the_content)
{
	struct timespec before, same, after;

	(void)size_of("/text", &before);
	(void)size_of("/text", &same);
	ck_assert_int_eq(memcmp(&before, &same, sizeof(before)), 0);
	(void)snprintf(room.value, sizeof(room.value), "other");
	(void)size_of("/text", &after);
	ck_assert(after.tv_sec > before.tv_sec ||
		  (after.tv_sec == before.tv_sec && after.tv_nsec > before.tv_nsec));
	(void)size_of("/things/one/name", &after);
	ck_assert_int_eq(after.tv_sec, 1234);
}
END_TEST

START_TEST(a_value_acts_in_write)
{
	int code;
	struct handle *h = open_path(&f, "/value", O_WRONLY | O_TRUNC, &code);

	ck_assert_int_eq(flush(&f, h), 0); /* the shell's, before the data */
	ck_assert_uint_eq(room.sets, 0);
	ck_assert_int_eq(write_at(&f, h, "5\n", 0), 2);
	ck_assert_str_eq(room.value, "5");
	ck_assert_int_eq(flush(&f, h), 0);
	ck_assert_uint_eq(room.sets, 1);
	ck_assert_int_eq(write_at(&f, h, "bad\n", 0), -EINVAL);
	ck_assert_int_eq(flush(&f, h), 0); /* told once */
	tree_release(h);
	ck_assert_str_eq(room.value, "5");
}
END_TEST

START_TEST(a_value_in_pieces_is_one_value)
{
	int code;
	struct handle *h = open_path(&f, "/value", O_WRONLY, &code);

	ck_assert_int_eq(write_at(&f, h, "task", 0), 4);
	ck_assert_uint_eq(room.sets, 0);
	ck_assert_int_eq(write_at(&f, h, ".*\n", 4), 3);
	ck_assert_str_eq(room.value, "task.*");
	ck_assert_int_eq(write_at(&f, h, "deploy.*\n", 7), 9);
	ck_assert_str_eq(room.value, "task.*\ndeploy.*");
	ck_assert_int_eq(write_at(&f, h, "again\n", 0), 6); /* rewound */
	ck_assert_str_eq(room.value, "again");
	tree_release(h);
	ck_assert_int_eq(echo(&f, "no newline", O_APPEND, "/value"), 0);
	ck_assert_str_eq(room.value, "no newline");
	ck_assert_int_eq(echo(&f, "bad", 0, "/value"), -EINVAL);
}
END_TEST

START_TEST(a_value_is_read_back)
{
	int code;
	char text[4096];
	struct handle *h = open_path(&f, "/value", O_RDWR, &code);

	ck_assert_int_eq(read_at(&f, h, 0, text), 6);
	ck_assert_int_eq(write_at(&f, h, "twelve\n", 6), 7);
	ck_assert_int_eq(read_at(&f, h, 0, text), 7);
	ck_assert_str_eq(text, "twelve\n");
	tree_release(h);
}
END_TEST

START_TEST(a_value_can_be_answered_later)
{
	int code;
	struct handle *h = open_path(&f, "/value", O_WRONLY, &code);
	struct call call = CALL(.op = TREE_WRITE, .handle = h, .data = "park\n", .size = 5);
	struct err err;

	start_call(&f, &call);
	ck_assert_uint_eq(call.answers, 0);
	treq_reply(room.parked, 0, NULL);
	ck_assert_int_eq(call.result, 5);
	ck_assert_int_eq(write_at(&f, h, "and more\n", 5), 9); /* the value goes on */
	ck_assert_str_eq(room.value, "park\nand more");

	call = CALL(.op = TREE_WRITE, .handle = h, .data = "park\n", .size = 5);
	start_call(&f, &call);
	treq_reply(room.parked, err_set(&err, EBUSY, "not now"), &err);
	ck_assert_int_eq(call.result, -EBUSY);
	ck_assert_str_eq(call.req.err.msg, "not now");
	tree_release(h);
}
END_TEST

START_TEST(a_value_is_bounded)
{
	int code;
	struct handle *h = open_path(&f, "/value", O_WRONLY, &code);
	char *big = mem_zalloc(70 * 1024, 1);

	memset(big, 'x', 70 * 1024 - 1);
	ck_assert_int_eq(write_at(&f, h, big, 0), -EFBIG);
	free(big);
	ck_assert_int_eq(flush(&f, h), 0);
	ck_assert_uint_eq(room.sets, 0);
	tree_release(h);
}
END_TEST

START_TEST(verbs_are_taken_line_by_line)
{
	int code;
	struct handle *h = open_path(&f, "/ctl", O_WRONLY, &code);

	ck_assert_int_eq(write_at(&f, h, "start\nbad\n", 0), 6);
	ck_assert_int_eq(write_at(&f, h, "bad\n", 6), -EINVAL);
	ck_assert_int_eq(write_at(&f, h, "st", 0), 2);
	ck_assert_int_eq(write_at(&f, h, "op\n", 2), 3);
	ck_assert_int_eq(write_at(&f, h, "last", 2), 4);
	ck_assert_int_eq(flush(&f, h), 0);
	tree_release(h);
	ck_assert_str_eq(room.verbs, "start;stop;last;");
}
END_TEST

START_TEST(what_is_written_whole_may_be_truncated)
{
	struct call call =
		CALL(.op = TREE_SETATTR, .set = TREE_SET_SIZE, .node = walk(&f, "/value"));

	ck_assert_int_eq(run_call(&f, &call), 0);
	node_unref(call.req.node, 1);
	ck_assert_uint_eq(room.sets, 0);
	call = CALL(.op = TREE_SETATTR, .set = TREE_SET_SIZE, .node = walk(&f, "/text"));
	ck_assert_int_eq(run_call(&f, &call), -EACCES);
	node_unref(call.req.node, 1);
	ck_assert_int_eq(echo(&f, "x\n", 0, "/text"), -EACCES); /* root too */
}
END_TEST

/* ---- conversations ----------------------------------------------------------------------------
 */

START_TEST(an_rpc_answers_its_own_handle)
{
	int code;
	char text[4096];
	struct handle *a = open_path(&f, "/rpc", O_RDWR, &code);
	struct handle *b = open_path(&f, "/rpc", O_RDWR, &code);

	ck_assert_int_eq(read_at(&f, a, 0, text), 0); /* nothing asked: end of file */
	ck_assert_int_eq(write_at(&f, a, "12345\n", 0), 6);
	ck_assert_int_eq(write_at(&f, b, "1", 0), 1); /* a count of one is not a parked write */
	ck_assert_int_eq(read_at(&f, a, 6, text), 2); /* where the writes left the offset */
	ck_assert_str_eq(text, "6\n");
	ck_assert_int_eq(read_at(&f, a, 8, text), 0);
	ck_assert_int_eq(read_at(&f, b, 1, text), 2);
	ck_assert_str_eq(text, "1\n");
	tree_release(a);
	tree_release(b);
}
END_TEST

START_TEST(a_parked_write_is_answered_once)
{
	int code;
	struct handle *h = open_path(&f, "/rpc", O_RDWR, &code);
	struct call call = CALL(.op = TREE_WRITE, .handle = h, .data = "p", .size = 1);

	start_call(&f, &call);
	ck_assert_uint_eq(call.answers, 0);
	tree_cancel(&call.req); /* no cancel was named: an emit is never interrupted */
	ck_assert_uint_eq(call.answers, 0);
	treq_reply(room.parked, 1, NULL);
	ck_assert_uint_eq(call.answers, 1);
	ck_assert_int_eq(call.result, 1);
	tree_release(h);
}
END_TEST

START_TEST(a_read_may_wait_for_its_answer)
{
	int code;
	struct handle *h = open_path(&f, "/later", O_RDWR, &code);
	struct call call = CALL(.op = TREE_READ, .handle = h, .size = 100);

	ck_assert_int_eq(write_at(&f, h, "question\n", 0), 9);
	ck_assert_uint_eq(handle_poll(h) & POLLIN, 0);
	start_call(&f, &call);
	ck_assert_uint_eq(call.answers, 0);
	handle_push(room.stream, "answer\n", 7);
	ck_assert_int_eq(call.result, 7);
	sbuf_fini(&call.req.out);
	call = CALL(.op = TREE_READ, .handle = h, .size = 100);
	ck_assert_int_eq(run_call(&f, &call), 0);
	tree_release(h);
}
END_TEST

static void
count_ready(void *arg)
{
	++*(unsigned *)arg;
}

START_TEST(a_stream_holds_reads_until_there_is_something)
{
	int code;
	unsigned ready = 0;
	char text[4096];
	struct handle *h = open_path(&f, "/stream", O_RDONLY, &code);
	struct call a = CALL(.op = TREE_READ, .handle = h, .size = 4);
	struct call b = CALL(.op = TREE_READ, .handle = h, .size = 100);

	ck_assert(handle_is_stream(h));
	ck_assert_uint_eq(handle_poll(h) & POLLIN, 0);
	handle_on_ready(h, count_ready, &ready);
	start_call(&f, &a);
	start_call(&f, &b);
	ck_assert_uint_eq(a.answers + b.answers, 0);
	handle_push(h, "hello\n", 6);
	ck_assert_int_eq(a.result, 4);
	ck_assert_int_eq(b.result, 7); /* the rest, and what the room pushed when it was drained */
	ck_assert_str_eq(sbuf_str(&b.req.out), "o\nmore\n");
	ck_assert_uint_eq(ready, 0); /* all was read */
	handle_push(h, "x", 1);
	ck_assert_uint_eq(ready, 1);
	ck_assert_uint_eq(handle_poll(h) & POLLIN, POLLIN);
	handle_push(h, "y", 1);
	ck_assert_uint_eq(ready, 1); /* once */
	ck_assert_int_eq(read_at(&f, h, 0, text), 2);
	handle_eof(h);
	ck_assert_int_eq(read_at(&f, h, 0, text), 0);
	sbuf_fini(&a.req.out);
	sbuf_fini(&b.req.out);
	tree_release(h);
}
END_TEST

START_TEST(a_held_read_can_be_given_up)
{
	int code;
	char text[4096];
	struct handle *h = open_path(&f, "/stream", O_RDONLY, &code);
	struct call a = CALL(.op = TREE_READ, .handle = h, .size = 10), b = a;

	start_call(&f, &a);
	start_call(&f, &b);
	tree_cancel(&a.req);
	ck_assert_int_eq(a.result, -EINTR);
	ck_assert_uint_eq(b.answers, 0);
	tree_release(h); /* nobody is left without an answer */
	ck_assert_int_eq(b.result, -ECANCELED);
	h = open_path(&f, "/stream", O_RDONLY | O_NONBLOCK, &code);
	ck_assert_int_eq(read_at(&f, h, 0, text), -EAGAIN);
	tree_release(h);
	ck_assert_ptr_null(open_path(&f, "/stream", O_RDWR, &code));
	ck_assert_int_eq(code, -EACCES);
}
END_TEST

/* ---- permissions ------------------------------------------------------------------------------
 */

static int
as(uid_t uid, gid_t gid, struct call *call)
{
	call->req.cred = (struct tree_cred){.uid = uid, .gid = gid};
	return run_call(&f, call);
}

static int
open_as(uid_t uid, const char *path, int flags)
{
	struct call call = CALL(.op = TREE_OPEN, .node = walk(&f, path), .flags = flags);
	int code = as(uid, uid, &call);

	node_unref(call.req.node, 1);
	if (code == 0)
		tree_release(call.req.handle);
	return code;
}

#define STRANGER 54321

START_TEST(strangers_are_kept_out)
{
	struct call call = CALL(.op = TREE_LOOKUP, .node = walk(&f, "/private"), .name = "text");

	ck_assert_int_eq(open_as(STRANGER, "/value", O_RDONLY), 0);
	ck_assert_int_eq(open_as(STRANGER, "/value", O_WRONLY), -EACCES);
	ck_assert_int_eq(open_as(STRANGER, "/value", O_RDONLY | O_TRUNC), -EACCES);
	ck_assert_int_eq(open_as(STRANGER, "/rpc", O_RDWR), 0);
	ck_assert_int_eq(as(STRANGER, STRANGER, &call), -EACCES);
	ck_assert_ptr_nonnull(strstr(call.req.err.msg, "/private"));
	call = CALL(.op = TREE_OPENDIR, .node = call.req.node);
	ck_assert_int_eq(as(STRANGER, STRANGER, &call), -EACCES);
	node_unref(call.req.node, 1);
}
END_TEST

struct saved {
	char path[64];
	int mode;
	int64_t uid, gid;
	unsigned count;
};

static void
save_perm(void *arg, const char *path, int mode, int64_t uid, int64_t gid)
{
	struct saved *saved = arg;

	(void)snprintf(saved->path, sizeof(saved->path), "%s", path);
	saved->mode = mode;
	saved->uid = uid;
	saved->gid = gid;
	saved->count++;
}

static int
setattr_as(uid_t uid, const char *path, int set, mode_t mode, uid_t owner)
{
	struct call call = CALL(.op = TREE_SETATTR, .node = walk(&f, path), .set = set,
		.attr.st_mode = mode, .attr.st_uid = owner);
	int code = as(uid, uid, &call);

	if (code == 0 && (set & TREE_SET_MODE))
		ck_assert_uint_eq(call.req.attr.st_mode & 07777, mode);
	node_unref(call.req.node, 1);
	return code;
}

START_TEST(chmod_and_chown_are_kept_and_enforced)
{
	struct saved saved = {0};

	tree_on_perm(f.tree, save_perm, &saved);
	ck_assert_int_eq(setattr_as(STRANGER, "/value", TREE_SET_MODE, 0666, 0), -EPERM);
	ck_assert_int_eq(setattr_as(0, "/value", TREE_SET_MODE, 0600, 0), 0);
	ck_assert_str_eq(saved.path, "/value");
	ck_assert_int_eq(saved.mode, 0600);
	ck_assert_int_eq(saved.uid, -1);
	ck_assert_int_eq(open_as(STRANGER, "/value", O_RDONLY), -EACCES);
	ck_assert_int_eq(setattr_as(0, "/value", TREE_SET_UID, 0, STRANGER), 0);
	ck_assert_int_eq(saved.mode, 0600);
	ck_assert_int_eq(saved.uid, STRANGER);
	ck_assert_int_eq(open_as(STRANGER, "/value", O_RDWR), 0);
	ck_assert_int_eq(setattr_as(STRANGER, "/value", TREE_SET_UID, 0, 0), -EPERM);
	ck_assert_int_eq(setattr_as(STRANGER, "/value", TREE_SET_MODE, 0666, 0), 0);
	ck_assert_uint_eq(saved.count, 3);
}
END_TEST

START_TEST(kept_permissions_come_back)
{
	struct saved saved = {0};

	tree_load_perm(f.tree, "/private", 0755, -1, -1);
	tree_load_perm(f.tree, "/private/text", 0400, STRANGER, -1);
	ck_assert_int_eq(open_as(STRANGER, "/private/text", O_RDONLY), 0);
	ck_assert_int_eq(open_as(STRANGER + 1, "/private/text", O_RDONLY), -EACCES);
	tree_on_perm(f.tree, save_perm, &saved);
	tree_removed(f.tree, "/", "private"); /* with all that is below */
	ck_assert_uint_eq(saved.count, 2);
	ck_assert_int_eq(saved.mode, -1);
	ck_assert_int_eq(open_as(STRANGER, "/private/text", O_RDONLY), 0); /* 0444 again */
}
END_TEST

START_TEST(what_passes_keeps_no_permissions)
{
	ck_assert_int_eq(setattr_as(0, "/things/one", TREE_SET_MODE, 0700, 0), -EPERM);
	ck_assert_int_eq(setattr_as(0, "/things/one/name", TREE_SET_MODE, 0400, 0), -EPERM);
	ck_assert_int_eq(setattr_as(0, "/.help", TREE_SET_MODE, 0400, 0), -EPERM);
}
END_TEST

/* ---- names ------------------------------------------------------------------------------------
 */

static int
name_op(enum tree_op op, const char *path, const char *name)
{
	struct call call = CALL(.op = op, .node = walk(&f, path), .node2 = walk(&f, path),
		.name = name, .name2 = "x", .mode = 0644);
	int code = run_call(&f, &call);

	node_unref(call.req.node, 1);
	node_unref(call.req.node2, 1);
	return code;
}

START_TEST(names_are_checked)
{
	char longest[300];

	memset(longest, 'n', sizeof(longest));
	longest[256] = '\0';
	ck_assert_int_eq(name_op(TREE_MKDIR, "/things", "a\nb"), -EINVAL);
	ck_assert_int_eq(name_op(TREE_LOOKUP, "/things", "a\x7f"), -EINVAL);
	ck_assert_int_eq(name_op(TREE_LOOKUP, "/things", ".."), -EINVAL);
	ck_assert_int_eq(name_op(TREE_LOOKUP, "/things", "a/b"), -EINVAL);
	ck_assert_int_eq(name_op(TREE_LOOKUP, "/things", longest), -ENAMETOOLONG);
	longest[255] = '\0';
	ck_assert_int_eq(name_op(TREE_LOOKUP, "/things", longest), -ENOENT);
}
END_TEST

START_TEST(directories_change_by_their_rooms_only)
{
	ck_assert_int_eq(name_op(TREE_RMDIR, "/things", "one"), 0);
	ck_assert_int_eq(name_op(TREE_UNLINK, "/things", "one"), -EPERM);
	ck_assert_int_eq(name_op(TREE_MKDIR, "/things", "x"), -EPERM);
	ck_assert_int_eq(name_op(TREE_CREATE, "/", "x"), -EPERM);
	ck_assert_int_eq(name_op(TREE_SYMLINK, "/", "y"), -EPERM);
	ck_assert_int_eq(name_op(TREE_RENAME, "/", "text"), -EPERM);
	ck_assert_int_eq(name_op(TREE_CREATE, "/text", "x"), -EPERM);
}
END_TEST

static void
note_refusal(void *arg, const struct tree_cred *cred, const char *path, const char *op,
	const struct err *err)
{
	(void)cred;
	(void)snprintf(arg, 256, "%s %s: %s", op, path, err->msg);
}

START_TEST(a_refusal_is_told_once)
{
	char told[256] = "";

	tree_on_refusal(f.tree, note_refusal, told);
	ck_assert_int_eq(echo(&f, "bad\n", 0, "/value"), -EINVAL);
	ck_assert_str_eq(told, "write /value: 'bad' is not a value");
	told[0] = '\0';
	ck_assert_ptr_null(walk(&f, "/nothing"));
	ck_assert_str_eq(told, "");
}
END_TEST

static void
note_audit(void *arg, const struct tree_change_note *note)
{
	char *told = arg;
	size_t len = strlen(told);

	(void)snprintf(told + len, 256 - len, "%s %s %d; ", note->op, note->path, -note->code);
}

START_TEST(audit_hears_of_what_changed_and_of_what_would_have)
{
	char told[256] = "", text[4096];

	tree_on_change(f.tree, note_audit, told);
	(void)cat(&f, "/text", text);
	ck_assert_ptr_null(walk(&f, "/nothing"));
	ck_assert_int_eq(echo(&f, "quiet\n", 0, "/later"), 0);
	ck_assert_str_eq(told, "");
	ck_assert_int_eq(echo(&f, "a\n", 0, "/value"), 0);
	ck_assert_int_eq(echo(&f, "b", 0, "/value"), 0); /* acts at the close */
	ck_assert_int_eq(echo(&f, "bad\n", 0, "/value"), -EINVAL);
	ck_assert_int_eq(echo(&f, "verb\n", 0, "/ctl"), 0);
	ck_assert_int_eq(echo(&f, "x", 0, "/text"), -EACCES);
	ck_assert_str_eq(told,
		"write /value 0; write /value 0; write /value 22; write /ctl 0; open /text 13; ");
}
END_TEST

static void
note_change(void *arg, struct node *node, enum tree_change what, const char *name)
{
	char *told = arg;
	size_t len = strlen(told);

	(void)snprintf(
		told + len, 256 - len, "%d:%s:%s ", (int)what, node_name(node), name ? name : "");
}

START_TEST(changes_are_told_where_somebody_looks)
{
	char told[256] = "";
	struct node *dir = walk(&f, "/things"), *node;

	tree_listen(f.tree, note_change, told);
	tree_changed(f.tree, "/things/one/name"); /* nobody has it */
	ck_assert_str_eq(told, "");
	node = walk(&f, "/things/one/name");
	tree_changed(f.tree, "/things/one/name");
	tree_added(f.tree, "/things", "four");
	tree_removed(f.tree, "/things", "one");
	ck_assert_str_eq(told, "0:name: 1:things:four 2:things:one ");
	node_unref(node, 1);
	node_unref(dir, 1);
}
END_TEST

static void
add_tests(TCase *tc)
{
	tcase_add_test(tc, a_lookup_gives_the_same_node_again);
	tcase_add_test(tc, a_fresh_node_is_found_again_when_it_was_closed);
	tcase_add_test(tc, a_fresh_row_gives_a_node_per_lookup);
	tcase_add_test(tc, a_removed_name_is_looked_up_anew);
	tcase_add_test(tc, a_cold_lookup_is_answered_later);
	tcase_add_test(tc, what_blocks_is_reachable_and_not_listed);
	tcase_add_test(tc, a_link_shows_while_it_leads_somewhere);
	tcase_add_test(tc, a_directory_is_read_on_from_any_position);
	tcase_add_test(tc, a_cold_list_is_answered_later);
	tcase_add_test(tc, every_directory_has_help);
	tcase_add_test(tc, an_open_text_does_not_change);
	tcase_add_test(tc, the_size_of_a_text_that_takes_long_is_remembered);
	tcase_add_test(tc, mtime_moves_with_the_content);
	tcase_add_test(tc, a_value_acts_in_write);
	tcase_add_test(tc, a_value_in_pieces_is_one_value);
	tcase_add_test(tc, a_value_is_read_back);
	tcase_add_test(tc, a_value_can_be_answered_later);
	tcase_add_test(tc, a_value_is_bounded);
	tcase_add_test(tc, verbs_are_taken_line_by_line);
	tcase_add_test(tc, what_is_written_whole_may_be_truncated);
	tcase_add_test(tc, an_rpc_answers_its_own_handle);
	tcase_add_test(tc, a_parked_write_is_answered_once);
	tcase_add_test(tc, a_read_may_wait_for_its_answer);
	tcase_add_test(tc, a_stream_holds_reads_until_there_is_something);
	tcase_add_test(tc, a_held_read_can_be_given_up);
	tcase_add_test(tc, strangers_are_kept_out);
	tcase_add_test(tc, chmod_and_chown_are_kept_and_enforced);
	tcase_add_test(tc, kept_permissions_come_back);
	tcase_add_test(tc, what_passes_keeps_no_permissions);
	tcase_add_test(tc, names_are_checked);
	tcase_add_test(tc, directories_change_by_their_rooms_only);
	tcase_add_test(tc, a_refusal_is_told_once);
	tcase_add_test(tc, changes_are_told_where_somebody_looks);
	tcase_add_test(tc, audit_hears_of_what_changed_and_of_what_would_have);
}

int
main(void)
{
	Suite *suite = suite_create("tree");
	TCase *tc = tcase_create("tree");

	tcase_add_checked_fixture(tc, setup, teardown);
	add_tests(tc);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
