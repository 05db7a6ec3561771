/* Inside the FUSE door.  fuse.c: the session's life; fuse_ops.c, fuse_handles.c: one function per
 * FUSE operation; fuse_request.c: from a request to its one answer; fuse_nodes.c: what the kernel
 * knows; fuse_notify.c: talking back; fuse_late.c: what inotify is told later.
 */
#ifndef SLOTH_DOORS_FUSE_DOOR_H
#define SLOTH_DOORS_FUSE_DOOR_H

#include "fsd/doors/fuse.h"
#include "fsd/lane.h"
#include "fsd/tree/tree.h"

#include <fuse_lowlevel.h>
#include <sys/queue.h>
#include <uthash.h>

/* A node the kernel knows; its address is the nodeid. */
struct fnode {
	struct node *node; /* `lookups` references; NULL: a ghost (fuse_notify.c) */
	uint64_t lookups;
	int64_t told_ns;   /* when inotify was last told of it */
	struct late *late; /* what it will be told of; owned, mostly NULL */
	bool is_aging;     /* in door->ages */
	TAILQ_ENTRY(fnode) age;
	UT_hash_handle hh;
};
TAILQ_HEAD(fnode_ages, fnode);

/* An open file. */
struct fhandle {
	struct fuse_door *door;
	struct handle *handle;
	struct fuse_pollhandle *poll; /* whom to wake; owned */
	LIST_ENTRY(fhandle) link;
};

/* A request on its way. */
struct frequest {
	struct treq t; /* first */
	struct fuse_door *door;
	fuse_req_t req;
	void (*answer)(struct frequest *r, int result); /* for result >= 0 */
	struct fuse_file_info fi;
	char *name, *name2, *data; /* copies of what t borrows */
	struct sbuf entries;       /* READDIR */
	bool is_starting;          /* inside tree_submit */
	bool is_finished, is_cancelled;
	LIST_ENTRY(frequest) link; /* while parked */
};

struct tell;
STAILQ_HEAD(tells, tell);

struct fuse_door {
	struct fuse_options opt;
	char *mount; /* NULL: attached */
	struct fuse_session *session;
	uv_poll_t poll;
	uv_timer_t deadline;   /* of closing */
	uv_timer_t late_timer; /* for late */
	unsigned uv_handles;   /* of the three above, not closed yet */
	struct fuse_buf buf;
	bool got_init, is_init_mended, is_ready, is_closing, is_unmounted;
	uint32_t init_flags; /* for libfuse to add to its answer to INIT */
	void (*closed)(void *arg);
	void *closed_arg;

	struct fnode root;
	struct fnode *nodes;    /* by node */
	struct fnode_ages ages; /* those with a parameter on their way, the last looked up last */
	size_t aging;
	LIST_HEAD(, frequest) parked;
	LIST_HEAD(, fhandle) handles;
	uint64_t requests, replies;

	struct lane *lane;    /* the notify thread */
	struct lane *through; /* the thread that makes calls through the mount */
	pid_t through_tid;    /* 0: not known yet */
	dev_t dev;            /* of the mount, known with through_tid */
	struct tells telling; /* submitted and not done, in order */
	LIST_HEAD(, late) late;
	uint64_t told, untold;
	bool is_changing; /* inside a request that the kernel itself tells inotify about */
};

/* ---- fuse_nodes.c --------------------------------------------------------------------------- */

/* The root node is there from the start; fini drops every reference the kernel still had. */
void fnodes_init(struct fuse_door *door);
void fnodes_fini(struct fuse_door *door);

/* The node a nodeid of ours means, and back. */
static inline struct fnode *
fnode_of(struct fuse_door *door, fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? &door->root : (struct fnode *)(uintptr_t)ino;
}
fuse_ino_t fnode_id(struct fuse_door *door, const struct fnode *fn);

/* The kernel learns of node once more.  Takes: one reference. */
struct fnode *fnode_learn(struct fuse_door *door, struct node *node);
/* A node that exists only for the kernel's eyes. */
struct fnode *fnode_ghost(struct fuse_door *door);
void fnode_forget(struct fuse_door *door, struct fnode *fn, uint64_t count);
/* NULL: the kernel does not know it. */
struct fnode *fnode_find(struct fuse_door *door, struct node *node);

