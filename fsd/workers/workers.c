/* The pool: its life, its turns, its deadlines.
 *
 * There is one timer, set to the earliest deadline.  It is not moved when that run ends, so most
 * runs cost no timer work at all; it then fires once for nothing and looks for the next.  With
 * nothing under way it is off: an idle pool has no wake-ups.
 *
 * Sending and burying happen once a turn of the loop (on_soon): all frames of a turn for one worker
 * go out in one write, and no worker disappears under a callback of its own.
 */
#include "fsd/workers/workers.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "fsd/workers/cgroup.h"
#include "fsd/workers/pool.h"

#include <assert.h>
#include <poll.h>
#include <string.h>

#define SWEEP_MS      2000 /* for what hooks left behind, at stop */
#define LIMIT_DEFAULT 100
#define TIMEOUT_MS    30000
#define MEMORY_BYTES  (64ull << 20)

/* ---- turns ---------------------------------------------------------------------------------- */

static void
bury_dead(struct workers *pool)
{
	struct crew *crew;
	struct worker *w, *next;

	LIST_FOREACH (crew, &pool->crews, link) {
		for (w = TAILQ_FIRST(&crew->workers); w; w = next) {
			next = TAILQ_NEXT(w, link);
			if (w->is_lost && w->is_exited)
				worker_bury(w);
		}
	}
}

static void
on_soon(uv_idle_t *soon)
{
	struct workers *pool = soon->data;
	struct worker *w;

	(void)uv_idle_stop(soon); /* cannot fail */
	while ((w = STAILQ_FIRST(&pool->dirty))) {
		STAILQ_REMOVE_HEAD(&pool->dirty, dirty_link);
		w->is_dirty = false;
		worker_flush(w);
	}
	bury_dead(pool);
}

void
pool_soon(struct workers *pool)
{
	if (!pool->is_stopping)
		(void)uv_idle_start(&pool->soon, on_soon); /* cannot fail; again is harmless */
}

/* ---- deadlines ------------------------------------------------------------------------------ */

/* The worker of an overdue run is killed; the rest follows when it is gone. */
static void
on_deadline(uv_timer_t *timer)
{
	struct workers *pool = timer->data;
	uint64_t now = uv_hrtime(), next = 0;

	pool->armed_ns = 0;
	for (uint32_t i = 0; i < pool->slots.cap; i++) {
		struct slot *slot = &pool->slots.at[i];

		if (!slot->worker || slot->is_overdue)
			continue;
		if (slot->deadline_ns <= now) {
			slot->is_overdue = slot->worker->is_overdue = true;
			worker_kill(slot->worker);
		} else if (next == 0 || slot->deadline_ns < next) {
			next = slot->deadline_ns;
		}
	}
	if (next)
		pool_arm(pool, next);
}

void
pool_arm(struct workers *pool, uint64_t deadline_ns)
{
	uint64_t now, wait_ms;

	if (pool->armed_ns && pool->armed_ns <= deadline_ns)
		return;
	now = uv_hrtime();
	wait_ms = deadline_ns > now ? (deadline_ns - now) / NS_PER_MS + 1 : 0;
	pool->armed_ns = deadline_ns;
	uv_update_time(pool->loop);
	(void)uv_timer_start(&pool->deadline, on_deadline, wait_ms, 0); /* cannot fail */
}

/* ---- the zygote ----------------------------------------------------------------------------- */

static struct worker *
find_worker(struct workers *pool, uint32_t request, pid_t pid)
{
	struct crew *crew;
	struct worker *w;

	LIST_FOREACH (crew, &pool->crews, link) {
		TAILQ_FOREACH (w, &crew->workers, link) {
			if (request ? w->request == request : w->pid == pid && !w->is_exited)
				return w;
		}
	}
	return NULL;
}

