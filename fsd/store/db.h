/* One connection to hooks.db with its prepared statements.  Used by one thread at a time.
 *
 * Functions that can fail return a negative errno and leave the sentence in db->err: -ENOSPC when
 * the disk is full, else -EIO. */
#ifndef SLOTH_STORE_DB_H
#define SLOTH_STORE_DB_H

#include "base/err.h"
#include "fsd/store/sql.h"
#include "fsd/store/wal_vfs.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WRITER_WAIT_MS 5000 /* for another process's lock */

struct db {
	sqlite3 *handle;
	char *path;
	struct wal_vfs *vfs; /* the writer's; NULL: SQLite's own */
	sqlite3_stmt *statements[SQL_COUNT];
	struct err err; /* of the last failure */
};

/* Open for writing (creating it, WAL) or for reading only.  Blocks: yes. */
int db_open_writer(struct db *db, const char *path, bool is_fast) MUST_USE;
int db_open_reader(struct db *db, const char *path) MUST_USE;
/* Accepts a zeroed or half-opened db. */
void db_close(struct db *db);

/* Note the failure behind an SQLite result code.  Returns the negative errno. */
int db_fail(struct db *db, int rc);

/* Run statements without parameters or result. */
int db_exec(struct db *db, const char *sql) MUST_USE;
/* The first column of the only row. */
int db_get_int(struct db *db, const char *sql, int64_t *ret_value) MUST_USE;
/* Undo the transaction, if one is open. */
void db_rollback(struct db *db);

/* A kept statement, ready to bind.  Returns borrowed; NULL when it could not be prepared (db->err),
 * which every function below accepts and passes on as the failure it is. */
sqlite3_stmt *db_stmt(struct db *db, enum sql_id id);
/* Step to the end and reset.  Returns 0. */
int db_run(struct db *db, sqlite3_stmt *stmt) MUST_USE;
/* Step to the next row: 1 a row, 0 the end (the statement is reset then and on failure). */
int db_step(struct db *db, sqlite3_stmt *stmt) MUST_USE;

/* Binding: text is borrowed until the statement is run.  NULL binds NULL. */
void bind_int(sqlite3_stmt *stmt, int at, int64_t value);
void bind_int_or_null(sqlite3_stmt *stmt, int at, int64_t value); /* 0 binds NULL */
void bind_text(sqlite3_stmt *stmt, int at, const char *text);
void bind_blob(sqlite3_stmt *stmt, int at, const void *data, size_t len);
void bind_bytes(sqlite3_stmt *stmt, int at, const char *data, size_t len);

/* Columns.  Returns owned; NULL for NULL. */
char *column_text(sqlite3_stmt *stmt, int at);
int64_t column_int(sqlite3_stmt *stmt, int at);

#endif
