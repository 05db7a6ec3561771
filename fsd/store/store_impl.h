/* What the files of this folder share.  Nobody else includes it. */
#ifndef SLOTH_STORE_IMPL_H
#define SLOTH_STORE_IMPL_H

#include "fsd/lane.h"
#include "fsd/store/db.h"
#include "fsd/store/store.h"
#include "fsd/store/writer.h"

#include <stdatomic.h>
#include <stdbool.h>

/* A lane with a connection of its own, opened before the thread starts and closed after it. */
struct reader {
	struct lane *lane;
	struct db db;
};

struct store {
	uv_loop_t *loop;
	char *dir, *db_path;
	int lock_fd;
	struct writer writer; /* the writer lane's, but for what writer.h says */
	struct lane *write_lane;
	struct reader point, lists, check;
	uint64_t opened_last_seq, opened_pending, opened_parked, last_hook_id;
	unsigned sources_kept; /* of each hook */
	bool was_crashed;
	enum store_check checked;
	_Atomic bool is_closing; /* set by the core, seen by long reads */
	struct lane_jobs late;   /* submitted while closing: answered -ECANCELED */
	struct upkeep *upkeep;
	store_pruned_fn *pruned;
	void *pruned_arg;
};

/* A job of any lane.  Embedded first in the jobs below. */
struct store_job {
	struct lane_job lane;
	struct store *store;
	struct reader *reader; /* of a read job */
	int code;
	struct err err;
	size_t cost_bytes;
	bool is_intake; /* refused while the disk is nearly full */
	bool may_wait;  /* a moment, for company in its commit */
	bool is_quiet;  /* upkeep's own: asks for no upkeep after it */
	/* Writer lane, inside the transaction of the group; may be called again after a rollback,
	 * so it sets every result anew.  Returns 0 when the transaction may go on (a refusal is in
	 * job->code), the failure of the database otherwise.  NULL: upkeep. */
	int (*write)(struct store_job *job, struct writer *w);
	/* Writer lane, alone, outside a transaction. */
	void (*upkeep)(struct store_job *job, struct writer *w);
	/* Lane of a reader.  Sets job->code. */
	void (*read)(struct store_job *job, struct db *db);
	/* Core thread: tell the caller and release what the job holds (not the job). */
	void (*finish)(struct store_job *job);
};

/* A job of the size, zeroed, that write, read or upkeep is set in next. */
void *store_job_new(struct store *store, size_t size, void (*finish)(struct store_job *job));
void store_write(struct store_job *job);
void store_read(struct store_job *job, struct reader *reader);

/* Set code and sentence of a refused job.  Returns 0: the transaction goes on. */
int job_refuse(struct store_job *job, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Note the database's failure in the job.  Returns the negative errno. */
int job_fail(struct store_job *job, struct db *db);

/* Returns an owned event from a row of SQL_EVENT_COLUMNS (and e.data when has_data). */
struct event *event_from_row(sqlite3_stmt *stmt, bool has_data);
/* Append the executions of stmt's rows.  Returns 0. */
int executions_from_rows(
	struct db *db, sqlite3_stmt *stmt, struct execution_list *executions) MUST_USE;
/* Read an event: 1 and an owned reference, 0 when there is none. */
int event_read(struct db *db, uint64_t seq, struct event **ret_ev) MUST_USE;
int event_executions(struct db *db, uint64_t seq, struct execution_list *executions) MUST_USE;
/* Record executions but where a final one is there, inside the transaction. */
int executions_put(struct writer *w, const struct execution_list *executions) MUST_USE;
/* Bytes it adds to a group, roughly. */
size_t execution_cost(const struct execution *ex);
/* lists.c: the statement of a query, to be stepped and finalized.  NULL: nothing can meet it.  With
 * a search it gives what its hook has an execution of, in the bounds of seq and time alone. */
int query_prepare(struct db *db, const struct event_query *q, const struct event_search *search,
	sqlite3_stmt **ret_stmt) MUST_USE;
/* Delete an event of that status with its executions, inside the transaction. */
int event_delete(struct writer *w, uint64_t seq, enum event_status status) MUST_USE;
/* Forget removed hooks of which retention has left nothing.  Before the lanes start. */
int hooks_forget_removed(struct db *db) MUST_USE;
void event_list_free(struct event_list *events);
void execution_list_free(struct execution_list *executions);
void gate_count_list_free(struct gate_count_list *counts);

/* upkeep.c: checkpoints and retention in the background.  Thread: core. */
struct upkeep *upkeep_new(struct store *store);
void upkeep_close(struct upkeep *upkeep); /* frees it when the loop turned once more */
void upkeep_after_write(struct upkeep *upkeep, size_t bytes);

#endif