static void
on_forked(struct workers *pool, struct zygote_news *news)
{
	struct worker *w = find_worker(pool, news->request, 0);

	if (!w) {
		fd_auto(&news->pidfd); /* buried without having lived */
		return;
	}
	if (news->pid == 0) {
		w->is_exited = true;
		worker_lost(w, news->error);
		pool_soon(pool);
		return;
	}
	w->pid = news->pid;
	w->pidfd = TAKE_FD(news->pidfd);
	if (w->is_killed)
		worker_kill(w);
}

/* Without the zygote every worker dies.  Wait for that, so that what is repeated elsewhere cannot
 * run twice at once. */
static void
zygote_lost(struct workers *pool)
{
	uint32_t newest = pool->forks; /* later ones are the next zygote's */
	struct crew *crew;
	struct worker *w;

	log_write(pool->log, LOG_LEVEL_ERROR,
		"the process that forks workers has ended: what ran is interrupted, a new one is "
		"started");
	uv_close((uv_handle_t *)pool->zygote_poll, (uv_close_cb)free);
	pool->zygote_poll = NULL;
	zygote_stop(pool->zygote_fd, pool->zygote_pid);
	pool->zygote_fd = -1;
	LIST_FOREACH (crew, &pool->crews, link) {
		TAILQ_FOREACH (w, &crew->workers, link) {
			struct pollfd end = {.fd = w->pidfd, .events = POLLIN};

			if (w->is_exited || w->request > newest)
				continue;
			worker_kill(w);
			if (w->pidfd >= 0)
				(void)poll(&end, 1, SWEEP_MS); /* SIGKILL ends it */
			worker_exited(w, ENDED_WITH_ZYGOTE);
		}
	}
}

static void
on_zygote(uv_poll_t *handle, int status, int events)
{
	struct workers *pool = handle->data;
	struct zygote_news news;
	struct worker *w;
	int rc = status;

	(void)events; /* only UV_READABLE was asked for */
	while (rc >= 0 && (rc = zygote_hear(pool->zygote_fd, &news)) > 0) {
		if (news.type == ZYGOTE_FORKED)
			on_forked(pool, &news);
		else if ((w = find_worker(pool, 0, news.pid)))
			worker_exited(w, news.status);
	}
	if (rc < 0)
		zygote_lost(pool);
}

static int
need_zygote(struct workers *pool, struct err *err)
{
	const struct zygote_options opt = {.program = pool->program,
		.scope = pool->fence.scope,
		.mount = pool->mount,
		.bin_dir = pool->bin_dir,
		.lock_fd = pool->fence.lock_fd,
		.no_new_privs = pool->no_new_privs};
	int rc;

	if (pool->zygote_fd >= 0)
		return 0;
	rc = zygote_start(&opt, &pool->zygote_fd, &pool->zygote_pid, err);
	if (rc < 0)
		return rc;
	pool->zygote_poll = NEW(uv_poll_t);
	rc = uv_poll_init(pool->loop, pool->zygote_poll, pool->zygote_fd);
	assert(rc == 0); /* a new socket can be polled */
	pool->zygote_poll->data = pool;
	(void)uv_poll_start(pool->zygote_poll, UV_READABLE, on_zygote); /* cannot fail */
	return 0;
}

int
pool_ask_zygote(struct workers *pool, const struct zygote_fork *req, struct err *err)
{
	int rc = need_zygote(pool, err);

	return rc < 0 ? rc : zygote_ask(pool->zygote_fd, req, err);
}

/* ---- what others call ----------------------------------------------------------------------- */

static void
on_handle_closed(uv_handle_t *handle)
{
	pool_unref(handle->data);
}

void
pool_unref(struct workers *pool)
{
	struct crew *crew;

	if (--pool->refs > 0)
		return;
	while ((crew = LIST_FIRST(&pool->crews))) {
		LIST_REMOVE(crew, link);
		free(crew->home);
		free(crew);
	}
	slots_fini(&pool->slots);
	free(pool->program);
	free(pool->mount);
	free(pool->bin_dir);
	free(pool->cgroup);
	free(pool);
}

