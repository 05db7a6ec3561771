/* One worker process, seen from the daemon: a socket, a pidfd, a page it shares with us.
 *
 * It is usable from the moment the zygote was asked: what is sent waits in the socket until the
 * process reads it.  Its end is told twice, by its socket (closed) and by the zygote (wait status);
 * it is buried when both are known, so that everything it said before it died is read first.
 * Nothing is freed inside a callback of its own: burying is done by the pool between turns.
 *
 * Bounded: reading stops while WORKER_REQUESTS_MAX requests are unanswered; what is sent is bounded
 * by the number of runs under way.
 */
#include "base/auto.h"
#include "base/frame.h"
#include "base/mem.h"
#include "fsd/workers/cgroup.h"
#include "fsd/workers/pool.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>

#define READ_BYTES 65536
#define READ_MAX   (4 * READ_BYTES) /* of one worker in one turn, so that others get theirs */
#define KEEP_BYTES (256u * 1024)    /* a buffer that grew beyond is given back when empty */

static void worker_watch(struct worker *w);

/* ---- reading -------------------------------------------------------------------------------- */

static bool
is_paused(const struct worker *w)
{
	return w->requests >= WORKER_REQUESTS_MAX && !w->is_exited;
}

/* Handle the whole frames in the buffer. */
static void
handle_input(struct worker *w)
{
	size_t at = 0;

	while (!is_paused(w) && !w->is_lost) {
		struct err err = {0};
		struct frame frame;
		int64_t used = frame_parse(w->in.data + at, w->in.len - at, &frame, &err);

		if (used == 0)
			break;
		if (used < 0 || talk_handle(w, &frame, &err) < 0) {
			worker_lost(w, err.msg);
			return;
		}
		at += (size_t)used;
	}
	sbuf_shift(&w->in, at);
	if (w->in.len == 0 && w->in.cap > KEEP_BYTES)
		sbuf_fini(&w->in);
}

/* Returns false when there is no more to read for now. */
static bool
read_some(struct worker *w)
{
	ssize_t n = recv(w->fd, sbuf_room(&w->in, READ_BYTES), READ_BYTES, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		worker_lost(w, NULL);
		return false;
	}
	w->in.len += (size_t)n;
	w->heard_ns = uv_hrtime();
	handle_input(w);
	return n == READ_BYTES && !w->is_lost;
}

static void
worker_read(struct worker *w)
{
	for (int bytes = 0; bytes < READ_MAX && !is_paused(w) && read_some(w);)
		bytes += READ_BYTES;
}

/* ---- writing -------------------------------------------------------------------------------- */

void
worker_push(struct worker *w)
{
	if (w->is_dirty)
		return;
	w->is_dirty = true;
	STAILQ_INSERT_TAIL(&w->pool->dirty, w, dirty_link);
	pool_soon(w->pool);
}

