/* Starting the zygote is a fork and an exec by hand, because between the two the child must ask for
 * SIGKILL at our death, which no spawn call can do.  The daemon has threads, so the child calls
 * only async-signal-safe functions; its arguments and environment are made before.  Whether exec
 * worked is told by a pipe that closes on exec.
 */
#include "fsd/workers/zygote.h"

#include "base/auto.h"
#include "base/frame.h"
#include "base/mem.h"

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define MESSAGE_MAX 4096 /* bytes of one message of the zygote */

/* ---- environment ---------------------------------------------------------------------------- */

struct environment {
	char **vars; /* ends with NULL */
	size_t count;
};

static void
environment_auto(struct environment *env)
{
	for (size_t i = 0; i < env->count; i++)
		free(env->vars[i]);
	free(env->vars);
}

/* Takes: text. */
static void
environment_add(struct environment *env, char *text)
{
	env->vars = mem_realloc(env->vars, (env->count + 2) * sizeof(*env->vars));
	env->vars[env->count++] = text;
	env->vars[env->count] = NULL;
}

static bool
is_variable(const char *text, const char *name)
{
	size_t len = strlen(name);

	return strncmp(text, name, len) == 0 && text[len] == '=';
}

/* Our own environment, with what the zygote and its children are to have instead. */
static void
environment_make(struct environment *env, const struct zygote_options *opt)
{
	const char *path = getenv("PATH");

	for (char **var = environ; *var; var++) {
		if (is_variable(*var, WORKER_SCOPE_ENV) || is_variable(*var, "PATH") ||
			(opt->mount && is_variable(*var, "SLOTH_RUNNER_MOUNT")))
			continue;
		environment_add(env, mem_strdup(*var));
	}
	path = path && path[0] ? path
			       : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	environment_add(env, opt->bin_dir ? mem_printf("PATH=%s:%s", opt->bin_dir, path)
					  : mem_printf("PATH=%s", path));
	environment_add(env, mem_printf("%s=%s", WORKER_SCOPE_ENV, opt->scope));
	if (opt->mount)
		environment_add(env, mem_printf("SLOTH_RUNNER_MOUNT=%s", opt->mount));
}

/* ---- start ---------------------------------------------------------------------------------- */

struct launch {
	const char *program;
	char **env;
	int socket_fd, lock_fd, null_fd, report_fd; /* all above ZYGOTE_LOCK_FD */
	pid_t parent;
	bool no_new_privs;
};

/* In the child: only async-signal-safe calls. */
static void
launch_child(const struct launch *launch)
{
	char *argv[] = {(char *)launch->program, (char *)"--zygote",
		launch->no_new_privs ? (char *)"--no-new-privs" : NULL, NULL};
	sigset_t none;
	int code;

	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL); /* cannot fail */
	(void)signal(SIGPIPE, SIG_DFL);              /* cannot fail; the daemon ignores it */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == launch->parent &&
		dup2(launch->null_fd, STDIN_FILENO) >= 0 &&
		dup2(launch->socket_fd, ZYGOTE_FD) >= 0 &&
		dup2(launch->lock_fd, ZYGOTE_LOCK_FD) >= 0)
		(void)execve(launch->program, argv, launch->env); /* returns only with an error */
	code = errno;
	if (write(launch->report_fd, &code, sizeof(code)) < 0)
		_exit(126); /* nobody listens any more */
	_exit(127);
}

/* Wait for exec.  Returns 0 or the errno of what failed in the child. */
static int
launch_result(int report_fd)
{
	int code = 0;
	ssize_t n;

	do {
		n = read(report_fd, &code, sizeof(code));
	} while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(code) ? code : 0;
}

/* A copy that is in nobody's way when descriptors are given their places. */
static int
high_fd(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, ZYGOTE_LOCK_FD + 1);
}

static int
launch_run(struct launch *launch, pid_t *ret_pid)
{
	AUTO(fd) int report = -1;
	int ends[2], code;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return errno;
	report = ends[0];
	launch->report_fd = high_fd(ends[1]);
	(void)close(ends[1]); /* a copy is open */
	launch->parent = getpid();
	pid = fork();
	if (pid == 0)
		launch_child(launch);
	code = errno;
	(void)close(launch->report_fd); /* the child has its own */
	if (pid < 0)
		return code;
	code = launch_result(report);
	if (code == 0)
		*ret_pid = pid;
	else
		(void)waitpid(pid, NULL, 0); /* it has exited, or is about to */
	return code;
}

