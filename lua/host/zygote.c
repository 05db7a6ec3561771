/* The zygote forks workers on request (ZYGOTE_FORK) and tells how they end (ZYGOTE_EXITED).
 *
 * It stays as it was after loading: one thread, no loop, no descriptor but its socket, the lock and
 * a signalfd.  It is a child subreaper: when a worker is killed, what that worker had started
 * becomes the zygote's child, and any child that is no worker is killed.
 */
#include "lua/host/zygote.h"

#include "base/auto.h"
#include "base/mem.h"
#include "lua/host/confine.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define MESSAGE_MAX 16384
#define FILES_MAX   65536 /* descriptors of a worker: three per program it waits for */

struct fork_request {
	uint32_t id, uid, gid;
	char *home, *cgroup;
	int socket, page;
};

struct worker_pid {
	pid_t pid;
	UT_hash_handle hh;
};

struct zygote {
	struct library *library;
	struct worker_pid *workers;
	int signals;
	bool no_new_privs; /* for workers of ordinary users */
};

/* ---- a new worker --------------------------------------------------------------------------- */

static int
become_user(const struct fork_request *req, struct err *err)
{
	struct passwd *pw;
	gid_t gid = req->gid;

	if (req->uid == getuid())
		return 0;
	pw = getpwuid(req->uid);
	if (pw ? initgroups(pw->pw_name, gid) < 0 : setgroups(1, &gid) < 0)
		return err_set(err, errno, "initgroups: %s", strerror(errno));
	if (setgid(gid) < 0)
		return err_set(err, errno, "setgid: %s", strerror(errno));
	if (setuid(req->uid) < 0)
		return err_set(err, errno, "setuid: %s", strerror(errno));
	if (pw) {
		(void)setenv("USER", pw->pw_name, 1);
		(void)setenv("LOGNAME", pw->pw_name, 1);
	}
	return 0;
}

static void
set_limits(void)
{
	struct rlimit none = {0, 0}, files;

	(void)setrlimit(RLIMIT_CORE, &none);
	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	files.rlim_cur = files.rlim_max < FILES_MAX ? files.rlim_max : FILES_MAX;
	(void)setrlimit(RLIMIT_NOFILE, &files);
}

