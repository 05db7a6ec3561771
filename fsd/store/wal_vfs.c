/* One write a commit: see wal_vfs.h.
 *
 * SQLite writes each page of a commit to the WAL with two calls, 24 bytes of header and 4096 of
 * page; a commit of an event and its results has seven pages, so fourteen calls stand before the
 * one that matters, the fdatasync.  The frames follow each other in the file, so here they are
 * gathered and go out together.
 *
 * What must hold: nobody may be told of frames that only the buffer has.  SQLite tells other
 * connections of a commit (in the -shm) after the sync of the WAL when synchronous=FULL, and a sync
 * empties the buffer first, as does everything else that looks at the file: reading, truncating,
 * asking for the size, closing.  With synchronous=OFF there is no sync, so this must not be used. A
 * write that fails is told by the sync that made it, which fails the commit all the same.
 *
 * A commit that makes the file longer waits for the file system's own journal too, 2.5 ms where one
 * within the file takes 0.25.  So the file grows in steps, by zeros: no checksum fits them, so
 * SQLite takes the log to end there, as it does with what is left of an earlier round.
 *
 * Only the methods of the WAL's file are replaced, in place: the file object is SQLite's own,
 * opened by its own VFS, with ours behind it in the same allocation.  A VFS that wraps every file
 * would forward thirty calls to change one. */
#include "fsd/store/wal_vfs.h"

#include "base/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GATHER_BYTES (128 * 1024)
#define STEP_BYTES   (512 * 1024)

struct wal_vfs {
	sqlite3_vfs base; /* first */
	sqlite3_vfs *real;
	char name[32];
};

/* Behind SQLite's own file object; the file's pMethods point here. */
struct wal_file {
	sqlite3_io_methods methods;
	const sqlite3_io_methods *real;
	char *gathered; /* bytes that belong at `at` and were not written yet */
	sqlite3_int64 at;
	size_t len;
	sqlite3_int64 size; /* of the file */
};

static struct wal_file *
wal_of(sqlite3_file *file)
{
	return (struct wal_file *)((char *)file->pMethods - offsetof(struct wal_file, methods));
}

/* Zeros up to the next step. */
static void
grow(sqlite3_file *file)
{
	static const char zeros[64 * 1024];
	struct wal_file *wal = wal_of(file);
	sqlite3_int64 to = (wal->size / STEP_BYTES + 1) * STEP_BYTES;

	while (wal->size < to) {
		sqlite3_int64 len = to - wal->size;

		if (len > (sqlite3_int64)sizeof(zeros))
			len = sizeof(zeros);
		if (wal->real->xWrite(file, zeros, (int)len, wal->size) != SQLITE_OK)
			return; /* nothing that was promised: a commit needs less */
		wal->size += len;
	}
}

static int
write_through(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
	struct wal_file *wal = wal_of(file);
	int rc = wal->real->xWrite(file, data, len, at);

	if (rc == SQLITE_OK && at + len > wal->size) {
		wal->size = at + len;
		grow(file);
	}
	return rc;
}

static int
flush(sqlite3_file *file)
{
	struct wal_file *wal = wal_of(file);
	int len = (int)wal->len;

	wal->len = 0; /* failed or not: what follows a failure is written anew */
	return len ? write_through(file, wal->gathered, len, wal->at) : SQLITE_OK;
}

static int
wal_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
	struct wal_file *wal = wal_of(file);
	bool follows = at == wal->at + (sqlite3_int64)wal->len;
	int rc = SQLITE_OK;

	if (wal->len && (!follows || wal->len + (size_t)len > GATHER_BYTES))
		rc = flush(file);
	if (rc != SQLITE_OK)
		return rc;
	if (len > GATHER_BYTES)
		return write_through(file, data, len, at);
	if (wal->len == 0)
		wal->at = at;
	memcpy(wal->gathered + wal->len, data, (size_t)len);
	wal->len += (size_t)len;
	return SQLITE_OK;
}

static int
wal_sync(sqlite3_file *file, int flags)
{
	int rc = flush(file);

	return rc == SQLITE_OK ? wal_of(file)->real->xSync(file, flags) : rc;
}

static int
wal_read(sqlite3_file *file, void *data, int len, sqlite3_int64 at)
{
	int rc = flush(file);

	return rc == SQLITE_OK ? wal_of(file)->real->xRead(file, data, len, at) : rc;
}

static int
wal_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct wal_file *wal = wal_of(file);
	int rc = flush(file);

	if (rc == SQLITE_OK)
		rc = wal->real->xTruncate(file, size);
	if (rc == SQLITE_OK)
		wal->size = size;
	return rc;
}

static int
wal_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
	int rc = flush(file);

	return rc == SQLITE_OK ? wal_of(file)->real->xFileSize(file, ret_size) : rc;
}

static int
wal_close(sqlite3_file *file)
{
	struct wal_file *wal = wal_of(file);

	(void)flush(file); /* not synced: nobody was told that it is there */
	free(wal->gathered);
	return wal->real->xClose(file);
}

static void
replace_methods(struct wal_vfs *vfs, sqlite3_file *file)
{
	struct wal_file *wal = (struct wal_file *)((char *)file + vfs->real->szOsFile);

	*wal = (struct wal_file){.methods = *file->pMethods, .real = file->pMethods};
	wal->methods.xClose = wal_close;
	wal->methods.xRead = wal_read;
	wal->methods.xWrite = wal_write;
	wal->methods.xTruncate = wal_truncate;
	wal->methods.xSync = wal_sync;
	wal->methods.xFileSize = wal_size;
	wal->gathered = mem_realloc(NULL, GATHER_BYTES);
	if (wal->real->xFileSize(file, &wal->size) != SQLITE_OK)
		wal->size = INT64_MAX; /* unknown: it grows by itself */
	file->pMethods = &wal->methods;
}

static int
open_file(sqlite3_vfs *base, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
	struct wal_vfs *vfs = (struct wal_vfs *)base;
	int rc = vfs->real->xOpen(vfs->real, name, file, flags, ret_flags);

	if (rc == SQLITE_OK && (flags & SQLITE_OPEN_WAL))
		replace_methods(vfs, file);
	return rc;
}

struct wal_vfs *
wal_vfs_new(void)
{
	struct wal_vfs *vfs = NEW(struct wal_vfs);

	vfs->real = sqlite3_vfs_find(NULL);
	vfs->base = *vfs->real; /* what is not replaced gets SQLite's own data with its call */
	vfs->base.pNext = NULL;
	vfs->base.szOsFile += (int)sizeof(struct wal_file);
	vfs->base.xOpen = open_file;
	vfs->base.zName = vfs->name;
	(void)snprintf(vfs->name, sizeof(vfs->name), "wal-%p", (void *)vfs); /* fits */
	(void)sqlite3_vfs_register(&vfs->base, 0);                           /* cannot fail */
	return vfs;
}

const char *
wal_vfs_name(const struct wal_vfs *vfs)
{
	return vfs->name;
}

void
wal_vfs_free(struct wal_vfs *vfs)
{
	if (!vfs)
		return;
	(void)sqlite3_vfs_unregister(&vfs->base); /* cannot fail */
	free(vfs);
}
