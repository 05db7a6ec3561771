/* Growing files of lines: batches, rotation, readers, torn tails. */
#include "tests/unit/suite.h"

#include "base/mem.h"
#include "fsd/lane.h"
#include "fsd/tree/log_file.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

static struct {
	uv_loop_t loop;
	uv_prepare_t alive;
	struct lane *files;
	char dir[64], path[80], segments[80];
	unsigned grew;
} s;

static void
tick(uv_prepare_t *alive)
{
	(void)alive;
}

static void
setup(void)
{
	uv_loop_init(&s.loop);
	uv_prepare_init(&s.loop, &s.alive);
	uv_prepare_start(&s.alive, tick);
	s.files = lane_start(&s.loop, "files", NULL, NULL);
	(void)snprintf(s.dir, sizeof(s.dir), "/tmp/sloth-log-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(s.dir));
	(void)snprintf(s.path, sizeof(s.path), "%s/log", s.dir);
	(void)snprintf(s.segments, sizeof(s.segments), "%s/log.d", s.dir);
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
	lane_stop(s.files);
	uv_close((uv_handle_t *)&s.alive, NULL);
	uv_run(&s.loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&s.loop), 0);
	(void)nftw(s.dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void
count_growth(void *arg)
{
	++*(unsigned *)arg;
}

static struct log_file *
open_log(uint64_t max_bytes)
{
	struct log_options opt = {.path = s.path,
		.segments_dir = s.segments,
		.max_bytes = max_bytes,
		.grew = count_growth,
		.arg = &s.grew};
	struct log_file *file;
	struct err err;

	ck_assert_int_eq(log_file_open(s.files, &opt, &file, &err), 0);
	return file;
}

static void
settle(void)
{
	while (lane_depth(s.files) > 0)
		uv_run(&s.loop, UV_RUN_ONCE);
}

static const char *
content(const char *path)
{
	static char text[4096];
	FILE *file = fopen(path, "re");
	size_t n = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

	text[n] = '\0';
	if (file)
		(void)fclose(file);
	return file ? text : "(none)";
}

static void
append(struct log_file *file, const char *line)
{
	log_file_append(file, line, strlen(line));
}

START_TEST(lines_are_kept_in_order)
{
	struct log_file *file = open_log(0);
	struct log_reader *reader = log_file_reader(file);

	for (const char *p = "abcdefgh"; *p; p++)
		log_file_append(file, p, 1);
	ck_assert_uint_eq(log_reader_size(reader), 0); /* not before it is written */
	settle();
	ck_assert_str_eq(content(s.path), "a\nb\nc\nd\ne\nf\ng\nh\n");
	ck_assert_uint_eq(log_reader_size(reader), 16);
	ck_assert_uint_eq(s.grew, 2); /* the first line, then all that came meanwhile */
	log_reader_unref(reader);
	log_file_close(file);
}
END_TEST

START_TEST(rotation_gives_a_new_file_and_keeps_the_old_one_readable)
{
	struct log_file *file = open_log(10);
	struct log_reader *old = log_file_reader(file), *now;
	char segment[100], text[16] = "";

	append(file, "12345678");
	settle();
	append(file, "next");
	settle();
	now = log_file_reader(file);
	ck_assert_uint_ne(log_reader_ino(old), log_reader_ino(now));
	ck_assert_uint_eq(log_reader_size(old), 9);
	ck_assert_uint_eq(log_reader_size(now), 5);
	ck_assert_int_eq(pread(log_reader_fd(old), text, 15, 0), 9);
	ck_assert_str_eq(text, "12345678\n");
	(void)snprintf(segment, sizeof(segment), "%s/1.jsonl", s.segments);
	ck_assert_str_eq(content(segment), "12345678\n");
	ck_assert_str_eq(content(s.path), "next\n");
	log_reader_unref(old);
	log_reader_unref(now);
	log_file_close(file);
	settle();

	file = open_log(5); /* the numbers go on after a restart */
	append(file, "third");
	settle();
	(void)snprintf(segment, sizeof(segment), "%s/2.jsonl", s.segments);
	ck_assert_str_eq(content(segment), "next\n");
	log_file_close(file);
}
END_TEST

START_TEST(without_a_directory_one_old_file_is_kept)
{
	struct log_options opt = {.path = s.path, .max_bytes = 4};
	struct log_file *file;
	struct err err;
	char old[100];

	ck_assert_int_eq(log_file_open(s.files, &opt, &file, &err), 0);
	for (const char *p = "123"; *p; p++) {
		char line[] = {*p, *p, *p, '\0'};

		append(file, line);
		settle();
	}
	(void)snprintf(old, sizeof(old), "%s.1", s.path);
	ck_assert_str_eq(content(old), "222\n");
	ck_assert_str_eq(content(s.path), "333\n");
	log_file_close(file);
}
END_TEST

static void
write_file(const char *text, size_t padding)
{
	FILE *file = fopen(s.path, "we");

	(void)fputs(text, file);
	while (padding-- > 0)
		(void)fputc('x', file);
	(void)fclose(file);
}

START_TEST(a_torn_tail_is_cut)
{
	struct log_file *file;

	write_file("whole\ntorn", 9000); /* longer than a block */
	file = open_log(0);
	ck_assert_str_eq(content(s.path), "whole\n");
	append(file, "next");
	settle();
	ck_assert_str_eq(content(s.path), "whole\nnext\n");
	log_file_close(file);
	settle();
	write_file("no line at all", 0);
	log_file_close(open_log(0));
	ck_assert_str_eq(content(s.path), "");
	write_file("good\n", 0);
	log_file_close(open_log(0));
	ck_assert_str_eq(content(s.path), "good\n");
}
END_TEST

START_TEST(closing_writes_what_was_appended)
{
	struct log_file *file = open_log(0);

	append(file, "one");
	append(file, "two");
	log_file_close(file);
	settle();
	ck_assert_str_eq(content(s.path), "one\ntwo\n");
}
END_TEST

START_TEST(a_full_disk_costs_whole_lines)
{
	struct log_options opt = {.path = "/dev/full"};
	struct log_file *file;
	struct err err;

	ck_assert_int_eq(log_file_open(s.files, &opt, &file, &err), 0);
	append(file, "lost");
	settle();
	ck_assert_uint_eq(log_file_lost(file), 1);
	log_file_close(file);
}
END_TEST

START_TEST(a_bad_place_is_named)
{
	struct log_options opt = {.path = "/nonexistent/log"};
	struct log_file *file;
	struct log_reader *reader;
	struct err err;

	ck_assert_int_eq(log_file_open(s.files, &opt, &file, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.msg, "/nonexistent/log"));
	ck_assert_int_eq(log_reader_open("/nonexistent/1", &reader, &err), -ENOENT);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("log_file");
	TCase *tc = tcase_create("log_file");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, lines_are_kept_in_order);
	tcase_add_test(tc, rotation_gives_a_new_file_and_keeps_the_old_one_readable);
	tcase_add_test(tc, without_a_directory_one_old_file_is_kept);
	tcase_add_test(tc, a_torn_tail_is_cut);
	tcase_add_test(tc, closing_writes_what_was_appended);
	tcase_add_test(tc, a_full_disk_costs_whole_lines);
	tcase_add_test(tc, a_bad_place_is_named);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
