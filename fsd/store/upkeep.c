/* Upkeep: checkpoints and retention, in the background.
 *
 * Nothing here ticks.  A write arms one timer of a second; when it fires, the WAL is checkpointed
 * and retention looks once.  What it leaves sets the other timer, to when the first of them is too
 * old; so an idle store sleeps while there is nothing to remove.  Under load a checkpoint is also
 * asked for when the WAL has grown by CHECKPOINT_PAGES since the last one, which may have met a
 * reader that stays, as a job of its own, so that the group before it is acknowledged first.
 * Retention deletes a slice of at most SLICE_EVENTS rows per job, and asks for the next when that
 * one is done, so writes of others always come between.
 *
 * What a burst took of memory, here and in all who had to do with it, goes back to the system in
 * the first second without one: the allocator keeps pages between others in use until it is told.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "fsd/store/store_impl.h"

#include <malloc.h>
#include <stdlib.h>

#define AFTER_WRITE_MS   1000
#define CHECKPOINT_PAGES 1024 /* 4 MB: 3 ms, in which nobody commits */
#define SLICE_EVENTS     500
#define SLICE_PAGES      512           /* given back to the file system per job */
#define KEEP_FREE_PAGES  1024          /* free pages worth keeping for the next rows */
#define TOO_OLD_MIN_MS   1000          /* what gets too old together goes together */
#define TOO_OLD_MAX_MS   (3600 * 1000) /* the clock may be set */
#define PAGE_BYTES       4096
#define BURST_BYTES      (256 * 1024) /* written in a second */

struct upkeep {
	struct store *store;
	uv_timer_t after_write, too_old;
	int open_handles;
	bool is_checkpointing, is_pruning;
	bool was_burst;
	size_t bytes;    /* written since the timer was set, roughly */
	int stuck_pages; /* the last checkpoint had to leave in the log, for the sake of readers */
	struct store_retention retention;
	int64_t name_cursor; /* names looked at up to this id */
};

/* ---- checkpoints ---------------------------------------------------------------------------- */

static void
checkpoint_run(struct store_job *job, struct writer *w)
{
	(void)job;
	writer_checkpoint(w);
}

static void
checkpoint_finish(struct store_job *job)
{
	struct upkeep *u = job->store->upkeep;

	u->is_checkpointing = false;
	u->stuck_pages = job->store->writer.wal_waiting;
}

static void
ask_checkpoint(struct upkeep *u)
{
	struct store_job *job;

	if (u->is_checkpointing || u->store->is_closing)
		return;
	u->is_checkpointing = true;
	job = store_job_new(u->store, sizeof(*job), checkpoint_finish);
	job->upkeep = checkpoint_run;
	store_write(job);
}

/* ---- memory --------------------------------------------------------------------------------- */

static void
relax_run(struct store_job *job, struct writer *w)
{
	(void)job;
	(void)sqlite3_db_release_memory(w->db.handle); /* always SQLITE_OK */
	(void)malloc_trim(0);                          /* whether there was any */
}

static void
relax_finish(struct store_job *job)
{
	(void)job;
}

static void
relax(struct upkeep *u)
{
	struct store_job *job = store_job_new(u->store, sizeof(*job), relax_finish);

	job->upkeep = relax_run;
	store_write(job);
}

/* ---- retention ------------------------------------------------------------------------------ */

struct prune_job {
	struct store_job job;
	struct store_retention limits;
	int64_t before_ns; /* final before: delete; 0: no limit of age */
	int64_t young_ns;  /* the oldest kept by the jobs before; INT64_MAX: none */
	int64_t next_young_ns;
	uint64_t cursor; /* looked at up to this seq by the jobs before */
	uint64_t next_cursor;
	uint64_t gone[SLICE_EVENTS]; /* deleted by this job */
	size_t slice;                /* how many */
	uint64_t total;
	bool is_complete;
	store_count_fn *done; /* NULL: our own */
	void *arg;
};

