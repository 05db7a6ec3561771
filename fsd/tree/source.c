/* Source directories: what is in them, and telling their owners what changed.  See source.h.
 *
 * One table per source holds every regular file with what it looked like (inode, size, mtime) when
 * its owner was last told.  Doors report what they did, inotify where to look; both compare with
 * the table.  A file that a door writes has `writers` > 0 and is left alone until the last one
 * closes.
 *
 * A name that goes away waits SOURCE_SETTLE_MS in `leaving` before the owner hears of it: tar and
 * some editors unlink and create, and that is one change, not an end and a beginning.
 */
#include "fsd/tree/source.h"

#include "base/auto.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "fsd/tree/node.h"
#include "fsd/tree/source_priv.h"
#include "fsd/tree/watch.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>

#define SCAN_DEPTH_MAX 32

struct known {
	ino_t ino;
	off_t size;
	struct timespec mtime;
	unsigned writers;
	unsigned scan;      /* the last one that met it */
	uint64_t leaves_ms; /* when to tell that it is gone; 0: it is there */
	TAILQ_ENTRY(known) link;
	UT_hash_handle hh;
	char name[];
};

/* ---- the directory -------------------------------------------------------------------------- */

int
source_openat(const struct source *source, const char *rel, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	long fd = syscall(SYS_openat2, source->fd, *rel ? rel : ".", &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

static int
stat_rel(const struct source *source, const char *rel, struct stat *st)
{
	AUTO(fd) int fd = source_openat(source, rel, O_PATH);

	if (fd < 0)
		return fd;
	return fstat(fd, st) < 0 ? -errno : 0;
}

/* ---- the table ------------------------------------------------------------------------------ */

static struct known *
known_find(const struct source *source, const char *rel)
{
	struct known *known;

	HASH_FIND_STR(source->files, rel, known);
	return known;
}

static struct known *
known_get(struct source *source, const char *rel)
{
	struct known *known = known_find(source, rel);

	if (!known) {
		known = mem_zalloc(1, sizeof(*known) + strlen(rel) + 1);
		memcpy(known->name, rel, strlen(rel) + 1);
		HASH_ADD_STR(source->files, name, known);
	}
	known->scan = source->scans;
	return known;
}

static void
known_stay(struct source *source, struct known *known)
{
	if (known->leaves_ms)
		TAILQ_REMOVE(&source->leaving, known, link);
	known->leaves_ms = 0;
}

static void
known_free(struct source *source, struct known *known)
{
	known_stay(source, known);
	HASH_DEL(source->files, known);
	free(known);
}

static void
known_note(struct known *known, const struct stat *st)
{
	known->ino = st->st_ino;
	known->size = st->st_size;
	known->mtime = st->st_mtim;
}

static bool
known_is_same(const struct known *known, const struct stat *st)
{
	return known->ino == st->st_ino && known->size == st->st_size &&
	       known->mtime.tv_sec == st->st_mtim.tv_sec &&
	       known->mtime.tv_nsec == st->st_mtim.tv_nsec;
}

static void
tell(struct source *source, enum source_change what, const char *name, const char *new_name)
{
	if (!source->is_silent && !source->is_closed && source->owner.changed)
		source->owner.changed(source->owner.arg, what, name, new_name);
}

/* ---- what doors did ------------------------------------------------------------------------- */

/* The file is what it is now; tell its owner. */
static void
settle(struct source *source, struct known *known, const struct stat *st)
{
	known_stay(source, known);
	known_note(known, st);
	tell(source, SOURCE_SETTLED, known->name, NULL);
}

static void
leave(struct source *source, struct known *known)
{
	if (known->leaves_ms)
		return;
	known->leaves_ms = watch_now_ms(source->tree->watch) + SOURCE_SETTLE_MS;
	TAILQ_INSERT_TAIL(&source->leaving, known, link);
	watch_arm(source->tree->watch, SOURCE_SETTLE_MS);
	if (!source->is_silent && !source->is_closed && source->owner.left)
		source->owner.left(source->owner.arg, known->name);
}

void
source_file_begun(struct source *source, const char *rel)
{
	struct known *known = known_get(source, rel);

	known_stay(source, known);
	known->writers++;
	tell(source, SOURCE_BEGUN, rel, NULL);
}

void
source_file_closed(struct source *source, const char *rel)
{
	struct known *known = known_find(source, rel);
	struct stat st;

	if (!known || known->writers == 0) /* removed, or replaced, while it was open */
		return;
	known->writers--;
	if (stat_rel(source, rel, &st) == 0)
		settle(source, known, &st);
	else
		leave(source, known);
}

void
source_file_settled(struct source *source, const char *rel)
{
	struct known *known = known_find(source, rel);
	struct stat st;

	if ((known && known->writers > 0) || stat_rel(source, rel, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	settle(source, known_get(source, rel), &st);
}

static bool
is_directly_in(const char *name, const char *dir)
{
	size_t len = strlen(dir);

	if (len > 0 && (strncmp(name, dir, len) != 0 || name[len++] != '/'))
		return false;
	return strchr(name + len, '/') == NULL;
}

void
source_dir_settled(struct source *source, const char *rel)
{
	struct known *known, *next;

	HASH_ITER (hh, source->files, known, next) {
		if (is_directly_in(known->name, rel))
			source_file_settled(source, known->name);
	}
}

void
source_file_touched(struct source *source, const char *rel)
{
	struct known *known = known_find(source, rel);
	struct stat st;

	if (known && stat_rel(source, rel, &st) == 0)
		known_note(known, &st);
}

void
source_file_removed(struct source *source, const char *rel)
{
	struct known *known = known_find(source, rel);

	if (!known)
		return;
	known->writers = 0; /* who has it open has a file without a name */
	leave(source, known);
}

void
source_file_renamed(struct source *source, const char *from, const char *to)
{
	struct known *old = known_find(source, from), *known = known_get(source, to);
	struct stat st;

	known_stay(source, known);
	known->writers = old ? old->writers : 0;
	if (stat_rel(source, to, &st) == 0)
		known_note(known, &st);
	if (old)
		known_free(source, old);
	tell(source, SOURCE_RENAMED, from, to);
}

/* ---- what the disk shows -------------------------------------------------------------------- */

/* Split rel and let the tree know, for what the kernel keeps of the mount. */
static void
tell_tree(struct source *source, const char *rel,
	void (*fn)(struct tree *tree, const char *dir_path, const char *name))
{
	const char *slash = strrchr(rel, '/');
	AUTO(sbuf) struct sbuf dir = {0};

	if (source->is_silent || source->is_closed)
		return;
	sbuf_adds(&dir, source->tree_path);
	if (slash) {
		sbuf_addc(&dir, '/');
		sbuf_add(&dir, rel, (size_t)(slash - rel));
	}
	fn(source->tree, sbuf_str(&dir), slash ? slash + 1 : rel);
}

static void
tell_tree_changed(struct tree *tree, const char *dir_path, const char *name)
{
	AUTO(sbuf) struct sbuf path = {0};

	sbuf_printf(&path, "%s/%s", dir_path, name);
	tree_changed(tree, sbuf_str(&path));
}

static void
look_at(struct source *source, const char *rel, const struct stat *st)
{
	struct known *known = known_find(source, rel);
	bool is_new = !known || known->leaves_ms;

	if (known)
		known->scan = source->scans;
	if (known && (known->writers > 0 || (!is_new && known_is_same(known, st))))
		return;
	settle(source, known_get(source, rel), st);
	tell_tree(source, rel, is_new ? tree_added : tell_tree_changed);
}

void
source_look(struct source *source, const char *rel)
{
	struct known *known = known_find(source, rel);
	struct stat st;

	if (stat_rel(source, rel, &st) == 0 && S_ISREG(st.st_mode)) {
		look_at(source, rel, &st);
	} else if (known && !known->leaves_ms) {
		known->writers = 0;
		leave(source, known);
		tell_tree(source, rel, tree_removed);
	}
}

void
source_look_moved(struct source *source, const char *from, const char *to)
{
	const struct known *known = known_find(source, from);
	struct stat st;

	if (!known || stat_rel(source, to, &st) < 0 || !known_is_same(known, &st)) {
		source_look(source, from); /* ours, or more has happened since */
		source_look(source, to);
		return;
	}
	source_file_renamed(source, from, to);
	tell_tree(source, from, tree_removed);
	tell_tree(source, to, tree_added);
}

/* Walk a directory, watch it, and compare every regular file. */
static int
scan_dir(struct source *source, struct sbuf *rel, int depth)
{
	AUTO(fd) int fd = source_openat(source, sbuf_str(rel), O_RDONLY | O_DIRECTORY);
	int code = fd < 0 ? fd : watch_add_dir(source->tree->watch, source, sbuf_str(rel));
	size_t len = rel->len;
	const struct dirent *entry;
	DIR *dir = code < 0 ? NULL : fdopendir(fd);

	if (!dir)
		return code < 0 ? code : -errno;
	while ((entry = readdir(dir))) {
		struct stat st;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
			fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		sbuf_printf(rel, "%s%s", len > 0 ? "/" : "", entry->d_name);
		if (S_ISREG(st.st_mode))
			look_at(source, sbuf_str(rel), &st);
		else if (S_ISDIR(st.st_mode) && depth < SCAN_DEPTH_MAX)
			(void)scan_dir(
				source, rel, depth + 1); /* gone meanwhile, or no watches left */
		rel->len = len;
		rel->data[len] = '\0';
	}
	fd = -1; /* closedir closes it */
	(void)closedir(dir);
	return 0;
}

void
source_look_dir(struct source *source, const char *rel)
{
	AUTO(sbuf) struct sbuf path = {0};

	sbuf_adds(&path, rel);
	(void)scan_dir(source, &path, 0); /* gone meanwhile, or no watches left */
}

void
source_rescan(struct source *source)
{
	AUTO(sbuf) struct sbuf rel = {0};
	struct known *known, *next;

	source->scans++;
	if (scan_dir(source, &rel, 0) < 0)
		return; /* the directory itself is gone: nothing to compare with */
	HASH_ITER (hh, source->files, known, next) {
		if (known->scan != source->scans)
			source_look(source, known->name);
	}
}

uint64_t
source_tick(struct source *source, uint64_t now_ms)
{
	struct known *known;

	while ((known = TAILQ_FIRST(&source->leaving))) {
		AUTO(free) char *name = NULL;

		if (known->leaves_ms > now_ms)
			return known->leaves_ms - now_ms;
		name = mem_strdup(known->name);
		known_free(source, known);
		tell(source, SOURCE_REMOVED, name, NULL);
	}
	return 0;
}

/* ---- life ----------------------------------------------------------------------------------- */

struct source *
source_ref(struct source *source)
{
	source->refs++;
	return source;
}

void
source_unref(struct source *source)
{
	struct known *known, *next;

	if (--source->refs > 0)
		return;
	HASH_ITER (hh, source->files, known, next)
		known_free(source, known);
	if (source->fd >= 0)
		(void)close(source->fd); /* O_PATH: nothing to lose */
	free(source->path);
	free(source->tree_path);
	free(source);
}

/* Make the directory when missing; an existing one keeps its mode. */
static int
open_dir(const char *path, mode_t mode)
{
	int fd;

	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int
source_open(struct tree *tree, const char *path, const char *tree_path, mode_t mode,
	const struct source_owner *owner, struct source **ret_source, struct err *err)
{
	struct source *source = NEW(struct source);
	AUTO(sbuf) struct sbuf rel = {0};
	int code;

	source->refs = 1;
	source->tree = tree;
	source->path = mem_strdup(path);
	source->tree_path = mem_strdup(tree_path);
	source->owner = *owner;
	source->is_silent = true;
	TAILQ_INIT(&source->leaving);
	source->fd = open_dir(path, mode);
	if (source->fd < 0) {
		code = err_set(err, -source->fd, "cannot open the directory '%s': %s", path,
			strerror(-source->fd));
		source_unref(source);
		return code;
	}
	code = watch_add_source(tree, source, err);
	if (code < 0) {
		source_unref(source);
		return code;
	}
	code = scan_dir(source, &rel, 0);
	if (code < 0) {
		source_close(source);
		return err_set(
			err, -code, "cannot watch the directory '%s': %s", path, strerror(-code));
	}
	source->is_silent = false;
	*ret_source = source;
	return 0;
}

void
source_close(struct source *source)
{
	if (!source)
		return;
	source->is_closed = true;
	watch_remove_source(source->tree->watch, source);
	source_unref(source);
}

int
source_scan(
	struct source *source, void (*fn)(void *arg, const char *name), void *arg, struct err *err)
{
	int fd = source_openat(source, "", O_RDONLY | O_DIRECTORY);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir)
		return err_set(err, errno, "cannot list '%s': %s", source->path, strerror(errno));
	while ((entry = readdir(dir))) {
		struct stat st;

		if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			S_ISREG(st.st_mode))
			fn(arg, entry->d_name);
	}
	(void)closedir(dir); /* only read */
	return 0;
}
