/* order_by: the events of one value of a hook run one after the other, in the order of seq.
 *
 * A lane is the ascending list of the seqs of a hook's open jobs whose value has the same hash, and
 * only the first may run.  A job is in it from its match to its result, so what is held, or waits
 * for its next attempt, keeps its place.  Two values with one hash share a lane: they wait for each
 * other without need, which nobody will see.
 *
 * The list holds numbers, not jobs: those behind the first may be parked, at eight bytes each. When
 * the first is not in memory it is read.  A place that is given up in the middle is only marked, so
 * everything but a start costs O(log n) at most.
 *
 * After a start lower seqs of a lane may be unknown as long as the events below have not been
 * matched.  A job that comes so early waits in d->early.
 */
#include "base/auto.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "fsd/events/dispatcher_impl.h"

#include <stdlib.h>
#include <string.h>

#define LANE_GONE (UINT64_C(1) << 63) /* seqs are below 2^42 */

static uint64_t
seq_at(const struct lane *lane, size_t at)
{
	return lane->seqs[lane->from + at] & ~LANE_GONE;
}

/* Where seq is, or would be. */
static size_t
find_place(const struct lane *lane, uint64_t seq)
{
	size_t low = 0, high = lane->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (seq_at(lane, middle) < seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct lane *
lane_find(struct dispatcher *d, uint64_t hook_id, uint64_t number)
{
	struct lane_key key = {hook_id, number};
	struct lane *lane;

	HASH_FIND(hh, d->lanes, &key, sizeof(key), lane);
	return lane;
}

static void
lane_free(struct dispatcher *d, struct lane *lane)
{
	HASH_DEL(d->lanes, lane);
	free(lane->seqs);
	free(lane);
}

/* Room for one more at the end. */
static void
lane_grow(struct lane *lane)
{
	if (lane->from + lane->count < lane->cap)
		return;
	if (lane->from > lane->cap / 2) {
		memmove(lane->seqs, lane->seqs + lane->from, lane->count * sizeof(*lane->seqs));
		lane->from = 0;
		return;
	}
	lane->cap = lane->cap ? 2 * lane->cap : 4;
	lane->seqs = mem_realloc(lane->seqs, lane->cap * sizeof(*lane->seqs));
}

void
lane_add(struct dispatcher *d, const struct lane_seq *place)
{
	struct lane *lane = lane_find(d, place->hook_id, place->lane);
	size_t at;

	if (!lane) {
		lane = NEW(struct lane);
		lane->key = (struct lane_key){place->hook_id, place->lane};
		HASH_ADD(hh, d->lanes, key, sizeof(lane->key), lane);
	}
	at = find_place(lane, place->seq);
	if (at < lane->count && seq_at(lane, at) == place->seq)
		return; /* known from the store */
	lane_grow(lane);
	memmove(lane->seqs + lane->from + at + 1, lane->seqs + lane->from + at,
		(lane->count - at) * sizeof(*lane->seqs));
	lane->seqs[lane->from + at] = place->seq;
	lane->count++;
}

/* FNV-1a; never 0. */
static uint64_t
hash_of(const char *text, size_t len)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
	return hash ? hash : 1;
}

void
lane_enter(struct dispatcher *d, struct job *job)
{
	AUTO(sbuf) struct sbuf value = {0};
	struct lane_seq place = {.hook_id = job->ex.hook_id, .seq = job->ex.seq};

	if (!rule_path_value(job->held->ev, job_rules(job)->order_by, &value))
		return; /* without a value there is nothing to be in order with */
	place.lane = job->ex.lane = hash_of(value.data, value.len);
	lane_add(d, &place);
}

bool
lane_lets(struct dispatcher *d, struct job *job)
{
	const struct lane *lane = lane_find(d, job->ex.hook_id, job->ex.lane);

	if (seq_at(lane, 0) != job->ex.seq)
		return false;
	if (backlog_is_matched(d, job->ex.seq))
		return true;
	if (!job->is_early)
		TAILQ_INSERT_TAIL(&d->early, job, early);
	job->is_early = true;
	return false;
}

static void
forget_early(struct dispatcher *d, struct job *job)
{
	if (job->is_early)
		TAILQ_REMOVE(&d->early, job, early);
	job->is_early = false;
}

void
lanes_look(struct dispatcher *d)
{
	struct job *job, *next;

	for (job = TAILQ_FIRST(&d->early); job; job = next) {
		next = TAILQ_NEXT(job, early);
		if (!backlog_is_matched(d, job->ex.seq))
			continue;
		forget_early(d, job);
		if (job->stage == JOB_BLOCKED)
			hold_due(d, job);
	}
}

/* The first of the lane has changed. */
static void
wake_first(struct dispatcher *d, const struct lane *lane)
{
	uint64_t seq = seq_at(lane, 0);
	struct held *held = held_find(d, seq);
	struct job *job;

	if (!held) {
		park_fetch(d, seq);
		return;
	}
	STAILQ_FOREACH (job, &held->jobs, sibling) {
		if (job->ex.hook_id == lane->key.hook_id && job->stage == JOB_BLOCKED)
			hold_due(d, job);
	}
}

void
lane_leave(struct dispatcher *d, struct job *job)
{
	struct lane *lane = lane_find(d, job->ex.hook_id, job->ex.lane);
	size_t at = lane ? find_place(lane, job->ex.seq) : 0;

	forget_early(d, job);
	if (!lane || at == lane->count || seq_at(lane, at) != job->ex.seq)
		return; /* its version had no such rule when it was matched */
	lane->seqs[lane->from + at] |= LANE_GONE;
	while (lane->count && lane->seqs[lane->from] & LANE_GONE) {
		lane->from++;
		lane->count--;
	}
	if (lane->count == 0)
		lane_free(d, lane);
	else if (at == 0)
		wake_first(d, lane);
}

void
lanes_start(struct dispatcher *d)
{
	struct lane *lane, *next;

	HASH_ITER (hh, d->lanes, lane, next) {
		park_fetch(d, seq_at(lane, 0));
	}
}

void
lanes_fini(struct dispatcher *d)
{
	struct lane *lane, *next;

	HASH_ITER (hh, d->lanes, lane, next) {
		lane_free(d, lane);
	}
}
