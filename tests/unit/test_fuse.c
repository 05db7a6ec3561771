/* The FUSE door without a mount: the session is on one end of a socketpair, the test speaks the
 * kernel's protocol on the other.  The rows below are the tree; what the kernel would see is
 * checked: ids, sizes, offsets, flags, errors, and that each request gets one reply. */
#include "fsd/doors/fuse.h"

#include "tests/unit/suite.h"
#include "tests/unit/tree_fixture.h"

#include <linux/fuse.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define COUNT(a)   (sizeof(a) / sizeof((a)[0]))
#define NUMBERS    3000 /* names in /numbers */
#define NAMES_MAX  8    /* the kernel need remember */
#define PACKET_MAX (256 * 1024)

/* ---- a tree --------------------------------------------------------------------------------- */

static int
read_greeting(struct node *node, struct sbuf *out, struct err *err)
{
	(void)node, (void)err;
	sbuf_adds(out, "hello, world\n");
	return 0;
}

static int
read_target(struct node *node, struct sbuf *out, struct err *err)
{
	(void)node, (void)err;
	sbuf_adds(out, "greeting");
	return 0;
}

static int
set_value(struct node *node, const char *text, size_t len, struct treq *req, struct err *err)
{
	(void)node, (void)len, (void)req;
	return strcmp(text, "1") == 0 ? 0 : err_set(err, EINVAL, "only 1");
}

static int
echo_write(struct handle *h, const char *data, size_t len, struct treq *req, struct err *err)
{
	(void)req, (void)err;
	handle_push(h, data, len);
	return (int)len;
}

static const struct rpc_ops echo_ops = {.write = echo_write};

/* The stream's one open handle: the test is its producer. */
static struct handle *stream_handle;

static int
stream_open(struct handle *h, struct err *err)
{
	(void)err;
	stream_handle = h;
	return 0;
}

static void
stream_release(struct handle *h)
{
	ck_assert_ptr_eq(h, stream_handle);
	stream_handle = NULL;
}

static const struct stream_ops stream_ops = {.open = stream_open, .release = stream_release};

static int
number_lookup(struct node *parent, const char *name, struct treq *req, void **ret_obj,
	uint64_t *ret_ino, struct err *err)
{
	(void)parent, (void)req, (void)err, (void)ret_obj;
	*ret_ino = strtoul(name, NULL, 10);
	return *ret_ino >= 1 && *ret_ino <= NUMBERS ? 0 : -ENOENT;
}

static int
number_list(struct node *parent, uint64_t cookie, struct treq *req, entry_fn *entry, void *arg,
	struct err *err)
{
	(void)parent, (void)req, (void)err;
	for (; cookie < NUMBERS; cookie++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "%u", (unsigned)cookie + 1);
		if (!entry(arg, name, cookie + 1, cookie + 1))
			break;
	}
	return 0;
}

static const struct node_set numbers = {.lookup = number_lookup, .list = number_list};

static const struct row rows[] = {
	{.path = "/",
		.name = "",
		.room = "test",
		.kind = ROW_DIR,
		.mode = 0755,
		.first_child = 1,
		.child_count = 6},
	{.path = "/greeting",
		.name = "greeting",
		.room = "test",
		.kind = ROW_TEXT,
		.mode = 0444,
		.read.text = read_greeting},
	{.path = "/knob",
		.name = "knob",
		.room = "test",
		.kind = ROW_VALUE,
		.mode = 0644,
		.read.text = read_greeting,
		.write.set = set_value},
	{.path = "/echo",
		.name = "echo",
		.room = "test",
		.kind = ROW_RPC,
		.mode = 0660,
		.flags = ROW_FRESH,
		.read.rpc = &echo_ops},
	{.path = "/stream",
		.name = "stream",
		.room = "test",
		.kind = ROW_STREAM,
		.mode = 0444,
		.flags = ROW_UNLISTED,
		.read.stream = &stream_ops},
	{.path = "/link",
		.name = "link",
		.room = "test",
		.kind = ROW_LINK,
		.mode = 0777,
		.read.text = read_target},
	{.path = "/numbers",
		.name = "numbers",
		.room = "test",
		.kind = ROW_DIR,
		.mode = 0755,
		.first_child = 7,
		.child_count = 1},
	{.path = "/numbers/{n}",
		.name = "n",
		.room = "test",
		.kind = ROW_TEXT,
		.mode = 0444,
		.parent = 6,
		.flags = ROW_PARAM,
		.set = &numbers,
		.read.text = read_greeting},
};

