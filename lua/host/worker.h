/* The inside of sloth-worker: what the files of lua/host/ share.  Modules see host.h only.
 *
 *	struct worker      the process: loop, link to the daemon, scripts, what is ready to run
 *	  struct script    one version of one hook, as MSG_SCRIPT brought it
 *	    struct state   its lua_State: at most one, shared by its invocations (sandbox inside)
 *	      struct invocation   one MSG_RUN or MSG_CHECK: a coroutine of that state
 *	        struct await      what it waits for: one thing at a time
 *
 * One thread.  A lua_State finds its struct state in its extra space (every coroutine's is a copy
 *of the main one's), and state->current is the invocation whose coroutine runs right now.
 */
#ifndef SLOTH_LUA_WORKER_H
#define SLOTH_LUA_WORKER_H

#include "base/frame.h"
#include "lua/host/host.h"

#include <sys/queue.h>
#include <sys/types.h>
#include <uthash.h>

#define STATES_MAX        256 /* idle lua_States kept per worker */
#define MEMORY_DEFAULT    (64u * 1024 * 1024)
#define SLICE_NS          1000000 /* one turn of an invocation */
#define TURN_NS           1000000 /* running invocations before the loop looks at its handles */
#define HOOK_COUNT        1000    /* instructions between two looks at the clock */
#define LINK_BACKLOG_MAX  (4u * 1024 * 1024) /* unsent bytes at which we stop reading requests */
#define HURRY_BYTES       (4u * 1024 * 1024) /* allocated between two looks at the clock */
#define HOST_ELEMENTS_MAX (1 << 24)          /* elements one table function may go through */

struct worker;
struct script;
struct state;
struct invocation;

/* ---- link.c: frames to and from the daemon -------------------------------------------------- */

struct link {
	uv_pipe_t pipe;
	uv_prepare_t flush; /* active while there is something to write */
	uv_write_t write;
	struct sbuf in, out, sending;
	bool is_sending, is_reading, is_open;
	void (*on_frame)(struct worker *w, struct frame *f);
	void (*on_end)(struct worker *w); /* the daemon is gone, or speaks nonsense */
};
/* Takes: fd. */
int link_open(struct worker *w, int fd, struct err *err) MUST_USE;
/* Frames are appended to link_out() and go when the loop turns: call link_flush() after each. */
struct sbuf *link_out(struct worker *w);
void link_flush(struct worker *w);
void link_close(struct worker *w);

/* ---- worker.c ------------------------------------------------------------------------------- */

struct script {
	uint64_t hook_id;
	uint32_t version;
	char *name, *stack, *path, *source, *lib_dirs, *workdir; /* never NULL but workdir */
	size_t source_len;
	uint64_t memory_bytes;
	struct state *state; /* NULL: none now */
	bool is_isolated;    /* hit its memory cap: a state per run */
	unsigned refs;       /* the table's, and one per state */
	UT_hash_handle hh;   /* by hook_id, version */
};
void script_unref(struct script *s);

TAILQ_HEAD(state_list, state);
TAILQ_HEAD(invocation_list, invocation);

struct worker {
	uv_loop_t loop;
	struct link link;
	struct library *library; /* borrowed: bytecode made before the fork */
	struct script *scripts;
	struct state_list idle; /* least recently used first */
	unsigned idle_count;
	struct invocation *runs; /* by id */
	struct invocation_list ready;
	uv_idle_t turn;           /* active while ready is not empty */
	struct request *requests; /* by number */
	uint32_t last_request;
	struct child *children; /* started by exec, by pid */
	uv_signal_t sigchld;
	int log_level;
	char *home;
	struct worker_page *page; /* where the daemon reads whose Lua runs; NULL: nobody does */
	/* Called instead of sending MSG_META or MSG_DONE: --check, which has no daemon. */
	void (*report)(void *arg, const char *meta, const char *error);
	void *report_arg;
};

/* Make a worker on the socket (taken; -1: none, then report is to be set).  Borrows: library.
 * Returns owned. */
int worker_new(
	int fd, struct library *library, struct worker **ret_worker, struct err *err) MUST_USE;
