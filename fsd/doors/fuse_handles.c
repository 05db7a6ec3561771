/* FUSE operations on open files and directories.
 *
 * Rules that live here: only source files use the page cache, all else is direct_io with its exact
 * size; streams cannot seek and honour O_NONBLOCK.
 */
#include "base/auto.h"
#include "base/mem.h"
#include "fsd/doors/fuse_door.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

/* Where the reading goes on after "." and "..", which the tree does not list.  Its own cookies may
 * be any number from 0 to INT64_MAX, as those of a real directory are. */
#define AFTER_DOT     (INT64_MIN + 1)
#define AFTER_DOT_DOT (INT64_MIN + 2)

struct fhandle *
fhandle_of(const struct fuse_file_info *fi)
{
	return (struct fhandle *)(uintptr_t)fi->fh;
}

/* ---- open files ----------------------------------------------------------------------------- */

struct fhandle *
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
	struct frequest *r = frequest_new(fuse_door_of(req), req, op, ino);

	if (!r)
		return;
	r->fi = *fi;
	r->t.flags = fi->flags;
	frequest_submit(r, answer_open);
}

void
fop_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	open_any(req, TREE_OPEN, ino, fi);
}

void
fop_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	open_any(req, TREE_OPENDIR, ino, fi);
}

/* A request on an open file. */
static struct frequest *
on_handle(fuse_req_t req, enum tree_op op, fuse_ino_t ino, const struct fuse_file_info *fi)
{
	struct frequest *r = frequest_new(fuse_door_of(req), req, op, ino);

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

void
fop_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct handle *handle = fhandle_of(fi)->handle;
	struct frequest *r;

	if ((fi->flags & O_NONBLOCK) && handle_is_stream(handle) &&
		!(handle_poll(handle) & POLLIN)) {
		freply_err(fuse_door_of(req), req, EAGAIN);
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

void
fop_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
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

void
fop_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct frequest *r = on_handle(req, TREE_FLUSH, ino, fi);

	if (r)
		frequest_submit(r, answer_done);
}

void
fop_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct frequest *r = on_handle(req, TREE_FSYNC, ino, fi);

	(void)datasync;
	if (r)
		frequest_submit(r, answer_done);
}

void
fop_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	(void)ino, (void)datasync, (void)fi;
	freply_err(fuse_door_of(req), req,
		0); /* names are on disk when their operation was answered */
}

void
fop_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	fhandle_free(fhandle_of(fi));
	freply_err(fuse_door_of(req), req, 0);
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

void
fop_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
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

/* ---- readiness ------------------------------------------------------------------------------- */

static void
on_readable(void *arg)
{
	struct fhandle *fh = arg;

	if (fh->poll)
		fnotify_poll(fh->door, TAKE(fh->poll));
}

void
fop_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct fuse_pollhandle *ph)
{
	struct fuse_door *door = fuse_door_of(req);
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
