/* Small blocks of memory for Lua, kept when they are freed.  Lua frees what a collection found in
 * one go and soon asks for as much again, more than malloc keeps at hand.  How many are kept is
 * bounded, so a worker that once needed much gives it back. */
#ifndef SLOTH_LUA_BLOCKS_H
#define SLOTH_LUA_BLOCKS_H

#include <stddef.h>

#define BLOCKS_STEP  16  /* bytes from one size to the next */
#define BLOCKS_SIZES 16  /* so the largest has 256 */
#define BLOCKS_KEPT  256 /* of each size: half a megabyte at most */

struct block;

struct blocks {
	struct block *kept[BLOCKS_SIZES];
	unsigned count[BLOCKS_SIZES];
};

/* Give back what is kept. */
void blocks_fini(struct blocks *blocks);

/* As realloc, but told what p was asked for with: p and old_bytes may be NULL and 0, new_bytes not.
 * Returns owned, or NULL when there is no memory. */
void *blocks_resize(struct blocks *blocks, void *p, size_t old_bytes, size_t new_bytes);

/* Takes: p, which was asked for with so many bytes.  Accepts NULL and 0. */
void blocks_free(struct blocks *blocks, void *p, size_t bytes);

#endif
