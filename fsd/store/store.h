/* The only way to the data.  Asynchronous: the core thread calls, a lane does the work, the
 * callback comes back on the core thread with the result.  Writes are done by one thread in call
 * order and grouped: what is queued together commits together (WAL, synchronous=FULL), and a
 * callback with code 0 means durable.  Behind this header stands SQLite; a distributed engine can
 * stand there too, so nothing here speaks SQL.
 *
 * Unless a contract says otherwise: Thread: core.  Blocks: no.  Callbacks run on the core thread,
 * never before the call returns.  Codes: -ENOSPC (the reserve is reached: intake only), -EIO.
 */
#ifndef SLOTH_STORE_STORE_H
#define SLOTH_STORE_STORE_H

#include "base/err.h"
#include "base/sbuf.h"
#include "base/worker_proto.h"
#include "fsd/store/records.h"

#include <stdbool.h>
#include <uv.h>

struct store;

typedef void store_done_fn(void *arg, int code, const struct err *err);

/* ---- life ----------------------------------------------------------------------------------- */

struct store_options {
	const char *dir;        /* state directory; hooks.db is made in it */
	uint64_t reserve_bytes; /* free space below which intake gets -ENOSPC (64 MB) */
	bool is_fast;           /* tests only: no fsync */
};

/* Open or create, migrate, start the lanes.  -EWOULDBLOCK: another master holds this state.
 * Blocks: yes (start of the daemon only).  Returns owned in *ret_store. */
int store_open(uv_loop_t *loop, const struct store_options *opt, struct store **ret_store,
	struct err *err) MUST_USE;

/* Commit what is queued, checkpoint, close.  Blocks: yes.  Accepts NULL. */
void store_close(struct store *store);

/* How many events one job had best bring, or end: fewer for a second after somebody sent a single
 * one, since who waits for a commit waits for the one before it too.  Thread: any. */
#define STORE_JOB_EVENTS_MAX 1024
size_t store_job_events(const struct store *store);

/* What the store held when it was opened. */
uint64_t store_last_seq(const struct store *store);      /* highest seq ever given */
uint64_t store_pending_count(const struct store *store); /* unfinished, not parked events at open */
bool store_was_crashed(const struct store *store);       /* no clean close before this open */

/* ---- events --------------------------------------------------------------------------------- */

/* Append accepted events as pending; the caller has set seq (ascending over all calls, from 1,
 * below 2^42) and every field; created_ns ascends with seq.  Events stay alive until done by a
 * reference the store takes; what may change later (status, error, processed_ns) is not read.  An
 * event whose (sender, sender_id) is known is not stored twice: dup is called for it (before done)
 * with the seq of the first one. Takes: nothing (references). */
typedef void store_dup_fn(void *arg, struct event *ev, uint64_t first_seq);
void store_append(struct store *store, struct event **events, size_t count, store_dup_fn *dup,
	store_done_fn *done, void *arg);

/* Record results: executions (insert or replace by (seq, hook_id)) and, for each event of finished,
 * its final status, error and processed_ns (only these and seq are read, by the call).  A final
 * state in the store, of an event or an execution, is never overwritten.  Counters of hooks grow by
 * the runs that became final.  Works inside the reserve.  Takes: the executions (the list is left
 * empty).  Borrows the array during the call only, adds its own references to the events. */
void store_finish(struct store *store, struct execution_list *executions, struct event **finished,
	size_t count, store_done_fn *done, void *arg);

/* All counts of store_admit (held.h) that have not expired.  Blocks: yes (start only). */
int store_load_counts(
	struct store *store, struct gate_count_list *ret_counts, struct err *err) MUST_USE;

/* Delete events with their executions; unfinished ones give -EBUSY. */
void store_delete_event(struct store *store, uint64_t seq, store_done_fn *done, void *arg);

/* Delete final events processed before the time, in slices; done gets the number removed in count.
 */
typedef void store_count_fn(void *arg, int code, uint64_t count, const struct err *err);
void store_delete_before(struct store *store, int64_t before_ns, store_count_fn *done, void *arg);

/* Point reads, on the point lane.  The callback gets an owned reference or NULL with -ENOENT, and
 * the executions recorded (moved out of *executions by the receiver, else freed by the store). */
typedef void store_event_fn(
	void *arg, int code, struct event *ev, struct execution_list *executions);
void store_get_event(struct store *store, uint64_t seq, store_event_fn *done, void *arg);
/* By the text users see; for a sender's id the newest of any sender, or of `sender` when given. */
void store_find_event(
	struct store *store, const char *id, const char *sender, store_event_fn *done, void *arg);

/* Lists, on the long lane, at most limit events, fewer when their data is large (8 MB an answer):
 * only an empty list is the end.  Filters left 0 or NULL do not filter. */
