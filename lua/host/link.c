/* The socket to the daemon: whole frames in, frames out.
 *
 * Frames to send are collected in one buffer and written once per turn of the loop: short runs cost
 * less than the system calls that would tell of each by itself.  What has begun and is not told yet
 * stands in the shared page, because the daemon judges by it what a worker that died had begun.
 *
 * When the daemon does not read, the buffer grows by what the invocations under way say, which is
 * bounded each; beyond LINK_BACKLOG_MAX we stop reading, so that no new ones begin.
 */
#include "base/mem.h"
#include "lua/host/worker.h"

#include <string.h>

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct worker *w = handle->data;

	buf->base = sbuf_room(&w->link.in, suggested);
	buf->len = suggested;
}

static void
take_frames(struct worker *w)
{
	struct link *link = &w->link;
	size_t at = 0;

	while (link->is_open) {
		struct frame f;
		struct err err;
		int64_t n = frame_parse(link->in.data + at, link->in.len - at, &f, &err);

		if (n == 0)
			break;
		if (n < 0) {
			link->on_end(w);
			return;
		}
		link->on_frame(w, &f);
		at += (size_t)n;
	}
	sbuf_shift(&link->in, at);
}

static void
on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct worker *w = stream->data;

	(void)buf;
	if (n < 0) {
		w->link.on_end(w);
		return;
	}
	w->link.in.len += (size_t)n;
	take_frames(w);
}

static void
set_reading(struct worker *w)
{
	struct link *link = &w->link;
	bool wanted = link->out.len < LINK_BACKLOG_MAX;

	if (!link->is_open || wanted == link->is_reading)
		return;
	link->is_reading = wanted;
	if (wanted)
		(void)uv_read_start((uv_stream_t *)&link->pipe, on_alloc, on_read);
	else
		(void)uv_read_stop((uv_stream_t *)&link->pipe);
}

static void send_now(struct worker *w);

static void
on_written(uv_write_t *req, int status)
{
	struct worker *w = req->handle->data;

	w->link.is_sending = false;
	sbuf_reset(&w->link.sending);
	if (!w->link.is_open)
		return;
	if (status < 0)
		w->link.on_end(w);
	else
		send_now(w);
}

/* The socket is full: libuv writes when there is room. */
static void
send_later(struct worker *w)
{
	struct link *link = &w->link;
	struct sbuf empty = link->sending;
	uv_buf_t buf;

	link->sending = link->out;
	link->out = empty;
	buf = uv_buf_init(link->sending.data, (unsigned)link->sending.len);
	link->is_sending = true;
	if (uv_write(&link->write, (uv_stream_t *)&link->pipe, &buf, 1, on_written) < 0)
		link->on_end(w);
}

static void
send_now(struct worker *w)
{
	struct link *link = &w->link;

	if (link->is_open && !link->is_sending && link->out.len > 0) {
		uv_buf_t buf = uv_buf_init(link->out.data, (unsigned)link->out.len);
		int n = uv_try_write((uv_stream_t *)&link->pipe, &buf, 1);

		if (n > 0)
			sbuf_shift(&link->out, (size_t)n);
		if (link->out.len > 0)
			send_later(w);
	}
	set_reading(w);
}

static void
on_prepare(uv_prepare_t *handle)
{
	(void)uv_prepare_stop(handle);
	send_now(handle->data);
}

void
link_flush(struct worker *w)
{
	struct link *link = &w->link;

	if (link->is_open && !link->is_sending)
		(void)uv_prepare_start(&link->flush, on_prepare);
}

struct sbuf *
link_out(struct worker *w)
{
	return &w->link.out;
}

int
link_open(struct worker *w, int fd, struct err *err)
{
	struct link *link = &w->link;
	int r;

	(void)uv_pipe_init(&w->loop, &link->pipe, 0);
	link->pipe.data = w;
	(void)uv_prepare_init(&w->loop, &link->flush);
	link->flush.data = w;
	r = uv_pipe_open(&link->pipe, fd);
	if (r < 0)
		return err_set(err, -r, "the daemon's socket: %s", uv_strerror(r));
	link->is_open = true;
	set_reading(w);
	return 0;
}

static void
on_closed(uv_handle_t *handle)
{
	struct worker *w = handle->data;

	sbuf_fini(&w->link.in);
	sbuf_fini(&w->link.out);
	sbuf_fini(&w->link.sending);
}

void
link_close(struct worker *w)
{
	if (!w->link.is_open)
		return;
	w->link.is_open = false;
	uv_close((uv_handle_t *)&w->link.flush, NULL);
	uv_close((uv_handle_t *)&w->link.pipe, on_closed);
}
