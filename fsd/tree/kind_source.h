/* What the two files of source nodes share: kind_source.c has the names, source_file.c what is
 * behind them.  Private to fsd/tree/. */
#ifndef SLOTH_TREE_KIND_SOURCE_H
#define SLOTH_TREE_KIND_SOURCE_H

#include "base/sbuf.h"
#include "fsd/tree/node.h"
#include "fsd/tree/source_priv.h"

#include <unistd.h>

/* A name in a directory: what the *at() calls want.  Begin with {.dir = -1}. */
struct place {
	int dir; /* the directory, O_PATH */
	const char *name;
	struct sbuf rel; /* the name in the source */
};

static inline void
place_auto(struct place *place)
{
	if (place->dir >= 0)
		(void)close(place->dir); /* O_PATH: nothing to lose */
	sbuf_fini(&place->rel);
}

/* Find the place of a name in a directory node.  0 or -errno. */
int place_of(const struct node *dir, const char *name, struct place *place) MUST_USE;

/* Append the node's name in its source; nothing for the source itself. */
void source_rel(const struct node *node, struct sbuf *out);

/* stat of the backing file; of one that lost its name as long as somebody has it open. */
int source_stat_node(const struct node *node, const struct handle *h, struct stat *st) MUST_USE;

/* Put the node of a name, whose file was stat'ed, into req->ret_node. */
int source_bind(struct treq *req, const char *name, const struct stat *st) MUST_USE;

/* What a caller makes belongs to the caller, with the mode asked for.  fd: the thing made, or -1
 * (a symlink has no mode). */
int source_give(const struct treq *req, const struct place *place, int fd) MUST_USE;

/* The operations of source_file.c. */
int source_create(struct treq *req);
int source_open_file(struct treq *req);
int source_read_file(struct treq *req);
int source_write_file(struct treq *req);
int source_fsync(struct treq *req);
int source_setattr(struct treq *req);
void source_release(struct handle *h);

#endif
