/* A disk that forgets: loaded into the master by a test.  In $SLOTH_DISK stands what is certain to
 * survive a loss of power: of each file of the database what was written before its last sync.
 * While somebody holds a lock on $SLOTH_DISK/lock no sync ends, so that what is copied then is the
 * disk at one moment. */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DISK_FILES 2
#define EXTENTS    65536
#define CHUNK      65536

struct extent {
	off_t at;
	size_t len;
};

/* What was written to one file since its last sync. */
struct disk_file {
	const char *name;
	struct extent extents[EXTENTS];
	unsigned count;
};

static struct disk_file files[DISK_FILES] = {{.name = "hooks.db"}, {.name = "hooks.db-wal"}};
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static struct disk_file *
file_of(int fd)
{
	char link[64], path[PATH_MAX + 1];
	const char *name;
	ssize_t len;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, PATH_MAX);
	if (len <= 0)
		return NULL;
	path[len] = '\0';
	name = strrchr(path, '/');
	for (unsigned i = 0; name && i < DISK_FILES; i++)
		if (!strcmp(name + 1, files[i].name))
			return &files[i];
	return NULL;
}

static int
disk_open(const char *name, int flags)
{
	const char *disk = getenv("SLOTH_DISK");
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", disk ? disk : "/nowhere", name);
	return open(path, flags | O_CREAT | O_CLOEXEC, 0644);
}

static void
copy_extent(int from, int to, struct extent e)
{
	static char chunk[CHUNK]; /* under the mutex */

	while (e.len > 0) {
		ssize_t n = pread(from, chunk, e.len < CHUNK ? e.len : CHUNK, e.at);

		if (n <= 0)
			return; /* cut off since */
		if (syscall(SYS_pwrite64, to, chunk, n, e.at) != n)
			abort();
		e.at += n;
		e.len -= (size_t)n;
	}
}

__attribute__((visibility("default"))) ssize_t
pwrite64(int fd, const void *data, size_t len, off64_t at)
{
	struct disk_file *f = file_of(fd);

	if (f) {
		pthread_mutex_lock(&mutex);
		if (f->count == EXTENTS)
			abort(); /* the test would prove nothing */
		f->extents[f->count++] = (struct extent){.at = at, .len = len};
		pthread_mutex_unlock(&mutex);
	}
	return syscall(SYS_pwrite64, fd, data, len, at);
}

__attribute__((visibility("default"))) int
fdatasync(int fd)
{
	struct disk_file *f = file_of(fd);
	int to, lock;

	if (!f)
		return (int)syscall(SYS_fdatasync, fd);
	pthread_mutex_lock(&mutex);
	lock = disk_open("lock", O_RDONLY);
	to = disk_open(f->name, O_WRONLY);
	if (lock < 0 || to < 0 || flock(lock, LOCK_EX) < 0)
		abort();
	for (unsigned i = 0; i < f->count; i++)
		copy_extent(fd, to, f->extents[i]);
	f->count = 0;
	(void)close(to);
	(void)close(lock); /* and the lock with it */
	pthread_mutex_unlock(&mutex);
	return 0;
}
