/* Hooks, their versions and sources, and permissions.
 *
 * A version is never changed but for the end of its interval, and the source of equal versions is
 * stored once: what an editor saves ten times costs one copy.  Equal means equal bytes; the hash
 * only finds candidates. */
#include "fsd/store/hook_store.h"

#include "base/auto.h"
#include "base/mem.h"
#include "fsd/store/store_impl.h"

#include <stdlib.h>
#include <string.h>

/* ---- versions ------------------------------------------------------------------------------- */

struct hook_job {
	struct store_job job;
	struct hook_version v; /* its strings are owned; name alone for a rename */
	unsigned sources_kept;
	store_done_fn *done;
	void *arg;
};

static int
put_source(struct writer *w, const struct hook_version *v, int64_t *ret_id)
{
	sqlite3_stmt *find = db_stmt(&w->db, SQL_SOURCE_FIND), *add;
	int rc;

	bind_int(find, 1, (int64_t)v->hash);
	bind_blob(find, 2, v->source, v->source_len);
	rc = db_step(&w->db, find);
	if (rc > 0) {
		*ret_id = column_int(find, 0);
		return db_run(&w->db, find);
	}
	if (rc < 0)
		return rc;
	add = db_stmt(&w->db, SQL_SOURCE_ADD);
	bind_int(add, 1, (int64_t)v->hash);
	bind_blob(add, 2, v->source, v->source_len);
	rc = db_run(&w->db, add);
	if (rc == 0)
		*ret_id = sqlite3_last_insert_rowid(w->db.handle);
	return rc;
}

static int
put_hook(struct writer *w, const struct hook_version *v)
{
	sqlite3_stmt *stmt = db_stmt(&w->db, SQL_HOOK_PUT);

	if ((int64_t)v->hook_id > w->now.last_hook_id)
		w->now.last_hook_id = (int64_t)v->hook_id;
	bind_int(stmt, 1, (int64_t)v->hook_id);
	bind_text(stmt, 2, v->name);
	bind_text(stmt, 3, v->stack);
	bind_int(stmt, 4, v->created_ns);
	return db_run(&w->db, stmt);
}

static int
close_version(struct writer *w, uint64_t hook_id, uint64_t at_seq)
{
	sqlite3_stmt *stmt = db_stmt(&w->db, SQL_VERSION_CLOSE);

	bind_int(stmt, 1, (int64_t)hook_id);
	bind_int(stmt, 2, (int64_t)at_seq);
	return db_run(&w->db, stmt);
}

static int
put_version(struct writer *w, const struct hook_version *v, int64_t source_id)
{
	sqlite3_stmt *stmt = db_stmt(&w->db, SQL_VERSION_PUT);

	bind_int(stmt, 1, (int64_t)v->hook_id);
	bind_int(stmt, 2, v->version);
	bind_int(stmt, 3, (int64_t)v->from_seq);
	bind_int(stmt, 4, (int64_t)v->to_seq);
	bind_text(stmt, 5, v->types);
	bind_text(stmt, 6, v->meta);
	bind_int(stmt, 7, source_id);
	bind_int(stmt, 8, v->created_ns);
	return db_run(&w->db, stmt);
}

/* A hook that is saved for years keeps its newest sources, and versions that still have work.  A
 * setting that is switched back and forth makes versions too, but pushes no source out. */
static int
prune_versions(struct writer *w, const struct hook_version *newest, unsigned sources_kept)
{
	sqlite3_stmt *stmt = db_stmt(&w->db, SQL_VERSIONS_PRUNE);

	bind_int(stmt, 1, (int64_t)newest->hook_id);
	bind_int(stmt, 2, sources_kept);
	bind_int(stmt, 3, (int64_t)newest->version - STORE_VERSIONS_KEPT);
	return db_run(&w->db, stmt);
}

static int
put_version_write(struct store_job *job, struct writer *w)
{
	const struct hook_job *h = (struct hook_job *)job;
	const struct hook_version *v = &h->v;
	int64_t source_id = 0;
	int rc = put_hook(w, v);

	if (rc == 0)
		rc = close_version(w, v->hook_id, v->from_seq);
	if (rc == 0)
		rc = put_source(w, v, &source_id);
	if (rc == 0)
		rc = put_version(w, v, source_id);
	return rc < 0 ? rc : prune_versions(w, v, h->sources_kept);
}

static int
close_hook_write(struct store_job *job, struct writer *w)
{
	const struct hook_version *v = &((struct hook_job *)job)->v;

	return close_version(w, v->hook_id, v->to_seq);
}

static int
rename_hook_write(struct store_job *job, struct writer *w)
{
	const struct hook_version *v = &((struct hook_job *)job)->v;
	sqlite3_stmt *stmt = db_stmt(&w->db, SQL_HOOK_RENAME);

	bind_int(stmt, 1, (int64_t)v->hook_id);
	bind_text(stmt, 2, v->name);
	return db_run(&w->db, stmt);
}

static int
put_meta_write(struct store_job *job, struct writer *w)
{
	const struct hook_version *v = &((struct hook_job *)job)->v;
	sqlite3_stmt *stmt = db_stmt(&w->db, SQL_VERSION_META);

	bind_int(stmt, 1, (int64_t)v->hook_id);
	bind_int(stmt, 2, v->version);
	bind_text(stmt, 3, v->meta);
	return db_run(&w->db, stmt);
}

static void
hook_finish(struct store_job *job)
{
	struct hook_job *h = (struct hook_job *)job;

	if (h->done)
		h->done(h->arg, job->code, &job->err);
	free(h->v.name);
	free(h->v.stack);
	free(h->v.types);
	free(h->v.meta);
	free(h->v.source);
}

