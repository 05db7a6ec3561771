/* The store's part for what hooks hold: recording it, finding it when it is due, and what an
 * earlier life left.  The rules of store.h hold for all of it.
 */
#ifndef SLOTH_STORE_HELD_H
#define SLOTH_STORE_HELD_H

#include "fsd/store/store.h"

/* What was decided of executions that are not final, recorded before anything runs by it. */
struct admission {
	struct execution_list executions; /* held with due_ns, or running: admitted */
	struct gate_count_list counts;
	/* Events that leave memory since all that is open of them is held: their status becomes
	 * processing, and store_read_pending passes them over. */
	const uint64_t *parked;
	size_t parked_count;
	/* Events that were parked and are in work again: pending. */
	const uint64_t *unparked;
	size_t unparked_count;
};
/* A final state is never overwritten.  Works inside the reserve.  Takes: both lists' members;
 * borrows the arrays during the call only. */
void store_admit(struct store *store, struct admission *admission, store_done_fn *done, void *arg);

/* Where an execution that is held stands in the order of what its hook holds. */
struct due_key {
	int64_t due_ns;
	uint64_t seq;
};

/* The parked event with the lowest seq; UINT64_MAX: there is none. */
struct parked_low {
	uint64_t seq;
	int64_t created_ns;
};

/* Parked events of which one hook holds an execution, in the order of their due_key from `from` on,
 * at most limit events and a few MiB of data, with all their executions in the order of events. */
struct due_page {
	struct event_list events;
	struct execution_list executions;
	struct due_key next; /* of the first that is not among them; due_ns 0: these are all */
	struct parked_low low;
};
/* The page is the store's but for what is moved out of its lists. */
typedef void store_due_fn(void *arg, int code, struct due_page *page);
void store_read_due(struct store *store, uint64_t hook_id, const struct due_key *from, size_t limit,
	store_due_fn *done, void *arg);

/* How many executions of each hook its rules hold (not those that wait for a retry): calls fn for
 * each hook that has any.  Blocks: yes (start only). */
typedef void store_held_count_fn(void *arg, uint64_t hook_id, uint64_t count);
int store_count_held(
	struct store *store, store_held_count_fn *fn, void *arg, struct err *err) MUST_USE;

/* What an earlier life left held. */
struct lane_seq {
	uint64_t hook_id, lane, seq;
};
struct lot_first {
	uint64_t hook_id;
	int64_t due_ns; /* of the first it holds */
};
struct store_held {
	uint64_t parked; /* events */
	struct parked_low low;
	struct lot_first *hooks; /* that hold something */
	size_t hook_count;
	struct lane_seq *lanes; /* every execution in a lane, by hook, lane and seq */
	size_t lane_count;
};
/* Blocks: yes (start only).  Returns owned in *ret_held: store_held_fini. */
int store_load_held(struct store *store, struct store_held *ret_held, struct err *err) MUST_USE;
void store_held_fini(struct store_held *held);

#endif
