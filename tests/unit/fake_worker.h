/* A sloth-worker without Lua: the test program itself, started with --zygote.  It speaks the whole
 * protocol and does what the type of the event says:
 *
 *	ok      ends with the message "attempt <n> of <label> <version>"
 *	count   ends with the number of scripts and the log level as message
 *	crash   dies of SIGSEGV while it runs
 *	hang    does not come back
 *	wait    has begun and waits, until it is cancelled
 *	touch   has begun, has done something, and waits
 *	silent  is taken, and never begun
 *	emit    emits one event, ends with the answer as message
 *	state   asks for the state, ends with the answer or the error
 *	flood   emits FLOOD events at once, ends when all are answered
 *	leave   leaves a program running that cleans up nothing, ends with its pid
 *	noise   sends a frame nobody knows
 *	last    ends well once there is more to read, which it does not, and dies of SIGKILL
 *	print   ends with more output than was recorded
 *	filter  ends as filtered: "<part> for <count> events, <match>"
 *
 * A check of the source "hang" or "crash" does that; of anything else it answers metadata.
 */
#ifndef SLOTH_TESTS_FAKE_WORKER_H
#define SLOTH_TESTS_FAKE_WORKER_H

#include "base/auto.h"
#include "base/clock.h"
#include "base/frame.h"
#include "base/mem.h"
#include "base/worker_proto.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define FLOOD        3000
#define FAKE_WORKERS 64

struct fake {
	int fd;
	struct worker_page *page;
	struct sbuf in, out;
	char script[64]; /* "<label> <version>" of the last one sent */
	char match[64];  /* its conditions */
	uint32_t flood, flood_answers, scripts, level;
	uint32_t part, count; /* of the last run */
	char question[16];    /* type of the event of the run that asks */
};

/* ---- a worker ------------------------------------------------------------------------------- */

static inline void
fake_flush(struct fake *fake)
{
	size_t at = 0;

	while (at < fake->out.len) {
		ssize_t n = send(fake->fd, fake->out.data + at, fake->out.len - at, MSG_NOSIGNAL);

		if (n < 0)
			_exit(3);
		at += (size_t)n;
	}
	sbuf_reset(&fake->out);
}

static inline void
fake_started(struct fake *fake, uint32_t id)
{
	size_t mark = frame_begin(&fake->out, MSG_STARTED, id);

	frame_u64(&fake->out, (uint64_t)clock_real_ns());
	frame_end(&fake->out, mark);
}

static inline void
fake_done(struct fake *fake, uint32_t id, enum run_result result, const char *message)
{
	size_t mark = frame_begin(&fake->out, MSG_DONE, id);

	frame_u32(&fake->out, result);
	frame_strz(&fake->out, message);
	frame_strz(&fake->out, result == RUN_SUCCESS || result == RUN_FILTERED ? NULL : message);
	frame_strz(&fake->out, "printed");
	frame_u64(&fake->out, 1000);
	frame_u64(&fake->out, message && strcmp(message, "long") == 0 ? 17 : 0);
	frame_end(&fake->out, mark);
}

static inline void
fake_emit(struct fake *fake, uint32_t id, uint32_t request)
{
	size_t mark = frame_begin(&fake->out, MSG_EMIT, id);

	frame_u32(&fake->out, request);
	frame_strz(&fake->out, "effect.one");
	frame_strz(&fake->out, "{\"x\":1}");
	frame_strz(&fake->out, NULL);
	frame_strz(&fake->out, NULL);
	frame_end(&fake->out, mark);
}

static inline void
fake_state(struct fake *fake, uint32_t id)
{
	size_t mark = frame_begin(&fake->out, MSG_STATE, id);

	frame_u32(&fake->out, 7);
	frame_u32(&fake->out, 0); /* get */
	frame_strz(&fake->out, "counter");
	frame_strz(&fake->out, NULL);
	frame_strz(&fake->out, NULL);
	frame_u64(&fake->out, 0);
	frame_end(&fake->out, mark);
}

/* What the daemon must see before this process stops listening. */
static inline void
fake_last_words(struct fake *fake, uint32_t id)
{
	fake->page->running = id;
	fake_flush(fake);
}

/* Become a program that is in nobody's way: when a test fails and leaves it behind, it neither
 * holds the output that somebody reads to its end nor stays for long. */
static inline void
fake_left_program(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (dup2(null, fd) < 0)
			_exit(126);
	}
	(void)execlp("sleep", "sleep", "100", (char *)NULL);
	_exit(127);
}

static inline void
fake_leave(struct fake *fake, uint32_t id)
{
	char text[32];
	pid_t pid = fork();

	if (pid == 0) {
		(void)setsid();
		(void)prctl(PR_SET_PDEATHSIG, 0);
		fake_left_program();
	}
	(void)snprintf(text, sizeof(text), "%d", (int)pid);
	fake_done(fake, id, RUN_SUCCESS, text);
}

static inline void
fake_last(struct fake *fake, uint32_t id)
{
	struct pollfd more = {.fd = fake->fd, .events = POLLIN};

	fake_flush(fake);
	(void)poll(&more, 1, -1);
	fake_done(fake, id, RUN_SUCCESS, "said");
	fake_flush(fake);
	(void)raise(SIGKILL);
}

