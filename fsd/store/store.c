/* Life of the store, its lanes, and the small things.
 *
 * hooks.db has four connections: the writer's, and one each for point look-ups, for lists and for
 * the check after a crash, so that a slow one never makes a quick one wait.  Each belongs to its
 * lane's thread.  What is read on the core thread at start (hooks, permissions) uses a short-lived
 * connection of its own: the lanes may be at work by then.
 *
 * A lock on <dir>/master.lock, held by this descriptor until the process ends however it ends, is
 * what makes "one writer" true. */
#include "fsd/store/store.h"

#include "base/auto.h"
#include "base/mem.h"
#include "fsd/store/hook_store.h"
#include "fsd/store/schema.h"
#include "fsd/store/store_impl.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define PROGRESS_STEPS 10000 /* of SQLite's machine: some 100 us */

/* ---- jobs ----------------------------------------------------------------------------------- */

static void
on_job_done(struct lane_job *lane_job)
{
	struct store_job *job = (struct store_job *)lane_job;

	if (job->write && !job->is_quiet && !job->store->is_closing)
		upkeep_after_write(job->store->upkeep, job->cost_bytes);
	job->finish(job);
	free(job);
}

static void
on_read_run(struct lane_job *lane_job)
{
	struct store_job *job = (struct store_job *)lane_job;

	job->read(job, &job->reader->db);
}

void *
store_job_new(struct store *store, size_t size, void (*finish)(struct store_job *job))
{
	struct store_job *job = mem_zalloc(1, size);

	job->store = store;
	job->lane.done = on_job_done;
	job->finish = finish;
	return job;
}

static void
submit(struct lane *lane, struct store_job *job)
{
	if (job->store->is_closing)
		STAILQ_INSERT_TAIL(&job->store->late, &job->lane, link);
	else
		lane_submit(lane, &job->lane);
}

void
store_write(struct store_job *job)
{
	submit(job->store->write_lane, job);
}

void
store_read(struct store_job *job, struct reader *reader)
{
	job->reader = reader;
	job->lane.run = on_read_run;
	submit(reader->lane, job);
}

int
job_refuse(struct store_job *job, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	job->code = err_vset(&job->err, code, fmt, ap);
	va_end(ap);
	return 0;
}

int
job_fail(struct store_job *job, struct db *db)
{
	job->err = db->err;
	job->code = -db->err.code;
	return job->code;
}

/* ---- open ----------------------------------------------------------------------------------- */

static int
make_dir(const char *dir, struct err *err)
{
	if (mkdir(dir, 0700) == 0 || errno == EEXIST)
		return 0;
	return err_set(
		err, errno, "cannot make the state directory '%s': %s", dir, strerror(errno));
}

static int
refuse_second_master(int fd, const char *dir, struct err *err)
{
	char pid[24] = "";
	ssize_t len = pread(fd, pid, sizeof(pid) - 1, 0);

	pid[len > 0 ? len : 0] = '\0';
	pid[strcspn(pid, "\n")] = '\0';
	return err_set(err, EWOULDBLOCK,
		"the state '%s' is in use by the master with pid %s: stop it, or give this one "
		"another state directory",
		dir, *pid ? pid : "?");
}

static int
lock_dir(struct store *store, struct err *err)
{
	AUTO(free) char *path = mem_printf("%s/master.lock", store->dir);
	AUTO(fd) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char pid[24];
	int len;

	if (fd < 0)
		return err_set(err, errno, "cannot open '%s': %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno == EWOULDBLOCK)
			return refuse_second_master(fd, store->dir, err);
		return err_set(err, errno, "cannot lock '%s': %s", path, strerror(errno));
	}
	len = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)len, 0) != len)
		return err_set(err, errno, "cannot write '%s': %s", path, strerror(errno));
	store->lock_fd = TAKE_FD(fd);
	return 0;
}

/* The database holds state and payloads: nobody else reads it, whatever umask says.  SQLite gives
 * the WAL the same mode.  Done before any connection: closing a descriptor of a database in use
 * drops its locks. */
static int
make_private_file(const char *path, struct err *err)
{
	AUTO(fd) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_set(err, errno, "cannot open '%s': %s", path, strerror(errno));
	return 0;
}

static int
open_writer(struct store *store, const struct store_options *opt)
{
	struct writer *w = &store->writer;
	int rc = db_open_writer(&w->db, store->db_path, opt->is_fast);

	if (rc == 0)
		rc = schema_migrate(&w->db, schema_steps, schema_step_count());
	if (rc == 0)
		rc = writer_start(w, store->dir, &store->was_crashed);
	if (rc == 0)
		rc = hooks_forget_removed(&w->db);
	if (rc < 0)
		return rc;
	w->reserve_bytes = opt->reserve_bytes;
	store->opened_last_seq = (uint64_t)w->now.last_seq;
	store->opened_pending = (uint64_t)w->now.by_status[EVENT_PENDING];
	store->opened_parked = (uint64_t)w->now.by_status[EVENT_PROCESSING];
	store->sources_kept = STORE_SOURCES_KEPT;
	store->last_hook_id = (uint64_t)w->now.last_hook_id;
	return 0;
}

/* Ends a long read when the store closes. */
static int
on_progress(void *arg)
{
	const struct store *store = arg;

	return store->is_closing;
}

static int
open_files(struct store *store, const struct store_options *opt, struct err *err)
{
	struct db *const dbs[] = {&store->point.db, &store->lists.db, &store->check.db};
	int rc = make_private_file(store->db_path, err);

	if (rc < 0)
		return rc;
	rc = open_writer(store, opt);
	if (rc < 0) {
		*err = store->writer.db.err;
		return rc;
	}
	for (size_t i = 0; i < 3; i++) {
		rc = db_open_reader(dbs[i], store->db_path);
		if (rc < 0) {
			*err = dbs[i]->err;
			return rc;
		}
		sqlite3_progress_handler(dbs[i]->handle, PROGRESS_STEPS, on_progress, store);
	}
	return 0;
}