static void
close_handles(struct workers *pool)
{
	uv_close((uv_handle_t *)&pool->soon, on_handle_closed);
	uv_close((uv_handle_t *)&pool->deadline, on_handle_closed);
	if (pool->zygote_poll)
		uv_close((uv_handle_t *)pool->zygote_poll, (uv_close_cb)free);
	pool->zygote_poll = NULL;
}

int
workers_start(uv_loop_t *loop, const struct worker_options *opt,
	const struct worker_services *services, struct workers **ret_workers, struct err *err)
{
	struct workers *pool = NEW(struct workers);
	int rc;

	pool->loop = loop;
	pool->refs = 2; /* the two handles */
	pool->program = mem_strdup(opt->program);
	pool->mount = mem_strdup(opt->mount);
	pool->bin_dir = mem_strdup(opt->bin_dir);
	pool->log = opt->log;
	pool->no_new_privs = opt->no_new_privs;
	pool->services = *services;
	pool->zygote_fd = -1;
	pool->fence.lock_fd = -1;
	pool->cores = uv_available_parallelism() < 2 ? 2 : uv_available_parallelism();
	pool->limit = LIMIT_DEFAULT;
	pool->timeout_ms = TIMEOUT_MS;
	pool->suspect_ms = SUSPECT_MS;
	pool->grace_ms = GRACE_MS;
	pool->memory_bytes = MEMORY_BYTES;
	pool->level = LOG_LEVEL_INFO;
	LIST_INIT(&pool->crews);
	STAILQ_INIT(&pool->dirty);
	pool->soon.data = pool->deadline.data = pool;
	(void)uv_idle_init(loop, &pool->soon);      /* cannot fail */
	(void)uv_timer_init(loop, &pool->deadline); /* cannot fail */
	rc = fence_take(opt->state_dir, &pool->fence, err);
	if (rc == 0) {
		pool->cgroup = cgroup_open(pool->fence.scope);
		rc = need_zygote(pool, err);
	}
	if (rc < 0) {
		fence_fini(&pool->fence);
		close_handles(pool);
		return rc;
	}
	*ret_workers = pool;
	return 0;
}

void
workers_set_limit(struct workers *w, unsigned invocations)
{
	w->limit = invocations ? invocations : 1;
}

void
workers_set_defaults(struct workers *w, unsigned timeout_ms, uint64_t memory_bytes)
{
	bool is_same = w->memory_bytes == memory_bytes;
	struct crew *crew;
	struct worker *worker;

	w->timeout_ms = timeout_ms;
	w->memory_bytes = memory_bytes;
	if (is_same)
		return;
	LIST_FOREACH (crew, &w->crews, link) {
		TAILQ_FOREACH (worker, &crew->workers, link) {
			if (!worker->is_lost)
				talk_forget_scripts(worker); /* they were sent with the old one */
		}
	}
}

void
workers_set_log_level(struct workers *w, enum log_level level)
{
	struct crew *crew;
	struct worker *worker;

	w->level = level;
	LIST_FOREACH (crew, &w->crews, link) {
		TAILQ_FOREACH (worker, &crew->workers, link) {
			if (!worker->is_lost)
				talk_level(worker);
		}
	}
}

unsigned
workers_limit(const struct workers *w)
{
	return w->limit;
}

unsigned
workers_busy(const struct workers *w)
{
	return w->runs;
}

/* A new worker may be at work before the zygote's word of its pid has come. */
static bool
is_of(const struct slot *slot, pid_t worker)
{
	const struct worker *w = slot->worker;

	return w && (w->pid == worker || w->pid == 0) && slot->run && !slot->run->is_dry;
}

