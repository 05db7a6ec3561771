/* A real zygote and its workers, spoken to as the daemon does. */
#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "lua/host/zygote.h"
#include "tests/unit/suite.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define LIMIT_MS 200000

struct daemon {
	pid_t zygote;
	int zygote_fd, lock_fd, worker_fd, pidfd;
	uint32_t worker_pid;
	char lock[40];
	struct sbuf in;
};
static struct daemon d;

static void
setup(void)
{
	int fds[2];

	d = (struct daemon){.worker_fd = -1, .pidfd = -1};
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1); /* so that nothing gets away from the test */
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	(void)snprintf(d.lock, sizeof(d.lock), "/tmp/sloth-lock-XXXXXX");
	d.lock_fd = mkostemp(d.lock, O_CLOEXEC);
	ck_assert_int_ge(d.lock_fd, 0);
	ck_assert_int_eq(flock(d.lock_fd, LOCK_EX), 0);
	d.zygote = fork();
	if (d.zygote == 0) {
		struct library *library;
		int socket = fcntl(fds[1], F_DUPFD, 20), lock = fcntl(d.lock_fd, F_DUPFD, 20), code;

		(void)close_range(3, 19, 0);
		(void)dup2(socket, ZYGOTE_FD);
		(void)dup2(lock, ZYGOTE_LOCK_FD);
		(void)close_range(5, ~0U, 0);
		if (library_new(&library, NULL) < 0)
			_exit(9);
		code = zygote_main(library, true);
		library_free(library);
		_exit(code);
	}
	ck_assert_int_gt(d.zygote, 0);
	(void)close(fds[1]);
	(void)close(d.lock_fd);
	d.zygote_fd = fds[0];
}

static void
wait_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	ck_assert_msg(poll(&p, 1, LIMIT_MS) == 1, "nothing came in time");
}

static void
teardown(void)
{
	int status;

	(void)close(d.zygote_fd);
	if (d.worker_fd >= 0)
		(void)close(d.worker_fd);
	if (d.pidfd >= 0)
		(void)close(d.pidfd);
	ck_assert_int_eq(waitpid(d.zygote, &status, 0), d.zygote);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* it took everything with it */
	sbuf_fini(&d.in);
	(void)unlink(d.lock);
}

/* Receive a frame and perhaps a descriptor from the zygote. */
static struct frame
zygote_next(char data[4096], int *ret_fd)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {data, 4096};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space)};
	struct cmsghdr *c;
	struct frame f;
	ssize_t n;

	wait_readable(d.zygote_fd);
	n = recvmsg(d.zygote_fd, &msg, MSG_CMSG_CLOEXEC);
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(frame_parse(data, (size_t)n, &f, NULL), n);
	*ret_fd = -1;
	c = CMSG_FIRSTHDR(&msg);
	if (c)
		memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
	return f;
}

static void
send_fork(uid_t uid, const char *cgroup, int socket, int page)
{
	AUTO(sbuf) struct sbuf out = {0};
	size_t mark = frame_begin(&out, ZYGOTE_FORK, 5);
	union {
		char space[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control = {{0}};
	struct iovec iov;
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int fds[2] = {socket, page};

	frame_u32(&out, uid);
	frame_u32(&out, uid == getuid() ? getgid() : uid);
	frame_strz(&out, "/tmp");
	frame_strz(&out, cgroup);
	frame_end(&out, mark);
	iov = (struct iovec){out.data, out.len};
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(c), fds, sizeof(fds));
	ck_assert_int_eq(sendmsg(d.zygote_fd, &msg, 0), (ssize_t)out.len);
}

static struct worker_page *
start_worker_as(uid_t uid)
{
	int fds[2], page = memfd_create("page", MFD_CLOEXEC);
	struct worker_page *shared;
	char data[4096];
	struct frame f;

	ck_assert_int_eq(ftruncate(page, sizeof(*shared)), 0);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, page, 0);
	ck_assert_ptr_ne(shared, MAP_FAILED);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	d.worker_fd = fds[1];
	send_fork(uid, "", fds[0], page);
	(void)close(fds[0]);
	(void)close(page);
	f = zygote_next(data, &d.pidfd);
	ck_assert_uint_eq(f.type, ZYGOTE_FORKED);
	ck_assert_uint_eq(f.id, 5);
	d.worker_pid = frame_get_u32(&f);
	ck_assert_uint_gt(d.worker_pid, 0);
	ck_assert_int_ge(d.pidfd, 0);
	return shared;
}

