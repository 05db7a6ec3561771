/* A worker in the test's own process, with the test as its daemon: frames go through a socketpair
 * and the loop is turned until the awaited answer is there.  Modules are the real ones. */
#ifndef SLOTH_TESTS_WORKER_RIG_H
#define SLOTH_TESTS_WORKER_RIG_H

#include "base/clock.h"
#include "base/mem.h"
#include "lua/host/invocation.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define RIG_LIMIT_NS   (300 * NS_PER_S) /* beyond this an answer is not coming */
#define RIG_TIMEOUT_MS 200000           /* of a run that is to end by itself */

struct rig {
	struct library *library;
	struct worker *worker;
	int fd;
	struct sbuf in;
	size_t used; /* of the frame handed out last */
	uint32_t last_run;
	const char *match;  /* of the next script; NULL: none */
	enum run_part part; /* of the next runs */
	uint32_t count;     /* events they stand for; 0 is 1 */
};

struct outcome {
	enum msg type; /* MSG_DONE or MSG_META */
	uint32_t result;
	char *message, *error, *output, *meta;
	uint64_t duration_ns, dropped_bytes;
};

static inline void
rig_start(struct rig *rig)
{
	int fds[2];
	struct err err;

	*rig = (struct rig){.fd = -1};
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	rig->fd = fds[1];
	(void)fcntl(rig->fd, F_SETFL, O_NONBLOCK);
	ck_assert_msg(library_new(&rig->library, &err) == 0, "%s", err.msg);
	ck_assert_int_eq(setenv("HOME", "/tmp", 1), 0); /* where relative paths lead */
	ck_assert_msg(worker_new(fds[0], rig->library, &rig->worker, &err) == 0, "%s", err.msg);
}

static inline void
rig_stop(struct rig *rig)
{
	worker_free(rig->worker);
	library_free(rig->library);
	sbuf_fini(&rig->in);
	(void)close(rig->fd);
}

static inline void
outcome_fini(struct outcome *o)
{
	free(o->message);
	free(o->error);
	free(o->output);
	free(o->meta);
	*o = (struct outcome){0};
}

static inline void
rig_send(struct rig *rig, struct sbuf *frames)
{
	ck_assert_int_eq(write(rig->fd, frames->data, frames->len), (ssize_t)frames->len);
	sbuf_fini(frames);
}

static inline void
rig_script(struct rig *rig, uint64_t hook_id, const char *source, uint64_t memory_bytes,
	const char *lib_dirs)
{
	struct sbuf out = {0};
	size_t mark = frame_begin(&out, MSG_SCRIPT, 0);

	frame_u64(&out, hook_id);
	frame_u32(&out, 1);
	frame_strz(&out, "x");
	frame_strz(&out, "");
	frame_strz(&out, "hooks/x.lua");
	frame_strz(&out, source);
	frame_u64(&out, memory_bytes);
	frame_strz(&out, lib_dirs);
	frame_strz(&out, rig->match);
	frame_end(&out, mark);
	rig_send(rig, &out);
}

/* Returns the run's id. */
static inline uint32_t
rig_run(struct rig *rig, uint64_t hook_id, uint32_t timeout_ms, const char *type, const char *data)
{
	struct sbuf out = {0};
	size_t mark = frame_begin(&out, MSG_RUN, ++rig->last_run);

	frame_u64(&out, hook_id);
	frame_u32(&out, 1);
	frame_u32(&out, rig->part);
	frame_u32(&out, rig->count ? rig->count : 1);
	frame_u32(&out, 2); /* attempt */
	frame_u32(&out, timeout_ms);
	frame_u64(&out, 77);
	frame_strz(&out, "event-1");
	frame_strz(&out, type);
	frame_u64(&out, 1700000000123456789ULL);
	frame_strz(&out, "production");
	frame_strz(&out, "");
	frame_strz(&out, "run-9");
	frame_strz(&out, "");
	frame_strz(&out, "");
	frame_strz(&out, "");
	frame_strz(&out, data);
	frame_end(&out, mark);
	rig_send(rig, &out);
	return rig->last_run;
}

