/* Group commit.
 *
 * A commit with synchronous=FULL waits for the disk, so what is queued meanwhile is committed by
 * the next one: the longer a commit takes, the larger the next group, and latency stays at two
 * commits whatever the rate.  A group is bounded, so that its first callers do not wait for the
 * last and the WAL grows in small steps; while somebody sends single events, to some 3 ms.
 *
 * One job that fails must not take its neighbours with it.  A savepoint around each job would cost
 * every job for what happens almost never; instead a failed group is rolled back and its jobs run
 * again one by one, each in a transaction of its own.  So a job's write function may run twice. */
#include "fsd/store/writer.h"

#include "base/clock.h"
#include "base/mem.h"
#include "fsd/store/store_impl.h"

#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#define GROUP_JOBS      512
#define GROUP_BYTES     (4 * 1024 * 1024)
#define SHARED_BYTES    (128 * 1024) /* of a group while somebody sends single events */
#define SINGLE_BYTES    (8 * 1024)
#define SINGLE_AGE_NS   NS_PER_S
#define PAGE_BYTES      4096
#define WAL_LIMIT_PAGES (64 * 1024 * 1024 / PAGE_BYTES)
#define READERS_WAIT_MS 50 /* writes wait meanwhile */
#define COMPANY_NS      (500 * NS_PER_US)

/* ---- counters ------------------------------------------------------------------------------- */

static int
counters_read(struct db *db, struct counters *ret_counters)
{
	sqlite3_stmt *stmt = db_stmt(db, SQL_COUNTER_GET);
	int rc = db_step(db, stmt);

	if (rc <= 0)
		return rc ? rc : err_set(&db->err, EIO, "database '%s': no counters", db->path);
	*ret_counters = (struct counters){
		.is_open = column_int(stmt, 0),
		.last_seq = column_int(stmt, 1),
		.last_hook_id = column_int(stmt, 2),
	};
	for (int i = 0; i < 4; i++)
		ret_counters->by_status[i] = column_int(stmt, 3 + i);
	return db_run(db, stmt);
}

static int
counters_write(struct writer *w)
{
	sqlite3_stmt *stmt;

	if (memcmp(&w->now, &w->committed, sizeof(w->now)) == 0)
		return 0;
	stmt = db_stmt(&w->db, SQL_COUNTER_SET);
	bind_int(stmt, 1, w->now.is_open);
	bind_int(stmt, 2, w->now.last_seq);
	bind_int(stmt, 3, w->now.last_hook_id);
	for (int i = 0; i < 4; i++)
		bind_int(stmt, 4 + i, w->now.by_status[i]);
	return db_run(&w->db, stmt);
}

static void
counters_publish(struct writer *w)
{
	w->committed = w->now;
	for (size_t i = 0; i < 4; i++)
		w->by_status[i] = (uint64_t)w->now.by_status[i];
}

/* ---- counters of hooks ---------------------------------------------------------------------- */

void
writer_count_hook(struct writer *w, const struct hook_delta *delta)
{
	struct hook_delta *d;
	size_t i = 0;

	while (i < w->delta_count && w->deltas[i].hook_id != delta->hook_id)
		i++;
	if (i == w->delta_cap) {
		w->delta_cap = w->delta_cap ? 2 * w->delta_cap : 16;
		w->deltas = mem_realloc(w->deltas, w->delta_cap * sizeof(*w->deltas));
	}
	if (i == w->delta_count)
		w->deltas[w->delta_count++] = (struct hook_delta){.hook_id = delta->hook_id};
	d = &w->deltas[i];
	d->runs += delta->runs;
	d->failures += delta->failures;
	if (delta->last_run_ns > d->last_run_ns)
		d->last_run_ns = delta->last_run_ns;
}

static int
deltas_write(struct writer *w)
{
	int rc = 0;

	for (size_t i = 0; i < w->delta_count && rc == 0; i++) {
		sqlite3_stmt *stmt = db_stmt(&w->db, SQL_HOOK_COUNT);

		bind_int(stmt, 1, (int64_t)w->deltas[i].hook_id);
		bind_int(stmt, 2, w->deltas[i].runs);
		bind_int(stmt, 3, w->deltas[i].failures);
		bind_int(stmt, 4, w->deltas[i].last_run_ns);
		rc = db_run(&w->db, stmt);
	}
	w->delta_count = 0;
	return rc;
}

