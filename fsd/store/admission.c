/* What is not final and must be durable all the same: executions that are held or were admitted,
 * the counts of gates, and which events are parked.
 *
 * An event of which everything open is held leaves the memory of the daemon.  It is then marked
 * processing, so that the look for pending events, which a restart and a full buffer need, does not
 * go over a hundred thousand of them again and again.  It is found by its held executions instead:
 * the index execution_due has nothing but those, in the order in which each hook wants them.
 *
 * The lane of an execution (order_by) stands here while it is open, since events of one lane may be
 * parked while others are not: a new life must know all of them before it runs one. */
#include "base/clock.h"
#include "base/mem.h"
#include "fsd/store/held.h"
#include "fsd/store/store_impl.h"

#include <stdlib.h>
#include <string.h>

#define ROW_BYTES 256               /* of what is written, beside its texts */
#define DUE_BYTES (4 * 1024 * 1024) /* of data in one answer of store_read_due */

/* ---- admit ---------------------------------------------------------------------------------- */

struct admit_job {
	struct store_job job;
	struct execution_list executions;
	struct gate_count_list counts;
	uint64_t *parked, *unparked;
	size_t parked_count, unparked_count;
	store_done_fn *done;
	void *arg;
};

static int
put_count(struct writer *w, const struct gate_count *c)
{
	sqlite3_stmt *stmt = db_stmt(&w->db, c->value ? SQL_GATE_COUNT_PUT : SQL_GATE_COUNT_DELETE);

	bind_int(stmt, 1, (int64_t)c->hook_id);
	bind_text(stmt, 2, c->key);
	if (c->value) {
		bind_text(stmt, 3, c->value);
		bind_int(stmt, 4, c->expires_ns);
	}
	return db_run(&w->db, stmt);
}

static int
mark_events(struct writer *w, const uint64_t *seqs, size_t count, enum event_status to)
{
	enum event_status from = to == EVENT_PENDING ? EVENT_PROCESSING : EVENT_PENDING;

	for (size_t i = 0; i < count; i++) {
		sqlite3_stmt *stmt = db_stmt(&w->db, SQL_EVENT_MARK);
		int rc;

		bind_int(stmt, 1, (int64_t)seqs[i]);
		bind_int(stmt, 2, from);
		bind_int(stmt, 3, to);
		rc = db_run(&w->db, stmt);
		if (rc < 0)
			return rc;
		if (sqlite3_changes(w->db.handle) == 0)
			continue;
		w->now.by_status[from]--;
		w->now.by_status[to]++;
	}
	return 0;
}

static int
admit_write(struct store_job *job, struct writer *w)
{
	struct admit_job *a = (struct admit_job *)job;
	const struct gate_count *c;
	int rc = executions_put(w, &a->executions);

	if (rc < 0)
		return rc;
	STAILQ_FOREACH (c, &a->counts, link) {
		rc = put_count(w, c);
		if (rc < 0)
			return rc;
	}
	rc = mark_events(w, a->unparked, a->unparked_count, EVENT_PENDING);
	if (rc < 0)
		return rc;
	return mark_events(w, a->parked, a->parked_count, EVENT_PROCESSING);
}

static void
admit_finish(struct store_job *job)
{
	struct admit_job *a = (struct admit_job *)job;

	if (a->done)
		a->done(a->arg, job->code, &job->err);
	execution_list_free(&a->executions);
	gate_count_list_free(&a->counts);
	free(a->parked);
	free(a->unparked);
}

static uint64_t *
copy_seqs(const uint64_t *seqs, size_t count)
{
	uint64_t *copy = NEW_N(uint64_t, count + 1);

	if (count)
		memcpy(copy, seqs, count * sizeof(*copy));
	return copy;
}

