/* Events and executions on their way in: append, finish, delete.
 *
 * What comes many at once is put by statements of SQL_MANY rows: one that was begun finds the
 * places in the tables and indexes once, and most rows stand beside the one before.
 *
 * Rules kept by the statements themselves, so that no order of calls can break them: an id of a
 * sender is stored once (unique index), a final state is never overwritten (WHERE status), neither
 * of an event nor of an execution.  What the core may still change while the lane works (status,
 * error, processed_ns) is copied when the job is made; all else of an event is immutable. */
#include "base/mem.h"
#include "fsd/store/store_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define EVENT_COST_BYTES     256 /* of a row, beside its data */
#define EVENT_PARAMETERS     18
#define EXECUTION_PARAMETERS 14

/* ---- append --------------------------------------------------------------------------------- */

struct append_dup {
	struct event *ev; /* borrowed from events */
	uint64_t first_seq;
};

struct append_job {
	struct store_job job;
	struct event **events; /* references */
	size_t count;
	struct append_dup *dups;
	size_t dup_count;
	store_dup_fn *dup;
	store_done_fn *done;
	void *arg;
};

static int
bind_event(struct writer *w, sqlite3_stmt *stmt, int at, const struct event *ev)
{
	bool has_data = ev->data && !(ev->data_len == 2 && memcmp(ev->data, "{}", 2) == 0);
	int64_t type, stack = 0;
	int rc = names_id(&w->names, &w->db, ev->type, &type);

	if (rc == 0 && ev->stack && *ev->stack)
		rc = names_id(&w->names, &w->db, ev->stack, &stack);
	if (rc < 0)
		return rc;
	bind_int(stmt, at++, (int64_t)ev->seq);
	bind_int(stmt, at++, type);
	bind_int_or_null(stmt, at++, stack);
	bind_int(stmt, at++, ev->created_ns);
	bind_int(stmt, at++, ev->created_ns); /* changed_ns */
	bind_int_or_null(stmt, at++, ev->timestamp_ns == ev->created_ns ? 0 : ev->timestamp_ns);
	bind_int(stmt, at++, ev->salt);
	bind_text(stmt, at++, ev->sender);
	bind_text(stmt, at++, ev->sender_id);
	bind_int_or_null(stmt, at++, (int64_t)ev->cause_seq);
	bind_int_or_null(stmt, at++, ev->depth);
	bind_int_or_null(stmt, at++, (int64_t)ev->replay_of);
	bind_text(stmt, at++, ev->replay_hook);
	bind_text(stmt, at++, ev->agent);
	bind_text(stmt, at++, ev->run_id);
	bind_text(stmt, at++, ev->severity);
	bind_text(stmt, at++, ev->source);
	bind_bytes(stmt, at, has_data ? ev->data : NULL, has_data ? ev->data_len : 0);
	return 0;
}

static int
note_dup(struct append_job *a, struct writer *w, struct event *ev)
{
	sqlite3_stmt *stmt = db_stmt(&w->db, SQL_EVENT_BY_SENDER);
	int rc;

	bind_text(stmt, 1, ev->sender_id);
	bind_text(stmt, 2, ev->sender);
	rc = db_step(&w->db, stmt);
	if (rc <= 0)
		return rc ? rc : err_set(&w->db.err, EIO, "event '%s' is lost", ev->sender_id);
	if (!a->dups)
		a->dups = NEW_N(struct append_dup, a->count);
	a->dups[a->dup_count++] = (struct append_dup){ev, (uint64_t)column_int(stmt, 0)};
	return db_run(&w->db, stmt);
}

/* What has an id of its sender's may be there already, so it goes by itself. */
static int
append_once(struct append_job *a, struct writer *w, struct event *ev)
{
	sqlite3_stmt *stmt = db_stmt(&w->db, SQL_EVENT_INSERT_ONCE);
	int rc = bind_event(w, stmt, 1, ev);

	if (rc == 0)
		rc = db_run(&w->db, stmt);
	if (rc < 0)
		return rc;
	if (sqlite3_changes(w->db.handle) == 0)
		return note_dup(a, w, ev);
	w->now.by_status[EVENT_PENDING]++;
	return 0;
}