struct event_query {
	uint64_t after_seq;  /* seq > this (ascending) ... */
	uint64_t before_seq; /* ... or, descending, seq < this (0: from the newest) */
	bool descending;
	const char *type;           /* exact, or a glob of *, ? and [a-z] */
	const char *stack;          /* NULL: any; "" the root's */
	int status;                 /* enum event_status or -1 */
	uint64_t cause_seq;         /* effects of this event */
	int64_t since_ns, until_ns; /* created_ns >= since, < until */
	size_t limit;
	bool without_data; /* leave data NULL: for listings */
};
typedef void store_events_fn(void *arg, int code, struct event_list *events); /* owned references */
void store_query_events(
	struct store *store, const struct event_query *query, store_events_fn *done, void *arg);

/* Look through events on the long lane, a slice at a time: at most query.limit are given, fewer
 * when many were looked at that `keeps` did not want (a pure function, called on the lane, with
 * keeps_arg alive until then; NULL wants all).  With hook_id only events this hook has an execution
 * of, which is given too, in the same order; then type, stack, status and cause are for `keeps` to
 * judge. */
typedef bool store_keeps_fn(void *arg, const struct event *ev, const struct execution *ex);
struct event_search {
	struct event_query query;
	uint64_t hook_id; /* 0: any, and ex is NULL */
	bool only_failed; /* with hook_id: failed, timeout or interrupted */
	store_keeps_fn *keeps;
	void *keeps_arg;
};
/* reached: the last seq that was looked at; 0: there is nothing behind it. */
typedef void store_found_fn(void *arg, int code, struct event_list *events,
	struct execution_list *executions, uint64_t reached);
void store_search_events(
	struct store *store, const struct event_search *search, store_found_fn *done, void *arg);

/* Unfinished events that are not parked with seq > after, ascending, with the executions they
 * already have (for recovery and for what did not fit in memory).  Sees everything whose commit was
 * announced before the call.  Executions are listed in the order of their events.  code is 0 when
 * these are all, 1 when there are more: limit was reached, or the data of these is already over a
 * few MiB. */
typedef void store_pending_fn(
	void *arg, int code, struct event_list *events, struct execution_list *executions);
void store_read_pending(
	struct store *store, uint64_t after_seq, size_t limit, store_pending_fn *done, void *arg);

/* Distinct types in use, each on a line of out. */
typedef void store_text_fn(void *arg, int code, struct sbuf *out);
void store_event_types(struct store *store, store_text_fn *done, void *arg);

/* ---- state ---------------------------------------------------------------------------------- */

/* Keys of scripts, per stack; values are JSON text of at most STATE_VALUE_MAX bytes (-EFBIG; so is
 * a list of keys over it).  Done in order with all other writes.  Operations: base/worker_proto.h;
 * CAS gives the value there with its -EAGAIN. */
#define STATE_VALUE_MAX (1024 * 1024)

struct state_request {
	enum state_op op;
	const char *stack; /* "" root */
	const char *key;
	const char *value; /* JSON text */
	const char *expect;
	int64_t expires_ns; /* SET, CAS: 0 never; INCR keeps what the key has */
};
/* Borrows the request during the call only.  done gets the value in out. */
void store_state(
	struct store *store, const struct state_request *req, store_text_fn *done, void *arg);

/* ---- small things --------------------------------------------------------------------------- */

/* Modes and owners changed by chmod and chown, by path. */
struct perm {
	char *path;
	int mode;         /* -1: not set */
	int64_t uid, gid; /* -1: not set */
	STAILQ_ENTRY(perm) link;
};
STAILQ_HEAD(perm_list, perm);
int store_load_perms(struct store *store, struct perm_list *ret_perms,
	struct err *err) MUST_USE; /* Blocks: yes */
/* Nothing set forgets the path. */
void store_put_perm(struct store *store, const char *path, int mode, int64_t uid, int64_t gid);

/* Hear of events that went with retention or store_delete_before, a slice at a time, after the
 * commit: their seqs, ascending, borrowed during the call. */
typedef void store_pruned_fn(void *arg, const uint64_t *seqs, size_t count);
void store_on_pruned(struct store *store, store_pruned_fn *pruned, void *arg);

/* Retention settings take effect at the next slice. */
struct store_retention {
	int64_t max_age_ns; /* 0: no limit */
	uint64_t max_count; /* 0 */
	uint64_t max_bytes; /* 0 */
};
void store_set_retention(struct store *store, const struct store_retention *retention);

/* Free space below which intake gets -ENOSPC, from the next group on. */
void store_set_reserve(struct store *store, uint64_t bytes);

/* Look for damage, on a lane of its own (worth it after a crash; minutes on a large database).
 * done gets 0, or -EIO with a finding a line in out; -ECANCELED when the store closes first.  The
 * figures tell how far it is. */
enum store_check { STORE_UNCHECKED, STORE_CHECKING, STORE_SOUND, STORE_DAMAGED };
void store_check(struct store *store, store_text_fn *done, void *arg);

/* Figures for `status` and `metrics`. */
struct store_figures {
	uint64_t db_bytes, wal_bytes, commits, last_commit_ns;
	size_t writer_depth;
	uint64_t events_by_status[4]; /* as committed: processing are the parked ones */
	bool is_full;                 /* the reserve is reached */
	enum store_check check;
};
void store_figures(struct store *store, struct store_figures *ret_figures);

#endif
