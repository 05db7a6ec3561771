/* The events room over a real store and the real rows, without a dispatcher: the test says when an
 * event is final. */
#ifndef SLOTH_TESTS_EVENTS_FIXTURE_H
#define SLOTH_TESTS_EVENTS_FIXTURE_H

#include "base/clock.h"
#include "base/mem.h"
#include "fsd/events/events.h"
#include "fsd/store/hook_store.h"
#include "fsd/store/store.h"
#include "tests/unit/tree_fixture.h"

#include <ftw.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

struct rig {
	struct fixture t;
	char dir[64], log[96], log_dir[96];
	struct store *store;
	struct events *events;
	int waiting, code;
	char text[512]; /* the last answer, or the last refusal */
	struct event *ev;
};

static inline void
rig_refusal(void *arg, const struct tree_cred *cred, const char *path, const char *op,
	const struct err *err)
{
	struct rig *rig = arg;

	(void)cred, (void)path, (void)op;
	(void)snprintf(rig->text, sizeof(rig->text), "%s", err->msg);
}

static inline void
rig_start(struct rig *rig)
{
	struct store_options options = {.dir = rig->dir, .is_fast = true};
	struct events_options opt = {.loop = &rig->t.loop,
		.log_path = rig->log,
		.log_dir = rig->log_dir,
		.log_max_bytes = 1 << 20};
	struct err err = {0};

	fixture_start(&rig->t, tree_rows, tree_row_count);
	ck_assert_msg(store_open(&rig->t.loop, &options, &rig->store, &err) == 0, "%s", err.msg);
	opt.store = rig->store;
	opt.tree = rig->t.tree;
	opt.files = rig->t.files;
	ck_assert_msg(events_new(&opt, &rig->events, &err) == 0, "%s", err.msg);
	tree_set_room(rig->t.tree, "events", rig->events);
	tree_on_refusal(rig->t.tree, rig_refusal, rig);
}

static inline void rig_add_hook(struct rig *rig);

