/* The record a master leaves in its state directory, and its process.
 *
 * The record outlives a crash, and its pid may then belong to somebody else.  So a pid is first
 * pinned by a pidfd and then looked at: only a sloth-fsd that has files of this very state
 * directory open is the one recorded.  Start times were not taken as proof: a machine without a
 * battery-backed clock changes its mind about the time after the record was written.
 */
#include "tools/runner/master.h"

#include "base/auto.h"
#include "base/mem.h"
#include "base/places.h"

#include <dirent.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COMM_LEN_MAX 16

int
master_read(const struct args *args, struct master *ret_master, struct err *err)
{
	struct master master = {.state_dir = places_state_dir(args_str(args, "state"))};
	AUTO(free) char *path = mem_printf("%s/master.json", master.state_dir);
	json_t *json;
	json_error_t why;
	int result = 0;

	*ret_master = master;
	if (access(path, R_OK) < 0)
		return err_set(err, errno, "cannot read '%s': %s", path, strerror(errno));
	json = json_load_file(path, 0, &why);
	if (!json)
		return err_set(err, EIO, "'%s' line %d: %s", path, why.line, why.text);
	ret_master->pid = (pid_t)json_integer_value(json_object_get(json, "pid"));
	ret_master->mount = mem_strdup(json_string_value(json_object_get(json, "mount")));
	ret_master->started = mem_strdup(json_string_value(json_object_get(json, "started")));
	if (ret_master->pid <= 1)
		result = err_set(err, EIO, "'%s' records no process", path);
	json_decref(json);
	return result;
}

void
master_fini(struct master *master)
{
	free(master->state_dir);
	free(master->mount);
	free(master->started);
	*master = (struct master){0};
}

/* Whether /proc/<pid>/comm says name. */
static bool
is_called(pid_t pid, const char *name)
{
	AUTO(free) char *path = mem_printf("/proc/%d/comm", (int)pid);
	char comm[COMM_LEN_MAX + 1] = "";
	FILE *file = fopen(path, "re");

	if (!file)
		return false;
	if (!fgets(comm, sizeof(comm), file))
		comm[0] = '\0';
	(void)fclose(file); /* only read from */
	comm[strcspn(comm, "\n")] = '\0';
	return !strcmp(comm, name);
}

/* Whether the process has a file below dir open. */
static bool
has_open_below(pid_t pid, const char *dir)
{
	AUTO(free) char *real = realpath(dir, NULL);
	AUTO(free) char *path = mem_printf("/proc/%d/fd", (int)pid);
	DIR *fds = opendir(path);
	struct dirent *entry;
	bool is_found = false;

	while (real && fds && !is_found && (entry = readdir(fds))) {
		char target[PATH_MAX];
		ssize_t len = readlinkat(dirfd(fds), entry->d_name, target, sizeof(target) - 1);
		size_t dir_len = strlen(real);

		is_found = len > (ssize_t)dir_len && !memcmp(target, real, dir_len) &&
			   target[dir_len] == '/';
	}
	if (fds)
		(void)closedir(fds); /* only read from */
	return is_found;
}

int
master_open_process(const struct master *master)
{
	AUTO(fd) int fd = (int)syscall(SYS_pidfd_open, master->pid, 0);

	if (fd < 0 || !is_called(master->pid, "sloth-fsd") ||
		!has_open_below(master->pid, master->state_dir))
		return -ESRCH;
	return TAKE_FD(fd);
}
