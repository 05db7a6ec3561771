/* Point reads of events: by seq, by id, and the unfinished ones.  On the point lane; each is a
 * short read transaction of its own, so an event and its executions are of one moment. */
#include "base/auto.h"
#include "base/mem.h"
#include "fsd/store/store_impl.h"

#include <stdlib.h>
#include <string.h>

#define PENDING_BYTES (4 * 1024 * 1024) /* of data in one answer of store_read_pending */

/* ---- rows ----------------------------------------------------------------------------------- */

/* The id of the cause, from the columns of its own row; NULL when there is no such row. */
static char *
cause_id_from_row(sqlite3_stmt *stmt, uint64_t cause_seq)
{
	struct event cause = {.seq = cause_seq,
		.created_ns = column_int(stmt, 19),
		.salt = (uint32_t)column_int(stmt, 20)};
	char id[EVENT_ID_MAX + 1];

	if (!cause.created_ns)
		return NULL;
	cause.sender_id = column_text(stmt, 21);
	event_id_text(&cause, id);
	free(cause.sender_id);
	return mem_strdup(id);
}

struct event *
event_from_row(sqlite3_stmt *stmt, bool has_data)
{
	struct event *ev = NEW(struct event);

	ev->refs = 1;
	ev->seq = (uint64_t)column_int(stmt, 0);
	ev->status = (enum event_status)column_int(stmt, 1);
	ev->type = column_text(stmt, 2);
	ev->stack = column_text(stmt, 3);
	if (!ev->stack)
		ev->stack = mem_strdup("");
	ev->created_ns = column_int(stmt, 4);
	ev->processed_ns = ev->status >= EVENT_COMPLETED ? column_int(stmt, 5) : 0;
	ev->timestamp_ns = column_int(stmt, 6);
	if (!ev->timestamp_ns)
		ev->timestamp_ns = ev->created_ns;
	ev->salt = (uint32_t)column_int(stmt, 7);
	ev->sender = column_text(stmt, 8);
	ev->sender_id = column_text(stmt, 9);
	ev->cause_seq = (uint64_t)column_int(stmt, 10);
	ev->cause_id = cause_id_from_row(stmt, ev->cause_seq);
	ev->depth = (unsigned)column_int(stmt, 11);
	ev->replay_of = (uint64_t)column_int(stmt, 12);
	ev->replay_hook = column_text(stmt, 13);
	ev->agent = column_text(stmt, 14);
	ev->run_id = column_text(stmt, 15);
	ev->severity = column_text(stmt, 16);
	ev->source = column_text(stmt, 17);
	ev->error = column_text(stmt, 18);
	if (has_data) {
		ev->data = column_text(stmt, 22);
		if (!ev->data)
			ev->data = mem_strdup("{}");
		ev->data_len = strlen(ev->data);
	}
	return ev;
}

static struct execution *
execution_from_row(sqlite3_stmt *stmt)
{
	struct execution *ex = NEW(struct execution);
	const char *name = (const char *)sqlite3_column_text(stmt, 2);
	const char *stack = (const char *)sqlite3_column_text(stmt, 3);

	ex->seq = (uint64_t)column_int(stmt, 0);
	ex->hook_id = (uint64_t)column_int(stmt, 1);
	if (!name)
		ex->hook = mem_printf("#%llu", (unsigned long long)ex->hook_id);
	else
		ex->hook = mem_printf(stack && *stack ? "%s@%s" : "%s", name, stack);
	ex->version = (uint32_t)column_int(stmt, 4);
	ex->status = (enum exec_status)column_int(stmt, 5);
	ex->attempts = (unsigned)column_int(stmt, 6);
	ex->started_ns = column_int(stmt, 7);
	ex->duration_ns = column_int(stmt, 8);
	ex->message = column_text(stmt, 9);
	ex->output = column_text(stmt, 10);
	ex->error = column_text(stmt, 11);
	ex->due_ns = column_int(stmt, 12);
	ex->why = column_text(stmt, 13);
	ex->count = (unsigned)column_int(stmt, 14);
	ex->lane = (uint64_t)column_int(stmt, 15);
	return ex;
}