/* ---- groups --------------------------------------------------------------------------------- */

/* Whether intake must be refused.  Pages that wait in the WAL will need their place in the database
 * too, so they count as used. */
static void
look_for_space(struct writer *w)
{
	struct statvfs fs;
	uint64_t free_bytes, need;

	if (statvfs(w->dir, &fs) != 0)
		return; /* the commit will tell */
	free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	need = w->reserve_bytes + (uint64_t)(w->wal_pages - w->wal_moved) * PAGE_BYTES;
	w->is_full = free_bytes < need;
}

/* Whoever sends events one after another sends the next one when the last was committed, just when
 * the results of that one arrive here.  Results are in no hurry, so they wait for that next event
 * and share its commit; committed by themselves they would make it wait for a second one.  Done
 * only while events are seen to follow each other, so that a single one's end is recorded at once.
 */
static bool
may_wait(const struct lane_jobs *jobs)
{
	const struct lane_job *job;

	STAILQ_FOREACH (job, jobs, link)
		if (!((const struct store_job *)job)->may_wait)
			return false;
	return true;
}

static void
await_company(struct writer *w, struct lane_jobs *jobs)
{
	while (w->intake_gap_ns < w->company_ns && may_wait(jobs))
		if (!lane_await(w->lane, jobs, w->intake_end_ns + w->company_ns))
			w->intake_gap_ns = INT64_MAX; /* nobody followed: wait no more */
}

static int
run_job(struct writer *w, struct store_job *job)
{
	job->code = 0;
	if (job->is_intake) {
		if (w->is_full)
			return job_refuse(job, ENOSPC,
				"the disk of '%s' is nearly full: events are refused until there "
				"is space",
				w->dir);
	}
	return job->write(job, w);
}

static int
run_transaction(struct writer *w, struct lane_jobs *group)
{
	struct lane_job *job;
	int rc = db_run(&w->db, db_stmt(&w->db, SQL_BEGIN_WRITE));

	STAILQ_FOREACH (job, group, link) {
		if (rc == 0)
			rc = run_job(w, (struct store_job *)job);
	}
	if (rc == 0)
		rc = deltas_write(w);
	if (rc == 0)
		rc = counters_write(w);
	if (rc == 0)
		rc = db_run(&w->db, db_stmt(&w->db, SQL_COMMIT));
	return rc;
}

static int
commit_group(struct writer *w, struct lane_jobs *group)
{
	int64_t from_ns = clock_mono_ns();
	int rc = run_transaction(w, group);

	if (rc == 0) {
		counters_publish(w);
		w->commits++;
		w->last_commit_ns = (uint64_t)(clock_mono_ns() - from_ns);
		w->wal_waiting = w->wal_pages - w->wal_moved;
		return 0;
	}
	db_rollback(&w->db);
	w->now = w->committed;
	w->delta_count = 0;
	names_forget(&w->names);
	return rc;
}

/* What was committed goes back with results last: who sends events waits for the answer, and nobody
 * for theirs. */
static void
give_back(struct lane_jobs *group, struct lane_jobs *finished)
{
	struct lane_jobs results = STAILQ_HEAD_INITIALIZER(results);
	struct lane_job *job;

	while ((job = STAILQ_FIRST(group))) {
		STAILQ_REMOVE_HEAD(group, link);
		if (((struct store_job *)job)->may_wait)
			STAILQ_INSERT_TAIL(&results, job, link);
		else
			STAILQ_INSERT_TAIL(finished, job, link);
	}
	STAILQ_CONCAT(finished, &results);
}

static void
run_group(struct writer *w, struct lane_jobs *group, struct lane_jobs *finished)
{
	struct lane_job *job;
	bool is_single = STAILQ_NEXT(STAILQ_FIRST(group), link) == NULL;
	int rc = commit_group(w, group);

	if (rc == 0) {
		give_back(group, finished);
		return;
	}
	while ((job = STAILQ_FIRST(group))) {
		struct lane_jobs alone = STAILQ_HEAD_INITIALIZER(alone);

		STAILQ_REMOVE_HEAD(group, link);
		STAILQ_INSERT_TAIL(&alone, job, link);
		if (is_single || commit_group(w, &alone) < 0)
			(void)job_fail((struct store_job *)job, &w->db); /* told to the caller */
		STAILQ_CONCAT(finished, &alone);
	}
}