struct candidate {
	uint64_t seq;
	enum event_status status;
	int64_t created_ns, changed_ns;
};

/* How many events are over the limits of number and bytes, taken as of average size; asked again
 * before every slice. */
static int
count_excess(const struct prune_job *p, struct writer *w, uint64_t *ret_excess)
{
	uint64_t stored = 0, used_bytes, excess;
	int64_t pages, unused;
	int rc;

	*ret_excess = 0;
	for (size_t i = 0; i < 4; i++)
		stored += (uint64_t)w->now.by_status[i];
	if (p->limits.max_count && stored > p->limits.max_count)
		*ret_excess = stored - p->limits.max_count;
	if (!p->limits.max_bytes)
		return 0;
	rc = db_get_int(&w->db, "PRAGMA page_count", &pages);
	if (rc == 0)
		rc = db_get_int(&w->db, "PRAGMA freelist_count", &unused);
	if (rc < 0)
		return rc;
	used_bytes = (uint64_t)(pages - unused) * PAGE_BYTES;
	if (used_bytes <= p->limits.max_bytes)
		return 0;
	excess = (used_bytes - p->limits.max_bytes) / (used_bytes / (stored + 1)) + 1;
	if (excess > *ret_excess)
		*ret_excess = excess;
	return 0;
}

static int
read_candidates(const struct prune_job *p, struct writer *w, struct candidate *list, size_t *ret_n)
{
	sqlite3_stmt *stmt = db_stmt(&w->db, SQL_EVENTS_FOR_PRUNE);
	size_t n = 0;
	int rc;

	bind_int(stmt, 1, (int64_t)p->cursor);
	bind_int(stmt, 2, SLICE_EVENTS);
	while ((rc = db_step(&w->db, stmt)) > 0)
		list[n++] = (struct candidate){
			.seq = (uint64_t)column_int(stmt, 0),
			.status = (enum event_status)column_int(stmt, 1),
			.created_ns = column_int(stmt, 2),
			.changed_ns = column_int(stmt, 3),
		};
	*ret_n = n;
	return rc;
}

static int64_t
earlier(int64_t a_ns, int64_t b_ns)
{
	return a_ns < b_ns ? a_ns : b_ns;
}

/* One slice, oldest first.  Complete when what follows was accepted too late to be too old, and
 * nothing is over a limit. */
static int
prune_write(struct store_job *job, struct writer *w)
{
	struct prune_job *p = (struct prune_job *)job;
	struct candidate list[SLICE_EVENTS];
	uint64_t excess, cursor = p->cursor;
	int64_t young_ns = p->young_ns;
	size_t n = 0;
	int rc = count_excess(p, w, &excess);

	p->slice = 0;
	if (rc == 0)
		rc = read_candidates(p, w, list, &n);
	if (rc < 0)
		return rc;
	p->is_complete = n < SLICE_EVENTS;
	for (size_t i = 0; i < n && rc == 0; i++) {
		const struct candidate *c = &list[i];

		if (!excess && c->created_ns >= p->before_ns) {
			p->is_complete = true;
			young_ns = earlier(young_ns, c->created_ns);
			break;
		}
		cursor = c->seq;
		if (c->status < EVENT_COMPLETED)
			continue; /* its end is a write, after which we look again */
		if (!excess && c->changed_ns >= p->before_ns) {
			young_ns = earlier(young_ns, c->changed_ns);
			continue;
		}
		rc = event_delete(w, c->seq, c->status);
		excess -= excess > 0;
		p->gone[p->slice++] = c->seq;
	}
	p->next_cursor = cursor;
	p->next_young_ns = young_ns;
	return rc;
}

/* ---- tidying up after a run ----------------------------------------------------------------- */

struct tidy_job {
	struct store_job job;
	int64_t name_cursor, next_name_cursor;
	bool has_names; /* events were deleted: their types may be unused now */
	bool is_complete;
};

