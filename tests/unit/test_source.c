/* Source directories on a real directory: file operations, and what the owner hears. */
#include "tests/unit/suite.h"
#include "tests/unit/tree_fixture.h"

#include "base/mem.h"
#include "fsd/tree/source.h"
#include "fsd/tree/source_priv.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
	struct source *source;
	char dir[64], path[80];
	struct sbuf told; /* what the owner heard: "+a" begun, "=a" settled, "-a", "a>b" */
} s;

static struct fixture f;

static int
find_source(struct node *node, struct source **ret_source, struct err *err)
{
	(void)node, (void)err;
	*ret_source = s.source;
	return 0;
}

static const struct row rows[] = {
	{.path = "/",
		.name = "",
		.room = "t",
		.help = "root",
		.kind = ROW_DIR,
		.mode = 0755,
		.first_child = 1,
		.child_count = 1},
	{.path = "/src",
		.name = "src",
		.room = "t",
		.help = "yours",
		.kind = ROW_SOURCE,
		.mode = 0750,
		.read.source = find_source},
};

static void
hear(void *arg, enum source_change what, const char *name, const char *new_name)
{
	static const char marks[] = {
		[SOURCE_BEGUN] = '+', [SOURCE_SETTLED] = '=', [SOURCE_REMOVED] = '-'};

	(void)arg;
	if (what == SOURCE_RENAMED)
		sbuf_printf(&s.told, "%s>%s ", name, new_name);
	else
		sbuf_printf(&s.told, "%c%s ", marks[what], name);
}

static const struct source_owner owner = {.changed = hear};

