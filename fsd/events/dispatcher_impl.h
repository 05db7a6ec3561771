/* The dispatcher's inside, shared by its files:
 *
 *	dispatcher.c          life, the turn, what others ask
 *	dispatcher_backlog.c  which unfinished events are held in memory, which wait in the store
 *	dispatcher_overtake.c which of those that come need not wait there
 *	dispatcher_jobs.c     matching, invocations
 *	dispatcher_queues.c   which hook's turn it is
 *	dispatcher_hold.c     gates, retries: what runs now, later, or not at all
 *	dispatcher_lanes.c    order_by: one after the other
 *	dispatcher_admit.c    decisions into the store, before anything runs by them
 *	dispatcher_park.c     events that leave memory while all that is open of them is held
 *	dispatcher_lots.c     of each hook: which of them, and when they are read
 *	dispatcher_save.c     results into the store, events to their final state
 */
#ifndef SLOTH_EVENTS_DISPATCHER_IMPL_H
#define SLOTH_EVENTS_DISPATCHER_IMPL_H

#include "fsd/events/dispatcher.h"
#include "fsd/events/dispatcher_backlog.h"
#include "fsd/events/dispatcher_rest.h"
#include "fsd/hooks/gate.h"
#include "fsd/hooks/hooks.h"
#include "fsd/hooks/rules.h"
#include "fsd/workers/workers.h"

/* Where an execution stands.  Only JOB_BLOCKED and JOB_HELD rest: nothing happens to them until
 * something else does. */
enum job_stage {
	JOB_RECORDED, /* read from the store, where it is open: looked at when its event is matched
		       */
	JOB_ADMITTED, /* may run once that is durable */
	JOB_BLOCKED,  /* another one of its lane is before it */
	JOB_HELD,     /* until due_ns */
	JOB_QUEUED,
	JOB_RUNNING, /* has a place, whatever is still to be done before it starts */
	JOB_DONE,    /* has its result */
};

/* What of an open execution the store knows. */
enum job_row { ROW_SETTLED, ROW_WAITS, ROW_ON_ITS_WAY };

/* One execution: a hook that matched an event. */
struct job {
	struct run run; /* first: the pool gives it back */
	struct execution ex;
	struct held *held;
	enum job_stage stage;
	struct hook_queue *queue; /* while queued or running */
	STAILQ_ENTRY(job) link;   /* in a queue, then among the results */
	STAILQ_ENTRY(job) sibling;
	/* of a hook that holds */
	enum job_row row;
	bool has_row;             /* the store has one, however old */
	bool is_asked;            /* to be looked at as soon as its row is settled */
	enum exec_status attempt; /* how the last attempt ended, while held for the next */
	TAILQ_ENTRY(job) admission;
	bool is_early; /* in d->early */
	TAILQ_ENTRY(job) early;
	struct alarm alarm;
	struct lot *lot;          /* from the first time it rests on */
	struct heap_node resting; /* in lot->resting */
};
STAILQ_HEAD(job_list, job);

/* An unfinished event in memory. */
struct held {
	struct dispatcher *owner;
	struct event *ev;
	struct event *final; /* what to record of it once every job has its result */
	struct job_list jobs;
	unsigned open;    /* jobs without result */
	unsigned resting; /* of those */
	unsigned unsaved; /* jobs whose result is not in the store yet */
	unsigned unsent;  /* of those, not on its way there either */
	size_t bytes;
	bool is_resting;            /* all that is open rests */
	bool is_parking;            /* leaves with the next admission, or the one on its way */
	bool is_leaving;            /* is in the one on its way */
	bool is_marked, was_marked; /* parked as the store knows it; ever */
	bool is_overtaking, has_overtaken;
	TAILQ_ENTRY(held) order;     /* all that are held, by seq */
	TAILQ_ENTRY(held) park_link; /* in d->parking or d->parking_saving */
	STAILQ_ENTRY(held) link;     /* unmatched, then ended; or fresh */
	UT_hash_handle hh;
};

/* Jobs of one hook, in the order of their events. */
struct hook_queue {
	struct dispatcher *owner;
	uint64_t hook_id;
	struct job_list waiting;
	size_t length; /* of waiting */
	unsigned running;
	bool is_ready; /* in a level of d->ready */
	unsigned level;
	TAILQ_ENTRY(hook_queue) link;
	UT_hash_handle hh;
};
TAILQ_HEAD(hook_queue_list, hook_queue);

/* Queues that may start a job, by priority. */
#define PRIORITY_MAX 100
#define LEVELS       (2 * PRIORITY_MAX + 1)
struct ready {
	struct hook_queue_list levels[LEVELS]; /* the highest priority first */
	uint64_t used[(LEVELS + 63) / 64];     /* a bit per level that is not empty */
	unsigned starts;
	unsigned turn; /* the level that had the last turn of the lower ones */
};