bool
writer_is_shared(const struct writer *w)
{
	return w->single_ns && clock_mono_ns() - w->single_ns < SINGLE_AGE_NS;
}

/* Move the head of jobs that commits together to group; true when intake is among it. */
static bool
take_group(struct writer *w, struct lane_jobs *jobs, struct lane_jobs *group)
{
	struct lane_job *first;
	size_t count = 0, bytes = 0, bytes_max = writer_is_shared(w) ? SHARED_BYTES : GROUP_BYTES;
	bool has_intake = false, has_single = false;

	while ((first = STAILQ_FIRST(jobs))) {
		struct store_job *job = (struct store_job *)first;

		if (!job->write || count == GROUP_JOBS || bytes > bytes_max)
			break;
		STAILQ_REMOVE_HEAD(jobs, link);
		STAILQ_INSERT_TAIL(group, first, link);
		count++;
		bytes += job->cost_bytes;
		has_intake |= job->is_intake;
		has_single |= job->is_intake && job->cost_bytes <= SINGLE_BYTES;
	}
	if (has_single)
		w->single_ns = clock_mono_ns();
	return has_intake;
}

void
writer_batch(void *arg, struct lane_jobs *jobs, struct lane_jobs *finished)
{
	struct lane_jobs group = STAILQ_HEAD_INITIALIZER(group);
	struct writer *w = arg;
	struct lane_job *first = STAILQ_FIRST(jobs);
	struct store_job *job = (struct store_job *)first;

	if (job->upkeep) {
		STAILQ_REMOVE_HEAD(jobs, link);
		job->upkeep(job, w);
		STAILQ_INSERT_TAIL(finished, first, link);
		return;
	}
	await_company(w, jobs);
	if (!take_group(w, jobs, &group)) {
		run_group(w, &group, finished);
		return;
	}
	w->intake_gap_ns = clock_mono_ns() - w->intake_end_ns;
	look_for_space(w);
	run_group(w, &group, finished);
	w->intake_end_ns = clock_mono_ns();
}

/* ---- checkpoints ---------------------------------------------------------------------------- */

static int
on_wal(void *arg, sqlite3 *handle, const char *schema, int pages)
{
	struct writer *w = arg;

	(void)handle;
	(void)schema;
	w->wal_pages = pages;
	if (pages < w->wal_moved)
		w->wal_moved = 0; /* the log began anew */
	return SQLITE_OK;
}

void
writer_checkpoint(struct writer *w)
{
	bool is_long = w->wal_pages > WAL_LIMIT_PAGES;
	int mode = is_long ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
	int pages, moved, rc;

	(void)sqlite3_busy_timeout(w->db.handle, READERS_WAIT_MS); /* cannot fail */
	rc = sqlite3_wal_checkpoint_v2(w->db.handle, NULL, mode, &pages, &moved);
	(void)sqlite3_busy_timeout(w->db.handle, WRITER_WAIT_MS);
	if ((rc == SQLITE_OK || rc == SQLITE_BUSY) && pages >= 0) {
		w->wal_pages = pages;
		w->wal_moved = moved;
		w->wal_waiting = pages - moved;
	}
}

/* ---- life ----------------------------------------------------------------------------------- */

static int
write_counters_alone(struct writer *w)
{
	struct lane_jobs none = STAILQ_HEAD_INITIALIZER(none);

	return commit_group(w, &none);
}

int
writer_start(struct writer *w, const char *dir, bool *ret_was_crashed)
{
	int rc;

	w->dir = dir;
	w->company_ns = COMPANY_NS;
	(void)sqlite3_wal_hook(w->db.handle, on_wal, w); /* returns the hook before: none */
	rc = counters_read(&w->db, &w->now);
	if (rc < 0)
		return rc;
	counters_publish(w);
	*ret_was_crashed = w->now.is_open != 0;
	w->now.is_open = 1;
	return write_counters_alone(w);
}

void
writer_end(struct writer *w)
{
	w->now.is_open = 0;
	if (write_counters_alone(w) < 0)
		return; /* the next start takes it for a crash, which costs a check */
	(void)sqlite3_wal_checkpoint_v2(
		w->db.handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL); /* else at open */
}

void
writer_fini(struct writer *w)
{
	names_forget(&w->names);
	free(w->deltas);
	db_close(&w->db);
}
