/* Inside the tree: nodes, handles and kinds.  Private to fsd/tree/; rooms see room.h, doors tree.h.
 *
 * A node is a path in use.  Its row says what it is, its kind what each operation does.  Everything
 * a kind has to do is a function that takes the request, so that adding a kind is one small file.
 */
#ifndef SLOTH_TREE_NODE_H
#define SLOTH_TREE_NODE_H

#include "fsd/tree/room.h"
#include "fsd/tree/rows.h"
#include "fsd/tree/tree.h"

#include <dirent.h>
#include <sys/queue.h>
#include <uthash.h>

#define HELP_NAME ".help"

/* One operation: 0 or a count, -errno with req->err, or TREE_PARKED. */
typedef int kind_op_fn(struct treq *req);

struct kind {
	kind_op_fn *ops[TREE_READDIR + 1]; /* NULL: what tree.c answers for every kind */
	mode_t type;                       /* S_IF bits; 0: the node tells by stat */
	/* Finish a new node (its inode number, its source).  May be NULL. */
	int (*init)(struct node *node, struct err *err);
	void (*fini)(struct node *node);
	/* The node under this name is no longer the thing it was: make a new one.  May be NULL. */
	bool (*is_stale)(struct node *node);
	/* Fill what differs from the row's: size, times.  st holds node_stat's defaults. */
	int (*stat)(struct node *node, struct handle *h, struct stat *st, struct err *err);
	/* Mode and owner kept elsewhere than in the row (a backing file).  May be NULL. */
	int (*perm)(struct node *node, struct stat *st);
	/* A handle ends.  May be NULL. */
	void (*release)(struct handle *h);
	bool is_stream; /* no size, no offset: reads take what was pushed */
};

extern const struct kind kind_dir, kind_help, kind_text, kind_value, kind_ctl, kind_rpc;
extern const struct kind kind_stream, kind_log, kind_link, kind_source;

struct node {
	struct tree *tree;
	const struct row *row; /* below a source: the source's row */
	const struct kind *kind;
	struct node *parent; /* one reference; NULL: the root */
	char *name;
	void *obj; /* what row->set pinned */
	uint64_t ino;
	uint64_t refs;
	int64_t changed_ns;    /* 0: not since the daemon started */
	uint64_t content_hash; /* of the last rendering; 0: none yet */
	int64_t dear_ns;       /* a rendering that took long ended then; 0: the last one did not */
	off_t dear_size;       /* what it gave */
	struct source *source; /* kind_source: one reference */
	bool is_entry;         /* kind_source: below the source's own directory */
	bool is_kept;          /* no parameter on its way: lives as long as the tree */
	bool is_hashed;
	LIST_HEAD(handle_list, handle) handles; /* newest first */
	struct node_key *key;
	UT_hash_handle hh;
};

struct handle {
	struct node *node; /* one reference */
	int flags;
	pid_t opener;
	void *state;      /* the room's */
	struct sbuf text; /* the snapshot, or what was pushed */
	size_t taken;     /* bytes of text that were read (streams) */
	struct sbuf body; /* written and not taken yet (value, ctl) */
	bool is_dirty;    /* body holds something to act on; source: changed since opened */
	bool is_eof;      /* nothing will be pushed */
	bool is_waited;   /* rpc: a write was not answered yet */
	bool is_waking;   /* held reads are being answered */
	bool is_told;     /* audit.c: a source file that was written was told, */
	bool is_owed;     /* a value that was written was not yet */
	int fd;           /* source: the backing file, or -1 */
	DIR *dir;         /* source: the backing directory */
	struct log_reader *reader;
	TAILQ_HEAD(treq_list, treq) readers; /* held reads, oldest first */
	void (*ready)(void *arg);
	void *ready_arg;
	LIST_ENTRY(handle) link;
};

struct perm_override {
	int mode;         /* -1: the row's */
	int64_t uid, gid; /* -1: the row's */
	UT_hash_handle hh;
	char path[];
};

