/* One function per FUSE operation: each fills a request for the tree and says how its result is
 * answered.  What is not here is answered ENOSYS by libfuse once and never asked again: extended
 * attributes, access (default_permissions), locks (the kernel keeps them itself).
 *
 * Rules that live here: names over 255 bytes are refused; only source files use the page cache, all
 * else is direct_io with its exact size; streams cannot seek and honour O_NONBLOCK; statfs touches
 * nothing that could be slow; requests of our own thread there are answered by fuse_notify.c.
 */
#include "base/auto.h"
#include "base/mem.h"
#include "fsd/doors/fuse_door.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#define WRITE_MAX (128 * 1024)

/* Where the reading goes on after "." and "..", which the tree does not list.  Its own cookies may
 * be any number from 0 to INT64_MAX, as those of a real directory are. */
#define AFTER_DOT     (INT64_MIN + 1)
#define AFTER_DOT_DOT (INT64_MIN + 2)

static struct fuse_door *
door_of(fuse_req_t req)
{
	struct fuse_door *door = fuse_req_userdata(req);

	door->requests++;
	return door;
}

static struct fhandle *
fhandle_of(const struct fuse_file_info *fi)
{
	return (struct fhandle *)(uintptr_t)fi->fh;
}

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
	struct frequest *r = named(door_of(req), req, TREE_LOOKUP, parent, name);

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
	struct frequest *r = named(door_of(req), req, TREE_MKDIR, parent, name);

	if (!r)
		return;
	r->t.mode = mode;
	submit_change(r, answer_entry);
}

static void
op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	struct frequest *r = named(door_of(req), req, TREE_SYMLINK, parent, name);

	if (!r)
		return;
	r->name2 = mem_strdup(target);
	r->t.name2 = r->name2;
	submit_change(r, answer_entry);
}

static void
op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct frequest *r = named(door_of(req), req, TREE_UNLINK, parent, name);

	if (r)
		submit_change(r, answer_done);
}

static void
op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct frequest *r = named(door_of(req), req, TREE_RMDIR, parent, name);

	if (r)
		submit_change(r, answer_done);
}

static void
op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
	const char *new_name, unsigned flags)
{
	struct fuse_door *door = door_of(req);
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
	freply_err(door_of(req), req, EPERM); /* tools then rename or copy */
}

static void
op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t dev)
{
	struct fuse_door *door = door_of(req);

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
	struct frequest *r = frequest_new(door_of(req), req, TREE_READLINK, ino);

	if (r)
		frequest_submit(r, answer_link);
}

/* ---- attributes ----------------------------------------------------------------------------- */

static void
op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct frequest *r = frequest_new(door_of(req), req, TREE_GETATTR, ino);

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
	struct fuse_door *door = door_of(req);
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

/* ---- open files ----------------------------------------------------------------------------- */

/* The kernel's view of a new handle.  Takes: r->t.handle. */
static struct fhandle *
fhandle_new(struct frequest *r, struct node *node)
{
	struct fhandle *fh = NEW(struct fhandle);

	fh->door = r->door;
	fh->handle = r->t.handle;
	r->t.handle = NULL;
	LIST_INSERT_HEAD(&fh->door->handles, fh, link);
	r->fi.fh = (uint64_t)(uintptr_t)fh;
	r->fi.direct_io = !node_is_source(node);
	r->fi.nonseekable = handle_is_stream(fh->handle);
	return fh;
}

void
fhandle_free(struct fhandle *fh)
{
	if (fh->poll)
		fuse_pollhandle_destroy(fh->poll);
	LIST_REMOVE(fh, link);
	tree_release(fh->handle);
	free(fh);
}

static void
answer_open(struct frequest *r, int result)
{
	struct fhandle *fh = fhandle_new(r, r->t.node);

	(void)result;
	r->door->replies++;
	if (fuse_reply_open(r->req, &r->fi) < 0) /* interrupted: no RELEASE will come */
		fhandle_free(fh);
}

static void
open_any(fuse_req_t req, enum tree_op op, fuse_ino_t ino, const struct fuse_file_info *fi)
{
	struct frequest *r = frequest_new(door_of(req), req, op, ino);

	if (!r)
		return;
	r->fi = *fi;
	r->t.flags = fi->flags;
	frequest_submit(r, answer_open);
}

static void
op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	open_any(req, TREE_OPEN, ino, fi);
}

static void
op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	open_any(req, TREE_OPENDIR, ino, fi);
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
	struct frequest *r = named(door_of(req), req, TREE_CREATE, parent, name);

	if (!r)
		return;
	r->fi = *fi;
	r->t.flags = fi->flags;
	r->t.mode = mode;
	submit_change(r, answer_create);
}

/* A request on an open file. */
static struct frequest *
on_handle(fuse_req_t req, enum tree_op op, fuse_ino_t ino, const struct fuse_file_info *fi)
{
	struct frequest *r = frequest_new(door_of(req), req, op, ino);

	if (r)
		r->t.handle = fhandle_of(fi)->handle;
	return r;
}

