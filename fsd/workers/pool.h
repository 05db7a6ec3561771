/* The pool's inside, shared by its files:
 *
 *	workers.c  what others call: life, settings, deadlines
 *	place.c    choosing a process
 *	worker.c   one process: fork, socket, kill
 *	talk.c     frames to and from a worker
 *	ends.c     a worker is gone: whose fault, what becomes of its runs
 *	zygote.c   starting the zygote, asking it
 *	slots.c    what is under way, by number
 *	fence.c, cgroup.c  nothing outlives its master
 */
#ifndef SLOTH_WORKERS_POOL_H
#define SLOTH_WORKERS_POOL_H

#include "base/frame.h"
#include "fsd/workers/fence.h"
#include "fsd/workers/slots.h"
#include "fsd/workers/workers.h"
#include "fsd/workers/zygote.h"

#include <uthash.h>

#define SUSPECT_MS       50   /* silent for so long, a worker is passed over */
#define GRACE_MS         500  /* past its deadline a run's worker is killed */
#define CHECK_TIMEOUT_MS 5000 /* for loading a script in a throw-away state */
#define STOPPED_TEXT     "the master was stopped"
#define SOLO_MAX         16 /* processes for hooks that got theirs killed, per user */

/* A check under way; keeps what it takes to ask again. */
struct check {
	char *path, *source, *lib_dirs, *match;
	size_t source_len;
	uid_t uid;
	gid_t gid;
	workers_meta_fn *done;
	void *arg;
	bool is_restarted;
};

/* Which version of a hook a worker was sent. */
struct script {
	uint64_t hook_id;
	uint32_t version;
	UT_hash_handle hh;
};

#define ENDED_WITH_ZYGOTE (-1)

enum worker_use {
	WORKER_SHARED,
	WORKER_SOLO,  /* for one hook that got its worker killed */
	WORKER_CHECK, /* for checks; ends with the last one */
};

struct worker {
	struct workers *pool;
	struct crew *crew;
	enum worker_use use;
	uint64_t solo_hook_id;
	unsigned refs; /* the pool's, the poll handle's, one a request */

	uint32_t request; /* number of the fork */
	pid_t pid;        /* 0: not forked yet */
	int pidfd, fd;    /* -1: none */
	char *cgroup;     /* NULL: none */
	struct worker_page *page;
	int status; /* as waitpid gives it, or ENDED_WITH_ZYGOTE; once is_exited */

	uv_poll_t poll;
	int watched; /* UV_READABLE | UV_WRITABLE */
	struct sbuf in, out;
	size_t out_at; /* bytes of out already sent */
	struct script *scripts;

	unsigned load;         /* runs and checks it has */
	unsigned unstarted;    /* those it has not begun */
	unsigned requests;     /* asked and not answered */
	uint64_t heard_ns;     /* when it last said something, or got something to do */
	char why[ERR_MSG_MAX]; /* what we know of its end; "" */
	bool is_dirty;         /* in pool->dirty */
	bool is_killed;        /* by us; also before it has a pid */
	bool is_overdue;       /* killed because a run was past its deadline */
	bool is_lost;          /* its socket is closed */
	bool is_exited;
	STAILQ_ENTRY(worker) dirty_link;
	TAILQ_ENTRY(worker) link;
};

/* Lists of them. */
TAILQ_HEAD(worker_list, worker);
STAILQ_HEAD(dirty_list, worker);

/* The workers of one user. */
struct crew {
	uid_t uid;
	gid_t gid;
	char *home;
	struct worker_list workers;
	LIST_ENTRY(crew) link;
};
/* Lists of them. */
LIST_HEAD(crew_list, crew);

struct workers {
	uv_loop_t *loop;
	char *program, *mount, *bin_dir;
	bool no_new_privs; /* as in worker_options */
	struct log *log;
	struct worker_services services;
	struct fence fence;
	char *cgroup; /* parent of the workers' groups; NULL: none */

	int zygote_fd; /* -1: to be started */
	pid_t zygote_pid;
	uv_poll_t *zygote_poll;
	uint32_t forks;

	struct crew_list crews;
	struct slots slots;
	struct dirty_list dirty; /* have something to send */
	uv_idle_t soon;
	uv_timer_t deadline;
	uint64_t armed_ns; /* when deadline fires; 0: it does not */

	unsigned cores, limit, timeout_ms, processes, runs;
	unsigned suspect_ms, grace_ms; /* SUSPECT_MS and GRACE_MS, or a test's */
	uint64_t memory_bytes;
	enum log_level level; /* of what workers say */
	bool is_stopping;
	unsigned refs; /* open handles and workers; freed with the last after workers_stop */
};

/* ---- workers.c ------------------------------------------------------------------------------ */

/* Flush and bury when this turn of the loop is over. */
void pool_soon(struct workers *pool);
void pool_unref(struct workers *pool);
/* Fire at this time at the latest. */
void pool_arm(struct workers *pool, uint64_t deadline_ns);
/* Ask the zygote for a worker; starts the zygote when there is none. */
int pool_ask_zygote(struct workers *pool, const struct zygote_fork *req, struct err *err) MUST_USE;

/* ---- place.c -------------------------------------------------------------------------------- */

/* Give a run or a check to a process. */
void pool_place_run(struct workers *pool, struct run *run);
void pool_place_check(struct workers *pool, struct check *check);
/* Take a slot from its worker and free it. */
void pool_release(struct workers *pool, struct slot *slot);
void check_free(struct check *check);

/* ---- worker.c ------------------------------------------------------------------------------- */

/* Ask for a process.  When that fails, the worker is lost already and buried soon.  Returns
 * borrowed. */
struct worker *worker_new(struct crew *crew, struct workers *pool, enum worker_use use);
void worker_unref(struct worker *w);
/* SIGKILL, now or as soon as it has a pid. */
void worker_kill(struct worker *w);
/* Its socket is closed or said nonsense: kill it, bury it when it is gone.  why may be NULL. */
void worker_lost(struct worker *w, const char *why);
/* It has gone: read what it still said. */
void worker_exited(struct worker *w, int status);
/* Something was put into w->out: it is flushed soon. */
void worker_push(struct worker *w);
/* Send what there is, and go on with input that was paused. */
void worker_flush(struct worker *w);

/* ---- talk.c --------------------------------------------------------------------------------- */

/* Put a run (its script in front when the worker has not got it), a check, the wish to end a run
 * or the pool's log level into w->out. */
void talk_run(struct worker *w, uint32_t id, const struct run *run);
void talk_check(struct worker *w, uint32_t id, const struct check *check);
void talk_cancel(struct worker *w, uint32_t id, enum run_result result);
void talk_level(struct worker *w);
void talk_forget_scripts(struct worker *w); /* each is sent again when needed */

/* Handle one frame. Returns 0 or -EPROTO. */
int talk_handle(struct worker *w, struct frame *frame, struct err *err) MUST_USE;

/* ---- ends.c --------------------------------------------------------------------------------- */

/* Settle what the worker had and let go of it.  It is lost and exited. */
void worker_bury(struct worker *w);
/* A run has its outcome.  Frees what done left in it. */
void run_settle(struct workers *pool, struct slot *slot, struct run_outcome *outcome);
void check_settle(struct workers *pool, struct slot *slot, int code, const char *text);

#endif
