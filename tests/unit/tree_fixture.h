/* What the tests of the tree share: a loop, a lane, and requests that are submitted and awaited. */
#ifndef SLOTH_TESTS_TREE_FIXTURE_H
#define SLOTH_TESTS_TREE_FIXTURE_H

#include "fsd/lane.h"
#include "fsd/tree/room.h"
#include "fsd/tree/rows.h"
#include "fsd/tree/tree.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

struct fixture {
	uv_loop_t loop;
	struct lane *files;
	struct tree *tree;
	uv_prepare_t alive; /* the lane does not keep the loop awake by itself */
};

static inline void
fixture_tick(uv_prepare_t *alive)
{
	(void)alive;
}

/* A request with its answer. */
struct call {
	struct treq req;
	int result;
	unsigned answers;
};

static inline void
call_done(struct treq *req, int result)
{
	struct call *call = (struct call *)req;

	call->result = result;
	call->answers++;
}

static inline void
fixture_start(struct fixture *f, const struct row *rows, unsigned count)
{
	uv_loop_init(&f->loop);
	uv_prepare_init(&f->loop, &f->alive);
	uv_prepare_start(&f->alive, fixture_tick);
	f->files = lane_start(&f->loop, "files", NULL, NULL);
	f->tree = tree_new(&f->loop, f->files, rows, count);
}

static inline void
fixture_stop(struct fixture *f)
{
	ck_assert_uint_eq(tree_outstanding(f->tree), 0);
	lane_stop(f->files);
	tree_free(f->tree);
	uv_close((uv_handle_t *)&f->alive, NULL);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&f->loop), 0);
}

/* Submit without waiting. */
static inline void
start_call(struct fixture *f, struct call *call)
{
	call->req.done = call_done;
	tree_submit(f->tree, &call->req);
}

/* Submit and wait for the answer, which comes exactly once. */
static inline int
run_call(struct fixture *f, struct call *call)
{
	start_call(f, call);
	while (call->answers == 0)
		uv_run(&f->loop, UV_RUN_ONCE);
	ck_assert_uint_eq(call->answers, 1);
	return call->result;
}

#define CALL(...)                                                                                  \
	(struct call)                                                                              \
	{                                                                                          \
		.req = { __VA_ARGS__ }                                                             \
	}

/* Walk to a path as root; NULL when it is not there.  Returns one reference. */
static inline struct node *
walk(struct fixture *f, const char *path)
{
	struct node *node = node_ref(tree_root(f->tree));
	char name[256];

	while (*path) {
		size_t len = strcspn(path += *path == '/', "/");
		struct call call = CALL(.op = TREE_LOOKUP, .node = node, .name = name);

		if (len == 0)
			break;
		memcpy(name, path, len);
		name[len] = '\0';
		path += len;
		if (run_call(f, &call) < 0) {
			node_unref(node, 1);
			return NULL;
		}
		node_unref(node, 1);
		node = call.req.ret_node;
	}
	return node;
}

/* Open as root; gives up the caller's reference to the node.  NULL with *ret_code on failure. */
static inline struct handle *
open_path(struct fixture *f, const char *path, int flags, int *ret_code)
{
	struct node *node = walk(f, path);
	struct call call = CALL(.op = TREE_OPEN, .node = node, .flags = flags);

	*ret_code = node ? run_call(f, &call) : -ENOENT;
	if (node)
		node_unref(node, 1);
	return *ret_code < 0 ? NULL : call.req.handle;
}

static inline int
write_at(struct fixture *f, struct handle *h, const char *text, off_t off)
{
	struct call call =
		CALL(.op = TREE_WRITE, .handle = h, .data = text, .size = strlen(text), .off = off);

	return run_call(f, &call);
}

static inline int
flush(struct fixture *f, struct handle *h)
{
	struct call call = CALL(.op = TREE_FLUSH, .handle = h);

	return run_call(f, &call);
}

/* Read up to 4095 bytes; returns the count and leaves a string. */
static inline int
read_at(struct fixture *f, struct handle *h, off_t off, char text[4096])
{
	struct call call = CALL(.op = TREE_READ, .handle = h, .off = off, .size = 4095);
	int n = run_call(f, &call);

	text[0] = '\0';
	if (n > 0) {
		ck_assert_uint_eq(call.req.out.len, (size_t)n);
		memcpy(text, call.req.out.data, (size_t)n);
		text[n] = '\0';
	}
	sbuf_fini(&call.req.out);
	return n;
}

/* What a fresh open of a path gives; returns the count or -errno. */
static inline int
cat(struct fixture *f, const char *path, char text[4096])
{
	int code;
	struct handle *h = open_path(f, path, O_RDONLY, &code);

	text[0] = '\0';
	if (!h)
		return code;
	code = read_at(f, h, 0, text);
	tree_release(h);
	return code;
}

/* open, write, flush, release, as a shell's echo does. */
static inline int
echo(struct fixture *f, const char *text, int flags, const char *path)
{
	int code, close_code;
	struct handle *h = open_path(f, path, O_WRONLY | flags, &code);

	if (!h)
		return code;
	code = write_at(f, h, text, 0);
	close_code = flush(f, h);
	tree_release(h);
	return code < 0 ? code : close_code;
}

struct listing {
	char names[4096]; /* separated by blanks */
	unsigned count, limit;
	uint64_t cookie;
};

static inline bool
listing_entry(void *arg, const char *name, uint64_t ino, unsigned char type, uint64_t cookie)
{
	struct listing *list = arg;
	size_t len = strlen(list->names);

	(void)type;
	if (list->limit && list->count == list->limit)
		return false;
	ck_assert_uint_ne(ino, 0);
	ck_assert_uint_ne(cookie, list->cookie);
	(void)snprintf(list->names + len, sizeof(list->names) - len, "%s%s", len ? " " : "", name);
	list->cookie = cookie;
	list->count++;
	return true;
}

/* List a directory from a position on. */
static inline int
list_path(struct fixture *f, const char *path, uint64_t cookie, struct listing *list)
{
	struct node *node = walk(f, path);
	struct call open_call = CALL(.op = TREE_OPENDIR, .node = node);
	int code;

	if (!node)
		return -ENOENT;
	code = run_call(f, &open_call);
	node_unref(node, 1);
	if (code == 0) {
		struct call call = CALL(.op = TREE_READDIR, .handle = open_call.req.handle,
			.off = (off_t)cookie, .entry = listing_entry, .arg = list);

		code = run_call(f, &call);
		tree_release(open_call.req.handle);
	}
	return code;
}

#endif
