/* What the daemon and its workers say to each other, in frames (base/frame.h) over one stream
 * socket per worker.  The frame's id is the run's number, chosen by the daemon, unique per worker
 * life; 0 where no run is meant.  Strings are as in frame.h; "" means absent.  Unknown types are an
 * error: both ends are of one build.
 *
 * A worker that reads slowly, or writes without end, bloats nobody: the daemon stops reading a
 * worker whose requests it has not answered (WORKER_REQUESTS_MAX outstanding), and a worker caps
 * what a run may print (RUN_OUTPUT_MAX) before it sends it.
 */
#ifndef SLOTH_BASE_WORKER_PROTO_H
#define SLOTH_BASE_WORKER_PROTO_H

#include <stdint.h>

#define WORKER_REQUESTS_MAX 1024         /* MSG_EMIT and MSG_STATE without answer, per worker */
#define RUN_OUTPUT_MAX      (256 * 1024) /* bytes of recorded output of one run; the rest is counted */
#define RUN_ERROR_MAX       (16 * 1024) /* bytes of error text with traceback */

enum msg {
	/* daemon -> worker */

	/* Put a script in: u64 hook_id, u32 version, str name ("x" or "x@stack"), str stack,
	 * str path (for tracebacks: "hooks/x.lua"), str source, u64 memory_bytes, str lib_dirs (one
	 * a line: where `require` looks), str match (conditions, lines `path OP value`; "" none).
	 * Sent once per worker before the first MSG_RUN of that version. */
	MSG_SCRIPT = 1,
	/* Run it: u64 hook_id, u32 version, u32 enum run_part, u32 count (events this run stands
	 * for), u32 attempt, u32 timeout_ms, u64 event_seq, str
	 * event_id, str type, u64 timestamp_ns, str stack, str agent, str run_id, str severity, str
	 * source, str cause_id, str data (JSON). id = the run. */
	MSG_RUN = 2,
	/* Forget a script, once its last run has ended: u64 hook_id, u32 version. */
	MSG_DROP = 3,
	/* Load a script in a throw-away state and tell its metadata: str path, str source, str
	 * lib_dirs, str match (conditions to be checked too, which stand in place of its own; ""
	 * none), u32 timeout_ms.  id = the request; answered by MSG_META or MSG_DONE with an
	 * error. */
	MSG_CHECK = 4,
	/* Stop a run: id.  Answered by MSG_DONE like any end. u32 enum run_result to report. */
	MSG_CANCEL = 5,
	/* Answer to MSG_STATE and MSG_EMIT: u32 request, u32 code (errno, 0 good), str value, str
	   error. */
	MSG_ANSWER = 6,
	/* Log level changed: u32 (0 debug .. 3 error). */
	MSG_LEVEL = 7,

	/* worker -> daemon */

	/* The worker is ready: u32 pid. */
	MSG_HELLO = 32,
	/* A run began: u64 the clock's time when its first instruction was executed, in ns since
	 * 1970; id. */
	MSG_STARTED = 33,
	/* A run ended: u32 enum run_result, str message, str error, str output, u64 duration_ns,
	 * u64 dropped_output_bytes. id. */
	MSG_DONE = 34,
	/* Answer to MSG_CHECK: str meta (JSON object: name, description, event_types [..], stack,
	 * enabled, timeout (seconds, may be fractional), memory, concurrency, match (lines), filter
	 * (true when it has one), form "table" or "on_event"). id. */
	MSG_META = 35,
	/* A run dispatches an event: u32 request, str type, str data (JSON), str stack, str options
	 * (JSON object: id, severity, run_id, source; or ""). id = the run. Answered with the new
	 * event's id. */
	MSG_EMIT = 36,
	/* A run uses the state: u32 request, u32 enum state_op, str key, str value, str
	 * expect, u64 expires_ns. id = the run. */
	MSG_STATE = 37,
	/* A log line of the worker itself: u32 level, str text. */
	MSG_LOG = 38,
};