static int
append_rows(struct writer *w, enum sql_id id, struct event **events, size_t count)
{
	sqlite3_stmt *stmt = db_stmt(&w->db, id);
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++)
		rc = bind_event(w, stmt, 1 + (int)i * EVENT_PARAMETERS, events[i]);
	if (rc == 0)
		rc = db_run(&w->db, stmt);
	if (rc == 0)
		w->now.by_status[EVENT_PENDING] += (int64_t)count;
	return rc;
}

static int
append_write(struct store_job *job, struct writer *w)
{
	struct append_job *a = (struct append_job *)job;
	struct event *rows[SQL_MANY];
	size_t count = 0;
	int rc = 0;

	a->dup_count = 0;
	for (size_t i = 0; i < a->count && rc == 0; i++) {
		struct event *ev = a->events[i];

		if ((int64_t)ev->seq > w->now.last_seq)
			w->now.last_seq = (int64_t)ev->seq;
		if (ev->sender_id) {
			rc = append_once(a, w, ev);
			continue;
		}
		rows[count++] = ev;
		if (count == SQL_MANY) {
			rc = append_rows(w, SQL_EVENT_INSERT_MANY, rows, count);
			count = 0;
		}
	}
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = append_rows(w, SQL_EVENT_INSERT, &rows[i], 1);
	return rc;
}

static void
append_finish(struct store_job *job)
{
	struct append_job *a = (struct append_job *)job;

	for (size_t i = 0; i < a->dup_count && job->code == 0 && a->dup; i++)
		a->dup(a->arg, a->dups[i].ev, a->dups[i].first_seq);
	if (a->done)
		a->done(a->arg, job->code, &job->err);
	for (size_t i = 0; i < a->count; i++)
		event_unref(a->events[i]);
	free(a->events);
	free(a->dups);
}

void
store_append(struct store *store, struct event **events, size_t count, store_dup_fn *dup,
	store_done_fn *done, void *arg)
{
	struct append_job *a = store_job_new(store, sizeof(*a), append_finish);

	a->job.write = append_write;
	a->job.is_intake = true;
	a->events = NEW_N(struct event *, count);
	a->count = count;
	for (size_t i = 0; i < count; i++) {
		a->events[i] = event_ref(events[i]);
		a->job.cost_bytes += EVENT_COST_BYTES + events[i]->data_len;
	}
	a->dup = dup;
	a->done = done;
	a->arg = arg;
	store_write(&a->job);
}

/* ---- finish --------------------------------------------------------------------------------- */

struct finish_item {
	struct event *ev; /* reference */
	enum event_status status;
	int64_t processed_ns;
	char *error;
};

struct finish_job {
	struct store_job job;
	struct execution_list executions;
	struct finish_item *items;
	size_t count;
	store_done_fn *done;
	void *arg;
};

static bool
is_final(enum exec_status status)
{
	return status != EXEC_PENDING && status != EXEC_RUNNING && status != EXEC_HELD;
}

/* What is held after an attempt ran too: it failed, and will be tried again. */
static bool
has_run(const struct execution *ex)
{
	if (ex->status == EXEC_HELD)
		return ex->attempts > 0;
	return ex->status >= EXEC_SUCCESS && ex->status <= EXEC_INTERRUPTED;
}

