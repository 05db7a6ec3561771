/* The machine's floor for durable events: rows as wide as ours, into one table, by one prepared
 * statement, WAL and synchronous=FULL, and nothing else.
 *
 *	commit_floor DIR SECONDS     prints one JSON object; leaves no file
 */
#include "base/clock.h"
#include "base/mem.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define GROUP 500

static void
must(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
		fprintf(stderr, "commit_floor: %s: %s\n", sql, sqlite3_errmsg(db));
		exit(1);
	}
}

static void
insert(sqlite3_stmt *stmt, int64_t now_ns)
{
	static const char data[] = "{\"client\":3,\"n\":123456}";

	sqlite3_bind_int(stmt, 1, 0);
	sqlite3_bind_int(stmt, 2, 7);
	sqlite3_bind_int64(stmt, 3, now_ns);
	sqlite3_bind_int64(stmt, 4, now_ns);
	sqlite3_bind_int64(stmt, 5, now_ns & 0xffffffff);
	sqlite3_bind_text(stmt, 6, data, sizeof(data) - 1, SQLITE_STATIC);
	if (sqlite3_step(stmt) != SQLITE_DONE)
		exit(1);
	sqlite3_reset(stmt);
}

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Commit groups of rows for the time; the median of a commit's time goes to *ret_p50_us.  Returns
 * rows a second. */
static double
measure(sqlite3 *db, sqlite3_stmt *stmt, int group, double seconds, double *ret_p50_us)
{
	enum { MAX = 1 << 20 };
	int64_t *took = NEW_N(int64_t, MAX), begin = clock_mono_ns();
	double rate;
	size_t n = 0;

	while (n < MAX && (double)(clock_mono_ns() - begin) < seconds * 1e9) {
		int64_t start = clock_mono_ns();
		must(db, "BEGIN IMMEDIATE");
		for (int i = 0; i < group; i++)
			insert(stmt, start + i);
		must(db, "COMMIT");
		took[n++] = clock_mono_ns() - start;
	}
	rate = (double)n * group * 1e9 / (double)(clock_mono_ns() - begin);

	qsort(took, n, sizeof(*took), compare);
	*ret_p50_us = (double)took[n / 2] / 1e3;
	free(took);
	return rate;
}

int
main(int argc, char **argv)
{
	double seconds = argc == 3 ? strtod(argv[2], NULL) : 0, one_us, group_us, one, many;
	char *path;
	sqlite3_stmt *stmt;
	sqlite3 *db;

	if (seconds <= 0) {
		fputs("commit_floor DIR SECONDS\n", stderr);
		return 2;
	}
	path = mem_printf("%s/floor.db", argv[1]);
	if (sqlite3_open(path, &db) != SQLITE_OK)
		return 1;
	must(db, "PRAGMA journal_mode=WAL");
	must(db, "PRAGMA synchronous=FULL");
	must(db, "CREATE TABLE event (seq INTEGER PRIMARY KEY, status, type, created, changed, "
		 "salt, data)");
	if (sqlite3_prepare_v2(db,
		    "INSERT INTO event (status,type,created,changed,salt,data) VALUES "
		    "(?,?,?,?,?,?)",
		    -1, &stmt, NULL) != SQLITE_OK)
		return 1;
	one = measure(db, stmt, 1, seconds / 2, &one_us);
	many = measure(db, stmt, GROUP, seconds / 2, &group_us);
	printf("{\"commit_us\":%.1f,\"commits_per_second\":%.0f,\"group\":%d,\"group_commit_us\":%."
	       "1f,"
	       "\"rows_per_second\":%.0f}\n",
		one_us, one, GROUP, group_us, many);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	(void)unlink(path); /* -wal and -shm went with the last connection */
	free(path);
	return 0;
}
