/* What is under way in the workers, by the number that frames carry. */
#ifndef SLOTH_WORKERS_SLOTS_H
#define SLOTH_WORKERS_SLOTS_H

#include "base/worker_proto.h"

#include <stdbool.h>
#include <stdint.h>

/* A run or a check; exactly one of the two is set. */
struct slot {
	struct worker *worker; /* NULL: the slot is free */
	struct run *run;
	struct check *check;
	uint64_t deadline_ns;   /* monotonic; the worker is killed then */
	int64_t started_ns;     /* since 1970; 0: not begun yet */
	enum run_result wanted; /* when is_cancelled */
	bool is_cancelled, is_overdue;
	uint32_t generation, next_free;
};

struct slots {
	struct slot *at;
	uint32_t cap, first_free, used;
};

#define SLOTS_MAX RUN_PLACES

/* A free slot, emptied.  Returns its id, never 0; *ret_slot is borrowed until the next take. */
uint32_t slots_take(struct slots *slots, struct slot **ret_slot);
/* NULL when nothing of this id is under way.  Borrowed until the next take. */
struct slot *slots_find(struct slots *slots, uint32_t id);
uint32_t slots_id(const struct slots *slots, const struct slot *slot);
void slots_release(struct slots *slots, struct slot *slot);
void slots_fini(struct slots *slots);

#endif
