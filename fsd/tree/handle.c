/* Handles: one open of a node, what is pushed into it, and the reads that wait for it.
 *
 * A read that finds nothing is held: its request is queued on the handle and answered exactly once,
 * by the push or the end of file that serves it, or by its own cancel.  Nothing is copied to a held
 * read before bytes exist, so a thousand waiting readers cost a thousand list entries.
 *
 * A room that is told of drained space may push at once; is_waking keeps that from answering the
 * queue inside itself.
 */
#include "fsd/tree/node.h"

#include "base/mem.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>

struct handle *
handle_new(struct treq *req, struct node *node)
{
	struct handle *h = NEW(struct handle);

	h->node = node_ref(node);
	h->flags = req->flags;
	h->opener = req->cred.pid;
	h->fd = -1;
	TAILQ_INIT(&h->readers);
	LIST_INSERT_HEAD(&h->node->handles, h, link);
	req->handle = h;
	return h;
}

struct handle *
handle_of_opener(const struct node *node, pid_t pid)
{
	struct handle *h;

	LIST_FOREACH (h, &node->handles, link)
		if (pid && h->opener == pid && (h->flags & O_ACCMODE) != O_WRONLY)
			return h;
	return NULL;
}

void
tree_release(struct handle *h)
{
	struct treq *req;

	while ((req = TAILQ_FIRST(&h->readers))) {
		TAILQ_REMOVE(&h->readers, req, waiting);
		treq_reply(req, -ECANCELED, NULL);
	}
	if (h->node->kind->release)
		h->node->kind->release(h);
	handle_abandon(h);
}

void
handle_abandon(struct handle *h)
{
	LIST_REMOVE(h, link);
	node_rest(h->node);
	sbuf_fini(&h->text);
	sbuf_fini(&h->body);
	node_unref(h->node, 1);
	free(h);
}

void
handle_set_state(struct handle *h, void *state)
{
	h->state = state;
}

void *
handle_state(const struct handle *h)
{
	return h->state;
}

struct node *
handle_node(const struct handle *h)
{
	return h->node;
}

int
handle_access(const struct handle *h)
{
	return h->flags & O_ACCMODE;
}

/* ---- reading -------------------------------------------------------------------------------- */

int
handle_read_text(struct treq *req)
{
	const struct sbuf *text = &req->handle->text;
	size_t left;

	if (req->off < 0)
		return -EINVAL;
	if ((uint64_t)req->off >= text->len)
		return 0;
	left = text->len - (size_t)req->off;
	if (left > req->size)
		left = req->size;
	sbuf_add(&req->out, text->data + req->off, left);
	return (int)left;
}

/* Move what fits from the front of text to the request. */
static int
take_pushed(struct handle *h, struct treq *req)
{
	size_t count = handle_unread(h);

	if (count > req->size)
		count = req->size;
	sbuf_add(&req->out, h->text.data + h->taken, count);
	h->taken += count;
	if (h->taken == h->text.len || h->taken >= 64 * 1024) { /* not for every few bytes */
		sbuf_shift(&h->text, h->taken);
		h->taken = 0;
	}
	return (int)count;
}

static void
tell_drained(struct handle *h)
{
	if (h->node->kind == &kind_stream && h->node->row->read.stream->drained)
		h->node->row->read.stream->drained(h);
}

static void
cancel_read(struct treq *req, void *arg)
{
	struct handle *h = arg;

	TAILQ_REMOVE(&h->readers, req, waiting);
	treq_reply(req, -EINTR, NULL);
}

int
handle_read_pushed(struct treq *req, bool can_wait)
{
	struct handle *h = req->handle;
	int count;

	if (handle_unread(h) > 0 && TAILQ_EMPTY(&h->readers)) {
		count = take_pushed(h, req);
		tell_drained(h);
		return count;
	}
	if (h->is_eof || !can_wait)
		return 0;
	if ((h->flags | req->flags) & O_NONBLOCK)
		return -EAGAIN;
	treq_on_cancel(req, cancel_read, h);
	TAILQ_INSERT_TAIL(&h->readers, req, waiting);
	return TREE_PARKED;
}

/* ---- pushing -------------------------------------------------------------------------------- */

static void
tell_ready(struct handle *h)
{
	void (*ready)(void *arg) = h->ready;

	h->ready = NULL;
	if (ready)
		ready(h->ready_arg);
}

static void
wake_readers(struct handle *h)
{
	struct treq *req;

	if (h->is_waking)
		return;
	h->is_waking = true;
	while ((req = TAILQ_FIRST(&h->readers)) && (handle_unread(h) > 0 || h->is_eof)) {
		TAILQ_REMOVE(&h->readers, req, waiting);
		treq_reply(req, take_pushed(h, req), NULL);
		tell_drained(h);
	}
	h->is_waking = false;
	if (handle_unread(h) > 0 || h->is_eof)
		tell_ready(h);
}

void
handle_push(struct handle *h, const void *data, size_t len)
{
	if (len == 0 || (h->flags & O_ACCMODE) == O_WRONLY)
		return;
	sbuf_add(&h->text, data, len);
	h->is_waited = false;
	wake_readers(h);
}

size_t
handle_unread(const struct handle *h)
{
	return h->text.len - h->taken;
}

void
handle_eof(struct handle *h)
{
	h->is_eof = true;
	h->is_waited = false;
	wake_readers(h);
}

/* ---- what doors ask ------------------------------------------------------------------------- */

bool
handle_is_stream(const struct handle *h)
{
	return h->node->kind->is_stream;
}

unsigned
handle_poll(const struct handle *h)
{
	if (!handle_is_stream(h))
		return POLLIN | POLLOUT;
	/* A conversation with nothing to say answers a read at once, with end of file. */
	if (handle_unread(h) > 0 || h->is_eof || (h->node->kind == &kind_rpc && !h->is_waited))
		return POLLIN | POLLOUT;
	return POLLOUT;
}

void
handle_on_ready(struct handle *h, void (*ready)(void *arg), void *arg)
{
	h->ready = ready;
	h->ready_arg = arg;
}
