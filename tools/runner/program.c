/* Running a program that comes with this one.  It is looked for beside this one first, so that a
 * build that is not installed runs its own parts.
 */
#include "tools/runner/program.h"

#include "base/auto.h"
#include "base/mem.h"

#include <limits.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Returns owned: dir/name when it can be executed, else NULL. */
static char *
executable_in(const char *dir, size_t dir_len, const char *name)
{
	char *path = mem_printf("%.*s/%s", (int)dir_len, dir, name);

	if (!access(path, X_OK))
		return path;
	free(path);
	return NULL;
}

char *
program_find(const char *name, struct err *err)
{
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *path = getenv("PATH");
	char *found = NULL;

	if (len > 0) {
		self[len] = '\0';
		len = strrchr(self, '/') - self;
		found = executable_in(self, (size_t)len, name);
		if (!found) {
			AUTO(free) char *libexec =
				mem_printf("%.*s/../libexec/sloth-runner", (int)len, self);

			found = executable_in(libexec, strlen(libexec), name);
		}
	}
	while (!found && path && *path) {
		size_t dir_len = strcspn(path, ":");

		if (dir_len)
			found = executable_in(path, dir_len, name);
		path += dir_len + (path[dir_len] == ':');
	}
	if (!found)
		(void)err_set(err, ENOENT,
			"'%s' is not installed: not beside sloth-runner, in libexec or in PATH",
			name);
	return found;
}

int
program_run(const char *const *argv, struct err *err)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int status, code;

	/* Whoever started us may wait for the end of a descriptor a daemon would keep. */
	code = posix_spawn_file_actions_init(&actions);
	if (!code)
		code = posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
	/* posix_spawn takes char *const *, and changes none of it. */
	if (!code)
		code = posix_spawn(
			&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions); /* never fails */
	if (code)
		return err_set(err, code, "cannot run '%s': %s", argv[0], strerror(code));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_set(
				err, errno, "cannot wait for '%s': %s", argv[0], strerror(errno));
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	return err_set(err, EIO, "'%s' was ended by signal %d", argv[0], WTERMSIG(status));
}