/* ---- a kernel ------------------------------------------------------------------------------- */

struct kernel {
	struct fixture tree;
	struct fuse_door *door;
	int fd;
	uint64_t unique; /* of the last request */
	uint64_t replies;
	uint64_t told, heard; /* notifications received, and expected so far */
	int news;             /* what the last one was, and said */
	_Alignas(8) char news_body[512];
	bool is_ready, is_closed;
	struct fuse_out_header head;
	char body[PACKET_MAX];
	size_t len; /* of body */
};

static struct kernel k;

static void
on_ready(void *arg)
{
	((struct kernel *)arg)->is_ready = true;
}

static void
on_closed(void *arg)
{
	((struct kernel *)arg)->is_closed = true;
}

/* Take one packet when there is one. */
static bool
take_packet(void)
{
	struct iovec iov[] = {{&k.head, sizeof(k.head)}, {k.body, sizeof(k.body)}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	ssize_t n = recvmsg(k.fd, &msg, MSG_DONTWAIT);

	if (n < 0)
		return false;
	ck_assert_uint_eq((size_t)n, k.head.len);
	k.len = (size_t)n - sizeof(k.head);
	return true;
}

/* Take one reply when there is one; a notification is kept. */
static bool
take_reply(void)
{
	while (take_packet()) {
		if (k.head.unique) {
			k.replies++;
			return true;
		}
		k.told++;
		k.news = k.head.error;
		memcpy(k.news_body, k.body,
			k.len < sizeof(k.news_body) ? k.len : sizeof(k.news_body));
	}
	return false;
}

/* Send a request; head.unique is chosen here. */
static uint64_t
post(uint32_t opcode, uint64_t node, const void *arg, size_t len, const void *tail, size_t tail_len)
{
	struct fuse_in_header head = {
		.opcode = opcode, .nodeid = node, .unique = ++k.unique, .pid = 1};
	struct iovec iov[] = {{&head, sizeof(head)}, {(void *)arg, len}, {(void *)tail, tail_len}};

	head.len = (uint32_t)(sizeof(head) + len + tail_len);
	ck_assert_int_eq(writev(k.fd, iov, 3), head.len);
	return head.unique;
}

/* Serve until the request is answered; returns its error, 0 or negative. */
static int
wait_reply(uint64_t unique)
{
	while (!take_reply())
		uv_run(&k.tree.loop, UV_RUN_ONCE);
	ck_assert_uint_eq(k.head.unique, unique);
	return k.head.error;
}

static int
ask(uint32_t opcode, uint64_t node, const void *arg, size_t len, const char *name)
{
	return wait_reply(post(opcode, node, arg, len, name, name ? strlen(name) + 1 : 0));
}

/* Serve what was posted; nothing may be answered. */
static void
expect_silence(void)
{
	while (uv_run(&k.tree.loop, UV_RUN_NOWAIT) && poll(&(struct pollfd){.fd = k.fd}, 1, 0) < 0)
		continue;
	for (int i = 0; i < 3; i++)
		uv_run(&k.tree.loop, UV_RUN_NOWAIT);
	ck_assert(!take_reply());
}

static void
setup(void)
{
	struct fuse_init_in init = {.major = FUSE_KERNEL_VERSION,
		.minor = 31,
		.max_readahead = 128 * 1024,
		.flags = FUSE_ATOMIC_O_TRUNC | FUSE_WRITEBACK_CACHE | FUSE_DO_READDIRPLUS |
			 FUSE_PARALLEL_DIROPS | FUSE_AUTO_INVAL_DATA | FUSE_BIG_WRITES |
			 FUSE_MAX_PAGES};
	struct err err = {0};
	int fds[2];

	memset(&k, 0, sizeof(k));
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	ck_assert_int_eq(
		setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &(int){PACKET_MAX}, sizeof(int)), 0);
	ck_assert_int_eq(
		setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &(int){PACKET_MAX}, sizeof(int)), 0);
	k.fd = fds[0];
	fixture_start(&k.tree, rows, COUNT(rows));
	ck_assert_msg(fuse_door_attach(&(struct fuse_options){.loop = &k.tree.loop,
					       .tree = k.tree.tree,
					       .names_max = NAMES_MAX,
					       .ready = on_ready,
					       .arg = &k},
			      fds[1], &k.door, &err) == 0,
		"%s", err.msg);
	ck_assert(!k.is_ready);
	ck_assert_int_eq(ask(FUSE_INIT, 0, &init, sizeof(init), NULL), 0);
	ck_assert(k.is_ready);
}

