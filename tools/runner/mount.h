/* The mount as the commands use it: where it is, the paths below it, and how to read, write, ask
 * and list.  No other file knows a path, and nothing here knows a command.
 *
 * Failing calls name the file and say why: the reason the daemon gives in `errors` where there is
 * one, else the errno's.  A master that is gone is -EHOSTDOWN.
 */
#ifndef SLOTH_RUNNER_MOUNT_H
#define SLOTH_RUNNER_MOUNT_H

#include "base/err.h"
#include "base/sbuf.h"
#include "tools/runner/args.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mount {
	char *root;
	bool is_traced; /* log level debug: say on standard error which files are touched */
};

/* A place of the tree; * in its path is the name given, and some exist below a stack too. */
enum place {
	PLACE_STATUS,
	PLACE_STATUS_JSON,
	PLACE_EMIT,
	PLACE_STREAM,
	PLACE_EVENTS,
	PLACE_EVENTS_CLEANUP,
	PLACE_EVENTS_QUERY,
	PLACE_EVENTS_REPLAY,
	PLACE_EVENT_TYPES,
	PLACE_EVENT,
	PLACE_EVENT_JSON,
	PLACE_EVENT_WAIT,
	PLACE_EVENT_HOOKS,
	PLACE_EVENT_WHY,
	PLACE_EVENT_REPLAY,
	PLACE_STACKS,
	PLACE_STACK,
	PLACE_HOOKS,
	PLACE_HOOK_FILE,
	PLACE_HOOK_LIST,
	PLACE_HOOK,
	PLACE_HOOK_STATUS,
	PLACE_HOOK_ENABLED,
	PLACE_HOOK_EVENT,
	PLACE_HOOK_DESCRIPTION,
	PLACE_HOOK_PRIORITY,
	PLACE_HOOK_OVERRIDES,
	PLACE_HOOK_LOG,
	PLACE_HOOK_TEST,
	PLACE_TEMPLATES,
	PLACE_TEMPLATE,
};

/* mount_find.c: find the running master: --mount, SLOTH_RUNNER_MASTER_ADDR, SLOTH_RUNNER_MOUNT,
 * what the state directory records, the default.  Returns 0, or -EHOSTDOWN and how to start one. */
int mount_find(const struct args *args, struct mount *ret_mount, struct err *err) MUST_USE;
void mount_fini(struct mount *mount);
static inline void
mount_auto(struct mount *mount)
{
	mount_fini(mount);
}

/* Returns owned: the full path.  stack NULL or "" is the root; name NULL where the path has none.
 */
char *mount_path(const struct mount *mount, enum place place, const char *stack, const char *name);

/* Whether a name may be a component of a path.  Returns 0 or -EINVAL; what says what it names. */
int mount_check_name(const char *what, const char *name, struct err *err) MUST_USE;

/* Append the whole file.  A read may wait (wait nodes). */
int mount_read(
	const struct mount *mount, const char *path, struct sbuf *out, struct err *err) MUST_USE;

/* The same for a value: without the newline at its end. */
int mount_read_value(
	const struct mount *mount, const char *path, struct sbuf *out, struct err *err) MUST_USE;

/* Write the text with one write to an existing file. */
int mount_write(const struct mount *mount, const char *path, const char *text, size_t len,
	struct err *err) MUST_USE;

/* Write a request and read the answer from the same open file: one line, appended without its
 * newline. */
int mount_ask(const struct mount *mount, const char *path, const struct sbuf *request,
	struct sbuf *answer, struct err *err) MUST_USE;

/* Write the first line (NULL: none) and call fn for each line read, without its newline, until it
 * returns something but 0 or the file ends. */
typedef int mount_line_fn(void *arg, const char *line, struct err *err);
int mount_follow(const struct mount *mount, const char *path, const char *first_line,
	mount_line_fn *fn, void *arg, struct err *err) MUST_USE;

/* Put a file in place whole: a temporary name beside it, then a rename. */
int mount_install(const struct mount *mount, const char *path, const struct sbuf *content,
	struct err *err) MUST_USE;

/* Whether there is something of that name; remove a file; remove a directory. */
bool mount_exists(const struct mount *mount, const char *path);
int mount_unlink(const struct mount *mount, const char *path, struct err *err) MUST_USE;
int mount_rmdir(const struct mount *mount, const char *path, struct err *err) MUST_USE;

/* Names in a directory, in its order, without those that begin with a dot. */
struct names {
	char **list;
	size_t count;
};
void names_add(struct names *names, const char *name);
void names_fini(struct names *names);
static inline void
names_auto(struct names *names)
{
	names_fini(names);
}

/* The names in a directory.  type: DT_DIR, DT_LNK, or 0 for all. */
int mount_list(const struct mount *mount, const char *path, unsigned char type,
	struct names *ret_names, struct err *err) MUST_USE;

/* The newest events' ids, newest first: what `ls events` shows without the tree's own names. */
int mount_events(const struct mount *mount, struct names *ret_names, struct err *err) MUST_USE;

#endif
