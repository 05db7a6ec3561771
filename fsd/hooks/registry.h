/* Inside the hooks room: its structures, and what its files say to each other.
 *
 *	hooks.c     start and stop, of a stack's directories too
 *	registry.c  which hooks there are: directories, names, ids
 *	loading.c   from a saved file to a version in service
 *	barrier.c   which events wait for that
 *	service.c   versions put in service and taken out; versions.c, which match an event
 *	overrides.c what is written to ctl/hooks/<hook>/
 *	conf.c      hooks.d/<hook>.conf, where that is kept and people write too
 *	script.c    what a script says of itself; settings.c, that as text; overrides
 *	rules.c     the rules among them; rule_kinds.c, forms of their values; rule_words.c
 *	explain.c   why a hook did not match
 *	latency.c, hook_metrics.c  durations in buckets; figures for `metrics`
 *	gate.c      the counts of flood control: whether a hook runs now, later or not; with it
 *	            gate_judge.c, _pairs, _rates, what the rules say; gate_state.c, _tally, what is
 *	            counted; gate_keys.c, for which keys; gate_show.c, the file `flood`
 *	stats.c     counters, latency, the hook's log
 *	hook_nodes.c, version_nodes.c, hook_test.c, hook_wait.c  the files in the tree
 */
#ifndef SLOTH_HOOKS_REGISTRY_H
#define SLOTH_HOOKS_REGISTRY_H

#include "fsd/hooks/hooks.h"
#include "fsd/hooks/latency.h"
#include "fsd/hooks/settings.h"
#include "fsd/store/hook_store.h"
#include "fsd/tree/log_file.h"
#include "fsd/tree/source.h"

#include <sys/queue.h>
#include <uthash.h>

#define HOOK_SOURCE_MAX (1024 * 1024) /* bytes of a script */
#define HOOK_SETTLE_MS  2000          /* how long events wait for a registration, at most */
#define HOOK_GRACE_MS   200 /* a file that returns within this after its removal was updated */
#define HOOK_LOADS_MAX  16  /* files read and checked at once */

/* hooks/ and lib/ of one stack.  Kept, without sources, after the stack is removed: its hooks'
 * history still names it. */
struct hook_dir {
	struct hooks *hooks;
	char *stack;     /* "" at the root */
	char *state;     /* the real directory that holds hooks/, lib/ and hooks.d/ */
	char *tree_path; /* where they show: "" or "/stacks/<stack>" */
	struct source *source, *lib, *conf; /* hooks/, lib/, hooks.d/; NULL: removed */
	struct hook *by_name, *by_alias;
	TAILQ_HEAD(, hook) list; /* in the order of serial */
	LIST_ENTRY(hook_dir) link;
};

/* The events one version matched, as long as it is remembered. */
struct hook_span {
	uint32_t version;
	bool is_enabled;
	uint64_t from_seq, to_seq; /* to_seq 0: in service */
	int64_t created_ns;
	char *types;
	char *wall; /* NULL: none of its own */
};
#define HOOK_SPANS_MAX 64 /* the newest of a hook */

/* A name of a directory that is, or was, a hook's.  Never freed before the registry is: executions
 * and history refer to it by id. */
struct hook {
	struct hooks *hooks;
	struct hook_dir *dir;
	char *name;
	char *label;         /* "x" or "x@stack" */
	uint64_t serial;     /* position in listings */
	uint64_t id;         /* 0 until the first version */
	uint32_t version;    /* the highest given */
	bool has_file;       /* there is a file of this name: the hook shows in the tree */
	bool is_queued;      /* waits for its turn to be loaded */
	bool is_loading;     /* is being read or checked */
	bool is_stale;       /* the file changed meanwhile */
	bool is_leaving;     /* the file is gone; the grace period runs */
	char *problem;       /* why the file is not in service; NULL */
	bool is_at_odds;     /* problem: what the file says contradicts the overrides */
	char *alias_refused; /* why name= was not taken; NULL */
	struct hook_overrides overrides;
	char *conf_problem;    /* why what hooks.d/<hook>.conf says does not hold; NULL */
	char *conf_conditions; /* those of it that no worker has judged yet; NULL */
	unsigned conf_writes;  /* of the file, under way */
	unsigned conf_serial;  /* of the last write of it or look at it */

	/* the version in service */
	struct release *current;       /* NULL: none */
	struct hook_settings settings; /* effective */
	bool has_alias;                /* settings.alias leads to it */
	char *script;                  /* metadata as the script says it (JSON) */
	uint64_t hash;                 /* of the source */

	unsigned unstored;              /* versions that are on their way into the store */
	TAILQ_HEAD(, release) releases; /* current and those unfinished events may need */
	struct hook_span *spans;        /* by version */
	size_t span_count;

	/* the barrier */
	bool is_pending;      /* events from pending_seq on wait for it */
	bool is_late;         /* they waited long enough */
	uint64_t pending_seq; /* the first event that was accepted after the save began */
	uint64_t pending_until, leaving_until; /* loop time, ms */
	LIST_HEAD(, hook_wait) waits;          /* reads that wait for its end */

	/* statistics */
	uint64_t runs, failures, waiting; /* waiting: events its rules hold now */
	int64_t last_run_ns, created_ns, updated_ns;
	uint64_t counts[EXEC_REMOVED + 1]; /* by enum exec_status, since start */
	struct latency *latency;           /* since start; NULL before the first run */
	struct log_file *log;              /* NULL while closed */
	struct gate *gate;                 /* NULL while nothing was counted */