static void
teardown(void)
{
	struct fuse_figures figures;

	fuse_door_figures(k.door, &figures);
	ck_assert_uint_eq(figures.requests, figures.replies);
	ck_assert_uint_eq(figures.parked, 0);
	ck_assert_uint_eq(figures.replies + 1, k.replies); /* libfuse answers INIT itself */
	fuse_door_close(k.door, on_closed, &k);
	while (!k.is_closed)
		uv_run(&k.tree.loop, UV_RUN_ONCE);
	(void)close(k.fd);
	ck_assert_ptr_null(stream_handle);
	fixture_stop(&k.tree);
}

/* ---- requests ------------------------------------------------------------------------------- */

static const struct fuse_entry_out *
lookup(uint64_t parent, const char *name)
{
	ck_assert_int_eq(ask(FUSE_LOOKUP, parent, NULL, 0, name), 0);
	ck_assert_uint_eq(k.len, sizeof(struct fuse_entry_out));
	return (const struct fuse_entry_out *)k.body;
}

static void
forget(uint64_t node, uint64_t count)
{
	struct fuse_forget_in in = {.nlookup = count};

	(void)post(FUSE_FORGET, node, &in, sizeof(in), NULL, 0);
	expect_silence();
}

static struct fuse_open_out
open_node(uint64_t node, uint32_t flags)
{
	struct fuse_open_in in = {.flags = flags};

	ck_assert_int_eq(ask(FUSE_OPEN, node, &in, sizeof(in), NULL), 0);
	return *(const struct fuse_open_out *)k.body;
}

static uint64_t
post_read(uint64_t node, uint64_t fh, uint64_t off, uint32_t size)
{
	struct fuse_read_in in = {.fh = fh, .offset = off, .size = size};

	return post(FUSE_READ, node, &in, sizeof(in), NULL, 0);
}

static void
expect_read(uint64_t node, uint64_t fh, uint64_t off, uint32_t size, const char *text)
{
	ck_assert_int_eq(wait_reply(post_read(node, fh, off, size)), 0);
	ck_assert_uint_eq(k.len, strlen(text));
	ck_assert_mem_eq(k.body, text, k.len);
}

static int
write_text(uint64_t node, uint64_t fh, const char *text)
{
	struct fuse_write_in in = {.fh = fh, .size = (uint32_t)strlen(text)};

	return wait_reply(post(FUSE_WRITE, node, &in, sizeof(in), text, strlen(text)));
}

static void
release(uint64_t node, uint64_t fh)
{
	struct fuse_release_in in = {.fh = fh};

	ck_assert_int_eq(ask(FUSE_RELEASE, node, &in, sizeof(in), NULL), 0);
}

/* The next word to the kernel is this; another thread says it, so the loop may have nothing to do.
 */
static void
expect_told(int what)
{
	k.heard++;
	while (k.told < k.heard) {
		ck_assert_int_ge(poll(&(struct pollfd){.fd = k.fd, .events = POLLIN}, 1, 5000), 0);
		ck_assert(!take_reply());
	}
	ck_assert_uint_eq(k.told, k.heard);
	ck_assert_int_eq(k.news, what);
}

/* ---- tests ---------------------------------------------------------------------------------- */

START_TEST(test_init_says_how_we_work)
{
	const struct fuse_init_out *out = (const struct fuse_init_out *)k.body;

	ck_assert_uint_eq(out->max_write, 128 * 1024);
	ck_assert(out->flags & FUSE_ATOMIC_O_TRUNC);
	ck_assert(out->flags & FUSE_PARALLEL_DIROPS);
	ck_assert(out->flags & FUSE_AUTO_INVAL_DATA);
	ck_assert(!(out->flags & FUSE_WRITEBACK_CACHE));
	ck_assert(!(out->flags & FUSE_DO_READDIRPLUS));
}
END_TEST