struct tree {
	uv_loop_t *loop;
	struct lane *files;
	const struct row *rows;
	unsigned row_count;
	void **rooms; /* context of each row's room */
	struct node *root;
	struct node *nodes;          /* hash by parent and name */
	struct perm_override *perms; /* hash by path */
	tree_save_perm_fn *save_perm;
	void *save_perm_arg;
	uid_t uid; /* who owns what the rows declare */
	gid_t gid;
	gid_t sloth_gid; /* gid when there is no group sloth */
	bool has_sloth;
	int64_t started_ns;
	size_t outstanding;
	tree_listener_fn *listener;
	void *listener_arg;
	tree_refusal_fn *refusal;
	void *refusal_arg;
	tree_change_fn *change;
	void *change_arg;
	struct watch *watch; /* inotify for all sources; NULL until the first */
};

/* ---- node.c --------------------------------------------------------------------------------- */

/* What a new node is made of. */
struct node_spec {
	struct node *parent;
	const struct row *row;
	const struct kind *kind;
	const char *name;
	void *obj;
	uint64_t ino; /* 0: from the path */
	bool is_entry;
};

/* The node in use under this name, or NULL.  Borrowed. */
struct node *node_find(struct node *parent, const char *name);
/* A lookup found it: nobody else will while it is in use, if it is fresh.  Returns a reference. */
struct node *node_claim(struct node *node);
/* A handle of it was closed: a fresh one that has none left may be found again. */
void node_rest(struct node *node);

/* Make a node; takes spec->obj, also on failure.  Returns owned: one reference. */
int node_make(const struct node_spec *spec, struct node **ret_node, struct err *err) MUST_USE;

/* Make the root, which the tree keeps. */
struct node *node_make_root(struct tree *tree);

/* Free every node nobody refers to, and the root (only tree_free). */
void node_free_all(struct tree *tree);

/* The name is gone, or means another object now: later lookups do not find this node. */
void node_detach(struct node *node);

/* The object moved to another name and keeps its identity; whoever had the name is detached. */
void node_move(struct node *node, struct node *new_parent, const char *new_name);

/* The content changed now: times, caches, listeners. */
void node_changed(struct node *node);
/* A name came or went in a directory. */
void node_entry_changed(struct node *dir, enum tree_change what, const char *name);

/* Remember what the node shows; a difference from last time moves its mtime. */
void node_saw_content(struct node *node, const struct sbuf *text);

/* Everything stat(2) tells.  h may be NULL. */
int node_stat(struct node *node, struct handle *h, struct stat *st, struct err *err) MUST_USE;

/* Inode number of a name in a directory: ino given by the row's set, or 0. */
uint64_t node_child_ino(
	const struct node *parent, const struct row *row, const char *name, uint64_t ino);

/* Spread bits over a word: inode numbers of different origin do not collide in practice. */
uint64_t node_mix(uint64_t a, uint64_t b);

/* The kind of a row's nodes. */
const struct kind *kind_of_row(const struct row *row);

/* ---- handle.c ------------------------------------------------------------------------------- */

/* Open a handle on a node and put it into req->handle.  Returns the same, owned by req. */
struct handle *handle_new(struct treq *req, struct node *node);

/* Free a handle whose open failed in the room: nothing there is to be released. */
void handle_abandon(struct handle *h);

/* The newest handle on the node that the process opened for reading, or NULL.  Borrowed. */
struct handle *handle_of_opener(const struct node *node, pid_t pid);

/* Answer a READ from text at req->off.  Returns the count. */
int handle_read_text(struct treq *req);

/* Answer a READ from what was pushed, or hold it while can_wait. */
int handle_read_pushed(struct treq *req, bool can_wait);

/* ---- audit.c -------------------------------------------------------------------------------- */

/* The request ends with this code. */
void audit_request(struct treq *req, int code);

/* ---- kind_dir.c ----------------------------------------------------------------------------- */

/* The node of the .help file of a directory, owned. */
int help_lookup(struct treq *req) MUST_USE;

/* Now, in ns since 1970. */
int64_t tree_now_ns(void);

#endif