static int
expire(struct writer *w, enum sql_id what)
{
	sqlite3_stmt *stmt = db_stmt(&w->db, what);

	bind_int(stmt, 1, clock_real_ns());
	bind_int(stmt, 2, SLICE_EVENTS);
	return db_run(&w->db, stmt);
}

/* A window of the names per run, around and around. */
static int
prune_names(struct tidy_job *t, struct writer *w)
{
	sqlite3_stmt *stmt = db_stmt(&w->db, SQL_NAME_PRUNE);
	int64_t top;
	int rc = db_get_int(&w->db, "SELECT coalesce(max(id), 0) FROM name", &top);

	if (rc < 0)
		return rc;
	t->next_name_cursor = t->name_cursor + SLICE_EVENTS;
	if (t->next_name_cursor >= top)
		t->next_name_cursor = 0;
	bind_int(stmt, 1, t->name_cursor);
	bind_int(stmt, 2, t->name_cursor + SLICE_EVENTS);
	names_forget(&w->names);
	return db_run(&w->db, stmt);
}

/* Free pages are used again by the next rows, so only a real surplus is given back. */
static int
shrink(struct tidy_job *t, struct writer *w)
{
	int64_t pages, unused;
	int rc = db_get_int(&w->db, "PRAGMA page_count", &pages);

	if (rc == 0)
		rc = db_get_int(&w->db, "PRAGMA freelist_count", &unused);
	if (rc < 0)
		return rc;
	t->is_complete = unused <= KEEP_FREE_PAGES + pages / 8;
	return t->is_complete ? 0 : db_exec(&w->db, "PRAGMA incremental_vacuum(512)");
}

static int
tidy_write(struct store_job *job, struct writer *w)
{
	struct tidy_job *t = (struct tidy_job *)job;
	int rc = expire(w, SQL_STATE_EXPIRE);

	if (rc == 0)
		rc = expire(w, SQL_GATE_COUNT_EXPIRE);
	if (rc == 0 && t->has_names)
		rc = prune_names(t, w);
	return rc < 0 ? rc : shrink(t, w);
}

static void tidy(struct upkeep *u, bool has_names);

static void
tidy_finish(struct store_job *job)
{
	struct tidy_job *t = (struct tidy_job *)job;
	struct upkeep *u = job->store->upkeep;

	if (t->has_names)
		u->name_cursor = t->next_name_cursor;
	if (job->code == 0 && !t->is_complete)
		tidy(u, false);
	else if (job->store->writer.wal_waiting > 0)
		ask_checkpoint(u);
}

static void
tidy(struct upkeep *u, bool has_names)
{
	struct tidy_job *t;

	if (u->store->is_closing)
		return;
	t = store_job_new(u->store, sizeof(*t), tidy_finish);
	t->job.write = tidy_write;
	t->job.is_quiet = true;
	t->name_cursor = u->name_cursor;
	t->has_names = has_names;
	store_write(&t->job);
}

/* ---- runs ----------------------------------------------------------------------------------- */

static struct prune_job *prune_new(struct store *store, const struct prune_job *from);
static void on_too_old(uv_timer_t *timer);

/* Look again when the oldest that was kept is too old. */
static void
arm_too_old(struct upkeep *u, int64_t oldest_ns)
{
	int64_t ms = TOO_OLD_MAX_MS;

	if (!u->retention.max_age_ns || oldest_ns == INT64_MAX || u->store->is_closing)
		return;
	ms = earlier(ms, (oldest_ns - clock_real_ns() + u->retention.max_age_ns) / NS_PER_MS + 1);
	if (ms < TOO_OLD_MIN_MS)
		ms = TOO_OLD_MIN_MS;
	(void)uv_timer_start(&u->too_old, on_too_old, (uint64_t)ms, 0);
}

