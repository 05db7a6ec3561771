/* Source directories as nodes: POSIX file operations on the backing directory.
 *
 * Everything goes relative to an open descriptor of the source, by names that cannot leave it
 * (source_openat), and symlinks are kept but never followed.  Making, renaming and removing happen
 * at once, on the core: a parked RENAME would freeze the directory for everyone.  Reads, writes and
 * fsyncs of what is in a file go to the file lane.
 *
 * A node is a name; if another file stands under it (replaced on the disk), its inode number tells
 * and the next lookup makes a new node.  A node without a name is answered from who has it open.
 */
#include "fsd/tree/node.h"

#include "base/auto.h"
#include "base/mem.h"
#include "fsd/tree/kind_source.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static uint64_t
backing_ino(dev_t dev, ino_t ino)
{
	return node_mix(dev, ino);
}

void
source_rel(const struct node *node, struct sbuf *out)
{
	if (!node->is_entry)
		return;
	source_rel(node->parent, out);
	if (out->len > 0)
		sbuf_addc(out, '/');
	sbuf_adds(out, node->name);
}

int
place_of(const struct node *dir, const char *name, struct place *place)
{
	source_rel(dir, &place->rel);
	place->name = name;
	place->dir = source_openat(dir->source, sbuf_str(&place->rel), O_PATH | O_DIRECTORY);
	if (place->dir < 0)
		return place->dir;
	if (place->rel.len > 0)
		sbuf_addc(&place->rel, '/');
	sbuf_adds(&place->rel, name);
	return 0;
}

/* ---- stat ----------------------------------------------------------------------------------- */

/* Some handle of a node that has lost its name. */
static int
stat_open(const struct node *node, struct stat *st)
{
	const struct handle *h = LIST_FIRST(&node->handles);

	if (!h || h->fd < 0)
		return -ENOENT;
	return fstat(h->fd, st) < 0 ? -errno : 0;
}

