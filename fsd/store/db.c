/* One connection: see db.h.
 *
 * The settings follow from three facts.  An acknowledged event must survive power loss:
 * synchronous=FULL.  Two connections that write or checkpoint at once can corrupt a WAL in SQLite
 * before 3.51.3: only the writer does either, at times it chooses (wal_autocheckpoint=0), and
 * readers are opened read-only.  A memory map makes an I/O error a signal: mmap_size=0. */
#include "fsd/store/db.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define READER_WAIT_MS 5000

static const char writer_pragmas[] = "PRAGMA auto_vacuum = INCREMENTAL;" /* before any table */
				     "PRAGMA journal_mode = WAL;"
				     "PRAGMA wal_autocheckpoint = 0;"
				     "PRAGMA journal_size_limit = 67108864;"
				     "PRAGMA mmap_size = 0;"
				     "PRAGMA cache_size = -4096;"
				     "PRAGMA temp_store = MEMORY;";
static const char reader_pragmas[] = "PRAGMA query_only = 1;"
				     "PRAGMA mmap_size = 0;"
				     "PRAGMA cache_size = -1024;"
				     "PRAGMA temp_store = MEMORY;";

/* The errno behind the last I/O error.  SQLite forgets that of a write to the WAL while it rolls
 * back; the file remembers. */
static int
cause_of(struct db *db)
{
	int cause = db->handle ? sqlite3_system_errno(db->handle) : 0;
	sqlite3_file *wal = NULL;

	if (cause || !db->handle)
		return cause;
	if (sqlite3_file_control(db->handle, NULL, SQLITE_FCNTL_JOURNAL_POINTER, &wal) ==
			SQLITE_OK &&
		wal && wal->pMethods)
		(void)wal->pMethods->xFileControl(wal, SQLITE_FCNTL_LAST_ERRNO, &cause);
	return cause;
}

static int
errno_of(struct db *db, int rc)
{
	int cause;

	switch (rc & 0xff) {
	case SQLITE_FULL:
		return ENOSPC;
	case SQLITE_IOERR: /* a quota or a limit, where FULL is a full device */
		cause = cause_of(db);
		return cause == EDQUOT || cause == EFBIG || cause == ENOSPC ? ENOSPC : EIO;
	case SQLITE_INTERRUPT:
		return ECANCELED;
	case SQLITE_CANTOPEN:
		cause = cause_of(db);
		return cause ? cause : EIO;
	default:
		return EIO;
	}
}

int
db_fail(struct db *db, int rc)
{
	const char *why = db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(rc);

	return err_set(&db->err, errno_of(db, rc), "database '%s': %s", db->path, why);
}

int
db_exec(struct db *db, const char *sql)
{
	int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : db_fail(db, rc);
}

int
db_get_int(struct db *db, const char *sql, int64_t *ret_value)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*ret_value = sqlite3_column_int64(stmt, 0);
	else
		(void)db_fail(db, rc == SQLITE_DONE ? SQLITE_ERROR : rc);
	(void)sqlite3_finalize(stmt); /* repeats the code of the step */
	return rc == SQLITE_ROW ? 0 : -db->err.code;
}

void
db_rollback(struct db *db)
{
	if (!sqlite3_get_autocommit(db->handle))
		(void)sqlite3_exec(
			db->handle, "ROLLBACK", NULL, NULL, NULL); /* undone either way */
}

static int
db_open(struct db *db, const char *path, int flags, bool gathers_wal)
{
	int rc;

	/* Counting allocations takes a lock that all lanes would share, 15 % of the writer's time.
	 * Refused, harmlessly, once SQLite is in use. */
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	db->vfs = gathers_wal ? wal_vfs_new() : NULL;
	db->path = mem_strdup(path);
	rc = sqlite3_open_v2(path, &db->handle, flags | SQLITE_OPEN_NOMUTEX,
		db->vfs ? wal_vfs_name(db->vfs) : NULL);
	if (rc != SQLITE_OK)
		return db_fail(db, rc);
	(void)sqlite3_extended_result_codes(db->handle, 1); /* cannot fail on an open handle */
	return 0;
}