void
worker_flush(struct worker *w)
{
	while (!w->is_lost && w->out_at < w->out.len) {
		ssize_t n = send(w->fd, w->out.data + w->out_at, w->out.len - w->out_at,
			MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break; /* full: on_ready goes on; broken: the read side tells */
		w->out_at += (size_t)n;
	}
	if (w->out_at == w->out.len) {
		sbuf_reset(&w->out);
		w->out_at = 0;
		if (w->out.cap > KEEP_BYTES)
			sbuf_fini(&w->out);
	}
	handle_input(w); /* an answer may have ended a pause */
	if (!w->is_lost)
		worker_watch(w);
}

/* ---- watching ------------------------------------------------------------------------------- */

static void
on_ready(uv_poll_t *poll, int status, int events)
{
	struct worker *w = poll->data;

	/* The socket is broken (libuv calls that EBADF and stops), but what the worker still said
	 * can be read, and then its end. */
	if (status < 0) {
		w->watched = 0;
		events = UV_READABLE;
	}
	if (events & UV_WRITABLE)
		worker_flush(w);
	if (events & UV_READABLE && !w->is_lost)
		worker_read(w);
	if (!w->is_lost)
		worker_watch(w);
}

static void
worker_watch(struct worker *w)
{
	int events = (is_paused(w) ? 0 : UV_READABLE) | (w->out_at < w->out.len ? UV_WRITABLE : 0);

	if (events == w->watched)
		return;
	w->watched = events;
	if (events)
		(void)uv_poll_start(&w->poll, events, on_ready); /* cannot fail on an open handle */
	else
		(void)uv_poll_stop(&w->poll); /* cannot fail */
}

/* ---- birth ---------------------------------------------------------------------------------- */

static struct worker_page *
page_new(int *ret_fd)
{
	AUTO(fd) int fd = memfd_create("sloth-worker", MFD_CLOEXEC);
	void *page;

	if (fd < 0 || ftruncate(fd, sizeof(struct worker_page)) < 0)
		return NULL;
	page = mmap(NULL, sizeof(struct worker_page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return NULL;
	*ret_fd = TAKE_FD(fd);
	return page;
}

static int
worker_fork(struct worker *w, struct err *err)
{
	struct workers *pool = w->pool;
	AUTO(fd) int theirs = -1, page = -1;
	int ends[2], rc;

	w->page = page_new(&page);
	if (!w->page || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return err_set(err, errno, "descriptors for a worker: %s", strerror(errno));
	w->fd = ends[0];
	theirs = ends[1];
	w->cgroup = cgroup_make(pool->cgroup, w->request);
	rc = uv_poll_init(pool->loop, &w->poll, w->fd); /* makes it non-blocking */
	if (rc < 0)
		return err_set(err, -rc, "a worker's socket: %s", uv_strerror(rc));
	w->poll.data = w;
	w->refs++;
	worker_watch(w);
	return pool_ask_zygote(pool,
		&(struct zygote_fork){.request = w->request,
			.uid = w->crew->uid,
			.gid = w->crew->gid,
			.home = w->crew->home,
			.cgroup = w->cgroup,
			.socket_fd = theirs,
			.page_fd = page},
		err);
}

struct worker *
worker_new(struct crew *crew, struct workers *pool, enum worker_use use)
{
	struct worker *w = NEW(struct worker);
	struct err err = {0};

	w->pool = pool;
	w->crew = crew;
	w->use = use;
	w->refs = 1;
	w->pidfd = w->fd = -1;
	w->request = ++pool->forks;
	pool->processes++;
	pool->refs++;
	TAILQ_INSERT_TAIL(&crew->workers, w, link);
	if (worker_fork(w, &err) < 0) {
		w->is_exited = true; /* there never was one */
		worker_lost(w, err.msg);
	} else {
		talk_level(w);
	}
	return w;
}

/* ---- death ---------------------------------------------------------------------------------- */

void
worker_unref(struct worker *w)
{
	struct script *script, *next;

	if (--w->refs > 0)
		return;
	HASH_ITER (hh, w->scripts, script, next) {
		HASH_DEL(w->scripts, script);
		free(script);
	}
	fd_auto(&w->fd);
	fd_auto(&w->pidfd);
	if (w->page)
		(void)munmap(w->page, sizeof(*w->page)); /* cannot fail: it is our mapping */
	sbuf_fini(&w->in);
	sbuf_fini(&w->out);
	free(w->cgroup);
	pool_unref(w->pool);
	free(w);
}

void
worker_kill(struct worker *w)
{
	w->is_killed = true;
	cgroup_kill(w->cgroup);
	if (w->pidfd >= 0)
		(void)pidfd_send_signal(w->pidfd, SIGKILL, NULL, 0); /* ESRCH: gone already */
}

static void
on_poll_closed(uv_handle_t *handle)
{
	worker_unref(handle->data);
}

void
worker_lost(struct worker *w, const char *why)
{
	if (w->is_lost)
		return;
	w->is_lost = true;
	if (why)
		(void)snprintf(w->why, sizeof(w->why), "%s", why); /* both are one message long */
	if (w->poll.data)
		uv_close((uv_handle_t *)&w->poll, on_poll_closed);
	if (!w->is_exited)
		worker_kill(w);
	pool_soon(w->pool);
}

void
worker_exited(struct worker *w, int status)
{
	w->is_exited = true;
	w->status = status;
	handle_input(w);
	while (!w->is_lost && read_some(w))
		continue;
	worker_lost(w, NULL);
	cgroup_kill(w->cgroup); /* what it started may still be there */
	pool_soon(w->pool);
}
