/* One function per FUSE operation: each fills a request for the tree and says how its result is
 * answered.  What is not here is answered ENOSYS by libfuse once and never asked again: extended
 * attributes, access (default_permissions), locks (the kernel keeps them itself).
 *
 * Here are the table, names and attributes; open files are in fuse_handles.c.  Rules that live
 * here: names over 255 bytes are refused; statfs touches nothing that could be slow; requests of
 * our own thread there are answered by fuse_notify.c.
 */
#include "base/mem.h"
#include "fsd/doors/fuse_door.h"

#include <limits.h>
#include <linux/fuse.h>
#include <sys/statvfs.h>
#include <time.h>

#define WRITE_MAX (128 * 1024)

static void
set_want(struct fuse_conn_info *conn, unsigned cap, bool is_wanted)
{
	conn->want = is_wanted ? conn->want | (conn->capable & cap) : conn->want & ~cap;
}

static void
op_init(void *userdata, struct fuse_conn_info *conn)
{
	struct fuse_door *door = userdata;

	conn->max_write = WRITE_MAX;
	set_want(conn,
		FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_ASYNC_READ |
			FUSE_CAP_AUTO_INVAL_DATA,
		true);
	set_want(conn,
		FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO |
			FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE |
			FUSE_CAP_HANDLE_KILLPRIV | FUSE_CAP_ASYNC_DIO,
		false);
	if (conn->want & FUSE_CAP_PARALLEL_DIROPS)
		door->init_flags = FUSE_PARALLEL_DIROPS;
	door->got_init = true;
}

/* ---- names ---------------------------------------------------------------------------------- */

/* A request on a name in a directory; NULL when it is answered already. */
static struct frequest *
named(struct fuse_door *door, fuse_req_t req, enum tree_op op, fuse_ino_t parent, const char *name)
{
	struct frequest *r;

	if (fnotify_answers(door, req, op, parent, name))
		return NULL;
	r = frequest_new(door, req, op, parent);
	return r && frequest_name(r, name) ? r : NULL;
}

/* For what the kernel tells inotify about itself. */
static void
submit_change(struct frequest *r, void (*answer)(struct frequest *r, int result))
{
	struct fuse_door *door = r->door;

	door->is_changing = true;
	frequest_submit(r, answer);
	door->is_changing = false;
}

static void
op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct frequest *r = named(fuse_door_of(req), req, TREE_LOOKUP, parent, name);

	if (r)
		frequest_submit(r, answer_entry);
}

static void
op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
	struct fuse_door *door = fuse_req_userdata(req);

	fnode_forget(door, fnode_of(door, ino), count);
	fuse_reply_none(req);
}

static void
op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	struct fuse_door *door = fuse_req_userdata(req);

	for (size_t i = 0; i < count; i++)
		fnode_forget(door, fnode_of(door, forgets[i].ino), forgets[i].nlookup);
	fuse_reply_none(req);
}

static void
op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct frequest *r = named(fuse_door_of(req), req, TREE_MKDIR, parent, name);

	if (!r)
		return;
	r->t.mode = mode;
	submit_change(r, answer_entry);
}

static void
op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	struct frequest *r = named(fuse_door_of(req), req, TREE_SYMLINK, parent, name);

	if (!r)
		return;
	r->name2 = mem_strdup(target);
	r->t.name2 = r->name2;
	submit_change(r, answer_entry);
}

static void
op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct frequest *r = named(fuse_door_of(req), req, TREE_UNLINK, parent, name);

	if (r)
		submit_change(r, answer_done);
}

static void
op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct frequest *r = named(fuse_door_of(req), req, TREE_RMDIR, parent, name);

	if (r)
		submit_change(r, answer_done);
}

static void
op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
	const char *new_name, unsigned flags)
{
	struct fuse_door *door = fuse_door_of(req);
	struct frequest *r = named(door, req, TREE_RENAME, parent, name);

	if (!r)
		return;
	if (!frequest_name2(r, new_name))
		return;
	r->t.node2 = fnode_of(door, new_parent)->node;
	r->t.flags = (int)flags;
	submit_change(r, answer_done);
}

static void
op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent, const char *new_name)
{
	(void)ino, (void)new_parent, (void)new_name;
	freply_err(fuse_door_of(req), req, EPERM); /* tools then rename or copy */
}

