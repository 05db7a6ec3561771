/* What runs in a lua_State: invocations, their limits, waits, results and processes. */
#ifndef SLOTH_LUA_INVOCATION_H
#define SLOTH_LUA_INVOCATION_H

#include "lua/host/state.h"

#define SLICE_NS       1000000      /* one turn of an invocation */
#define TURN_NS        1000000      /* running invocations before the loop looks at its handles */
#define HOOK_COUNT     1000         /* instructions between two looks at the clock */
#define HOOK_COUNT_MIN 4            /* the same, where texts are very long */
#define LARGE_BYTES    (128 * 1024) /* each so many more halve, third .. HOOK_COUNT */

/* ---- invocation.c --------------------------------------------------------------------------- */

enum kill { KILL_NONE, KILL_TIMEOUT, KILL_CANCEL, KILL_MEMORY };

struct invocation {
	struct worker *worker;
	struct state *state;
	lua_State *co;
	int co_ref, env_ref, locals_ref; /* registry references; LUA_NOREF */
	uint32_t id;
	enum run_part part;
	bool is_check, is_started, is_ready, is_ended;
	/* running */
	bool is_passing; /* the yield under way is a wait or the end of a slice, not the script's */
	unsigned stuck;  /* resumes below us that cannot be yielded across */
	unsigned
		closes; /* coroutines that are being closed, each by a variable of the one before */
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
/* Make its coroutine and queue it; ends it when that fails. */
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
/* For long work in C, now and then: raises when the deadline has passed; returns whether others are
 * to run now and L can yield.  Then `return limits_pass(L, context, k);`, with all that is needed
 * later on L's stack. */
bool limits_slice_is_over(lua_State *L);
int limits_pass(lua_State *L, lua_KContext context, lua_KFunction k);
/* Whether L and everything it is resumed from can be yielded across. */
bool limits_can_yield(lua_State *L);

/* ---- results.c: the outcome of a finished coroutine ----------------------------------------- */

/* Set result, message and error of inv from what its coroutine left (status of lua_resume). */
void results_take(struct invocation *inv, int status, int nresults);
/* Set them from inv->kill. */
void results_take_kill(struct invocation *inv);
/* Set meta or error of a check that ran through. */
void meta_take(struct invocation *inv); /* meta.c */
/* Add the rules of the table on top of the stack to meta, each as its text.  -EINVAL names the
 * field that has none. */
int meta_take_rules(lua_State *L, json_t *meta, struct err *err) MUST_USE; /* meta_rules.c */
/* The names of those fields, from 0 on; NULL behind the last. */
const char *meta_rule_name(size_t i);
/* How a message names the key of a table at the index: 'name', [3].  meta_rules.c */
#define META_KEY_BYTES 64
void meta_key_text(lua_State *L, int index, char text[META_KEY_BYTES]);

/* ---- event_table.c -------------------------------------------------------------------------- */

/* Push the event table of inv.  May raise. */
void event_push(lua_State *L, struct invocation *inv);

/* ---- wait.c --------------------------------------------------------------------------------- */

/* Release the operation after its results were taken. */
void await_release(struct await *op);
/* Tell the operation that nobody waits any more. */
void await_cancel(struct await *op);
/* Take MSG_ANSWER to whoever asked. */
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
/* Reap, and go on with invocations that wait for their processes to be gone (uv_signal_cb). */
void contain_on_sigchld(uv_signal_t *handle, int signum);
/* Append the mark in the environment of what the invocation starts: "SLOTH_RUNNER_INVOCATION=...".
 */
void contain_mark(const struct invocation *inv, struct sbuf *out);
/* Kill every child at once: the worker ends. */
void contain_kill_all(struct worker *w);

#endif