static void
bind_execution(sqlite3_stmt *stmt, int at, const struct execution *ex)
{
	bind_int(stmt, at++, (int64_t)ex->seq);
	bind_int(stmt, at++, (int64_t)ex->hook_id);
	bind_int(stmt, at++, ex->version);
	bind_int(stmt, at++, ex->status);
	bind_int(stmt, at++, ex->attempts);
	bind_int(stmt, at++, ex->started_ns);
	bind_int(stmt, at++, ex->duration_ns);
	bind_text(stmt, at++, ex->message);
	bind_text(stmt, at++, ex->output);
	bind_text(stmt, at++, ex->error);
	bind_int_or_null(stmt, at++, ex->status == EXEC_HELD ? ex->due_ns : 0);
	bind_text(stmt, at++, ex->why);
	bind_int_or_null(stmt, at++, ex->count > 1 ? ex->count : 0);
	bind_int_or_null(stmt, at, is_final(ex->status) ? 0 : (int64_t)ex->lane);
}

static void
count_run(struct writer *w, const struct execution *ex)
{
	if (has_run(ex))
		writer_count_hook(w, &(struct hook_delta){
					     .hook_id = ex->hook_id,
					     .runs = 1,
					     .failures = ex->status != EXEC_SUCCESS,
					     .last_run_ns = ex->started_ns,
				     });
}

static int
execution_put(struct writer *w, const struct execution *ex)
{
	sqlite3_stmt *stmt = db_stmt(&w->db, SQL_EXECUTION_PUT);
	int rc;

	bind_execution(stmt, 1, ex);
	rc = db_run(&w->db, stmt);
	if (rc == 0 && sqlite3_changes(w->db.handle) > 0)
		count_run(w, ex);
	return rc;
}

/* Most executions are recorded once, so they are put together as if none was there; if one was,
 * SQLite undoes the statement and each is put by itself. */
static int
put_many(struct writer *w, const struct execution *const rows[SQL_MANY])
{
	sqlite3_stmt *stmt = db_stmt(&w->db, SQL_EXECUTION_PUT_MANY);
	bool is_known;
	int rc;

	for (int i = 0; i < SQL_MANY; i++)
		bind_execution(stmt, 1 + i * EXECUTION_PARAMETERS, rows[i]);
	rc = db_run(&w->db, stmt);
	is_known = rc < 0 && sqlite3_errcode(w->db.handle) == SQLITE_CONSTRAINT_PRIMARYKEY;
	if (is_known)
		rc = 0;
	for (int i = 0; i < SQL_MANY && rc == 0; i++) {
		if (is_known)
			rc = execution_put(w, rows[i]);
		else
			count_run(w, rows[i]);
	}
	return rc;
}

int
executions_put(struct writer *w, const struct execution_list *executions)
{
	const struct execution *rows[SQL_MANY], *ex;
	int rc = 0, count = 0;

	STAILQ_FOREACH (ex, executions, link) {
		rows[count++] = ex;
		if (count < SQL_MANY)
			continue;
		rc = put_many(w, rows);
		if (rc < 0)
			return rc;
		count = 0;
	}
	for (int i = 0; i < count && rc == 0; i++)
		rc = execution_put(w, rows[i]);
	return rc;
}

/* 1 when the event had the status `from` and has its final one now. */
static int
finish_event_from(struct writer *w, const struct finish_item *item, enum event_status from)
{
	bool is_parked = from == EVENT_PROCESSING;
	sqlite3_stmt *stmt =
		db_stmt(&w->db, is_parked ? SQL_EVENT_FINISH_PARKED : SQL_EVENT_FINISH);
	int rc;

	bind_int(stmt, 1, (int64_t)item->ev->seq);
	bind_int(stmt, 2, item->status);
	bind_int(stmt, 3, item->processed_ns);
	bind_text(stmt, 4, item->error);
	rc = db_run(&w->db, stmt);
	if (rc < 0 || sqlite3_changes(w->db.handle) == 0)
		return rc;
	w->now.by_status[from]--;
	w->now.by_status[item->status]++;
	return 1;
}

static int
finish_event(struct writer *w, const struct finish_item *item)
{
	int rc = finish_event_from(w, item, EVENT_PENDING);

	if (rc == 0)
		rc = finish_event_from(w, item, EVENT_PROCESSING);
	return rc < 0 ? rc : 0;
}

