/* The dispatcher's inside, of what does not run at once: see dispatcher_impl.h. */
#ifndef SLOTH_EVENTS_DISPATCHER_REST_H
#define SLOTH_EVENTS_DISPATCHER_REST_H

#include "base/heap.h"
#include "fsd/hooks/gate.h"
#include "fsd/store/held.h"

#include <uthash.h>

struct dispatcher;
struct held;
struct job;

/* Something that is to be looked at at its time. */
struct alarm {
	struct heap_node node; /* first */
	int64_t due_ns;        /* as clock_steady_ns counts */
	uint64_t seq;
	bool is_lot; /* of a struct lot, else of a job */
};

/* Lists of jobs and events (dispatcher_impl.h). */
TAILQ_HEAD(admission_list, job);
TAILQ_HEAD(early_list, job);
TAILQ_HEAD(held_order, held);

#define LOT_MAX 256 /* resting jobs of one hook in memory */

/* What one hook holds: of it in memory is what comes first, the rest is parked. */
struct lot {
	struct alarm alarm; /* first: when what is parked is due */
	uint64_t hook_id;
	size_t near;         /* open jobs in memory that rest or did */
	struct heap resting; /* the last one on top */
	bool has_parked, is_reading;
	uint64_t read;
	struct due_key first; /* nothing that is parked comes before */
	bool is_first_since;  /* something was parked since the read was asked: */
	struct due_key first_since;
	struct dispatcher *owner;
	UT_hash_handle hh;
};

/* What leaves no memory by itself: a hook's lane has every open seq of one value of order_by. */
struct lane_key {
	uint64_t hook_id, lane;
};
struct lane {
	struct lane_key key;
	uint64_t *seqs; /* ascending, from `from` on; those that left have LANE_GONE set */
	size_t from, count, cap;
	UT_hash_handle hh;
};

/* An event to be read, since a job of it must be looked at now. */
struct recall {
	struct dispatcher *owner;
	uint64_t seq, hook_id;
	uint64_t read;
	bool is_asked; /* its gate wants the hook's job looked at; else it is only brought back */
	STAILQ_ENTRY(recall) link;
};
STAILQ_HEAD(recall_list, recall);

/* An event that left memory while reads were on their way. */
struct seq_entry {
	uint64_t seq;
	uint64_t asked; /* the last read asked before */
	UT_hash_handle hh;
};

/* Parked events of a stack. */
struct stack_count {
	char *stack;
	uint64_t count;
	UT_hash_handle hh;
};

/* What rests: see dispatcher_park.c. */
struct parking {
	struct lot *lots;
	uint64_t count;              /* parked events */
	uint64_t resting;            /* events in memory all of whose open jobs rest */
	struct parked_low low;       /* no parked event is below it, while there is one */
	struct parked_low low_since; /* of those parked since the first read on its way was asked */
	struct stack_count *stacks;  /* of what was parked in this life */
	uint64_t strangers;          /* parked in an earlier one */
	struct held_order leaving;   /* to be parked with the next admission */
	struct held_order leaving_saving;
	unsigned reads;             /* on their way */
	struct seq_entry *left;     /* what left memory meanwhile: an answer about it is stale */
	uint64_t asked;             /* the number of the last read */
	struct recall_list recalls; /* to be asked */
	bool is_read_due;           /* a lot may want to read */
};

/* ---- dispatcher_hold.c ---------------------------------------------------------------------- */

/* Whether what runs of it must be durable before, so that none of it is begun without a row. */
bool hold_has_row(const struct job *job);
/* Ask its gate, and do what it says. */
void hold_ask(struct dispatcher *d, struct job *job, enum gate_moment moment);
/* Let it run once that is durable. */
void hold_admit(struct dispatcher *d, struct job *job);
/* An attempt failed: hold it for the next one when there is one left.  Texts and times are set. */
bool hold_retry(struct dispatcher *d, struct job *job, enum exec_status status);
/* It is held, as the store knows: from now on until its due_ns. */
void hold_again(struct dispatcher *d, struct job *job);
/* Its time has come, or it must be looked at before. */
void hold_due(struct dispatcher *d, struct job *job);
/* What is due now; sets the timer for the next. */
void hold_look(struct dispatcher *d);
/* Set, anew when it is; take back; which of two alarms' nodes comes first. */
void alarm_set(struct dispatcher *d, struct alarm *alarm, int64_t due_ns);
void alarm_clear(struct dispatcher *d, struct alarm *alarm);
bool alarm_is_before(const struct heap_node *a, const struct heap_node *b);

