/* Hooks, their versions and sources, as they are written; hook_reads.c reads them.
 *
 * A version is never changed but for the end of its interval, and the source of equal versions is
 * stored once: what an editor saves ten times costs one copy.  Equal means equal bytes; the hash
 * only finds candidates. */
#include "fsd/store/hook_store.h"

#include "base/mem.h"
#include "fsd/store/store_impl.h"

#include <stdlib.h>
#include <string.h>

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
