/* Files of source directories: opening, reading, writing, attributes.
 *
 * A handle that changes its file counts as a writer from its first change (creation, truncation,
 * write) to its release, and only then is the owner told that the file has settled: flush comes too
 * early, a shell's redirection sends one before the first byte.
 */
#include "fsd/tree/file_io.h"
#include "fsd/tree/kind_source.h"
#include "fsd/tree/perms.h"

#include "base/auto.h"
#include "base/mem.h"

#include <fcntl.h>
#include <sys/stat.h>

#define OPEN_FLAGS (O_ACCMODE | O_APPEND | O_TRUNC | O_SYNC)

/* ---- files ---------------------------------------------------------------------------------- */

/* The content is in flux from here until the handle is closed. */
static void
begin_change(struct handle *h)
{
	AUTO(sbuf) struct sbuf rel = {0};

	if (h->is_dirty)
		return;
	h->is_dirty = true;
	if (!h->node->is_hashed)
		return; /* a file without a name concerns nobody */
	source_rel(h->node, &rel);
	source_file_begun(h->node->source, sbuf_str(&rel));
}

/* Returns a descriptor; *ret_is_new tells whether the file was made.  One that was there already is
 * not truncated: whether the caller may is not known yet. */
static int
create_file(struct treq *req, const struct place *place, bool *ret_is_new)
{
	int flags = (req->flags & OPEN_FLAGS) | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, code;
	int fd = openat(place->dir, place->name, flags | O_CREAT | O_EXCL, req->mode & 0777);

	*ret_is_new = fd >= 0;
	if (fd < 0 && (errno != EEXIST || (req->flags & O_EXCL)))
		return -errno;
	if (fd < 0) {
		fd = openat(place->dir, place->name, flags & ~O_TRUNC);
		return fd < 0 ? -errno : fd;
	}
	code = source_give(req, place, fd);
	if (code < 0) {
		(void)close(fd); /* empty, and unlinked next */
		(void)unlinkat(place->dir, place->name, 0);
		return code;
	}
	return fd;
}

/* Open a handle on an opened file.  Takes: fd. */
static void
adopt_fd(struct treq *req, struct node *node, int fd, bool is_changed)
{
	struct handle *h = handle_new(req, node);

	h->fd = fd;
	if (is_changed)
		begin_change(h);
}

int
source_create(struct treq *req)
{
	AUTO(place) struct place place = {.dir = -1};
	struct stat st;
	bool is_new;
	int code = place_of(req->node, req->name, &place), fd;

	if (code < 0)
		return code;
	fd = create_file(req, &place, &is_new);
	if (fd < 0)
		return fd;
	code = fstat(fd, &st) < 0 ? -errno : 0;
	if (code == 0 && !S_ISREG(st.st_mode))
		code = -EACCES;
	if (code == 0)
		code = source_bind(req, req->name, &st);
	if (code == 0 && !is_new)
		code = perms_check_open(req, req->ret_node);
	if (code == 0 && !is_new && (req->flags & O_TRUNC) && ftruncate(fd, 0) < 0)
		code = -errno;
	if (code < 0) {
		(void)close(fd); /* nothing was written */
		if (req->ret_node)
			node_unref(TAKE(req->ret_node), 1);
		return code;
	}
	adopt_fd(req, req->ret_node, fd, is_new || (req->flags & O_TRUNC));
	return 0;
}

int
source_open_file(struct treq *req)
{
	AUTO(place) struct place place = {.dir = -1};
	int flags = (req->flags & OPEN_FLAGS) | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, fd, code;
	struct stat st;

	if (!req->node->is_entry)
		return -EISDIR;
	if (!req->node->is_hashed)
		return -ENOENT;
	code = place_of(req->node->parent, req->node->name, &place);
	if (code < 0)
		return code;
	fd = openat(place.dir, place.name, flags);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		(void)close(fd); /* nothing was written */
		return S_ISDIR(st.st_mode) ? -EISDIR : -EACCES;
	}
	adopt_fd(req, req->node, fd, req->flags & O_TRUNC);
	return 0;
}

int
source_read_file(struct treq *req)
{
	struct stat st;

	if (fstat(req->handle->fd, &st) < 0)
		return -errno;
	return file_read(req, req->handle->fd, (uint64_t)st.st_size);
}

int
source_write_file(struct treq *req)
{
	if ((req->handle->flags & O_ACCMODE) == O_RDONLY)
		return -EBADF;
	begin_change(req->handle);
	return file_write(req, req->handle->fd);
}