static struct worker_page *
map_page(int fd)
{
	void *p = mmap(NULL, sizeof(struct worker_page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* In the forked child.  Returns the exit code. */
static int
be_worker(const struct zygote *z, struct fork_request *req, pid_t zygote)
{
	struct worker_page *page = map_page(req->page);
	struct worker *w;
	struct err err;
	sigset_t none;
	int rc;

	(void)close(ZYGOTE_FD);
	(void)close(z->signals);
	(void)close(req->page);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	set_limits();
	rc = confine((uid_t)req->uid, z->no_new_privs, &err); /* what a root master may */
	if (rc == 0)
		rc = become_user(req, &err);
	/* Changing the user clears the parent-death signal, so it is set after that. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (getppid() != zygote)
		return EXIT_FAILURE;
	if (rc < 0) {
		(void)fprintf(stderr, "sloth-worker: a worker of uid %u: %s\n", req->uid, err.msg);
		return EXIT_FAILURE;
	}
	if (req->home)
		(void)setenv("HOME", req->home, 1);
	if (worker_new(req->socket, z->library, &w, &err) < 0) {
		(void)fprintf(stderr, "sloth-worker: %s\n", err.msg);
		return EXIT_FAILURE;
	}
	w->page = page;
	worker_serve(w);
	_exit(EXIT_SUCCESS); /* not exit(): it would wait for file operations of libuv's pool */
}

static int
join_cgroup(const char *dir, pid_t pid, struct err *err)
{
	AUTO(fd) int fd = -1;
	char path[4096], text[24];
	int n;

	if (!dir)
		return 0;
	(void)snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	n = snprintf(text, sizeof(text), "%ld\n", (long)pid);
	if (fd < 0 || write(fd, text, (size_t)n) < 0)
		return err_set(
			err, errno, "cgroup '%s' cannot be joined: %s", dir, strerror(errno));
	return 0;
}

/* ---- answers -------------------------------------------------------------------------------- */

static void
send_message(const struct sbuf *message, int fd)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {{0}};
	struct iovec iov = {message->data, message->len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *c;

	if (fd >= 0) {
		msg.msg_control = control.space;
		msg.msg_controllen = sizeof(control.space);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	(void)sendmsg(ZYGOTE_FD, &msg, MSG_NOSIGNAL); /* a daemon that is gone is seen by poll */
}

static void
answer_fork(uint32_t id, pid_t pid, int pidfd, const char *error)
{
	AUTO(sbuf) struct sbuf out = {0};
	size_t mark = frame_begin(&out, ZYGOTE_FORKED, id);

	frame_u32(&out, (uint32_t)pid);
	frame_strz(&out, error);
	frame_end(&out, mark);
	send_message(&out, pidfd);
}

static void
tell_exit(pid_t pid, int status)
{
	AUTO(sbuf) struct sbuf out = {0};
	size_t mark = frame_begin(&out, ZYGOTE_EXITED, 0);

	frame_u32(&out, (uint32_t)pid);
	frame_u32(&out, (uint32_t)status);
	frame_end(&out, mark);
	send_message(&out, -1);
}

/* ---- requests ------------------------------------------------------------------------------- */

static void
remember(struct zygote *z, pid_t pid)
{
	struct worker_pid *p = NEW(struct worker_pid);

	p->pid = pid;
	HASH_ADD(hh, z->workers, pid, sizeof(p->pid), p);
}

/* Fork.  Returns the exit code in the child, -1 in the zygote. */
static int
fork_worker(struct zygote *z, struct fork_request *req)
{
	AUTO(fd) int pidfd = -1;
	pid_t zygote = getpid(), pid = fork();
	struct err err;

	if (pid == 0)
		return be_worker(z, req, zygote);
	if (pid < 0) {
		answer_fork(req->id, 0, -1, strerror(errno));
		return -1;
	}
	if (join_cgroup(req->cgroup, pid, &err) < 0) {
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		answer_fork(req->id, 0, -1, err.msg);
		return -1;
	}
	remember(z, pid);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	answer_fork(req->id, pid, pidfd, NULL);
	return -1;
}

/* Take the descriptors of a message; those beyond max are closed. */
static int
take_fds(struct msghdr *msg, int *fds, int max)
{
	int count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		int n = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int)), got;

		for (int i = 0; c->cmsg_type == SCM_RIGHTS && i < n; i++) {
			memcpy(&got, CMSG_DATA(c) + (size_t)i * sizeof(int), sizeof(int));
			if (count < max)
				fds[count++] = got;
			else
				(void)close(got);
		}
	}
	return count;
}

/* Returns as fork_worker. */
static int
handle_request(struct zygote *z, const char *data, size_t len, int fds[2])
{
	struct fork_request req;
	struct frame f;
	int code = -1;

	if (frame_parse(data, len, &f, NULL) <= 0 || f.type != ZYGOTE_FORK)
		return EXIT_FAILURE;
	req = (struct fork_request){.id = f.id, .socket = fds[0], .page = fds[1]};
	req.uid = frame_get_u32(&f);
	req.gid = frame_get_u32(&f);
	req.home = frame_dup_str(&f);
	req.cgroup = frame_dup_str(&f);
	if (f.is_bad || fds[0] < 0)
		answer_fork(f.id, 0, -1, "a malformed request");
	else
		code = fork_worker(z, &req);
	free(req.home);
	free(req.cgroup);
	return code;
}

/* Returns -1 to go on, else an exit code. */
static int
serve_request(struct zygote *z)
{
	char data[MESSAGE_MAX];
	union {
		char space[CMSG_SPACE(4 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {data, sizeof(data)};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space)};
	int fds[2] = {-1, -1}, code;
	ssize_t n = recvmsg(ZYGOTE_FD, &msg, MSG_CMSG_CLOEXEC);
	pid_t self = getpid();

	if (n < 0 && errno == EINTR)
		return -1;
	if (n <= 0)
		return EXIT_SUCCESS; /* the daemon is gone */
	(void)take_fds(&msg, fds, 2);
	code = handle_request(z, data, (size_t)n, fds);
	if (getpid() != self)
		return code; /* the worker has its descriptors closed already */
	fd_auto(&fds[0]);
	fd_auto(&fds[1]);
	return code;
}

/* ---- children ------------------------------------------------------------------------------- */

static void
kill_orphans(struct zygote *z)
{
	char path[64];
	FILE *f;
	int pid;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%ld/children", (long)getpid());
	f = fopen(path, "re");
	while (f && fscanf(f, "%d", &pid) == 1) {
		struct worker_pid *known;

		HASH_FIND(hh, z->workers, &pid, sizeof(pid), known);
		if (!known)
			(void)kill(pid, SIGKILL);
	}
	if (f)
		(void)fclose(f);
}

static void
reap(struct zygote *z)
{
	struct signalfd_siginfo info;
	struct worker_pid *known;
	int status;
	pid_t pid;

	(void)!read(z->signals, &info, sizeof(info)); /* only wakes us; waitpid tells who */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		HASH_FIND(hh, z->workers, &pid, sizeof(pid), known);
		if (!known)
			continue;
		HASH_DEL(z->workers, known);
		free(known);
		tell_exit(pid, status);
	}
	kill_orphans(z);
}

/* End all workers and what they left, and wait until they are gone: the lock is free then. */
static void
end_all(struct zygote *z)
{
	struct worker_pid *p, *next;

	HASH_ITER (hh, z->workers, p, next) {
		(void)kill(p->pid, SIGKILL);
		HASH_DEL(z->workers, p);
		free(p);
	}
	do {
		kill_orphans(z);
	} while (waitpid(-1, NULL, 0) > 0);
}

int
zygote_main(struct library *library, bool no_new_privs)
{
	struct zygote z = {.library = library, .no_new_privs = no_new_privs};
	struct pollfd fds[2];
	pid_t self = getpid();
	sigset_t set;
	int code = -1;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	z.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	(void)fcntl(ZYGOTE_FD, F_SETFD, FD_CLOEXEC);
	(void)fcntl(ZYGOTE_LOCK_FD, F_SETFD, FD_CLOEXEC);
	fds[0] = (struct pollfd){.fd = ZYGOTE_FD, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = z.signals, .events = POLLIN};
	while (code < 0) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			code = EXIT_FAILURE;
		if (fds[1].revents)
			reap(&z);
		if (code < 0 && fds[0].revents)
			code = serve_request(&z);
	}
	if (getpid() == self) {
		end_all(&z);
		(void)close(z.signals);
	}
	return code;
}
