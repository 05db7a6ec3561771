/* Hooks: a registry fed by files.  Each stack (and the root, "") has a source directory hooks/; the
 * registry loads what is saved there through a worker (MSG_CHECK), keeps the last good version in
 * service, and answers which versions match an event.  All on the core thread.
 */
#ifndef SLOTH_HOOKS_HOOKS_H
#define SLOTH_HOOKS_HOOKS_H

#include "base/err.h"
#include "base/log.h"
#include "fsd/store/store.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct hooks;
struct hook;
struct tree;
struct lane;
struct run;
struct check_request;
struct hook_rules;

/* What the registry needs of the rooms above it; wired in main.c (and faked in tests). */
struct hooks_services {
	void *arg;
	uint64_t (*next_seq)(void *arg); /* events_next_seq */
	/* The lowest seq of an event that is not final (next_seq when there is none): versions that
	 * ended before it are forgotten. */
	uint64_t (*oldest_seq)(void *arg);
	/* workers_check: done(done_arg, code, meta, err). */
	void (*check)(void *arg, const struct check_request *req,
		void (*done)(void *arg, int code, const char *meta, const struct err *err),
		void *done_arg);
	void (*run)(void *arg, struct run *run);    /* workers_run */
	void (*cancel)(void *arg, struct run *run); /* workers_cancel as interrupted */
	/* A hook was removed: what it holds ends (dispatcher_hook_removed).  May be NULL. */
	void (*removed)(void *arg, uint64_t hook_id);
	/* A file was refused: one line of `errors`.  path is as in the mount. */
	void (*report)(void *arg, const char *path, const struct err *err);
};

struct hooks_options {
	uv_loop_t *loop;
	struct tree *tree;
	struct store *store;
	struct lane *files;
	struct log *log;
	const char *state_dir;
	struct hooks_services services;
};

/* Take the versions in service from the store, then look at the root's files; what changed since is
 * checked in the background (the barrier waits for it).  Call tree_set_room(tree, "hooks", hooks),
 * add the stacks, then hooks_start.  Blocks: yes (start only).  Returns owned. */
int hooks_new(const struct hooks_options *opt, struct hooks **ret_hooks, struct err *err) MUST_USE;

/* Every stack was added: hooks of stacks that are gone are closed. */
void hooks_start(struct hooks *hooks);

/* Close the source directories and the hooks' logs: before the file lane stops. */
void hooks_stop(struct hooks *hooks);

/* After the workers, the store and the file lane have stopped.  Accepts NULL. */
void hooks_free(struct hooks *hooks);

/* What a hook gets that says nothing itself (config/hook_timeout, hook_memory, and the share of
 * config/workers the dispatcher gives one hook): shown by the files of such a hook. */
void hooks_set_defaults(
	struct hooks *hooks, unsigned timeout_ms, uint64_t memory_bytes, unsigned concurrency);

/* A version as workers run it.  Reference counted: stays valid while executions of it exist. */
struct hook_code {
	unsigned refs;
	uint64_t hook_id;
	uint32_t version;
	uint64_t from_seq, to_seq; /* to_seq 0: in service */
	char *label;               /* "x" or "x@stack" */
	char *stack;
	char *path;   /* "hooks/x.lua", for tracebacks */
	char *types;  /* patterns, one a line */
	char *source; /* NULL until needed: hook_code_load */
	size_t source_len;
	char *lib_dirs; /* real directories, one a line */
	uid_t uid;
	gid_t gid;
	unsigned timeout_ms;            /* 0: config/hook_timeout */
	uint64_t memory_bytes;          /* 0: config/hook_memory */
	unsigned concurrency;           /* 0: the default */
	const struct hook_rules *rules; /* never NULL; lives as long as the version */
	bool is_alone;                  /* got its worker killed: runs in a process of its own */
	bool is_removed;                /* the hook's file is gone */
};
struct hook_code *hook_code_ref(struct hook_code *code);
void hook_code_unref(struct hook_code *code);

/* Make sure code->source is there (an old version's is read from the store).  done is called before
 * the return when it already is. */
typedef void hook_ready_fn(void *arg, int code, const struct err *err);
void hook_code_load(struct hooks *hooks, struct hook_code *code, hook_ready_fn *done, void *arg);

/* Call fn for every version that matches the event: type pattern, stack wall, enabled, and
 * from_seq <= event.seq < to_seq.  References are borrowed during the call. */
typedef void hooks_match_fn(void *arg, struct hook_code *code);
void hooks_match(struct hooks *hooks, const struct event *ev, hooks_match_fn *fn, void *arg);

/* What a hook says about an event: whether a version of it matches, and why not. */
enum hook_stance_kind {
	HOOK_MATCHES,
	HOOK_OTHER_TYPE,
	HOOK_WALL, /* it stands behind the wall of another stack */
	HOOK_DISABLED,
	HOOK_NO_EVENT, /* it names no type */
	HOOK_BROKEN,   /* it cannot be loaded, and no version of it was in service */
	HOOK_LOADING,
	HOOK_NOT_YET,   /* it came after the event */
	HOOK_FORGOTTEN, /* the version of then is no longer known */
};
struct hook_stance {
	enum hook_stance_kind kind;
	uint64_t hook_id;
	uint32_t version;          /* in service then; 0: none */
	const char *label, *stack; /* of its directory; "" the root's */
	const char *why;           /* a sentence about the hook: "hears task.failed (version 2)" */
};
/* Call fn for each hook there is now, or was in service at the event's seq; the root's first.  All
 * is borrowed during the call. */
typedef void hook_stance_fn(void *arg, const struct hook_stance *stance);
void hooks_explain(struct hooks *hooks, const struct event *ev, hook_stance_fn *fn, void *arg);
/* "matches", "other-type", ... */
const char *hook_stance_name(enum hook_stance_kind kind);

/* code->is_alone was set: the hook's status says so, and it outlives a restart. */
void hooks_note_alone(struct hooks *hooks, const struct hook_code *code);

/* The barrier: true when no registration begun before seq is still loading.  `settled` of
 * hooks_on_settled is called whenever one ends (2 s after its begin at the latest). */
bool hooks_are_settled(struct hooks *hooks, uint64_t seq);
void hooks_on_settled(struct hooks *hooks, void (*settled)(void *arg), void *arg);

/* A version by identity, for recovery: executions name (hook_id, version).  NULL when unknown. */
struct hook_code *hooks_find_code(struct hooks *hooks, uint64_t hook_id, uint32_t version);
/* Whether no version of it is in service, nor will be by itself: its file is gone. */
bool hooks_is_removed(struct hooks *hooks, uint64_t hook_id);
/* The id of the hook with this label ("x@stack"); 0 when there was never one. */
uint64_t hooks_id(struct hooks *hooks, const char *label);

/* An execution of an event got its result: counters, latency, last_run, the hook's log. */
void hooks_record(struct hooks *hooks, const struct event *ev, const struct execution *ex);

/* Append the hooks' figures to `metrics`. */
void hooks_add_metrics(const struct hooks *hooks, struct sbuf *out);

/* Whether a hook or a stack may have this name: [A-Za-z0-9_][A-Za-z0-9_.-]{0,63}. */
bool hooks_name_is_valid(const char *name);

/* Called by the stacks room, which has made <state>/stacks/<stack>.  remove: -ENOTEMPTY while there
 * is a file in hooks/ or lib/; takes the overrides away. */
int hooks_add_stack(struct hooks *hooks, const char *stack, struct err *err) MUST_USE;
int hooks_remove_stack(
	struct hooks *hooks, const char *stack, struct err *err) MUST_USE; /* -ENOTEMPTY */

#endif