static void
store_free(struct store *store)
{
	db_close(&store->point.db);
	db_close(&store->lists.db);
	db_close(&store->check.db);
	writer_fini(&store->writer);
	if (store->lock_fd >= 0)
		(void)close(store->lock_fd); /* gives the lock back */
	free(store->db_path);
	free(store->dir);
	free(store);
}

int
store_open(
	uv_loop_t *loop, const struct store_options *opt, struct store **ret_store, struct err *err)
{
	struct err local;
	struct store *store;
	int rc = make_dir(opt->dir, err);

	if (rc < 0)
		return rc;
	store = NEW(struct store);
	store->loop = loop;
	store->dir = mem_strdup(opt->dir);
	store->db_path = mem_printf("%s/hooks.db", opt->dir);
	store->lock_fd = -1;
	STAILQ_INIT(&store->late);
	rc = lock_dir(store, err);
	if (rc == 0)
		rc = open_files(store, opt, err ? err : &local);
	if (rc < 0) {
		store_free(store);
		return rc;
	}
	store->write_lane = lane_start(loop, "store-write", writer_batch, &store->writer);
	store->writer.lane = store->write_lane;
	store->point.lane = lane_start(loop, "store-point", NULL, NULL);
	store->lists.lane = lane_start(loop, "store-lists", NULL, NULL);
	store->upkeep = upkeep_new(store);
	*ret_store = store;
	return 0;
}

/* ---- close ---------------------------------------------------------------------------------- */

static void
cancel_late(struct store *store)
{
	struct lane_job *first;

	while ((first = STAILQ_FIRST(&store->late))) {
		struct store_job *job = (struct store_job *)first;

		STAILQ_REMOVE_HEAD(&store->late, link);
		(void)job_refuse(job, ECANCELED, "the store is closing"); /* sets job->code */
		job->finish(job);
		free(job);
	}
}

void
store_close(struct store *store)
{
	if (!store)
		return;
	store->is_closing = true;
	lane_stop(store->write_lane);
	lane_stop(store->point.lane);
	lane_stop(store->lists.lane);
	lane_stop(store->check.lane);
	cancel_late(store);
	upkeep_close(store->upkeep);
	writer_end(&store->writer);
	store_free(store);
}

/* ---- small things --------------------------------------------------------------------------- */

size_t
store_job_events(const struct store *store)
{
	return writer_is_shared(&store->writer) ? STORE_JOB_EVENTS_MAX / 4 : STORE_JOB_EVENTS_MAX;
}

uint64_t
store_last_seq(const struct store *store)
{
	return store->opened_last_seq;
}

uint64_t
store_pending_count(const struct store *store)
{
	return store->opened_pending;
}

bool
store_was_crashed(const struct store *store)
{
	return store->was_crashed;
}

void
store_set_reserve(struct store *store, uint64_t bytes)
{
	store->writer.reserve_bytes = bytes;
}

static uint64_t
file_bytes(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

void
store_figures(struct store *store, struct store_figures *ret_figures)
{
	AUTO(free) char *wal = mem_printf("%s-wal", store->db_path);
	struct writer *w = &store->writer;

	*ret_figures = (struct store_figures){
		.db_bytes = file_bytes(store->db_path),
		.wal_bytes = file_bytes(wal),
		.commits = w->commits,
		.last_commit_ns = w->last_commit_ns,
		.writer_depth = lane_depth(store->write_lane),
		.is_full = w->is_full,
		.check = store->checked,
	};
	for (size_t i = 0; i < 4; i++)
		ret_figures->events_by_status[i] = w->by_status[i];
}

/* ---- the check after a crash ---------------------------------------------------------------- */

struct check_job {
	struct store_job job;
	struct sbuf out;
	store_text_fn *done;
	void *arg;
};

static void
check_read(struct store_job *job, struct db *db)
{
	struct check_job *c = (struct check_job *)job;
	sqlite3_stmt *stmt = db_stmt(db, SQL_QUICK_CHECK);
	int rc;

	while ((rc = db_step(db, stmt)) > 0) {
		AUTO(free) char *line = column_text(stmt, 0);

		if (line && strcmp(line, "ok") != 0)
			sbuf_printf(&c->out, "%s\n", line);
	}
	if (rc < 0)
		(void)job_fail(job, db); /* told by finish */
	else if (c->out.len)
		(void)job_refuse(job, EIO, "database '%s' is damaged", db->path);
	if (rc < 0 && !c->out.len)
		sbuf_adds(&c->out, db->err.msg);
}

static void
check_finish(struct store_job *job)
{
	struct check_job *c = (struct check_job *)job;

	job->store->checked = job->code == 0      ? STORE_SOUND
			      : job->code == -EIO ? STORE_DAMAGED
						  : STORE_UNCHECKED;
	c->done(c->arg, job->code, &c->out);
	sbuf_fini(&c->out);
}

void
store_check(struct store *store, store_text_fn *done, void *arg)
{
	struct check_job *c = store_job_new(store, sizeof(*c), check_finish);

	c->job.read = check_read;
	c->done = done;
	c->arg = arg;
	store->checked = STORE_CHECKING;
	if (!store->check.lane && !store->is_closing)
		store->check.lane = lane_start(store->loop, "store-check", NULL, NULL);
	store_read(&c->job, &store->check);
}