START_TEST(test_a_file_has_its_exact_size)
{
	struct fuse_entry_out entry = *lookup(FUSE_ROOT_ID, "greeting");
	struct fuse_getattr_in in = {0};
	const struct fuse_attr_out *attr = (const struct fuse_attr_out *)k.body;
	struct fuse_open_out file;

	ck_assert_uint_eq(entry.attr.size, 13);
	ck_assert_uint_eq(entry.attr.mode, S_IFREG | 0444);
	ck_assert_uint_eq(entry.entry_valid + entry.attr_valid, 0);
	ck_assert_int_eq(ask(FUSE_GETATTR, entry.nodeid, &in, sizeof(in), NULL), 0);
	ck_assert_uint_eq(attr->attr.size, 13);
	ck_assert_uint_eq(attr->attr.ino, entry.attr.ino);
	file = open_node(entry.nodeid, O_RDONLY);
	ck_assert(file.open_flags & FOPEN_DIRECT_IO);
	ck_assert(!(file.open_flags & FOPEN_NONSEEKABLE));
	expect_read(entry.nodeid, file.fh, 0, 4096, "hello, world\n");
	expect_read(entry.nodeid, file.fh, 7, 5, "world");
	expect_read(entry.nodeid, file.fh, 13, 4096, "");
	release(entry.nodeid, file.fh);
	forget(entry.nodeid, 1);
}
END_TEST

START_TEST(test_a_node_keeps_its_id_while_it_is_known)
{
	uint64_t first = lookup(FUSE_ROOT_ID, "greeting")->nodeid;
	struct fuse_batch_forget_in batch = {.count = 2};
	struct fuse_forget_one ones[2];
	uint64_t numbers_id;

	ck_assert_uint_eq(lookup(FUSE_ROOT_ID, "greeting")->nodeid, first);
	forget(first, 1);
	ck_assert_uint_eq(lookup(FUSE_ROOT_ID, "greeting")->nodeid, first);
	numbers_id = lookup(FUSE_ROOT_ID, "numbers")->nodeid;
	ones[0] = (struct fuse_forget_one){.nodeid = first, .nlookup = 2};
	ones[1] = (struct fuse_forget_one){.nodeid = numbers_id, .nlookup = 1};
	(void)post(FUSE_BATCH_FORGET, 0, &batch, sizeof(batch), ones, sizeof(ones));
	expect_silence();
}
END_TEST

START_TEST(test_a_fresh_node_has_a_new_id_and_the_same_inode)
{
	struct fuse_entry_out one = *lookup(FUSE_ROOT_ID, "echo");
	struct fuse_entry_out two = *lookup(FUSE_ROOT_ID, "echo");

	ck_assert_uint_ne(one.nodeid, two.nodeid);
	ck_assert_uint_eq(one.attr.ino, two.attr.ino);
	ck_assert_uint_eq(one.entry_valid + one.entry_valid_nsec, 0);
	forget(one.nodeid, 1);
	forget(two.nodeid, 1);
}
END_TEST

/* Look up one of /numbers; returns its id. */
static uint64_t
lookup_number(uint64_t numbers_id, int n)
{
	char name[16];

	(void)snprintf(name, sizeof(name), "%d", n);
	return lookup(numbers_id, name)->nodeid;
}

START_TEST(test_the_oldest_of_too_many_names_is_taken_back)
{
	const struct fuse_notify_inval_entry_out *out = (const void *)k.news_body;
	uint64_t numbers_id = lookup(FUSE_ROOT_ID, "numbers")->nodeid, ids[NAMES_MAX + 1];
	struct fuse_figures figures;

	for (int n = 0; n < NAMES_MAX; n++)
		ids[n] = lookup_number(numbers_id, n + 1);
	ck_assert_uint_eq(lookup_number(numbers_id, 1), ids[0]);
	expect_silence();
	ids[NAMES_MAX] = lookup_number(numbers_id, NAMES_MAX + 1);
	expect_told(FUSE_NOTIFY_INVAL_ENTRY);
	ck_assert_uint_eq(out->parent, numbers_id);
	ck_assert_str_eq(k.news_body + sizeof(*out), "2");
	/* in use, it is not forgotten, and is the same when it is looked up again */
	ck_assert_uint_eq(lookup_number(numbers_id, 2), ids[1]);
	expect_told(FUSE_NOTIFY_INVAL_ENTRY);
	ck_assert_str_eq(k.news_body + sizeof(*out), "3");
	forget(ids[2], 1);
	fuse_door_figures(k.door, &figures);
	ck_assert_uint_eq(
		figures.nodes, 2 + NAMES_MAX); /* the root and its directory beside them */
}
END_TEST

