/* One inotify descriptor for all source directories (the number of instances a user may have is
 * small) and one timer for names that may come back at once.  Private to fsd/tree/. */
#ifndef SLOTH_TREE_WATCH_H
#define SLOTH_TREE_WATCH_H

#include "base/err.h"

#include <stdint.h>
#include <uv.h>

struct watch;
struct source;

/* The tree's watch, made at the first call.  Borrowed. */
struct tree;
int watch_get(struct tree *tree, struct watch **ret_watch, struct err *err) MUST_USE;

/* Close what watch_get made; the loop has to run once more.  Accepts NULL. */
void watch_free(struct watch *watch);

/* Watch a real directory; rel is its name relative to the source ("" for the source itself).  A
 * directory that is watched already gets its new name. */
int watch_add(struct watch *watch, struct source *source, const char *real_path, const char *rel,
	struct err *err) MUST_USE;

/* Forget all directories of a source. */
void watch_remove_source(struct watch *watch, struct source *source);

/* Call source_tick(source) after the time, once for any number of calls. */
void watch_arm(struct watch *watch, uint64_t ms);

#endif
