/* Replacing small files. */
#include "base/file.h"

#include "base/auto.h"
#include "base/mem.h"
#include "tests/unit/suite.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static char dir[64];

static void
setup(void)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/test_file.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void
teardown(void)
{
	AUTO(free) char *path = mem_printf("%s/a", dir);

	(void)remove(path);              /* a file, a directory, or nothing */
	ck_assert_int_eq(rmdir(dir), 0); /* nothing else was left behind */
}

START_TEST(test_replaces)
{
	AUTO(free) char *path = mem_printf("%s/a", dir);
	char text[32] = "";
	struct stat st;
	FILE *file;

	ck_assert_int_eq(file_replace(path, "longer text", 11, 0640), 0);
	ck_assert_int_eq(file_replace(path, "a\0b", 3, 0640), 0);
	file = fopen(path, "re");
	ck_assert_uint_eq(fread(text, 1, sizeof(text), file), 3);
	(void)fclose(file);
	ck_assert_int_eq(memcmp(text, "a\0b", 3), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0640);
}
END_TEST

START_TEST(test_failure_leaves_nothing_behind)
{
	AUTO(free) char *path = mem_printf("%s/a", dir);
	AUTO(free) char *below = mem_printf("%s/none/a", dir);

	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_lt(file_replace(path, "x", 1, 0640), 0);
	ck_assert_int_eq(file_replace(below, "x", 1, 0640), -ENOENT);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("file");
	TCase *tc = tcase_create("replace");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_replaces);
	tcase_add_test(tc, test_failure_leaves_nothing_behind);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
