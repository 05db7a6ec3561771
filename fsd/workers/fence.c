/* Two marks tell what belongs to a master's workers:
 *
 *  - The lock: <state>/workers.lock is locked through one open file description which the zygote
 *    and all workers inherit and programs started by hooks do not.  flock() ends when the last copy
 *    is closed, so a new master that gets the lock knows that every worker is gone.  The kernel
 *    keeps this true whatever crashes; a file with pids in it would be wrong after the first fork.
 *  - The scope: WORKER_SCOPE_ENV=<device and inode of the state directory> stands in the
 *    environment of the zygote and all it ever started.  It finds programs that hooks left behind
 *    and which hold no lock.  One that cleans its environment is found only by its control group.
 *
 * Killing goes through a pidfd that is opened before the mark is looked at, so that a process id
 * used again never costs a stranger's life.  Sweeps are repeated until one finds nothing: what
 * forks while it is hunted is found by the next.
 */
#include "fsd/workers/fence.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/environ.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/worker_proto.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <time.h>

#define FENCE_WAIT_MS  10000
#define VICTIMS_MAX    256 /* killed and awaited in one sweep */
#define LOOK_MS        500 /* for the environment of one process */
#define RETRY_PAUSE_NS (5 * NS_PER_MS)

static void
dir_auto(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir); /* only read from */
}

/* ---- marks ---------------------------------------------------------------------------------- */

/* Whether the variable stands in the process's environment. */
static bool
has_scope(pid_t pid, const char *variable)
{
	AUTO(sbuf) struct sbuf text = {0};
	size_t len = strlen(variable);
	const char *at, *end;

	if (environ_read(pid, LOOK_MS, &text) < 0 || text.len == 0)
		return false;
	end = text.data + text.len;
	for (at = text.data; at < end; at += strnlen(at, (size_t)(end - at)) + 1) {
		if (strnlen(at, (size_t)(end - at)) == len && memcmp(at, variable, len) == 0)
			return true;
	}
	return false;
}

/* Whether the process has the file open, by its path: a stat through /proc/<pid>/fd would ask the
 * file system behind each descriptor, and one of those may hang. */
static bool
has_open(pid_t pid, const char *file)
{
	AUTO(dir) DIR *dir = NULL;
	struct dirent *entry;
	char path[64], target[PATH_MAX];

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid); /* fits */
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

		if (n > 0 && strncmp(target, file, (size_t)n) == 0 && file[n] == '\0')
			return true;
	}
	return false;
}

/* ---- killing -------------------------------------------------------------------------------- */

struct hunt {
	const char *variable;     /* "NAME=value" */
	const char *file;         /* NULL: look at the environment only */
	int victims[VICTIMS_MAX]; /* pidfds of those killed */
	unsigned count;
};

static void
hunt_one(struct hunt *hunt, pid_t pid)
{
	AUTO(fd) int pidfd = pidfd_open(pid, 0);

	if (pidfd < 0)
		return;
	if (!has_scope(pid, hunt->variable) && !(hunt->file && has_open(pid, hunt->file)))
		return;
	if (pidfd_send_signal(pidfd, SIGKILL, NULL, 0) == 0)
		hunt->victims[hunt->count++] = TAKE_FD(pidfd);
}

/* Kill those that are there now. */
static void
hunt_all(struct hunt *hunt)
{
	AUTO(dir) DIR *dir = opendir("/proc");
	struct dirent *entry;

	while (dir && hunt->count < VICTIMS_MAX && (entry = readdir(dir))) {
		long pid = strtol(entry->d_name, NULL, 10);

		if (pid > 1 && pid != getpid())
			hunt_one(hunt, (pid_t)pid);
	}
}

static int
ms_left(int64_t until_ns)
{
	int64_t left = until_ns - clock_mono_ns();

	return left > 0 ? (int)(left / NS_PER_MS) + 1 : 0;
}

/* Wait for those killed.  Returns their number. */
static unsigned
hunt_end(struct hunt *hunt, int64_t until_ns)
{
	unsigned count = hunt->count;

	for (unsigned i = 0; i < count; i++) {
		struct pollfd victim = {.fd = hunt->victims[i], .events = POLLIN};

		(void)poll(&victim, 1, ms_left(until_ns)); /* the next sweep looks again */
		(void)close(hunt->victims[i]);             /* a pidfd has nothing to lose */
	}
	hunt->count = 0;
	return count;
}

static unsigned
sweep(const char *scope, const char *file, int64_t until_ns)
{
	AUTO(free) char *variable = mem_printf("%s=%s", WORKER_SCOPE_ENV, scope);
	struct hunt hunt = {.variable = variable, .file = file};
	unsigned total = 0, killed;

	do {
		hunt_all(&hunt);
		killed = hunt_end(&hunt, until_ns);
		total += killed;
	} while (killed && clock_mono_ns() < until_ns);
	return total;
}

unsigned
fence_sweep(const char *scope, unsigned timeout_ms)
{
	return sweep(scope, NULL, clock_mono_ns() + timeout_ms * NS_PER_MS);
}

/* ---- the lock ------------------------------------------------------------------------------- */

static int
lock_wait(struct fence *fence, const char *path, struct err *err)
{
	int64_t until_ns = clock_mono_ns() + FENCE_WAIT_MS * NS_PER_MS;
	struct timespec pause = {.tv_nsec = RETRY_PAUSE_NS};
	AUTO(free) char *real = realpath(path, NULL);

	if (!real)
		return err_set(err, errno, "%s: %s", path, strerror(errno));
	(void)sweep(fence->scope, NULL, until_ns);
	while (flock(fence->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_set(
				err, errno, "%s cannot be locked: %s", path, strerror(errno));
		if (clock_mono_ns() > until_ns)
			return err_set(err, EBUSY,
				"workers of an earlier master still hold '%s' and cannot be ended: "
				"see `fuser -v %s`",
				path, path);
		/* A process that is exiting shows neither mark and has not closed its files yet:
		 * there is nothing to wait on but the lock itself, which has no time limit. */
		if (sweep(fence->scope, real, until_ns) == 0)
			(void)nanosleep(&pause, NULL);
	}
	return 0;
}

int
fence_take(const char *state_dir, struct fence *ret_fence, struct err *err)
{
	AUTO(free) char *path = mem_printf("%s/workers.lock", state_dir);
	struct fence fence = {.lock_fd = -1};
	struct stat st;
	int rc;

	if (stat(state_dir, &st) < 0)
		return err_set(err, errno, "state directory '%s': %s", state_dir, strerror(errno));
	(void)snprintf(fence.scope, sizeof(fence.scope), "%llx-%llx", (unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino); /* 2 x 16 digits fit */
	fence.lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fence.lock_fd < 0)
		return err_set(err, errno, "'%s' cannot be opened: %s", path, strerror(errno));
	rc = lock_wait(&fence, path, err);
	if (rc < 0)
		fence_fini(&fence);
	else
		*ret_fence = fence;
	return rc;
}

void
fence_fini(struct fence *fence)
{
	if (fence->lock_fd >= 0)
		(void)close(fence->lock_fd); /* nothing was written */
	fence->lock_fd = -1;
}
