/* Hooks and their versions as they are read: everything once, at start, and then those of one hook
 * at a time, for ctl/hooks/<hook>/versions/.  A list comes whole or not at all; sources, which may
 * be large, only one by one. */
#include "fsd/store/hook_store.h"

#include "base/mem.h"
#include "fsd/store/store_impl.h"

#include <string.h>

/* ---- at start ------------------------------------------------------------------------------- */

/* The columns of VERSION_COLUMNS. */
static struct hook_version *
version_from_row(sqlite3_stmt *stmt)
{
	struct hook_version *v = NEW(struct hook_version);

	v->hook_id = (uint64_t)column_int(stmt, 0);
	v->version = (uint32_t)column_int(stmt, 1);
	v->from_seq = (uint64_t)column_int(stmt, 2);
	v->to_seq = (uint64_t)column_int(stmt, 3);
	v->name = column_text(stmt, 4);
	v->stack = column_text(stmt, 5);
	v->types = column_text(stmt, 6);
	v->meta = column_text(stmt, 7);
	v->hash = (uint64_t)column_int(stmt, 8);
	v->source_len = (size_t)column_int(stmt, 9);
	v->created_ns = column_int(stmt, 10);
	return v;
}

static int
read_versions(struct db *db, sqlite3_stmt *stmt, struct hook_version_list *versions)
{
	int rc;

	while ((rc = db_step(db, stmt)) > 0) {
		struct hook_version *v = version_from_row(stmt);

		STAILQ_INSERT_TAIL(versions, v, link);
	}
	return rc;
}

static void
free_versions(struct hook_version_list *versions)
{
	struct hook_version *v;

	while ((v = STAILQ_FIRST(versions))) {
		STAILQ_REMOVE_HEAD(versions, link);
		hook_version_free(v);
	}
}

static int
load_stats(struct db *db, struct hook_stats_list *stats)
{
	sqlite3_stmt *stmt = db_stmt(db, SQL_HOOK_STATS);
	int rc;

	while ((rc = db_step(db, stmt)) > 0) {
		struct hook_stats *h = NEW(struct hook_stats);

		h->hook_id = (uint64_t)column_int(stmt, 0);
		h->name = column_text(stmt, 1);
		h->stack = column_text(stmt, 2);
		h->runs = (uint64_t)column_int(stmt, 3);
		h->failures = (uint64_t)column_int(stmt, 4);
		h->last_run_ns = column_int(stmt, 5);
		h->created_ns = column_int(stmt, 6);
		h->updated_ns = column_int(stmt, 7);
		h->last_version = (uint32_t)column_int(stmt, 8);
		STAILQ_INSERT_TAIL(stats, h, link);
	}
	return rc;
}

/* Both lists or none.  On a connection of its own: the readers' belong to their lanes, and the
 * events room, which starts earlier, may have work there already. */
int
store_load_hooks(struct store *store, struct hook_version_list *ret_versions,
	struct hook_stats_list *ret_stats, struct err *err)
{
	struct hook_version_list versions = STAILQ_HEAD_INITIALIZER(versions);
	struct hook_stats_list stats = STAILQ_HEAD_INITIALIZER(stats);
	struct hook_stats *h;
	struct db db = {0};
	int rc = db_open_reader(&db, store->db_path);

	if (rc == 0)
		rc = read_versions(&db, db_stmt(&db, SQL_VERSIONS_NEEDED), &versions);
	if (rc == 0)
		rc = load_stats(&db, &stats);
	if (rc < 0 && err)
		*err = db.err;
	db_close(&db);
	if (rc == 0) {
		STAILQ_CONCAT(ret_versions, &versions);
		STAILQ_CONCAT(ret_stats, &stats);
		return 0;
	}
	free_versions(&versions);
	while ((h = STAILQ_FIRST(&stats))) {
		STAILQ_REMOVE_HEAD(&stats, link);
		hook_stats_free(h);
	}
	return rc;
}

int
store_load_history(struct store *store, struct hook_version_list *ret_versions, struct err *err)
{
	struct hook_version_list versions = STAILQ_HEAD_INITIALIZER(versions);
	struct db db = {0};
	int rc = db_open_reader(&db, store->db_path);

	if (rc == 0)
		rc = read_versions(&db, db_stmt(&db, SQL_VERSIONS_ALL), &versions);
	if (rc < 0 && err)
		*err = db.err;
	db_close(&db);
	if (rc == 0)
		STAILQ_CONCAT(ret_versions, &versions);
	free_versions(&versions);
	return rc;
}

/* ---- looking at versions --------------------------------------------------------------------- */

struct versions_job {
	struct store_job job;
	uint64_t hook_id;
	uint32_t version;
	struct hook_version_list versions;
	store_versions_fn *done;
	void *arg;
};

static void
list_read(struct store_job *job, struct db *db)
{
	struct versions_job *j = (struct versions_job *)job;
	sqlite3_stmt *stmt = db_stmt(db, SQL_VERSIONS_OF_HOOK);

	bind_int(stmt, 1, (int64_t)j->hook_id);
	if (read_versions(db, stmt, &j->versions) < 0)
		(void)job_fail(job, db); /* told by finish */
}

static void
version_read(struct store_job *job, struct db *db)
{
	struct versions_job *j = (struct versions_job *)job;
	sqlite3_stmt *stmt = db_stmt(db, SQL_VERSION_GET);
	int rc;

	bind_int(stmt, 1, (int64_t)j->hook_id);
	bind_int(stmt, 2, j->version);
	while ((rc = db_step(db, stmt)) > 0) {
		struct hook_version *v = version_from_row(stmt);
		const void *body = sqlite3_column_blob(stmt, 11);

		v->source = mem_zalloc(v->source_len + 1, 1);
		if (v->source_len)
			memcpy(v->source, body, v->source_len);
		STAILQ_INSERT_TAIL(&j->versions, v, link);
	}
	if (rc < 0)
		(void)job_fail(job, db); /* told by finish */
	else if (STAILQ_EMPTY(&j->versions))
		(void)job_refuse(job, ENOENT, "no such version"); /* likewise */
}

static void
versions_finish(struct store_job *job)
{
	struct versions_job *j = (struct versions_job *)job;

	j->done(j->arg, job->code, &j->versions);
	free_versions(&j->versions);
}

static struct versions_job *
versions_job_new(struct store *store, uint64_t hook_id, store_versions_fn *done, void *arg)
{
	struct versions_job *j = store_job_new(store, sizeof(*j), versions_finish);

	j->hook_id = hook_id;
	j->done = done;
	j->arg = arg;
	STAILQ_INIT(&j->versions);
	return j;
}

void
store_list_versions(struct store *store, uint64_t hook_id, store_versions_fn *done, void *arg)
{
	struct versions_job *j = versions_job_new(store, hook_id, done, arg);

	j->job.read = list_read;
	store_read(&j->job, &store->point);
}

void
store_get_version(
	struct store *store, uint64_t hook_id, uint32_t version, store_versions_fn *done, void *arg)
{
	struct versions_job *j = versions_job_new(store, hook_id, done, arg);

	j->job.read = version_read;
	j->version = version;
	store_read(&j->job, &store->point);
}
