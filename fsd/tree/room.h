/* The tree as the rooms see it: what a row's handlers get, and what they may call.
 *
 * A row of mount-layout/<room>.rows says
 *
 *	path                    mode kind read              write flags "help"
 *	/events/{event}/status  0444 text event_status_read -     -     "pending, ..."
 *
 * and the generator turns it into a struct row (rows.h) that names the handlers below; they must
 * not be static: include "handlers.h", generated too, which declares them.  A path that begins
 * with ~ is declared twice: at the root and under /stacks/{stack}.
 *
 *	kind    read column      write column
 *	dir     -                struct dir_edit or -   what may be made and removed in it
 *	text    text_read_fn     -                      rendered once per open
 *	value   text_read_fn     value_set_fn           one value, taken whole
 *	ctl     text_read_fn, -  value_set_fn           verbs, a line each
 *	rpc     struct rpc_ops   -                      a conversation per open
 *	stream  struct stream_ops -                     held reads
 *	log     log_open_fn      -                      a growing real file, read-only
 *	link    text_read_fn     -                      target; -ENOENT: not there at all
 *	source  source_find_fn   -                      a directory backed by a real one
 *
 * A row that ends in {x} says which names exist: a struct node_set, alone in a dir's read column,
 * before a colon for the other kinds:
 *
 *	/events/{event}         0755 dir  events_set             -          -  "..."
 *	/config/{key}           0644 value config_set:config_read config_set_key -  "..."
 *
 * Flags, joined by commas: unlisted (reachable, not in readdir), fresh (a new nodeid per lookup:
 * its write waits for a commit, or what its set pins may go without a word), notify (the notify
 * thread tells inotify), group (group sloth may do what the owner may), quiet (a write is not told
 * in `audit` unless it is refused).
 *
 * Everything here runs on the core thread.  Handlers never block; what must wait answers later
 * through the request it was given.
 */
#ifndef SLOTH_TREE_ROOM_H
#define SLOTH_TREE_ROOM_H

#include "base/err.h"
#include "base/sbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct node;       /* a path in use: a row, the names bound on the way, what was pinned */
struct handle;     /* one open of a node */
struct treq;       /* one request of a door, waiting for its answer */
struct source;     /* a source directory: tree/source.h */
struct log_reader; /* a reader of a growing file: tree/log_file.h */
struct tree;

/* Returned by a handler that keeps the request and answers it later with treq_reply() (which may
 * come before the handler returns).  Larger than any byte count. */
#define TREE_PARKED (1 << 30)

/* ---- nodes ---------------------------------------------------------------------------------- */

/* The name bound to {param} on the way to this node, or NULL.  Borrowed while the node lives. */
const char *node_param(const struct node *node, const char *param);

/* The last component of the path. */
const char *node_name(const struct node *node);

/* The stack whose subtree the node is in; "" at the root. */
const char *node_stack(const struct node *node);

/* The object pinned by the nearest ancestor-or-self row whose set is `set`; NULL when none. */
struct node_set;
void *node_pinned(const struct node *node, const struct node_set *set);

/* The context given to tree_set_room() for the room that declared the row (its struct). */
void *node_room(const struct node *node);

/* ---- rows with a parameter: which names exist ----------------------------------------------- */

/* One directory entry a set reports: cookie is the position after it (for events: seq), so that a
 * large directory is read by cursor.  Returns false when the reader has enough. */
typedef bool entry_fn(void *arg, const char *name, uint64_t ino, uint64_t cookie);

struct node_set {
	/* Bind name below parent.  Sets *ret_obj (pinned until release) and *ret_ino (0: the tree
	 * makes one from the path).  Returns 0, -ENOENT, or TREE_PARKED when a bounded cold read is
	 * needed: then the room answers with treq_pin(). */
	int (*lookup)(struct node *parent, const char *name, struct treq *req, void **ret_obj,
		uint64_t *ret_ino, struct err *err);
	/* Report the names after cookie (0: from the start).  Returns 0, -errno, or TREE_PARKED:
	 * then the room calls treq_entry() for each and treq_reply(). */
	int (*list)(struct node *parent, uint64_t cookie, struct treq *req, entry_fn *entry,
		void *arg, struct err *err);
	/* Drop what lookup pinned.  May be NULL. */
	void (*release)(void *obj);
	/* Times of the object for stat, in ns since 1970; may be NULL (start of the daemon). */
	int64_t (*mtime_ns)(void *obj);
	/* The name means the same thing after a restart, so chmod and chown of the object and of
	 * what is below it are remembered.  False (events): they are refused with EPERM. */
	bool keeps_perms;
};

/* Answer a parked lookup: the object and inode number, or a negative errno in code. */
void treq_pin(struct treq *req, int code, void *obj, uint64_t ino);
/* Add an entry to a parked list. Returns false when the reader has enough. */
bool treq_entry(struct treq *req, const char *name, uint64_t ino, uint64_t cookie);

