/* From a FUSE request to its one answer.
 *
 * A request owns copies of what it was given, because libfuse's buffer is used again for the next
 * one while this one may be parked.  The tree calls back once, perhaps before tree_submit returns;
 * only when it has not is the request listed as parked and given an interrupt function, so that the
 * common case takes no lock and no list.  Every path ends in a reply; both sides are counted.
 */
#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "fsd/doors/fuse_door.h"
#include "fsd/watchdog.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Timeouts in seconds of steady directories. */
#define DIR_ENTRY_S 3600.0
#define ATTR_S      1.0

#define GROUPS_MAX 1024

/* Groups are read from /proc only when the owner does not match and the tree asks. */
static bool
caller_in_group(const struct tree_cred *cred, gid_t gid)
{
	struct frequest *r = cred->arg;
	gid_t groups[GROUPS_MAX];
	int n = fuse_req_getgroups(r->req, GROUPS_MAX, groups);

	for (int i = 0; i < n && i < GROUPS_MAX; i++)
		if (groups[i] == gid)
			return true;
	return false;
}

struct fuse_door *
fuse_door_of(fuse_req_t req)
{
	struct fuse_door *door = fuse_req_userdata(req);

	door->requests++;
	return door;
}

struct frequest *
frequest_new(struct fuse_door *door, fuse_req_t req, enum tree_op op, fuse_ino_t ino)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct frequest *r = NEW(struct frequest);

	r->door = door;
	r->req = req;
	r->t.op = op;
	r->t.node = fnode_of(door, ino)->node;
	r->t.cred = (struct tree_cred){.uid = ctx->uid,
		.gid = ctx->gid,
		.pid = ctx->pid,
		.door = "fuse",
		.in_group = caller_in_group,
		.arg = r};
	if (!r->t.node) { /* a ghost: gone already */
		freply_err(door, req, ENOENT);
		free(r);
		return NULL;
	}
	return r;
}

void
frequest_drop(struct frequest *r)
{
	sbuf_fini(&r->t.out);
	sbuf_fini(&r->entries);
	free(r->name);
	free(r->name2);
	free(r->data);
	free(r);
}

/* A copy of a name, or NULL: then the request is answered and gone. */
static char *
copy_name(struct frequest *r, const char *name)
{
	if (strlen(name) <= NAME_MAX)
		return mem_strdup(name);
	freply_err(r->door, r->req, ENAMETOOLONG);
	frequest_drop(r);
	return NULL;
}

bool
frequest_name(struct frequest *r, const char *name)
{
	char *copy = copy_name(r, name);

	if (!copy)
		return false;
	r->t.name = r->name = copy;
	return true;
}

bool
frequest_name2(struct frequest *r, const char *name)
{
	char *copy = copy_name(r, name);

	if (!copy)
		return false;
	r->t.name2 = r->name2 = copy;
	return true;
}

void
freply_err(struct fuse_door *door, fuse_req_t req, int code)
{
	door->replies++;
	(void)fuse_reply_err(req, code); /* fails when the caller is gone: nothing to undo */
}

/* ---- submit and done ------------------------------------------------------------------------ */

static void
on_done(struct treq *t, int result)
{
	struct frequest *r = (struct frequest *)t;
	struct fuse_door *door = r->door;

	if (result == -EINTR && r->is_cancelled)
		result = -ESHUTDOWN; /* nobody interrupted it: the master stops */
	if (result < 0)
		freply_err(door, r->req, -result);
	else
		r->answer(r, result);
	r->is_finished = true;
	if (r->is_starting)
		return; /* frequest_submit frees it */
	LIST_REMOVE(r, link);
	frequest_drop(r);
	if (LIST_EMPTY(&door->parked))
		fuse_door_none_parked(door);
}

