/* fsd/store/schema.c: migrations run once, in one transaction, and a newer database is refused. */
#include "base/auto.h"
#include "base/mem.h"
#include "fsd/store/schema.h"
#include "tests/unit/suite.h"

#include <string.h>

static const struct schema_step steps[] = {
	{"a table", "CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (41);"},
	{"a column", "ALTER TABLE t ADD COLUMN b INTEGER; UPDATE t SET a = a + 1, b = 7;"},
};
static const struct schema_step broken[] = {
	{"a table", "CREATE TABLE t (a INTEGER);"},
	{"another", "CREATE TABLE u (a INTEGER);"},
	{"nonsense", "CREATE TABLE v (a INTEGER); INSERT INTO nowhere VALUES (1);"},
};

static void
open_db(struct db *db)
{
	memset(db, 0, sizeof(*db));
	ck_assert_int_eq(db_open_writer(db, ":memory:", true), 0);
}

static int64_t
get(struct db *db, const char *sql)
{
	int64_t value = -1;

	ck_assert_msg(db_get_int(db, sql, &value) == 0, "%s", db->err.msg);
	return value;
}

START_TEST(an_old_database_is_brought_up_to_date)
{
	struct db db;

	open_db(&db);
	ck_assert_int_eq(schema_migrate(&db, steps, 1), 0);
	ck_assert_int_eq(get(&db, "SELECT a FROM t"), 41);
	ck_assert_int_eq(get(&db, "PRAGMA user_version"), 1);
	ck_assert_int_eq(schema_migrate(&db, steps, 2), 0);
	ck_assert_int_eq(get(&db, "SELECT a + b FROM t"), 49);
	ck_assert_int_eq(get(&db, "PRAGMA user_version"), 2);
	ck_assert_int_eq(schema_migrate(&db, steps, 2), 0); /* nothing left to do */
	ck_assert_int_eq(get(&db, "SELECT a FROM t"), 42);
	db_close(&db);
}
END_TEST

START_TEST(a_failed_step_changes_nothing)
{
	struct db db;

	open_db(&db);
	ck_assert_int_eq(schema_migrate(&db, broken, 1), 0);
	ck_assert_int_eq(schema_migrate(&db, broken, 3), -EIO);
	ck_assert_ptr_nonnull(strstr(db.err.msg, "migration to version 3 (nonsense)"));
	ck_assert_int_eq(get(&db, "PRAGMA user_version"), 1);
	ck_assert_int_eq(get(&db, "SELECT count(*) FROM sqlite_schema"), 1);
	ck_assert_int_eq(sqlite3_get_autocommit(db.handle), 1);
	db_close(&db);
}
END_TEST

START_TEST(a_newer_database_is_refused)
{
	struct db db;

	open_db(&db);
	ck_assert_int_eq(schema_migrate(&db, steps, 2), 0);
	ck_assert_int_eq(schema_migrate(&db, steps, 1), -EPROTO);
	ck_assert_ptr_nonnull(strstr(db.err.msg, "version 2"));
	ck_assert_int_eq(get(&db, "SELECT b FROM t"), 7);
	db_close(&db);
}
END_TEST

