/* A registry of hooks over a real store, tree and state directory; workers are faked: a script that
 * begins with '{' is its own metadata, every other one is broken. */
#ifndef SLOTH_TESTS_HOOKS_FIXTURE_H
#define SLOTH_TESTS_HOOKS_FIXTURE_H

#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "fsd/hooks/flow.h"
#include "fsd/lane.h"
#include "fsd/tree/rows.h"
#include "fsd/tree/tree.h"
#include "fsd/workers/workers.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHECKS_MAX 64

struct held_check {
	void (*done)(void *arg, int code, const char *meta, const struct err *err);
	void *arg;
	char *source;
	char *path;
	unsigned wrong; /* the line of its conditions that contains "~ ("; 0: none */
};

struct hooks_fixture {
	uv_loop_t loop;
	uv_timer_t alive; /* keeps the loop in its place while a lane works */
	char dir[64];
	struct lane *files;
	struct store *store;
	struct tree *tree;
	struct hooks *hooks;
	const struct row *rows; /* NULL: the root alone */
	unsigned row_count;
	void (*run)(void *arg, struct run *run);
	uint64_t next_seq, oldest_seq;
	bool is_holding; /* checks wait for fixture_release */
	struct held_check held[CHECKS_MAX];
	unsigned held_count, checks, settles;
	char reports[4096];
};

static inline void
fixture_answer(const struct held_check *check)
{
	struct err err = {0};

	if (check->wrong)
		check->done(check->arg,
			err_set(&err, EINVAL, "%s: line %u: a parenthesis is open", check->path,
				check->wrong),
			NULL, &err);
	else if (check->source[0] == '{' || !strncmp(check->source, "return ", 7))
		check->done(check->arg, 0, check->source, NULL);
	else
		check->done(check->arg, err_set(&err, EINVAL, "hooks/x.lua:1: unexpected symbol"),
			NULL, &err);
}

static inline void
fixture_release(struct hooks_fixture *f)
{
	unsigned i, count = f->held_count;

	f->held_count = 0;
	f->is_holding = false;
	for (i = 0; i < count; i++) {
		fixture_answer(&f->held[i]);
		free(f->held[i].source);
		free(f->held[i].path);
	}
}

static inline unsigned
fixture_wrong_line(const char *match)
{
	const char *wrong = match ? strstr(match, "~ (") : NULL;
	unsigned line = wrong != NULL;

	while (wrong && match < wrong)
		line += *match++ == '\n';
	return line;
}

static inline void
fixture_check(void *arg, const struct check_request *req,
	void (*done)(void *arg, int code, const char *meta, const struct err *err), void *done_arg)
{
	struct hooks_fixture *f = arg;
	struct held_check check = {done, done_arg, mem_strndup(req->source, req->source_len),
		mem_strdup(req->path), fixture_wrong_line(req->match)};

	f->checks++;
	if (f->is_holding) {
		ck_assert_uint_lt(f->held_count, CHECKS_MAX);
		f->held[f->held_count++] = check;
		return;
	}
	fixture_answer(&check);
	free(check.source);
	free(check.path);
}

static inline uint64_t
fixture_next_seq(void *arg)
{
	struct hooks_fixture *f = arg;

	return f->next_seq;
}

static inline uint64_t
fixture_oldest_seq(void *arg)
{
	struct hooks_fixture *f = arg;

	return f->oldest_seq;
}

static inline void
fixture_report(void *arg, const char *path, const struct err *err)
{
	struct hooks_fixture *f = arg;
	size_t len = strlen(f->reports);

	(void)snprintf(f->reports + len, sizeof(f->reports) - len, "%s: %s\n", path, err->msg);
}

static inline void
fixture_settled(void *arg)
{
	struct hooks_fixture *f = arg;

	f->settles++;
}

