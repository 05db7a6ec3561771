/* Workers: the pool of processes that run user code.  The zygote forks them; each runs many
 * invocations at once; the pool sends scripts and runs, answers what they ask, and kills through
 * the pidfd the one that does not come back.  All on the core thread.
 */
#ifndef SLOTH_WORKERS_WORKERS_H
#define SLOTH_WORKERS_WORKERS_H

#include "base/err.h"
#include "base/log.h"
#include "base/worker_proto.h"
#include "fsd/hooks/hooks.h"
#include "fsd/store/store.h"

#include <stdbool.h>
#include <uv.h>

struct workers;
struct worker;
struct run_outcome;

/* One invocation; the dispatcher embeds it.  Everything it points to stays alive until done. */
struct run {
	struct hook_code *code; /* source loaded */
	struct event *event;
	unsigned attempt; /* from 1 */
	enum run_part part;
	unsigned count; /* events this run stands for; 0 is 1 */
	bool is_dry; /* ctl/hooks/<hook>/test: events and state go through, nothing is recorded */
	void (*started)(struct run *run);                           /* may be NULL */
	void (*done)(struct run *run, struct run_outcome *outcome); /* exactly once */
	/* the pool's */
	uint32_t id;
	unsigned restarts; /* for no fault of its own */
};

struct run_outcome {
	enum exec_status status; /* success, failed, timeout, interrupted, filtered */
	/* The pool's until done returns; take by TAKE(). */
	char *message, *error;
	char *output; /* its last line is the message */
	char *why;    /* filtered: the condition, and what the value was */
	int64_t started_ns, duration_ns;
	bool is_killed; /* the worker had to be killed for it, or it crashed */
};

/* What workers may ask of other rooms; wired in main.c so that this room needs none of them.  All
 * that is passed is borrowed during the call only (run may have ended when done is called). */
struct worker_services {
	void *arg;
	/* Dispatch an event for run (cause, stack and sender come from it). */
	void (*emit)(void *arg, struct run *run, const char *type, const char *data,
		const char *stack, const char *options, store_text_fn *done, void *done_arg);
	void (*state)(void *arg, struct run *run, const struct state_request *req,
		store_text_fn *done, void *done_arg);
	/* The version got its worker killed: code->is_alone is set now.  May be NULL. */
	void (*alone)(void *arg, struct hook_code *code);
};

struct worker_options {
	const char *program;   /* path of sloth-worker */
	const char *state_dir; /* holds workers.lock, the generation fence */
	const char *mount;     /* SLOTH_RUNNER_MOUNT for what hooks start */
	const char *bin_dir;   /* in front of PATH */
	struct log *log;       /* what workers say about themselves, and their ends; may be NULL */
	bool no_new_privs;     /* no program that a hook of an ordinary user starts gains rights */
};

/* Fence off workers of an earlier master on this state (waits for them to be gone, killing what
 * remains), start the zygote.  Blocks: yes (start only).  Returns owned. */
int workers_start(uv_loop_t *loop, const struct worker_options *opt,
	const struct worker_services *services, struct workers **ret_workers,
	struct err *err) MUST_USE;

/* Settings (config/workers, hook_timeout, hook_memory, log_level); take effect at once. */
void workers_set_limit(struct workers *w, unsigned invocations);
void workers_set_defaults(struct workers *w, unsigned timeout_ms, uint64_t memory_bytes);
void workers_set_log_level(struct workers *w, enum log_level level);
unsigned workers_limit(const struct workers *w);
unsigned workers_busy(const struct workers *w);      /* invocations now */
unsigned workers_processes(const struct workers *w); /* worker processes now */

/* The run for which a thread of a worker works just now; 0: not known.  Ask while the thread waits
 * for us. */
uint32_t workers_run_of(const struct workers *w, pid_t worker, pid_t thread);

/* The event that a run of a worker process works on, borrowed; run 0: any it has.  NULL when it is
 * not clear which; *ret_depth is then the depth of the deepest it may be.  Returns false when there
 * is no such run. */
bool workers_find_event(struct workers *w, pid_t worker, uint32_t run, const struct event **ret_ev,
	unsigned *ret_depth);

/* Start an invocation.  The caller keeps to workers_limit(); the pool chooses a process of the
 * hook's uid.  done comes later, but at once (interrupted) while workers_stop is at work. */
void workers_run(struct workers *w, struct run *run);
/* Ask a run to end with the status given (timeout, interrupted); done follows as always. */
void workers_cancel(struct workers *w, struct run *run, enum run_result result);

/* Load a script in a throw-away state as the given user; done gets its metadata (JSON) or -EINVAL
 * with "file:line: message", -ETIMEDOUT; -ECANCELED (says nothing about the script) when the pool
 * is stopped.  Strings are borrowed during the call. */
typedef void workers_meta_fn(void *arg, int code, const char *meta, const struct err *err);
struct check_request {
	const char *path, *source, *lib_dirs;
	const char *match; /* conditions that stand in place of its own; NULL */
	size_t source_len;
	uid_t uid;
	gid_t gid;
};
void workers_check(
	struct workers *w, const struct check_request *req, workers_meta_fn *done, void *arg);

/* End all workers and the zygote; runs still there are done as interrupted.  Blocks: briefly. */
void workers_stop(struct workers *w);

#endif
