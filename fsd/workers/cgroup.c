/* Control groups are a second fence: a program that a hook started cannot leave its group, not by
 * fork, setsid or a cleaned environment.  No controller is needed for that, only cgroup.kill (Linux
 * 5.14), so the groups are made below the daemon's own and nothing is enabled in them.  Where that
 * directory is not writable (an ordinary user outside a delegated unit), process groups and the
 * scope in the environment have to do, and every function here does nothing.
 *
 * A group can be removed only when its last process has ended, which may be a moment after the
 * kill.  The end of the master waits for it; while it runs it never does, and what could not be
 * removed is tried again when the next worker ends.
 */
#include "fsd/workers/cgroup.h"

#include "base/auto.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define END_MS 500 /* what a killed process may take to be gone, at the end of ours */

static void
file_auto(FILE **file)
{
	if (*file)
		(void)fclose(*file); /* only read from */
}

/* Where the unified hierarchy is mounted.  Returns owned or NULL. */
static char *
find_mount(void)
{
	AUTO(file) FILE *file = fopen("/proc/self/mountinfo", "re");
	AUTO(free) char *line = NULL;
	char *found = NULL;
	size_t cap = 0;

	while (file && !found && getline(&line, &cap, file) > 0) {
		char point[1024];

		if (strstr(line, " - cgroup2 ") &&
			sscanf(line, "%*s %*s %*s %*s %1023s", point) == 1)
			found = mem_strdup(point);
	}
	return found;
}

/* The daemon's own group below the mount: "/user.slice/...".  Returns owned or NULL. */
static char *
find_own(void)
{
	AUTO(file) FILE *file = fopen("/proc/self/cgroup", "re");
	AUTO(free) char *line = NULL;
	size_t cap = 0;

	while (file && getline(&line, &cap, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "0::/", 4) == 0)
			return mem_strdup(strcmp(line, "0::/") == 0 ? "" : line + 3);
	}
	return NULL;
}

char *
cgroup_open(const char *scope)
{
	AUTO(free) char *mount = find_mount();
	AUTO(free) char *own = find_own();
	AUTO(free) char *dir = NULL;
	AUTO(free) char *kill_file = NULL;

	if (!mount || !own)
		return NULL;
	dir = mem_printf("%s%s/sloth-%s", mount, own, scope);
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return NULL;
	kill_file = mem_printf("%s/cgroup.kill", dir);
	if (access(kill_file, W_OK) < 0) {
		(void)rmdir(dir); /* made in vain */
		return NULL;
	}
	cgroup_kill(dir);
	cgroup_tidy(dir, NULL, NULL);
	return TAKE(dir);
}

char *
cgroup_make(const char *dir, unsigned number)
{
	AUTO(free) char *path = dir ? mem_printf("%s/w%u", dir, number) : NULL;

	if (!path || (mkdir(path, 0755) < 0 && errno != EEXIST))
		return NULL;
	return TAKE(path);
}

void
cgroup_kill(const char *dir)
{
	AUTO(free) char *path = dir ? mem_printf("%s/cgroup.kill", dir) : NULL;
	AUTO(fd) int fd = path ? open(path, O_WRONLY | O_CLOEXEC) : -1;

	if (fd >= 0 && write(fd, "1", 1) < 0)
		return; /* the group is gone: nobody is left in it */
}

void
cgroup_tidy(const char *dir, cgroup_used_fn *is_used, void *arg)
{
	DIR *groups = dir ? opendir(dir) : NULL;
	struct dirent *entry;

	while (groups && (entry = readdir(groups))) {
		unsigned long number;

		if (entry->d_name[0] != 'w')
			continue;
		number = strtoul(entry->d_name + 1, NULL, 10); /* ours are w<number> */
		if (!is_used || !is_used(arg, (unsigned)number))
			(void)unlinkat(
				dirfd(groups), entry->d_name, AT_REMOVEDIR); /* in use: stays */
	}
	if (groups)
		(void)closedir(groups); /* only read from */
}

/* Wait until the last process of the group has ended, which follows its kill. */
static void
wait_empty(const char *dir)
{
	AUTO(free) char *path = mem_printf("%s/cgroup.events", dir);
	AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct pollfd change = {.fd = fd, .events = POLLPRI};
	char text[128];
	ssize_t len;

	while (fd >= 0 && (len = pread(fd, text, sizeof(text) - 1, 0)) > 0) {
		text[len] = '\0';
		if (strstr(text, "populated 0") || poll(&change, 1, END_MS) <= 0)
			return;
	}
}

void
cgroup_close(const char *dir)
{
	if (!dir)
		return;
	cgroup_kill(dir);
	wait_empty(dir);
	cgroup_tidy(dir, NULL, NULL);
	(void)rmdir(dir); /* what could not be killed keeps it; the next start removes it */
}