START_TEST(test_directories_that_stay_are_cached)
{
	struct fuse_entry_out dir = *lookup(FUSE_ROOT_ID, "numbers");
	struct fuse_entry_out file = *lookup(dir.nodeid, "7");

	ck_assert_uint_ge(dir.entry_valid, 60);
	ck_assert_uint_eq(dir.attr_valid, 1);
	ck_assert_uint_eq(file.entry_valid + file.attr_valid, 0);
}
END_TEST

START_TEST(test_a_conversation)
{
	uint64_t node = lookup(FUSE_ROOT_ID, "echo")->nodeid;
	struct fuse_open_out file = open_node(node, O_RDWR);

	ck_assert(file.open_flags & FOPEN_NONSEEKABLE);
	ck_assert_int_eq(write_text(node, file.fh, "ping\n"), 0);
	ck_assert_uint_eq(((const struct fuse_write_out *)k.body)->size, 5);
	expect_read(node, file.fh, 5, 4096, "ping\n");
	release(node, file.fh);
}
END_TEST

START_TEST(test_a_bad_value_is_the_writes_error)
{
	uint64_t node = lookup(FUSE_ROOT_ID, "knob")->nodeid;
	struct fuse_open_out file = open_node(node, O_WRONLY | O_TRUNC);

	ck_assert_int_eq(write_text(node, file.fh, "2\n"), -EINVAL);
	ck_assert_int_eq(write_text(node, file.fh, "1\n"), 0);
	release(node, file.fh);
}
END_TEST

START_TEST(test_a_held_read_waits_for_data)
{
	uint64_t node = lookup(FUSE_ROOT_ID, "stream")->nodeid;
	struct fuse_open_out file = open_node(node, O_RDONLY);
	struct fuse_figures figures;
	uint64_t read = post_read(node, file.fh, 0, 4096);

	expect_silence();
	fuse_door_figures(k.door, &figures);
	ck_assert_uint_eq(figures.parked, 1);
	handle_push(stream_handle, "news\n", 5);
	ck_assert_int_eq(wait_reply(read), 0);
	ck_assert_uint_eq(k.len, 5);
	release(node, file.fh);
}
END_TEST

START_TEST(test_an_interrupt_ends_a_held_read)
{
	uint64_t node = lookup(FUSE_ROOT_ID, "stream")->nodeid;
	struct fuse_open_out file = open_node(node, O_RDONLY);
	uint64_t read = post_read(node, file.fh, 0, 4096);
	struct fuse_interrupt_in in = {.unique = read};

	expect_silence();
	(void)post(FUSE_INTERRUPT, 0, &in, sizeof(in), NULL, 0);
	ck_assert_int_eq(wait_reply(read), -EINTR);
	release(node, file.fh);
}
END_TEST

START_TEST(test_an_interrupt_before_its_request)
{
	uint64_t node = lookup(FUSE_ROOT_ID, "stream")->nodeid;
	struct fuse_open_out file = open_node(node, O_RDONLY);
	struct fuse_interrupt_in in = {.unique = k.unique + 2};
	uint64_t read;

	(void)post(FUSE_INTERRUPT, 0, &in, sizeof(in), NULL, 0);
	expect_silence();
	read = post_read(node, file.fh, 0, 4096);
	ck_assert_int_eq(wait_reply(read), -EINTR);
	release(node, file.fh);
}
END_TEST

