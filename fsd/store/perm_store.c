/* Modes and owners that were given to paths of the tree, where they differ from what its rows say.
 */
#include "fsd/store/store.h"

#include "base/mem.h"
#include "fsd/store/store_impl.h"

#include <stdlib.h>

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
