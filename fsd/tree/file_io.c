/* Reads, writes and fsyncs of real files, for source directories and logs.
 *
 * A read is tried at once with RWF_NOWAIT: what is in the page cache costs no hand-over.  All else
 * goes to the file lane, where a slow disk makes only other files wait.
 */
#include "fsd/tree/file_io.h"

#include "base/mem.h"
#include "fsd/lane.h"
#include "fsd/tree/node.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

struct file_job {
	struct lane_job lane;
	struct treq *req;
	int fd;
	ssize_t result; /* count or -errno */
};

static void
job_read(struct lane_job *lane_job)
{
	struct file_job *job = (struct file_job *)lane_job;
	struct treq *req = job->req;

	job->result = pread(job->fd, req->out.data + req->out.len, req->size, req->off);
	if (job->result < 0)
		job->result = -errno;
}

/* All of it: a caller that gets a short count from a disk that is not full would be surprised. */
static void
job_write(struct lane_job *lane_job)
{
	struct file_job *job = (struct file_job *)lane_job;
	const struct treq *req = job->req;
	bool is_append = req->handle->flags & O_APPEND;
	size_t at = 0;

	while (at < req->size) {
		ssize_t n = is_append ? write(job->fd, req->data + at, req->size - at)
				      : pwrite(job->fd, req->data + at, req->size - at,
						req->off + (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			job->result = at > 0 ? (ssize_t)at : -errno;
			return;
		}
		at += (size_t)n;
	}
	job->result = (ssize_t)at;
}

static void
job_sync(struct lane_job *lane_job)
{
	struct file_job *job = (struct file_job *)lane_job;

	job->result = fsync(job->fd) < 0 ? -errno : 0;
}

static void
job_done(struct lane_job *lane_job)
{
	struct file_job *job = (struct file_job *)lane_job;
	struct treq *req = job->req;
	int code = (int)job->result;

	if (req->op == TREE_READ && code > 0) {
		req->out.len += (size_t)code;
		req->out.data[req->out.len] = '\0';
	}
	free(job);
	treq_reply(req, code, NULL);
}

static int
submit(struct treq *req, int fd, void (*run)(struct lane_job *job))
{
	struct file_job *job = NEW(struct file_job);

	job->lane.run = run;
	job->lane.done = job_done;
	job->req = req;
	job->fd = fd;
	lane_submit(req->tree->files, &job->lane);
	return TREE_PARKED;
}

int
file_read(struct treq *req, int fd, uint64_t limit)
{
	struct iovec iov;
	ssize_t n;

	if (req->off < 0)
		return -EINVAL;
	if ((uint64_t)req->off >= limit)
		return 0;
	if (req->size > limit - (uint64_t)req->off)
		req->size = limit - (uint64_t)req->off;
	iov.iov_base = sbuf_room(&req->out, req->size);
	iov.iov_len = req->size;
	n = preadv2(fd, &iov, 1, req->off, RWF_NOWAIT);
	if (n < 0 || (n > 0 && (size_t)n < req->size))
		return submit(req, fd, job_read);
	req->out.len += (size_t)n;
	if (req->out.data)
		req->out.data[req->out.len] = '\0';
	return (int)n;
}

int
file_write(struct treq *req, int fd)
{
	return submit(req, fd, job_write);
}

int
file_sync(struct treq *req, int fd)
{
	return submit(req, fd, job_sync);
}
