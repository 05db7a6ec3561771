/* A growing file as a node: its size, its end, and what a rotation does to those who look. */
#include "tests/unit/suite.h"
#include "tests/unit/tree_fixture.h"

#include "fsd/tree/log_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct {
	struct log_file *file;
	char dir[64], path[80], old[80];
} s;

static struct fixture f;

static int
open_log(struct node *node, struct log_reader **ret_reader, struct err *err)
{
	(void)node, (void)err;
	*ret_reader = log_file_reader(s.file);
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
	{.path = "/log",
		.name = "log",
		.room = "t",
		.help = "lines",
		.kind = ROW_LOG,
		.mode = 0444,
		.read.log = open_log},
};

static void
setup(void)
{
	struct log_options opt = {.path = s.path, .max_bytes = 10};
	struct err err;

	(void)snprintf(s.dir, sizeof(s.dir), "/tmp/sloth-kind-log-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(s.dir));
	(void)snprintf(s.path, sizeof(s.path), "%s/log", s.dir);
	(void)snprintf(s.old, sizeof(s.old), "%s/log.1", s.dir);
	fixture_start(&f, rows, 2);
	ck_assert_int_eq(log_file_open(f.files, &opt, &s.file, &err), 0);
}

static void
teardown(void)
{
	log_file_close(s.file);
	fixture_stop(&f);
	(void)unlink(s.path);
	(void)unlink(s.old);
	(void)rmdir(s.dir);
}

static void
append(const char *line)
{
	log_file_append(s.file, line, strlen(line));
	while (lane_depth(f.files) > 0)
		uv_run(&f.loop, UV_RUN_ONCE);
}

static off_t
size_of(struct node *node)
{
	struct call call = CALL(.op = TREE_GETATTR, .node = node);

	ck_assert_int_eq(run_call(&f, &call), 0);
	ck_assert_uint_eq(call.req.attr.st_ino, node_ino(node));
	return call.req.attr.st_size;
}

START_TEST(an_open_log_grows)
{
	int code;
	char text[4096];
	struct node *node = walk(&f, "/log");
	struct handle *h = open_path(&f, "/log", O_RDONLY, &code);

	ck_assert_int_eq(read_at(&f, h, 0, text), 0);
	append("one");
	ck_assert_int_eq(size_of(node), 4);
	ck_assert_int_eq(read_at(&f, h, 0, text), 4);
	ck_assert_str_eq(text, "one\n");
	ck_assert_int_eq(read_at(&f, h, 4, text), 0);
	ck_assert_ptr_null(open_path(&f, "/log", O_WRONLY, &code));
	ck_assert_int_eq(code, -EACCES);
	tree_release(h);
	node_unref(node, 1);
}
END_TEST

START_TEST(a_rotated_log_is_another_node)
{
	int code;
	char text[4096];
	struct node *old = walk(&f, "/log"), *node;
	struct handle *h = open_path(&f, "/log", O_RDONLY, &code);
	struct listing list = {0};

	append("first");
	append("second");
	node = walk(&f, "/log");
	ck_assert_ptr_ne(node, old);
	ck_assert_uint_ne(node_ino(node), node_ino(old));
	ck_assert_int_eq(size_of(old), 6);
	ck_assert_int_eq(size_of(node), 7);
	ck_assert_int_eq(read_at(&f, h, 0, text), 6);
	ck_assert_str_eq(text, "first\n");
	ck_assert_int_eq(cat(&f, "/log", text), 7);
	ck_assert_int_eq(list_path(&f, "/", 0, &list), 0);
	ck_assert_str_eq(list.names, "log");
	tree_release(h);
	node_unref(old, 1);
	node_unref(node, 1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("kind_log");
	TCase *tc = tcase_create("kind_log");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, an_open_log_grows);
	tcase_add_test(tc, a_rotated_log_is_another_node);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
