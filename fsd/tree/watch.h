/* One inotify descriptor for all source directories (the number of instances a user may have is
 * small) and one timer for names that may come back at once.  Private to fsd/tree/. */
#ifndef SLOTH_TREE_WATCH_H
#define SLOTH_TREE_WATCH_H

#include "base/err.h"

#include <stdint.h>

struct watch;
struct source;
struct tree;

/* Watch a source from now on; the tree's watch is made for the first one. */
int watch_add_source(struct tree *tree, struct source *source, struct err *err) MUST_USE;

/* Forget a source and all its directories. */
void watch_remove_source(struct watch *watch, struct source *source);

/* Watch a directory of a source; rel is its name in it ("" for the source itself).  A directory
 * watched already gets its new name.  0 or -errno; -ENOENT and -ENOTDIR: it is gone already. */
int watch_add_dir(struct watch *watch, struct source *source, const char *rel) MUST_USE;

/* See to source_tick in some ms. */
void watch_arm(struct watch *watch, uint64_t ms);
/* Milliseconds of the loop's clock. */
uint64_t watch_now_ms(const struct watch *watch);

/* Close everything; the loop has to run once more.  Accepts NULL. */
void watch_free(struct watch *watch);

#endif
