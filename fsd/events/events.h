/* Events: what other rooms may call.  intake.c parses and accepts, dispatcher.c moves events to
 * their final state, feed.c tells streams, waiters and the log; node_*.c show them in the
 * tree. All on the core thread.
 */
#ifndef SLOTH_EVENTS_EVENTS_H
#define SLOTH_EVENTS_EVENTS_H

#include "base/err.h"
#include "fsd/store/store.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

struct events;
struct dispatcher;
struct hooks;
struct origin;

struct tree;
struct lane;
struct log;

#define EVENT_DEPTH_MAX 16 /* longest chain of causes */

/* ---- life ----------------------------------------------------------------------------------- */

struct events_options {
	uv_loop_t *loop;
	struct store *store;
	struct tree *tree;    /* NULL: nobody is told of changes (tests) */
	struct lane *files;   /* for the log */
	const char *log_path; /* events/log; NULL: no log (tests) */
	const char *log_dir;  /* full segments: events/log.d */
	uint64_t log_max_bytes;
	struct log *steps; /* what happens to each event, at level debug; NULL */
};

/* Start the room: the log is opened and its tail repaired from the store.  Blocks: briefly (start
 * of the daemon only).  Returns owned in *ret_events. */
int events_new(
	const struct events_options *opt, struct events **ret_events, struct err *err) MUST_USE;

/* The dispatcher needs the room and the room the dispatcher: called once, before events come. */
void events_set_dispatcher(struct events *events, struct dispatcher *dispatcher);

/* Whom `why` asks; they outlive the room.  Without them it tells what was recorded only. */
void events_set_hooks(struct events *events, struct hooks *hooks);

/* Who knows the event a run of a worker process works on (workers_find_event): it is the cause of
 * what that run, or a process it started, writes to events/emit.  Asked while the writer waits. */
typedef bool events_origin_fn(
	void *arg, const struct origin *origin, const struct event **ret_ev, unsigned *ret_depth);
void events_set_origins(struct events *events, events_origin_fn *origin, void *arg);

/* How many of the newest ids `ls events` shows (config/events_window). */
void events_set_window(struct events *events, size_t ids);
/* Rotate events/log past this (config/events_log_max_bytes); 0: never. */
void events_set_log_max(struct events *events, uint64_t bytes);

/* Refuse new events from now on (-ESHUTDOWN). */
void events_stop(struct events *events);

/* After store_close and tree_free: no request is under way and no node refers to an event any more;
 * before the files' lane is stopped.  Wants the loop to run once more.  Accepts NULL. */
void events_free(struct events *events);

struct events_figures {
	uint64_t accepted, duplicates; /* since start */
	uint64_t refused;              /* records that were not valid */
	uint64_t dropped;              /* unfinished records of writers that closed or died */
	uint64_t lost;                 /* lines that slow readers of streams did not get */
};
void events_figures(const struct events *events, struct events_figures *ret_figures);

/* ---- raising events ------------------------------------------------------------------------- */

/* An event to be raised from inside the daemon or by a worker. */
struct emit {
	const char *type, *stack, *data; /* data: a JSON object's text */
	const char *id, *sender; /* id NULL: ours.  sender: "master", "hook:<name>", "uid:1000" */
	const char *severity, *agent, *run_id, *source;
	const char *timestamp;     /* RFC 3339 or seconds since 1970; NULL: now */
	const struct event *cause; /* NULL: none */
};

/* Accept one event; done gets its id in out after the commit, or -EINVAL (type), -EFBIG, -ELOOP
 * (depth), -ENOSPC, -ESHUTDOWN with the sentence in out; a refusal may call done before this
 * returns.  stack NULL: the cause's.  Borrows e during the call only.  done may be NULL. */
void events_emit(struct events *events, const struct emit *e, store_text_fn *done, void *arg);

/* Accept events already built (intake): sets seq, salt, created_ns, appends, and hands them to the
 * dispatcher after the commit.  dup may be NULL.  Takes: the references, not the array. */
void events_accept(struct events *events, struct event **list, size_t count, store_dup_fn *dup,
	store_done_fn *done, void *arg);

/* The sequence number the next accepted event gets: hooks use it as an interval's start. */
uint64_t events_next_seq(const struct events *events);

/* ---- what the dispatcher tells (feed.c) --------------------------------------------------------
 */

/* After the commit that made it so: all that is open of the event is held, and the dispatcher lets
 * go of it for now; or it is final. */
void events_on_parked(
	struct events *events, struct event *ev, const struct execution_list *executions);
void events_on_final(
	struct events *events, struct event *ev, const struct execution_list *executions);

#endif
