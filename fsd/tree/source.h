/* A source directory: a directory of the mount backed by a real one in the state directory, byte
 * for byte.  What users put there stays as they put it: subdirectories, dot files, editors'
 * temporary names, symlinks.  The owner of the source (hooks, lib) hears what changed, whether it
 * came through a door or was made in the state directory directly (inotify, then level-triggered:
 * inode, size, mtime; our own writes are recognised).  Thread: core; writes and fsyncs run on the
 * file lane.
 */
#ifndef SLOTH_TREE_SOURCE_H
#define SLOTH_TREE_SOURCE_H

#include "base/err.h"

#include <sys/types.h>

struct source;
struct tree;

enum source_change {
	/* A file was made, opened with O_TRUNC, or written for the first time since it was opened:
	 * its content is in flux.  A SETTLED, REMOVED or RENAMED of the name follows. */
	SOURCE_BEGUN,
	/* Closed after a change, given another mode or owner, or found changed on the disk. */
	SOURCE_SETTLED,
	/* Gone, and not back within 200 ms. */
	SOURCE_REMOVED,
	/* name -> new_name inside the source, whatever stood under new_name before; sent instead of
	 * REMOVED and SETTLED.  An editor's temporary file arrives this way. */
	SOURCE_RENAMED,
};

struct source_owner {
	void *arg;
	/* name is relative to the source ("a.lua", "sub/b.lua"); new_name only for RENAMED. */
	void (*changed)(void *arg, enum source_change what, const char *name, const char *new_name);
	/* The name went this moment; REMOVED follows unless it comes back at once.  May be NULL. */
	void (*left)(void *arg, const char *name);
};

/* Open (making it with mode when missing) and watch a directory.  path is real and absolute;
 * tree_path is where it shows ("/hooks").  Blocks: briefly.  Returns owned. */
int source_open(struct tree *tree, const char *path, const char *tree_path, mode_t mode,
	const struct source_owner *owner, struct source **ret_source, struct err *err) MUST_USE;

/* Handles still open keep their files; the directory stays on disk.  Accepts NULL. */
void source_close(struct source *source);

/* Call fn for each regular file directly below (not in subdirectories), for the first load. */
int source_scan(struct source *source, void (*fn)(void *arg, const char *name), void *arg,
	struct err *err) MUST_USE;

/* Read a file whole on the file lane; done gets -EFBIG past max bytes.  st carries owner, mode,
 * mtime. */
struct source_file {
	char *data; /* owned by the callee until done returns; take by TAKE() */
	size_t len;
	uid_t uid;
	gid_t gid;
	mode_t mode;
	uid_t dir_uid;
	mode_t dir_mode;
	char *open_dir; /* one above it that others may write and that is not sticky, for root alone
			 */
};
typedef void source_read_fn(void *arg, int code, struct source_file *file, const struct err *err);
void source_read(
	struct source *source, const char *name, size_t max, source_read_fn *done, void *arg);

#endif