/* Lua is executed by the thread that gave the process its id. */
static uint32_t
run_on(const struct worker_page *page, pid_t worker, pid_t thread)
{
	if (thread == worker)
		return page->is_collecting ? 0 : page->running;
	for (int i = 0; i < WORKER_HANDS; i++)
		if (page->hands[i].thread == (uint32_t)thread)
			return page->hands[i].run;
	return 0;
}

uint32_t
workers_run_of(const struct workers *w, pid_t worker, pid_t thread)
{
	for (uint32_t i = 0; i < w->slots.cap; i++) {
		const struct slot *slot = &w->slots.at[i];

		if (is_of(slot, worker) && slot->worker->page && slot->worker->pid == worker)
			return run_on(slot->worker->page, worker, thread);
	}
	return 0;
}

bool
workers_find_event(struct workers *w, pid_t worker, uint32_t run, const struct event **ret_ev,
	unsigned *ret_depth)
{
	const struct slot *slot = run ? slots_find(&w->slots, run) : NULL;
	unsigned found = 0, depth = 0;

	for (uint32_t i = 0; !run && i < w->slots.cap; i++) {
		if (!is_of(&w->slots.at[i], worker))
			continue;
		slot = &w->slots.at[i];
		if (slot->run->event->depth > depth)
			depth = slot->run->event->depth;
		found++;
	}
	if (!slot || !is_of(slot, worker))
		return false;
	*ret_ev = found > 1 ? NULL : slot->run->event;
	*ret_depth = found > 1 ? depth : slot->run->event->depth;
	return true;
}

unsigned
workers_processes(const struct workers *w)
{
	return w->processes;
}

void
workers_run(struct workers *w, struct run *run)
{
	struct run_outcome refused = {.status = EXEC_INTERRUPTED};

	assert(run->code->source && run->done);
	run->restarts = 0;
	if (!w->is_stopping) {
		pool_place_run(w, run);
		return;
	}
	refused.error = mem_strdup(STOPPED_TEXT);
	run->done(run, &refused);
	free(refused.error);
}

void
workers_cancel(struct workers *w, struct run *run, enum run_result result)
{
	struct slot *slot = slots_find(&w->slots, run->id);

	if (!slot || slot->run != run || slot->is_cancelled)
		return;
	slot->is_cancelled = true;
	slot->wanted = result;
	slot->deadline_ns = uv_hrtime() + w->grace_ms * NS_PER_MS;
	pool_arm(w, slot->deadline_ns);
	if (!slot->worker->is_lost)
		talk_cancel(slot->worker, run->id, result);
}

void
workers_check(struct workers *w, const struct check_request *req, workers_meta_fn *done, void *arg)
{
	struct check *check;
	struct err err;

	if (w->is_stopping) {
		done(arg, err_set(&err, ECANCELED, STOPPED_TEXT), NULL, &err);
		return;
	}
	check = NEW(struct check);
	check->path = mem_strdup(req->path);
	check->source = mem_strndup(req->source, req->source_len);
	check->source_len = req->source_len;
	check->lib_dirs = mem_strdup(req->lib_dirs);
	check->match = mem_strdup(req->match);
	check->uid = req->uid;
	check->gid = req->gid;
	check->done = done;
	check->arg = arg;
	pool_place_check(w, check);
}

void
workers_stop(struct workers *w)
{
	struct crew *crew;
	struct worker *worker;

	if (!w)
		return;
	w->is_stopping = true;
	zygote_stop(w->zygote_fd, w->zygote_pid);
	w->zygote_fd = -1;
	cgroup_kill(w->cgroup);
	(void)fence_sweep(w->fence.scope, SWEEP_MS);
	LIST_FOREACH (crew, &w->crews, link) {
		TAILQ_FOREACH (worker, &crew->workers, link) {
			if (!worker->is_exited)
				worker_exited(worker, ENDED_WITH_ZYGOTE);
		}
	}
	bury_dead(w);
	cgroup_close(w->cgroup);
	fence_fini(&w->fence);
	close_handles(w);
}
