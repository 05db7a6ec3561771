/* Talking back to the kernel, which no request handler may do: a notification waits for locks that
 * the request being handled may hold.  Two lanes with bounded queues do it.  `notify` says
 *
 *	that what is cached of an inode is old: its attributes only, whose change makes the kernel
 *	drop the pages when they are read next; dropping them here would wait for readers
 *	that a polled file became readable
 *	that a name need not be remembered: one made by `through`, which nobody asked for, or
 *	the oldest of too many (fuse_nodes.c)
 *
 * and `through` makes the calls that inotify's watchers expect, because FUSE has no message for it:
 * for rows with `notify` it sets the mtime, makes the directory, removes the name.  The kernel asks
 * us as for any caller; the door knows the thread by its id and answers without doing anything
 * (fnotify_answers).
 *
 * Such a call cannot be interrupted once we have read it, not even by SIGKILL: only closing the
 * session's descriptor ends it.  A thread that waits there and shares our descriptors would keep it
 * open itself, and a killed master would stay for ever, with its locks and everybody who uses the
 * mount.  So this lane is apart (lane.h), and started before the session.
 *
 * A node is told at most ten times a second (fuse_late.c).  Only nodes the kernel knows are told
 *of.  Nobody waits for `through` before the descriptor is closed, so stopping cannot deadlock.
 */
#include "base/auto.h"
#include "base/mem.h"
#include "fsd/doors/fuse_door.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TELLS_MAX 1024 /* queued; more are dropped, but for polls (one an open file) */

enum tell_kind {
	TELL_HELLO,
	TELL_POLL,
	TELL_INODE,
	TELL_FORGET,
	TELL_TOUCH,
	TELL_ADD,
	TELL_REMOVE
};

struct tell {
	struct lane_job job; /* first */
	struct fuse_door *door;
	enum tell_kind kind;
	fuse_ino_t ino;             /* INODE: which; FORGET, ADD, REMOVE: the directory */
	struct fuse_pollhandle *ph; /* POLL; owned */
	char *path;       /* FORGET and the next ones: below the mount, no leading slash */
	const char *name; /* FORGET, ADD, REMOVE: the end of path */
	bool is_file;     /* ADD, REMOVE */
	pid_t tid;        /* HELLO's results */
	dev_t dev;
	STAILQ_ENTRY(tell) link;
};

/* ---- on the thread -------------------------------------------------------------------------- */

/* The top of the mount, or -1 when something else stands there now. */
static int
open_top(const struct tell *tell)
{
	int fd = open(tell->door->mount, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) < 0 || st.st_dev != tell->dev)) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* Results do not matter: a name that is gone by now has no watchers to tell. */
static void
act_through_mount(const struct tell *tell)
{
	static const struct timespec only_mtime[] = {
		{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_NOW}};
	int top = open_top(tell);

	if (top < 0)
		return;
	if (tell->kind == TELL_TOUCH)
		(void)utimensat(
			top, *tell->path ? tell->path : ".", only_mtime, AT_SYMLINK_NOFOLLOW);
	else if (tell->kind == TELL_REMOVE)
		(void)unlinkat(top, tell->path, tell->is_file ? 0 : AT_REMOVEDIR);
	else if (tell->is_file)
		(void)mknodat(top, tell->path, S_IFREG | 0600, 0);
	else
		(void)mkdirat(top, tell->path, 0700);
	(void)close(top);
}

static void
say_hello(struct tell *tell)
{
	struct stat st;

	tell->tid = gettid();
	if (stat(tell->door->mount, &st) == 0)
		tell->dev = st.st_dev;
}

static void
tell_run(struct lane_job *job)
{
	struct tell *tell = (struct tell *)job;

	switch (tell->kind) {
	case TELL_HELLO:
		say_hello(tell);
		return;
	case TELL_POLL:
		(void)fuse_lowlevel_notify_poll(tell->ph); /* the file may be closed by now */
		return;
	case TELL_INODE:
		(void)fuse_lowlevel_notify_inval_inode(tell->door->session, tell->ino, -1, 0);
		return;
	case TELL_FORGET:
		(void)fuse_lowlevel_notify_inval_entry(
			tell->door->session, tell->ino, tell->name, strlen(tell->name));
		return;
	case TELL_TOUCH:
	case TELL_ADD:
	case TELL_REMOVE:
		act_through_mount(tell);
		return;
	}
}

