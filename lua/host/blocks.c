/* Small blocks: see blocks.h.  Each is as large as its size allows, so one that is kept fits
 * whoever asks for that size next.  The states of a worker share them: which of two hooks freed one
 * does not matter, for Lua writes a block before it reads it. */
#include "lua/host/blocks.h"

#include <stdlib.h>
#include <string.h>

struct block {
	struct block *next;
};

/* The place of a size; BLOCKS_SIZES or more: not a small one, as is nothing. */
static size_t
place_of(size_t bytes)
{
	return (bytes - 1) / BLOCKS_STEP;
}

void
blocks_fini(struct blocks *blocks)
{
	for (size_t i = 0; i < BLOCKS_SIZES; i++) {
		struct block *b;

		while ((b = blocks->kept[i])) {
			blocks->kept[i] = b->next;
			free(b);
		}
		blocks->count[i] = 0;
	}
}

static void *
take(struct blocks *blocks, size_t bytes)
{
	size_t at = place_of(bytes);
	struct block *b;

	if (at >= BLOCKS_SIZES)
		return malloc(bytes);
	b = blocks->kept[at];
	if (!b)
		return malloc((at + 1) * BLOCKS_STEP);
	blocks->kept[at] = b->next;
	blocks->count[at]--;
	return b;
}

void
blocks_free(struct blocks *blocks, void *p, size_t bytes)
{
	size_t at = place_of(bytes);
	struct block *b = p;

	if (at >= BLOCKS_SIZES || blocks->count[at] == BLOCKS_KEPT) {
		free(p);
		return;
	}
	b->next = blocks->kept[at];
	blocks->kept[at] = b;
	blocks->count[at]++;
}

void *
blocks_resize(struct blocks *blocks, void *p, size_t old_bytes, size_t new_bytes)
{
	size_t from = place_of(old_bytes), to = place_of(new_bytes);
	void *q;

	if (from >= BLOCKS_SIZES && to >= BLOCKS_SIZES)
		return realloc(p, new_bytes);
	if (from == to)
		return p;
	q = take(blocks, new_bytes);
	if (!q)
		return new_bytes < old_bytes ? p : NULL; /* it is large enough: no need to fail */
	if (!p)
		return q;
	memcpy(q, p, old_bytes < new_bytes ? old_bytes : new_bytes);
	blocks_free(blocks, p, old_bytes);
	return q;
}