void
store_admit(struct store *store, struct admission *admission, store_done_fn *done, void *arg)
{
	struct admit_job *a = store_job_new(store, sizeof(*a), admit_finish);
	const struct execution *ex;
	const struct gate_count *c;

	a->job.write = admit_write;
	STAILQ_INIT(&a->executions);
	STAILQ_INIT(&a->counts);
	STAILQ_CONCAT(&a->executions, &admission->executions);
	STAILQ_CONCAT(&a->counts, &admission->counts);
	STAILQ_FOREACH (ex, &a->executions, link)
		a->job.cost_bytes += execution_cost(ex);
	STAILQ_FOREACH (c, &a->counts, link)
		a->job.cost_bytes += ROW_BYTES;
	a->parked = copy_seqs(admission->parked, admission->parked_count);
	a->parked_count = admission->parked_count;
	a->unparked = copy_seqs(admission->unparked, admission->unparked_count);
	a->unparked_count = admission->unparked_count;
	a->job.cost_bytes += ROW_BYTES * (a->parked_count + a->unparked_count);
	a->done = done;
	a->arg = arg;
	store_write(&a->job);
}

/* ---- what is due ---------------------------------------------------------------------------- */

struct due_job {
	struct store_job job;
	uint64_t hook_id;
	struct due_key from;
	size_t limit;
	struct due_page page;
	store_due_fn *done;
	void *arg;
};

static int
read_lowest(struct db *db, struct parked_low *ret_low)
{
	sqlite3_stmt *stmt = db_stmt(db, SQL_PARKED_LOWEST);
	int rc = db_step(db, stmt);

	*ret_low = (struct parked_low){.seq = UINT64_MAX};
	if (rc <= 0)
		return rc;
	*ret_low = (struct parked_low){(uint64_t)column_int(stmt, 0), column_int(stmt, 1)};
	return db_run(db, stmt);
}

/* The event of a row of SQL_DUE with its executions, to the end of the page. */
static int
read_due_event(struct due_page *page, struct db *db, uint64_t seq, size_t *bytes)
{
	struct event *ev;
	int rc = event_read(db, seq, &ev);

	if (rc <= 0)
		return rc;
	STAILQ_INSERT_TAIL(&page->events, ev, link);
	*bytes += ev->data_len;
	return event_executions(db, seq, &page->executions);
}

static int
read_due(struct due_job *d, struct db *db)
{
	sqlite3_stmt *stmt = db_stmt(db, SQL_DUE);
	size_t count = 0, bytes = 0;
	int rc;

	bind_int(stmt, 1, (int64_t)d->hook_id);
	bind_int(stmt, 2, d->from.due_ns);
	bind_int(stmt, 3, (int64_t)d->from.seq);
	while ((rc = db_step(db, stmt)) > 0) {
		struct due_key key = {column_int(stmt, 0), (uint64_t)column_int(stmt, 1)};

		if (count++ == d->limit || bytes > DUE_BYTES) {
			d->page.next = key;
			break;
		}
		rc = read_due_event(&d->page, db, key.seq, &bytes);
		if (rc < 0)
			break;
	}
	if (stmt)
		(void)sqlite3_reset(stmt); /* its error, if any, is in rc already */
	return rc < 0 ? rc : read_lowest(db, &d->page.low);
}

static void
due_read(struct store_job *job, struct db *db)
{
	struct due_job *d = (struct due_job *)job;
	int rc = db_run(db, db_stmt(db, SQL_BEGIN_READ));

	if (rc == 0)
		rc = read_due(d, db);
	if (rc < 0)
		(void)job_fail(job, db); /* told by finish */
	db_rollback(db);                 /* of what was only read */
}

static void
due_finish(struct store_job *job)
{
	struct due_job *d = (struct due_job *)job;

	d->done(d->arg, job->code, &d->page);
	event_list_free(&d->page.events);
	execution_list_free(&d->page.executions);
}

void
store_read_due(struct store *store, uint64_t hook_id, const struct due_key *from, size_t limit,
	store_due_fn *done, void *arg)
{
	struct due_job *d = store_job_new(store, sizeof(*d), due_finish);

	d->job.read = due_read;
	d->hook_id = hook_id;
	d->from = *from;
	d->limit = limit;
	STAILQ_INIT(&d->page.events);
	STAILQ_INIT(&d->page.executions);
	d->done = done;
	d->arg = arg;
	store_read(&d->job, &store->point);
}