static void
setup(void)
{
	struct err err;

	(void)snprintf(s.dir, sizeof(s.dir), "/tmp/sloth-source-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(s.dir));
	(void)snprintf(s.path, sizeof(s.path), "%s/src", s.dir);
	fixture_start(&f, rows, 2);
	ck_assert_int_eq(source_open(f.tree, s.path, "/src", 0750, &owner, &s.source, &err), 0);
}

static int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void
teardown(void)
{
	source_close(s.source);
	fixture_stop(&f);
	sbuf_fini(&s.told);
	(void)nftw(s.dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- helpers ----------------------------------------------------------------------------------
 */

static void
on_limit(uv_timer_t *timer)
{
	*(bool *)timer->data = true;
}

/* Run the loop until the owner heard text, or for so long. */
static void
run_ms(uint64_t ms, const char *until)
{
	bool is_over = false;
	uv_timer_t timer = {.data = &is_over};

	uv_timer_init(&f.loop, &timer);
	uv_timer_start(&timer, on_limit, ms, 0);
	while (!is_over && !(until && strcmp(sbuf_str(&s.told), until) == 0))
		uv_run(&f.loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(&f.loop, UV_RUN_NOWAIT);
}

static void
expect_told(const char *text)
{
	run_ms(60000, text);
	ck_assert_str_eq(sbuf_str(&s.told), text);
	sbuf_reset(&s.told);
}

/* What inotify has to say about what we did is nothing. */
static void
expect_quiet(void)
{
	run_ms(30, NULL);
	ck_assert_str_eq(sbuf_str(&s.told), "");
}

static struct handle *
create(const char *dir, const char *name, int flags, int *ret_code)
{
	struct call call = CALL(.op = TREE_CREATE, .node = walk(&f, dir), .name = name,
		.flags = flags, .mode = 0640);

	call.req.cred = (struct tree_cred){.uid = geteuid(), .gid = getegid()};
	*ret_code = run_call(&f, &call);
	node_unref(call.req.node, 1);
	if (*ret_code < 0)
		return NULL;
	node_unref(call.req.ret_node, 1);
	return call.req.handle;
}

static void
save(const char *name, const char *text)
{
	int code;
	struct handle *h = create("/src", name, O_WRONLY, &code);

	ck_assert_ptr_nonnull(h);
	ck_assert_int_eq(write_at(&f, h, text, 0), (int)strlen(text));
	ck_assert_int_eq(flush(&f, h), 0);
	tree_release(h);
}

static int
name_op(enum tree_op op, const char *dir, const char *name, const char *name2, int flags)
{
	struct call call = CALL(.op = op, .node = walk(&f, dir), .node2 = walk(&f, "/src"),
		.name = name, .name2 = name2, .flags = flags, .mode = 0755);
	int code = run_call(&f, &call);

	node_unref(call.req.node, 1);
	node_unref(call.req.node2, 1);
	if (call.req.ret_node)
		node_unref(call.req.ret_node, 1);
	return code;
}

/* Write the file directly, beside the tree. */
static void
write_disk(const char *name, const char *text)
{
	char path[160];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", s.path, name);
	file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	(void)fputs(text, file);
	(void)fclose(file);
}

static const char *
disk_path(const char *name)
{
	static char path[2][160];
	static unsigned turn;

	(void)snprintf(path[++turn % 2], sizeof(path[0]), "%s/%s", s.path, name);
	return path[turn % 2];
}

/* ---- files ------------------------------------------------------------------------------------
 */

START_TEST(a_saved_file_is_a_plain_file)
{
	char text[4096];
	struct stat st;

	save("a.lua", "return {}\n");
	expect_told("+a.lua =a.lua ");
	expect_quiet();
	ck_assert_int_eq(cat(&f, "/src/a.lua", text), 10);
	ck_assert_str_eq(text, "return {}\n");
	ck_assert_int_eq(stat(disk_path("a.lua"), &st), 0);
	ck_assert_int_eq(st.st_size, 10);
	ck_assert_uint_eq(st.st_mode & 0777, 0640);
}
END_TEST

START_TEST(truncation_happens_at_open)
{
	int code;
	char text[4096];
	struct handle *h;

	save("a.lua", "old content\n");
	expect_told("+a.lua =a.lua ");
	h = open_path(&f, "/src/a.lua", O_WRONLY | O_TRUNC, &code);
	ck_assert_int_eq(flush(&f, h), 0); /* a shell's, before the data */
	expect_told("+a.lua ");
	ck_assert_int_eq(cat(&f, "/src/a.lua", text), 0);
	ck_assert_int_eq(write_at(&f, h, "new\n", 0), 4);
	tree_release(h);
	expect_told("=a.lua ");
	ck_assert_int_eq(cat(&f, "/src/a.lua", text), 4);
}
END_TEST

START_TEST(reading_changes_nothing)
{
	char text[4096];
	int code;
	struct handle *h;

	save("a.lua", "x\n");
	expect_told("+a.lua =a.lua ");
	h = open_path(&f, "/src/a.lua", O_RDWR, &code);
	ck_assert_int_eq(read_at(&f, h, 0, text), 2);
	tree_release(h);
	expect_quiet();
}
END_TEST

START_TEST(appends_go_to_the_end)
{
	char text[4096];

	save("a.lua", "one\n");
	ck_assert_int_eq(echo(&f, "two\n", O_APPEND, "/src/a.lua"), 0);
	ck_assert_int_eq(cat(&f, "/src/a.lua", text), 8);
	ck_assert_str_eq(text, "one\ntwo\n");
}
END_TEST

START_TEST(exclusive_creation_fails_on_a_taken_name)
{
	int code;

	save("a.lua", "x\n");
	ck_assert_ptr_null(create("/src", "a.lua", O_WRONLY | O_EXCL, &code));
	ck_assert_int_eq(code, -EEXIST);
	ck_assert_ptr_null(create("/src", "a\tb", O_WRONLY, &code));
	ck_assert_int_eq(code, -EINVAL);
}
END_TEST

START_TEST(an_unlinked_file_lives_while_open)
{
	char text[4096];
	int code;
	struct node *node;
	struct handle *h;
	struct call call;

	save("a.lua", "still here\n");
	node = walk(&f, "/src/a.lua");
	h = open_path(&f, "/src/a.lua", O_RDONLY, &code);
	ck_assert_int_eq(name_op(TREE_UNLINK, "/src", "a.lua", NULL, 0), 0);
	ck_assert_int_eq(read_at(&f, h, 0, text), 11);
	call = CALL(.op = TREE_GETATTR, .node = node); /* as fstat reaches us */
	ck_assert_int_eq(run_call(&f, &call), 0);
	ck_assert_int_eq(call.req.attr.st_size, 11);
	ck_assert_ptr_null(walk(&f, "/src/a.lua"));
	tree_release(h);
	node_unref(node, 1);
}
END_TEST

START_TEST(attributes_are_those_of_the_file)
{
	struct node *node;
	struct stat st;
	struct call call;

	save("a.lua", "12345\n");
	node = walk(&f, "/src/a.lua");
	call = CALL(.op = TREE_SETATTR, .node = node,
		.set = TREE_SET_MODE | TREE_SET_SIZE | TREE_SET_MTIME, .attr.st_mode = 0600,
		.attr.st_size = 3, .attr.st_mtim.tv_sec = 1000);
	ck_assert_int_eq(run_call(&f, &call), 0);
	ck_assert_uint_eq(call.req.attr.st_mode, S_IFREG | 0600);
	ck_assert_int_eq(stat(disk_path("a.lua"), &st), 0);
	ck_assert_int_eq(st.st_size, 3);
	ck_assert_int_eq(st.st_mtim.tv_sec, 1000);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	call = CALL(.op = TREE_SETATTR, .node = node, .set = TREE_SET_MODE, .attr.st_mode = 0666);
	call.req.cred.uid = 54321;
	ck_assert_int_eq(run_call(&f, &call), -EPERM);
	node_unref(node, 1);
	sbuf_reset(&s.told);
	expect_quiet();
}
END_TEST

/* ---- names ------------------------------------------------------------------------------------
 */

START_TEST(a_rename_keeps_the_node)
{
	struct node *a, *b;
	uint64_t ino;

	save("a.lua", "a\n");
	save("b.lua", "b\n");
	sbuf_reset(&s.told);
	a = walk(&f, "/src/a.lua");
	ino = node_ino(a);
	b = walk(&f, "/src/b.lua");
	ck_assert_int_eq(name_op(TREE_RENAME, "/src", "a.lua", "b.lua", RENAME_NOREPLACE), -EEXIST);
	ck_assert_int_eq(name_op(TREE_RENAME, "/src", "a.lua", "b.lua", 0), 0);
	ck_assert_str_eq(node_name(a), "b.lua");
	node_unref(b, 1); /* it lost its name to a */
	b = walk(&f, "/src/b.lua");
	ck_assert_ptr_eq(a, b);
	ck_assert_uint_eq(node_ino(b), ino);
	node_unref(a, 2);
	expect_told("a.lua>b.lua ");
	expect_quiet();
	ck_assert_int_eq(name_op(TREE_RENAME, "/src", "b.lua", "c.lua", 8), -EINVAL);
}
END_TEST

START_TEST(an_exchange_swaps_nodes)
{
	struct node *a, *b;
	char text[4096];

	save("a.lua", "a\n");
	save("b.lua", "b\n");
	sbuf_reset(&s.told);
	a = walk(&f, "/src/a.lua");
	b = walk(&f, "/src/b.lua");
	ck_assert_int_eq(name_op(TREE_RENAME, "/src", "a.lua", "b.lua", RENAME_EXCHANGE), 0);
	ck_assert_str_eq(node_name(a), "b.lua");
	ck_assert_str_eq(node_name(b), "a.lua");
	node_unref(a, 1);
	node_unref(b, 1);
	ck_assert_int_eq(cat(&f, "/src/a.lua", text), 2);
	ck_assert_str_eq(text, "b\n");
	ck_assert_ptr_nonnull(strstr(sbuf_str(&s.told), "=a.lua"));
	ck_assert_ptr_nonnull(strstr(sbuf_str(&s.told), "=b.lua"));
	sbuf_reset(&s.told);
	expect_quiet();
}
END_TEST

START_TEST(unlink_and_create_is_one_change)
{
	uint64_t begun;

	save("a.lua", "old\n");
	expect_told("+a.lua =a.lua ");
	do { /* until we were quick enough */
		sbuf_reset(&s.told);
		uv_update_time(&f.loop);
		begun = uv_now(&f.loop);
		ck_assert_int_eq(name_op(TREE_UNLINK, "/src", "a.lua", NULL, 0), 0);
		save("a.lua", "new\n");
		uv_update_time(&f.loop);
	} while (uv_now(&f.loop) - begun >= SOURCE_SETTLE_MS);
	expect_told("+a.lua =a.lua ");
	run_ms(300, NULL);
	ck_assert_str_eq(sbuf_str(&s.told), "");
	ck_assert_int_eq(name_op(TREE_UNLINK, "/src", "a.lua", NULL, 0), 0);
	expect_told("-a.lua ");
}
END_TEST

START_TEST(directories_hold_files)
{
	struct listing list = {0};

	ck_assert_int_eq(name_op(TREE_MKDIR, "/src", "sub", NULL, 0), 0);
	save("top.lua", "x\n");
	sbuf_reset(&s.told);
	ck_assert_int_eq(name_op(TREE_RENAME, "/src", "top.lua", "sub/x", 0), -EINVAL);
	write_disk("sub/deep.lua", "x\n"); /* the new directory is watched */
	expect_told("=sub/deep.lua ");
	ck_assert_int_eq(list_path(&f, "/src/sub", 0, &list), 0);
	ck_assert_str_eq(list.names, "deep.lua");
	ck_assert_int_eq(name_op(TREE_RENAME, "/src", "sub", "moved", 0), 0);
	expect_told("=moved/deep.lua -sub/deep.lua ");
	write_disk("moved/deep.lua", "longer\n"); /* still watched, under its new name */
	expect_told("=moved/deep.lua ");
	ck_assert_int_eq(name_op(TREE_RMDIR, "/src", "moved", NULL, 0), -ENOTEMPTY);
	ck_assert_int_eq(name_op(TREE_UNLINK, "/src/moved", "deep.lua", NULL, 0), 0);
	ck_assert_int_eq(name_op(TREE_RMDIR, "/src", "moved", NULL, 0), 0);
}
END_TEST

START_TEST(symlinks_are_kept_and_not_followed)
{
	struct call call;
	char text[4096];

	ck_assert_int_eq(name_op(TREE_SYMLINK, "/src", "out", "/etc", 0), 0);
	call = CALL(.op = TREE_READLINK, .node = walk(&f, "/src/out"));
	ck_assert_int_eq(run_call(&f, &call), 0);
	ck_assert_str_eq(sbuf_str(&call.req.out), "/etc");
	sbuf_fini(&call.req.out);
	node_unref(call.req.node, 1);
	ck_assert_ptr_null(walk(&f, "/src/out/passwd"));
	ck_assert_int_lt(cat(&f, "/src/out", text), 0);
	expect_quiet();
}
END_TEST

START_TEST(help_is_there_unless_it_is_yours)
{
	char text[4096];

	ck_assert_int_gt(cat(&f, "/src/.help", text), 0);
	ck_assert_ptr_nonnull(strstr(text, "/src: yours"));
	save(".help", "mine\n");
	ck_assert_int_eq(cat(&f, "/src/.help", text), 5);
}
END_TEST

START_TEST(the_backing_mode_decides)
{
	struct node *node;
	struct call call;

	save("a.lua", "x\n");
	node = walk(&f, "/src/a.lua");
	call = CALL(.op = TREE_OPEN, .node = node, .flags = O_RDONLY);
	call.req.cred = (struct tree_cred){.uid = 54321, .gid = 54321};
	ck_assert_int_eq(run_call(&f, &call), -EACCES);
	ck_assert_int_eq(chmod(disk_path("a.lua"), 0644), 0);
	call.answers = 0;
	ck_assert_int_eq(run_call(&f, &call), 0);
	tree_release(call.req.handle);
	node_unref(node, 1);
}
END_TEST

/* ---- the disk ---------------------------------------------------------------------------------
 */

/* CREATE also meets a file that came after the kernel had looked. */
START_TEST(creating_over_a_file_of_another_changes_nothing)
{
	struct call call = CALL(.op = TREE_CREATE, .node = walk(&f, "/src"), .name = "theirs",
		.flags = O_WRONLY | O_TRUNC, .mode = 0640);
	struct stat st;

	save("theirs", "theirs\n");
	ck_assert_int_eq(chmod(s.path, 0777), 0);
	call.req.cred = (struct tree_cred){.uid = 54321, .gid = 54321};
	ck_assert_int_eq(run_call(&f, &call), -EACCES);
	ck_assert_int_eq(stat(disk_path("theirs"), &st), 0);
	ck_assert_int_eq(st.st_size, 7);
	ck_assert_int_eq(chmod(disk_path("theirs"), 0666), 0);
	call.answers = 0;
	ck_assert_int_eq(run_call(&f, &call), 0);
	ck_assert_int_eq(stat(disk_path("theirs"), &st), 0);
	ck_assert_int_eq(st.st_size, 0);
	tree_release(call.req.handle);
	node_unref(call.req.ret_node, 1);
	node_unref(call.req.node, 1);
}
END_TEST

START_TEST(edits_on_the_disk_are_noticed)
{
	char text[4096];

	write_disk("a.lua", "one\n");
	expect_told("=a.lua ");
	ck_assert_int_eq(cat(&f, "/src/a.lua", text), 4);
	write_disk("a.lua", "three\n");
	expect_told("=a.lua ");
	ck_assert_int_eq(rename(disk_path("a.lua"), disk_path("b.lua")), 0);
	expect_told("a.lua>b.lua ");
	ck_assert_int_eq(unlink(disk_path("b.lua")), 0);
	expect_told("-b.lua ");
	ck_assert_ptr_null(walk(&f, "/src/b.lua"));
}
END_TEST

START_TEST(a_replaced_file_is_another_node)
{
	struct node *a, *b;

	save("a.lua", "x\n");
	a = walk(&f, "/src/a.lua");
	write_disk("tmp", "y\n");
	ck_assert_int_eq(rename(disk_path("tmp"), disk_path("a.lua")), 0);
	b = walk(&f, "/src/a.lua");
	ck_assert_ptr_ne(a, b);
	ck_assert_uint_ne(node_ino(a), node_ino(b));
	node_unref(a, 1);
	node_unref(b, 1);
}
END_TEST

/* ---- reading whole files ----------------------------------------------------------------------
 */

struct whole {
	unsigned answers;
	int code;
	char *data;
	uid_t uid;
	char msg[ERR_MSG_MAX];
};

static void
read_done(void *arg, int code, struct source_file *file, const struct err *err)
{
	struct whole *whole = arg;

	whole->answers++;
	whole->code = code;
	whole->data = file->data ? mem_strndup(file->data, file->len) : NULL;
	whole->uid = file->uid;
	(void)snprintf(whole->msg, sizeof(whole->msg), "%s", err->msg);
}

static struct whole
read_whole(const char *name, size_t max)
{
	struct whole whole = {0};

	source_read(s.source, name, max, read_done, &whole);
	while (whole.answers == 0)
		uv_run(&f.loop, UV_RUN_ONCE);
	return whole;
}

START_TEST(a_file_is_read_whole)
{
	struct whole whole;

	write_disk("a.lua", "return 1\n");
	whole = read_whole("a.lua", 100);
	ck_assert_int_eq(whole.code, 0);
	ck_assert_str_eq(whole.data, "return 1\n");
	ck_assert_uint_eq(whole.uid, geteuid());
	free(whole.data);
	whole = read_whole("a.lua", 8);
	ck_assert_int_eq(whole.code, -EFBIG);
	ck_assert_ptr_nonnull(strstr(whole.msg, "the limit is 8"));
	ck_assert_int_eq(read_whole("none", 8).code, -ENOENT);
	ck_assert_int_eq(read_whole("../../etc/passwd", 9999).code, -EXDEV);
}
END_TEST

static void
count_name(void *arg, const char *name)
{
	ck_assert_str_ne(name, "sub");
	++*(unsigned *)arg;
}

START_TEST(a_scan_meets_regular_files)
{
	unsigned count = 0;
	struct err err;

	save("a.lua", "x\n");
	save("b.txt", "x\n");
	ck_assert_int_eq(name_op(TREE_MKDIR, "/src", "sub", NULL, 0), 0);
	ck_assert_int_eq(source_scan(s.source, count_name, &count, &err), 0);
	ck_assert_uint_eq(count, 2);
}
END_TEST

static void
add_tests(TCase *tc)
{
	tcase_add_test(tc, a_saved_file_is_a_plain_file);
	tcase_add_test(tc, truncation_happens_at_open);
	tcase_add_test(tc, reading_changes_nothing);
	tcase_add_test(tc, appends_go_to_the_end);
	tcase_add_test(tc, exclusive_creation_fails_on_a_taken_name);
	tcase_add_test(tc, an_unlinked_file_lives_while_open);
	tcase_add_test(tc, attributes_are_those_of_the_file);
	tcase_add_test(tc, a_rename_keeps_the_node);
	tcase_add_test(tc, an_exchange_swaps_nodes);
	tcase_add_test(tc, unlink_and_create_is_one_change);
	tcase_add_test(tc, directories_hold_files);
	tcase_add_test(tc, symlinks_are_kept_and_not_followed);
	tcase_add_test(tc, help_is_there_unless_it_is_yours);
	tcase_add_test(tc, the_backing_mode_decides);
	tcase_add_test(tc, creating_over_a_file_of_another_changes_nothing);
	tcase_add_test(tc, edits_on_the_disk_are_noticed);
	tcase_add_test(tc, a_replaced_file_is_another_node);
	tcase_add_test(tc, a_file_is_read_whole);
	tcase_add_test(tc, a_scan_meets_regular_files);
}

int
main(void)
{
	Suite *suite = suite_create("source");
	TCase *tc = tcase_create("source");

	tcase_add_checked_fixture(tc, setup, teardown);
	add_tests(tc);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
