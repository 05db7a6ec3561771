/* Random lives of the dispatcher: whatever the order of what happens, nothing is lost or doubled.
 */
#ifndef SLOTH_TESTS_DISPATCHER_RANDOM_H
#define SLOTH_TESTS_DISPATCHER_RANDOM_H

#include "tests/unit/dispatcher_rig.h"

/* A generator of our own, so that a failing seed can be run again anywhere. */
static inline unsigned
pick(uint64_t *state, unsigned below)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(*state >> 33) % below;
}

static inline void
end_one(struct world *w, uint64_t *state)
{
	size_t at = pick(state, (unsigned)w->workers.count);
	bool fails = w->workers.runs[at]->code->rules->retries && pick(state, 3) == 0;

	run_end(w, at, fails ? EXEC_FAILED : EXEC_SUCCESS, fails ? "bad luck" : NULL);
}

/* One random step of the world: commits of any of the types up to a total, announcements behind
 * them, answers early or late. */
static inline void
random_step(struct world *w, uint64_t *state, size_t *announced, size_t total,
	const char *const types[3])
{
	struct store *store = &w->store;
	size_t reads = store->held_read_count;
	size_t read = reads ? pick(state, (unsigned)reads) : 0;

	store->job_events = pick(state, 3); /* any, one or two at a time */
	switch (pick(state, 10)) {
	case 0:
	case 1:
		if (store->count < total)
			commit(w, types[pick(state, 3)]);
		break;
	case 2:
	case 3:
		if (*announced < store->count)
			dispatcher_add(w->d, store->events[(*announced)++]);
		break;
	case 4:
		if (store->read_done && !store->is_read_made)
			read_make(w);
		break;
	case 5:
		if (store->read_done)
			read_answer(w, 0);
		break;
	case 6:
		(void)commit_answer(w);
		break;
	case 7:
		if (reads && !store->held_reads[read].is_made)
			held_read_make(w, read);
		break;
	case 8:
		if (reads)
			held_read_answer(w, read);
		break;
	default:
		if (w->workers.count)
			end_one(w, state);
	}
}

#endif
