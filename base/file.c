/* Whole files: see file.h.  Why not write in place: a crash or a full disk in the middle would
 * leave half of the new content and none of the old. */
#include "base/file.h"

#include "base/auto.h"
#include "base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define CHUNK_BYTES 65536

int
file_read_fd(int fd, size_t max, struct sbuf *out)
{
	size_t begin = out->len;

	for (;;) {
		ssize_t n = read(fd, sbuf_room(out, CHUNK_BYTES), CHUNK_BYTES);

		if (n == 0)
			return 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		out->len += (size_t)n;
		out->data[out->len] = '\0';
		if (out->len - begin > max)
			return -EFBIG;
	}
}

int
file_write_fd(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
sync_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	AUTO(free) char *dir =
		slash ? mem_strndup(path, (size_t)(slash - path) + 1) : mem_strdup(".");
	AUTO(fd) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && fsync(fd) == 0 ? 0 : -errno;
}

int
file_replace(const char *path, const void *data, size_t len, mode_t mode)
{
	AUTO(free) char *beside = mem_printf("%s.new", path);
	AUTO(fd) int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	int code;

	if (fd < 0)
		return -errno;
	code = file_write_fd(fd, data, len);
	if (code == 0 && (fchmod(fd, mode) != 0 || fsync(fd) != 0))
		code = -errno;
	if (code == 0 && rename(beside, path) != 0)
		code = -errno;
	if (code < 0) {
		(void)unlink(beside); /* the error that matters is code */
		return code;
	}
	return sync_directory(path);
}
