/* One queue per hook, and whose turn it is.
 *
 * d->ready lists the queues that may start a job: not empty, below the hook's concurrency.  The
 * first one starts one job and goes to the end, so a hook with a million events waiting delays
 * another's only event by one job.  Queues of a higher priority come first, but every
 * LOWER_EVERY-th start goes to one of the lower ones, each level in its turn: they are slowed down
 * to that share, and never starved.
 */
#include "base/auto.h"
#include "base/mem.h"
#include "fsd/events/dispatcher_impl.h"

#define LOWER_EVERY 16 /* starts */

static unsigned
concurrency(const struct dispatcher *d, const struct hook_code *code)
{
	unsigned quarter = workers_limit(d->rooms.workers) / 4;

	if (code->concurrency)
		return code->concurrency;
	return quarter ? quarter : 1;
}

static void
ready_add(struct ready *ready, struct hook_queue *queue, int priority)
{
	unsigned level = (unsigned)(PRIORITY_MAX - priority);

	queue->level = level;
	queue->is_ready = true;
	TAILQ_INSERT_TAIL(&ready->levels[level], queue, link);
	ready->used[level / 64] |= UINT64_C(1) << level % 64;
}

/* The first level in use from `from` on; LEVELS: none. */
static unsigned
ready_level(const struct ready *ready, unsigned from)
{
	unsigned word = from / 64;
	uint64_t bits;

	if (from >= LEVELS)
		return LEVELS;
	bits = ready->used[word] & (~UINT64_C(0) << from % 64);
	while (!bits && ++word < sizeof(ready->used) / sizeof(ready->used[0]))
		bits = ready->used[word];
	return bits ? word * 64 + (unsigned)__builtin_ctzll(bits) : LEVELS;
}

/* Whose turn it is; NULL: nobody's. */
static struct hook_queue *
ready_next(struct ready *ready)
{
	unsigned top = ready_level(ready, 0), level = top;

	if (top == LEVELS)
		return NULL;
	if (++ready->starts % LOWER_EVERY == 0) {
		level = ready_level(ready, (ready->turn > top ? ready->turn : top) + 1);
		if (level == LEVELS)
			level = ready_level(ready, top + 1);
		if (level == LEVELS)
			level = top;
		ready->turn = level;
	}
	return TAILQ_FIRST(&ready->levels[level]);
}

static void
ready_remove(struct ready *ready, struct hook_queue *queue)
{
	TAILQ_REMOVE(&ready->levels[queue->level], queue, link);
	queue->is_ready = false;
	if (TAILQ_EMPTY(&ready->levels[queue->level]))
		ready->used[queue->level / 64] &= ~(UINT64_C(1) << queue->level % 64);
}

/* Make the queue ready or free it, whichever it has become. */
static void
queue_update(struct dispatcher *d, struct hook_queue *queue)
{
	struct job *next = STAILQ_FIRST(&queue->waiting);

	if (!next && queue->running == 0) {
		HASH_DEL(d->queues, queue);
		free(queue);
		return;
	}
	if (!next || queue->is_ready || d->is_draining ||
		queue->running >= concurrency(d, next->run.code))
		return;
	ready_add(&d->ready, queue, job_rules(next)->priority);
}

static struct hook_queue *
queue_find(const struct dispatcher *d, uint64_t hook_id)
{
	struct hook_queue *queue;

	HASH_FIND(hh, d->queues, &hook_id, sizeof(hook_id), queue);
	return queue;
}

size_t
queue_length(const struct dispatcher *d, uint64_t hook_id)
{
	const struct hook_queue *queue = queue_find(d, hook_id);

	return queue ? queue->length : 0;
}

static struct hook_queue *
queue_of(struct dispatcher *d, uint64_t hook_id)
{
	struct hook_queue *queue = queue_find(d, hook_id);

	if (queue)
		return queue;
	queue = NEW(struct hook_queue);
	queue->owner = d;
	queue->hook_id = hook_id;
	STAILQ_INIT(&queue->waiting);
	HASH_ADD(hh, d->queues, hook_id, sizeof(queue->hook_id), queue);
	return queue;
}

void
job_ready(struct dispatcher *d, struct job *job)
{
	if (job->ex.lane && !lane_lets(d, job)) {
		job->stage = JOB_BLOCKED;
		park_rest(d, job);
		park_look(d, job->held);
		return;
	}
	if (job->held->is_marked || job->held->is_leaving) {
		hold_admit(d, job); /* it is parked no more */
		return;
	}
	admit_forget(d, job); /* what would have been written had it stayed */
	job->stage = JOB_QUEUED;
	job->queue = queue_of(d, job->ex.hook_id);
	STAILQ_INSERT_TAIL(&job->queue->waiting, job, link);
	job->queue->length++;
	queue_update(d, job->queue);
	dispatcher_wake(d);
}

void
queue_leave(struct dispatcher *d, struct job *job)
{
	struct hook_queue *queue = TAKE(job->queue);

	d->running--;
	queue->running--;
	queue_update(d, queue);
	dispatcher_wake(d);
}

void
queues_update(struct dispatcher *d)
{
	struct hook_queue *queue, *next;

	HASH_ITER (hh, d->queues, queue, next) {
		queue_update(d, queue);
	}
}

void
queues_start(struct dispatcher *d)
{
	struct hook_queue *queue;

	if (d->is_draining)
		return;
	while (d->running < workers_limit(d->rooms.workers) && (queue = ready_next(&d->ready))) {
		struct job *job = STAILQ_FIRST(&queue->waiting);

		ready_remove(&d->ready, queue);
		if (queue->running >= concurrency(d, job->run.code))
			continue; /* the limit went down meanwhile */
		STAILQ_REMOVE_HEAD(&queue->waiting, link);
		queue->length--;
		job->stage = JOB_RUNNING;
		queue->running++;
		d->running++;
		queue_update(d, queue);
		job_start(d, job);
	}
}

/* ---- life ----------------------------------------------------------------------------------- */

void
queues_init(struct dispatcher *d)
{
	for (size_t i = 0; i < LEVELS; i++)
		TAILQ_INIT(&d->ready.levels[i]);
}

void
queues_fini(struct dispatcher *d)
{
	struct hook_queue *queue, *next;

	HASH_ITER (hh, d->queues, queue, next) {
		HASH_DEL(d->queues, queue);
		free(queue);
	}
}
