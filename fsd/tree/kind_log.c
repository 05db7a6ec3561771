/* A growing real file, read only.  A rotation puts another file under the name: the node of the old
 * one is stale then and the next lookup makes a new one, with the new file's inode number, which is
 * what `tail -F` looks at.  Those who have the old file open read it to its end. */
#include "fsd/tree/file_io.h"
#include "fsd/tree/log_file.h"
#include "fsd/tree/node.h"

#include <fcntl.h>
#include <sys/stat.h>

static uint64_t
log_ino(const struct log_reader *reader)
{
	return node_mix(2, log_reader_ino(reader));
}

static int
log_init(struct node *node, struct err *err)
{
	struct log_reader *reader;
	int code = node->row->read.log(node, &reader, err);

	if (code < 0)
		return code;
	node->ino = log_ino(reader);
	log_reader_unref(reader);
	return 0;
}

static bool
log_is_stale(struct node *node)
{
	struct log_reader *reader;
	bool is_stale;

	if (node->row->read.log(node, &reader, NULL) < 0)
		return true;
	is_stale = node->ino != log_ino(reader);
	log_reader_unref(reader);
	return is_stale;
}

static int
stat_reader(const struct log_reader *reader, struct stat *st)
{
	struct stat real;

	if (fstat(log_reader_fd(reader), &real) < 0)
		return -errno;
	st->st_size = (off_t)log_reader_size(reader);
	st->st_mtim = real.st_mtim;
	return 0;
}

static int
log_stat(struct node *node, struct handle *h, struct stat *st, struct err *err)
{
	struct log_reader *reader;
	int code;

	if (!h)
		h = LIST_FIRST(&node->handles); /* the same file, also after a rotation */
	if (h)
		return stat_reader(h->reader, st);
	code = node->row->read.log(node, &reader, err);
	if (code < 0)
		return code;
	code = stat_reader(reader, st);
	log_reader_unref(reader);
	return code;
}

static int
log_open(struct treq *req)
{
	struct log_reader *reader;
	int code;

	if ((req->flags & O_ACCMODE) != O_RDONLY)
		return err_set(
			&req->err, EACCES, "'%s' is written by the daemon only", req->node->name);
	code = req->node->row->read.log(req->node, &reader, &req->err);
	if (code < 0)
		return code;
	handle_new(req, req->node)->reader = reader;
	return 0;
}

static int
log_read(struct treq *req)
{
	const struct log_reader *reader = req->handle->reader;

	return file_read(req, log_reader_fd(reader), log_reader_size(reader));
}

static void
log_release(struct handle *h)
{
	log_reader_unref(h->reader);
}

const struct kind kind_log = {
	.type = S_IFREG,
	.init = log_init,
	.is_stale = log_is_stale,
	.stat = log_stat,
	.release = log_release,
	.ops = {[TREE_OPEN] = log_open, [TREE_READ] = log_read},
};
