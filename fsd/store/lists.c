/* Lists, on a lane of their own: events by filter, executions of a hook, types in use.
 *
 * A filter becomes one statement whose plan reads an index backwards and stops at the limit.  The
 * planner knows nothing of our data, so the shape of the statement decides: a type glob becomes one
 * bounded branch per matching type, put together in order, because `type IN (...)` would sort all
 * rows of all types; a time becomes a bound of seq, found by bisection, because events are accepted
 * in the order of their clock. */
#include "base/auto.h"
#include "base/mem.h"
#include "fsd/store/store_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define QUERY_TYPES 64                /* branches; a glob over more types scans by seq */
#define QUERY_BYTES (8 * 1024 * 1024) /* of data in one answer */

/* ---- events --------------------------------------------------------------------------------- */

struct query_job {
	struct store_job job;
	struct event_query q; /* its strings are owned */
	struct event_list events;
	store_events_fn *done;
	void *arg;
};

/* What a query was narrowed to before it is asked. */
struct query_plan {
	uint64_t low, high; /* low <= seq <= high */
	int64_t types[QUERY_TYPES];
	size_t type_count; /* QUERY_TYPES + 1: too many */
	int64_t stack;     /* name.id; 0: none asked for; -1: the root's */
	bool is_empty;     /* a name nobody uses */
};

/* The first seq, from low on, accepted at ns or later. */
static int
seq_at(struct db *db, int64_t ns, uint64_t low, uint64_t high, uint64_t *ret_seq)
{
	sqlite3_stmt *stmt = db_stmt(db, SQL_EVENT_FROM);

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		int rc;

		bind_int(stmt, 1, (int64_t)middle);
		rc = db_step(db, stmt);
		if (rc < 0)
			return rc;
		if (rc == 0 || (uint64_t)column_int(stmt, 0) > high || column_int(stmt, 1) >= ns)
			high = middle;
		else
			low = (uint64_t)column_int(stmt, 0) + 1;
		if (rc > 0 && (rc = db_run(db, stmt)) < 0)
			return rc;
	}
	*ret_seq = low;
	return 0;
}

static int
plan_bounds(const struct event_query *q, struct db *db, struct query_plan *plan)
{
	int64_t top;
	int rc = db_get_int(db, "SELECT coalesce(max(seq), 0) FROM event", &top);
	uint64_t bound;

	if (rc < 0)
		return rc;
	plan->low = q->after_seq + 1;
	plan->high = (uint64_t)top;
	if (q->before_seq && q->before_seq <= plan->high)
		plan->high = q->before_seq - 1;
	if (q->since_ns) {
		rc = seq_at(db, q->since_ns, plan->low, plan->high + 1, &bound);
		if (rc < 0)
			return rc;
		plan->low = bound;
	}
	if (q->until_ns) {
		rc = seq_at(db, q->until_ns, plan->low, plan->high + 1, &bound);
		if (rc < 0)
			return rc;
		plan->high = bound - 1;
	}
	return 0;
}

static int
plan_names(const struct event_query *q, struct db *db, struct query_plan *plan)
{
	sqlite3_stmt *stmt;
	int rc;

	if (q->stack && !*q->stack)
		plan->stack = -1;
	if (q->stack && *q->stack) {
		stmt = db_stmt(db, SQL_NAME_FIND);
		bind_text(stmt, 1, q->stack);
		while ((rc = db_step(db, stmt)) > 0)
			plan->stack = column_int(stmt, 0);
		if (rc < 0)
			return rc;
		plan->is_empty |= plan->stack == 0;
	}
	if (!q->type)
		return 0;
	stmt = db_stmt(db, strpbrk(q->type, "*?[") ? SQL_NAMES_LIKE : SQL_NAME_FIND);
	bind_text(stmt, 1, q->type);
	while ((rc = db_step(db, stmt)) > 0) {
		if (plan->type_count < QUERY_TYPES)
			plan->types[plan->type_count] = column_int(stmt, 0);
		if (plan->type_count <= QUERY_TYPES)
			plan->type_count++;
	}
	plan->is_empty |= plan->type_count == 0;
	return rc;
}

/* The condition of a branch; type 0: any.  One term leads, the one that leaves the fewest rows; a
 * plus keeps the planner from taking the index of another. */
static void
add_condition(
	struct sbuf *sql, const struct event_query *q, const struct query_plan *plan, int64_t type)
{
	const char *lead = "";

	sbuf_printf(sql, " WHERE seq BETWEEN %" PRIu64 " AND %" PRIu64, plan->low, plan->high);
	if (q->cause_seq) {
		sbuf_printf(sql, " AND cause_seq = %" PRIu64, q->cause_seq);
		lead = "+";
	}
	if (type) {
		sbuf_printf(sql, " AND %stype = %" PRId64, lead, type);
		lead = "+";
	}
	if (plan->stack > 0) {
		sbuf_printf(sql, " AND %sstack = %" PRId64, lead, plan->stack);
		lead = "+";
	}
	if (q->status >= 0)
		sbuf_printf(sql, " AND %sstatus = %d", lead, q->status);
	if (plan->stack == -1)
		sbuf_adds(sql, " AND stack IS NULL");
	if (plan->type_count > QUERY_TYPES)
		sbuf_adds(sql, " AND +type IN (SELECT id FROM name WHERE text GLOB ?1)");
}

static void
add_branch(
	struct sbuf *sql, const struct event_query *q, const struct query_plan *plan, int64_t type)
{
	sbuf_adds(sql, "SELECT seq FROM (SELECT seq FROM event");
	add_condition(sql, q, plan, type);
	sbuf_printf(sql, " ORDER BY seq%s LIMIT %zu)", q->descending ? " DESC" : "", q->limit);
}