static inline void
fixture_start(struct hooks_fixture *f)
{
	static const struct row root = {
		.path = "/", .name = "", .room = "root", .help = "", .kind = ROW_DIR, .mode = 0755};
	struct store_options store_options = {.dir = f->dir, .is_fast = true};
	struct hooks_options options = {.loop = &f->loop,
		.state_dir = f->dir,
		.services = {.arg = f,
			.next_seq = fixture_next_seq,
			.oldest_seq = fixture_oldest_seq,
			.check = fixture_check,
			.run = f->run,
			.report = fixture_report}};
	struct err err = {0};

	ck_assert_int_eq(uv_loop_init(&f->loop), 0);
	ck_assert_int_eq(uv_timer_init(&f->loop, &f->alive), 0);
	ck_assert_int_eq(uv_timer_start(&f->alive, (uv_timer_cb)abort, UINT32_MAX, 0), 0);
	f->files = lane_start(&f->loop, "files", NULL, NULL);
	f->tree =
		tree_new(&f->loop, f->files, f->rows ? f->rows : &root, f->rows ? f->row_count : 1);
	ck_assert_msg(store_open(&f->loop, &store_options, &f->store, &err) == 0, "%s", err.msg);
	options.files = f->files;
	options.tree = f->tree;
	options.store = f->store;
	f->checks = 0;
	ck_assert_msg(hooks_new(&options, &f->hooks, &err) == 0, "%s", err.msg);
	f->hooks->settle_ms = 3600 * 1000; /* nothing is late because this machine is slow */
	hooks_on_settled(f->hooks, fixture_settled, f);
	tree_set_room(f->tree, "hooks", f->hooks);
}

/* f is zero but for rows and run. */
static inline void
fixture_open(struct hooks_fixture *f)
{
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/test_hooks.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(f->dir));
	f->next_seq = f->oldest_seq = 1;
	fixture_start(f);
	hooks_start(f->hooks);
}

static inline void
fixture_stop(struct hooks_fixture *f)
{
	hooks_stop(f->hooks);
	lane_stop(f->files);
	store_close(f->store);
	hooks_free(f->hooks);
	tree_free(f->tree);
	uv_close((uv_handle_t *)&f->alive, NULL);
	while (uv_run(&f->loop, UV_RUN_DEFAULT))
		continue;
	ck_assert_int_eq(uv_loop_close(&f->loop), 0);
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
fixture_close(struct hooks_fixture *f)
{
	fixture_stop(f);
	ck_assert_int_eq(nftw(f->dir, fixture_unlink, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* ---- files ---------------------------------------------------------------------------------- */

/* Write a file below the state directory, as a person does who knows it. */
static inline void
fixture_save(struct hooks_fixture *f, const char *name, const char *text)
{
	AUTO(free) char *path = mem_printf("%s/%s", f->dir, name);
	FILE *file = fopen(path, "we");

	ck_assert_msg(file != NULL, "%s", path);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static inline void
fixture_remove(struct hooks_fixture *f, const char *name)
{
	AUTO(free) char *path = mem_printf("%s/%s", f->dir, name);

	ck_assert_int_eq(unlink(path), 0);
}

static inline void
fixture_rename(struct hooks_fixture *f, const char *from, const char *to)
{
	AUTO(free) char *old = mem_printf("%s/%s", f->dir, from);
	AUTO(free) char *new = mem_printf("%s/%s", f->dir, to);

	ck_assert_int_eq(rename(old, new), 0);
}

/* ---- looking -------------------------------------------------------------------------------- */

static inline struct hook *
fixture_hook(struct hooks_fixture *f, const char *name)
{
	struct hook *hook = hook_find(hook_dir_find(f->hooks, ""), name);

	ck_assert_msg(hook != NULL, "no hook '%s'", name);
	return hook;
}

/* Run the loop until the hook's status begins with what is given. */
static inline void
fixture_await(struct hooks_fixture *f, const char *name, const char *status)
{
	for (;;) {
		struct hook *hook = hook_find(hook_dir_find(f->hooks, ""), name);
		AUTO(sbuf) struct sbuf out = {0};

		if (hook && !hook->is_pending) {
			hook_status_show(hook, &out);
			if (strncmp(sbuf_str(&out), status, strlen(status)) == 0)
				return;
		}
		uv_run(&f->loop, UV_RUN_ONCE);
	}
}

static inline void
fixture_collect(void *arg, struct hook_code *code)
{
	struct sbuf *out = arg;

	sbuf_printf(out, "%s%s:%u", out->len ? " " : "", code->label, code->version);
}

/* Who matches: "a:1 b@s:2" in the order found.  Returns owned. */
static inline char *
fixture_match(struct hooks_fixture *f, uint64_t seq, const char *type, const char *stack)
{
	struct event ev = {.seq = seq};
	struct sbuf out = {0};

	ev.type = mem_strdup(type);
	ev.stack = mem_strdup(stack);
	hooks_match(f->hooks, &ev, fixture_collect, &out);
	free(ev.type);
	free(ev.stack);
	return sbuf_take(&out);
}

#define assert_match(f, seq, type, stack, expected)                                                \
	do {                                                                                       \
		AUTO(free) char *got_ = fixture_match(f, seq, type, stack);                        \
		ck_assert_str_eq(got_, expected);                                                  \
	} while (0)

#endif
