/* The dispatcher moves accepted events to their final state: match, queue, run, record.
 *
 * Fair: one queue per hook, round-robin; per-hook concurrency; `workers` invocations at once.
 * Bounded: it holds at most `event_buffer` unfinished events and DISPATCHER_BYTES_MAX; the rest
 * waits in the store and is read back when there is room, and so does what hooks hold for later.
 * Results that arrive while the store
 * commits are committed together.  Thread: core.
 */
#ifndef SLOTH_EVENTS_DISPATCHER_H
#define SLOTH_EVENTS_DISPATCHER_H

#include "fsd/store/store.h"

#include <stdbool.h>
#include <uv.h>

/* Bytes of the events held, roughly; above it events wait in the store as when the buffer is full.
 */
#define DISPATCHER_BYTES_MAX (16u * 1024 * 1024)

struct dispatcher;
struct hooks;
struct workers;
struct events;
struct log;

/* Those it works with; they outlive it.  log may be NULL. */
struct dispatcher_rooms {
	struct store *store;
	struct hooks *hooks;
	struct workers *workers;
	struct events *events;
	struct log *log;
};

/* Registers with hooks_on_settled.  Returns owned. */
struct dispatcher *dispatcher_new(uv_loop_t *loop, const struct dispatcher_rooms *rooms);
/* When nothing runs and the store is closed: both may still call back.  Accepts NULL. */
void dispatcher_free(struct dispatcher *d);

/* Read the unfinished events of the last life and start.  Called once, after hooks are loaded.
 * Blocks: briefly.  Fails when the store cannot tell what is held. */
int dispatcher_start(struct dispatcher *d, struct err *err) MUST_USE;

/* An event was committed.  Keeps a reference, or only counts it when the buffer is full.  Called in
 * the order of seq, also before dispatcher_start. */
void dispatcher_add(struct dispatcher *d, struct event *ev);

/* Registrations settled, workers became free, a limit changed: look again. */
void dispatcher_kick(struct dispatcher *d);

/* A hook was removed: what it holds gets its result now, in memory or parked. */
void dispatcher_hook_removed(struct dispatcher *d, uint64_t hook_id);

/* Executions known of an event that is not final yet: pending, running and held ones too.  Calls fn
 * for each; false when the event is not in memory (final, parked, or not read yet). */
typedef void dispatcher_exec_fn(void *arg, const struct execution *ex);
bool dispatcher_executions(struct dispatcher *d, uint64_t seq, dispatcher_exec_fn *fn, void *arg);
/* The event itself while it is held, borrowed; else NULL.  Its status becomes final only after the
 * commit. */
struct event *dispatcher_find(struct dispatcher *d, uint64_t seq);

/* Whether a hook of this label runs for an event of this type, stack and seq. */
bool dispatcher_would_run(struct dispatcher *d, const struct event *ev, const char *label);
/* The events after a seq whose hooks are being run, by seq, until fn returns false. */
typedef bool dispatcher_event_fn(void *arg, const struct event *ev);
void dispatcher_processing(
	struct dispatcher *d, uint64_t after_seq, dispatcher_event_fn *fn, void *arg);

/* No event below this seq is unfinished; it may be lower than the lowest that is. */
uint64_t dispatcher_oldest_seq(const struct dispatcher *d);
/* Whether an event of the stack may be unfinished; also true while that is not known of all. */
bool dispatcher_has_stack(const struct dispatcher *d, const char *stack);

/* Start nothing new.  drained is called when nothing runs any more and every result is committed
 * (never from inside this call). */
void dispatcher_drain(struct dispatcher *d, void (*drained)(void *arg), void *arg);

struct dispatcher_figures {
	uint64_t queued;        /* unfinished events, but for those that are */
	uint64_t held;          /* all of whose open executions rest */
	uint64_t oldest_ns;     /* creation time of the oldest of both; 0: none */
	uint64_t running;       /* invocations */
	uint64_t finished;      /* since start */
	uint64_t completed_10s; /* for rate */
};
void dispatcher_figures(struct dispatcher *d, struct dispatcher_figures *ret_figures);

/* Settings (config/). */
void dispatcher_set_buffer(struct dispatcher *d, size_t events);

#endif