/* ---- at start ------------------------------------------------------------------------------- */

static int
load_counts(struct db *db, struct gate_count_list *ret_counts)
{
	sqlite3_stmt *stmt = db_stmt(db, SQL_GATE_COUNTS);
	int rc;

	bind_int(stmt, 1, clock_real_ns());
	while ((rc = db_step(db, stmt)) > 0) {
		struct gate_count *c = NEW(struct gate_count);

		c->hook_id = (uint64_t)column_int(stmt, 0);
		c->key = column_text(stmt, 1);
		c->value = column_text(stmt, 2);
		c->expires_ns = column_int(stmt, 3);
		STAILQ_INSERT_TAIL(ret_counts, c, link);
	}
	return rc;
}

void
gate_count_list_free(struct gate_count_list *counts)
{
	struct gate_count *c;

	while ((c = STAILQ_FIRST(counts))) {
		STAILQ_REMOVE_HEAD(counts, link);
		gate_count_free(c);
	}
}

int
store_load_counts(struct store *store, struct gate_count_list *ret_counts, struct err *err)
{
	struct db db = {0};
	int rc = db_open_reader(&db, store->db_path);

	if (rc == 0)
		rc = load_counts(&db, ret_counts);
	if (rc < 0) {
		gate_count_list_free(ret_counts);
		if (err)
			*err = db.err;
	}
	db_close(&db);
	return rc;
}

static int
load_hooks(struct db *db, struct store_held *held)
{
	sqlite3_stmt *stmt = db_stmt(db, SQL_DUE_HOOKS);
	size_t cap = 0;
	int rc;

	while ((rc = db_step(db, stmt)) > 0) {
		if (held->hook_count == cap) {
			cap = cap ? 2 * cap : 16;
			held->hooks = mem_realloc(held->hooks, cap * sizeof(*held->hooks));
		}
		held->hooks[held->hook_count++] =
			(struct lot_first){(uint64_t)column_int(stmt, 0), column_int(stmt, 1)};
	}
	return rc;
}

static int
load_lanes(struct db *db, struct store_held *held)
{
	sqlite3_stmt *stmt = db_stmt(db, SQL_LANES);
	size_t cap = 0;
	int rc;

	while ((rc = db_step(db, stmt)) > 0) {
		if (held->lane_count == cap) {
			cap = cap ? 2 * cap : 64;
			held->lanes = mem_realloc(held->lanes, cap * sizeof(*held->lanes));
		}
		held->lanes[held->lane_count++] = (struct lane_seq){
			.hook_id = (uint64_t)column_int(stmt, 0),
			.lane = (uint64_t)column_int(stmt, 1),
			.seq = (uint64_t)column_int(stmt, 2),
		};
	}
	return rc;
}

int
store_count_held(struct store *store, store_held_count_fn *fn, void *arg, struct err *err)
{
	struct db db = {0};
	int rc = db_open_reader(&db, store->db_path);
	sqlite3_stmt *stmt = rc == 0 ? db_stmt(&db, SQL_HELD_COUNTS) : NULL;

	while (stmt && (rc = db_step(&db, stmt)) > 0)
		fn(arg, (uint64_t)column_int(stmt, 0), (uint64_t)column_int(stmt, 1));
	if (rc < 0 && err)
		*err = db.err;
	db_close(&db);
	return rc;
}

int
store_load_held(struct store *store, struct store_held *ret_held, struct err *err)
{
	struct db db = {0};
	int rc = db_open_reader(&db, store->db_path);

	*ret_held = (struct store_held){.parked = store->opened_parked};
	if (rc == 0)
		rc = read_lowest(&db, &ret_held->low);
	if (rc == 0)
		rc = load_hooks(&db, ret_held);
	if (rc == 0)
		rc = load_lanes(&db, ret_held);
	if (rc < 0) {
		store_held_fini(ret_held);
		if (err)
			*err = db.err;
	}
	db_close(&db);
	return rc;
}

void
store_held_fini(struct store_held *held)
{
	free(held->hooks);
	free(held->lanes);
	*held = (struct store_held){0};
}
