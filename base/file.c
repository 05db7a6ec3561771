/* Whole files: see file.h.  Why not write in place: a crash or a full disk in the middle would
 * leave half of the new content and none of the old. */
#include "base/file.h"

#include "base/auto.h"
#include "base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static int
write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return fsync(fd) == 0 ? 0 : -errno;
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
	code = write_all(fd, data, len);
	if (code == 0 && rename(beside, path) != 0)
		code = -errno;
	if (code < 0) {
		(void)unlink(beside); /* the error that matters is code */
		return code;
	}
	return sync_directory(path);
}
