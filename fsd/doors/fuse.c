/* The FUSE session's life: mount, serve from the core loop, close.
 *
 * libfuse reads a request into its buffer and calls fuse_ops.c; the descriptor is non-blocking and
 * watched by the loop.  A turn serves a bounded number of requests, so that a busy mount cannot
 * starve timers and workers.
 *
 * Closing, in this order: everything parked is answered; what cannot be cancelled (an event being
 * committed) gets a moment; then the descriptor is closed, which ends whatever is still inside the
 * mount, our own thread there included; then the mount is detached and the threads joined.  No step
 * waits for anything a reader does.
 */
#include "base/auto.h"
#include "base/mem.h"
#include "fsd/doors/fuse_door.h"
#include "fsd/doors/mountpoint.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define REQUESTS_A_TURN 64
#define CLOSE_MS        2000 /* for what cannot be cancelled */

/* ---- serving -------------------------------------------------------------------------------- */

static void
end_session(struct fuse_door *door)
{
	(void)uv_poll_stop(&door->poll);
	if (!door->is_closing && door->opt.ended)
		door->opt.ended(door->opt.arg);
}

static void
tell_ready(struct fuse_door *door)
{
	door->is_ready = true;
	fnotify_ready(door);
	if (door->opt.ready)
		door->opt.ready(door->opt.arg);
}

/* Serve one request.  Returns false when there is none. */
static bool
serve_one(struct fuse_door *door)
{
	int n = fuse_session_receive_buf(door->session, &door->buf);

	if (n == -EINTR)
		return true;
	if (n == -EAGAIN)
		return false;
	if (n <= 0) {
		end_session(door);
		return false;
	}
	fuse_session_process_buf(door->session, &door->buf);
	if (door->got_init && !door->is_ready)
		tell_ready(door);
	return true;
}

static void
on_poll(uv_poll_t *poll, int status, int events)
{
	struct fuse_door *door = poll->data;

	(void)events;
	if (status < 0) {
		end_session(door);
		return;
	}
	for (int i = 0; i < REQUESTS_A_TURN && serve_one(door); i++)
		continue;
}

/* ---- input and output ------------------------------------------------------------------------ */

static ssize_t
read_packet(int fd, void *buf, size_t len, void *userdata)
{
	(void)userdata;
	return read(fd, buf, len);
}

/* libfuse 3.14 negotiates parallel directory operations and then forgets to say so in its answer to
 * INIT, which is the first packet it writes; without the flag one lookup that waits for the store
 * holds up all others in its directory. */
static void
mend_init(struct fuse_door *door, const struct iovec *iov, int count)
{
	struct fuse_init_out *out = iov[1].iov_base;

	door->is_init_mended = true;
	if (count == 2 && iov[1].iov_len >= offsetof(struct fuse_init_out, max_background))
		out->flags |= door->init_flags;
}

static ssize_t
write_packet(int fd, struct iovec *iov, int count, void *userdata)
{
	struct fuse_door *door = userdata;

	if (!door->is_init_mended && door->got_init)
		mend_init(door, iov, count);
	return writev(fd, iov, count);
}

static int
connect_io(struct fuse_door *door, int fd, struct err *err)
{
	static const struct fuse_custom_io io = {.read = read_packet, .writev = write_packet};
	int rc = fuse_session_custom_io(door->session, &io, fd);

	return rc < 0 ? err_set(err, -rc, "the FUSE session cannot be attached: %s", strerror(-rc))
		      : 0;
}

/* ---- opening -------------------------------------------------------------------------------- */

static struct fuse_session *
session_new(struct fuse_door *door, struct err *err)
{
	bool is_for_all = door->opt.allow_other || geteuid() == 0;
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_session *session = NULL;

	/* an attached session has no mount for options to apply to */
	if (fuse_opt_add_arg(&args, "sloth-fsd") == 0 &&
		(!door->mount ||
			(fuse_opt_add_arg(&args, "-o") == 0 &&
				fuse_opt_add_arg(&args,
					is_for_all
						? "fsname=sloth,subtype=sloth,default_permissions,"
						  "allow_other"
						: "fsname=sloth,subtype=sloth,"
						  "default_permissions") == 0)))
		session = fuse_session_new(&args, &fuse_door_ops, sizeof(fuse_door_ops), door);
	fuse_opt_free_args(&args);
	if (!session)
		(void)err_set(err, EIO, "the FUSE session cannot be made");
	return session;
}

static int
start_polling(struct fuse_door *door, struct err *err)
{
	int fd = fuse_session_fd(door->session);
	int flags = fcntl(fd, F_GETFL);
	int rc;

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
		fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return err_set(
			err, errno, "the FUSE descriptor cannot be set up: %s", strerror(errno));
	rc = uv_poll_init(door->opt.loop, &door->poll, fd);
	if (rc < 0)
		return err_set(
			err, -rc, "the FUSE descriptor cannot be watched: %s", uv_strerror(rc));
	(void)uv_timer_init(door->opt.loop, &door->deadline); /* cannot fail */
	(void)uv_timer_init(door->opt.loop, &door->late_timer);
	door->uv_handles = 3;
	door->poll.data = door->deadline.data = door->late_timer.data = door;
	(void)uv_poll_start(&door->poll, UV_READABLE, on_poll); /* cannot fail on a fresh handle */
	return 0;
}

