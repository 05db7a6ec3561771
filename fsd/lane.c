/* A thread with a queue: see lane.h.  One mutex guards both queues; it is never held while a job
 * runs.  Completions are announced through an eventfd when there were none before: one wake-up of
 * the core brings back everything that finished meanwhile.  uv_async_send would do, but the woken
 * loop spins until the call that woke it has returned on the other processor, and yields when that
 * takes long: 6 % of the core's time with one client. */
#include "fsd/lane.h"

#include "base/clock.h"
#include "base/mem.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct lane {
	pthread_t thread;
	pthread_mutex_t lock; /* guards todo, finished, and the next line */
	pthread_cond_t more;  /* of todo; before that, of has_begun */
	struct lane_jobs todo;
	struct lane_jobs finished;
	bool is_stopping, has_begun, is_waiting;
	bool is_apart;
	size_t depth; /* core thread's */
	int wake_fd;
	uv_poll_t wake;
	lane_batch_fn *batch;
	void *arg;
	char name[16];
};

static void
run_each(struct lane_jobs *jobs, struct lane_jobs *finished)
{
	struct lane_job *job;

	while ((job = STAILQ_FIRST(jobs))) {
		STAILQ_REMOVE_HEAD(jobs, link);
		job->run(job);
		STAILQ_INSERT_TAIL(finished, job, link);
	}
}

/* Wait for work.  Moves everything queued behind the tail left over from the last batch. */
static bool
lane_next(struct lane *lane, struct lane_jobs *jobs)
{
	bool has_work;

	pthread_mutex_lock(&lane->lock);
	while (STAILQ_EMPTY(&lane->todo) && STAILQ_EMPTY(jobs) && !lane->is_stopping) {
		lane->is_waiting = true;
		pthread_cond_wait(&lane->more, &lane->lock);
	}
	lane->is_waiting = false;
	STAILQ_CONCAT(jobs, &lane->todo);
	has_work = !STAILQ_EMPTY(jobs);
	pthread_mutex_unlock(&lane->lock);
	return has_work;
}

bool
lane_await(struct lane *lane, struct lane_jobs *jobs, int64_t until_ns)
{
	struct timespec at = {
		.tv_sec = until_ns / NS_PER_S, .tv_nsec = (long)(until_ns % NS_PER_S)};
	bool has_more;
	int rc = 0;

	pthread_mutex_lock(&lane->lock);
	while (STAILQ_EMPTY(&lane->todo) && !lane->is_stopping && rc == 0) {
		lane->is_waiting = true;
		rc = pthread_cond_clockwait(&lane->more, &lane->lock, CLOCK_MONOTONIC, &at);
	}
	lane->is_waiting = false;
	has_more = !STAILQ_EMPTY(&lane->todo);
	STAILQ_CONCAT(jobs, &lane->todo);
	pthread_mutex_unlock(&lane->lock);
	return has_more;
}

static void
lane_give_back(struct lane *lane, struct lane_jobs *finished)
{
	bool must_wake;

	if (STAILQ_EMPTY(finished))
		return;
	pthread_mutex_lock(&lane->lock);
	must_wake = STAILQ_EMPTY(&lane->finished); /* else the core knows, and has not come yet */
	STAILQ_CONCAT(&lane->finished, finished);
	pthread_mutex_unlock(&lane->lock);
	if (must_wake && eventfd_write(lane->wake_fd, 1) != 0)
		abort(); /* cannot fail: the core reads it each time */
}

static void
lane_begin(struct lane *lane)
{
	if (lane->is_apart && unshare(CLONE_FILES) != 0)
		abort(); /* no memory for a table of descriptors: nothing can start */
	pthread_mutex_lock(&lane->lock);
	lane->has_begun = true;
	pthread_cond_signal(&lane->more);
	pthread_mutex_unlock(&lane->lock);
}

static void *
lane_main(void *arg)
{
	struct lane *lane = arg;
	struct lane_jobs jobs = STAILQ_HEAD_INITIALIZER(jobs);
	struct lane_jobs finished = STAILQ_HEAD_INITIALIZER(finished);

	(void)pthread_setname_np(pthread_self(), lane->name); /* cosmetic */
	lane_begin(lane);
	while (lane_next(lane, &jobs)) {
		if (lane->batch)
			lane->batch(lane->arg, &jobs, &finished);
		else
			run_each(&jobs, &finished);
		lane_give_back(lane, &finished);
	}
	return NULL;
}