int
executions_from_rows(struct db *db, sqlite3_stmt *stmt, struct execution_list *executions)
{
	int rc;

	while ((rc = db_step(db, stmt)) > 0) {
		struct execution *ex = execution_from_row(stmt);

		STAILQ_INSERT_TAIL(executions, ex, link);
	}
	return rc;
}

void
event_list_free(struct event_list *events)
{
	struct event *ev;

	while ((ev = STAILQ_FIRST(events))) {
		STAILQ_REMOVE_HEAD(events, link);
		event_unref(ev);
	}
}

void
execution_list_free(struct execution_list *executions)
{
	struct execution *ex;

	while ((ex = STAILQ_FIRST(executions))) {
		STAILQ_REMOVE_HEAD(executions, link);
		execution_free(ex);
	}
}

int
event_executions(struct db *db, uint64_t seq, struct execution_list *executions)
{
	sqlite3_stmt *stmt = db_stmt(db, SQL_EXECUTIONS_OF_EVENT);

	bind_int(stmt, 1, (int64_t)seq);
	return executions_from_rows(db, stmt, executions);
}

/* ---- one event ------------------------------------------------------------------------------ */

struct get_job {
	struct store_job job;
	uint64_t seq;
	char *id, *sender; /* of store_find_event */
	struct event *ev;
	struct execution_list executions;
	store_event_fn *done;
	void *arg;
};

int
event_read(struct db *db, uint64_t seq, struct event **ret_ev)
{
	sqlite3_stmt *stmt = db_stmt(db, SQL_EVENT_GET);
	struct event *ev;
	int rc;

	bind_int(stmt, 1, (int64_t)seq);
	rc = db_step(db, stmt);
	if (rc <= 0)
		return rc;
	ev = event_from_row(stmt, true);
	rc = db_run(db, stmt);
	if (rc < 0) {
		event_unref(ev);
		return rc;
	}
	*ret_ev = ev;
	return 1;
}

/* The seq behind an id given by its sender; 0 when there is none. */
static int
find_by_sender(struct get_job *g, struct db *db, uint64_t *ret_seq)
{
	sqlite3_stmt *stmt = db_stmt(db, g->sender ? SQL_EVENT_BY_SENDER : SQL_EVENT_BY_SENDER_ID);
	int rc;

	bind_text(stmt, 1, g->id);
	if (g->sender)
		bind_text(stmt, 2, g->sender);
	rc = db_step(db, stmt);
	*ret_seq = 0;
	if (rc <= 0)
		return rc;
	*ret_seq = (uint64_t)column_int(stmt, 0);
	return db_run(db, stmt);
}

/* An id of ours must agree in every part: what was not handed out is not found. */
static bool
is_id_of(const struct event *ev, const char *id)
{
	char text[EVENT_ID_MAX + 1];

	event_id_text(ev, text);
	return strcmp(text, id) == 0;
}

static int
find_event(struct get_job *g, struct db *db)
{
	uint64_t seq;
	int64_t ms;
	uint32_t salt;
	int rc;

	if (event_id_parse(g->id, &ms, &seq, &salt)) {
		rc = event_read(db, seq, &g->ev);
		if (rc < 0 || (rc > 0 && is_id_of(g->ev, g->id)))
			return rc;
		event_unref(g->ev);
		g->ev = NULL;
	}
	rc = find_by_sender(g, db, &seq);
	return rc < 0 || seq == 0 ? rc : event_read(db, seq, &g->ev);
}

static int
get_in_transaction(struct get_job *g, struct db *db)
{
	int rc = db_run(db, db_stmt(db, SQL_BEGIN_READ));

	if (rc == 0)
		rc = g->id ? find_event(g, db) : event_read(db, g->seq, &g->ev);
	if (rc > 0) {
		rc = event_executions(db, g->ev->seq, &g->executions);
		return rc < 0 ? rc : db_run(db, db_stmt(db, SQL_COMMIT));
	}
	return rc == 0 ? job_refuse(&g->job, ENOENT, "no such event") : rc;
}

