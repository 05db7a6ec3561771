/* Hooks: a registry fed by files.  Each stack (and the root, "") has a source directory hooks/; the
 * registry loads what is saved there through a worker (MSG_CHECK), keeps the last good version in
 * service, and answers which versions match an event.  All on the core thread.
 */
#ifndef SLOTH_HOOKS_HOOKS_H
#define SLOTH_HOOKS_HOOKS_H

#include "base/err.h"
#include "fsd/store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct hooks;
struct hook;

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
	char *workdir;
	uid_t uid;
	gid_t gid;
	unsigned timeout_ms;   /* 0: config/hook_timeout */
	uint64_t memory_bytes; /* 0: config/hook_memory */
	unsigned concurrency;  /* 0: the default */
	bool is_removed;       /* the hook's file is gone */
};
struct hook_code *hook_code_ref(struct hook_code *code);
void hook_code_unref(struct hook_code *code);

/* Make sure code->source is there (an old version's is read from the store). */
typedef void hook_ready_fn(void *arg, int code, const struct err *err);
void hook_code_load(struct hooks *hooks, struct hook_code *code, hook_ready_fn *done, void *arg);

/* Call fn for every version that matches the event: type pattern, stack wall, enabled, and
 * from_seq <= event.seq < to_seq.  References are borrowed during the call. */
typedef void hooks_match_fn(void *arg, struct hook_code *code);
void hooks_match(struct hooks *hooks, const struct event *ev, hooks_match_fn *fn, void *arg);

/* The barrier: true when no registration begun before seq is still loading.  `settled` of
 * hooks_on_settled is called whenever one ends (2 s after its begin at the latest). */
bool hooks_are_settled(struct hooks *hooks, uint64_t seq);
void hooks_on_settled(struct hooks *hooks, void (*settled)(void *arg), void *arg);

/* A version by identity, for recovery: executions name (hook_id, version).  NULL when unknown. */
struct hook_code *hooks_find_code(struct hooks *hooks, uint64_t hook_id, uint32_t version);
/* The label ("x@stack") of any hook that ever lived; NULL when unknown.  Borrowed. */
const char *hooks_label(struct hooks *hooks, uint64_t hook_id);

/* An execution got its result: counters, latency, last_run, the hook's log. */
void hooks_record(struct hooks *hooks, const struct execution *ex);

/* Called by the stacks room. */
int hooks_add_stack(struct hooks *hooks, const char *stack, struct err *err) MUST_USE;
int hooks_remove_stack(
	struct hooks *hooks, const char *stack, struct err *err) MUST_USE; /* -ENOTEMPTY */

#endif
