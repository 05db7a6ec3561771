/* What a source tells its kind and its watch.  Private to fsd/tree/.
 *
 * A source knows every regular file in it by name: inode, size and time as of the last time its
 * owner was told.  Whatever happens, through a door or on the disk, ends in a comparison with that,
 * so nothing is told twice and nothing that inotify lost is lost.  Names are relative: "sub/a.lua".
 */
#ifndef SLOTH_TREE_SOURCE_PRIV_H
#define SLOTH_TREE_SOURCE_PRIV_H

#include "fsd/tree/source.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/stat.h>

#define SOURCE_SETTLE_MS 200 /* a name that comes back within this was never gone */

struct known;

struct source {
	struct tree *tree;
	unsigned refs;
	bool is_closed; /* the owner is gone */
	bool is_silent; /* the first scan */
	int fd;         /* the directory, O_PATH */
	char *path, *tree_path;
	struct source_owner owner;
	struct known *files;                   /* hash by name */
	unsigned scans;                        /* counts rescans, to see what they did not meet */
	TAILQ_HEAD(known_list, known) leaving; /* gone, not told yet; oldest first */
	TAILQ_ENTRY(source) link;              /* the watch's */
};

/* References keep the directory's descriptor beyond source_close. */
struct source *source_ref(struct source *source);
void source_unref(struct source *source);

/* Open something in the source; never leaves it, never follows a symlink.  Returns a descriptor or
 * -errno. */
int source_openat(const struct source *source, const char *rel, int flags);

/* ---- what a door did ------------------------------------------------------------------------ */

void source_file_begun(struct source *source, const char *rel);   /* a writer more */
void source_file_closed(struct source *source, const char *rel);  /* a writer less */
void source_file_settled(struct source *source, const char *rel); /* changed without a writer */
void source_dir_settled(struct source *source, const char *rel);  /* its rights: all in it */
void source_file_touched(struct source *source, const char *rel); /* only its times */
void source_file_removed(struct source *source, const char *rel);
void source_file_renamed(struct source *source, const char *from, const char *to);
/* ---- what inotify saw ----------------------------------------------------------------------- */

/* Compare one name with what is known and tell the difference. */
void source_look(struct source *source, const char *rel);
/* The same for a move inside the source. */
void source_look_moved(struct source *source, const char *from, const char *to);
/* The same for a directory that came, with all that is in it; watches it. */
void source_look_dir(struct source *source, const char *rel);
/* The same for everything. */
void source_rescan(struct source *source);

/* Tell what left more than SOURCE_SETTLE_MS ago.  Returns ms until the next, 0 for none. */
uint64_t source_tick(struct source *source, uint64_t now_ms);

#endif