static void
answer_read(struct frequest *r, int result)
{
	(void)result;
	r->door->replies++;
	(void)fuse_reply_buf(r->req, r->t.out.data, r->t.out.len);
}

static void
op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct handle *handle = fhandle_of(fi)->handle;
	struct frequest *r;

	if ((fi->flags & O_NONBLOCK) && handle_is_stream(handle) &&
		!(handle_poll(handle) & POLLIN)) {
		freply_err(door_of(req), req, EAGAIN);
		return;
	}
	r = on_handle(req, TREE_READ, ino, fi);
	if (!r)
		return;
	r->t.size = size;
	r->t.off = off;
	frequest_submit(r, answer_read);
}

static void
answer_write(struct frequest *r, int result)
{
	r->door->replies++;
	(void)fuse_reply_write(r->req, (size_t)result);
}

static void
op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
	struct fuse_file_info *fi)
{
	struct frequest *r = on_handle(req, TREE_WRITE, ino, fi);

	if (!r)
		return;
	r->data = mem_realloc(NULL, size);
	memcpy(r->data, buf, size);
	r->t.data = r->data;
	r->t.size = size;
	r->t.off = off;
	frequest_submit(r, answer_write);
}

static void
op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct frequest *r = on_handle(req, TREE_FLUSH, ino, fi);

	if (r)
		frequest_submit(r, answer_done);
}

static void
op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct frequest *r = on_handle(req, TREE_FSYNC, ino, fi);

	(void)datasync;
	if (r)
		frequest_submit(r, answer_done);
}

static void
op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	(void)ino, (void)datasync, (void)fi;
	freply_err(door_of(req), req, 0); /* names are on disk when their operation was answered */
}

static void
op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	fhandle_free(fhandle_of(fi));
	freply_err(door_of(req), req, 0);
}

/* ---- directories ---------------------------------------------------------------------------- */

/* Add an entry while it fits. */
static bool
add_entry(struct frequest *r, const char *name, ino_t ino, unsigned char type, off_t offset)
{
	struct stat st = {.st_ino = ino, .st_mode = DTTOIF((mode_t)type)};
	size_t room = r->t.size - r->entries.len;
	size_t need =
		fuse_add_direntry(r->req, sbuf_room(&r->entries, room), room, name, &st, offset);

	if (need > room)
		return false;
	r->entries.len += need;
	return true;
}

static bool
on_entry(void *arg, const char *name, uint64_t ino, unsigned char type, uint64_t cookie)
{
	return add_entry(arg, name, ino, type, (off_t)cookie);
}

static void
answer_entries(struct frequest *r, int result)
{
	(void)result;
	r->door->replies++;
	(void)fuse_reply_buf(r->req, r->entries.data, r->entries.len);
}

static void
op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct frequest *r = on_handle(req, TREE_READDIR, ino, fi);
	ino_t self;

	if (!r)
		return;
	self = node_ino(r->t.node);
	r->t.size = size;
	r->t.entry = on_entry;
	r->t.arg = r;
	if ((off == 0 && !add_entry(r, ".", self, DT_DIR, AFTER_DOT)) ||
		((off == 0 || off == AFTER_DOT) &&
			!add_entry(r, "..", self, DT_DIR, AFTER_DOT_DOT))) {
		answer_entries(r, 0);
		frequest_drop(r);
		return;
	}
	r->t.off = off > 0 ? off : 0;
	frequest_submit(r, answer_entries);
}

/* ---- the rest ------------------------------------------------------------------------------- */

/* Answered from nothing, so that df, sync and backups never wait for us. */
static void
op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	static const struct statvfs figures = {
		.f_bsize = 4096, .f_frsize = 4096, .f_namemax = NAME_MAX};

	(void)ino;
	door_of(req)->replies++;
	(void)fuse_reply_statfs(req, &figures);
}

static void
on_readable(void *arg)
{
	struct fhandle *fh = arg;

	if (fh->poll)
		fnotify_poll(fh->door, TAKE(fh->poll));
}

static void
op_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct fuse_pollhandle *ph)
{
	struct fuse_door *door = door_of(req);
	struct fhandle *fh = fhandle_of(fi);
	unsigned events = handle_poll(fh->handle);

	(void)ino;
	if (ph) {
		if (fh->poll)
			fuse_pollhandle_destroy(fh->poll);
		fh->poll = ph;
		handle_on_ready(fh->handle, on_readable, fh);
	}
	door->replies++;
	(void)fuse_reply_poll(req, events);
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
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.flush = op_flush,
	.release = op_release,
	.fsync = op_fsync,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.releasedir = op_release,
	.fsyncdir = op_fsyncdir,
	.statfs = op_statfs,
	.create = op_create,
	.poll = op_poll,
};
