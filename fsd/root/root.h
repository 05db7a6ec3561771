/* The root's room: the files that stand at the top of the mount, and config/.  It keeps the
 * daemon's log and the list of refused operations, and shows how everybody is doing.
 * Thread: core.
 */
#ifndef SLOTH_ROOT_ROOT_H
#define SLOTH_ROOT_ROOT_H

#include "base/err.h"
#include "base/sbuf.h"

#include <stddef.h>

struct config;
struct dispatcher;
struct events;
struct lane;
struct log;
struct root;
struct store;
struct tree;
struct watchdog;
struct workers;

struct root_options {
	struct lane *files;
	struct config *config;
	struct tree *tree;
};

/* Open <state>/log and <state>/errors.  Returns owned. */
int root_new(const struct root_options *opt, struct root **ret_root, struct err *err) MUST_USE;
/* Before the file lane stops: what was logged is written. */
void root_close_logs(struct root *root);
void root_free(struct root *root); /* accepts NULL */

/* Whose figures `status` and `metrics` show; all are borrowed. */
struct root_rooms {
	struct store *store;
	struct events *events;
	struct dispatcher *dispatcher;
	struct workers *workers;
	struct watchdog *watchdog;
	/* Appends the figures of hooks and doors to `metrics`. */
	void (*add_metrics)(void *arg, struct sbuf *out);
	void *arg;
};
void root_set_rooms(struct root *root, const struct root_rooms *rooms);

/* Append a line to the log. */
void root_log_line(struct root *root, const char *line, size_t len);

/* One line of `errors`: who (may be NULL), doing what, on which path, was refused why. */
void root_refused(struct root *root, const char *who, const char *op, const char *path,
	const struct err *err);

/* One line of `audit`. */
struct tree_change_note;
void root_audit_change(struct root *root, const struct tree_change_note *note);

#endif