static struct worker_page *
start_worker(void)
{
	return start_worker_as(getuid());
}

/* The next frame of the worker. */
static struct frame
worker_next(size_t *used)
{
	struct frame f;
	int64_t n;

	sbuf_shift(&d.in, *used);
	while ((n = frame_parse(sbuf_str(&d.in), d.in.len, &f, NULL)) == 0) {
		ssize_t got;

		wait_readable(d.worker_fd);
		got = read(d.worker_fd, sbuf_room(&d.in, 4096), 4096);
		ck_assert_int_gt(got, 0);
		d.in.len += (size_t)got;
	}
	ck_assert_int_gt(n, 0);
	*used = (size_t)n;
	return f;
}

static void
run_script(const char *source)
{
	AUTO(sbuf) struct sbuf out = {0};
	size_t mark = frame_begin(&out, MSG_SCRIPT, 0);

	frame_u64(&out, 1);
	frame_u32(&out, 1);
	for (int i = 0; i < 3; i++)
		frame_strz(&out, "x");
	frame_strz(&out, source);
	frame_u64(&out, 0);
	frame_strz(&out, "");
	frame_strz(&out, "");
	frame_end(&out, mark);
	mark = frame_begin(&out, MSG_RUN, 9);
	frame_u64(&out, 1);
	frame_u32(&out, 1);
	frame_u32(&out, RUN_WHOLE);
	frame_u32(&out, 1);
	frame_u32(&out, 1);
	frame_u32(&out, LIMIT_MS);
	frame_u64(&out, 1);
	frame_strz(&out, "id");
	frame_strz(&out, "task.failed");
	frame_u64(&out, 0);
	for (int i = 0; i < 7; i++)
		frame_strz(&out, "");
	frame_end(&out, mark);
	ck_assert_int_eq(write(d.worker_fd, out.data, out.len), (ssize_t)out.len);
}

START_TEST(a_worker_runs_a_script)
{
	struct worker_page *page = start_worker();
	size_t used = 0;
	struct frame f = worker_next(&used);

	ck_assert_uint_eq(f.type, MSG_HELLO);
	ck_assert_uint_eq(frame_get_u32(&f), d.worker_pid);
	run_script("function on_event() return true, os.getenv('HOME') .. event.type end");
	f = worker_next(&used);
	ck_assert_uint_eq(f.type, MSG_STARTED);
	ck_assert_uint_eq(f.id, 9);
	f = worker_next(&used);
	ck_assert_uint_eq(f.type, MSG_DONE);
	ck_assert_uint_eq(frame_get_u32(&f), RUN_SUCCESS);
	{
		AUTO(free) char *message = frame_dup_str(&f);

		ck_assert_str_eq(message, "/tmptask.failed");
	}
	ck_assert_uint_eq(page->running, 0);
	ck_assert_uint_eq(page->touched[9], 0);
	(void)munmap(page, sizeof(*page));
}
END_TEST

/* How many children a process has. */
static int
children_of(uint32_t pid)
{
	char path[64];
	int count = 0, child;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%u/task/%u/children", pid, pid);
	f = fopen(path, "re");
	ck_assert_ptr_nonnull(f);
	while (fscanf(f, "%d", &child) == 1)
		count++;
	(void)fclose(f);
	return count;
}

/* Only root can start workers of others. */
START_TEST(a_worker_of_another_user)
{
	struct worker_page *page;
	char *message = NULL;
	size_t used = 0;
	struct frame f;

	if (getuid() != 0)
		return;
	page = start_worker_as(65534);
	(void)worker_next(&used);
	run_script(
		"function on_event() local r = exec.run('id -u; id -g; umask; setsid sleep 60 &')\n"
		"assert(r.success, r.stderr) return true, r.stdout end");
	(void)worker_next(&used);
	f = worker_next(&used); /* comes when the background job is gone */
	ck_assert_uint_eq(f.type, MSG_DONE);
	ck_assert_uint_eq(frame_get_u32(&f), RUN_SUCCESS);
	message = frame_dup_str(&f);
	ck_assert_str_eq(message, "65534\n65534\n0022\n");
	free(message);
	ck_assert_int_eq(children_of(d.worker_pid), 0);
	(void)munmap(page, sizeof(*page));
}
END_TEST

