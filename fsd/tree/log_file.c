/* A growing file of lines: see log_file.h.
 *
 * The core collects lines; at most one batch is with the file lane at a time (more when closing),
 * so lines that arrive meanwhile travel together.  What the lane needs (descriptor, size, next
 * segment number) stands in struct log_writer, which only its jobs touch; each job brings back what
 * readers may see: the new size, and a new descriptor after a rotation.  A batch that cannot be
 * written whole is cut off again, so a full disk costs lines but never leaves half of one.
 */
#include "fsd/tree/log_file.h"

#include "base/auto.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "fsd/lane.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PENDING_MAX ((size_t)16 * 1024 * 1024) /* lines beyond are lost, and counted */

struct log_reader {
	unsigned refs;
	int fd;
	uint64_t size;
	uint64_t ino;
};

/* The lane's. */
struct log_writer {
	int fd;
	mode_t mode;
	uint64_t size;
	char *path, *segments_dir;
	unsigned long next_segment;
};

struct log_file {
	struct lane *files;
	struct log_writer writer;
	struct log_reader *reader;
	struct sbuf pending;
	size_t pending_lines;
	unsigned jobs; /* with the lane */
	uint64_t max_bytes;
	uint64_t lost;
	bool is_closing;
	void (*grew)(void *arg);
	void *arg;
};

struct log_job {
	struct lane_job lane;
	struct log_file *file;
	struct sbuf data;
	size_t lines;
	uint64_t max_bytes;         /* as it was when the job was made */
	struct log_reader *rotated; /* the new file, or NULL */
	uint64_t size;
	bool is_lost;
};

/* ---- readers -------------------------------------------------------------------------------- */

/* Takes: fd, also on failure. */
static int
reader_new(int fd, struct log_reader **ret_reader)
{
	struct log_reader *reader;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		int code = -errno;

		if (fd >= 0)
			(void)close(fd); /* read only: nothing to lose */
		return code;
	}
	reader = NEW(struct log_reader);
	reader->refs = 1;
	reader->fd = fd;
	reader->size = (uint64_t)st.st_size;
	reader->ino = st.st_ino;
	*ret_reader = reader;
	return 0;
}

struct log_reader *
log_file_reader(struct log_file *file)
{
	file->reader->refs++;
	return file->reader;
}

int
log_reader_open(const char *path, struct log_reader **ret_reader, struct err *err)
{
	int code = reader_new(open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), ret_reader);

	return code < 0 ? err_set(err, -code, "cannot read '%s': %s", path, strerror(-code)) : 0;
}

void
log_reader_unref(struct log_reader *reader)
{
	if (!reader || --reader->refs > 0)
		return;
	(void)close(reader->fd); /* read only: nothing to lose */
	free(reader);
}

int
log_reader_fd(const struct log_reader *reader)
{
	return reader->fd;
}

uint64_t
log_reader_size(const struct log_reader *reader)
{
	return reader->size;
}

uint64_t
log_reader_ino(const struct log_reader *reader)
{
	return reader->ino;
}

/* ---- on the lane ---------------------------------------------------------------------------- */

static int
open_append(const struct log_writer *w)
{
	return open(w->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, w->mode);
}

/* Put the full file aside and start a new one; on failure the old one goes on growing. */
static struct log_reader *
rotate(struct log_writer *w)
{
	AUTO(free) char *aside = NULL;
	struct log_reader *reader;
	int fd;

	if (w->segments_dir)
		aside = mem_printf("%s/%lu.jsonl", w->segments_dir, w->next_segment);
	else
		aside = mem_printf("%s.1", w->path);
	if (rename(w->path, aside) < 0)
		return NULL;
	fd = open_append(w);
	if (fd < 0 || reader_new(open(w->path, O_RDONLY | O_CLOEXEC), &reader) < 0) {
		if (fd >= 0)
			(void)close(fd);      /* empty */
		(void)rename(aside, w->path); /* if this fails too, the open file still grows */
		return NULL;
	}
	(void)close(w->fd); /* every write's error was seen */
	w->fd = fd;
	w->size = 0;
	w->next_segment++;
	return reader;
}

static void
job_run(struct lane_job *lane_job)
{
	struct log_job *job = (struct log_job *)lane_job;
	struct log_writer *w = &job->file->writer;

	if (job->max_bytes && w->size > 0 && w->size + job->data.len > job->max_bytes)
		job->rotated = rotate(w);
	if (file_write_fd(w->fd, job->data.data, job->data.len) == 0) {
		w->size += job->data.len;
	} else {
		job->is_lost = true;
		if (ftruncate(w->fd, (off_t)w->size) < 0) /* then half a line stays */
			w->size = (uint64_t)lseek(w->fd, 0, SEEK_END);
	}
	job->size = w->size;
}

/* ---- on the core ---------------------------------------------------------------------------- */

static void log_free(struct log_file *file);
static void submit(struct log_file *file);

