/* A heap whose nodes live in what they order: the first is known at once, any can be taken out.
 * No allocation, nothing to run out of.  Insert costs nothing, taking one out O(log n) on average.
 */
#ifndef SLOTH_BASE_HEAP_H
#define SLOTH_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>

/* Embedded; zero it before the first use.  All of it is the heap's. */
struct heap_node {
	struct heap_node *child; /* the first of those behind it */
	struct heap_node *next;  /* sibling */
	struct heap_node *prev;  /* sibling, or the parent of a first child */
	bool is_in;
};

struct heap {
	struct heap_node *top;
	bool (*is_before)(const struct heap_node *a, const struct heap_node *b);
	size_t count;
};

/* The node must be in no heap; what is_before looks at must not change while it is in one. */
void heap_insert(struct heap *heap, struct heap_node *node);
/* Nothing happens when it is in no heap. */
void heap_remove(struct heap *heap, struct heap_node *node);
/* Borrowed; NULL when empty. */
struct heap_node *heap_top(const struct heap *heap);

#endif
