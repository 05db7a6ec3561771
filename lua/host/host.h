/* What a Lua module written in C may use of the worker.
 *
 * A worker runs many invocations at once: each is a coroutine of the lua_State of its hook, and
 * everything that takes time is an operation on the worker's libuv loop for which the coroutine is
 * parked.  A module never blocks: it begins an operation, returns await_yield(), and pushes the
 * results when the operation is done:
 *
 *	static int
 *	time_sleep(lua_State *L)
 *	{
 *		uint64_t ms = check_duration_ms(L, 1);        // arguments first: these may raise
 *		struct nap *nap = await_begin(L, sizeof(*nap), &nap_ops); // may raise
 *
 *		uv_timer_init(host_loop(L), &nap->timer);     // from here on nothing may raise
 *		uv_timer_start(&nap->timer, on_timer, ms, 0); // ... on_timer calls await_done()
 *		return await_yield(L, &nap->await);
 *	}
 *
 * Nothing with a cleanup attribute may live across a call that can raise (longjmp skips it).
 *
 * A module is one file: a row in host_modules[] (lua/modules/modules.c), or a lua/sloth/<name>.lua
 * that returns its table.  It is opened on first use in each state, frozen (read-only, recursively:
 * nothing may survive an invocation) and found as a global and by require().  A C module's table
 *may carry a metatable with __call and __index.  Metatables a script can reach are made by
 * host_new_metatable(), which locks them.
 */
#ifndef SLOTH_LUA_HOST_H
#define SLOTH_LUA_HOST_H

#include "base/err.h"
#include "base/sbuf.h"
#include "base/worker_proto.h"

#include <jansson.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* ---- modules -------------------------------------------------------------------------------- */

struct host_module {
	const char *name;
	lua_CFunction open; /* leaves the module's table on the stack */
};

/* Ends with a NULL name.  Defined in lua/modules/modules.c. */
extern const struct host_module host_modules[];

/* luaL_newmetatable with __metatable set, so that scripts cannot get at it.  Leaves it on the
 * stack.  Returns whether it is new (and the methods are to be filled in).  May raise. */
bool host_new_metatable(lua_State *L, const char *name);

/* ---- the running invocation ----------------------------------------------------------------- */

/* What is known of the invocation that runs L.  Borrowed until the next wait; strings are never
 * NULL.  While a script is only being checked there is no event: the strings are empty. */
struct host_event {
	const char *id, *type, *stack, *agent, *run_id, *severity, *source, *cause_id;
	uint64_t seq, timestamp_ns;
	uint32_t attempt;
	uint32_t count; /* events this run stands for, this one included */
};
const struct host_event *host_event(lua_State *L);
uv_loop_t *host_loop(lua_State *L);
bool host_is_check(lua_State *L); /* a throw-away load: waiting raises, do nothing irreversible */

/* The directory relative paths mean (the home of the hook's owner).  The process never
 * changes its own directory, so modules that open files put it in front: host_path(). */
const char *host_workdir(lua_State *L);
/* The path as the running script means it: absolute as it is, "~/" the home, else below the
 * workdir.  Pushes it as a Lua string and returns that.  May raise. */
const char *host_path(lua_State *L, const char *path);

/* Append to the recorded output; beyond RUN_OUTPUT_MAX it is dropped and counted.  Never raise. */
void host_output(lua_State *L, const char *text, size_t len);
enum host_level { HOST_DEBUG, HOST_INFO, HOST_WARN, HOST_ERROR };
/* Appends "[INFO] text\n" to the output unless the level
 * is below the worker's; errors also become the error text of a run that then returns false. */
void host_log(lua_State *L, enum host_level level, const char *text, size_t len);

/* To be called before the running invocation does what cannot be taken back (starts a program,
 * writes a file, changes a value others see): when its worker is killed later, the daemon does not
 * run it again by itself.  Output and reading are no such thing.  Never raises. */
void host_touch(lua_State *L);

/* Push a table of the running invocation, made empty on first use, by name: what a module must
 * remember for this invocation and no other (changes of the environment).  It ends with it. */
void host_push_locals(lua_State *L, const char *name);

/* Raise when the deadline has passed.  For C loops over more than a few thousand elements. */
void host_tick(lua_State *L);
/* Whether host_tick() would raise.  For loops that hold what a raise would lose. */
bool host_is_late(lua_State *L);

/* ---- waiting -------------------------------------------------------------------------------- */

struct await;
struct await_ops {
	const char *name; /* for messages: "exec.run" */
	/* Push the results onto L, return their number.  May raise.  Not called when cancelled. */
	int (*results)(lua_State *L, struct await *op);
	/* Nobody waits any more (deadline, cancel): stop soon and still call await_done(), here or
	 * later.  May not touch Lua. */
	void (*cancel)(struct await *op);
	/* Release what op holds (not op itself).  Called once, after results, or after the
	 * await_done() of a cancelled one.  May be NULL. */
	void (*fini)(struct await *op);
};
/* Embedded as the first member of the operation's own struct; the fields are the host's. */
struct await {
	const struct await_ops *ops;
	struct invocation *inv; /* NULL once cancelled */
	bool is_done;
};

/* Begin an operation: size bytes, zeroed, starting with a struct await.  Raises when L cannot wait
 * here ("cannot wait inside 'tostring'") or is only being checked.  After it the caller must reach
 * await_yield() or await_abandon() without raising. */