static void
job_done(struct lane_job *lane_job)
{
	struct log_job *job = (struct log_job *)lane_job;
	struct log_file *file = job->file;

	if (job->rotated) {
		log_reader_unref(file->reader);
		file->reader = job->rotated;
	}
	file->reader->size = job->size;
	if (job->is_lost)
		file->lost += job->lines;
	sbuf_fini(&job->data);
	free(job);
	file->jobs--;
	if (file->is_closing) {
		if (file->jobs == 0)
			log_free(file);
		return;
	}
	if (file->pending.len > 0 && file->jobs == 0)
		submit(file);
	if (file->grew)
		file->grew(file->arg);
}

static void
submit(struct log_file *file)
{
	struct log_job *job = NEW(struct log_job);

	job->lane.run = job_run;
	job->lane.done = job_done;
	job->file = file;
	job->data = file->pending;
	job->lines = file->pending_lines;
	job->max_bytes = file->max_bytes;
	file->pending = (struct sbuf){0};
	file->pending_lines = 0;
	file->jobs++;
	lane_submit(file->files, &job->lane);
}

void
log_file_set_max(struct log_file *file, uint64_t max_bytes)
{
	file->max_bytes = max_bytes;
}

void
log_file_append(struct log_file *file, const char *line, size_t len)
{
	if (file->pending.len + len > PENDING_MAX) {
		file->lost++;
		return;
	}
	sbuf_add(&file->pending, line, len);
	sbuf_addc(&file->pending, '\n');
	file->pending_lines++;
	if (file->jobs == 0)
		submit(file);
}

uint64_t
log_file_lost(const struct log_file *file)
{
	return file->lost;
}

/* ---- life ----------------------------------------------------------------------------------- */

/* Cut what stands after the last newline. */
static int
cut_torn_tail(int fd, uint64_t *ret_size)
{
	char block[4096];
	struct stat st;
	off_t end;

	if (fstat(fd, &st) < 0)
		return -errno;
	for (end = st.st_size; end > 0;) {
		size_t want = end < (off_t)sizeof(block) ? (size_t)end : sizeof(block);
		ssize_t n = pread(fd, block, want, end - (off_t)want);
		const char *newline;

		if (n != (ssize_t)want)
			return n < 0 ? -errno : -EIO;
		newline = memrchr(block, '\n', want);
		if (newline) {
			end += newline + 1 - (block + want);
			break;
		}
		end -= (off_t)want;
	}
	if (end != st.st_size && ftruncate(fd, end) < 0)
		return -errno;
	*ret_size = (uint64_t)end;
	return 0;
}

/* The number after the highest <n>.jsonl. */
static int
find_next_segment(const char *dir_path, unsigned long *ret_next)
{
	const struct dirent *entry;
	unsigned long highest = 0;
	DIR *dir;

	if (mkdir(dir_path, 0750) < 0 && errno != EEXIST)
		return -errno;
	dir = opendir(dir_path);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		char *end;
		unsigned long n = strtoul(entry->d_name, &end, 10);

		if (end != entry->d_name && strcmp(end, ".jsonl") == 0 && n > highest)
			highest = n;
	}
	(void)closedir(dir); /* only read */
	*ret_next = highest + 1;
	return 0;
}

static int
writer_open(struct log_writer *w, const struct log_options *opt)
{
	int code;

	w->path = mem_strdup(opt->path);
	w->segments_dir = mem_strdup(opt->segments_dir);
	w->mode = opt->is_private ? 0600 : 0640;
	w->fd = open_append(w);
	if (w->fd < 0)
		return -errno;
	code = cut_torn_tail(w->fd, &w->size);
	if (code == 0 && w->segments_dir)
		code = find_next_segment(w->segments_dir, &w->next_segment);
	return code;
}

int
log_file_open(struct lane *files, const struct log_options *opt, struct log_file **ret_file,
	struct err *err)
{
	struct log_file *file = NEW(struct log_file);
	int code;

	file->files = files;
	file->max_bytes = opt->max_bytes;
	file->grew = opt->grew;
	file->arg = opt->arg;
	code = writer_open(&file->writer, opt);
	if (code == 0)
		code = reader_new(open(opt->path, O_RDONLY | O_CLOEXEC), &file->reader);
	if (code < 0) {
		log_free(file);
		return err_set(
			err, -code, "cannot write the log '%s': %s", opt->path, strerror(-code));
	}
	*ret_file = file;
	return 0;
}

static void
log_free(struct log_file *file)
{
	if (file->writer.fd >= 0)
		(void)close(file->writer.fd); /* every write's error was seen */
	free(file->writer.path);
	free(file->writer.segments_dir);
	log_reader_unref(file->reader);
	sbuf_fini(&file->pending);
	free(file);
}

void
log_file_close(struct log_file *file)
{
	if (!file)
		return;
	if (file->pending.len > 0)
		submit(file);
	file->is_closing = true;
	if (file->jobs == 0)
		log_free(file);
}