void worker_free(struct worker *w);
/* Send MSG_HELLO and serve until the daemon closes the socket. */
void worker_serve(struct worker *w);
/* An invocation no longer uses the state: keep it for the next one or free it. */
void worker_release_state(struct worker *w, struct state *st);
/* What MSG_CHECK does, for a caller without a daemon. */
void worker_check(struct worker *w, struct script *s, uint32_t id, uint32_t timeout_ms);

/* ---- library.c: what is compiled once per process ------------------------------------------- */

/* Compile the embedded Lua files to bytecode.  Returns owned. */
int library_new(struct library **ret_library, struct err *err) MUST_USE;
void library_free(struct library *lib);
/* Push the main function of lua/host/<name>.lua or lua/sloth/<name>.lua.  Returns false, pushing
 * nothing, when there is none.  May raise. */
bool library_push(lua_State *L, struct library *lib, const char *folder, const char *name);

/* ---- state.c: one lua_State ----------------------------------------------------------------- */

struct state {
	lua_State *L;
	struct worker *worker;
	struct script *script;
	size_t used_bytes, cap_bytes;
	bool is_refused;      /* an allocation was refused, perhaps to no harm */
	bool is_full;         /* an invocation ended for it: no new ones here */
	uint64_t fresh_bytes; /* allocated since the clock was looked at */
	lua_State *running;   /* the innermost coroutine that runs */
	unsigned refs;        /* invocations */
	struct invocation *current;
	TAILQ_ENTRY(state) link; /* in worker->idle */
};
/* Make a state with the sandbox and the script compiled.  Returns owned; -EINVAL with "path:line:
 * message" when the script does not parse, -ENOMEM. */
int state_new(
	struct worker *w, struct script *s, struct state **ret_state, struct err *err) MUST_USE;
void state_free(struct state *st);

/* The caller's state and running invocation. */
static inline struct state *
state_of(lua_State *L)
{
	return *(struct state **)lua_getextraspace(L);
}
static inline struct invocation *
invocation_of(lua_State *L)
{
	return state_of(L)->current;
}

/* Registry keys (their addresses). */
extern const char state_key_main;   /* the script's main function */
extern const char state_key_run;    /* lua/host/run.lua: calls it and its handler */
extern const char state_key_base;   /* the base environment */
extern const char state_key_env_mt; /* the metatable of every invocation's globals */
extern const char state_key_libs;   /* compiled lib/ modules by path */

/* Compile text as a function of its own environment, function(_ENV, ...), and push it; or push a
 * message and return the status.  Line numbers stay true; #! and BOM are skipped; binary chunks are
 * refused. */
int state_compile(lua_State *L, const char *source, size_t len, const char *chunk_name);

/* ---- sandbox: what scripts find (sandbox.c, coroutine.c, require.c) -------------------------- */

/* Push the base environment: fill it from the standard libraries and ours.  May raise. */
void sandbox_push_base(lua_State *L);
/* Replace the table on top by a read-only view of it, recursively.  May raise. */
void sandbox_freeze(lua_State *L);
bool sandbox_is_frozen(lua_State *L, int idx);
int sandbox_open_coroutine(lua_State *L);
int sandbox_open_io(lua_State *L);
int sandbox_open_os(lua_State *L);
/* Push the module of that name (opened when it is not yet); false, pushing nothing: unknown. */
bool require_push_builtin(lua_State *L, const char *name);
void require_add_functions(lua_State *L); /* helpers of lua/host/require.lua to the table on top */

/* ---- invocation.c --------------------------------------------------------------------------- */

enum kill { KILL_NONE, KILL_TIMEOUT, KILL_CANCEL, KILL_MEMORY };