/* The last seconds, for completed_10s. */
#define RATE_SECONDS 10
struct rate {
	uint64_t second[RATE_SECONDS]; /* which second since boot the count is of */
	uint64_t count[RATE_SECONDS];
};

struct dispatcher {
	uv_loop_t *loop;
	struct dispatcher_rooms rooms;
	uv_idle_t soon;   /* active when a turn is due */
	uv_timer_t retry; /* after the store failed */
	unsigned closing; /* handles not closed yet, at the end */
	bool is_started, is_in_turn;

	size_t buffer;
	struct held *by_seq;
	struct held_order order;
	size_t held_count, held_bytes;
	struct backlog backlog;
	struct overtaking overtaking;
	uint64_t last_life_seq; /* events up to here may have begun before a crash; 0: no crash */

	struct held_list unmatched; /* wait for the barrier, by seq */
	struct hook_queue *queues;
	struct ready ready;
	size_t open_jobs;
	unsigned running;

	struct heap alarms;
	uv_timer_t due; /* for the first of them */
	struct lane *lanes;
	struct early_list early; /* jobs whose lane may get one before them */
	struct parking parking;
	struct admission_list admissions; /* jobs whose row waits to be written */
	struct admission_list admitting;  /* in the commit on its way */
	struct gate_count_list counts;    /* likewise; kept until it is done */
	bool is_admitting, is_gate_used;

	struct job_list results; /* not in the store yet */
	struct held_list ended;  /* every job has its result */
	struct job_list saving;  /* in the commit on its way */
	struct held_list saving_ended;
	bool is_saving, is_retrying;

	uint64_t finished;
	struct rate rate;
	bool is_draining;
	void (*drained)(void *arg);
	void *drained_arg;
};

/* Run a turn when this turn of the loop is over. */
void dispatcher_wake(struct dispatcher *d);
/* Turns wait a second: the store failed. */
void dispatcher_retry_later(struct dispatcher *d);

/* ---- dispatcher_jobs.c ---------------------------------------------------------------------- */

/* An execution in the store becomes a job: one that has its result, or JOB_RECORDED.  Takes: the
 * strings of ex. */
struct job *jobs_add_recorded(struct held *held, struct execution *ex);
/* Go on with those that are JOB_RECORDED. */
void jobs_resume(struct dispatcher *d, struct held *held, bool was_parked);
/* Match what the barrier lets through. */
void jobs_match(struct dispatcher *d);
/* Its place is taken: run it, once its source is there. */
void job_start(struct dispatcher *d, struct job *job);
/* All that had to be durable is: run it. */
void job_launch(struct dispatcher *d, struct job *job);
/* It has its result. */
void job_settle(struct dispatcher *d, struct job *job, enum exec_status status);
/* Whether a hook that matches an event is to run for it: a replay may be for one alone. */
bool event_is_for(const struct event *ev, const struct hook_code *code);
/* The rules of its hook. */
const struct hook_rules *job_rules(const struct job *job);
/* Replace one of its texts.  Takes: text. */
void job_set_text(char **text, char *value);
/* With its strings and its reference to the version. */
void job_free(struct job *job);

/* ---- dispatcher_queues.c -------------------------------------------------------------------- */

/* It may run: into its queue, or behind the one before it in its lane. */
void job_ready(struct dispatcher *d, struct job *job);
/* It runs no more: make room for the next. */
void queue_leave(struct dispatcher *d, struct job *job);
/* Jobs of the hook that wait for a worker. */
size_t queue_length(const struct dispatcher *d, uint64_t hook_id);
/* A limit changed: look at every queue again. */
void queues_update(struct dispatcher *d);
/* Start what may run now. */
void queues_start(struct dispatcher *d);
/* Fini frees the queues; their jobs belong to the events. */
void queues_init(struct dispatcher *d);
void queues_fini(struct dispatcher *d);

/* ---- dispatcher_save.c ---------------------------------------------------------------------- */

/* A job has its result. */
void save_result(struct dispatcher *d, struct job *job);
/* Every job of the event has its result. */
void save_ended(struct dispatcher *d, struct held *held);
/* Give the store what there is, unless a commit is on its way. */
void save_begin(struct dispatcher *d);
/* Nothing waits to be committed. */
bool save_is_idle(const struct dispatcher *d);
/* How many rows one commit takes, of decisions, of results, of ends: twice as many as events come
 * with one, so that they keep up. */
#define COMMIT_ROWS_MAX (2 * STORE_JOB_EVENTS_MAX)
size_t commit_rows(const struct dispatcher *d);

/* Count one in this second; sum up the last RATE_SECONDS.  Seconds of any clock that only grows. */
void rate_count(struct rate *rate, uint64_t second);
uint64_t rate_sum(const struct rate *rate, uint64_t second);

#endif