static inline void
fake_act(struct fake *fake, uint32_t id, const char *type, uint32_t attempt)
{
	char text[128];

	if (strcmp(type, "silent") == 0)
		return;
	fake_started(fake, id);
	if (strcmp(type, "touch") == 0)
		fake->page->touched[id % RUN_PLACES] = id;
	(void)snprintf(fake->question, sizeof(fake->question), "%s", type);
	if (strcmp(type, "crash") == 0 || strcmp(type, "hang") == 0) {
		fake_last_words(fake, id);
		if (strcmp(type, "crash") == 0) {
			(void)signal(SIGSEGV, SIG_DFL); /* a sanitizer would report it */
			(void)raise(SIGSEGV);
		}
		for (;;)
			(void)pause();
	}
	if (strcmp(type, "ok") == 0) {
		(void)snprintf(text, sizeof(text), "attempt %u of %s", attempt, fake->script);
		fake_done(fake, id, RUN_SUCCESS, text);
	} else if (strcmp(type, "count") == 0) {
		(void)snprintf(
			text, sizeof(text), "%u scripts, level %u", fake->scripts, fake->level);
		fake_done(fake, id, RUN_SUCCESS, text);
	} else if (strcmp(type, "filter") == 0) {
		(void)snprintf(text, sizeof(text), "%u for %u events, %s", fake->part, fake->count,
			fake->match);
		fake_done(fake, id, RUN_FILTERED, text);
	} else if (strcmp(type, "last") == 0) {
		fake_last(fake, id);
	} else if (strcmp(type, "print") == 0) {
		fake_done(fake, id, RUN_FAILED, "long");
	} else if (strcmp(type, "emit") == 0) {
		fake_emit(fake, id, 7);
	} else if (strcmp(type, "state") == 0) {
		fake_state(fake, id);
	} else if (strcmp(type, "leave") == 0) {
		fake_leave(fake, id);
	} else if (strcmp(type, "noise") == 0) {
		frame_end(&fake->out, frame_begin(&fake->out, 99, id));
	} else if (strcmp(type, "flood") == 0) {
		for (fake->flood = 0; fake->flood < FLOOD; fake->flood++)
			fake_emit(fake, id, fake->flood);
	}
}

static inline void
fake_run(struct fake *fake, struct frame *frame)
{
	uint32_t attempt;
	char *type;

	(void)frame_get_u64(frame); /* hook */
	(void)frame_get_u32(frame); /* version */
	fake->part = frame_get_u32(frame);
	fake->count = frame_get_u32(frame);
	attempt = frame_get_u32(frame);
	(void)frame_get_u32(frame); /* timeout */
	(void)frame_get_u64(frame); /* seq */
	free(frame_dup_str(frame)); /* id */
	type = frame_dup_str(frame);
	fake_act(fake, frame->id, type ? type : "", attempt);
	free(type);
}

static inline void
fake_script(struct fake *fake, struct frame *frame)
{
	uint32_t version;
	char *label, *match;

	(void)frame_get_u64(frame); /* hook */
	version = frame_get_u32(frame);
	label = frame_dup_str(frame);
	(void)snprintf(fake->script, sizeof(fake->script), "%s %u", label, version);
	free(label);
	for (int i = 0; i < 3; i++)
		free(frame_dup_str(frame)); /* stack, path, source */
	(void)frame_get_u64(frame);         /* memory */
	free(frame_dup_str(frame));         /* lib_dirs */
	match = frame_dup_str(frame);
	(void)snprintf(fake->match, sizeof(fake->match), "%s", match ? match : "");
	free(match);
	fake->scripts++;
}

static inline void
fake_check(struct fake *fake, struct frame *frame)
{
	AUTO(free) char *path = frame_dup_str(frame);
	AUTO(free) char *source = frame_dup_str(frame);
	size_t mark;

	if (source && strcmp(source, "hang") == 0) {
		fake_last_words(fake, frame->id);
		for (;;)
			(void)pause();
	}
	if (source && strcmp(source, "crash") == 0) {
		fake_last_words(fake, frame->id);
		(void)raise(SIGKILL);
	}
	if (source && strcmp(source, "bad") == 0) {
		fake_done(fake, frame->id, RUN_FAILED, "hooks/x.lua:1: unexpected symbol");
		return;
	}
	mark = frame_begin(&fake->out, MSG_META, frame->id);
	frame_strz(&fake->out, "{\"name\":\"x\"}");
	frame_end(&fake->out, mark);
}

static inline void
fake_answer(struct fake *fake, struct frame *frame)
{
	uint32_t request = frame_get_u32(frame), code = frame_get_u32(frame);
	AUTO(free) char *value = frame_dup_str(frame);
	AUTO(free) char *error = frame_dup_str(frame);

	if (strcmp(fake->question, "flood") == 0 && ++fake->flood_answers < FLOOD)
		return;
	if (strcmp(fake->question, "flood") == 0)
		fake_done(fake, frame->id, RUN_SUCCESS, "all answered");
	else if (request == 7)
		fake_done(fake, frame->id, code ? RUN_FAILED : RUN_SUCCESS, code ? error : value);
}

