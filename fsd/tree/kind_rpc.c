/* A conversation per open: what is written goes to the room, what the room pushes is read back.
 *
 * Reads ignore the offset and take what was pushed, because a descriptor that was written and is
 * read next stands at the end of what it wrote.  After an answer is read the next read gives end of
 * file, so `cat <&3` ends; with reads_wait a read that follows a write waits for its answer.
 */
#include "fsd/tree/node.h"

#include "base/auto.h"

#include <fcntl.h>

static const struct rpc_ops *
ops_of(const struct handle *h)
{
	return h->node->row->read.rpc;
}

static int
rpc_open(struct treq *req)
{
	struct handle *h = handle_new(req, req->node);
	int code = ops_of(h)->open ? ops_of(h)->open(h, &req->err) : 0;

	if (code < 0)
		handle_abandon(TAKE(req->handle));
	return code < 0 ? code : 0;
}

static int
rpc_read(struct treq *req)
{
	const struct handle *h = req->handle;

	return handle_read_pushed(req, ops_of(h)->reads_wait && h->is_waited);
}

static int
rpc_write(struct treq *req)
{
	struct handle *h = req->handle;

	if ((h->flags & O_ACCMODE) == O_RDONLY)
		return -EBADF;
	if (req->size == 0)
		return 0;
	h->is_waited = true;
	return ops_of(h)->write(h, req->data, req->size, req, &req->err);
}

/* `{ printf '{"type":"a.b",'; jq .; echo '}'; } >emit` is one conversation of three processes: each
 * of them that ends closes its copy of the descriptor, and only who opened it knows the end. */
static int
rpc_flush(struct treq *req)
{
	struct handle *h = req->handle;

	if (!ops_of(h)->flush || req->cred.pid != h->opener)
		return 0;
	return ops_of(h)->flush(h, req, &req->err);
}

static void
rpc_release(struct handle *h)
{
	if (ops_of(h)->release)
		ops_of(h)->release(h);
}

const struct kind kind_rpc = {
	.type = S_IFREG,
	.is_stream = true,
	.release = rpc_release,
	.ops =
		{
			[TREE_OPEN] = rpc_open,
			[TREE_READ] = rpc_read,
			[TREE_WRITE] = rpc_write,
			[TREE_FLUSH] = rpc_flush,
		},
};
