/* The writer: the only connection that writes and checkpoints.  Jobs that are queued together are
 * committed together.  Thread: the writer lane, but for the atomics. */
#ifndef SLOTH_STORE_WRITER_H
#define SLOTH_STORE_WRITER_H

#include "fsd/lane.h"
#include "fsd/store/db.h"
#include "fsd/store/names.h"
#include "fsd/store/records.h"

#include <stdatomic.h>

/* The row of table counter.  Written with every commit that changed it. */
struct counters {
	int64_t is_open, last_seq, last_hook_id;
	int64_t by_status[4]; /* EVENT_PROCESSING: parked */
};

/* What one group adds to a hook's counters, written once before the commit. */
struct hook_delta {
	uint64_t hook_id;
	int64_t runs, failures, last_run_ns;
};

struct writer {
	struct db db;
	const char *dir; /* borrowed: its file system is asked for free space */
	struct counters now, committed;
	struct names names;
	struct hook_delta *deltas; /* of the open transaction */
	size_t delta_count, delta_cap;
	int wal_pages; /* in the log, of which wal_moved are in the database too */
	int wal_moved;
	struct lane *lane;     /* the writer's own, set before the first job */
	int64_t intake_end_ns; /* when the last group with intake was committed, */
	int64_t intake_gap_ns; /* and how long after the one before it the next came */
	int64_t company_ns;    /* how long results wait for an event, or a test's */
	/* Written here, read by the core. */
	_Atomic uint64_t reserve_bytes; /* the other way round */
	_Atomic uint64_t commits, last_commit_ns;
	_Atomic uint64_t by_status[4];
	_Atomic int wal_waiting; /* pages only in the log */
	_Atomic bool is_full;
	_Atomic int64_t single_ns; /* when intake of hardly more than an event came last */
};

/* Take what the database holds and mark it open; it was found open already after a crash.  Borrows
 * dir until the end.  Blocks: yes. */
int writer_start(struct writer *w, const char *dir, bool *ret_was_crashed) MUST_USE;
/* Checkpoint everything and mark a clean end, after the lane stopped.  Blocks: yes. */
void writer_end(struct writer *w);
void writer_fini(struct writer *w);

/* The lane's batch function; arg is the writer. */
void writer_batch(void *arg, struct lane_jobs *jobs, struct lane_jobs *finished);

/* Whether somebody sends single events just now, and so waits for commits.  Thread: any. */
bool writer_is_shared(const struct writer *w);

/* Add to the counters of a hook at the end of this transaction. */
void writer_count_hook(struct writer *w, const struct hook_delta *delta);

/* Move WAL pages into the database, waiting for readers when it has grown past its limit. */
void writer_checkpoint(struct writer *w);

#endif