START_TEST(test_a_read_that_may_not_wait)
{
	uint64_t node = lookup(FUSE_ROOT_ID, "stream")->nodeid;
	struct fuse_open_out file = open_node(node, O_RDONLY | O_NONBLOCK);
	struct fuse_read_in in = {.fh = file.fh, .size = 4096, .flags = O_NONBLOCK};

	ck_assert_int_eq(ask(FUSE_READ, node, &in, sizeof(in), NULL), -EAGAIN);
	handle_push(stream_handle, "x", 1);
	ck_assert_int_eq(ask(FUSE_READ, node, &in, sizeof(in), NULL), 0);
	ck_assert_uint_eq(k.len, 1);
	release(node, file.fh);
}
END_TEST

START_TEST(test_poll_is_told_when_there_is_news)
{
	uint64_t node = lookup(FUSE_ROOT_ID, "stream")->nodeid;
	struct fuse_open_out file = open_node(node, O_RDONLY);
	struct fuse_poll_in in = {
		.fh = file.fh, .kh = 77, .flags = FUSE_POLL_SCHEDULE_NOTIFY, .events = POLLIN};
	const struct fuse_notify_poll_wakeup_out *wakeup = (const void *)k.news_body;

	ck_assert_int_eq(ask(FUSE_POLL, node, &in, sizeof(in), NULL), 0);
	ck_assert_uint_eq(((const struct fuse_poll_out *)k.body)->revents & POLLIN, 0);
	handle_push(stream_handle, "x", 1);
	expect_told(FUSE_NOTIFY_POLL);
	ck_assert_uint_eq(wakeup->kh, 77);
	ck_assert_int_eq(ask(FUSE_POLL, node, &in, sizeof(in), NULL), 0);
	ck_assert_uint_eq(((const struct fuse_poll_out *)k.body)->revents & POLLIN, POLLIN);
	release(node, file.fh);
}
END_TEST

/* List a directory in reads of size bytes: "name name ..." and the number of reads. */
static unsigned
list(uint64_t node, uint32_t size, struct sbuf *names)
{
	struct fuse_open_in open_in = {0};
	struct fuse_read_in in = {.size = size};
	unsigned reads = 0;

	ck_assert_int_eq(ask(FUSE_OPENDIR, node, &open_in, sizeof(open_in), NULL), 0);
	in.fh = ((const struct fuse_open_out *)k.body)->fh;
	for (;; reads++) {
		ck_assert_int_eq(ask(FUSE_READDIR, node, &in, sizeof(in), NULL), 0);
		if (k.len == 0)
			break;
		for (size_t at = 0; at < k.len;) {
			const struct fuse_dirent *entry = (const void *)(k.body + at);

			sbuf_printf(names, "%.*s ", (int)entry->namelen, entry->name);
			in.offset = entry->off;
			at += FUSE_DIRENT_SIZE(entry);
		}
	}
	ck_assert_int_eq(ask(FUSE_RELEASEDIR, node, &(struct fuse_release_in){.fh = in.fh},
				 sizeof(struct fuse_release_in), NULL),
		0);
	return reads;
}

START_TEST(test_unlisted_names_are_not_listed)
{
	struct sbuf names = {0};

	list(FUSE_ROOT_ID, 4096, &names);
	ck_assert_str_eq(sbuf_str(&names), ". .. greeting knob echo link numbers ");
	sbuf_fini(&names);
}
END_TEST

START_TEST(test_a_large_directory_is_read_by_cursor)
{
	uint64_t node = lookup(FUSE_ROOT_ID, "numbers")->nodeid;
	struct sbuf names = {0}, expected = {0};

	sbuf_adds(&expected, ". .. ");
	for (int i = 1; i <= NUMBERS; i++)
		sbuf_printf(&expected, "%d ", i);
	ck_assert_uint_gt(list(node, 4096, &names), 10);
	ck_assert_str_eq(sbuf_str(&names), sbuf_str(&expected));
	sbuf_reset(&names);
	list(node, 32, &names); /* one entry a read: also between the dots */
	ck_assert_str_eq(sbuf_str(&names), sbuf_str(&expected));
	sbuf_fini(&names);
	sbuf_fini(&expected);
}
END_TEST