int
zygote_start(const struct zygote_options *opt, int *ret_fd, pid_t *ret_pid, struct err *err)
{
	AUTO(environment) struct environment env = {0};
	AUTO(fd) int ours = -1, theirs = -1, lock = -1, null = -1;
	struct launch launch;
	int ends[2], code;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_set(err, errno, "socket for the zygote: %s", strerror(errno));
	ours = ends[0];
	theirs = high_fd(ends[1]);
	(void)close(ends[1]); /* a copy is open */
	lock = high_fd(opt->lock_fd);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (theirs < 0 || lock < 0 || null < 0 || fcntl(ours, F_SETFL, O_NONBLOCK) < 0)
		return err_set(err, errno, "descriptors for the zygote: %s", strerror(errno));
	environment_make(&env, opt);
	launch = (struct launch){.program = opt->program,
		.env = env.vars,
		.socket_fd = theirs,
		.lock_fd = lock,
		.null_fd = null,
		.no_new_privs = opt->no_new_privs};
	code = launch_run(&launch, ret_pid);
	if (code)
		return err_set(
			err, code, "'%s' cannot be started: %s", opt->program, strerror(code));
	*ret_fd = TAKE_FD(ours);
	return 0;
}

/* ---- speaking ------------------------------------------------------------------------------- */

int
zygote_ask(int fd, const struct zygote_fork *req, struct err *err)
{
	AUTO(sbuf) struct sbuf frame = {0};
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(2 * sizeof(int))];
	} control = {0};
	const int fds[2] = {req->socket_fd, req->page_fd};
	struct iovec part;
	struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};
	size_t mark = frame_begin(&frame, ZYGOTE_FORK, req->request);

	frame_u32(&frame, req->uid);
	frame_u32(&frame, req->gid);
	frame_strz(&frame, req->home);
	frame_strz(&frame, req->cgroup);
	frame_end(&frame, mark);
	part = (struct iovec){.iov_base = frame.data, .iov_len = frame.len};
	msg.msg_control = control.space;
	msg.msg_controllen = sizeof(control.space);
	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(&control.align), fds, sizeof(fds));
	if (sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return err_set(
			err, errno, "the zygote cannot be asked for a worker: %s", strerror(errno));
	return 0;
}

static int
parse_news(const char *data, size_t len, struct zygote_news *ret_news)
{
	struct frame frame;
	int64_t used = frame_parse(data, len, &frame, NULL);
	size_t text_len;
	const char *text;

	if (used != (int64_t)len || (frame.type != ZYGOTE_FORKED && frame.type != ZYGOTE_EXITED))
		return -EPROTO;
	ret_news->type = frame.type;
	ret_news->request = frame.id;
	ret_news->pid = (pid_t)frame_get_u32(&frame);
	if (frame.type == ZYGOTE_EXITED) {
		ret_news->status = (int)frame_get_u32(&frame);
	} else {
		text = frame_get_str(&frame, &text_len);
		(void)snprintf(ret_news->error, sizeof(ret_news->error), "%.*s", (int)text_len,
			text); /* cut */
	}
	return frame.is_bad ? -EPROTO : 1;
}

static int
take_fd(struct msghdr *msg)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	int fd = -1;

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
		c->cmsg_len == CMSG_LEN(sizeof(fd)))
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

int
zygote_hear(int fd, struct zygote_news *ret_news)
{
	char data[MESSAGE_MAX];
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = {.iov_base = data, .iov_len = sizeof(data)};
	struct msghdr msg = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space)};
	struct zygote_news news = {.pidfd = -1};
	ssize_t n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	int rc;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -EPIPE;
	if (n == 0)
		return -EPIPE;
	news.pidfd = take_fd(&msg);
	rc = parse_news(data, (size_t)n, &news);
	if (rc < 0) {
		fd_auto(&news.pidfd);
		return rc;
	}
	*ret_news = news;
	return 1;
}

void
zygote_stop(int fd, pid_t pid)
{
	if (fd >= 0)
		(void)close(fd); /* nothing is waiting in it that matters */
	if (pid <= 0)
		return;
	(void)kill(pid, SIGKILL);    /* our child, not reaped: it is still this process */
	(void)waitpid(pid, NULL, 0); /* SIGKILL ends it */
}
