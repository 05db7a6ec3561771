/* The inside of sloth-worker: what the files of lua/host/ share.  Modules see host.h only.
 *
 *	struct worker      the process: loop, link to the daemon, scripts, what is ready to run
 *	  struct script    one version of one hook, as MSG_SCRIPT brought it
 *	    struct state   its lua_State: at most one, shared by its invocations (sandbox inside)
 *	      struct invocation   one MSG_RUN or MSG_CHECK: a coroutine of that state
 *	        struct await      what it waits for: one thing at a time
 *
 * One thread.  This header has the process, state.h the lua_State, invocation.h what runs in it.
 */
#ifndef SLOTH_LUA_WORKER_H
#define SLOTH_LUA_WORKER_H

#include "base/frame.h"
#include "lua/host/blocks.h"
#include "lua/host/host.h"

#include <sys/queue.h>
#include <sys/types.h>
#include <uthash.h>

#define STATES_MAX       256                /* idle lua_States kept per worker */
#define LINK_BACKLOG_MAX (4u * 1024 * 1024) /* unsent bytes at which we stop reading requests */

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
/* Stop reading and writing; what is not sent is lost.  May be called twice. */
void link_close(struct worker *w);

/* ---- worker.c ------------------------------------------------------------------------------- */

struct script {
	uint64_t hook_id;
	uint32_t version;
	char *name, *stack, *path, *source, *lib_dirs; /* never NULL */
	struct match *match;                           /* conditions; NULL none */
	char *match_error;                             /* why they cannot be judged; NULL */
	size_t source_len;
	uint64_t memory_bytes;
	struct state *state; /* NULL: none now */
	bool is_isolated;    /* hit its memory cap: a state per run */
	unsigned refs;       /* the table's, and one per state */
	UT_hash_handle hh;   /* by hook_id, version */
};
/* Accepts a script that is in no table. */
void script_unref(struct script *s);

/* States without a run. */
TAILQ_HEAD(state_list, state);
/* Invocations that can go on. */
TAILQ_HEAD(invocation_list, invocation);

struct worker {
	uv_loop_t loop;
	struct link link;
	struct library *library; /* borrowed: bytecode made before the fork */
	struct blocks blocks;    /* of all states */
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
	struct transfers *transfers; /* NULL until the first HTTP request */
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
/* Ends its invocations as interrupted.  Accepts NULL. */
void worker_free(struct worker *w);
/* Send MSG_HELLO and serve until the daemon closes the socket. */
void worker_serve(struct worker *w);
/* An invocation no longer uses the state: keep it for the next one or free it. */
void worker_release_state(struct worker *w, struct state *st);
/* What MSG_CHECK does, for a caller without a daemon. */
void worker_check(struct worker *w, struct script *s, uint32_t id, uint32_t timeout_ms);

/* ---- transfer.c: HTTP requests -------------------------------------------------------------- */

/* Close the connections that are kept, with no request under way; the loop has to turn once more.
 * Accepts NULL. */
void transfers_free(struct transfers *ts);

/* ---- library.c: what is compiled once per process ------------------------------------------- */

/* Compile the embedded Lua files to bytecode.  Returns owned. */
int library_new(struct library **ret_library, struct err *err) MUST_USE;
void library_free(struct library *lib); /* accepts NULL */
/* Push the main function of lua/host/<name>.lua or lua/sloth/<name>.lua.  Returns false, pushing
 * nothing, when there is none.  May raise. */
bool library_push(lua_State *L, struct library *lib, const char *folder, const char *name);

#endif
