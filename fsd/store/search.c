/* Looking through events for what no index knows: words in the data, the result of a hook.
 *
 * A search of ten million events must neither hold the lane, on which `ls events` waits too, nor
 * bring to the core what nobody wants.  So an answer looks at SEARCH_ROWS events at most and says
 * how far it came, and the caller's judgement of each is made here, on the lane.
 */
#include "base/mem.h"
#include "fsd/store/store_impl.h"

#include <stdlib.h>

#define SEARCH_ROWS  2048              /* looked at for one answer: some 20 ms */
#define SEARCH_BYTES (4 * 1024 * 1024) /* of data in one answer */

struct search_job {
	struct store_job job;
	struct event_search s; /* the strings of its query are owned */
	size_t limit;          /* events given; the query's own is what is looked at */
	struct event_list events;
	struct execution_list executions;
	uint64_t reached;
	store_found_fn *done;
	void *arg;
};

/* What the hook did with the event: the row that led to it. */
static int
read_execution(struct search_job *j, struct db *db, uint64_t seq, struct execution **ret_ex)
{
	struct execution_list list = STAILQ_HEAD_INITIALIZER(list);
	sqlite3_stmt *stmt = db_stmt(db, SQL_EXECUTION_GET);
	int rc;

	bind_int(stmt, 1, (int64_t)seq);
	bind_int(stmt, 2, (int64_t)j->s.hook_id);
	rc = executions_from_rows(db, stmt, &list);
	*ret_ex = STAILQ_FIRST(&list);
	return rc;
}

/* Judge the event of the row; *bytes grows by what is given. */
static int
look_at(struct search_job *j, struct db *db, sqlite3_stmt *stmt, size_t *bytes)
{
	struct event *ev = event_from_row(stmt, true);
	struct execution *ex = NULL;
	int rc = j->s.hook_id ? read_execution(j, db, ev->seq, &ex) : 0;

	j->reached = ev->seq;
	if (rc < 0 || (j->s.keeps && !j->s.keeps(j->s.keeps_arg, ev, ex))) {
		event_unref(ev);
		execution_free(ex);
		return rc;
	}
	STAILQ_INSERT_TAIL(&j->events, ev, link);
	if (ex)
		STAILQ_INSERT_TAIL(&j->executions, ex, link);
	*bytes += ev->data_len;
	j->limit--;
	return 0;
}

static int
search_rows(struct search_job *j, struct db *db, sqlite3_stmt *stmt)
{
	size_t bytes = 0, rows = 0;
	int rc = 0;

	while (j->limit > 0 && bytes <= SEARCH_BYTES && (rc = db_step(db, stmt)) > 0) {
		rows++;
		rc = look_at(j, db, stmt, &bytes);
		if (rc < 0)
			return rc;
	}
	if (rc == 0 && j->limit > 0 && bytes <= SEARCH_BYTES && rows < SEARCH_ROWS)
		j->reached = 0;
	return rc < 0 ? rc : 0;
}

static int
run_search(struct search_job *j, struct db *db)
{
	sqlite3_stmt *stmt;
	int rc = query_prepare(db, &j->s.query, j->s.hook_id ? &j->s : NULL, &stmt);

	if (rc < 0 || !stmt)
		return rc;
	rc = search_rows(j, db, stmt);
	(void)sqlite3_finalize(stmt); /* repeats the code of the step */
	return rc;
}

static void
search_read(struct store_job *job, struct db *db)
{
	struct search_job *j = (struct search_job *)job;
	int rc = db_run(db, db_stmt(db, SQL_BEGIN_READ));

	if (rc == 0)
		rc = run_search(j, db);
	if (rc < 0) {
		(void)job_fail(job, db); /* told by finish */
		event_list_free(&j->events);
		execution_list_free(&j->executions);
	}
	db_rollback(db); /* of what was only read */
}

static void
search_finish(struct store_job *job)
{
	struct search_job *j = (struct search_job *)job;

	j->done(j->arg, job->code, &j->events, &j->executions, j->reached);
	event_list_free(&j->events);
	execution_list_free(&j->executions);
	free((char *)j->s.query.type);
	free((char *)j->s.query.stack);
}

void
store_search_events(
	struct store *store, const struct event_search *search, store_found_fn *done, void *arg)
{
	struct search_job *j = store_job_new(store, sizeof(*j), search_finish);

	j->job.read = search_read;
	j->s = *search;
	j->s.query.type = mem_strdup(search->query.type);
	j->s.query.stack = mem_strdup(search->query.stack);
	j->s.query.limit = SEARCH_ROWS;
	j->s.query.without_data = false;
	j->limit = search->query.limit;
	STAILQ_INIT(&j->events);
	STAILQ_INIT(&j->executions);
	j->done = done;
	j->arg = arg;
	store_read(&j->job, &store->lists);
}