static inline void
rig_tick(uv_timer_t *timer)
{
	(void)timer;
}

/* Turn the loop until a frame of another type than MSG_STARTED and MSG_LOG has come.  The frame is
 * borrowed until the next call. */
static inline struct frame
rig_next(struct rig *rig)
{
	int64_t end = clock_mono_ns() + RIG_LIMIT_NS;
	struct frame f;
	uv_timer_t timer;

	sbuf_shift(&rig->in, rig->used);
	rig->used = 0;
	(void)uv_timer_init(&rig->worker->loop, &timer);
	(void)uv_timer_start(&timer, rig_tick, 5, 5); /* so that waiting on the loop ends */
	for (;;) {
		int64_t n = frame_parse(sbuf_str(&rig->in), rig->in.len, &f, NULL);
		ssize_t got;

		ck_assert_int_ge(n, 0);
		if (n > 0 && f.type != MSG_STARTED && f.type != MSG_LOG) {
			rig->used = (size_t)n;
			break;
		}
		if (n > 0) {
			sbuf_shift(&rig->in, (size_t)n);
			continue;
		}
		ck_assert_msg(clock_mono_ns() < end, "no answer from the worker");
		(void)uv_run(&rig->worker->loop, UV_RUN_ONCE);
		got = read(rig->fd, sbuf_room(&rig->in, 65536), 65536);
		if (got > 0)
			rig->in.len += (size_t)got;
	}
	uv_close((uv_handle_t *)&timer, NULL);
	(void)uv_run(&rig->worker->loop, UV_RUN_NOWAIT);
	return f;
}

static inline char *
rig_text(struct frame *f)
{
	size_t len;
	const char *s = frame_get_str(f, &len);

	return mem_strndup(s, len);
}

/* The next MSG_DONE or MSG_META. */
static inline struct outcome
rig_outcome(struct rig *rig)
{
	struct frame f = rig_next(rig);
	struct outcome o = {.type = f.type};

	ck_assert_msg(f.type == MSG_DONE || f.type == MSG_META, "frame type %u", f.type);
	if (f.type == MSG_META) {
		o.meta = rig_text(&f);
		return o;
	}
	o.result = frame_get_u32(&f);
	o.message = rig_text(&f);
	o.error = rig_text(&f);
	o.output = rig_text(&f);
	o.duration_ns = frame_get_u64(&f);
	o.dropped_bytes = frame_get_u64(&f);
	ck_assert(!f.is_bad);
	return o;
}

/* Script, run, outcome, with a fresh hook id each time. */
static inline struct outcome
rig_do_with(struct rig *rig, const char *source, uint32_t timeout_ms, uint64_t memory_bytes)
{
	uint64_t hook_id = 1000 + rig->last_run;

	rig_script(rig, hook_id, source, memory_bytes, "");
	(void)rig_run(rig, hook_id, timeout_ms, "task.failed",
		"{\"task\":{\"task_name\":\"build\",\"exit_code\":3}}");
	return rig_outcome(rig);
}

/* The body of a hook: what execute(event) does. */
static inline struct outcome
rig_do(struct rig *rig, const char *body)
{
	char *source = mem_printf("return {execute = function(event) %s\nend}", body);
	struct outcome o = rig_do_with(rig, source, RIG_TIMEOUT_MS, 0);

	free(source);
	return o;
}

/* The body has to succeed; otherwise its error is shown. */
static inline void
rig_ok(struct rig *rig, const char *body)
{
	struct outcome o = rig_do(rig, body);

	ck_assert_msg(o.result == RUN_SUCCESS, "%s\n%s", body, o.error);
	outcome_fini(&o);
}

/* The body has to fail with a text that contains this. */
static inline void
rig_fails(struct rig *rig, const char *body, const char *text)
{
	struct outcome o = rig_do(rig, body);

	ck_assert_msg(o.result != RUN_SUCCESS, "%s\nsucceeded", body);
	ck_assert_msg(strstr(o.error, text) != NULL, "%s\nerror: %s", body, o.error);
	outcome_fini(&o);
}

#endif