static void
get_read(struct store_job *job, struct db *db)
{
	struct get_job *g = (struct get_job *)job;

	if (get_in_transaction(g, db) < 0)
		(void)job_fail(job, db); /* told by finish */
	db_rollback(db);                 /* of what was only read */
	if (job->code == 0)
		return;
	event_unref(TAKE(g->ev));
	execution_list_free(&g->executions);
}

static void
get_finish(struct store_job *job)
{
	struct get_job *g = (struct get_job *)job;

	g->done(g->arg, job->code, g->ev, &g->executions);
	execution_list_free(&g->executions);
	free(g->id);
	free(g->sender);
}

static struct get_job *
get_new(struct store *store, store_event_fn *done, void *arg)
{
	struct get_job *g = store_job_new(store, sizeof(*g), get_finish);

	g->job.read = get_read;
	STAILQ_INIT(&g->executions);
	g->done = done;
	g->arg = arg;
	return g;
}

void
store_get_event(struct store *store, uint64_t seq, store_event_fn *done, void *arg)
{
	struct get_job *g = get_new(store, done, arg);

	g->seq = seq;
	store_read(&g->job, &store->point);
}

void
store_find_event(
	struct store *store, const char *id, const char *sender, store_event_fn *done, void *arg)
{
	struct get_job *g = get_new(store, done, arg);

	g->id = mem_strdup(id);
	g->sender = mem_strdup(sender);
	store_read(&g->job, &store->point);
}

/* ---- unfinished events ---------------------------------------------------------------------- */

struct pending_job {
	struct store_job job;
	uint64_t after_seq;
	size_t limit;
	bool has_more;
	struct event_list events;
	struct execution_list executions;
	store_pending_fn *done;
	void *arg;
};

static int
read_pending(struct pending_job *p, struct db *db)
{
	sqlite3_stmt *stmt = db_stmt(db, SQL_EVENTS_PENDING);
	size_t bytes = 0, count = 0;
	int rc;

	bind_int(stmt, 1, (int64_t)p->after_seq);
	bind_int(stmt, 2, p->limit > INT64_MAX ? INT64_MAX : (int64_t)p->limit);
	while ((rc = db_step(db, stmt)) > 0) {
		struct event *ev = event_from_row(stmt, true);

		STAILQ_INSERT_TAIL(&p->events, ev, link);
		bytes += ev->data_len;
		count++;
		rc = event_executions(db, ev->seq, &p->executions);
		if (rc < 0 || bytes > PENDING_BYTES)
			break;
	}
	p->has_more = count == p->limit || bytes > PENDING_BYTES;
	if (stmt)
		(void)sqlite3_reset(stmt); /* its error, if any, is in rc already */
	return rc < 0 ? rc : 0;
}

static void
pending_read(struct store_job *job, struct db *db)
{
	struct pending_job *p = (struct pending_job *)job;
	int rc = db_run(db, db_stmt(db, SQL_BEGIN_READ));

	if (rc == 0)
		rc = read_pending(p, db);
	if (rc < 0)
		(void)job_fail(job, db); /* told by finish */
	else
		job->code = p->has_more;
	db_rollback(db); /* of what was only read */
	if (rc < 0) {
		event_list_free(&p->events);
		execution_list_free(&p->executions);
	}
}

static void
pending_finish(struct store_job *job)
{
	struct pending_job *p = (struct pending_job *)job;

	p->done(p->arg, job->code, &p->events, &p->executions);
	event_list_free(&p->events);
	execution_list_free(&p->executions);
}

void
store_read_pending(
	struct store *store, uint64_t after_seq, size_t limit, store_pending_fn *done, void *arg)
{
	struct pending_job *p = store_job_new(store, sizeof(*p), pending_finish);

	p->job.read = pending_read;
	p->after_seq = after_seq;
	p->limit = limit;
	STAILQ_INIT(&p->events);
	STAILQ_INIT(&p->executions);
	p->done = done;
	p->arg = arg;
	store_read(&p->job, &store->point);
}