START_TEST(test_what_is_refused)
{
	struct fuse_link_in link_in = {.oldnodeid = lookup(FUSE_ROOT_ID, "greeting")->nodeid};
	struct fuse_mknod_in mknod_in = {.mode = S_IFIFO | 0600};
	char long_name[257];

	memset(long_name, 'x', 256);
	long_name[256] = '\0';
	ck_assert_int_eq(ask(FUSE_LOOKUP, FUSE_ROOT_ID, NULL, 0, long_name), -ENAMETOOLONG);
	ck_assert_int_eq(ask(FUSE_LOOKUP, FUSE_ROOT_ID, NULL, 0, "nothing"), -ENOENT);
	ck_assert_int_eq(ask(FUSE_LINK, FUSE_ROOT_ID, &link_in, sizeof(link_in), "l"), -EPERM);
	ck_assert_int_eq(ask(FUSE_MKNOD, FUSE_ROOT_ID, &mknod_in, sizeof(mknod_in), "p"), -EPERM);
	ck_assert_int_eq(ask(FUSE_UNLINK, FUSE_ROOT_ID, NULL, 0, "greeting"), -EPERM);
	ck_assert_int_eq(ask(FUSE_GETXATTR, FUSE_ROOT_ID, &(struct fuse_getxattr_in){.size = 9},
				 sizeof(struct fuse_getxattr_in), "user.x"),
		-ENOSYS);
	k.replies--; /* that one is answered by libfuse, not by us */
}
END_TEST

START_TEST(test_links_statfs_and_fsync)
{
	struct fuse_fsync_in fsync_in = {0};

	ck_assert_int_eq(
		ask(FUSE_READLINK, lookup(FUSE_ROOT_ID, "link")->nodeid, NULL, 0, NULL), 0);
	ck_assert_uint_eq(k.len, 8);
	ck_assert_mem_eq(k.body, "greeting", 8);
	ck_assert_int_eq(ask(FUSE_STATFS, FUSE_ROOT_ID, NULL, 0, NULL), 0);
	ck_assert_uint_eq(((const struct fuse_statfs_out *)k.body)->st.namelen, 255);
	ck_assert_int_eq(ask(FUSE_FSYNCDIR, FUSE_ROOT_ID, &fsync_in, sizeof(fsync_in), NULL), 0);
}
END_TEST

START_TEST(test_closing_answers_who_waits)
{
	uint64_t node = lookup(FUSE_ROOT_ID, "stream")->nodeid;
	struct fuse_open_out file = open_node(node, O_RDONLY);
	uint64_t read = post_read(node, file.fh, 0, 4096);

	expect_silence();
	fuse_door_close(k.door, on_closed, &k);
	while (!k.is_closed)
		uv_run(&k.tree.loop, UV_RUN_ONCE);
	ck_assert(take_reply());
	ck_assert_uint_eq(k.head.unique, read);
	ck_assert_int_eq(k.head.error, -ESHUTDOWN);
	ck_assert_ptr_null(stream_handle); /* no RELEASE came, and none was needed */
	(void)close(k.fd);
	fixture_stop(&k.tree);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("fuse");
	TCase *tc = tcase_create("protocol");
	TCase *end = tcase_create("closing");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_init_says_how_we_work);
	tcase_add_test(tc, test_a_file_has_its_exact_size);
	tcase_add_test(tc, test_a_node_keeps_its_id_while_it_is_known);
	tcase_add_test(tc, test_a_fresh_node_has_a_new_id_and_the_same_inode);
	tcase_add_test(tc, test_the_oldest_of_too_many_names_is_taken_back);
	tcase_add_test(tc, test_directories_that_stay_are_cached);
	tcase_add_test(tc, test_a_conversation);
	tcase_add_test(tc, test_a_bad_value_is_the_writes_error);
	tcase_add_test(tc, test_a_held_read_waits_for_data);
	tcase_add_test(tc, test_an_interrupt_ends_a_held_read);
	tcase_add_test(tc, test_an_interrupt_before_its_request);
	tcase_add_test(tc, test_a_read_that_may_not_wait);
	tcase_add_test(tc, test_poll_is_told_when_there_is_news);
	tcase_add_test(tc, test_unlisted_names_are_not_listed);
	tcase_add_test(tc, test_a_large_directory_is_read_by_cursor);
	tcase_add_test(tc, test_what_is_refused);
	tcase_add_test(tc, test_links_statfs_and_fsync);
	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(end, setup, NULL);
	tcase_add_test(end, test_closing_answers_who_waits);
	suite_add_tcase(s, end);
	return suite_run(s);
}