static int
finish_write(struct store_job *job, struct writer *w)
{
	struct finish_job *f = (struct finish_job *)job;
	int rc = executions_put(w, &f->executions);

	for (size_t i = 0; i < f->count && rc == 0; i++)
		rc = finish_event(w, &f->items[i]);
	return rc;
}

static void
finish_finish(struct store_job *job)
{
	struct finish_job *f = (struct finish_job *)job;

	if (f->done)
		f->done(f->arg, job->code, &job->err);
	execution_list_free(&f->executions);
	for (size_t i = 0; i < f->count; i++) {
		event_unref(f->items[i].ev);
		free(f->items[i].error);
	}
	free(f->items);
}

size_t
execution_cost(const struct execution *ex)
{
	return EVENT_COST_BYTES + (ex->output ? strlen(ex->output) : 0) +
	       (ex->error ? strlen(ex->error) : 0);
}

void
store_finish(struct store *store, struct execution_list *executions, struct event **finished,
	size_t count, store_done_fn *done, void *arg)
{
	struct finish_job *f = store_job_new(store, sizeof(*f), finish_finish);
	struct execution *ex;

	f->job.write = finish_write;
	f->job.may_wait = true;
	STAILQ_INIT(&f->executions);
	if (executions)
		STAILQ_CONCAT(&f->executions, executions);
	STAILQ_FOREACH (ex, &f->executions, link)
		f->job.cost_bytes += execution_cost(ex);
	f->items = NEW_N(struct finish_item, count);
	f->count = count;
	f->job.cost_bytes += EVENT_COST_BYTES * count;
	for (size_t i = 0; i < count; i++) {
		assert(finished[i]->status >= EVENT_COMPLETED);
		f->items[i] = (struct finish_item){
			.ev = event_ref(finished[i]),
			.status = finished[i]->status,
			.processed_ns = finished[i]->processed_ns,
			.error = mem_strdup(finished[i]->error),
		};
	}
	f->done = done;
	f->arg = arg;
	store_write(&f->job);
}

/* ---- delete --------------------------------------------------------------------------------- */

struct delete_job {
	struct store_job job;
	uint64_t seq;
	store_done_fn *done;
	void *arg;
};

int
event_delete(struct writer *w, uint64_t seq, enum event_status status)
{
	sqlite3_stmt *stmt = db_stmt(&w->db, SQL_EXECUTIONS_DELETE);
	int rc;

	bind_int(stmt, 1, (int64_t)seq);
	rc = db_run(&w->db, stmt);
	if (rc < 0)
		return rc;
	stmt = db_stmt(&w->db, SQL_EVENT_DELETE);
	bind_int(stmt, 1, (int64_t)seq);
	rc = db_run(&w->db, stmt);
	if (rc == 0)
		w->now.by_status[status]--;
	return rc;
}

static int
delete_write(struct store_job *job, struct writer *w)
{
	struct delete_job *d = (struct delete_job *)job;
	sqlite3_stmt *stmt = db_stmt(&w->db, SQL_EVENT_STATUS);
	enum event_status status;
	int rc;

	bind_int(stmt, 1, (int64_t)d->seq);
	rc = db_step(&w->db, stmt);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return job_refuse(job, ENOENT, "no such event");
	status = (enum event_status)column_int(stmt, 0);
	rc = db_run(&w->db, stmt);
	if (rc < 0)
		return rc;
	if (status < EVENT_COMPLETED)
		return job_refuse(job, EBUSY, "the event is not finished: wait until it is");
	return event_delete(w, d->seq, status);
}

static void
delete_finish(struct store_job *job)
{
	struct delete_job *d = (struct delete_job *)job;

	if (d->done)
		d->done(d->arg, job->code, &job->err);
}

void
store_delete_event(struct store *store, uint64_t seq, store_done_fn *done, void *arg)
{
	struct delete_job *d = store_job_new(store, sizeof(*d), delete_finish);

	d->job.write = delete_write;
	d->seq = seq;
	d->done = done;
	d->arg = arg;
	store_write(&d->job);
}