/* The columns of a view or table, in order. */
static char *
columns_of(struct db *db, const char *table)
{
	AUTO(free) char *sql =
		mem_printf("SELECT group_concat(name) FROM pragma_table_info('%s')", table);
	sqlite3_stmt *stmt;
	char *text;

	ck_assert_int_eq(sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	text = column_text(stmt, 0);
	ck_assert_int_eq(sqlite3_finalize(stmt), SQLITE_OK);
	return text;
}

START_TEST(the_documented_tables_are_there)
{
	static const struct {
		const char *table, *columns;
	} documented[] = {
		{"events", "id,type,data,status,error,timestamp,created_at,processed_at,"
			   "stack,agent,run_id,seq"},
		{"hooks", "id,name,description,event_type,file_path,stack,enabled,created_at,"
			  "updated_at,last_run,run_count"},
		{"event_hook_executions", "id,event_id,hook_id,hook_name,success,output,error,"
					  "duration_ms,executed_at,status,attempts,why,seq"},
		{"held_executions", "event_id,hook_id,hook_name,attempts,due_at,why,error"},
		{"hook_executions", "id,hook_id,success,output,error,duration_ms,executed_at"},
	};
	struct db db;

	open_db(&db);
	ck_assert_msg(
		schema_migrate(&db, schema_steps, schema_step_count()) == 0, "%s", db.err.msg);
	for (size_t i = 0; i < sizeof(documented) / sizeof(documented[0]); i++) {
		AUTO(free) char *columns = columns_of(&db, documented[i].table);

		ck_assert_str_eq(columns, documented[i].columns);
	}
	db_close(&db);
}
END_TEST

/* One table is gone through, and the rows of all others are found by their keys. */
START_TEST(events_and_executions_are_joined_by_seq)
{
	unsigned scans = 0;
	sqlite3_stmt *stmt;
	struct db db;

	open_db(&db);
	ck_assert_int_eq(schema_migrate(&db, schema_steps, schema_step_count()), 0);
	ck_assert_int_eq(sqlite3_prepare_v2(db.handle,
				 "EXPLAIN QUERY PLAN SELECT e.id, x.hook_name, x.status"
				 " FROM events e JOIN event_hook_executions x USING (seq)",
				 -1, &stmt, NULL),
		SQLITE_OK);
	while (sqlite3_step(stmt) == SQLITE_ROW)
		scans += strncmp((const char *)sqlite3_column_text(stmt, 3), "SCAN", 4) == 0;
	(void)sqlite3_finalize(stmt);
	ck_assert_uint_eq(scans, 1);
	db_close(&db);
}
END_TEST

START_TEST(every_kept_statement_is_valid)
{
	struct db db;

	open_db(&db);
	ck_assert_int_eq(schema_migrate(&db, schema_steps, schema_step_count()), 0);
	for (size_t i = 0; i < SQL_COUNT; i++) {
		ck_assert_msg(sql_text[i] != NULL, "statement %zu has no text", i);
		ck_assert_msg(
			db_stmt(&db, (enum sql_id)i) != NULL, "%s: %s", sql_text[i], db.err.msg);
	}
	db_close(&db);
}
END_TEST

/* A table for each event or execution would cost more than the row. */
START_TEST(what_an_event_costs_builds_no_table)
{
	static const enum sql_id often[] = {SQL_EVENT_INSERT, SQL_EVENT_INSERT_MANY,
		SQL_EVENT_INSERT_ONCE, SQL_EVENT_FINISH, SQL_EXECUTION_PUT, SQL_EXECUTION_PUT_MANY};
	struct db db;

	open_db(&db);
	ck_assert_int_eq(schema_migrate(&db, schema_steps, schema_step_count()), 0);
	for (size_t i = 0; i < sizeof(often) / sizeof(often[0]); i++) {
		AUTO(free) char *sql = mem_printf("EXPLAIN %s", sql_text[often[i]]);
		sqlite3_stmt *stmt;

		ck_assert_int_eq(sqlite3_prepare_v2(db.handle, sql, -1, &stmt, NULL), SQLITE_OK);
		while (sqlite3_step(stmt) == SQLITE_ROW)
			ck_assert_str_ne(
				(const char *)sqlite3_column_text(stmt, 1), "OpenEphemeral");
		ck_assert_int_eq(sqlite3_finalize(stmt), SQLITE_OK);
	}
	db_close(&db);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("schema");
	TCase *tc = tcase_create("schema");

	tcase_add_test(tc, an_old_database_is_brought_up_to_date);
	tcase_add_test(tc, a_failed_step_changes_nothing);
	tcase_add_test(tc, a_newer_database_is_refused);
	tcase_add_test(tc, the_documented_tables_are_there);
	tcase_add_test(tc, events_and_executions_are_joined_by_seq);
	tcase_add_test(tc, every_kept_statement_is_valid);
	tcase_add_test(tc, what_an_event_costs_builds_no_table);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
