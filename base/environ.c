/* The environment of another process: see environ.h. */
#include "base/environ.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ENVIRON_MAX   (8u * 1024 * 1024) /* bytes; the kernel allows six */
#define LOOK_PAUSE_NS (NS_PER_MS / 10)

/* Fields of /proc/<pid>/stat, as proc(5) counts them. */
#define STAT_STATE      3
#define STAT_SIZE       23
#define STAT_START_CODE 26
#define STAT_ENV_START  50
#define STAT_ENV_END    51

/* Append a file of /proc/<pid>. */
static int
read_proc(pid_t pid, const char *name, struct sbuf *out)
{
	AUTO(fd) int fd = -1;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name); /* fits */
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : file_read_fd(fd, ENVIRON_MAX, out);
}

/* Whether a process whose environment read empty may have one: it has memory (which threads of the
 * kernel and the dead have not), and its program is not loaded yet, or has an environment by now.
 * The kernel sets where the code is after the environment is in place. */
static bool
may_have_environ(pid_t pid)
{
	AUTO(sbuf) struct sbuf stat = {0};
	unsigned long long values[STAT_ENV_END + 1] = {0};
	const char *at;

	if (read_proc(pid, "stat", &stat) < 0)
		return false;
	at = strrchr(sbuf_str(&stat), ')'); /* the second field, a name, may hold anything */
	for (int field = STAT_STATE; at && field <= STAT_ENV_END; field++) {
		at = strchr(at + 1, ' ');
		if (at)
			values[field] = strtoull(at, NULL, 10);
	}
	return values[STAT_SIZE] > 0 &&
	       (values[STAT_START_CODE] == 0 || values[STAT_ENV_END] > values[STAT_ENV_START]);
}

int
environ_read(pid_t pid, unsigned limit_ms, struct sbuf *out)
{
	int64_t until_ns = clock_mono_ns() + limit_ms * NS_PER_MS;
	struct timespec pause = {.tv_nsec = LOOK_PAUSE_NS};
	int rc = read_proc(pid, "environ", out);

	while (rc == 0 && out->len == 0 && may_have_environ(pid) && clock_mono_ns() < until_ns) {
		(void)nanosleep(&pause, NULL); /* the kernel tells nobody when it is done */
		rc = read_proc(pid, "environ", out);
	}
	return rc;
}