static void
lane_deliver(struct lane *lane)
{
	struct lane_jobs finished = STAILQ_HEAD_INITIALIZER(finished);
	struct lane_job *job;

	pthread_mutex_lock(&lane->lock);
	STAILQ_CONCAT(&finished, &lane->finished);
	pthread_mutex_unlock(&lane->lock);
	while ((job = STAILQ_FIRST(&finished))) {
		STAILQ_REMOVE_HEAD(&finished, link);
		lane->depth--;
		job->done(job);
	}
}

static void
on_wake(uv_poll_t *wake, int status, int events)
{
	struct lane *lane = wake->data;
	eventfd_t count;

	(void)status;
	(void)events;
	(void)eventfd_read(lane->wake_fd, &count); /* before the queue is looked at */
	lane_deliver(lane);
}

static void
run_thread(struct lane *lane)
{
	sigset_t all, old;

	sigfillset(&all); /* signals belong to the core thread */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&lane->thread, NULL, lane_main, lane) != 0)
		abort();
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_mutex_lock(&lane->lock);
	while (!lane->has_begun)
		pthread_cond_wait(&lane->more, &lane->lock);
	pthread_mutex_unlock(&lane->lock);
}

static struct lane *
lane_new(uv_loop_t *loop, const char *name)
{
	struct lane *lane = NEW(struct lane);
	size_t i;

	for (i = 0; i + 1 < sizeof(lane->name) && name[i]; i++)
		lane->name[i] = name[i];
	STAILQ_INIT(&lane->todo);
	STAILQ_INIT(&lane->finished);
	pthread_mutex_init(&lane->lock, NULL);
	pthread_cond_init(&lane->more, NULL);
	lane->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (lane->wake_fd < 0 || uv_poll_init(loop, &lane->wake, lane->wake_fd) != 0)
		abort(); /* no descriptor: nothing can start */
	lane->wake.data = lane;
	(void)uv_poll_start(&lane->wake, UV_READABLE, on_wake); /* cannot fail on a fresh handle */
	uv_unref((uv_handle_t *)&lane->wake);
	return lane;
}

struct lane *
lane_start(uv_loop_t *loop, const char *name, lane_batch_fn *batch, void *arg)
{
	struct lane *lane = lane_new(loop, name);

	lane->batch = batch;
	lane->arg = arg;
	run_thread(lane);
	return lane;
}

struct lane *
lane_start_apart(uv_loop_t *loop, const char *name)
{
	struct lane *lane = lane_new(loop, name);

	lane->is_apart = true;
	run_thread(lane);
	return lane;
}

void
lane_submit(struct lane *lane, struct lane_job *job)
{
	bool must_wake;

	assert(job->done && (lane->batch || job->run));
	lane->depth++;
	pthread_mutex_lock(&lane->lock);
	STAILQ_INSERT_TAIL(&lane->todo, job, link);
	must_wake = lane->is_waiting;
	lane->is_waiting = false;
	pthread_mutex_unlock(&lane->lock);
	if (must_wake)
		pthread_cond_signal(&lane->more); /* it would wait for the lock if we held it */
}

size_t
lane_depth(const struct lane *lane)
{
	return lane->depth;
}

static void
on_closed(uv_handle_t *handle)
{
	struct lane *lane = handle->data;

	(void)close(lane->wake_fd);
	pthread_mutex_destroy(&lane->lock);
	pthread_cond_destroy(&lane->more);
	free(lane);
}

void
lane_stop(struct lane *lane)
{
	if (!lane)
		return;
	pthread_mutex_lock(&lane->lock);
	lane->is_stopping = true;
	pthread_cond_signal(&lane->more);
	pthread_mutex_unlock(&lane->lock);
	(void)pthread_join(lane->thread, NULL); /* the thread is ours and joinable */
	lane_deliver(lane);
	uv_close((uv_handle_t *)&lane->wake, on_closed);
}