/* ---- dispatcher_lanes.c --------------------------------------------------------------------- */

/* Put the job in the lane its rules give it, if any. */
void lane_enter(struct dispatcher *d, struct job *job);
/* A place known from the store. */
void lane_add(struct dispatcher *d, const struct lane_seq *place);
/* Whether it is the first of its lane. */
bool lane_lets(struct dispatcher *d, struct job *job);
/* It has its result: the next one may run. */
void lane_leave(struct dispatcher *d, struct job *job);
/* Look again at those that came before lower seqs were known. */
void lanes_look(struct dispatcher *d);
/* Everything an earlier life left is in: read those first in their lane that are parked. */
void lanes_start(struct dispatcher *d);
void lanes_fini(struct dispatcher *d);

/* ---- dispatcher_admit.c --------------------------------------------------------------------- */

/* Write its row with the next commit. */
void admit_job(struct dispatcher *d, struct job *job);
/* It is not to be written any more. */
void admit_forget(struct dispatcher *d, struct job *job);
/* Give the store what there is, unless a commit is on its way. */
void admit_begin(struct dispatcher *d);
bool admit_is_idle(const struct dispatcher *d);

/* ---- dispatcher_park.c ---------------------------------------------------------------------- */

/* Nothing rests. */
void park_init(struct dispatcher *d);
/* What an earlier life left. */
void park_start(struct dispatcher *d, const struct store_held *left);
/* A job begins or ends to rest. */
void park_rest(struct dispatcher *d, struct job *job);
void park_unrest(struct dispatcher *d, struct job *job);
/* How many of its jobs are open has changed. */
void park_update(struct dispatcher *d, struct held *held);
/* A job is open no more. */
void park_forget(struct dispatcher *d, struct job *job);
/* Its jobs changed, or a result of it was saved: it may leave. */
void park_look(struct dispatcher *d, struct held *held);
/* There is no room, and too much of it is taken by what rests: park it. */
void park_trim(struct dispatcher *d);
/* It stays, since a job of it must be looked at. */
void park_cancel(struct dispatcher *d, struct held *held);
/* The commit that parks is done. */
void park_saved(struct dispatcher *d);
void park_put_back(struct dispatcher *d);
/* Note that it left memory, for the sake of answers on their way. */
void park_note_left(struct dispatcher *d, const struct held *held);
/* Whether the answer to a read may be older than what happened to the event. */
bool park_is_stale(const struct dispatcher *d, uint64_t seq, uint64_t read);
/* A read of events is asked, is answered.  Returns its number. */
uint64_t park_read_begins(struct dispatcher *d);
void park_read_ends(struct dispatcher *d);
/* Look at the hook's job of the event now, in memory or not. */
void park_recall(struct dispatcher *d, uint64_t seq, uint64_t hook_id);
/* Bring the event back if it is parked. */
void park_fetch(struct dispatcher *d, uint64_t seq);
/* Send those two on their way. */
void park_ask(struct dispatcher *d);
/* Whether an event of the stack may be parked. */
bool park_has_stack(const struct dispatcher *d, const char *stack);
/* An answer has a parked event.  Takes: ev, and of executions what is of it, at the front. */
void park_bring(
	struct dispatcher *d, struct event *ev, struct execution_list *executions, uint64_t read);
void park_fini(struct dispatcher *d);

/* ---- dispatcher_lots.c ---------------------------------------------------------------------- */

/* The one of a hook, new if it held nothing. */
struct lot *lot_of(struct dispatcher *d, uint64_t hook_id);
/* Nothing of it that is parked comes before. */
void lot_set_first(struct dispatcher *d, struct lot *lot, const struct due_key *key);
/* Something of it is parked now. */
void lot_note(struct dispatcher *d, struct lot *lot, const struct due_key *key);
/* One job less of it in memory. */
void lot_drop(struct dispatcher *d, struct job *job);
/* Events that may rest in memory. */
size_t lots_max(const struct dispatcher *d);
/* Read what is due or nearly so. */
void lots_read(struct dispatcher *d);

#endif