/* ---- on the core ---------------------------------------------------------------------------- */

static void tell_forget(struct tell *added);

static void
tell_done(struct lane_job *job)
{
	struct tell *tell = (struct tell *)job;
	struct fuse_door *door = tell->door;

	STAILQ_REMOVE(&door->telling, tell, tell, link);
	if (tell->kind == TELL_ADD && !door->is_closing)
		tell_forget(tell);
	if (tell->kind == TELL_HELLO) {
		door->through_tid = tell->tid;
		door->dev = tell->dev;
	}
	if (tell->ph)
		fuse_pollhandle_destroy(tell->ph);
	free(tell->path);
	free(tell);
}

static struct lane *
lane_of(const struct fuse_door *door, enum tell_kind kind)
{
	return kind < TELL_TOUCH && kind != TELL_HELLO ? door->lane : door->through;
}

static struct tell *
tell_new(struct fuse_door *door, enum tell_kind kind)
{
	struct tell *tell;

	if (lane_depth(lane_of(door, kind)) >= TELLS_MAX && kind != TELL_POLL) {
		door->untold++;
		return NULL;
	}
	tell = NEW(struct tell);
	tell->job = (struct lane_job){.run = tell_run, .done = tell_done};
	tell->door = door;
	tell->kind = kind;
	tell->dev = door->dev;
	return tell;
}

static void
tell_submit(struct tell *tell)
{
	struct fuse_door *door = tell->door;

	STAILQ_INSERT_TAIL(&door->telling, tell, link);
	door->told++;
	lane_submit(lane_of(door, tell->kind), &tell->job);
}

/* Takes: the path. */
static void
tell_forget(struct tell *added)
{
	struct tell *tell = tell_new(added->door, TELL_FORGET);

	if (!tell)
		return;
	tell->ino = added->ino;
	tell->path = TAKE(added->path);
	tell->name = added->name;
	tell_submit(tell);
}

void
fnotify_poll(struct fuse_door *door, struct fuse_pollhandle *ph)
{
	struct tell *tell = tell_new(door, TELL_POLL);

	tell->ph = ph;
	tell_submit(tell);
}

/* The path below the mount, without a leading slash.  Returns owned. */
static char *
path_below(struct node *node, const char *name)
{
	struct sbuf path = {0};
	char *whole;

	node_path(node, &path);
	if (name)
		sbuf_printf(&path, "%s%s", path.len > 1 ? "/" : "", name);
	whole = sbuf_take(&path);
	memmove(whole, whole + 1, strlen(whole));
	return whole;
}

static void
tell_inode(struct fuse_door *door, struct fnode *fn)
{
	struct tell *tell = tell_new(door, TELL_INODE);

	if (!tell)
		return;
	tell->ino = fnode_id(door, fn);
	tell_submit(tell);
}

bool
fnotify_forget(struct fuse_door *door, struct fnode *fn)
{
	struct fnode *dir = fnode_find(door, node_parent(fn->node));
	const char *slash;
	struct tell *tell;

	if (!dir)
		return true; /* it has no name the kernel could know */
	tell = tell_new(door, TELL_FORGET);
	if (!tell)
		return false;
	tell->ino = fnode_id(door, dir);
	tell->path = path_below(fn->node, NULL);
	slash = strrchr(tell->path, '/');
	tell->name = slash ? slash + 1 : tell->path;
	tell_submit(tell);
	return true;
}

static void
tell_watchers(struct fuse_door *door, struct fnode *fn, enum tree_change what, const char *name)
{
	static const enum tell_kind kinds[] = {
		[TREE_CHANGED] = TELL_TOUCH, [TREE_ADDED] = TELL_ADD, [TREE_REMOVED] = TELL_REMOVE};
	struct tell *tell = tell_new(door, kinds[what]);

	if (!tell)
		return;
	tell->ino = fnode_id(door, fn);
	tell->path = path_below(fn->node, name);
	tell->is_file = node_is_source(fn->node);
	if (name)
		tell->name = tell->path + strlen(tell->path) - strlen(name);
	tell_submit(tell);
}

/* The kernel keeps the attributes of directories that are always there: these may be old for a
 * moment. */
static bool
has_kept_attributes(const struct node *node)
{
	return node_is_kept(node) && !node_is_source(node);
}

