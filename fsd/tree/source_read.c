/* Reading a whole file of a source on the file lane: see source.h. */
#include "fsd/tree/source.h"

#include "base/auto.h"
#include "base/mem.h"
#include "fsd/lane.h"
#include "fsd/tree/node.h"
#include "fsd/tree/source_priv.h"

#include <string.h>

struct read_job {
	struct lane_job lane;
	struct source *source; /* one reference; the lane reads only its fd */
	char *name;
	size_t max;
	source_read_fn *done;
	void *arg;
	int code;
	struct err err;
	struct source_file file;
};

static int
fill_from_stat(struct read_job *job, int fd)
{
	struct stat st, dir;

	if (fstat(fd, &st) < 0 || fstat(job->source->fd, &dir) < 0)
		return err_set(
			&job->err, errno, "cannot read '%s': %s", job->name, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(&job->err, EINVAL, "'%s' is not a regular file", job->name);
	if ((uint64_t)st.st_size > job->max)
		return err_set(&job->err, EFBIG, "'%s' has %lld bytes; the limit is %zu", job->name,
			(long long)st.st_size, job->max);
	job->file.uid = st.st_uid;
	job->file.gid = st.st_gid;
	job->file.mode = st.st_mode;
	job->file.dir_uid = dir.st_uid;
	job->file.dir_mode = dir.st_mode;
	job->file.data = mem_zalloc((size_t)st.st_size + 1, 1);
	job->file.len = (size_t)st.st_size;
	return 0;
}

/* A file that shrinks meanwhile gives what is left of it. */
static int
fill_data(struct read_job *job, int fd)
{
	size_t at = 0;

	while (at < job->file.len) {
		ssize_t n = read(fd, job->file.data + at, job->file.len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(&job->err, errno, "cannot read '%s': %s", job->name,
				strerror(errno));
		if (n == 0)
			break;
		at += (size_t)n;
	}
	job->file.len = at;
	job->file.data[at] = '\0';
	return 0;
}

static void
read_run(struct lane_job *lane_job)
{
	struct read_job *job = (struct read_job *)lane_job;
	AUTO(fd) int fd = source_openat(job->source, job->name, O_RDONLY | O_NONBLOCK);

	if (fd < 0) {
		job->code =
			err_set(&job->err, -fd, "cannot open '%s': %s", job->name, strerror(-fd));
		return;
	}
	job->code = fill_from_stat(job, fd);
	if (job->code == 0)
		job->code = fill_data(job, fd);
}

static void
read_done(struct lane_job *lane_job)
{
	struct read_job *job = (struct read_job *)lane_job;

	job->done(job->arg, job->code, &job->file, &job->err);
	source_unref(job->source);
	free(job->file.data);
	free(job->name);
	free(job);
}

void
source_read(struct source *source, const char *name, size_t max, source_read_fn *done, void *arg)
{
	struct read_job *job = NEW(struct read_job);

	job->lane.run = read_run;
	job->lane.done = read_done;
	job->source = source_ref(source);
	job->name = mem_strdup(name);
	job->max = max;
	job->done = done;
	job->arg = arg;
	lane_submit(source->tree->files, &job->lane);
}
