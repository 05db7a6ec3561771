/* What is written to act: value (one value) and ctl (verbs, a line each).
 *
 * Shells ignore errors of close, so the error has to come from write().  A write acts as soon as
 * what this handle wrote ends in a newline; what has no newline waits for the next write, or for
 * close.  The offset is ignored but for its zero, which starts a value anew, so `>`, `>>`, a
 * rewound descriptor and a program that writes in pieces all do what they mean.
 *
 *	value  is all that was written since the start: `printf 'a\nb\n'`, which reaches us as two
 *	       writes, sets "a", then "a\nb".
 *	ctl    takes line by line.  While a verb is at work the rest is left to the caller as a
 *short write, which every writer answers with another write.
 */
#include "fsd/tree/kind_text.h"

#include <fcntl.h>
#include <string.h>

#define BODY_MAX ((size_t)64 * 1024)

/* Add a write to what the handle holds; text without a newline at its end is not acted on. */
static int
body_add(struct treq *req, const char *data, size_t size)
{
	struct handle *h = req->handle;

	if ((h->flags & O_ACCMODE) == O_RDONLY)
		return -EBADF;
	if (size > BODY_MAX - h->body.len) {
		sbuf_reset(&h->body);
		h->is_dirty = false;
		return err_set(
			&req->err, EFBIG, "'%s' takes at most %zu bytes", h->node->name, BODY_MAX);
	}
	sbuf_add(&h->body, data, size);
	h->is_dirty = h->body.len > 0;
	return 0;
}

/* Hand the first len bytes of the body to the room.  The text stays where it is until the answer.
 */
static int
body_act(struct treq *req, size_t len)
{
	struct handle *h = req->handle;

	if (len > 0 && h->body.data[len - 1] == '\n')
		len--;
	h->body.data[len] = '\0';
	return h->node->row->write.set(h->node, h->body.data, len, req, &req->err);
}

/* ---- value ---------------------------------------------------------------------------------- */

static int
value_done(struct treq *req, int code)
{
	struct handle *h = req->handle;

	h->is_dirty = false;
	if (code < 0) {
		sbuf_reset(&h->body);
		return code;
	}
	if (h->body.data[h->body.len - 1] == '\0')
		h->body.data[h->body.len - 1] = '\n'; /* body_act took it; the value may go on */
	node_changed(h->node);
	if ((h->flags & O_ACCMODE) == O_RDWR) { /* who writes and reads sees what was taken */
		sbuf_reset(&h->text);
		if (text_render(h->node, &h->text, NULL) < 0)
			sbuf_reset(&h->text); /* the next open tells why */
	}
	return req->op == TREE_WRITE ? (int)req->size : 0;
}

static int
value_act(struct treq *req)
{
	int code;

	req->after = value_done;
	code = body_act(req, req->handle->body.len);
	return code == TREE_PARKED ? code : value_done(req, code);
}

static int
value_write(struct treq *req)
{
	struct handle *h = req->handle;
	int code;

	if (req->size == 0)
		return 0;
	if (req->off == 0 && !(h->flags & O_APPEND))
		sbuf_reset(&h->body);
	code = body_add(req, req->data, req->size);
	if (code < 0)
		return code;
	return h->body.data[h->body.len - 1] == '\n' ? value_act(req) : (int)req->size;
}

static int
value_flush(struct treq *req)
{
	return req->handle->is_dirty ? value_act(req) : 0;
}

const struct kind kind_value = {
	.type = S_IFREG,
	.stat = text_stat,
	.ops =
		{
			[TREE_OPEN] = text_open,
			[TREE_READ] = handle_read_text,
			[TREE_WRITE] = value_write,
			[TREE_FLUSH] = value_flush,
		},
};

/* ---- ctl ------------------------------------------------------------------------------------ */

/* A verb was taken or refused: it is no longer in the body. */
static int
ctl_done(struct treq *req, int code)
{
	struct handle *h = req->handle;

	sbuf_reset(&h->body);
	h->is_dirty = false;
	if (code < 0)
		return code;
	node_changed(h->node);
	return req->op == TREE_WRITE ? (int)req->size : 0;
}

/* Take one line; req->size becomes what this write has used.  What follows is written again. */
static int
ctl_write(struct treq *req)
{
	const char *newline = memchr(req->data, '\n', req->size);
	int code;

	if (newline)
		req->size = (size_t)(newline - req->data) + 1;
	code = body_add(req, req->data, req->size);
	if (code < 0 || !newline)
		return code < 0 ? code : (int)req->size;
	req->after = ctl_done;
	code = body_act(req, req->handle->body.len);
	return code == TREE_PARKED ? code : ctl_done(req, code);
}

static int
ctl_flush(struct treq *req)
{
	int code;

	if (!req->handle->is_dirty)
		return 0;
	req->after = ctl_done;
	code = body_act(req, req->handle->body.len);
	return code == TREE_PARKED ? code : ctl_done(req, code);
}

const struct kind kind_ctl = {
	.type = S_IFREG,
	.stat = text_stat,
	.ops =
		{
			[TREE_OPEN] = text_open,
			[TREE_READ] = handle_read_text,
			[TREE_WRITE] = ctl_write,
			[TREE_FLUSH] = ctl_flush,
		},
};
