/* A store in a private directory, and calls of it that wait for their answer. */
#ifndef SLOTH_TESTS_STORE_FIXTURE_H
#define SLOTH_TESTS_STORE_FIXTURE_H

#include "base/mem.h"
#include "fsd/store/store.h"

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIXTURE_START_NS INT64_C(1700000000123456789)

struct fixture {
	uv_loop_t loop;
	uv_timer_t alive; /* keeps the loop in its place while a lane works */
	char dir[64];
	struct store *store;
	struct store_options options;
	/* the last answer */
	int waiting, code;
	char message[ERR_MSG_MAX];
	struct event *ev;
	struct event_list events;
	struct execution_list executions;
	char *text;
	uint64_t count, first_seq;
	int dups;
};

static inline void
fixture_start(struct fixture *f)
{
	struct err err = {0};

	ck_assert_int_eq(uv_loop_init(&f->loop), 0);
	ck_assert_int_eq(uv_timer_init(&f->loop, &f->alive), 0);
	ck_assert_int_eq(uv_timer_start(&f->alive, (uv_timer_cb)abort, UINT32_MAX, 0), 0);
	f->options.dir = f->dir;
	ck_assert_msg(store_open(&f->loop, &f->options, &f->store, &err) == 0, "%s", err.msg);
}

static inline void
fixture_open(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/test_store.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(f->dir));
	f->options.is_fast = true;
	STAILQ_INIT(&f->events);
	STAILQ_INIT(&f->executions);
	fixture_start(f);
}

static inline void
fixture_stop(struct fixture *f)
{
	store_close(f->store);
	uv_close((uv_handle_t *)&f->alive, NULL);
	while (uv_run(&f->loop, UV_RUN_DEFAULT))
		continue;
	ck_assert_int_eq(uv_loop_close(&f->loop), 0);
}

static inline void
fixture_reopen(struct fixture *f)
{
	fixture_stop(f);
	fixture_start(f);
}

