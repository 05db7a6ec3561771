/* The daemon as a process: see daemon.h.
 *
 * daemon(3) and fuse_daemonize cannot say that the start failed, because their parent leaves before
 * it has begun.  Here the parent waits on a pipe: one byte 0 means mounted, anything else is the
 * sentence to print, end of file means that the child died without a word.
 */
#include "fsd/daemon.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/sbuf.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define RECORD "master.json"

/* What the child says, in the parent.  Does not return. */
static void
wait_for_child(int fd)
{
	char said[ERR_MSG_MAX + 1];
	size_t len = 0;
	ssize_t n;

	said[0] = ' '; /* anything but the byte that ends it: copies of the other end stay open */
	while (len < sizeof(said) - 1 && said[0] &&
		((n = read(fd, said + len, sizeof(said) - 1 - len)) > 0 ||
			(n < 0 && errno == EINTR)))
		len += n > 0 ? (size_t)n : 0;
	if (len && !said[0])
		_exit(EXIT_SUCCESS);
	said[len] = '\0';
	(void)fprintf(
		stderr, "sloth-fsd: %s\n", len ? said : "the master ended while it was starting");
	_exit(EXIT_FAILURE);
}

/* At once, not when ready: what is started on the way there would keep the terminal, or the pipe of
 * `$(sloth-runner master start)`, for as long as it lives. */
static void
drop_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		(void)dup2(null, fd); /* both descriptors are open */
	if (null > STDERR_FILENO)
		(void)close(null);
}

int
daemon_begin(bool is_foreground, struct daemon *ret_daemon, struct err *err)
{
	int fds[2];
	pid_t pid;

	ret_daemon->ready_fd = -1;
	if (is_foreground)
		return 0;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(err, errno, "no pipe for the start: %s", strerror(errno));
	pid = fork();
	if (pid < 0) {
		(void)close(fds[0]);
		(void)close(fds[1]);
		return err_set(err, errno, "no process for the master: %s", strerror(errno));
	}
	if (pid > 0) {
		(void)close(fds[1]);
		wait_for_child(fds[0]);
	}
	(void)close(fds[0]);
	ret_daemon->ready_fd = fds[1];
	(void)setsid(); /* a fresh child leads no group, so this cannot fail */
	drop_terminal();
	if (chdir("/") < 0)
		return err_set(err, errno, "chdir to / failed: %s", strerror(errno));
	return 0;
}

/* Tell systemd, when it started us.  See sd_notify(3). */
static void
notify_systemd(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	AUTO(fd) int fd = -1;
	size_t len = path ? strlen(path) : 0;

	if (len < 2 || len > sizeof(addr.sun_path))
		return;
	memcpy(addr.sun_path, path, len);
	if (addr.sun_path[0] == '@')
		addr.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) /* nobody to tell when it fails */
		(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&addr,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
}

static void
tell_parent(struct daemon *daemon, const char *said, size_t len)
{
	ssize_t n = write(daemon->ready_fd, said, len);

	(void)n; /* a parent that was killed is not missed */
	(void)close(TAKE_FD(daemon->ready_fd));
}

void
daemon_ready(struct daemon *daemon)
{
	if (daemon->ready_fd >= 0)
		tell_parent(daemon, "", 1);
	notify_systemd("READY=1");
}

void
daemon_failed(struct daemon *daemon, const struct err *err)
{
	if (daemon->ready_fd >= 0)
		tell_parent(daemon, err->msg, strlen(err->msg));
	else
		(void)fprintf(stderr, "sloth-fsd: %s\n", err->msg);
}

void
daemon_stopping(void)
{
	notify_systemd("STOPPING=1");
}

/* ---- the record ----------------------------------------------------------------------------- */

int
daemon_record(const char *state_dir, const char *mount, struct err *err)
{
	AUTO(free) char *path = mem_printf("%s/" RECORD, state_dir);
	AUTO(free) char *tmp = mem_printf("%s/" RECORD ".new", state_dir);
	AUTO(sbuf) struct sbuf text = {0};
	AUTO(fd) int fd = -1;
	char time[CLOCK_TEXT_MAX];

	clock_format(clock_real_ns(), time);
	sbuf_printf(&text, "{\"pid\":%d,\"started\":\"%s\",\"mount\":", (int)getpid(), time);
	sbuf_jsons(&text, mount);
	sbuf_adds(&text, "}\n");
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, text.data, text.len) != (ssize_t)text.len || rename(tmp, path) < 0)
		return err_set(err, errno ? errno : EIO, "%s cannot be written: %s", path,
			strerror(errno));
	return 0;
}

void
daemon_unrecord(const char *state_dir)
{
	AUTO(free) char *path = mem_printf("%s/" RECORD, state_dir);

	(void)unlink(path); /* the next start writes it anew */
}
