/* Reading the bytes of a conversation on events/emit: records out of pieces, events out of records.
 * Pure functions; emit.c calls them on intake's thread. */
#ifndef SLOTH_EVENTS_INTAKE_H
#define SLOTH_EVENTS_INTAKE_H

#include "base/err.h"
#include "base/sbuf.h"
#include "fsd/events/scan.h"
#include "fsd/store/records.h"

struct envelope_from;

/* What one conversation holds between writes: the bytes of a record that is not complete. */
struct intake_state {
	struct scan scan;
	struct sbuf partial;
};

/* The outcome of reading a piece of a conversation, or the beginning of one with many
 * events. */
struct intake_batch {
	struct event **events; /* owned references */
	size_t count, cap;
	size_t taken; /* bytes: up to the first record that is not valid, or as far as was read */
	int code;     /* of that record; only told when taken is 0 */
	struct err err;
	struct scan scan;      /* the scanner after what was taken */
	struct sbuf tail;      /* bytes behind the last complete record */
	size_t partial_before; /* bytes the state held */
	bool has_used_partial; /* they are part of a record that ended */
};

/* Read data after what the state holds, up to max events.  The state changes only by growing its
 * partial; apply or undo finishes it.  Thread: any, one at a time a state. */
void intake_read(struct intake_state *state, const char *data, size_t len, size_t max,
	const struct envelope_from *from, struct intake_batch *batch);

/* Judge what is unfinished: a line is a record now, an object is refused. */
void intake_finish(
	struct intake_state *state, const struct envelope_from *from, struct intake_batch *batch);

/* The batch was committed (or holds nothing to commit), or it was not. */
void intake_apply(struct intake_state *state, struct intake_batch *batch);
void intake_undo(struct intake_state *state, struct intake_batch *batch);
/* Drop the state's unfinished record. */
void intake_drop(struct intake_state *state);
void intake_batch_fini(struct intake_batch *batch);

#endif
