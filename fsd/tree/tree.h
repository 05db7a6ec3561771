/* The tree as the doors see it: one request type for every operation of every protocol.
 *
 * A door fills a struct treq, submits it, and gets exactly one call of done, before or after
 * tree_submit returns.  Between the two the request and all it points to stay alive.  The tree
 * knows no protocol: a door maps nodes to its own ids (FUSE: nodeid = node_id(); SFTP: a path
 * walk).
 *
 * All on the core thread.
 */
#ifndef SLOTH_TREE_TREE_H
#define SLOTH_TREE_TREE_H

#include "base/err.h"
#include "base/sbuf.h"

#include <stdbool.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <uv.h>

struct tree;
struct node;
struct handle;
struct lane;

enum tree_op {
	TREE_LOOKUP,   /* node=parent, name          -> ret_node (one reference for the caller) */
	TREE_GETATTR,  /* node, handle or NULL       -> attr */
	TREE_SETATTR,  /* node, handle, set, attr    -> attr */
	TREE_READLINK, /* node                       -> out */
	TREE_CREATE,   /* node=parent, name, flags, mode -> ret_node, handle */
	TREE_MKDIR,    /* node=parent, name, mode    -> ret_node */
	TREE_SYMLINK,  /* node=parent, name, target  -> ret_node */
	TREE_UNLINK,   /* node=parent, name */
	TREE_RMDIR,    /* node=parent, name */
	TREE_RENAME,   /* node=parent, name, node2=new parent, name2, flags (renameat2) */
	TREE_OPEN,     /* node, flags                -> handle */
	TREE_READ,     /* handle, off, size          -> out */
	TREE_WRITE,    /* handle, off, data, size    -> result is the count */
	TREE_FLUSH,    /* handle */
	TREE_FSYNC,    /* handle */
	TREE_OPENDIR,  /* node                       -> handle */
	TREE_READDIR, /* handle, off=cookie, entry (called for each name until it says enough; never
		       * for "." and "..") */
};

/* Who asks.  in_group is called only where the owner does not match; NULL means no other groups. */
struct tree_cred {
	uid_t uid;
	gid_t gid;
	pid_t pid;        /* as the door sees it; 0: not known */
	const char *door; /* "fuse": for `audit` only */
	bool (*in_group)(const struct tree_cred *cred, gid_t gid);
	void *arg;
};

/* What READDIR reports: type is a DT_ value; cookie is the position after the entry. */
typedef bool tree_entry_fn(
	void *arg, const char *name, uint64_t ino, unsigned char type, uint64_t cookie);

#define TREE_SET_MODE  1
#define TREE_SET_UID   2
#define TREE_SET_GID   4
#define TREE_SET_SIZE  8
#define TREE_SET_ATIME 16
#define TREE_SET_MTIME 32

struct treq {
	/* the door's, before submit */
	enum tree_op op;
	struct tree_cred cred;
	struct node *node, *node2; /* borrowed */
	const char *name, *name2;  /* borrowed; name2 is SYMLINK's target too */
	struct handle *handle;     /* borrowed; CREATE, OPEN, OPENDIR return it owned */
	int flags;                 /* open(2) or renameat2(2) flags */
	int set;                   /* TREE_SET_ bits */
	mode_t mode;
	off_t off;
	size_t size;
	const char *data; /* borrowed */
	tree_entry_fn *entry;
	void *arg;                                  /* the door's own */
	void (*done)(struct treq *req, int result); /* result: 0, count, or -errno */
	/* results */
	struct node *ret_node; /* owned reference: node_unref */
	struct stat attr;      /* of ret_node or node; also SETATTR's input */
	struct sbuf out;       /* READ, READLINK; the door releases it */
	/* the tree's */
	struct err err;
	void (*cancel)(struct treq *req, void *arg);
	void *cancel_arg;
	bool is_parked;
	struct tree *tree;
	int (*after)(struct treq *req, int code); /* turns a room's answer into the request's */
	TAILQ_ENTRY(treq) waiting;                /* held reads of a handle */
};