static inline void
fake_handle(struct fake *fake, struct frame *frame)
{
	if (frame->type == MSG_SCRIPT)
		fake_script(fake, frame);
	else if (frame->type == MSG_DROP)
		fake->scripts--;
	else if (frame->type == MSG_LEVEL)
		fake->level = frame_get_u32(frame);
	else if (frame->type == MSG_RUN)
		fake_run(fake, frame);
	else if (frame->type == MSG_CHECK)
		fake_check(fake, frame);
	else if (frame->type == MSG_CANCEL)
		fake_done(fake, frame->id, frame_get_u32(frame), "cancelled");
	else if (frame->type == MSG_ANSWER)
		fake_answer(fake, frame);
}

static inline void
fake_worker(struct fake *fake)
{
	for (;;) {
		ssize_t n = recv(fake->fd, sbuf_room(&fake->in, 65536), 65536, 0);
		struct frame frame;
		int64_t used;

		if (n <= 0)
			_exit(0);
		fake->in.len += (size_t)n;
		while ((used = frame_parse(fake->in.data, fake->in.len, &frame, NULL)) > 0) {
			fake_handle(fake, &frame);
			sbuf_shift(&fake->in, (size_t)used);
		}
		fake_flush(fake);
	}
}

/* ---- the zygote ----------------------------------------------------------------------------- */

struct fake_zygote {
	pid_t pids[FAKE_WORKERS];
	struct pollfd polls[FAKE_WORKERS + 1]; /* the socket, then the pidfds */
	nfds_t count;
};

static inline void
fake_tell(uint8_t type, uint32_t id, const uint32_t numbers[2], int fd)
{
	struct sbuf out = {0};
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec part;
	struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};
	size_t mark = frame_begin(&out, type, id);

	frame_u32(&out, numbers[0]);
	frame_u32(&out, numbers[1]);
	frame_end(&out, mark);
	part = (struct iovec){.iov_base = out.data, .iov_len = out.len};
	if (fd >= 0) {
		msg.msg_control = control.space;
		msg.msg_controllen = sizeof(control.space);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
	}
	if (sendmsg(ZYGOTE_FD, &msg, MSG_NOSIGNAL) < 0)
		_exit(4);
	sbuf_fini(&out);
}

static inline void
fake_become_worker(const int fds[2])
{
	struct fake fake = {.fd = fds[0]};

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)close(ZYGOTE_FD);
	fake.page = mmap(NULL, sizeof(*fake.page), PROT_READ | PROT_WRITE, MAP_SHARED, fds[1], 0);
	if (fake.page == MAP_FAILED)
		_exit(5);
	(void)fcntl(ZYGOTE_LOCK_FD, F_SETFD, FD_CLOEXEC);
	fake_worker(&fake);
}

static inline void
fake_fork(struct fake_zygote *z)
{
	char data[4096];
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(2 * sizeof(int))];
	} control;
	struct iovec part = {.iov_base = data, .iov_len = sizeof(data)};
	struct msghdr msg = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space)};
	ssize_t n = recvmsg(ZYGOTE_FD, &msg, MSG_CMSG_CLOEXEC);
	struct frame frame;
	int fds[2], pidfd;
	pid_t pid;

	if (n <= 0 || frame_parse(data, (size_t)n, &frame, NULL) != n || !CMSG_FIRSTHDR(&msg))
		_exit(0);
	memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fds));
	pid = fork();
	if (pid == 0)
		fake_become_worker(fds);
	(void)close(fds[0]);
	(void)close(fds[1]);
	pidfd = pidfd_open(pid, 0);
	fake_tell(ZYGOTE_FORKED, frame.id, (uint32_t[2]){(uint32_t)pid, 0}, pidfd);
	z->pids[z->count] = pid;
	z->polls[z->count++] = (struct pollfd){.fd = pidfd, .events = POLLIN};
}

static inline void
fake_reap(struct fake_zygote *z, nfds_t i)
{
	int status;

	(void)waitpid(z->pids[i], &status, 0);
	(void)close(z->polls[i].fd);
	fake_tell(ZYGOTE_EXITED, 0, (uint32_t[2]){(uint32_t)z->pids[i], (uint32_t)status}, -1);
	z->count--;
	z->pids[i] = z->pids[z->count];
	z->polls[i] = z->polls[z->count];
}

/* Called first in main(): does not return when this process is to be the zygote. */
static inline void
fake_main(int argc, char **argv)
{
	struct fake_zygote z = {.count = 1};

	if (argc < 2 || strcmp(argv[1], "--zygote") != 0)
		return;
	z.polls[0] = (struct pollfd){.fd = ZYGOTE_FD, .events = POLLIN};
	for (;;) {
		if (poll(z.polls, z.count, -1) < 0)
			_exit(6);
		for (nfds_t i = z.count - 1; i > 0; i--) {
			if (z.polls[i].revents)
				fake_reap(&z, i);
		}
		if (z.polls[0].revents && z.count < FAKE_WORKERS)
			fake_fork(&z);
	}
}

#endif
