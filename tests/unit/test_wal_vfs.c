/* fsd/store/wal_vfs.c: one write a commit, and nobody sees less than SQLite promises. */
#include "base/auto.h"
#include "base/mem.h"
#include "fsd/store/wal_vfs.h"
#include "tests/unit/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

struct rig {
	char path[64];
	struct wal_vfs *vfs;
	sqlite3 *writer, *reader;
};

static int writes;
static bool is_full;
static ssize_t (*real_pwrite)(int fd, const void *data, size_t len, off_t at);

static ssize_t
counting_pwrite(int fd, const void *data, size_t len, off_t at)
{
	writes++;
	if (is_full) {
		errno = ENOSPC;
		return -1;
	}
	return real_pwrite(fd, data, len, at);
}

static void
count_writes(bool is_counting)
{
	static const char *const names[] = {"pwrite64", "pwrite"};
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	for (size_t i = 0; i < 2; i++) {
		sqlite3_syscall_ptr call = vfs->xGetSystemCall(vfs, names[i]);

		if (!call)
			continue;
		if (is_counting)
			memcpy(&real_pwrite, &call, sizeof(call));
		ck_assert_int_eq(vfs->xSetSystemCall(vfs, names[i],
					 is_counting ? (sqlite3_syscall_ptr)counting_pwrite : NULL),
			SQLITE_OK);
		return;
	}
	ck_abort_msg("SQLite writes with another call than was thought");
}

static void
run(sqlite3 *db, const char *sql)
{
	char *message = NULL;

	ck_assert_msg(
		sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK, "%s: %s", sql, message);
}

static void
rig_open(struct rig *rig)
{
	memset(rig, 0, sizeof(*rig));
	(void)snprintf(rig->path, sizeof(rig->path), "/tmp/test_wal_vfs.XXXXXX");
	ck_assert_int_eq(close(mkstemp(rig->path)), 0);
	rig->vfs = wal_vfs_new();
	ck_assert_int_eq(sqlite3_open_v2(rig->path, &rig->writer, SQLITE_OPEN_READWRITE,
				 wal_vfs_name(rig->vfs)),
		SQLITE_OK);
	run(rig->writer, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
			 "PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = 16;"
			 "CREATE TABLE a (x INTEGER PRIMARY KEY, y); CREATE INDEX ay ON a (y);"
			 "CREATE TABLE b (x INTEGER PRIMARY KEY, y);");
	ck_assert_int_eq(
		sqlite3_open_v2(rig->path, &rig->reader, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
}

static void
rig_close(struct rig *rig)
{
	ck_assert_int_eq(sqlite3_close(rig->reader), SQLITE_OK);
	ck_assert_int_eq(sqlite3_close(rig->writer), SQLITE_OK);
	wal_vfs_free(rig->vfs);
	ck_assert_int_eq(unlink(rig->path), 0);
}

static int64_t
get(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt;
	int64_t value;

	ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	value = sqlite3_column_int64(stmt, 0);
	ck_assert_int_eq(sqlite3_finalize(stmt), SQLITE_OK);
	return value;
}

START_TEST(a_commit_is_one_write)
{
	struct rig rig;

	rig_open(&rig);
	count_writes(true);
	writes = 0;
	run(rig.writer, "BEGIN; INSERT INTO a VALUES (1, 'one'); INSERT INTO b VALUES (1, 'one');"
			"COMMIT");
	count_writes(false);
	ck_assert_int_eq(writes, 1); /* of three pages */
	ck_assert_int_eq(get(rig.reader, "SELECT count(*) FROM a JOIN b USING (x)"), 1);
	rig_close(&rig);
}
END_TEST

/* More than the cache and the buffer hold, so that pages go out before the commit and are read
 * back. */
START_TEST(large_transactions_are_whole)
{
	static const char insert[] =
		"WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
		" INSERT INTO a SELECT i, randomblob(300) FROM n;";
	struct rig rig;

	rig_open(&rig);
	run(rig.writer, "BEGIN");
	run(rig.writer, insert);
	ck_assert_int_eq(get(rig.reader, "SELECT count(*) FROM a"), 0);
	run(rig.writer, "ROLLBACK");
	run(rig.writer, "BEGIN");
	run(rig.writer, insert);
	run(rig.writer, "DELETE FROM a WHERE x % 3 = 0; COMMIT");
	ck_assert_int_eq(get(rig.reader, "SELECT count(*) FROM a"), 2000);
	ck_assert_int_eq(get(rig.reader, "SELECT count(*) FROM pragma_integrity_check"
					 " WHERE integrity_check = 'ok'"),
		1);
	run(rig.writer, "PRAGMA wal_checkpoint(TRUNCATE); INSERT INTO b VALUES (7, 'after')");
	ck_assert_int_eq(get(rig.reader, "SELECT x FROM b"), 7);
	rig_close(&rig);
}
END_TEST

static void
copy_file(const char *from, const char *to, const char *suffix)
{
	AUTO(free) char *from_path = mem_printf("%s%s", from, suffix);
	AUTO(free) char *to_path = mem_printf("%s%s", to, suffix);
	AUTO(fd) int in = open(from_path, O_RDONLY | O_CLOEXEC);
	AUTO(fd) int out = open(to_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	ck_assert(in >= 0 && out >= 0);
	while (sendfile(out, in, NULL, 1 << 20) > 0)
		continue;
}

/* The zeros behind the last commit are no commit, also for who finds the log after a crash. */
START_TEST(the_log_grows_in_steps)
{
	char copy[80];
	struct stat st;
	struct rig rig;
	sqlite3 *db;

	rig_open(&rig);
	(void)snprintf(copy, sizeof(copy), "%s-wal", rig.path);
	ck_assert_int_eq(stat(copy, &st), 0);
	ck_assert_int_eq(st.st_size, 512 * 1024);
	for (int i = 0; i < 60; i++)
		run(rig.writer, "INSERT INTO a (y) VALUES (randomblob(2000))");
	ck_assert_int_eq(stat(copy, &st), 0);
	ck_assert_int_eq(st.st_size % (512 * 1024), 0);
	ck_assert_int_gt(st.st_size, 512 * 1024);
	(void)snprintf(copy, sizeof(copy), "%s.copy", rig.path);
	copy_file(rig.path, copy, "");
	copy_file(rig.path, copy, "-wal");
	ck_assert_int_eq(sqlite3_open(copy, &db), SQLITE_OK);
	ck_assert_int_eq(get(db, "SELECT count(*) FROM a"), 60);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
	ck_assert_int_eq(unlink(copy), 0);
	rig_close(&rig);
}
END_TEST

START_TEST(a_write_that_fails_fails_the_commit)
{
	struct rig rig;

	rig_open(&rig);
	count_writes(true);
	is_full = true;
	ck_assert_int_eq(
		sqlite3_exec(rig.writer, "INSERT INTO a VALUES (1, 'one')", NULL, NULL, NULL),
		SQLITE_FULL);
	is_full = false;
	count_writes(false);
	ck_assert_int_eq(get(rig.reader, "SELECT count(*) FROM a"), 0);
	run(rig.writer, "INSERT INTO a VALUES (2, 'two')");
	ck_assert_int_eq(get(rig.reader, "SELECT x FROM a"), 2);
	rig_close(&rig);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("wal_vfs");
	TCase *tc = tcase_create("wal_vfs");

	tcase_add_test(tc, a_commit_is_one_write);
	tcase_add_test(tc, large_transactions_are_whole);
	tcase_add_test(tc, the_log_grows_in_steps);
	tcase_add_test(tc, a_write_that_fails_fails_the_commit);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