void *await_begin(lua_State *L, size_t size, const struct await_ops *ops);
/* Park the coroutine: `return await_yield(L, &op->await);`.  An op that is done already (await_done
 * was called between) is fine. */
int await_yield(lua_State *L, struct await *op);
/* The operation could not be started: releases it (fini, then the memory). */
void await_abandon(struct await *op);
/* The operation has ended; exactly once, from the loop or before await_yield.  op may be freed in
 * the call when it was cancelled, so this is the last thing a callback does; uv handles inside op
 * must be closed before (call await_done from the close callback). */
void await_done(struct await *op);

/* ---- asking the daemon ---------------------------------------------------------------------- */

/* The answer (MSG_ANSWER).  value is owned by the host until answer() returns. */
struct host_answer {
	int code; /* 0 or a positive errno */
	const char *value, *error;
	size_t value_len;
};
typedef int host_answer_fn(lua_State *L, const struct host_answer *answer);

/* Ask and wait.  host_request_begin (may raise) gives the frame, begun up to the request number;
 * the caller appends the remaining fields of MSG_EMIT or MSG_STATE with frame_str() etc. (which do
 * not raise) and returns host_request_wait(L).  answer pushes the results and may raise. */
#define HOST_FIELD_MAX                                                                             \
	(2u * 1024 * 1024) /* bytes of one such field; the module checks that first */
struct sbuf *host_request_begin(lua_State *L, enum msg type, host_answer_fn *answer);
int host_request_wait(lua_State *L);

/* ---- programs (process.c) ------------------------------------------------------------------- */

#define EXEC_OUTPUT_MAX (64u * 1024 * 1024) /* bytes kept of stdout and of stderr, each */

struct exec_options {
	const char *command;    /* for bash -c, or sh -c where there is no bash */
	const char *workdir;    /* NULL: host_workdir() */
	const char *const *env; /* "K=V" over the worker's own, a later one over an earlier; "K"
				 * alone takes it away; ends with NULL; or NULL */
	const char *input;      /* stdin; NULL: /dev/null */
	size_t input_len;
	uint64_t timeout_ms; /* 0: only the invocation's own deadline */
};
struct exec_result {
	int exit_code; /* -1: ended by a signal; 1 with error set: not started */
	int signal;
	bool is_timed_out;
	const char *error; /* why it could not be started, else NULL */
	struct sbuf out, err;
	uint64_t dropped_bytes; /* beyond EXEC_OUTPUT_MAX */
};
typedef int exec_results_fn(lua_State *L, const struct exec_result *result);

/* Run a command in its own process group and wait: returns when the shell exits (what it left in
 * the background goes on until the invocation ends), after draining the pipes for a short grace.
 * Options are copied.  `return exec_wait(L, &opt, results);`  May raise before it starts. */
int exec_wait(lua_State *L, const struct exec_options *opt, exec_results_fn *results);

/* ---- HTTP (transfer.c) ---------------------------------------------------------------------- */

#define HTTP_BODY_MAX (16u * 1024 * 1024) /* bytes of a response; more is an error */

struct http_options {
	const char *method, *url; /* method in capitals */
	const char *headers;      /* "Name: value" one after the other, each with its NUL */
	size_t headers_len;
	const char *body; /* NULL: none */
	size_t body_len;
	const char *proxy; /* NULL: none, whatever the environment says */
	uint64_t timeout_ms;
	bool is_insecure; /* take any certificate */
};
struct http_result {
	int status_code;     /* 0: there was no response */
	struct sbuf status;  /* "200 OK" */
	struct sbuf headers; /* as in http_options, of the last response */
	struct sbuf body;
	uint64_t elapsed_ms;
	const char *error; /* why it failed (then there is no response), else NULL */
};
typedef int http_results_fn(lua_State *L, const struct http_result *result);

/* Request and wait; at most 5 redirects are followed.  Options are copied.
 * `return http_wait(L, &opt, results);`  May raise before it starts. */
int http_wait(lua_State *L, const struct http_options *opt, http_results_fn *results);

/* ---- JSON and Lua values (json_lua.c) ------------------------------------------------------- */

#define JSON_TEXT_MAX (16u * 1024 * 1024) /* bytes of one JSON text, read or written */

/* Push a JSON value: integers stay integers, reals floats; null is nil (absent in tables), or, when
 * keep_null, json_lua_null().  May raise (memory). */
void json_lua_push(lua_State *L, const json_t *value, bool keep_null);
/* The lightuserdata that stands for null inside tables. */
void json_lua_push_null(lua_State *L);
/* Parse a text of JSON_TEXT_MAX at most.  Never raises.  Returns owned, or NULL and why: not JSON,
 * more values than the hook's memory holds, or the time is over (host_tick() raises then). */
json_t *json_lua_parse(lua_State *L, const char *text, size_t len, json_error_t *ret_problem);
/* Append the value at idx as JSON text.  A table with keys 1..n only is an array, the empty table
 * an object unless it has the metatable made by json_lua_push_array_mt(); NaN, cycles (depth over
 * 100), functions and a deadline that passes are errors.  Raw access, never raises.  Returns 0, or
 * -EINVAL and a message with the place ("field 'x[3]': a function has no JSON form"). */
int json_lua_encode(lua_State *L, int idx, bool is_pretty, struct sbuf *out, struct err *err);
void json_lua_push_array_mt(lua_State *L);

#endif
