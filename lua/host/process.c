/* Run a shell command for an invocation: exec.run, os.execute and io.popen come down to this.
 *
 * The command's output is collected from two pipes.  It has ended when the shell has: what it left
 * in the background may keep the pipes open, so after that they are read for GRACE_MS more at most.
 * The operation is over when the shell is reaped and every handle closed; a cancelled one kills the
 * group first.  What stays behind is contain.c's.
 */
#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "lua/host/invocation.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define GRACE_MS   50
#define PIPE_BYTES 65536 /* what a pipe holds when nobody asked for more */
#define FILES_SOFT 1024  /* RLIMIT_NOFILE of programs: what select() can take */

extern char **environ;

struct exec {
	struct await await;
	struct child *child; /* NULL once reaped */
	uv_pipe_t out, err;
	uv_timer_t timer; /* timeout, then grace */
	unsigned open_handles, open_pipes;
	bool is_exited, is_closing;
	exec_results_fn *results;
	struct exec_result result;
	char *error;
};

/* ---- the child's side ----------------------------------------------------------------------- */

struct start {
	char *const *argv, *const *envp;
	const char *workdir;
	int in, out, err, report;
	pid_t parent;
};

static void
report_failure(const struct start *s, const char *what)
{
	char text[200];
	int n = snprintf(text, sizeof(text), "%s: %s", what, strerror(errno));

	(void)!write(s->report, text, (size_t)n); /* nobody left to tell if it fails */
	_exit(127);
}

static void
become_ordinary(void)
{
	struct rlimit files;
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur > FILES_SOFT) {
		files.rlim_cur = FILES_SOFT;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
}

static void
child_main(const struct start *s)
{
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != s->parent)
		_exit(127); /* the worker died before the line above */
	become_ordinary();
	if (dup2(s->in, 0) < 0 || dup2(s->out, 1) < 0 || dup2(s->err, 2) < 0)
		report_failure(s, "pipes");
	if (chdir(s->workdir) < 0)
		report_failure(s, s->workdir);
	(void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	(void)execve(s->argv[0], s->argv, s->envp);
	report_failure(s, s->argv[0]);
}

/* ---- starting ------------------------------------------------------------------------------- */

struct pipes {
	int in, out[2], err[2], report[2];
};

static void
pipes_auto(struct pipes *p)
{
	int *fds[] = {&p->in, &p->out[0], &p->out[1], &p->err[0], &p->err[1], &p->report[0],
		&p->report[1]};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		fd_auto(fds[i]);
}

static int
write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return lseek(fd, 0, SEEK_SET) < 0 ? -errno : 0;
}

/* Standard input: nothing, or a memory file (a pipe would have to be fed). */
static int
open_input(const struct exec_options *opt)
{
	int fd;

	if (!opt->input)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	fd = memfd_create("stdin", MFD_CLOEXEC);
	if (fd >= 0 && write_all(fd, opt->input, opt->input_len) < 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

static bool
open_pipes(struct pipes *p, const struct exec_options *opt)
{
	*p = (struct pipes){-1, {-1, -1}, {-1, -1}, {-1, -1}};
	p->in = open_input(opt);
	return p->in >= 0 && pipe2(p->out, O_CLOEXEC) == 0 && pipe2(p->err, O_CLOEXEC) == 0 &&
	       pipe2(p->report, O_CLOEXEC) == 0;
}

/* Whether two "NAME=value" entries are of one variable; a bare "NAME" is one too. */
static bool
is_same_variable(const char *a, const char *b)
{
	size_t len = strcspn(a, "=");

	return len == strcspn(b, "=") && memcmp(a, b, len) == 0;
}

static bool
is_overridden(const char *entry, const char *const *env, const char *mark)
{
	for (; env && *env; env++) {
		if (is_same_variable(*env, entry))
			return true;
	}
	return is_same_variable(mark, entry);
}

/* Returns an owned array of borrowed strings. */
static char **
merge_env(const char *const *env, const char *mark)
{
	size_t n = 0, count = 2;
	char **merged;

	for (char **e = environ; *e; e++)
		count++;
	for (const char *const *e = env; e && *e; e++)
		count++;
	merged = NEW_N(char *, count);
	for (char **e = environ; *e; e++) {
		if (!is_overridden(*e, env, mark))
			merged[n++] = *e;
	}
	for (const char *const *e = env; e && *e; e++) {
		if (strchr(*e, '=') && !is_overridden(*e, e + 1, mark))
			merged[n++] = (char *)*e;
	}
	merged[n] = (char *)mark;
	return merged;
}

static const char *
shell(void)
{
	return access("/bin/bash", X_OK) == 0 ? "/bin/bash" : "/bin/sh";
}

/* Returns the child's pid, or -1 with *ret_error set (owned). */
static pid_t
start(struct invocation *inv, const struct exec_options *opt, struct pipes *p, char **ret_error)
{
	AUTO(sbuf) struct sbuf mark = {0};
	AUTO(free) char **envp = NULL;
	char text[200], *argv[] = {(char *)shell(), (char *)"-c", (char *)opt->command, NULL};
	struct start s = {
		argv, NULL, opt->workdir, p->in, p->out[1], p->err[1], p->report[1], getpid()};
	ssize_t n;
	pid_t pid;

	contain_mark(inv, &mark);
	s.envp = envp = merge_env(opt->env, sbuf_str(&mark));
	pid = fork();
	if (pid == 0)
		child_main(&s);
	if (pid < 0) {
		*ret_error = mem_printf("fork: %s", strerror(errno));
		return -1;
	}
	(void)setpgid(pid, pid); /* both sides do it, so that neither has to wait */
	(void)close(TAKE_FD(p->report[1]));
	n = read(p->report[0], text, sizeof(text)); /* ends when the program has taken over */
	if (n > 0) {
		(void)waitpid(pid, NULL, 0);
		*ret_error = mem_strndup(text, (size_t)n);
		return -1;
	}
	return pid;
}

/* ---- while it runs -------------------------------------------------------------------------- */

static void
on_closed(uv_handle_t *handle)
{
	struct exec *x = handle->data;

	if (--x->open_handles == 0)
		await_done(&x->await);
}

static void
close_pipe(struct exec *x, uv_pipe_t *pipe)
{
	if (uv_is_closing((uv_handle_t *)pipe))
		return;
	x->open_pipes--;
	uv_close((uv_handle_t *)pipe, on_closed);
}

static void
close_all(struct exec *x)
{
	if (x->is_closing)
		return;
	x->is_closing = true;
	close_pipe(x, &x->out);
	close_pipe(x, &x->err);
	uv_close((uv_handle_t *)&x->timer, on_closed);
}

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct exec *x = handle->data;
	struct sbuf *to = handle == (uv_handle_t *)&x->out ? &x->result.out : &x->result.err;

	buf->base = sbuf_room(to, suggested);
	buf->len = suggested;
}

static void
on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct exec *x = stream->data;
	struct sbuf *to = stream == (uv_stream_t *)&x->out ? &x->result.out : &x->result.err;
	size_t room = EXEC_OUTPUT_MAX - to->len;

	(void)buf;
	if (n < 0) {
		close_pipe(x, (uv_pipe_t *)stream);
		if (x->is_exited && x->open_pipes == 0)
			close_all(x);
		return;
	}
	if ((size_t)n > room) {
		x->result.dropped_bytes += (size_t)n - room;
		n = (ssize_t)room;
	}
	to->len += (size_t)n;
}

