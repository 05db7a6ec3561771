/* The dispatcher's inside, shared by its files:
 *
 *	dispatcher.c          life, the turn, what others ask
 *	dispatcher_backlog.c  which unfinished events are held, which wait in the store
 *	dispatcher_jobs.c     matching, queues, invocations
 *	dispatcher_save.c     results into the store, events to their final state
 */
#ifndef SLOTH_EVENTS_DISPATCHER_IMPL_H
#define SLOTH_EVENTS_DISPATCHER_IMPL_H

#include "fsd/events/dispatcher.h"
#include "fsd/hooks/hooks.h"
#include "fsd/workers/workers.h"

#include <uthash.h>

/* One execution: a hook that matched an event. */
struct job {
	struct run run; /* first: the pool gives it back */
	struct execution ex;
	struct held *held;
	struct hook_queue *queue; /* NULL once it has its result */
	STAILQ_ENTRY(job) link;   /* in a queue, then among the results */
	STAILQ_ENTRY(job) sibling;
};
STAILQ_HEAD(job_list, job);

/* An unfinished event in memory. */
struct held {
	struct event *ev;
	struct event *final; /* what to record of it once every job has its result */
	struct job_list jobs;
	unsigned open; /* jobs without result */
	size_t bytes;
	TAILQ_ENTRY(held) order; /* all that are held, by seq */
	STAILQ_ENTRY(held) link; /* unmatched, then ended; or fresh */
	UT_hash_handle hh;
};
/* Lists of them. */
STAILQ_HEAD(held_list, held);
TAILQ_HEAD(held_order, held);

/* Jobs of one hook, in the order of their events. */
struct hook_queue {
	struct dispatcher *owner;
	uint64_t hook_id;
	struct job_list waiting;
	unsigned running;
	bool is_ready; /* in d->ready */
	TAILQ_ENTRY(hook_queue) link;
	UT_hash_handle hh;
};
TAILQ_HEAD(hook_queue_list, hook_queue);

/* The last seconds, for completed_10s. */
#define RATE_SECONDS 10
struct rate {
	uint64_t second[RATE_SECONDS]; /* which second since boot the count is of */
	uint64_t count[RATE_SECONDS];
};

/* What of the unfinished events is where: see dispatcher_backlog.c. */
struct backlog {
	uint64_t horizon;          /* everything unfinished up to here is held */
	uint64_t newest_announced; /* highest seq given to dispatcher_add */
	uint64_t read_target;      /* newest_announced when the read was asked */
	uint64_t unread;           /* announced and neither held nor fresh, as far as known */
	bool is_behind;            /* there may be unfinished events above the horizon */
	bool is_reading;
	bool is_fresh_whole; /* fresh has every event announced since the read was asked */
	size_t page;         /* events asked for */
	unsigned fresh_count;
	struct held_list fresh;
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
	uint64_t last_life_seq; /* events up to here may have begun before a crash; 0: no crash */

	struct held_list unmatched; /* wait for the barrier, by seq */
	struct hook_queue *queues;
	struct hook_queue_list ready; /* may start a job; taken from the front, put at the end */
	size_t open_jobs;
	unsigned running;

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

/* ---- dispatcher_backlog.c ------------------------------------------------------------------- */

/* Nothing is known yet: behind from the first event on. */
void backlog_init(struct dispatcher *d);
/* Read on when there is something to read and room for it. */
void backlog_refill(struct dispatcher *d);
/* Let go of a final event. */
void held_free(struct dispatcher *d, struct held *held);
/* Let go of all events, final or not. */
void backlog_fini(struct dispatcher *d);

/* ---- dispatcher_jobs.c ---------------------------------------------------------------------- */

/* An execution recorded in an earlier life becomes a job that has its result.  Takes: the strings
 * of ex. */
void jobs_add_recorded(struct held *held, struct execution *ex);
/* Match what the barrier lets through. */
void jobs_match(struct dispatcher *d);
/* A limit changed: look at every queue again. */
void jobs_update(struct dispatcher *d);
/* Start what may run now. */
void jobs_start(struct dispatcher *d);
/* With its strings and its reference to the version. */
void job_free(struct job *job);
/* Frees the queues; their jobs belong to the events. */
void jobs_fini(struct dispatcher *d);

/* ---- dispatcher_save.c ---------------------------------------------------------------------- */

/* A job has its result. */
void save_result(struct dispatcher *d, struct job *job);
/* Every job of the event has its result. */
void save_ended(struct dispatcher *d, struct held *held);
/* Give the store what there is, unless a commit is on its way. */
void save_begin(struct dispatcher *d);
/* Nothing waits to be committed. */
bool save_is_idle(const struct dispatcher *d);

/* Count one in this second; sum up the last RATE_SECONDS.  Seconds of any clock that only grows. */
void rate_count(struct rate *rate, uint64_t second);
uint64_t rate_sum(const struct rate *rate, uint64_t second);

#endif