static void
op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t dev)
{
	struct fuse_door *door = fuse_door_of(req);

	(void)mode, (void)dev;
	if (!fnotify_answers(door, req, TREE_CREATE, parent, name))
		freply_err(door, req, EPERM);
}

static void
answer_link(struct frequest *r, int result)
{
	(void)result;
	r->door->replies++;
	(void)fuse_reply_readlink(r->req, sbuf_str(&r->t.out));
}

static void
op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct frequest *r = frequest_new(fuse_door_of(req), req, TREE_READLINK, ino);

	if (r)
		frequest_submit(r, answer_link);
}

/* ---- attributes ----------------------------------------------------------------------------- */

static void
op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct frequest *r = frequest_new(fuse_door_of(req), req, TREE_GETATTR, ino);

	if (!r)
		return;
	r->t.handle = fi ? fhandle_of(fi)->handle : NULL;
	frequest_submit(r, answer_attr);
}

static int
set_bits(int to_set)
{
	static const struct {
		int fuse, tree;
	} bits[] = {
		{FUSE_SET_ATTR_MODE, TREE_SET_MODE},
		{FUSE_SET_ATTR_UID, TREE_SET_UID},
		{FUSE_SET_ATTR_GID, TREE_SET_GID},
		{FUSE_SET_ATTR_SIZE, TREE_SET_SIZE},
		{FUSE_SET_ATTR_ATIME, TREE_SET_ATIME},
		{FUSE_SET_ATTR_ATIME_NOW, TREE_SET_ATIME},
		{FUSE_SET_ATTR_MTIME, TREE_SET_MTIME},
		{FUSE_SET_ATTR_MTIME_NOW, TREE_SET_MTIME},
	};
	int set = 0;

	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if (to_set & bits[i].fuse)
			set |= bits[i].tree;
	return set;
}

static void
op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
	struct fuse_door *door = fuse_door_of(req);
	struct frequest *r;

	if (fnotify_answers(door, req, TREE_SETATTR, ino, NULL))
		return;
	r = frequest_new(door, req, TREE_SETATTR, ino);
	if (!r)
		return;
	r->t.handle = fi ? fhandle_of(fi)->handle : NULL;
	r->t.set = set_bits(to_set);
	r->t.attr = *attr;
	if (to_set & FUSE_SET_ATTR_ATIME_NOW)
		(void)clock_gettime(CLOCK_REALTIME, &r->t.attr.st_atim);
	if (to_set & FUSE_SET_ATTR_MTIME_NOW)
		(void)clock_gettime(CLOCK_REALTIME, &r->t.attr.st_mtim);
	submit_change(r, answer_attr);
}

static void
answer_create(struct frequest *r, int result)
{
	struct fhandle *fh = fhandle_new(r, r->t.ret_node);
	struct fuse_entry_param entry;

	(void)result;
	fentry_fill(r->door, &r->t, &entry);
	r->door->replies++;
	if (fuse_reply_create(r->req, &entry, &r->fi) < 0) {
		fhandle_free(fh);
		fnode_forget(r->door, fnode_of(r->door, entry.ino), 1);
	}
}

static void
op_create(
	fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	struct frequest *r = named(fuse_door_of(req), req, TREE_CREATE, parent, name);

	if (!r)
		return;
	r->fi = *fi;
	r->t.flags = fi->flags;
	r->t.mode = mode;
	submit_change(r, answer_create);
}

/* ---- the rest ------------------------------------------------------------------------------- */

/* Answered from nothing, so that df, sync and backups never wait for us. */
static void
op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	static const struct statvfs figures = {
		.f_bsize = 4096, .f_frsize = 4096, .f_namemax = NAME_MAX};

	(void)ino;
	fuse_door_of(req)->replies++;
	(void)fuse_reply_statfs(req, &figures);
}

const struct fuse_lowlevel_ops fuse_door_ops = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.readlink = op_readlink,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.unlink = op_unlink,
	.rmdir = op_rmdir,
	.symlink = op_symlink,
	.rename = op_rename,
	.link = op_link,
	.open = fop_open,
	.read = fop_read,
	.write = fop_write,
	.flush = fop_flush,
	.release = fop_release,
	.fsync = fop_fsync,
	.opendir = fop_opendir,
	.readdir = fop_readdir,
	.releasedir = fop_release,
	.fsyncdir = fop_fsyncdir,
	.statfs = op_statfs,
	.create = op_create,
	.poll = fop_poll,
};