static struct hook_job *
hook_job_new(struct store *store, uint64_t hook_id, store_done_fn *done, void *arg)
{
	struct hook_job *h = store_job_new(store, sizeof(*h), hook_finish);

	h->v.hook_id = hook_id;
	h->done = done;
	h->arg = arg;
	return h;
}

void
store_put_version(struct store *store, const struct hook_version *v, store_done_fn *done, void *arg)
{
	struct hook_job *h = hook_job_new(store, v->hook_id, done, arg);

	h->job.write = put_version_write;
	h->job.cost_bytes = v->source_len;
	h->v.version = v->version;
	h->v.from_seq = v->from_seq;
	h->v.to_seq = v->to_seq;
	h->v.name = mem_strdup(v->name);
	h->v.stack = mem_strdup(v->stack ? v->stack : "");
	h->v.types = mem_strdup(v->types ? v->types : "");
	h->v.meta = mem_strdup(v->meta ? v->meta : "{}");
	h->v.source = mem_zalloc(v->source_len + 1, 1);
	if (v->source)
		memcpy(h->v.source, v->source, v->source_len);
	h->v.source_len = v->source_len;
	h->v.hash = v->hash;
	h->v.created_ns = v->created_ns;
	h->sources_kept = store->sources_kept;
	store_write(&h->job);
}

void
store_set_sources_kept(struct store *store, unsigned count)
{
	store->sources_kept = count;
}

void
store_close_hook(
	struct store *store, uint64_t hook_id, uint64_t at_seq, store_done_fn *done, void *arg)
{
	struct hook_job *h = hook_job_new(store, hook_id, done, arg);

	h->job.write = close_hook_write;
	h->v.to_seq = at_seq;
	store_write(&h->job);
}

void
store_rename_hook(
	struct store *store, uint64_t hook_id, const char *name, store_done_fn *done, void *arg)
{
	struct hook_job *h = hook_job_new(store, hook_id, done, arg);

	h->job.write = rename_hook_write;
	h->v.name = mem_strdup(name);
	store_write(&h->job);
}

void
store_put_meta(struct store *store, uint64_t hook_id, uint32_t version, const char *meta,
	store_done_fn *done, void *arg)
{
	struct hook_job *h = hook_job_new(store, hook_id, done, arg);

	h->job.write = put_meta_write;
	h->v.version = version;
	h->v.meta = mem_strdup(meta);
	store_write(&h->job);
}

static int
nothing_write(struct store_job *job, struct writer *w)
{
	(void)job, (void)w;
	return 0;
}

void
store_after_writes(struct store *store, store_done_fn *done, void *arg)
{
	struct hook_job *h = hook_job_new(store, 0, done, arg);

	h->job.write = nothing_write;
	store_write(&h->job);
}

uint64_t
store_next_hook_id(struct store *store)
{
	return ++store->last_hook_id;
}

int
hooks_forget_removed(struct db *db)
{
	int rc = db_run(db, db_stmt(db, SQL_BEGIN_WRITE));

	if (rc == 0)
		rc = db_run(db, db_stmt(db, SQL_VERSIONS_PRUNE_REMOVED));
	if (rc == 0)
		rc = db_run(db, db_stmt(db, SQL_HOOKS_PRUNE_REMOVED));
	if (rc == 0)
		rc = db_run(db, db_stmt(db, SQL_COMMIT));
	if (rc < 0)
		db_rollback(db);
	return rc;
}

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

/* ---- permissions ---------------------------------------------------------------------------- */

struct perm_job {
	struct store_job job;
	struct perm perm; /* its path is owned */
};

static int
perm_write(struct store_job *job, struct writer *w)
{
	const struct perm *p = &((struct perm_job *)job)->perm;
	bool is_set = p->mode >= 0 || p->uid >= 0 || p->gid >= 0;
	sqlite3_stmt *stmt = db_stmt(&w->db, is_set ? SQL_PERM_PUT : SQL_PERM_DELETE);

	bind_text(stmt, 1, p->path);
	if (is_set) {
		bind_int(stmt, 2, p->mode);
		bind_int(stmt, 3, p->uid);
		bind_int(stmt, 4, p->gid);
	}
	return db_run(&w->db, stmt);
}

static void
perm_finish(struct store_job *job)
{
	free(((struct perm_job *)job)->perm.path);
}

void
store_put_perm(struct store *store, const char *path, int mode, int64_t uid, int64_t gid)
{
	struct perm_job *p = store_job_new(store, sizeof(*p), perm_finish);

	p->job.write = perm_write;
	p->perm = (struct perm){.path = mem_strdup(path), .mode = mode, .uid = uid, .gid = gid};
	store_write(&p->job);
}

static int
load_perms(struct db *db, struct perm_list *ret_perms)
{
	sqlite3_stmt *stmt = db_stmt(db, SQL_PERMS);
	int rc;

	while ((rc = db_step(db, stmt)) > 0) {
		struct perm *p = NEW(struct perm);

		p->path = column_text(stmt, 0);
		p->mode = (int)column_int(stmt, 1);
		p->uid = column_int(stmt, 2);
		p->gid = column_int(stmt, 3);
		STAILQ_INSERT_TAIL(ret_perms, p, link);
	}
	return rc;
}

int
store_load_perms(struct store *store, struct perm_list *ret_perms, struct err *err)
{
	struct db db = {0};
	int rc = db_open_reader(&db, store->db_path);

	if (rc == 0)
		rc = load_perms(&db, ret_perms);
	if (rc < 0 && err)
		*err = db.err;
	db_close(&db);
	return rc;
}