int
source_stat_node(const struct node *node, const struct handle *h, struct stat *st)
{
	AUTO(place) struct place place = {.dir = -1};
	int code;

	if (h && h->fd >= 0)
		return fstat(h->fd, st) < 0 ? -errno : 0;
	if (!node->is_entry)
		return fstat(node->source->fd, st) < 0 ? -errno : 0;
	if (!node->is_hashed)
		return stat_open(node, st);
	code = place_of(node->parent, node->name, &place);
	if (code < 0)
		return code;
	return fstatat(place.dir, place.name, st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int
source_stat(struct node *node, struct handle *h, struct stat *st, struct err *err)
{
	int code = source_stat_node(node, h, st);

	(void)err;
	st->st_ino = node->ino;
	return code;
}

static int
source_perm(struct node *node, struct stat *st)
{
	return source_stat_node(node, NULL, st);
}

/* ---- nodes ---------------------------------------------------------------------------------- */

static int
source_init(struct node *node, struct err *err)
{
	int code = 0;

	if (node->is_entry)
		node->source = node->parent->source;
	else
		code = node->row->read.source(node, &node->source, err);
	if (code < 0) {
		node->source = NULL;
		return code;
	}
	source_ref(node->source);
	return 0;
}

static void
source_fini(struct node *node)
{
	if (node->source)
		source_unref(node->source);
}

int
source_bind(struct treq *req, const char *name, const struct stat *st)
{
	struct node *dir = req->node;
	uint64_t ino = backing_ino(st->st_dev, st->st_ino);
	struct node *node = node_find(dir, name);
	struct node_spec spec = {
		.parent = dir,
		.row = dir->row,
		.kind = &kind_source,
		.name = name,
		.ino = ino,
		.is_entry = true,
	};

	if (node && node->kind == &kind_source &&
		node->ino == node_child_ino(dir, dir->row, name, ino)) {
		req->ret_node = node_ref(node);
		return 0;
	}
	if (node)
		node_detach(node);
	return node_make(&spec, &req->ret_node, &req->err);
}

static int
bind_place(struct treq *req, const struct place *place)
{
	struct stat st;

	if (fstatat(place->dir, place->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return source_bind(req, place->name, &st);
}

static int
source_lookup(struct treq *req)
{
	AUTO(place) struct place place = {.dir = -1};
	int code = place_of(req->node, req->name, &place);

	if (code == 0)
		code = bind_place(req, &place);
	if (code == -ENOENT && !req->node->is_entry && strcmp(req->name, HELP_NAME) == 0)
		return help_lookup(req);
	return code;
}

/* ---- names ---------------------------------------------------------------------------------- */

int
source_give(const struct treq *req, const struct place *place, int fd)
{
	struct stat st;
	gid_t gid = req->cred.gid;

	if (geteuid() == 0) { /* else the kernel has seen to it */
		if (fstat(place->dir, &st) == 0 && (st.st_mode & S_ISGID))
			gid = st.st_gid;
		if (fchownat(place->dir, place->name, req->cred.uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
	}
	return fd >= 0 && fchmod(fd, req->mode & 0777) < 0 ? -errno : 0;
}

static int
source_mkdir(struct treq *req)
{
	AUTO(place) struct place place = {.dir = -1};
	AUTO(fd) int fd = -1;
	int code = place_of(req->node, req->name, &place);

	if (code < 0)
		return code;
	if (mkdirat(place.dir, place.name, req->mode & 0777) < 0)
		return -errno;
	fd = openat(place.dir, place.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	code = source_give(req, &place, fd);
	if (code < 0)
		return code;
	source_look_dir(req->node->source, sbuf_str(&place.rel));
	return bind_place(req, &place);
}

static int
source_symlink(struct treq *req)
{
	AUTO(place) struct place place = {.dir = -1};
	int code = place_of(req->node, req->name, &place);

	if (code < 0)
		return code;
	if (symlinkat(req->name2, place.dir, place.name) < 0)
		return -errno;
	code = source_give(req, &place, -1);
	return code < 0 ? code : bind_place(req, &place);
}

static int
source_readlink(struct treq *req)
{
	AUTO(place) struct place place = {.dir = -1};
	char target[PATH_MAX];
	ssize_t n;
	int code;

	if (!req->node->is_entry)
		return -EINVAL;
	code = place_of(req->node->parent, req->node->name, &place);
	if (code < 0)
		return code;
	n = readlinkat(place.dir, place.name, target, sizeof(target));
	if (n < 0)
		return -errno;
	sbuf_add(&req->out, target, (size_t)n);
	return 0;
}

static int
remove_name(struct treq *req, int flags)
{
	AUTO(place) struct place place = {.dir = -1};
	int code = place_of(req->node, req->name, &place);
	struct node *node;

	if (code < 0)
		return code;
	if (unlinkat(place.dir, place.name, flags) < 0)
		return -errno;
	node = node_find(req->node, req->name);
	if (node)
		node_detach(node);
	if (flags == 0)
		source_file_removed(req->node->source, sbuf_str(&place.rel));
	return 0;
}

static int
source_unlink(struct treq *req)
{
	return remove_name(req, 0);
}

static int
source_rmdir(struct treq *req)
{
	return remove_name(req, AT_REMOVEDIR);
}

/* Let the nodes follow their files, which have changed places on the disk. */
static void
move_nodes(const struct treq *req, bool is_exchange)
{
	struct node *node = node_find(req->node, req->name);
	struct node *other = node_find(req->node2, req->name2);

	if (other && is_exchange)
		node_ref(other);
	if (node)
		node_move(node, req->node2, req->name2);
	else if (other)
		node_detach(other);
	if (other && is_exchange) {
		node_move(other, req->node, req->name);
		node_unref(other, 1);
	}
}

static void
tell_renamed(const struct treq *req, const struct place *from, const struct place *to)
{
	struct source *source = req->node->source;
	struct stat st;

	if (fstatat(to->dir, to->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (S_ISDIR(st.st_mode) || (req->flags & RENAME_EXCHANGE))
		source_rescan(source);
	else if (S_ISREG(st.st_mode))
		source_file_renamed(source, sbuf_str(&from->rel), sbuf_str(&to->rel));
	else
		source_look(source, sbuf_str(&to->rel)); /* a symlink came over a file */
}

static int
source_rename(struct treq *req)
{
	AUTO(place) struct place from = {.dir = -1}, to = {.dir = -1};
	unsigned flags = (unsigned)req->flags;
	int code;

	if (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	if (req->node2->kind != &kind_source || req->node2->source != req->node->source)
		return -EXDEV; /* mv copies then */
	code = place_of(req->node, req->name, &from);
	if (code == 0)
		code = place_of(req->node2, req->name2, &to);
	if (code < 0)
		return code;
	if (renameat2(from.dir, from.name, to.dir, to.name, flags) < 0)
		return -errno;
	move_nodes(req, flags & RENAME_EXCHANGE);
	tell_renamed(req, &from, &to);
	return 0;
}

/* ---- listing -------------------------------------------------------------------------------- */

static int
source_opendir(struct treq *req)
{
	AUTO(sbuf) struct sbuf rel = {0};
	DIR *dir;
	int fd;

	if (req->node->is_entry && !req->node->is_hashed)
		return -ENOENT;
	source_rel(req->node, &rel);
	fd = source_openat(req->node->source, sbuf_str(&rel), O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir) {
		(void)close(fd); /* only read */
		return -ENOMEM;
	}
	handle_new(req, req->node)->dir = dir;
	return 0;
}

static bool
is_listed(const char *name)
{
	const unsigned char *p = (const unsigned char *)name;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	while (*p >= 0x20 && *p != 0x7f)
		p++;
	return *p == '\0'; /* made on the disk: no door could name it */
}

static int
source_readdir(struct treq *req)
{
	struct node *node = req->handle->node;
	DIR *dir = req->handle->dir;
	const struct dirent *entry;
	struct stat st;

	if (fstat(dirfd(dir), &st) < 0)
		return -errno;
	if (req->off == 0)
		rewinddir(dir);
	else if (telldir(dir) != req->off)
		seekdir(dir, req->off);
	while ((entry = readdir(dir))) {
		uint64_t ino = backing_ino(st.st_dev, entry->d_ino);

		if (!is_listed(entry->d_name))
			continue;
		ino = node_child_ino(node, node->row, entry->d_name, ino);
		if (!req->entry(
			    req->arg, entry->d_name, ino, entry->d_type, (uint64_t)entry->d_off))
			break;
	}
	return 0;
}

const struct kind kind_source = {
	.init = source_init,
	.fini = source_fini,
	.stat = source_stat,
	.perm = source_perm,
	.release = source_release,
	.ops =
		{
			[TREE_LOOKUP] = source_lookup,
			[TREE_SETATTR] = source_setattr,
			[TREE_READLINK] = source_readlink,
			[TREE_CREATE] = source_create,
			[TREE_MKDIR] = source_mkdir,
			[TREE_SYMLINK] = source_symlink,
			[TREE_UNLINK] = source_unlink,
			[TREE_RMDIR] = source_rmdir,
			[TREE_RENAME] = source_rename,
			[TREE_OPEN] = source_open_file,
			[TREE_READ] = source_read_file,
			[TREE_WRITE] = source_write_file,
			[TREE_FSYNC] = source_fsync,
			[TREE_OPENDIR] = source_opendir,
			[TREE_READDIR] = source_readdir,
		},
};