int
db_open_writer(struct db *db, const char *path, bool is_fast)
{
	/* gathering what is written to the WAL relies on syncs */
	int rc = db_open(db, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, !is_fast);

	if (rc < 0)
		return rc;
	(void)sqlite3_busy_timeout(db->handle, WRITER_WAIT_MS); /* cannot fail */
	rc = db_exec(db, writer_pragmas);
	if (rc < 0)
		return rc;
	return db_exec(db, is_fast ? "PRAGMA synchronous = OFF" : "PRAGMA synchronous = FULL");
}

int
db_open_reader(struct db *db, const char *path)
{
	int rc = db_open(db, path, SQLITE_OPEN_READONLY, false);

	if (rc < 0)
		return rc;
	(void)sqlite3_busy_timeout(db->handle, READER_WAIT_MS); /* cannot fail */
	return db_exec(db, reader_pragmas);
}

void
db_close(struct db *db)
{
	for (size_t i = 0; i < SQL_COUNT; i++)
		(void)sqlite3_finalize(db->statements[i]); /* repeats an old error */
	(void)sqlite3_close(db->handle);                   /* nothing of it is open any more */
	wal_vfs_free(db->vfs);
	free(db->path);
	memset(db, 0, sizeof(*db));
}

sqlite3_stmt *
db_stmt(struct db *db, enum sql_id id)
{
	int rc;

	if (db->statements[id])
		return db->statements[id];
	rc = sqlite3_prepare_v3(
		db->handle, sql_text[id], -1, SQLITE_PREPARE_PERSISTENT, &db->statements[id], NULL);
	if (rc != SQLITE_OK)
		(void)db_fail(db, rc); /* told again by the step */
	return db->statements[id];
}

int
db_step(struct db *db, sqlite3_stmt *stmt)
{
	int rc;

	if (!stmt)
		return -db->err.code;
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		return 1;
	if (rc != SQLITE_DONE)
		(void)db_fail(db, rc); /* before the reset, which may change the message */
	(void)sqlite3_reset(stmt);     /* repeats the code of the step */
	return rc == SQLITE_DONE ? 0 : -db->err.code;
}

int
db_run(struct db *db, sqlite3_stmt *stmt)
{
	int rc;

	do
		rc = db_step(db, stmt);
	while (rc > 0);
	return rc;
}

/* Binding fails only on a wrong index or on text over SQLite's limit of a gigabyte: our bugs. */
static void
must_bind(sqlite3_stmt *stmt, int rc)
{
	assert(!stmt || rc == SQLITE_OK);
}

void
bind_int(sqlite3_stmt *stmt, int at, int64_t value)
{
	must_bind(stmt, stmt ? sqlite3_bind_int64(stmt, at, value) : SQLITE_OK);
}

void
bind_int_or_null(sqlite3_stmt *stmt, int at, int64_t value)
{
	if (value)
		bind_int(stmt, at, value);
	else
		must_bind(stmt, stmt ? sqlite3_bind_null(stmt, at) : SQLITE_OK);
}

void
bind_bytes(sqlite3_stmt *stmt, int at, const char *data, size_t len)
{
	if (stmt)
		must_bind(stmt, sqlite3_bind_text(stmt, at, data, (int)len, SQLITE_STATIC));
}

void
bind_blob(sqlite3_stmt *stmt, int at, const void *data, size_t len)
{
	if (stmt)
		must_bind(stmt, sqlite3_bind_blob(stmt, at, data, (int)len, SQLITE_STATIC));
}

void
bind_text(sqlite3_stmt *stmt, int at, const char *text)
{
	bind_bytes(stmt, at, text, text ? strlen(text) : 0);
}

char *
column_text(sqlite3_stmt *stmt, int at)
{
	const char *text = (const char *)sqlite3_column_text(stmt, at);

	return text ? mem_strndup(text, (size_t)sqlite3_column_bytes(stmt, at)) : NULL;
}

int64_t
column_int(sqlite3_stmt *stmt, int at)
{
	return sqlite3_column_int64(stmt, at);
}
