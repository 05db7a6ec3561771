/* A pairing heap: see heap.h.
 *
 * A tree in which nobody stands before its parent, each node with a list of children.  Two trees
 * become one by putting the later top below the earlier one.  Taking a node out leaves its
 * children, which are put together two by two and then from the last pair to the first: that is
 * what keeps the tree flat.  Both passes are loops, because a list of children may be as long as
 * the heap. */
#include "base/heap.h"

#include <assert.h>

/* Put two trees together; each may be NULL.  Returns the top. */
static struct heap_node *
meld(const struct heap *heap, struct heap_node *a, struct heap_node *b)
{
	struct heap_node *swap = a;

	if (!a || !b)
		return a ? a : b;
	if (heap->is_before(b, a)) {
		a = b;
		b = swap;
	}
	b->next = a->child;
	if (b->next)
		b->next->prev = b;
	b->prev = a;
	a->child = b;
	return a;
}

/* Put a list of siblings together.  Returns the top. */
static struct heap_node *
meld_siblings(const struct heap *heap, struct heap_node *first)
{
	struct heap_node *pairs = NULL, *top = NULL;

	while (first) {
		struct heap_node *a = first, *b = a->next, *pair;

		first = b ? b->next : NULL;
		a->next = a->prev = NULL;
		if (b)
			b->next = b->prev = NULL;
		pair = meld(heap, a, b);
		pair->next = pairs;
		pairs = pair;
	}
	while (pairs) {
		struct heap_node *next = pairs->next;

		pairs->next = NULL;
		top = meld(heap, top, pairs);
		pairs = next;
	}
	return top;
}

void
heap_insert(struct heap *heap, struct heap_node *node)
{
	assert(!node->is_in);
	*node = (struct heap_node){.is_in = true};
	heap->top = meld(heap, heap->top, node);
	heap->count++;
}

void
heap_remove(struct heap *heap, struct heap_node *node)
{
	struct heap_node *rest;

	if (!node->is_in)
		return;
	rest = meld_siblings(heap, node->child);
	if (heap->top == node) {
		heap->top = rest;
	} else {
		if (node->prev->child == node)
			node->prev->child = node->next;
		else
			node->prev->next = node->next;
		if (node->next)
			node->next->prev = node->prev;
		heap->top = meld(heap, heap->top, rest);
	}
	*node = (struct heap_node){0};
	heap->count--;
}

struct heap_node *
heap_top(const struct heap *heap)
{
	return heap->top;
}