START_TEST(a_closed_socket_ends_the_worker)
{
	struct worker_page *page = start_worker();
	char data[4096];
	struct frame f;
	int fd;

	(void)close(d.worker_fd);
	d.worker_fd = -1;
	f = zygote_next(data, &fd);
	ck_assert_uint_eq(f.type, ZYGOTE_EXITED);
	ck_assert_uint_eq(frame_get_u32(&f), d.worker_pid);
	ck_assert_uint_eq(frame_get_u32(&f), 0);
	wait_readable(d.pidfd);
	(void)munmap(page, sizeof(*page));
}
END_TEST

START_TEST(a_killed_worker_tells_whose_fault_it_was_and_leaves_nothing)
{
	struct worker_page *page = start_worker();
	char data[4096], path[] = "/tmp/sloth-pid-XXXXXX", source[256];
	int64_t end = clock_mono_ns() + LIMIT_MS * NS_PER_MS;
	size_t used = 0;
	int fd, file = mkostemp(path, O_CLOEXEC);
	struct frame f = worker_next(&used);
	pid_t orphan;
	FILE *text;

	(void)snprintf(source, sizeof(source),
		"function on_event() exec.run('setsid sleep 60 & echo $! > %s')\n"
		"string.find(('a'):rep(40), ('a-'):rep(30) .. 'b') end",
		path);
	run_script(source);
	while (page->running != 9 || lseek(file, 0, SEEK_END) == 0)
		ck_assert_int_lt(clock_mono_ns(), end);
	ck_assert_int_eq(kill((pid_t)d.worker_pid, SIGKILL), 0);
	f = zygote_next(data, &fd);
	ck_assert_uint_eq(f.type, ZYGOTE_EXITED);
	ck_assert_uint_eq(page->running, 9);
	ck_assert_uint_eq(page->touched[9], 9);
	text = fopen(path, "re");
	ck_assert_int_eq(fscanf(text, "%d", &orphan), 1);
	(void)fclose(text);
	while (kill(orphan, 0) == 0)
		ck_assert_int_lt(clock_mono_ns(), end);
	(void)close(file);
	(void)unlink(path);
	(void)munmap(page, sizeof(*page));
}
END_TEST

START_TEST(the_lock_is_free_when_all_are_gone)
{
	struct worker_page *page = start_worker();
	int lock = open(d.lock, O_RDWR | O_CLOEXEC);

	ck_assert_int_eq(flock(lock, LOCK_EX | LOCK_NB), -1);
	ck_assert_int_eq(kill(d.zygote, SIGSTOP), 0); /* even with a zygote that does not react */
	ck_assert_int_eq(flock(lock, LOCK_EX | LOCK_NB), -1);
	ck_assert_int_eq(kill(d.zygote, SIGCONT), 0);
	(void)shutdown(
		d.zygote_fd, SHUT_RDWR); /* the daemon is gone; the worker's socket is open */
	ck_assert_int_eq(flock(lock, LOCK_EX), 0);
	ck_assert(kill((pid_t)d.worker_pid, 0) < 0);
	(void)close(lock);
	(void)munmap(page, sizeof(*page));
}
END_TEST

START_TEST(a_cgroup_that_cannot_be_joined)
{
	char data[4096];
	int fds[2], fd;
	struct frame f;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	send_fork(getuid(), "/nowhere/cgroup", fds[0], fds[0]);
	(void)close(fds[0]);
	(void)close(fds[1]);
	f = zygote_next(data, &fd);
	ck_assert_uint_eq(f.type, ZYGOTE_FORKED);
	ck_assert_uint_eq(frame_get_u32(&f), 0);
	{
		AUTO(free) char *error = frame_dup_str(&f);

		ck_assert_ptr_nonnull(strstr(error, "/nowhere/cgroup"));
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("zygote");
	TCase *tc = tcase_create("zygote");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_worker_runs_a_script);
	tcase_add_test(tc, a_worker_of_another_user);
	tcase_add_test(tc, a_closed_socket_ends_the_worker);
	tcase_add_test(tc, a_killed_worker_tells_whose_fault_it_was_and_leaves_nothing);
	tcase_add_test(tc, the_lock_is_free_when_all_are_gone);
	tcase_add_test(tc, a_cgroup_that_cannot_be_joined);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
