/* An array with a list of free places.  An id is the place and a generation that changes with every
 * use, so a frame about something that has ended finds nothing; finding costs one look, where a
 * hash table would cost an allocation a run. */
#include "fsd/workers/slots.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

#define INDEX_BITS     20 /* RUN_PLACES */
#define GENERATION_MAX ((1u << (32 - INDEX_BITS)) - 1)

static_assert(SLOTS_MAX == 1u << INDEX_BITS, "an id is a place and a generation");

static void
grow(struct slots *slots)
{
	uint32_t cap = slots->cap ? slots->cap * 2 : 64;

	assert(cap <= SLOTS_MAX); /* config/workers is bounded far below */
	slots->at = mem_realloc(slots->at, cap * sizeof(*slots->at));
	for (uint32_t i = slots->cap; i < cap; i++)
		slots->at[i] = (struct slot){.next_free = i + 1};
	slots->first_free = slots->cap;
	slots->cap = cap;
}

uint32_t
slots_take(struct slots *slots, struct slot **ret_slot)
{
	struct slot *slot;
	uint32_t generation;

	if (slots->first_free == slots->cap)
		grow(slots);
	slot = &slots->at[slots->first_free];
	slots->first_free = slot->next_free;
	slots->used++;
	generation = slot->generation % GENERATION_MAX + 1;
	*slot = (struct slot){.generation = generation};
	*ret_slot = slot;
	return slots_id(slots, slot);
}

uint32_t
slots_id(const struct slots *slots, const struct slot *slot)
{
	return slot->generation << INDEX_BITS | (uint32_t)(slot - slots->at);
}

struct slot *
slots_find(struct slots *slots, uint32_t id)
{
	uint32_t index = id & (SLOTS_MAX - 1);
	struct slot *slot = index < slots->cap ? &slots->at[index] : NULL;

	if (!slot || !slot->worker || slot->generation != id >> INDEX_BITS)
		return NULL;
	return slot;
}

void
slots_release(struct slots *slots, struct slot *slot)
{
	slot->worker = NULL;
	slot->next_free = slots->first_free;
	slots->first_free = (uint32_t)(slot - slots->at);
	slots->used--;
}

void
slots_fini(struct slots *slots)
{
	free(slots->at);
	*slots = (struct slots){0};
}