/* Build the tree over a table of rows (the daemon: tree_rows, tree_row_count; borrowed).  files is
 * the lane for what a backing file may make wait; it must be stopped, and sources closed, before
 * tree_free, which wants the loop to run once more.  Returns owned. */
struct row;
struct tree *tree_new(
	uv_loop_t *loop, struct lane *files, const struct row *rows, unsigned row_count);
void tree_free(struct tree *tree);

/* Modes and owners that chmod and chown gave to nodes outlive the daemon: load each one kept, then
 * say how to keep a new one (-1: not set; all -1: forget the path). */
typedef void tree_save_perm_fn(void *arg, const char *path, int mode, int64_t uid, int64_t gid);
void tree_load_perm(struct tree *tree, const char *path, int mode, int64_t uid, int64_t gid);
void tree_on_perm(struct tree *tree, tree_save_perm_fn *save, void *arg);

/* Say which struct node_room() gives to handlers of the rows declared in <room>.rows. */
void tree_set_room(struct tree *tree, const char *room, void *context);

/* The root, borrowed for the tree's life. */
struct node *tree_root(struct tree *tree);

/* Start a request.  req->done is called exactly once, perhaps before this returns. */
void tree_submit(struct tree *tree, struct treq *req);

/* The caller gave up.  The request is still answered, by done. */
void tree_cancel(struct treq *req);

/* References that keep a node valid (FUSE: the lookup count). */
struct node *node_ref(struct node *node);
void node_unref(struct node *node, uint64_t count);

/* Append the path of a node ("/hooks/a.lua"). */
void node_path(const struct node *node, struct sbuf *out);

/* Facts a door needs about a node. */
struct node *node_parent(const struct node *node); /* borrowed; NULL: the root has none */
uint64_t node_ino(const struct node *node);
bool node_is_fresh(const struct node *node);  /* never share its nodeid between lookups */
bool node_is_source(const struct node *node); /* backed by a real file: may use the page cache */
bool node_is_kept(const struct node *node); /* no parameter on its way: the name is always there */
bool node_is_told(const struct node *node); /* its row carries `notify`: inotify is promised */

/* Facts a door needs about a handle. */
bool handle_is_stream(const struct handle *h); /* no meaningful size or offset */
unsigned handle_poll(const struct handle *h);  /* POLLIN/POLLOUT now */
void handle_on_ready(struct handle *h, void (*ready)(void *arg), void *arg); /* once, next POLLIN */

/* Close a handle; never fails, never waits.  Takes: handle. */
void tree_release(struct handle *handle);

/* What changed, for caches and inotify: the door registers one listener. */
enum tree_change { TREE_CHANGED, TREE_ADDED, TREE_REMOVED };
typedef void tree_listener_fn(
	void *arg, struct node *node, enum tree_change what, const char *name);
void tree_listen(struct tree *tree, tree_listener_fn *listener, void *arg);

/* Called for each refusal a person should see: one line of `errors`. */
typedef void tree_refusal_fn(void *arg, const struct tree_cred *cred, const char *path,
	const char *op, const struct err *err);
void tree_on_refusal(struct tree *tree, tree_refusal_fn *refusal, void *arg);

/* Called for each request that changed something, or was refused and would have: one line of
 * `audit`.  Writes to rows that are `quiet` count only when they are refused. */
struct tree_change_note {
	const struct tree_cred *cred;
	const char *op, *path;
	const char *to; /* of a rename; NULL */
	int code;       /* 0 or a negative errno */
};
typedef void tree_change_fn(void *arg, const struct tree_change_note *note);
void tree_on_change(struct tree *tree, tree_change_fn *change, void *arg);

/* Requests submitted and not answered yet. */
size_t tree_outstanding(const struct tree *tree);

#endif