/* The executions of a hook lead; there is no index for anything beside it. */
static void
add_hook_branch(struct sbuf *sql, const struct event_query *q, const struct query_plan *plan,
	const struct event_search *search)
{
	sbuf_printf(sql,
		"SELECT seq FROM (SELECT seq FROM execution WHERE hook_id = %" PRIu64
		" AND seq BETWEEN %" PRIu64 " AND %" PRIu64 "%s ORDER BY seq%s LIMIT %zu)",
		search->hook_id, plan->low, plan->high,
		search->only_failed ? " AND " SQL_EXECUTION_FAILED : "",
		q->descending ? " DESC" : "", q->limit);
}

static void
add_branches(struct sbuf *sql, const struct event_query *q, const struct query_plan *plan)
{
	if (plan->type_count == 0 || plan->type_count > QUERY_TYPES) {
		add_branch(sql, q, plan, 0);
		return;
	}
	for (size_t i = 0; i < plan->type_count; i++) {
		sbuf_adds(sql, i ? " UNION ALL " : "");
		add_branch(sql, q, plan, plan->types[i]);
	}
}

/* Only numbers of ours get into the text; the one outside string is bound. */
static void
build_sql(struct sbuf *sql, const struct event_query *q, const struct query_plan *plan,
	const struct event_search *search)
{
	sbuf_printf(sql, "SELECT %s%s" SQL_EVENT_TABLES "WHERE e.seq IN (", SQL_EVENT_COLUMNS,
		q->without_data ? "" : ", e.data");
	if (search)
		add_hook_branch(sql, q, plan, search);
	else
		add_branches(sql, q, plan);
	sbuf_printf(sql, ") ORDER BY e.seq%s LIMIT %zu", q->descending ? " DESC" : "", q->limit);
}

int
query_prepare(struct db *db, const struct event_query *q, const struct event_search *search,
	sqlite3_stmt **ret_stmt)
{
	AUTO(sbuf) struct sbuf sql = {0};
	struct query_plan plan = {0};
	int rc = plan_bounds(q, db, &plan);

	*ret_stmt = NULL;
	if (rc == 0)
		rc = plan_names(q, db, &plan);
	if (rc < 0 || plan.is_empty || plan.low > plan.high)
		return rc;
	build_sql(&sql, q, &plan, search);
	rc = sqlite3_prepare_v2(db->handle, sbuf_str(&sql), (int)sql.len, ret_stmt, NULL);
	if (rc != SQLITE_OK)
		return db_fail(db, rc);
	if (plan.type_count > QUERY_TYPES && !search)
		bind_text(*ret_stmt, 1, q->type);
	return 0;
}

static int
read_events(struct query_job *j, struct db *db, sqlite3_stmt *stmt)
{
	size_t bytes = 0;
	int rc = 0;

	while (bytes <= QUERY_BYTES && (rc = db_step(db, stmt)) > 0) {
		struct event *ev = event_from_row(stmt, !j->q.without_data);

		STAILQ_INSERT_TAIL(&j->events, ev, link);
		bytes += ev->data_len;
	}
	return rc < 0 ? rc : 0;
}

static int
run_query(struct query_job *j, struct db *db)
{
	sqlite3_stmt *stmt;
	int rc = query_prepare(db, &j->q, NULL, &stmt);

	if (rc < 0 || !stmt)
		return rc;
	rc = read_events(j, db, stmt);
	(void)sqlite3_finalize(stmt); /* repeats the code of the step */
	return rc;
}

static void
query_read(struct store_job *job, struct db *db)
{
	struct query_job *j = (struct query_job *)job;
	int rc = db_run(db, db_stmt(db, SQL_BEGIN_READ));

	if (rc == 0)
		rc = run_query(j, db);
	if (rc < 0) {
		(void)job_fail(job, db); /* told by finish */
		event_list_free(&j->events);
	}
	db_rollback(db); /* of what was only read */
}

static void
query_finish(struct store_job *job)
{
	struct query_job *j = (struct query_job *)job;

	j->done(j->arg, job->code, &j->events);
	event_list_free(&j->events);
	free((char *)j->q.type);
	free((char *)j->q.stack);
}

void
store_query_events(
	struct store *store, const struct event_query *query, store_events_fn *done, void *arg)
{
	struct query_job *j = store_job_new(store, sizeof(*j), query_finish);

	j->job.read = query_read;
	j->q = *query;
	j->q.type = mem_strdup(query->type);
	j->q.stack = mem_strdup(query->stack);
	STAILQ_INIT(&j->events);
	j->done = done;
	j->arg = arg;
	store_read(&j->job, &store->lists);
}

/* ---- types ---------------------------------------------------------------------------------- */

struct types_job {
	struct store_job job;
	struct sbuf out;
	store_text_fn *done;
	void *arg;
};

static void
types_read(struct store_job *job, struct db *db)
{
	struct types_job *t = (struct types_job *)job;
	sqlite3_stmt *stmt = db_stmt(db, SQL_EVENT_TYPES);
	int rc;

	while ((rc = db_step(db, stmt)) > 0) {
		AUTO(free) char *type = column_text(stmt, 0);

		sbuf_printf(&t->out, "%s\n", type);
	}
	if (rc < 0)
		(void)job_fail(job, db); /* told by finish */
}

static void
types_finish(struct store_job *job)
{
	struct types_job *t = (struct types_job *)job;

	t->done(t->arg, job->code, &t->out);
	sbuf_fini(&t->out);
}

void
store_event_types(struct store *store, store_text_fn *done, void *arg)
{
	struct types_job *t = store_job_new(store, sizeof(*t), types_finish);

	t->job.read = types_read;
	t->done = done;
	t->arg = arg;
	store_read(&t->job, &store->lists);
}