/* Timers come before news: a loop that was held up has not seen yet what the shell wrote last.  One
 * read takes all that a pipe holds. */
static void
read_rest(uv_pipe_t *pipe)
{
	uv_os_fd_t fd;
	uv_buf_t buf;
	ssize_t n;

	if (uv_fileno((uv_handle_t *)pipe, &fd) < 0)
		return; /* read to its end */
	on_alloc((uv_handle_t *)pipe, PIPE_BYTES, &buf);
	n = read(fd, buf.base, buf.len);
	if (n > 0)
		on_read((uv_stream_t *)pipe, n, &buf);
}

static void
on_grace_over(uv_timer_t *timer)
{
	struct exec *x = timer->data;

	read_rest(&x->out);
	read_rest(&x->err);
	close_all(x);
}

static void
on_exited(void *arg, int wait_status)
{
	struct exec *x = arg;

	x->child = NULL;
	x->is_exited = true;
	x->result.exit_code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1;
	x->result.signal = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
	if (x->is_closing)
		return;
	if (x->open_pipes == 0 || !x->await.inv)
		close_all(x);
	else
		(void)uv_timer_start(&x->timer, on_grace_over, GRACE_MS, 0);
}

static void
kill_group(struct exec *x)
{
	if (x->child)
		(void)kill(-x->child->pid, SIGKILL);
}

static void
on_timeout(uv_timer_t *timer)
{
	struct exec *x = timer->data;

	x->result.is_timed_out = true;
	kill_group(x);
}

static void
exec_cancel(struct await *op)
{
	struct exec *x = (struct exec *)op;

	kill_group(x);
	if (x->child)
		x->child->exited = NULL; /* it is contain.c's to reap */
	x->child = NULL;
	close_all(x);
}

static int
exec_results(lua_State *L, struct await *op)
{
	struct exec *x = (struct exec *)op;

	x->result.error = x->error;
	return x->results(L, &x->result);
}

static void
exec_fini(struct await *op)
{
	struct exec *x = (struct exec *)op;

	sbuf_fini(&x->result.out);
	sbuf_fini(&x->result.err);
	free(x->error);
}

static const struct await_ops exec_ops = {"exec", exec_results, exec_cancel, exec_fini};

static void
watch(struct exec *x, uv_pipe_t *pipe, int *fd)
{
	pipe->data = x;
	(void)uv_pipe_init(x->timer.loop, pipe, 0);
	(void)uv_pipe_open(pipe, TAKE_FD(*fd));
	(void)uv_read_start((uv_stream_t *)pipe, on_alloc, on_read);
	x->open_handles++;
	x->open_pipes++;
}

static void
begin(struct exec *x, struct invocation *inv, const struct exec_options *opt)
{
	AUTO(pipes) struct pipes pipes;
	pid_t pid = -1;

	if (!open_pipes(&pipes, opt))
		x->error = mem_printf("pipes: %s", strerror(errno));
	else
		pid = start(inv, opt, &pipes, &x->error);
	if (pid < 0) {
		x->result.exit_code = 1;
		await_done(&x->await);
		return;
	}
	x->child = contain_add(inv, pid);
	x->child->arg = x;
	x->child->exited = on_exited;
	x->timer.data = x;
	(void)uv_timer_init(&inv->worker->loop, &x->timer);
	x->open_handles = 1;
	watch(x, &x->out, &pipes.out[0]);
	watch(x, &x->err, &pipes.err[0]);
	if (opt->timeout_ms) {
		uv_update_time(&inv->worker->loop);
		(void)uv_timer_start(&x->timer, on_timeout, opt->timeout_ms, 0);
	}
}

int
exec_wait(lua_State *L, const struct exec_options *opt, exec_results_fn *results)
{
	struct exec *x = await_begin(L, sizeof(*x), &exec_ops);
	struct exec_options full = *opt;

	host_touch(L);
	if (!full.workdir)
		full.workdir = host_workdir(L);
	x->results = results;
	begin(x, x->await.inv, &full);
	return await_yield(L, &x->await);
}