struct invocation {
	struct worker *worker;
	struct state *state;
	lua_State *co;
	int co_ref, env_ref, locals_ref; /* registry references; LUA_NOREF */
	uint32_t id;
	bool is_check, is_started, is_ready, is_ended;
	/* running */
	bool is_passing; /* the yield under way is a wait or the end of a slice, not the script's */
	unsigned stuck;  /* resumes below us that cannot be yielded across */
	int64_t slice_end_ns;
	struct await *waiting, *resumed;
	/* limits */
	enum kill kill;
	enum run_result cancel_result;
	uint32_t timeout_ms;
	int64_t started_ns, deadline_ns; /* monotonic; deadline 0: none */
	uv_timer_t timer;
	char *kill_trace;
	/* what it is about */
	char *strings; /* backs event's */
	char *path;    /* of the script that is checked; NULL for a run */
	struct host_event event;
	json_t *data;
	/* results */
	struct sbuf output, errors;
	uint64_t dropped_bytes;
	enum run_result result;
	char *message, *error, *meta;
	/* processes */
	bool has_processes;
	unsigned children;
	UT_hash_handle hh;
	TAILQ_ENTRY(invocation) link; /* in worker->ready */
};

/* An invocation without a state yet; the caller sets event, data, timeout and state, then starts
 * it. */
struct invocation *invocation_new(struct worker *w, uint32_t id);
void invocation_start(struct invocation *inv);
/* It can go on: its await is done. */
void invocation_ready(struct invocation *inv);
/* End it from outside.  Not while it is running. */
void invocation_kill(struct invocation *inv, enum kill kill);
/* Its coroutine has ended, results are taken: release Lua, then the processes. */
void invocation_end(struct invocation *inv);
/* Called by contain_end when nothing it started is left. */
void invocation_finish(struct invocation *inv);
/* End before anything ran: with an error. */
void invocation_fail(struct invocation *inv, const char *error);
/* Run what is ready for a while (uv_idle_cb). */
void invocation_turn(uv_idle_t *handle);

/* ---- limits.c ------------------------------------------------------------------------------- */

/* Set the count hook of a coroutine: as always; or to look at the next instruction. */
void limits_arm(lua_State *L);
void limits_hurry(lua_State *L);
/* Remember where L stands for the error text of an invocation about to be ended. */
void limits_keep_trace(lua_State *L, struct invocation *inv);
/* The error on top of L came with this status: mark inv as out of memory when it is that. */
void limits_note_memory(lua_State *L, struct invocation *inv, int status);
/* After a protected call failed: raise again when the invocation is being ended (also when memory
 * ran out: status LUA_ERRMEM).  Returns when the error is the script's own to handle. */
void limits_rethrow(lua_State *L, int status);
/* Whether L and everything it is resumed from can be yielded across. */
bool limits_can_yield(lua_State *L);

/* ---- results.c: the outcome of a finished coroutine ----------------------------------------- */

/* Set result, message and error of inv from what its coroutine left (status of lua_resume). */
void results_take(struct invocation *inv, int status, int nresults);
/* Set them from inv->kill. */
void results_take_kill(struct invocation *inv);
/* Set meta or error of a check that ran through. */
void meta_take(struct invocation *inv); /* meta.c */

/* ---- event_table.c -------------------------------------------------------------------------- */

/* Push the event table of inv.  May raise. */
void event_push(lua_State *L, struct invocation *inv);

/* ---- wait.c --------------------------------------------------------------------------------- */

/* Release the operation after its results were taken. */
void await_release(struct await *op);
void await_cancel(struct await *op);
void request_answered(struct worker *w, struct frame *f);

/* ---- contain.c: processes ------------------------------------------------------------------- */

struct child {
	pid_t pid;
	struct invocation *inv; /* NULL: it is gone */
	void *arg;
	void (*exited)(void *arg, int wait_status); /* NULL: nobody cares any more */
	UT_hash_handle hh;
};
/* Remember a direct child in its own process group. */
struct child *contain_add(struct invocation *inv, pid_t pid);
/* Kill everything the invocation started; invocation_finish() follows when it is gone. */
void contain_end(struct invocation *inv);
void contain_on_sigchld(uv_signal_t *handle, int signum);
/* Append the mark in the environment of what the invocation starts: "SLOTH_RUNNER_INVOCATION=...".
 */
void contain_mark(const struct invocation *inv, struct sbuf *out);
/* Kill every child at once: the worker ends. */
void contain_kill_all(struct worker *w);

#endif
