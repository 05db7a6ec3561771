/* Reading a whole file of a source on the file lane: see source.h. */
#include "fsd/tree/source.h"

#include "base/auto.h"
#include "base/mem.h"
#include "fsd/lane.h"
#include "fsd/tree/node.h"
#include "fsd/tree/source_priv.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* Others may put something else in the place of what lies in the directory.  A sticky one keeps
 * what is not theirs. */
static bool
is_open_to_others(const struct stat *dir)
{
	return (dir->st_mode & (S_IWGRP | S_IWOTH)) && !(dir->st_mode & S_ISVTX);
}

/* The path of a directory above the source that is open to others, up to the root; NULL: none.
 * Returns owned. */
static char *
find_open_dir(const struct source *source)
{
	AUTO(fd) int fd = openat(source->fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char link[32], path[PATH_MAX];
	struct stat below = {0}, dir;
	ssize_t len;

	for (;; below = dir) {
		int up;

		if (fd < 0 || fstat(fd, &dir) < 0 ||
			(dir.st_dev == below.st_dev && dir.st_ino == below.st_ino))
			return NULL; /* at the root */
		if (is_open_to_others(&dir))
			break;
		up = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		(void)close(fd); /* nothing was written */
		fd = up;
	}
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd); /* fits */
	len = readlink(link, path, sizeof(path));
	return mem_strndup(path, len < 0 ? 0 : (size_t)len);
}

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
	if (geteuid() == 0)
		job->file.open_dir = find_open_dir(job->source);
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
	free(job->file.open_dir);
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
