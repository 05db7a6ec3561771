/* Hooks as the commands know them: which one a name means, and the facts about each. */
#ifndef SLOTH_RUNNER_HOOK_H
#define SLOTH_RUNNER_HOOK_H

#include "tools/runner/event.h"
#include "tools/runner/mount.h"
#include "tools/runner/print.h"

#include <jansson.h>

/* Facts about one hook, in the form of `hook get`: {id, name, label, alias?, description,
 * event_type, event_types, file_path, stack?, enabled, status, created_at, updated_at, last_run?,
 * run_count, failure_count, version, owner, timeout_ms, memory_bytes, concurrency, rules?, counts?,
 * p50_ms?, p99_ms?}.  counts and percentiles are since the master started.  label is what it is
 * called in events/<id>/hooks/: "name" or "name@stack"; a hook of the root may be behind the wall
 * of a stack as well. */

/* All hooks of the root and of every stack.  A reference for the caller. */
int hooks_read(const struct mount *mount, json_t **ret_hooks, struct err *err) MUST_USE;

/* The one that text means: NAME or NAME@STACK, by name or by the alias its script gives it.  A NAME
 * is looked for at the root first, then in the stacks.  Returns 0 and a reference for the caller,
 * -ENOENT, or -EEXIST when several stacks have one. */
int hook_read(
	const struct mount *mount, const char *text, json_t **ret_hook, struct err *err) MUST_USE;

/* A path of one hook.  Returns owned. */
char *hook_place(const struct mount *mount, enum place place, const json_t *hook);

/* "enabled", "disabled", "no event", "loading" or "broken", for tables. */
const char *hook_state(const json_t *hook);

/* The value of one of its files, without the newline at the end. */
int hook_value(const struct mount *mount, enum place place, const json_t *hook,
	struct sbuf *ret_text, struct err *err) MUST_USE;

#endif
