/* Held reads: a read gives what was pushed since the last one, or waits for the next push.  Where
 * the room takes filter lines the file may be written too. */
#include "fsd/tree/node.h"

#include "base/auto.h"

#include <fcntl.h>

static const struct stream_ops *
ops_of(const struct handle *h)
{
	return h->node->row->read.stream;
}

static int
stream_open(struct treq *req)
{
	struct handle *h;
	int code;

	if ((req->flags & O_ACCMODE) != O_RDONLY && !req->node->row->read.stream->write)
		return err_set(&req->err, EACCES, "'%s' can only be read", req->node->name);
	h = handle_new(req, req->node);
	code = ops_of(h)->open ? ops_of(h)->open(h, &req->err) : 0;
	if (code < 0)
		handle_abandon(TAKE(req->handle));
	return code < 0 ? code : 0;
}

static int
stream_read(struct treq *req)
{
	return handle_read_pushed(req, true);
}

static int
stream_write(struct treq *req)
{
	struct handle *h = req->handle;

	if ((h->flags & O_ACCMODE) == O_RDONLY)
		return -EBADF;
	return req->size ? ops_of(h)->write(h, req->data, req->size, req, &req->err) : 0;
}

static void
stream_release(struct handle *h)
{
	if (ops_of(h)->release)
		ops_of(h)->release(h);
}

const struct kind kind_stream = {
	.type = S_IFREG,
	.is_stream = true,
	.release = stream_release,
	.ops =
		{
			[TREE_OPEN] = stream_open,
			[TREE_READ] = stream_read,
			[TREE_WRITE] = stream_write,
		},
};