/* Changes in a directory made by users.  Each may be NULL (EPERM).  All answer at once: never
 * TREE_PARKED (a parked RENAME freezes the directory). */
struct dir_edit {
	int (*mkdir)(struct node *dir, const char *name, struct treq *req, struct err *err);
	int (*rmdir)(struct node *dir, const char *name, struct treq *req, struct err *err);
	int (*unlink)(struct node *dir, const char *name, struct treq *req, struct err *err);
};

/* ---- requests ------------------------------------------------------------------------------- */

/* Who asks, for rooms that record it. */
uid_t treq_uid(const struct treq *req);
pid_t treq_pid(const struct treq *req); /* perhaps of a thread; 0: not known */

/* Answer a parked request: 0 or a byte count for a write, or a negative errno.  Exactly once.
 * err may be NULL; its text goes to `errors` when the code is one a person should see. */
void treq_reply(struct treq *req, int code, const struct err *err);

/* Say what to call when the caller gives up (a signal): the room must then treq_reply(-EINTR)
 * unless the work cannot be undone.  Without one, an interrupt is ignored. */
void treq_on_cancel(struct treq *req, void (*cancel)(struct treq *req, void *arg), void *arg);

/* ---- text, value, ctl, link ----------------------------------------------------------------- */

/* Append the content, ending in a newline (a link: no newline).  Returns 0 or -errno. */
typedef int text_read_fn(struct node *node, struct sbuf *out, struct err *err);

/* Take the value: the bytes of one write (or of a file copied over), with one trailing newline
 * removed and NUL-terminated.  Returns 0, -errno, or TREE_PARKED. */
typedef int value_set_fn(
	struct node *node, const char *text, size_t len, struct treq *req, struct err *err);

/* ---- rpc and stream: conversations ---------------------------------------------------------- */

/* What the room keeps for one open; borrowed by the handle until release. */
void handle_set_state(struct handle *h, void *state);
void *handle_state(const struct handle *h);
struct node *handle_node(const struct handle *h);

/* Add bytes for the reader; wakes held reads and poll.  Dropped when h is open for writing only. */
void handle_push(struct handle *h, const void *data, size_t len);
/* Bytes pushed that nobody has read yet: the room bounds them. */
size_t handle_unread(const struct handle *h);
/* O_RDONLY, O_WRONLY or O_RDWR, as it was opened. */
int handle_access(const struct handle *h);
/* After what is pushed, reads give end of file. */
void handle_eof(struct handle *h);

struct rpc_ops {
	/* May be NULL. Returns 0 or -errno. */
	int (*open)(struct handle *h, struct err *err);
	/* Bytes as they came.  Returns how many were taken (0 < n <= len), -errno, or TREE_PARKED
	 * (then treq_reply(req, n)).  Answers go to the reader by handle_push. */
	int (*write)(
		struct handle *h, const char *data, size_t len, struct treq *req, struct err *err);
	/* Who opened it closes a descriptor: judge what is unfinished.  May come several times, may
	 * be NULL.  Returns 0, -errno, TREE_PARKED. */
	int (*flush)(struct handle *h, struct treq *req, struct err *err);
	/* The last descriptor is gone. */
	void (*release)(struct handle *h);
	/* The file is emptied and its answer dropped at open with O_TRUNC; a read past what was
	 * pushed gives end of file at once unless the room parked it: */
	bool reads_wait; /* true: a read after a write waits until handle_push or handle_eof */
};

struct stream_ops {
	int (*open)(struct handle *h, struct err *err);
	/* Filter lines; NULL refuses writes with EBADF semantics (open for writing is refused). */
	int (*write)(
		struct handle *h, const char *data, size_t len, struct treq *req, struct err *err);
	/* The reader took some: room to push more.  May be NULL. */
	void (*drained)(struct handle *h);
	void (*release)(struct handle *h);
};

/* ---- log and source ------------------------------------------------------------------------- */

/* A reader of the growing file behind the node (tree/log_file.h).  Returns an owned reference. */
typedef int log_open_fn(struct node *node, struct log_reader **ret_reader, struct err *err);

/* The source directory behind the node (per stack).  Borrowed while the stack lives. */
typedef int source_find_fn(struct node *node, struct source **ret_source, struct err *err);

/* A refusal whose writer is gone: its line in `errors`.  Others get theirs by treq_reply. */
void tree_report(
	struct tree *tree, uid_t uid, const char *path, const char *op, const struct err *err);

/* ---- telling the tree that something changed ------------------------------------------------- */

/* A node's content changed, or a name came or went below it.  Path as in the mount
 * ("/events/log"); cheap when nobody has it.  Feeds caches, poll and the notify thread.  A room
 * must call tree_removed when an object of a set goes away: until then its node may answer from
 * what is pinned. */
void tree_changed(struct tree *tree, const char *path);
void tree_added(struct tree *tree, const char *dir_path, const char *name);
void tree_removed(struct tree *tree, const char *dir_path, const char *name);

#endif
