/* Inside the hooks room: how a saved file becomes the version in service, and which events it is
 * for. */
#ifndef SLOTH_HOOKS_FLOW_H
#define SLOTH_HOOKS_FLOW_H

#include "fsd/hooks/registry.h"
#include "fsd/tree/source.h"

/* ---- loading.c ------------------------------------------------------------------------------- */

/* What a source directory says about hooks/ and lib/ (struct source_owner). */
void hook_file_changed(void *dir, enum source_change what, const char *name, const char *new_name);
/* The file went; REMOVED follows, or it comes back. */
void hook_file_left(void *dir, const char *name);
/* Hooks that could not be loaded are tried again. */
void hook_lib_changed(void *dir, enum source_change what, const char *name, const char *new_name);

/* A file is there: read it and judge what changed. */
void hook_load(struct hook *hook);
/* No file: the hook is closed now. */
void hook_close(struct hook *hook);

/* Make the queues and timers. */
void hook_loading_init(struct hooks *hooks);
/* Close the timers; the loop has to run once more. */
void hook_loading_fini(struct hooks *hooks);

/* ---- barrier.c ------------------------------------------------------------------------------- */

/* A registration begins: events accepted from now on wait for it.  No effect when one is open. */
void hook_barrier_begin(struct hook *hook);
/* It ended, in whatever way. */
void hook_barrier_end(struct hook *hook);
/* The first event that an interval may begin or end with that changes now. */
uint64_t hook_boundary(const struct hook *hook);
/* (Re)start a timer for a loop time. */
void hook_timer_arm(uv_timer_t *timer, uint64_t until, uv_timer_cb fn);
/* Nothing is pending. */
void hook_barrier_init(struct hooks *hooks);

/* ---- service.c ------------------------------------------------------------------------------- */

/* What the hook is when its script says this: with the overrides. */
int hook_effective(struct hook *hook, const char *script, struct hook_settings *ret_settings,
	struct err *err) MUST_USE;
/* What was loaded from the hook's file. */
struct hook_file {
	char *source; /* taken */
	size_t len;
	uint64_t hash;
	uid_t uid;
	gid_t gid;
};
/* Put it in service unless it is already.  Takes: settings and file->source. */
void hook_serve(struct hook *hook, struct hook_file *file, const char *script,
	struct hook_settings *settings);
/* Its name in the store is its name now. */
void hook_store_name(struct hook *hook);
/* Take the hook out of service. */
void hook_retire(struct hook *hook);
/* Compute the settings of the version in service anew; done follows, perhaps at once. */
void hook_apply(struct hook *hook, hook_ready_fn *done, void *arg);

/* ---- versions.c ------------------------------------------------------------------------------ */

/* What a version is made of, beside the hook's name and place. */
struct release_parts {
	const struct hook_settings *settings;
	uint32_t version;
	uint64_t from_seq, to_seq;
	int64_t created_ns;
	uid_t uid;
	gid_t gid;
	bool is_alone;
	char *source; /* taken; NULL: in the store */
	size_t source_len;
};
/* Make a version and put it in the index and the hook's list.  Returns borrowed: the hook's. */
struct release *release_add(struct hook *hook, const struct release_parts *parts);
/* The meta column of the store: effective settings for people and views, "script" with what the
 * script says, and whose file it was.  write returns owned. */
char *release_meta_write(const struct release_parts *parts, const char *script);
/* Fills the owner in parts, whether it runs alone, and what the settings were; types are not in it.
 */
int release_meta_read(const char *meta, struct release_parts *parts,
	struct hook_settings *ret_settings, char **ret_script, struct err *err) MUST_USE;

/* It matches no event from to_seq on. */
void release_end(struct release *release, uint64_t to_seq);
/* Where `require` looks, one directory a line.  Returns owned. */
char *release_lib_dirs(const struct hook_dir *dir, const char *wall);

/* Forget ended versions that no unfinished event can match. */
void release_prune(struct hook *hook);
/* Forget every version: the hook itself goes. */
void release_drop_all(struct hook *hook);

/* ---- explain.c ------------------------------------------------------------------------------- */

/* Remember the version; told in their order, one that is known already changes nothing. */
void hook_span_add(struct hook *hook, const struct release_parts *parts);
void hook_span_end(struct hook *hook, uint32_t version, uint64_t to_seq);
void hook_spans_fini(struct hook *hook);
/* What the version in service says to such an event; why gets a sentence unless it matches. */
enum hook_stance_kind hook_stance_now(
	const struct hook *hook, const struct event *ev, struct sbuf *why);

/* ---- conf.c ---------------------------------------------------------------------------------- */

/* hooks.d/<hook>.conf in the state directory.  Returns owned. */
char *hook_conf_path(const struct hook_dir *dir, const char *name);
/* Read the file of every hook of the directory.  Blocks: yes (start only). */
int hook_conf_load(struct hook_dir *dir, struct err *err) MUST_USE;
/* Have a worker judge what hook_conf_load could not; then done, perhaps at once, with hook_problem
 * set when it is refused. */
void hook_conf_settle(struct hook *hook, hook_ready_fn *done, void *arg);
/* What the source hooks.d/ of a directory tells. */
void hook_conf_changed(void *dir, enum source_change what, const char *name, const char *new_name);
/* Have a worker judge conditions, lines that stand in the file path; done follows, perhaps at once.
 */
void hook_conditions_judge(
	struct hook *hook, const char *path, const char *lines, hook_ready_fn *done, void *arg);

/* ---- overrides.c ----------------------------------------------------------------------------- */

/* The stack is removed: its overrides go with it.  Blocks: briefly. */
void hook_overrides_remove(struct hook_dir *dir);
/* Whether they go together with the script of the version in service. */
int hook_overrides_check(struct hook *hook, struct err *err) MUST_USE;
/* Change one override, write the file, apply it; done follows.  -EINVAL when the text is no value
 * of the setting, -EBUSY while the file is one that was refused: done is not called then. */
int hook_override_write(struct hook *hook, enum hook_setting setting, const char *text,
	hook_ready_fn *done, void *arg, struct err *err) MUST_USE;
/* The hook's name changed. */
void hook_overrides_rename(struct hook *hook, const char *old_name);

#endif
