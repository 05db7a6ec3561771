/* The mountpoint.  A master that was killed leaves a mount behind on which every call fails with
 * ENOTCONN, mkdir and mount included, so it is looked for first, in the kernel's table and not by
 * stat: stat on a mount whose server hangs would hang too.  Who serves a mount that is there is
 * asked by a process of its own, which is left behind when no answer comes: a thread that waits for
 * a server may keep even the end of its process waiting.
 */
#include "fsd/doors/mountpoint.h"

#include "base/auto.h"
#include "base/mem.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUR_TYPE  "fuse.sloth"
#define ANSWER_MS 5000

extern char **environ;

/* mountinfo writes blank, tab, newline and backslash as \ooo. */
static void
unescape(char *s)
{
	char *to = s;

	for (; *s; s++, to++) {
		unsigned c;

		if (*s == '\\' && sscanf(s + 1, "%3o", &c) == 1) {
			*to = (char)c;
			s += 3;
		} else {
			*to = *s;
		}
	}
	*to = '\0';
}

/* Whether line is about path; then *ret_type is its file system, borrowed from line. */
static bool
is_line_of(char *line, const char *path, const char **ret_type)
{
	char *save = NULL, *field = strtok_r(line, " \n", &save);
	char *dash = NULL;

	for (int i = 0; field && i < 4; i++)
		field = strtok_r(NULL, " \n", &save);
	if (!field)
		return false;
	unescape(field);
	if (strcmp(field, path) != 0)
		return false;
	while ((dash = strtok_r(NULL, " \n", &save)) && strcmp(dash, "-") != 0)
		continue;
	*ret_type = strtok_r(NULL, " \n", &save);
	return *ret_type != NULL;
}

/* The type of the topmost mount on path, or "" when there is none. */
static int
mounted_type(const char *path, char *ret_type, size_t size, struct err *err)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	AUTO(free) char *line = NULL;
	size_t cap = 0;

	if (!f)
		return err_set(
			err, errno, "the table of mounts cannot be read: %s", strerror(errno));
	ret_type[0] = '\0';
	while (getline(&line, &cap, f) > 0) {
		const char *type;

		if (is_line_of(line, path, &type))
			(void)snprintf(ret_type, size, "%s", type); /* cut is not ours */
	}
	(void)fclose(f);
	return 0;
}

static int
run_fusermount(const char *path)
{
	char *argv[] = {
		(char[]){"fusermount3"}, (char[]){"-uqz"}, (char[]){"--"}, mem_strdup(path), NULL};
	int status, rc;
	pid_t pid;

	rc = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
	free(argv[3]);
	if (rc != 0)
		return -rc;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPERM;
}

/* Whatever is mounted there: now for new callers, later for those inside. */
static int
detach(const char *path)
{
	if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		return 0;
	return errno == EPERM ? run_fusermount(path) : -errno;
}

/* Whether the server of a mount answers: 0, -ENOTCONN when it is dead, -ETIMEDOUT when it hangs. */
static int
ask_server(const char *path)
{
	pid_t pid = fork();
	AUTO(fd) int pidfd = -1;
	struct pollfd end;
	int status;

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		struct statfs st;

		(void)close_range(0, ~0U, 0); /* the lock of our state above all */
		/* not stat: the kernel answers that from its cache even for a dead server */
		_exit(statfs(path, &st) < 0 ? errno : 0);
	}
	pidfd = pidfd_open(pid, 0);
	end = (struct pollfd){.fd = pidfd, .events = POLLIN};
	if (pidfd >= 0 && poll(&end, 1, ANSWER_MS) == 0) {
		(void)kill(pid, SIGKILL); /* our child, not reaped: nobody else has its number */
		return -ETIMEDOUT;
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

/* Detach what is dead and ours; refuse what lives. */
static int
clear_mount(const char *path, struct err *err)
{
	char type[64];
	int rc = mounted_type(path, type, sizeof(type), err);

	if (rc < 0 || !type[0])
		return rc;
	if (strcmp(type, OUR_TYPE) != 0)
		return err_set(err, EBUSY,
			"%s: a file system of type '%s' is mounted there; choose another place "
			"with --mount or SLOTH_RUNNER_MOUNT",
			path, type);
	rc = ask_server(path);
	if (rc == -ETIMEDOUT)
		return err_set(err, EBUSY,
			"%s: the master that serves this mount does not answer; end it, or choose "
			"another place with --mount or SLOTH_RUNNER_MOUNT",
			path);
	if (rc != -ENOTCONN)
		return err_set(err, EBUSY,
			"%s: another master serves this mount; stop it, or choose another place "
			"with "
			"--mount or SLOTH_RUNNER_MOUNT",
			path);
	rc = detach(path);
	if (rc < 0)
		return err_set(err, -rc,
			"%s: the mount of a master that died cannot be detached: %s; try "
			"`fusermount3 -uz %s`",
			path, strerror(-rc), path);
	return clear_mount(path, err); /* mounts may be stacked */
}

static int
make_parents(const char *path, struct err *err)
{
	AUTO(free) char *dir = mem_strdup(path);

	for (char *slash = strchr(dir + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(dir, 0755) < 0 && errno != EEXIST)
			return err_set(err, errno, "%s cannot be made: %s", dir, strerror(errno));
		*slash = '/';
	}
	return 0;
}

static int
check_empty(const char *path, struct err *err)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	int rc = 0;

	if (!dir)
		return err_set(err, errno, "%s: cannot be opened: %s", path, strerror(errno));
	while (rc == 0 && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			rc = err_set(err, ENOTEMPTY,
				"%s: the directory holds files ('%.40s'), which a mount would "
				"hide; "
				"choose another place with --mount or SLOTH_RUNNER_MOUNT",
				path, entry->d_name);
	(void)closedir(dir);
	return rc;
}

int
mountpoint_prepare(const char *path, struct err *err)
{
	int rc = clear_mount(path, err);
	int fd;

	if (rc == 0)
		rc = make_parents(path, err);
	if (rc < 0)
		return rc;
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return err_set(
			err, errno, "%s: the mountpoint cannot be made: %s", path, strerror(errno));
	rc = check_empty(path, err);
	if (rc < 0)
		return rc;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, errno, "%s: cannot be opened: %s", path, strerror(errno));
	(void)fchmod(fd, 0755); /* fusermount3 wants its user to be able to write there */
	return fd;
}

void
mountpoint_seal(int fd)
{
	(void)fchmod(fd, 0555); /* a directory of another user keeps its mode */
	(void)close(fd);        /* nothing was written */
}
