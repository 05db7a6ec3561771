/* The machine's floor for durable events: rows as wide as ours, with an index on type and status as
 * ours have, by prepared statements, WAL and synchronous=FULL, and nothing else.  Three figures:
 * one row a commit, groups of rows, and groups of whole lives (a row, its execution, its end).
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

enum { INSERT, EXECUTE, FINISH, STMTS };

struct bench {
	sqlite3 *db;
	sqlite3_stmt *stmts[STMTS];
	int64_t seq;
};

static void
must(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
		fprintf(stderr, "commit_floor: %s: %s\n", sql, sqlite3_errmsg(db));
		exit(1);
	}
}

static void
run(sqlite3_stmt *stmt)
{
	if (sqlite3_step(stmt) != SQLITE_DONE) {
		fprintf(stderr, "commit_floor: %s\n", sqlite3_errmsg(sqlite3_db_handle(stmt)));
		exit(1);
	}
	sqlite3_reset(stmt);
}

static void
insert(struct bench *b)
{
	static const char data[] = "{\"client\":3,\"n\":123456}";
	sqlite3_stmt *stmt = b->stmts[INSERT];
	int64_t now_ns = clock_real_ns();

	sqlite3_bind_int64(stmt, 1, ++b->seq);
	sqlite3_bind_int(stmt, 2, 7);
	sqlite3_bind_int64(stmt, 3, now_ns);
	sqlite3_bind_int64(stmt, 4, now_ns & 0xffffffff);
	sqlite3_bind_text(stmt, 5, data, sizeof(data) - 1, SQLITE_STATIC);
	run(stmt);
}

static void
live(struct bench *b)
{
	int64_t now_ns = clock_real_ns();

	insert(b);
	sqlite3_bind_int64(b->stmts[EXECUTE], 1, b->seq);
	sqlite3_bind_int64(b->stmts[EXECUTE], 2, now_ns);
	run(b->stmts[EXECUTE]);
	sqlite3_bind_int64(b->stmts[FINISH], 1, b->seq);
	sqlite3_bind_int64(b->stmts[FINISH], 2, now_ns);
	run(b->stmts[FINISH]);
}

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Commit groups for the time; the median of a commit's time goes to *ret_p50_us.  Returns rows (or
 * lives) a second. */
static double
measure(struct bench *b, void (*one)(struct bench *b), int group, double seconds,
	double *ret_p50_us)
{
	enum { MAX = 1 << 20 };
	int64_t *took = NEW_N(int64_t, MAX), begin = clock_mono_ns();
	double rate;
	size_t n = 0;

	while (n < MAX && (double)(clock_mono_ns() - begin) < seconds * 1e9) {
		int64_t start = clock_mono_ns();
		must(b->db, "BEGIN IMMEDIATE");
		for (int i = 0; i < group; i++)
			one(b);
		must(b->db, "COMMIT");
		took[n++] = clock_mono_ns() - start;
	}
	rate = (double)n * group * 1e9 / (double)(clock_mono_ns() - begin);

	qsort(took, n, sizeof(*took), compare);
	*ret_p50_us = (double)took[n / 2] / 1e3;
	free(took);
	return rate;
}

static int
prepare(struct bench *b)
{
	static const char *const texts[STMTS] = {
		[INSERT] = "INSERT INTO event VALUES (?1,0,?2,?3,?3,?4,?5)",
		[EXECUTE] = "INSERT INTO execution VALUES (?1,1,1,2,1,?2,1000,'seen')",
		[FINISH] = "UPDATE event SET status=2, changed=?2 WHERE seq=?1 AND status<2",
	};

	must(b->db, "PRAGMA journal_mode=WAL");
	must(b->db, "PRAGMA synchronous=FULL");
	must(b->db, "CREATE TABLE event (seq INTEGER PRIMARY KEY, status, type, created, changed, "
		    "salt, data);"
		    "CREATE INDEX event_type ON event (type);"
		    "CREATE INDEX event_status ON event (status);"
		    "CREATE TABLE execution (seq, hook, version, status, attempts, started, "
		    "duration, message, PRIMARY KEY (seq, hook)) WITHOUT ROWID;"
		    "CREATE INDEX execution_hook ON execution (hook, seq)");
	for (int i = 0; i < STMTS; i++)
		if (sqlite3_prepare_v2(b->db, texts[i], -1, &b->stmts[i], NULL) != SQLITE_OK)
			return -1;
	return 0;
}

int
main(int argc, char **argv)
{
	double seconds = argc == 3 ? strtod(argv[2], NULL) : 0, one_us, group_us, one, many, lives;
	struct bench b = {0};
	char *path;

	if (seconds <= 0) {
		fputs("commit_floor DIR SECONDS\n", stderr);
		return 2;
	}
	path = mem_printf("%s/floor.db", argv[1]);
	if (sqlite3_open(path, &b.db) != SQLITE_OK || prepare(&b) < 0) {
		fprintf(stderr, "commit_floor: %s: %s\n", path, sqlite3_errmsg(b.db));
		return 1;
	}
	one = measure(&b, insert, 1, seconds / 3, &one_us);
	many = measure(&b, insert, GROUP, seconds / 3, &group_us);
	lives = measure(&b, live, GROUP, seconds / 3, &group_us);
	printf("{\"commit_us\":%.1f,\"commits_per_second\":%.0f,\"group\":%d,"
	       "\"rows_per_second\":%.0f,\"lives_per_second\":%.0f}\n",
		one_us, one, GROUP, many, lives);
	for (int i = 0; i < STMTS; i++)
		sqlite3_finalize(b.stmts[i]);
	sqlite3_close(b.db);
	(void)unlink(path); /* -wal and -shm went with the last connection */
	free(path);
	return 0;
}