static void
prune_finish(struct store_job *job)
{
	struct prune_job *p = (struct prune_job *)job;
	struct upkeep *u = job->store->upkeep;

	if (job->code == 0) {
		if (p->slice && job->store->pruned)
			job->store->pruned(job->store->pruned_arg, p->gone, p->slice);
		p->total += p->slice;
		p->cursor = p->next_cursor;
		p->young_ns = p->next_young_ns;
		if (!p->is_complete && !job->store->is_closing) {
			store_write(&prune_new(job->store, p)->job);
			return;
		}
	}
	if (p->done) {
		p->done(p->arg, job->code, p->total, &job->err);
	} else {
		u->is_pruning = false;
		arm_too_old(u, p->young_ns);
	}
	tidy(u, p->total > 0);
}

static struct prune_job *
prune_new(struct store *store, const struct prune_job *from)
{
	struct prune_job *p = store_job_new(store, sizeof(*p), prune_finish);

	p->limits = from->limits;
	p->before_ns = from->before_ns;
	p->young_ns = from->young_ns ? from->young_ns : INT64_MAX;
	p->cursor = from->cursor;
	p->total = from->total;
	p->done = from->done;
	p->arg = from->arg;
	p->job.write = prune_write;
	p->job.is_quiet = true;
	return p;
}

void
store_delete_before(struct store *store, int64_t before_ns, store_count_fn *done, void *arg)
{
	struct prune_job from = {.before_ns = before_ns, .done = done, .arg = arg};

	store_write(&prune_new(store, &from)->job);
}

static void
ask_retention(struct upkeep *u)
{
	const struct store_retention *r = &u->retention;
	struct prune_job from = {.limits = *r};

	if (u->is_pruning || u->store->is_closing)
		return;
	u->is_pruning = true;
	if (r->max_age_ns)
		from.before_ns = clock_real_ns() - r->max_age_ns;
	store_write(&prune_new(u->store, &from)->job);
}

void
store_on_pruned(struct store *store, store_pruned_fn *pruned, void *arg)
{
	store->pruned = pruned;
	store->pruned_arg = arg;
}

void
store_set_retention(struct store *store, const struct store_retention *retention)
{
	store->upkeep->retention = *retention;
	ask_retention(store->upkeep);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void
on_after_write(uv_timer_t *timer)
{
	struct upkeep *u = timer->data;
	bool is_burst = u->bytes >= BURST_BYTES;

	ask_retention(u);
	ask_checkpoint(u);
	if (is_burst)
		(void)uv_timer_start(timer, on_after_write, AFTER_WRITE_MS, 0); /* to see its end */
	else if (u->was_burst)
		relax(u);
	u->was_burst = is_burst;
	u->bytes = 0;
}

static void
on_too_old(uv_timer_t *timer)
{
	ask_retention(timer->data);
}

void
upkeep_after_write(struct upkeep *u, size_t bytes)
{
	u->bytes += bytes;
	if (u->store->writer.wal_waiting >= u->stuck_pages + CHECKPOINT_PAGES)
		ask_checkpoint(u);
	if (!uv_is_active((uv_handle_t *)&u->after_write))
		(void)uv_timer_start(&u->after_write, on_after_write, AFTER_WRITE_MS, 0);
}

struct upkeep *
upkeep_new(struct store *store)
{
	struct upkeep *u = NEW(struct upkeep);

	u->store = store;
	(void)uv_timer_init(store->loop, &u->after_write); /* cannot fail */
	(void)uv_timer_init(store->loop, &u->too_old);
	u->after_write.data = u->too_old.data = u;
	u->open_handles = 2;
	uv_unref((uv_handle_t *)&u->after_write);
	uv_unref((uv_handle_t *)&u->too_old);
	return u;
}

static void
on_closed(uv_handle_t *handle)
{
	struct upkeep *u = handle->data;

	if (--u->open_handles == 0)
		free(u);
}

void
upkeep_close(struct upkeep *u)
{
	uv_close((uv_handle_t *)&u->after_write, on_closed);
	uv_close((uv_handle_t *)&u->too_old, on_closed);
}