int
source_fsync(struct treq *req)
{
	return req->handle->fd < 0 ? 0 : file_sync(req, req->handle->fd);
}

void
source_release(struct handle *h)
{
	AUTO(sbuf) struct sbuf rel = {0};

	if (h->dir)
		(void)closedir(h->dir); /* only read */
	if (h->fd < 0)
		return;
	(void)close(h->fd); /* every write's error was told */
	if (!h->is_dirty || !h->node->is_hashed)
		return;
	source_rel(h->node, &rel);
	source_file_closed(h->node->source, sbuf_str(&rel));
}

/* ---- attributes ----------------------------------------------------------------------------- */

static int
set_owner_and_mode(const struct treq *req, int fd, const char *magic)
{
	uid_t uid = req->set & TREE_SET_UID ? req->attr.st_uid : (uid_t)-1;
	gid_t gid = req->set & TREE_SET_GID ? req->attr.st_gid : (gid_t)-1;

	if ((req->set & (TREE_SET_UID | TREE_SET_GID)) &&
		fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0)
		return -errno;
	if ((req->set & TREE_SET_MODE) && chmod(magic, req->attr.st_mode & 07777) < 0)
		return -errno;
	return 0;
}

static int
set_times(const struct treq *req, int fd)
{
	struct timespec times[2] = {req->attr.st_atim, req->attr.st_mtim};

	if (!(req->set & TREE_SET_ATIME))
		times[0].tv_nsec = UTIME_OMIT;
	if (!(req->set & TREE_SET_MTIME))
		times[1].tv_nsec = UTIME_OMIT;
	return utimensat(fd, "", times, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

static int
set_size(const struct treq *req, const char *magic)
{
	struct handle *h = req->handle;
	int code;

	if (h && (h->flags & O_ACCMODE) != O_RDONLY) {
		begin_change(h);
		code = ftruncate(h->fd, req->attr.st_size);
	} else {
		code = truncate(magic, req->attr.st_size);
	}
	return code < 0 ? -errno : 0;
}

/* Do what req->set says to an open file, perhaps one opened with O_PATH. */
static int
set_attributes(const struct treq *req, int fd)
{
	AUTO(free) char *magic = mem_printf("/proc/self/fd/%d", fd); /* leads there only */
	int code = set_owner_and_mode(req, fd, magic);

	if (code == 0 && (req->set & TREE_SET_SIZE))
		code = set_size(req, magic);
	if (code == 0 && (req->set & (TREE_SET_ATIME | TREE_SET_MTIME)))
		code = set_times(req, fd);
	return code;
}

static int
path_fd(const struct node *node)
{
	AUTO(sbuf) struct sbuf rel = {0};

	if (!node->is_hashed && node->is_entry)
		return -ENOENT;
	source_rel(node, &rel);
	return source_openat(node->source, sbuf_str(&rel), O_PATH);
}

static void
tell_attributes(const struct treq *req, bool is_dir)
{
	bool has_new_rights = req->set & (TREE_SET_MODE | TREE_SET_UID | TREE_SET_GID);
	AUTO(sbuf) struct sbuf rel = {0};

	source_rel(req->node, &rel);
	if (has_new_rights && is_dir)
		source_dir_settled(req->node->source, sbuf_str(&rel));
	else if (has_new_rights || ((req->set & TREE_SET_SIZE) && !req->handle))
		source_file_settled(req->node->source, sbuf_str(&rel));
	else
		source_file_touched(req->node->source, sbuf_str(&rel));
}

int
source_setattr(struct treq *req)
{
	struct node *node = req->node;
	const struct handle *h = req->handle ? req->handle : LIST_FIRST(&node->handles);
	AUTO(fd) int own_fd = -1;
	struct stat st;
	int code = source_stat_node(node, req->handle, &st), fd = h ? h->fd : -1;

	if (code == 0)
		code = perms_check_setattr(req, &st);
	if (code < 0)
		return code;
	if (fd < 0)
		fd = own_fd = path_fd(node);
	if (fd < 0)
		return fd;
	code = set_attributes(req, fd);
	if (code < 0)
		return code;
	if (S_ISDIR(st.st_mode) || (node->is_entry && node->is_hashed))
		tell_attributes(req, S_ISDIR(st.st_mode));
	return node_stat(node, req->handle, &req->attr, &req->err);
}