static inline int
fixture_unlink(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline void
fixture_forget(struct fixture *f)
{
	struct execution *ex;
	struct event *ev;

	while ((ev = STAILQ_FIRST(&f->events))) {
		STAILQ_REMOVE_HEAD(&f->events, link);
		event_unref(ev);
	}
	while ((ex = STAILQ_FIRST(&f->executions))) {
		STAILQ_REMOVE_HEAD(&f->executions, link);
		execution_free(ex);
	}
	free(f->text);
	f->text = NULL;
}

static inline void
fixture_close(struct fixture *f)
{
	fixture_forget(f);
	fixture_stop(f);
	ck_assert_int_eq(nftw(f->dir, fixture_unlink, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* ---- waiting -------------------------------------------------------------------------------- */

static inline void
fixture_wait(struct fixture *f)
{
	while (f->waiting > 0)
		uv_run(&f->loop, UV_RUN_ONCE);
}

static inline void
fixture_done(void *arg, int code, const struct err *err)
{
	struct fixture *f = arg;

	f->code = code;
	(void)snprintf(f->message, sizeof(f->message), "%s", code < 0 ? err->msg : "");
	f->waiting--;
}

static inline void
fixture_text(void *arg, int code, struct sbuf *out)
{
	struct fixture *f = arg;

	free(f->text);
	f->code = code;
	f->text = mem_strdup(sbuf_str(out));
	f->waiting--;
}

static inline void
fixture_dup(void *arg, struct event *ev, uint64_t first_seq)
{
	struct fixture *f = arg;

	(void)ev;
	f->dups++;
	f->first_seq = first_seq;
}

static inline void
fixture_event(void *arg, int code, struct event *ev, struct execution_list *executions)
{
	struct fixture *f = arg;

	f->code = code;
	f->ev = ev;
	STAILQ_CONCAT(&f->executions, executions);
	f->waiting--;
}

static inline void
fixture_events(void *arg, int code, struct event_list *events)
{
	struct fixture *f = arg;

	f->code = code;
	STAILQ_CONCAT(&f->events, events);
	f->waiting--;
}

static inline void
fixture_pending(void *arg, int code, struct event_list *events, struct execution_list *executions)
{
	struct fixture *f = arg;

	STAILQ_CONCAT(&f->executions, executions);
	fixture_events(arg, code, events);
}

static inline void
fixture_found(void *arg, int code, struct event_list *events, struct execution_list *executions,
	uint64_t reached)
{
	struct fixture *f = arg;

	f->code = code;
	f->first_seq = reached;
	STAILQ_CONCAT(&f->events, events);
	STAILQ_CONCAT(&f->executions, executions);
	f->waiting--;
}

/* One slice of a search: the events and executions found, reached in first_seq. */
static inline void
fixture_search(struct fixture *f, const struct event_search *search)
{
	f->waiting++;
	store_search_events(f->store, search, fixture_found, f);
	fixture_wait(f);
	ck_assert_int_eq(f->code, 0);
}

static inline void
fixture_count(void *arg, int code, uint64_t count, const struct err *err)
{
	struct fixture *f = arg;

	f->count = count;
	fixture_done(arg, code, err);
}

/* ---- calls ---------------------------------------------------------------------------------- */

/* An event of ours, a second after the one before.  Returns owned. */
static inline struct event *
fixture_make(uint64_t seq, const char *type, const char *data)
{
	struct event *ev = NEW(struct event);

	ev->refs = 1;
	ev->seq = seq;
	ev->salt = 0xdeadbeef;
	ev->created_ns = FIXTURE_START_NS + (int64_t)seq * 1000000000;
	ev->timestamp_ns = ev->created_ns;
	ev->sender = mem_strdup("uid:1000");
	ev->type = mem_strdup(type);
	ev->stack = mem_strdup("");
	ev->data = mem_strdup(data);
	ev->data_len = strlen(data);
	return ev;
}

/* Takes: ev.  Returns the code. */
static inline int
fixture_append_event(struct fixture *f, struct event *ev)
{
	f->waiting++;
	store_append(f->store, &ev, 1, fixture_dup, fixture_done, f);
	event_unref(ev);
	fixture_wait(f);
	return f->code;
}

static inline void
fixture_append(struct fixture *f, uint64_t seq, const char *type, const char *data)
{
	ck_assert_int_eq(fixture_append_event(f, fixture_make(seq, type, data)), 0);
}

static inline struct execution *
fixture_execution(uint64_t seq, uint64_t hook_id, enum exec_status status)
{
	struct execution *ex = NEW(struct execution);

	ex->seq = seq;
	ex->hook_id = hook_id;
	ex->version = 1;
	ex->status = status;
	ex->attempts = 1;
	ex->started_ns = FIXTURE_START_NS + (int64_t)seq * 1000000000 + 500000000;
	ex->duration_ns = 234000000;
	ex->output = mem_strdup("hello\n");
	return ex;
}

/* Record an execution (taken; NULL none) and a final status (EVENT_PENDING: none). */
static inline int
fixture_finish(struct fixture *f, uint64_t seq, struct execution *ex, enum event_status status)
{
	struct execution_list list = STAILQ_HEAD_INITIALIZER(list);
	struct event *ev = fixture_make(seq, "x", "{}");

	if (ex)
		STAILQ_INSERT_TAIL(&list, ex, link);
	ev->status = status;
	ev->processed_ns = ev->created_ns + 700000000;
	ev->error = mem_strdup(status == EVENT_FAILED ? "boom" : NULL);
	f->waiting++;
	store_finish(f->store, &list, &ev, status != EVENT_PENDING, fixture_done, f);
	event_unref(ev);
	fixture_wait(f);
	return f->code;
}

/* Returns owned, NULL when absent; the executions are in f. */
static inline struct event *
fixture_get(struct fixture *f, uint64_t seq)
{
	fixture_forget(f);
	f->waiting++;
	store_get_event(f->store, seq, fixture_event, f);
	fixture_wait(f);
	return f->ev;
}

#endif
