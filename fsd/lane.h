/* A lane: one thread with one queue, beside the core thread.  The core submits jobs; the lane runs
 * them in order; their completions come back to the core's loop, in order.  Nothing is shared but
 * the job, which belongs to the lane between submit and done.
 *
 * The store's writer and readers, the intake and the file thread are lanes.
 */
#ifndef SLOTH_FSD_LANE_H
#define SLOTH_FSD_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

struct lane;

/* Embed it first in the room's own job struct. */
struct lane_job {
	void (*run)(struct lane_job *job);  /* lane thread; may block */
	void (*done)(struct lane_job *job); /* core thread; frees the job */
	STAILQ_ENTRY(lane_job) link;        /* the lane's */
};
STAILQ_HEAD(lane_jobs, lane_job);

/* Replaces the one-by-one run of jobs: gets all that are queued, in order, and must handle each one
 * (a writer puts them in one transaction).  It may leave a tail in jobs, which comes back first in
 * the next call.  Lane thread. */
typedef void lane_batch_fn(void *arg, struct lane_jobs *jobs, struct lane_jobs *finished);

/* Start the thread.  batch may be NULL: then every job's own run is called.  name shows in `ps -T`
 * (15 bytes).  Thread: core.  Returns owned. */
struct lane *lane_start(uv_loop_t *loop, const char *name, lane_batch_fn *batch, void *arg);

/* The same with a table of descriptors of its own: it has those open now, not what is opened later,
 * and keeps nothing open that the process closes by dying.  For calls that may hang until then.
 * Returns when that is so. */
struct lane *lane_start_apart(uv_loop_t *loop, const char *name);

/* For a batch function that has reason to expect company: sleep until more is queued, which is
 * added behind jobs, or until the time of clock_mono_ns().  Returns whether there was more; at once
 * when the lane is to stop.  Lane thread. */
bool lane_await(struct lane *lane, struct lane_jobs *jobs, int64_t until_ns);

/* Queue a job.  Takes: job.  Thread: core.  Blocks: no. */
void lane_submit(struct lane *lane, struct lane_job *job);

/* Jobs submitted whose done was not called yet.  Thread: core. */
size_t lane_depth(const struct lane *lane);

/* Run what is queued to its end, call every done, join the thread and free the lane.  Thread: core.
 * Blocks: yes (only at stop).  Accepts NULL. */
void lane_stop(struct lane *lane);

#endif