static struct fuse_door *
door_new(const struct fuse_options *opt)
{
	struct fuse_door *door = NEW(struct fuse_door);

	door->opt = *opt;
	door->mount = mem_strdup(opt->mount);
	door->opt.mount = NULL; /* borrowed only during the call */
	LIST_INIT(&door->parked);
	LIST_INIT(&door->handles);
	return door;
}

static void
door_free(struct fuse_door *door)
{
	if (door->session)
		fuse_session_destroy(door->session);
	free(door->buf.mem);
	free(door->mount);
	free(door);
}

/* The session is connected: begin to serve.  Takes: door, also on failure. */
static int
door_start(struct fuse_door *door, struct fuse_door **ret_door, struct err *err)
{
	int rc = start_polling(door, err);

	if (rc < 0) {
		fuse_session_unmount(door->session);
		door_free(door);
		return rc;
	}
	fnodes_init(door);
	fnotify_start(door);
	*ret_door = door;
	return 0;
}

static int
mount_session(struct fuse_door *door, struct err *err)
{
	int rc;

	if (access("/dev/fuse", R_OK | W_OK) < 0)
		return err_set(err, errno, "%s: cannot be mounted: /dev/fuse: %s", door->mount,
			strerror(errno));
	if (fuse_session_mount(door->session, door->mount) < 0)
		return err_set(err, EIO,
			"%s: cannot be mounted; an ordinary user needs fusermount3 (package fuse3)",
			door->mount);
	rc = connect_io(door, fuse_session_fd(door->session), err);
	if (rc < 0)
		fuse_session_unmount(door->session);
	return rc;
}

int
fuse_door_open(const struct fuse_options *opt, struct fuse_door **ret_door, struct err *err)
{
	int bare = mountpoint_prepare(opt->mount, err), rc;
	struct fuse_door *door;

	if (bare < 0)
		return bare;
	door = door_new(opt);
	door->session = session_new(door, err);
	rc = door->session ? mount_session(door, err) : -EIO;
	mountpoint_seal(bare);
	if (rc < 0) {
		door_free(door);
		return rc;
	}
	return door_start(door, ret_door, err);
}

int
fuse_door_attach(
	const struct fuse_options *opt, int fd, struct fuse_door **ret_door, struct err *err)
{
	struct fuse_door *door = door_new(opt);
	int rc;

	free(TAKE(door->mount));
	door->session = session_new(door, err);
	rc = door->session ? connect_io(door, fd, err) : -EIO;
	if (rc < 0) {
		(void)close(fd);
		door_free(door);
		return rc;
	}
	return door_start(door, ret_door, err);
}

/* ---- closing -------------------------------------------------------------------------------- */

static void
on_handle_closed(uv_handle_t *handle)
{
	struct fuse_door *door = handle->data;
	void (*closed)(void *arg) = door->closed;
	void *arg = door->closed_arg;

	if (--door->uv_handles)
		return;
	door_free(door);
	if (closed)
		closed(arg);
}

/* The kernel is gone: it sends no RELEASE and no FORGET for what it still had. */
static void
drop_all(struct fuse_door *door)
{
	struct fhandle *fh;

	while ((fh = LIST_FIRST(&door->handles)))
		fhandle_free(fh);
	fnodes_fini(door);
	uv_close((uv_handle_t *)&door->deadline, on_handle_closed);
	uv_close((uv_handle_t *)&door->late_timer, on_handle_closed);
}

static void
on_closing(uv_timer_t *timer)
{
	struct fuse_door *door = timer->data;

	if (!door->is_unmounted) {
		door->is_unmounted = true;
		uv_close((uv_handle_t *)&door->poll, on_handle_closed);
		fuse_session_exit(door->session); /* later replies go nowhere, silently */
		fuse_session_unmount(door->session);
		fnotify_stop(door);
	}
	if (LIST_EMPTY(&door->parked))
		drop_all(door);
}

void
fuse_door_none_parked(struct fuse_door *door)
{
	if (door->is_closing)
		(void)uv_timer_start(&door->deadline, on_closing, 0, 0);
}

void
fuse_door_close(struct fuse_door *door, void (*closed)(void *arg), void *arg)
{
	door->closed = closed;
	door->closed_arg = arg;
	door->is_closing = true;
	frequest_cancel_all(door);
	(void)uv_timer_start(
		&door->deadline, on_closing, LIST_EMPTY(&door->parked) ? 0 : CLOSE_MS, 0);
}

void
fuse_door_figures(const struct fuse_door *door, struct fuse_figures *ret_figures)
{
	*ret_figures = (struct fuse_figures){.requests = door->requests,
		.replies = door->replies,
		.parked = (size_t)(door->requests - door->replies),
		.nodes = HASH_COUNT(door->nodes),
		.told = door->told,
		.untold = door->untold};
}