/* What may be done with a key of the state.  Values are JSON text. */
enum state_op {
	STATE_GET,    /* -> value or -ENOENT */
	STATE_SET,    /* value */
	STATE_DELETE, /* -> -ENOENT when absent */
	STATE_INCR,   /* value: the number to add; -> the new number; -EINVAL: not a number */
	STATE_CAS,    /* value, expect (NULL: must be absent) -> -EAGAIN when different */
	STATE_KEYS,   /* key is a prefix -> one JSON array of keys */
	STATE_CLEAR,  /* all keys of the stack that begin with key */
};

/* What of a run is wanted: its conditions (match, filter), the hook itself, or one after the other.
 * Conditions alone end as RUN_SUCCESS or RUN_FILTERED. */
enum run_part { RUN_WHOLE, RUN_CONDITIONS, RUN_EXECUTE };

/* RUN_FILTERED: a condition was not met; the message says which and what the value was. */
enum run_result { RUN_SUCCESS, RUN_FAILED, RUN_TIMEOUT, RUN_INTERRUPTED, RUN_FILTERED };

/* ---- the zygote --------------------------------------------------------------------------------
 *
 * The daemon starts `sloth-worker --zygote` with SIGKILL as its parent-death signal; the zygote
 * sets the same for each worker it forks.  In its environment stand HOME, PATH, SLOTH_RUNNER_MOUNT
 * and WORKER_SCOPE_ENV, which everything a hook starts must inherit: by it the next master finds
 * what an earlier one left behind.  The zygote is a child subreaper: a process that becomes its
 * child without being a worker was left by one, and is killed.
 *
 * ZYGOTE_FD     SOCK_SEQPACKET to the daemon: one frame a message, descriptors by SCM_RIGHTS.
 * ZYGOTE_LOCK_FD  holds the flock on workers.lock.  Workers keep it open as long as they live and
 *               never pass it on to programs, so that the lock is free when the last one is gone.
 */
#define ZYGOTE_FD        3
#define ZYGOTE_LOCK_FD   4
#define WORKER_SCOPE_ENV "SLOTH_RUNNER_SCOPE"
/* In what a run starts: "<pid of the worker>-<id of the run>". */
#define WORKER_RUN_ENV "SLOTH_RUNNER_INVOCATION"

enum zygote_msg {
	/* daemon -> zygote: u32 uid, u32 gid, str home, str cgroup (a directory whose cgroup.procs
	 * the worker joins before it becomes uid; "" none); id = request.  Two fds: the worker's
	 * end of its socket, and a memory file that holds a struct worker_page. */
	ZYGOTE_FORK = 64,
	/* zygote -> daemon: u32 pid (0: failed), str error; id = request.  One fd unless failed:
	 * the pidfd. */
	ZYGOTE_FORKED = 65,
	/* zygote -> daemon: a worker ended: u32 pid, u32 status (as waitpid gives it). */
	ZYGOTE_EXITED = 66,
};

/* A run's id modulo this is its place: of the runs under way no two share one. */
#define RUN_PLACES (1u << 20)

#define WORKER_HANDS 16 /* helper threads that can say for whom they work */

/* Memory shared by a worker and the daemon, which looks at it when the worker died or had to be
 * killed: it tells whose fault that was, and who may run again.  And when the worker writes an
 * event: it tells which run that is from.  Only the parts in use take up memory. */
struct worker_page {
	_Atomic uint32_t running; /* id of the run or check whose Lua is executed now; 0: none */
	_Atomic uint32_t is_collecting; /* it collects garbage: files closed now may be another's */
	struct worker_hand {
		_Atomic uint32_t thread; /* its id; 0: the place is free */
		_Atomic uint32_t run;    /* which it works for now */
	} hands[WORKER_HANDS];
	/* By place: the id of the last run there that did, or was about to do, what cannot be taken
	 * back. */
	_Atomic uint32_t touched[RUN_PLACES];
};

#endif