	TAILQ_ENTRY(hook) dir_link, pending_link, leaving_link, queue_link, log_link;
	UT_hash_handle by_name_hh, by_alias_hh, by_id_hh;
};
/* Why what its files say is not in service; NULL: it is, or will be.  Borrowed. */
static inline const char *
hook_problem(const struct hook *hook)
{
	return hook->conf_problem ? hook->conf_problem : hook->problem;
}
/* Hooks that wait for something, first come first. */
TAILQ_HEAD(hook_queue, hook);

/* A version: what others see of it as struct hook_code. */
struct release {
	struct hook_code code;   /* first: a code is a release */
	struct hook_rules rules; /* code.rules */
	struct hooks *hooks;
	struct hook *hook;
	struct match_entry *entries; /* in the index; NULL when it matches nothing */
	size_t entry_count;
	uint64_t stamp; /* of the last search that found it */
	TAILQ_ENTRY(release) link;
};

struct type_slot;

struct hooks {
	struct hooks_options opt;
	char *state_dir;
	LIST_HEAD(, hook_dir) dirs;
	struct hook *by_id;
	uint64_t last_serial;

	struct type_slot *exact;        /* by text: types, "a.*" and "*" */
	LIST_HEAD(, match_entry) globs; /* other patterns, tried one by one */
	uint64_t stamp;

	struct hook_queue pending, leaving, queue; /* in the order of their times */
	unsigned settle_ms;                        /* HOOK_SETTLE_MS, or a test's */
	bool is_stopping;
	unsigned loads; /* files being read or checked */
	uv_timer_t *settle_timer, *leave_timer;
	void (*settled)(void *arg);
	void *settled_arg;

	struct hook_queue logs; /* hooks with an open log, least recently used first */
	unsigned log_count;
	struct latency wait; /* from an event's acceptance to the start of a first attempt */
	struct hook_user *users;
	struct hook_settings defaults;

	/* counts of gates that the store does not know yet; those it is to forget come first */
	TAILQ_HEAD(gate_key_queue, gate_key) gate_changes;
	struct gate_count_list gate_removals;
};

/* ---- registry.c ------------------------------------------------------------------------------ */

/* By stack, by name in a directory, by id; NULL when there was never one. */
struct hook_dir *hook_dir_find(struct hooks *hooks, const char *stack);
/* Find it or make it, without sources. */
struct hook_dir *hook_dir_make(struct hooks *hooks, const char *stack);
/* Also one whose file is gone; the label is "x" or "x@stack". */
struct hook *hook_find(struct hook_dir *dir, const char *name);
struct hook *hook_find_label(struct hooks *hooks, const char *label);
/* 0 finds none. */
struct hook *hook_find_id(struct hooks *hooks, uint64_t id);

/* Find it or make it, without a file and without an id. */
struct hook *hook_make(struct hook_dir *dir, const char *name);
/* Once. */
void hook_set_id(struct hook *hook, uint64_t id);
/* The name must be free in its directory. */
void hook_set_name(struct hook *hook, const char *name);

/* The stem of a file that is a hook ("a.lua" -> "a"), owned; NULL for every other file. */
char *hook_stem(const char *file);

/* "/hooks/x.lua" or "/stacks/<stack>/hooks/x.lua".  Returns owned. */
char *hook_path(const struct hook *hook);

/* Let settings.alias lead to it, unless the name is taken: then alias_refused says by whom. */
void hook_alias_claim(struct hook *hook);
/* It leads to it no more; needed before settings.alias is freed. */
void hook_alias_drop(struct hook *hook);

/* The file came or went: the tree is told. */
void hook_show(struct hook *hook, bool has_file);
/* One of its files under ctl/ shows something else now. */
void hook_changed(struct hook *hook, const char *file);

struct hook_user {
	uid_t uid;
	gid_t gid; /* his own, not that of a file: a directory may give that one away */
	char *name;
	UT_hash_handle hh;
};
/* A user as the system knows him, looked up once. */
const struct hook_user *hook_user(struct hooks *hooks, uid_t uid);

/* ---- stats.c --------------------------------------------------------------------------------- */

/* One line each: "success 12". */
void hook_counts_show(const struct hook *hook, struct sbuf *out);
/* One line each: "p50 1.2ms". */
void hook_latency_show(const struct hook *hook, struct sbuf *out);
/* The log, opened when it is not; borrowed until the next call. */
int hook_log_open(struct hook *hook, struct log_file **ret_log, struct err *err) MUST_USE;
/* Make the directory of logs; close them; free what a hook has of both. */
int hook_stats_init(struct hooks *hooks, struct err *err) MUST_USE;
/* Remove the logs of hooks the store has forgotten.  Blocks: briefly, at start only. */
void hook_logs_sweep(struct hooks *hooks);
/* Lines appended are written while the file lane runs. */
void hook_stats_stop(struct hooks *hooks);
/* Its counters stay with the store. */
void hook_stats_fini(struct hook *hook);

/* ---- hook_nodes.c ---------------------------------------------------------------------------- */

/* The line of ctl/hooks/<hook>/status, without its newline. */
void hook_status_show(const struct hook *hook, struct sbuf *out);

/* ---- hook_wait.c ----------------------------------------------------------------------------- */

/* A registration ended: reads of ctl/hooks/<hook>/wait have their answer. */
void hook_waits_tell(struct hook *hook);

#endif