/* Let the tree do it, and blame it when that took too long. */
static void
submit_watched(struct frequest *r)
{
	static const char *const names[] = {
		[TREE_LOOKUP] = "lookup",
		[TREE_GETATTR] = "getattr",
		[TREE_SETATTR] = "setattr",
		[TREE_READLINK] = "readlink",
		[TREE_CREATE] = "create",
		[TREE_MKDIR] = "mkdir",
		[TREE_SYMLINK] = "symlink",
		[TREE_UNLINK] = "unlink",
		[TREE_RMDIR] = "rmdir",
		[TREE_RENAME] = "rename",
		[TREE_OPEN] = "open",
		[TREE_READ] = "read",
		[TREE_WRITE] = "write",
		[TREE_FLUSH] = "flush",
		[TREE_FSYNC] = "fsync",
		[TREE_OPENDIR] = "opendir",
		[TREE_READDIR] = "readdir",
	};
	struct node *node = r->t.node; /* the kernel holds it during its request */
	struct watchdog *watchdog = r->door->opt.watchdog;
	int64_t begun = clock_mono_ns(), ns;
	enum tree_op op = r->t.op;

	tree_submit(r->door->opt.tree, &r->t);
	ns = clock_mono_ns() - begun;
	if (ns > WATCHDOG_LIMIT_NS && watchdog) {
		AUTO(sbuf) struct sbuf path = {0};

		node_path(node, &path);
		watchdog_slow(watchdog, ns, names[op], sbuf_str(&path));
	}
}

/* libfuse calls this on the core thread, from the INTERRUPT that comes in. */
static void
on_interrupt(fuse_req_t req, void *arg)
{
	struct frequest *r = arg;

	(void)req;
	tree_cancel(&r->t);
}

void
frequest_submit(struct frequest *r, void (*answer)(struct frequest *r, int result))
{
	struct fuse_door *door = r->door;

	r->answer = answer;
	r->t.done = on_done;
	r->is_starting = true;
	submit_watched(r);
	r->is_starting = false;
	if (r->is_finished) {
		frequest_drop(r);
		return;
	}
	LIST_INSERT_HEAD(&door->parked, r, link);
	/* fuse_req_interrupt_func would call us at once when interrupted already, and then use the
	 * request that our answer has freed */
	r->is_cancelled = door->is_closing;
	if (door->is_closing || fuse_req_interrupted(r->req))
		tree_cancel(&r->t);
	else
		fuse_req_interrupt_func(r->req, on_interrupt, r);
}

/* One that was not asked yet to end, or NULL. */
static struct frequest *
first_uncancelled(struct fuse_door *door)
{
	struct frequest *r;

	LIST_FOREACH (r, &door->parked, link)
		if (!r->is_cancelled)
			return r;
	return NULL;
}

/* Cancelling one may end others too, so the walk always starts over. */
void
frequest_cancel_all(struct fuse_door *door)
{
	struct frequest *r;

	while ((r = first_uncancelled(door))) {
		r->is_cancelled = true;
		tree_cancel(&r->t);
	}
}

/* ---- shared answers ------------------------------------------------------------------------- */

void
answer_done(struct frequest *r, int result)
{
	(void)result;
	freply_err(r->door, r->req, 0);
}

/* Directories that are always there are not looked up again, and keep their attributes for a
 * moment, which spares two requests for each step of a path; what changes them tells the kernel
 * (fuse_notify.c).  All else is asked for each time. */
static bool
is_steady(struct node *node, const struct stat *st)
{
	return S_ISDIR(st->st_mode) && node_is_kept(node);
}

static double
attr_timeout(struct node *node, const struct stat *st)
{
	bool is_new = node_is_fresh(node); /* each open looks it up, with its attributes */

	return is_new || (is_steady(node, st) && !node_is_source(node)) ? ATTR_S : 0;
}

void
answer_attr(struct frequest *r, int result)
{
	(void)result;
	r->door->replies++;
	(void)fuse_reply_attr(r->req, &r->t.attr, attr_timeout(r->t.node, &r->t.attr));
}

void
fentry_fill(struct fuse_door *door, struct treq *t, struct fuse_entry_param *ret_entry)
{
	struct node *node = t->ret_node;

	*ret_entry = (struct fuse_entry_param){
		.ino = fnode_id(door, fnode_learn(door, node)),
		.attr = t->attr,
		.attr_timeout = attr_timeout(node, &t->attr),
		.entry_timeout = is_steady(node, &t->attr) ? DIR_ENTRY_S : 0,
	};
	t->ret_node = NULL; /* the kernel's now */
}

void
answer_entry(struct frequest *r, int result)
{
	struct fuse_entry_param entry;

	(void)result;
	fentry_fill(r->door, &r->t, &entry);
	r->door->replies++;
	if (fuse_reply_entry(r->req, &entry) < 0) /* the kernel never saw it */
		fnode_forget(r->door, fnode_of(r->door, entry.ino), 1);
}