static bool
has_watchers(const struct fuse_door *door, const struct node *node)
{
	return door->through_tid && node_is_told(node);
}

void
fnotify_change(struct fuse_door *door, struct fnode *fn, enum tree_change what, const char *name)
{
	if (has_kept_attributes(fn->node))
		tell_inode(door, fn);
	if (has_watchers(door, fn->node))
		tell_watchers(door, fn, what, name);
}

static void
on_change(void *arg, struct node *node, enum tree_change what, const char *name)
{
	struct fuse_door *door = arg;
	struct fnode *fn = fnode_find(door, node);

	if (!fn || door->is_changing || door->is_closing)
		return;
	if (node_is_source(node))
		tell_inode(door, fn); /* its pages must not be old */
	if (has_watchers(door, node))
		flate_tell(door, fn, what, name);
	else if (has_kept_attributes(node))
		flate_tell(door, fn, TREE_CHANGED, NULL); /* its names concern nobody */
}

/* ---- answering the thread's own requests ---------------------------------------------------- */

/* What the thread may be doing with this name in this directory, or NULL. */
static const struct tell *
find_tell(const struct fuse_door *door, fuse_ino_t dir, const char *name)
{
	const struct tell *tell;

	STAILQ_FOREACH (tell, &door->telling, link)
		if (tell->kind != TELL_FORGET && tell->ino == dir && tell->name &&
			strcmp(tell->name, name) == 0)
			return tell;
	return NULL;
}

static void
answer_ghost(struct fuse_door *door, fuse_req_t req, bool is_file)
{
	struct fnode *fn = fnode_ghost(door);
	struct fuse_entry_param entry = {
		.ino = fnode_id(door, fn),
		.attr = {.st_ino = (ino_t)(uintptr_t)fn,
			.st_mode = is_file ? S_IFREG | 0600 : S_IFDIR | 0700,
			.st_uid = geteuid(),
			.st_gid = getegid(),
			.st_nlink = 1},
	};

	door->replies++;
	if (fuse_reply_entry(req, &entry) < 0)
		fnode_forget(door, fn, 1);
}

/* Answer with the node that is there, whatever was asked. */
static void
answer_as_is(struct fuse_door *door, fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct frequest *r = frequest_new(door, req, name ? TREE_LOOKUP : TREE_GETATTR, ino);

	if (r && (!name || frequest_name(r, name)))
		frequest_submit(r, name ? answer_entry : answer_attr);
}

/* A name that "is added" is there already, one that "is removed" is not: until the thread has made
 * its call, the kernel must believe the opposite. */
static void
answer_named(struct fuse_door *door, fuse_req_t req, enum tree_op op, const struct tell *tell)
{
	bool is_lookup = op == TREE_LOOKUP;

	if (tell->kind == TELL_REMOVE) {
		if (is_lookup)
			answer_ghost(door, req, tell->is_file);
		else
			freply_err(door, req, 0);
	} else {
		if (is_lookup)
			freply_err(door, req, ENOENT);
		else
			answer_as_is(door, req, tell->ino, tell->name);
	}
}

bool
fnotify_answers(
	struct fuse_door *door, fuse_req_t req, enum tree_op op, fuse_ino_t ino, const char *name)
{
	const struct tell *tell;

	if (!door->through_tid || fuse_req_ctx(req)->pid != door->through_tid)
		return false;
	if (op == TREE_SETATTR) {
		answer_as_is(door, req, ino, NULL);
		return true;
	}
	tell = name ? find_tell(door, ino, name) : NULL;
	if (tell)
		answer_named(door, req, op, tell);
	return tell != NULL;
}

/* ---- life ----------------------------------------------------------------------------------- */

void
fnotify_start(struct fuse_door *door)
{
	STAILQ_INIT(&door->telling);
	LIST_INIT(&door->late);
	door->lane = lane_start(door->opt.loop, "notify", NULL, NULL);
	door->through = door->opt.through;
	tree_listen(door->opt.tree, on_change, door);
}

void
fnotify_ready(struct fuse_door *door)
{
	struct tell *tell = door->through ? tell_new(door, TELL_HELLO) : NULL;

	if (tell)
		tell_submit(tell);
}

void
fnotify_stop(struct fuse_door *door)
{
	tree_listen(door->opt.tree, NULL, NULL);
	lane_stop(TAKE(door->lane));
	lane_stop(TAKE(door->through));
}
