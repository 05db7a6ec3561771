/* The records that rooms and the store exchange.  Plain values; strings are owned by the record. */
#ifndef SLOTH_STORE_RECORDS_H
#define SLOTH_STORE_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* Longest id a sender may give, and a text of ours (36) with its NUL. */
#define EVENT_ID_MAX   64
#define EVENT_TEXT_MAX (1024 * 1024) /* bytes of one event as sent */

enum event_status { EVENT_PENDING, EVENT_PROCESSING, EVENT_COMPLETED, EVENT_FAILED };

/* One accepted event.  Immutable after acceptance but for status, error and processed_ns.
 * Reference counted: the dispatcher, nodes and streams share it. */
struct event {
	unsigned refs;
	uint64_t seq;  /* commit order, from 1 */
	uint32_t salt; /* random bits of an id of ours */
	enum event_status status;
	int64_t created_ns;   /* accepted */
	int64_t timestamp_ns; /* when it happened: the sender's or ours */
	int64_t processed_ns; /* final state reached; 0 before */
	uint64_t cause_seq;   /* the event whose hook dispatched this one; 0: none */
	char *cause_id;       /* its id; NULL: no cause, or it is deleted */
	uint64_t replay_of;   /* seq of the original; 0: not a replay */
	unsigned depth;       /* length of the chain of causes */
	char *sender_id;      /* NULL: the id is ours (event_id_text) */
	char *sender; /* who sent it ("uid:1000", an agent's name, "master"); with sender_id unique
		       */
	char *type;
	char *stack;                              /* "" at the root */
	char *agent, *run_id, *severity, *source; /* NULL: not given */
	char *replay_hook;                        /* only this hook runs; NULL: all */
	char *error;                              /* why it failed; NULL */
	char *data; /* the sender's JSON object, byte for byte; "{}" when none */
	size_t data_len;
	STAILQ_ENTRY(event) link; /* whoever owns the batch */
};
STAILQ_HEAD(event_list, event);

/* Returns ev with one reference more.  Thread: core, or whoever alone has the event. */
struct event *event_ref(struct event *ev);
void event_unref(struct event *ev); /* accepts NULL */

/* The id users see: the sender's, or a UUIDv7 made of created_ns (48 bits of ms), seq (42 bits) and
 * salt (32 bits), so that it needs no column and no index: event_id_parse gives seq back.
 * Layout: ms[48] 7 seq[41..30] 10 seq[29..0] salt[32] (RFC 9562 section 5.7). */
void event_id_text(const struct event *ev, char ret_id[EVENT_ID_MAX + 1]);
/* Returns true and the parts when text has the form of an id of ours. */
bool event_id_parse(const char *text, int64_t *ret_ms, uint64_t *ret_seq, uint32_t *ret_salt);

/* "pending", "processing", "completed", "failed". */
const char *event_status_name(enum event_status status);

enum exec_status {
	EXEC_PENDING,
	EXEC_RUNNING,
	EXEC_SUCCESS,
	EXEC_FAILED,
	EXEC_TIMEOUT,
	EXEC_INTERRUPTED,
	EXEC_HELD,
	EXEC_THROTTLED,
	EXEC_FILTERED,
	EXEC_SKIPPED,
	EXEC_REMOVED,
};
/* The constant's name in lower case. */
const char *exec_status_name(enum exec_status status);

/* The result of one hook for one event. */
struct execution {
	uint64_t seq;     /* the event */
	uint64_t hook_id; /* the hook; its name lives in the hooks table */
	char *hook;       /* "<hook>" or "<hook>@<stack>", as in the tree */
	uint32_t version; /* of the hook that matched */
	enum exec_status status;
	unsigned attempts;
	int64_t started_ns, duration_ns;
	char *message;  /* second value returned; NULL */
	char *output;   /* what print and log wrote, then message; NULL */
	char *error;    /* NULL on success */
	int64_t due_ns; /* held: when it is looked at again, as clock_steady_ns counts; else 0 */
	char *why;      /* the rule and the values that decided; NULL: nothing but the match */
	unsigned count; /* how many events its run stands for; 0 is 1 */
	uint64_t lane;  /* not final: which lane of order_by it is in; 0: none */
	STAILQ_ENTRY(execution) link;
};
STAILQ_HEAD(execution_list, execution);

void execution_free(struct execution *ex); /* accepts NULL */
/* Free its strings. */
void execution_fini(struct execution *ex);
/* Returns owned, in no list. */
struct execution *execution_copy(const struct execution *ex);

/* What a hook's gate has counted for one value of its group_by, in the gate's own words. */
struct gate_count {
	uint64_t hook_id;
	char *key;          /* "" when the hook groups by nothing */
	char *value;        /* NULL: forget it */
	int64_t expires_ns; /* real time after which it says nothing any more */
	STAILQ_ENTRY(gate_count) link;
};
STAILQ_HEAD(gate_count_list, gate_count);

void gate_count_free(struct gate_count *c); /* accepts NULL */

/* A version of a hook: matched events from from_seq up to, not including, to_seq. */
struct hook_version {
	uint64_t hook_id;
	uint32_t version;          /* from 1 */
	uint64_t from_seq, to_seq; /* to_seq 0: in service */
	char *name;                /* file stem */
	char *stack;               /* "" at the root */
	char *types;               /* patterns, one a line: task.*, * */
	char *meta;   /* JSON: description, timeout_ms, enabled, ... as the hooks room wrote it */
	char *source; /* the script's bytes; NULL when the caller did not ask */
	size_t source_len;
	uint64_t hash; /* of the source */
	int64_t created_ns;
	STAILQ_ENTRY(hook_version) link;
};
STAILQ_HEAD(hook_version_list, hook_version);

void hook_version_free(struct hook_version *v); /* accepts NULL */

/* Counters of a hook by name, kept across versions. */
struct hook_stats {
	uint64_t hook_id;
	char *name, *stack;
	uint64_t runs, failures;
	uint32_t last_version; /* the highest ever given, so that a name that returns goes on */
	int64_t last_run_ns, created_ns, updated_ns;
	STAILQ_ENTRY(hook_stats) link;
};
STAILQ_HEAD(hook_stats_list, hook_stats);

void hook_stats_free(struct hook_stats *h); /* accepts NULL */

#endif