static inline void
rig_open(struct rig *rig)
{
	memset(rig, 0, sizeof(*rig));
	(void)snprintf(rig->dir, sizeof(rig->dir), "/tmp/test_events.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(rig->dir));
	(void)snprintf(rig->log, sizeof(rig->log), "%s/events.log", rig->dir);
	(void)snprintf(rig->log_dir, sizeof(rig->log_dir), "%s/events.log.d", rig->dir);
	rig_start(rig);
	rig_add_hook(rig);
}

static inline void
rig_stop(struct rig *rig)
{
	store_close(rig->store);
	events_free(rig->events);
	fixture_stop(&rig->t);
}

/* Make the closed store look as if its master had been killed. */
static inline void
rig_mark_crashed(struct rig *rig)
{
	char path[128];
	sqlite3 *db;

	(void)snprintf(path, sizeof(path), "%s/hooks.db", rig->dir);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(
		sqlite3_exec(db, "UPDATE counter SET is_open = 1", NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

static inline int
rig_unlink(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static inline void
rig_close(struct rig *rig)
{
	rig_stop(rig);
	ck_assert_int_eq(nftw(rig->dir, rig_unlink, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static inline void
rig_wait(struct rig *rig)
{
	while (rig->waiting > 0)
		uv_run(&rig->t.loop, UV_RUN_ONCE);
}

static inline void
rig_text(void *arg, int code, struct sbuf *out)
{
	struct rig *rig = arg;

	rig->code = code;
	(void)snprintf(rig->text, sizeof(rig->text), "%s", sbuf_str(out));
	rig->waiting--;
}

/* Raise an event from inside; its id or the complaint is in text. */
static inline int
rig_emit(struct rig *rig, const struct emit *e)
{
	rig->waiting++;
	events_emit(rig->events, e, rig_text, rig);
	rig_wait(rig);
	return rig->code;
}

static inline void
rig_event(void *arg, int code, struct event *ev, struct execution_list *executions)
{
	struct rig *rig = arg;

	(void)executions; /* the store frees them */
	rig->code = code;
	rig->ev = ev;
	rig->waiting--;
}

/* The stored event; owned. */
static inline struct event *
rig_find(struct rig *rig, const char *id)
{
	rig->waiting++;
	store_find_event(rig->store, id, NULL, rig_event, rig);
	rig_wait(rig);
	ck_assert_msg(rig->code == 0, "event '%s' is not stored", id);
	return rig->ev;
}

static inline void
rig_done(void *arg, int code, const struct err *err)
{
	struct rig *rig = arg;

	(void)err;
	rig->code = code;
	rig->waiting--;
}

/* The hook whose results rig_finish makes. */
static inline void
rig_add_hook(struct rig *rig)
{
	struct hook_version v = {.hook_id = 1, .version = 1, .from_seq = 1};

	v.name = mem_strdup("notify");
	v.stack = mem_strdup("");
	v.types = mem_strdup("*");
	v.meta = mem_strdup("{}");
	v.source = mem_strdup("return {}");
	v.source_len = strlen(v.source);
	rig->waiting++;
	store_put_version(rig->store, &v, rig_done, rig);
	rig_wait(rig);
	ck_assert_int_eq(rig->code, 0);
	free(v.name), free(v.stack), free(v.types), free(v.meta), free(v.source);
}

/* One hook ran: the event is final in the store, and told if the room should hear of it. */
static inline void
rig_finish(struct rig *rig, const char *id, enum event_status status, bool is_told)
{
	struct execution_list list = STAILQ_HEAD_INITIALIZER(list), told;
	struct execution *ex = NEW(struct execution);
	struct event *ev = rig_find(rig, id);

	ex->seq = ev->seq;
	ex->hook_id = 1;
	ex->hook = mem_strdup("notify");
	ex->version = ex->attempts = 1;
	ex->status = status == EVENT_FAILED ? EXEC_FAILED : EXEC_SUCCESS;
	ex->started_ns = clock_real_ns();
	ex->duration_ns = 2500000;
	ex->output = mem_strdup("printed");
	STAILQ_INIT(&told);
	STAILQ_INSERT_TAIL(&list, ex, link);
	ev->status = status;
	ev->processed_ns = clock_real_ns();
	if (status == EVENT_FAILED)
		ev->error = mem_strdup("hook 'notify' failed");
	rig->waiting++;
	store_finish(rig->store, &list, &ev, 1, rig_done, rig);
	rig_wait(rig);
	ck_assert_int_eq(rig->code, 0);
	if (is_told) {
		struct execution copy = {.seq = ev->seq, .hook_id = 1, .version = 1, .attempts = 1};

		copy.status = status == EVENT_FAILED ? EXEC_FAILED : EXEC_SUCCESS;
		copy.hook = mem_strdup("notify");
		copy.output = mem_strdup("printed");
		copy.started_ns = ev->processed_ns;
		copy.duration_ns = 2500000;
		STAILQ_INSERT_TAIL(&told, &copy, link);
		events_on_final(rig->events, ev, &told);
		free(copy.hook);
		free(copy.output);
	}
	event_unref(ev);
}

/* Write to events/emit and read the ids; text ends in a newline. */
static inline int
rig_send(struct rig *rig, const char *text, char ids[4096])
{
	int code;
	struct handle *h = open_path(&rig->t, "/events/emit", O_RDWR, &code);

	ck_assert_ptr_nonnull(h);
	code = write_at(&rig->t, h, text, 0);
	(void)read_at(&rig->t, h, 0, ids);
	tree_release(h);
	return code;
}

/* One event; returns its id. */
static inline const char *
rig_send_one(struct rig *rig, const char *text, char id[4096])
{
	ck_assert_int_eq(rig_send(rig, text, id), (int)strlen(text));
	id[strcspn(id, "\n")] = '\0';
	return id;
}

/* cat of a path built from format and id. */
static inline const char *
rig_cat(struct rig *rig, const char *id, const char *name, char text[4096])
{
	char path[256];
	int code;

	(void)snprintf(path, sizeof(path), "/events/%.64s/%.64s", id, name);
	code = cat(&rig->t, path, text);
	ck_assert_msg(code >= 0, "%s: %s", path, strerror(-code));
	return text;
}

#endif