/* ---- fuse_request.c ------------------------------------------------------------------------- */

/* The door of a request that came, which is counted.  Borrowed. */
struct fuse_door *fuse_door_of(fuse_req_t req);
/* A request on the node; node ids and caller are filled in. */
struct frequest *frequest_new(
	struct fuse_door *door, fuse_req_t req, enum tree_op op, fuse_ino_t ino);
/* Give it a copy of a name; answers ENAMETOOLONG and frees it when too long. */
bool frequest_name(struct frequest *r, const char *name);
bool frequest_name2(struct frequest *r, const char *name);
/* Hand it to the tree; answer() or the error follows, now or later.  Takes: r. */
void frequest_submit(struct frequest *r, void (*answer)(struct frequest *r, int result));
/* Free one that was answered without the tree. */
void frequest_drop(struct frequest *r);
/* Make every parked one end that can. */
void frequest_cancel_all(struct fuse_door *door);
/* Count and send the one reply of a request. */
void freply_err(struct fuse_door *door, fuse_req_t req, int code);

/* Tell the kernel of t->ret_node; it takes the reference. */
void fentry_fill(struct fuse_door *door, struct treq *t, struct fuse_entry_param *ret_entry);

/* Answers that several operations share. */
void answer_done(struct frequest *r, int result);
void answer_entry(struct frequest *r, int result);
void answer_attr(struct frequest *r, int result);

/* ---- fuse.c --------------------------------------------------------------------------------- */

/* The last parked request was answered. */
void fuse_door_none_parked(struct fuse_door *door);

/* ---- fuse_handles.c ------------------------------------------------------------------------- */

/* The handle the kernel means.  Borrowed. */
struct fhandle *fhandle_of(const struct fuse_file_info *fi);
/* The kernel's view of a new handle, set in r->fi; the door's until fhandle_free.  Takes:
 * r->t.handle. */
struct fhandle *fhandle_new(struct frequest *r, struct node *node);
/* Close what the kernel released, or never got. */
void fhandle_free(struct fhandle *fh);

/* As struct fuse_lowlevel_ops has them.  Each answers its request, now or later. */
void fop_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fop_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fop_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void fop_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
	struct fuse_file_info *fi);
void fop_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fop_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void fop_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void fop_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fop_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void fop_poll(
	fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct fuse_pollhandle *ph);

/* ---- fuse_ops.c ----------------------------------------------------------------------------- */

extern const struct fuse_lowlevel_ops fuse_door_ops;

/* ---- fuse_notify.c -------------------------------------------------------------------------- */

/* Start the thread, which is a lane of its own. */
void fnotify_start(struct fuse_door *door);
/* Learn the thread's id and the mount's device, once the mount answers. */
void fnotify_ready(struct fuse_door *door);
/* The session's descriptor must be closed: then nothing the thread does can hang. */
void fnotify_stop(struct fuse_door *door);
/* Readable now: wake who polls.  Takes: ph. */
void fnotify_poll(struct fuse_door *door, struct fuse_pollhandle *ph);
/* The kernel need not remember the node's name any longer.  Returns false: not now. */
bool fnotify_forget(struct fuse_door *door, struct fnode *fn);
/* Tell the kernel, and inotify through the mount: the node changed, or a name came or went in it.
 */
void fnotify_change(
	struct fuse_door *door, struct fnode *fn, enum tree_change what, const char *name);
/* Answer a request that our own thread makes through the mount; false: not one of those, or one
 * that the tree answers.  ino is the directory when there is a name. */
bool fnotify_answers(
	struct fuse_door *door, fuse_req_t req, enum tree_op op, fuse_ino_t ino, const char *name);

/* ---- fuse_late.c ---------------------------------------------------------------------------- */

/* Tell of a change now, or when the node may be told of again. */
void flate_tell(struct fuse_door *door, struct fnode *fn, enum tree_change what, const char *name);
/* Before a node is forgotten. */
void flate_forget(struct fnode *fn);

#endif
