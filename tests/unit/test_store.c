/* fsd/store/: what is acknowledged is there after a reopen, once, and what is final stays so. */
#include "base/auto.h"
#include "tests/unit/store_fixture.h"
#include "tests/unit/suite.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* ---- append --------------------------------------------------------------------------------- */

START_TEST(appended_events_are_there_after_reopen)
{
	struct fixture f;
	struct event *ev;

	fixture_open(&f);
	fixture_append(&f, 1, "task.failed", "{\"a\":1}");
	fixture_append(&f, 2, "task.started", "{}");
	fixture_reopen(&f);
	ck_assert_uint_eq(store_last_seq(f.store), 2);
	ck_assert_uint_eq(store_pending_count(f.store), 2);
	ck_assert(!store_was_crashed(f.store));
	ev = fixture_get(&f, 1);
	ck_assert_str_eq(ev->type, "task.failed");
	ck_assert_str_eq(ev->data, "{\"a\":1}");
	ck_assert_uint_eq(ev->data_len, 7);
	ck_assert_str_eq(ev->stack, "");
	ck_assert_int_eq(ev->status, EVENT_PENDING);
	ck_assert_int_eq(ev->processed_ns, 0);
	event_unref(ev);
	ev = fixture_get(&f, 2);
	ck_assert_str_eq(ev->data, "{}");
	event_unref(ev);
	ck_assert_ptr_null(fixture_get(&f, 3));
	ck_assert_int_eq(f.code, -ENOENT);
	fixture_close(&f);
}
END_TEST

START_TEST(every_field_comes_back)
{
	struct event *ev = fixture_make(7, "deploy.started", "{\"n\":12345678901234567890}");
	struct fixture f;

	free(ev->stack);
	ev->stack = mem_strdup("production");
	ev->timestamp_ns = 42;
	ev->sender_id = mem_strdup("order-1");
	ev->cause_seq = 3;
	ev->depth = 2;
	ev->replay_of = 4;
	ev->replay_hook = mem_strdup("notify");
	ev->agent = mem_strdup("web-1");
	ev->run_id = mem_strdup("r1");
	ev->severity = mem_strdup("high");
	ev->source = mem_strdup("ci");
	fixture_open(&f);
	ck_assert_int_eq(fixture_append_event(&f, ev), 0);
	ev = fixture_get(&f, 7);
	ck_assert_str_eq(ev->type, "deploy.started");
	ck_assert_str_eq(ev->data, "{\"n\":12345678901234567890}");
	ck_assert_str_eq(ev->stack, "production");
	ck_assert_int_eq(ev->created_ns, FIXTURE_START_NS + INT64_C(7000000000));
	ck_assert_int_eq(ev->timestamp_ns, 42);
	ck_assert_uint_eq(ev->salt, 0xdeadbeef);
	ck_assert_str_eq(ev->sender, "uid:1000");
	ck_assert_str_eq(ev->sender_id, "order-1");
	ck_assert_uint_eq(ev->cause_seq, 3);
	ck_assert_uint_eq(ev->depth, 2);
	ck_assert_uint_eq(ev->replay_of, 4);
	ck_assert_str_eq(ev->replay_hook, "notify");
	ck_assert_str_eq(ev->agent, "web-1");
	ck_assert_str_eq(ev->run_id, "r1");
	ck_assert_str_eq(ev->severity, "high");
	ck_assert_str_eq(ev->source, "ci");
	ck_assert_ptr_null(ev->error);
	event_unref(ev);
	fixture_close(&f);
}
END_TEST

static int
append_with_id(struct fixture *f, uint64_t seq, const char *sender, const char *id)
{
	struct event *ev = fixture_make(seq, "custom", "{}");

	free(ev->sender);
	ev->sender = mem_strdup(sender);
	ev->sender_id = mem_strdup(id);
	f->dups = 0;
	return fixture_append_event(f, ev);
}

START_TEST(an_id_of_a_sender_is_stored_once)
{
	struct store_figures figures;
	struct fixture f;

	fixture_open(&f);
	ck_assert_int_eq(append_with_id(&f, 1, "uid:1", "a"), 0);
	ck_assert_int_eq(f.dups, 0);
	ck_assert_int_eq(append_with_id(&f, 2, "uid:1", "a"), 0);
	ck_assert_int_eq(f.dups, 1);
	ck_assert_uint_eq(f.first_seq, 1);
	ck_assert_int_eq(append_with_id(&f, 3, "uid:2", "a"), 0); /* another sender's */
	ck_assert_int_eq(f.dups, 0);
	ck_assert_ptr_null(fixture_get(&f, 2));
	store_figures(f.store, &figures);
	ck_assert_uint_eq(figures.events_by_status[EVENT_PENDING], 2);
	fixture_reopen(&f);
	ck_assert_uint_eq(store_last_seq(f.store), 3);
	fixture_close(&f);
}
END_TEST

START_TEST(a_given_seq_never_comes_back)
{
	struct fixture f;

	fixture_open(&f);
	ck_assert_int_eq(append_with_id(&f, 1, "uid:1", "a"), 0);
	ck_assert_int_eq(append_with_id(&f, 2, "uid:1", "a"), 0); /* known: 2 has no row */
	fixture_append(&f, 3, "custom", "{}");
	ck_assert_int_eq(fixture_finish(&f, 3, NULL, EVENT_COMPLETED), 0);
	f.waiting++;
	store_delete_event(f.store, 3, fixture_done, &f);
	fixture_wait(&f);
	ck_assert_int_eq(f.code, 0);
	fixture_reopen(&f);
	ck_assert_uint_eq(store_last_seq(f.store), 3);
	fixture_close(&f);
}
END_TEST

struct codes {
	struct fixture *f;
	int seen[8], count;
};

static void
on_code(void *arg, int code, const struct err *err)
{
	struct codes *codes = arg;

	codes->seen[codes->count++] = code;
	fixture_done(codes->f, code, err);
}

START_TEST(a_failing_job_does_not_take_its_group_with_it)
{
	static const uint64_t seqs[] = {1, 2, 1, 3}; /* the third breaks the primary key */
	struct store_figures figures;
	struct fixture f;
	struct codes codes = {.f = &f};

	fixture_open(&f);
	for (size_t i = 0; i < 4; i++) {
		struct event *ev = fixture_make(seqs[i], "custom", "{}");

		f.waiting++;
		store_append(f.store, &ev, 1, NULL, on_code, &codes);
		event_unref(ev);
	}
	fixture_wait(&f);
	ck_assert_int_eq(codes.seen[0], 0);
	ck_assert_int_eq(codes.seen[1], 0);
	ck_assert_int_eq(codes.seen[2], -EIO);
	ck_assert_int_eq(codes.seen[3], 0);
	store_figures(f.store, &figures);
	ck_assert_uint_eq(figures.events_by_status[EVENT_PENDING], 3);
	fixture_close(&f);
}
END_TEST

/* ---- finish --------------------------------------------------------------------------------- */

START_TEST(results_are_recorded)
{
	struct execution *ex;
	struct fixture f;
	struct event *ev;

	fixture_open(&f);
	fixture_append(&f, 1, "task.failed", "{}");
	ex = fixture_execution(1, 5, EXEC_FAILED);
	ex->attempts = 3;
	ex->version = 2;
	ex->message = mem_strdup("m");
	ex->error = mem_strdup("e");
	ck_assert_int_eq(fixture_finish(&f, 1, ex, EVENT_FAILED), 0);
	fixture_reopen(&f);
	ck_assert_uint_eq(store_pending_count(f.store), 0);
	ev = fixture_get(&f, 1);
	ck_assert_int_eq(ev->status, EVENT_FAILED);
	ck_assert_str_eq(ev->error, "boom");
	ck_assert_int_eq(ev->processed_ns, ev->created_ns + 700000000);
	ex = STAILQ_FIRST(&f.executions);
	ck_assert_ptr_nonnull(ex);
	ck_assert_ptr_null(STAILQ_NEXT(ex, link));
	ck_assert_uint_eq(ex->hook_id, 5);
	ck_assert_str_eq(ex->hook, "#5"); /* a hook never registered: shown, not lost */
	ck_assert_uint_eq(ex->version, 2);
	ck_assert_uint_eq(ex->attempts, 3);
	ck_assert_int_eq(ex->duration_ns, 234000000);
	ck_assert_str_eq(ex->message, "m");
	ck_assert_str_eq(ex->output, "hello\n");
	ck_assert_str_eq(ex->error, "e");
	event_unref(ev);
	fixture_close(&f);
}
END_TEST

START_TEST(a_final_state_is_never_overwritten)
{
	struct store_figures figures;
	struct fixture f;
	struct event *ev;

	fixture_open(&f);
	fixture_append(&f, 1, "task.failed", "{}");
	ck_assert_int_eq(
		fixture_finish(&f, 1, fixture_execution(1, 5, EXEC_SUCCESS), EVENT_COMPLETED), 0);
	ck_assert_int_eq(
		fixture_finish(&f, 1, fixture_execution(1, 5, EXEC_FAILED), EVENT_FAILED), 0);
	ev = fixture_get(&f, 1);
	ck_assert_int_eq(ev->status, EVENT_COMPLETED);
	ck_assert_ptr_null(ev->error);
	ck_assert_int_eq(STAILQ_FIRST(&f.executions)->status, EXEC_SUCCESS);
	event_unref(ev);
	store_figures(f.store, &figures);
	ck_assert_uint_eq(figures.events_by_status[EVENT_PENDING], 0);
	ck_assert_uint_eq(figures.events_by_status[EVENT_COMPLETED], 1);
	ck_assert_uint_eq(figures.events_by_status[EVENT_FAILED], 0);
	fixture_close(&f);
}
END_TEST

START_TEST(an_execution_may_change_until_it_is_final)
{
	static const enum exec_status course[] = {
		EXEC_PENDING, EXEC_HELD, EXEC_RUNNING, EXEC_TIMEOUT, EXEC_SUCCESS};
	struct fixture f;

	fixture_open(&f);
	fixture_append(&f, 1, "task.failed", "{}");
	for (size_t i = 0; i < 5; i++) {
		enum exec_status expected = i < 4 ? course[i] : EXEC_TIMEOUT;

		ck_assert_int_eq(
			fixture_finish(&f, 1, fixture_execution(1, 5, course[i]), EVENT_PENDING),
			0);
		event_unref(fixture_get(&f, 1));
		ck_assert_int_eq(STAILQ_FIRST(&f.executions)->status, expected);
	}
	fixture_close(&f);
}
END_TEST

/* ---- reads ---------------------------------------------------------------------------------- */

START_TEST(ids_are_found)
{
	char ours[EVENT_ID_MAX + 1], wrong[EVENT_ID_MAX + 1];
	struct event *ev = fixture_make(1, "custom", "{}");
	struct fixture f;
	struct {
		const char *id, *sender;
		uint64_t seq;
	} cases[] = {
		{ours, NULL, 1},
		{ours, "uid:2", 1}, /* ours are unique without a sender */
		{wrong, NULL, 0},   /* another salt */
		{"a", NULL, 3},     /* the newest of any sender */
		{"a", "uid:1", 2},
		{"a", "uid:9", 0},
		{"b", NULL, 0},
	};

	event_id_text(ev, ours);
	memcpy(wrong, ours, sizeof(wrong));
	wrong[35] = wrong[35] == '0' ? '1' : '0';
	fixture_open(&f);
	ck_assert_int_eq(fixture_append_event(&f, ev), 0);
	ck_assert_int_eq(append_with_id(&f, 2, "uid:1", "a"), 0);
	ck_assert_int_eq(append_with_id(&f, 3, "uid:2", "a"), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		f.waiting++;
		store_find_event(f.store, cases[i].id, cases[i].sender, fixture_event, &f);
		fixture_wait(&f);
		ck_assert_int_eq(f.code, cases[i].seq ? 0 : -ENOENT);
		ck_assert_uint_eq(f.ev ? f.ev->seq : 0, cases[i].seq);
		event_unref(f.ev);
	}
	fixture_close(&f);
}
END_TEST

/* An id of ours that was given by a sender (a forwarded event) is his. */
START_TEST(a_senders_id_may_look_like_ours)
{
	static const char id[] = "018bcfe5-687b-7000-800f-4240deadbeef";
	struct fixture f;

	fixture_open(&f);
	ck_assert_int_eq(append_with_id(&f, 1, "agent", id), 0);
	f.waiting++;
	store_find_event(f.store, id, NULL, fixture_event, &f);
	fixture_wait(&f);
	ck_assert_int_eq(f.code, 0);
	ck_assert_uint_eq(f.ev->seq, 1);
	event_unref(f.ev);
	fixture_close(&f);
}
END_TEST

static int
read_pending(struct fixture *f, uint64_t after_seq, size_t limit)
{
	fixture_forget(f);
	f->waiting++;
	store_read_pending(f->store, after_seq, limit, fixture_pending, f);
	fixture_wait(f);
	return f->code;
}

/* The seqs of the last list, as text: "3 2 1". */
static char *
seqs_of(struct fixture *f)
{
	struct sbuf text = {0};
	struct event *ev;

	STAILQ_FOREACH (ev, &f->events, link)
		sbuf_printf(&text, "%s%llu", text.len ? " " : "", (unsigned long long)ev->seq);
	return sbuf_take(&text);
}

#define assert_seqs(f, expected)                                                                   \
	do {                                                                                       \
		AUTO(free) char *seqs_ = seqs_of(f);                                               \
		ck_assert_str_eq(seqs_, expected);                                                 \
	} while (0)

START_TEST(unfinished_events_are_read_back)
{
	struct fixture f;

	fixture_open(&f);
	for (uint64_t seq = 1; seq <= 6; seq++)
		fixture_append(&f, seq, "custom", "{}");
	ck_assert_int_eq(fixture_finish(&f, 2, NULL, EVENT_COMPLETED), 0);
	ck_assert_int_eq(fixture_finish(&f, 5, NULL, EVENT_FAILED), 0);
	ck_assert_int_eq(
		fixture_finish(&f, 3, fixture_execution(3, 8, EXEC_SUCCESS), EVENT_PENDING), 0);
	fixture_reopen(&f);
	ck_assert_int_eq(read_pending(&f, 0, 100), 0);
	assert_seqs(&f, "1 3 4 6");
	ck_assert_uint_eq(STAILQ_FIRST(&f.executions)->seq, 3);
	ck_assert_ptr_null(STAILQ_NEXT(STAILQ_FIRST(&f.executions), link));
	ck_assert_int_eq(read_pending(&f, 0, 2), 1); /* there are more */
	assert_seqs(&f, "1 3");
	ck_assert_int_eq(read_pending(&f, 3, 100), 0);
	assert_seqs(&f, "4 6");
	ck_assert_int_eq(read_pending(&f, 6, 100), 0);
	assert_seqs(&f, "");
	fixture_close(&f);
}
END_TEST

START_TEST(an_answer_of_pending_events_is_bounded_in_bytes)
{
	AUTO(free) char *data = mem_zalloc(EVENT_TEXT_MAX, 1);
	struct fixture f;

	memset(data, 'x', EVENT_TEXT_MAX - 1);
	fixture_open(&f);
	for (uint64_t seq = 1; seq <= 7; seq++)
		fixture_append(&f, seq, "custom", data);
	ck_assert_int_eq(read_pending(&f, 0, 100), 1);
	assert_seqs(&f, "1 2 3 4 5");
	ck_assert_int_eq(read_pending(&f, 5, 100), 0);
	assert_seqs(&f, "6 7");
	fixture_close(&f);
}
END_TEST

/* ---- lists ---------------------------------------------------------------------------------- */

static void
append_for_lists(struct fixture *f)
{
	static const struct {
		const char *type, *stack;
		uint64_t cause_seq;
		enum event_status status;
	} rows[] = {
		{"task.failed", "", 0, EVENT_COMPLETED},
		{"task.started", "prod", 0, EVENT_PENDING},
		{"agent.registered", "", 1, EVENT_FAILED},
		{"task.failed", "prod", 1, EVENT_COMPLETED},
		{"task.failed", "", 4, EVENT_PENDING},
		{"custom", "dev", 0, EVENT_COMPLETED},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct event *ev = fixture_make(i + 1, rows[i].type, "{\"k\":1}");

		free(ev->stack);
		ev->stack = mem_strdup(rows[i].stack);
		ev->cause_seq = rows[i].cause_seq;
		ck_assert_int_eq(fixture_append_event(f, ev), 0);
		if (rows[i].status != EVENT_PENDING)
			ck_assert_int_eq(fixture_finish(f, i + 1, NULL, rows[i].status), 0);
	}
}

#define AT(seq) (FIXTURE_START_NS + (seq)*INT64_C(1000000000))

START_TEST(lists_obey_every_filter)
{
	static const struct {
		struct event_query query;
		const char *seqs;
	} cases[] = {
		{{.status = -1, .limit = 9}, "1 2 3 4 5 6"},
		{{.status = -1, .limit = 9, .descending = true}, "6 5 4 3 2 1"},
		{{.status = -1, .limit = 2, .descending = true}, "6 5"},
		{{.status = -1, .limit = 9, .after_seq = 4}, "5 6"},
		{{.status = -1, .limit = 2, .before_seq = 4, .descending = true}, "3 2"},
		{{.status = -1, .limit = 9, .after_seq = 2, .before_seq = 5}, "3 4"},
		{{.status = -1, .limit = 9, .type = "task.failed"}, "1 4 5"},
		{{.status = -1, .limit = 2, .type = "task.failed", .descending = true}, "5 4"},
		{{.status = -1, .limit = 9, .type = "task.*"}, "1 2 4 5"},
		{{.status = -1, .limit = 3, .type = "*", .descending = true}, "6 5 4"},
		{{.status = -1, .limit = 3, .type = "*a*", .descending = true}, "5 4 3"},
		{{.status = -1, .limit = 9, .type = "no.such"}, ""},
		{{.status = -1, .limit = 9, .type = "no.*"}, ""},
		{{.status = -1, .limit = 9, .stack = ""}, "1 3 5"},
		{{.status = -1, .limit = 9, .stack = "prod"}, "2 4"},
		{{.status = -1, .limit = 9, .stack = "none"}, ""},
		{{.status = -1, .limit = 9, .stack = "prod", .type = "task.failed"}, "4"},
		{{.status = EVENT_PENDING, .limit = 9}, "2 5"},
		{{.status = EVENT_COMPLETED, .limit = 2, .descending = true}, "6 4"},
		{{.status = EVENT_FAILED, .limit = 9}, "3"},
		{{.status = EVENT_COMPLETED, .limit = 9, .type = "task.*"}, "1 4"},
		{{.status = -1, .limit = 9, .cause_seq = 1}, "3 4"},
		{{.status = EVENT_COMPLETED, .limit = 9, .cause_seq = 1, .stack = "prod"}, "4"},
		{{.status = -1, .limit = 9, .since_ns = AT(3)}, "3 4 5 6"},
		{{.status = -1, .limit = 9, .since_ns = AT(3) + 1}, "4 5 6"},
		{{.status = -1, .limit = 9, .until_ns = AT(3)}, "1 2"},
		{{.status = -1, .limit = 9, .since_ns = AT(2), .until_ns = AT(5)}, "2 3 4"},
		{{.status = -1, .limit = 9, .since_ns = AT(7)}, ""},
		{{.status = -1, .limit = 9, .until_ns = AT(1)}, ""},
	};
	struct fixture f;

	fixture_open(&f);
	append_for_lists(&f);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(free) char *seqs = NULL;

		fixture_forget(&f);
		f.waiting++;
		store_query_events(f.store, &cases[i].query, fixture_events, &f);
		fixture_wait(&f);
		ck_assert_int_eq(f.code, 0);
		seqs = seqs_of(&f);
		ck_assert_msg(strcmp(seqs, cases[i].seqs) == 0, "case %zu: '%s', not '%s'", i, seqs,
			cases[i].seqs);
	}
	fixture_close(&f);
}
END_TEST

START_TEST(lists_may_leave_the_data)
{
	struct event_query query = {.status = -1, .limit = 1, .without_data = true};
	struct fixture f;

	fixture_open(&f);
	append_for_lists(&f);
	f.waiting++;
	store_query_events(f.store, &query, fixture_events, &f);
	fixture_wait(&f);
	ck_assert_ptr_null(STAILQ_FIRST(&f.events)->data);
	ck_assert_str_eq(STAILQ_FIRST(&f.events)->type, "task.failed");
	fixture_forget(&f);
	query.without_data = false;
	f.waiting++;
	store_query_events(f.store, &query, fixture_events, &f);
	fixture_wait(&f);
	ck_assert_str_eq(STAILQ_FIRST(&f.events)->data, "{\"k\":1}");
	fixture_close(&f);
}
END_TEST

/* More types than branches of a statement. */
START_TEST(a_glob_may_match_many_types)
{
	struct event_query query = {.status = -1, .limit = 3, .descending = true, .type = "many.*"};
	struct fixture f;

	fixture_open(&f);
	for (uint64_t seq = 1; seq <= 200; seq++) {
		AUTO(free) char *type =
			mem_printf("%s.t%llu", seq % 2 ? "many" : "other", (unsigned long long)seq);

		fixture_append(&f, seq, type, "{}");
	}
	f.waiting++;
	store_query_events(f.store, &query, fixture_events, &f);
	fixture_wait(&f);
	assert_seqs(&f, "199 197 195");
	fixture_close(&f);
}
END_TEST

START_TEST(types_in_use_are_listed)
{
	struct fixture f;

	fixture_open(&f);
	f.waiting++;
	store_event_types(f.store, fixture_text, &f);
	fixture_wait(&f);
	ck_assert_str_eq(f.text, "");
	append_for_lists(&f);
	f.waiting++;
	store_event_types(f.store, fixture_text, &f);
	fixture_wait(&f);
	ck_assert_str_eq(f.text, "agent.registered\ncustom\ntask.failed\ntask.started\n");
	fixture_close(&f);
}
END_TEST

/* ---- delete and retention ------------------------------------------------------------------- */

START_TEST(only_final_events_are_deleted)
{
	struct fixture f;

	fixture_open(&f);
	fixture_append(&f, 1, "custom", "{}");
	f.waiting++;
	store_delete_event(f.store, 1, fixture_done, &f);
	fixture_wait(&f);
	ck_assert_int_eq(f.code, -EBUSY);
	ck_assert_int_eq(
		fixture_finish(&f, 1, fixture_execution(1, 5, EXEC_SUCCESS), EVENT_COMPLETED), 0);
	f.waiting++;
	store_delete_event(f.store, 1, fixture_done, &f);
	fixture_wait(&f);
	ck_assert_int_eq(f.code, 0);
	ck_assert_ptr_null(fixture_get(&f, 1));
	fixture_search(&f,
		&(struct event_search){.hook_id = 5, .query = {.descending = true, .limit = 10}});
	ck_assert(STAILQ_EMPTY(&f.executions) && STAILQ_EMPTY(&f.events));
	f.waiting++;
	store_delete_event(f.store, 1, fixture_done, &f);
	fixture_wait(&f);
	ck_assert_int_eq(f.code, -ENOENT);
	fixture_close(&f);
}
END_TEST

/* Events 1 to n; every tenth stays pending. */
static void
append_many(struct fixture *f, uint64_t n)
{
	for (uint64_t seq = 1; seq <= n; seq++) {
		f->waiting += 2;
		struct event *ev = fixture_make(seq, "custom", "{}");

		store_append(f->store, &ev, 1, NULL, fixture_done, f);
		ev->status = EVENT_COMPLETED;
		ev->processed_ns = ev->created_ns;
		store_finish(f->store, NULL, &ev, seq % 10 != 0, fixture_done, f);
		event_unref(ev);
	}
	fixture_wait(f);
}

static uint64_t
total_of(struct fixture *f)
{
	struct store_figures figures;

	store_figures(f->store, &figures);
	return figures.events_by_status[EVENT_PENDING] + figures.events_by_status[EVENT_COMPLETED];
}

/* More than two slices, so that the cursor is used. */
START_TEST(old_events_are_deleted_and_unfinished_ones_stay)
{
	struct fixture f;
	struct event *ev;

	fixture_open(&f);
	append_many(&f, 1500);
	f.waiting++;
	store_delete_before(f.store, AT(1201), fixture_count, &f);
	fixture_wait(&f);
	ck_assert_int_eq(f.code, 0);
	ck_assert_uint_eq(f.count, 1080);
	ck_assert_uint_eq(total_of(&f), 420);
	ev = fixture_get(&f, 1201);
	ck_assert_ptr_nonnull(ev);
	event_unref(ev);
	ck_assert_int_eq(read_pending(&f, 0, 1000), 0);
	ck_assert_uint_eq(STAILQ_FIRST(&f.events)->seq, 10);
	fixture_close(&f);
}
END_TEST

/* Turn the loop until the number of events is n. */
static void
wait_for_total(struct fixture *f, uint64_t n)
{
	while (total_of(f) != n)
		uv_run(&f->loop, UV_RUN_ONCE);
}

START_TEST(retention_by_count_keeps_the_newest)
{
	struct fixture f;
	struct event *ev;

	fixture_open(&f);
	append_many(&f, 1500);
	store_set_retention(f.store, &(struct store_retention){.max_count = 300});
	wait_for_total(&f, 300);
	ev = fixture_get(&f, 1499);
	ck_assert_ptr_nonnull(ev);
	event_unref(ev);
	ck_assert_ptr_null(fixture_get(&f, 1));
	fixture_reopen(&f);
	ck_assert_uint_eq(store_pending_count(f.store), 150);
	fixture_close(&f);
}
END_TEST

START_TEST(retention_by_age_keeps_the_unfinished)
{
	struct fixture f;

	fixture_open(&f);
	append_many(&f, 700); /* of the year 2023 */
	store_set_retention(f.store, &(struct store_retention){.max_age_ns = 1000000000});
	wait_for_total(&f, 70);
	fixture_close(&f);
}
END_TEST

START_TEST(retention_by_bytes_shrinks_the_database)
{
	AUTO(free) char *data = mem_zalloc(20001, 1);
	struct store_figures before, after;
	struct fixture f;

	memset(data, 'x', 20000);
	fixture_open(&f);
	for (uint64_t seq = 1; seq <= 1200; seq++) {
		struct event *ev = fixture_make(seq, "custom", data);

		f.waiting += 2;
		store_append(f.store, &ev, 1, NULL, fixture_done, &f);
		ev->status = EVENT_COMPLETED;
		store_finish(f.store, NULL, &ev, 1, fixture_done, &f);
		event_unref(ev);
	}
	fixture_wait(&f);
	fixture_reopen(&f); /* what waits in the WAL goes into the database */
	store_figures(f.store, &before);
	store_set_retention(f.store, &(struct store_retention){.max_bytes = 4 * 1024 * 1024});
	do {
		uv_run(&f.loop, UV_RUN_ONCE);
		store_figures(f.store, &after);
	} while (after.db_bytes > 12000000);
	ck_assert_uint_gt(before.db_bytes, 24000000);
	ck_assert_uint_ge(total_of(&f), 150);
	ck_assert_uint_le(total_of(&f), 210);
	fixture_close(&f);
}
END_TEST

/* ---- a full disk ---------------------------------------------------------------------------- */

START_TEST(the_reserve_refuses_intake_alone)
{
	struct store_figures figures;
	struct fixture f;

	fixture_open(&f);
	fixture_append(&f, 1, "custom", "{}");
	store_set_reserve(f.store, UINT64_MAX / 2);
	ck_assert_int_eq(fixture_append_event(&f, fixture_make(2, "custom", "{}")), -ENOSPC);
	ck_assert_ptr_nonnull(strstr(f.message, f.dir));
	store_figures(f.store, &figures);
	ck_assert(figures.is_full);
	ck_assert_int_eq(
		fixture_finish(&f, 1, fixture_execution(1, 5, EXEC_SUCCESS), EVENT_COMPLETED), 0);
	f.waiting++;
	store_delete_before(f.store, INT64_MAX, fixture_count, &f);
	fixture_wait(&f);
	ck_assert_uint_eq(f.count, 1);
	store_set_reserve(f.store, 0);
	ck_assert_int_eq(fixture_append_event(&f, fixture_make(2, "custom", "{}")), 0);
	store_figures(f.store, &figures);
	ck_assert(!figures.is_full);
	fixture_close(&f);
}
END_TEST

/* A file that may not grow stands for a disk that is full. */
START_TEST(a_full_disk_is_told_and_survived)
{
	AUTO(free) char *data = mem_zalloc(EVENT_TEXT_MAX, 1);
	struct rlimit old, low;
	struct fixture f;
	uint64_t seq = 1;
	int code;

	memset(data, 'x', EVENT_TEXT_MAX - 1);
	(void)signal(SIGXFSZ, SIG_IGN); /* the default of a daemon */
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
	low = old;
	low.rlim_cur = 4 * 1024 * 1024;
	fixture_open(&f);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &low), 0);
	do
		code = fixture_append_event(&f, fixture_make(seq++, "custom", data));
	while (code == 0 && seq < 20);
	ck_assert_msg(code == -ENOSPC, "%d: %s", code, f.message);
	ck_assert_uint_gt(seq, 3);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
	ck_assert_int_eq(fixture_append_event(&f, fixture_make(seq, "custom", data)), 0);
	fixture_reopen(&f);
	ck_assert_uint_eq(store_pending_count(f.store), seq - 1); /* all but the refused one */
	fixture_close(&f);
}
END_TEST

/* ---- life ----------------------------------------------------------------------------------- */

START_TEST(a_second_master_is_refused)
{
	struct err err = {0};
	struct store *second = NULL;
	char pid[32];
	struct fixture f;

	fixture_open(&f);
	ck_assert_int_eq(store_open(&f.loop, &f.options, &second, &err), -EWOULDBLOCK);
	(void)snprintf(pid, sizeof(pid), "pid %d", (int)getpid());
	ck_assert_ptr_nonnull(strstr(err.msg, pid));
	ck_assert_ptr_nonnull(strstr(err.msg, f.dir));
	ck_assert_ptr_null(second);
	fixture_append(&f, 1, "custom", "{}"); /* the first one is unharmed */
	fixture_close(&f);
}
END_TEST

START_TEST(nobody_else_reads_the_state)
{
	static const char *const files[] = {"hooks.db", "hooks.db-wal", "master.lock"};
	struct fixture f;
	struct stat st;

	(void)umask(0);
	fixture_open(&f);
	for (size_t i = 0; i < 3; i++) {
		AUTO(free) char *path = mem_printf("%s/%s", f.dir, files[i]);

		ck_assert_int_eq(stat(path, &st), 0);
		ck_assert_int_eq(st.st_mode & 0777, 0600);
	}
	fixture_close(&f);
}
END_TEST

START_TEST(a_directory_that_cannot_be_made_is_named)
{
	struct store_options options = {.dir = "/proc/no/such"};
	struct store *store = NULL;
	struct err err = {0};
	uv_loop_t loop;

	ck_assert_int_eq(uv_loop_init(&loop), 0);
	ck_assert_int_eq(store_open(&loop, &options, &store, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.msg, "/proc/no/such"));
	ck_assert_int_eq(uv_loop_close(&loop), 0);
}
END_TEST

/* A child appends and tells what was acknowledged; it is killed in the middle. */
static void
append_until_killed(const char *dir, int out)
{
	struct fixture f = {0};
	uint64_t seq;

	(void)snprintf(f.dir, sizeof(f.dir), "%s", dir);
	STAILQ_INIT(&f.events);
	STAILQ_INIT(&f.executions);
	fixture_start(&f);
	seq = store_last_seq(f.store);
	for (;;) {
		seq++;
		if (fixture_append_event(&f, fixture_make(seq, "custom", "{}")) != 0 ||
			write(out, &seq, sizeof(seq)) != sizeof(seq))
			_exit(1);
	}
}

static uint64_t
kill_after(const char *dir, int acknowledged)
{
	uint64_t seq = 0, last = 0;
	int fds[2], status;
	pid_t pid;

	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	if (pid == 0)
		append_until_killed(dir, fds[1]);
	ck_assert_int_gt(pid, 0);
	(void)close(fds[1]);
	for (int i = 0; i < acknowledged; i++)
		ck_assert_int_eq(read(fds[0], &last, sizeof(last)), sizeof(last));
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	while (read(fds[0], &seq, sizeof(seq)) == sizeof(seq))
		last = seq;
	(void)close(fds[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	return last;
}

START_TEST(what_was_acknowledged_survives_sigkill)
{
	struct fixture f;

	fixture_open(&f);
	f.options.is_fast = false;
	for (int round = 1; round <= 3; round++) {
		uint64_t last;

		fixture_stop(&f);
		last = kill_after(f.dir, 20 * round);
		fixture_start(&f);
		ck_assert(store_was_crashed(f.store));
		ck_assert_uint_ge(store_last_seq(f.store), last);
		ck_assert_uint_eq(store_pending_count(f.store), store_last_seq(f.store));
		for (uint64_t seq = 1; seq <= last; seq++) {
			struct event *ev = fixture_get(&f, seq);

			ck_assert_msg(ev != NULL, "event %llu is lost", (unsigned long long)seq);
			event_unref(ev);
		}
	}
	f.waiting++;
	store_check(f.store, fixture_text, &f);
	fixture_wait(&f);
	ck_assert_int_eq(f.code, 0);
	ck_assert_str_eq(f.text, "");
	fixture_reopen(&f);
	ck_assert(!store_was_crashed(f.store));
	fixture_close(&f);
}
END_TEST

START_TEST(damage_is_found)
{
	AUTO(free) char *path = NULL;
	struct fixture f;
	FILE *file;

	fixture_open(&f);
	path = mem_printf("%s/hooks.db", f.dir);
	append_many(&f, 1000);
	fixture_stop(&f);
	file = fopen(path, "r+");
	ck_assert_ptr_nonnull(file);
	for (long page = 40; page < 44; page++) {
		ck_assert_int_eq(fseek(file, page * 4096, SEEK_SET), 0);
		ck_assert_int_ge(fputs("this was a page", file), 0);
	}
	ck_assert_int_eq(fclose(file), 0);
	fixture_start(&f);
	f.waiting++;
	store_check(f.store, fixture_text, &f);
	fixture_wait(&f);
	ck_assert_int_eq(f.code, -EIO);
	ck_assert_str_ne(f.text, "");
	fixture_close(&f);
}
END_TEST

/* What is asked for in a callback of the closing store is answered, not forgotten. */
static void
on_done_ask_more(void *arg, int code, const struct err *err)
{
	struct fixture *f = arg;

	(void)code;
	(void)err;
	store_event_types(f->store, fixture_text, f);
}

START_TEST(close_commits_what_is_queued_and_answers_the_rest)
{
	struct event *ev = fixture_make(1, "custom", "{}");
	struct fixture f;

	fixture_open(&f);
	f.waiting = 1;
	store_append(f.store, &ev, 1, NULL, on_done_ask_more, &f);
	event_unref(ev);
	fixture_stop(&f);
	ck_assert_int_eq(f.waiting, 0);
	ck_assert_int_eq(f.code, -ECANCELED);
	fixture_start(&f);
	ck_assert_uint_eq(store_pending_count(f.store), 1);
	fixture_close(&f);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("store");
	TCase *tc = tcase_create("store");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, appended_events_are_there_after_reopen);
	tcase_add_test(tc, every_field_comes_back);
	tcase_add_test(tc, an_id_of_a_sender_is_stored_once);
	tcase_add_test(tc, a_given_seq_never_comes_back);
	tcase_add_test(tc, a_failing_job_does_not_take_its_group_with_it);
	tcase_add_test(tc, results_are_recorded);
	tcase_add_test(tc, a_final_state_is_never_overwritten);
	tcase_add_test(tc, an_execution_may_change_until_it_is_final);
	tcase_add_test(tc, ids_are_found);
	tcase_add_test(tc, a_senders_id_may_look_like_ours);
	tcase_add_test(tc, unfinished_events_are_read_back);
	tcase_add_test(tc, an_answer_of_pending_events_is_bounded_in_bytes);
	tcase_add_test(tc, lists_obey_every_filter);
	tcase_add_test(tc, lists_may_leave_the_data);
	tcase_add_test(tc, a_glob_may_match_many_types);
	tcase_add_test(tc, types_in_use_are_listed);
	tcase_add_test(tc, only_final_events_are_deleted);
	tcase_add_test(tc, old_events_are_deleted_and_unfinished_ones_stay);
	tcase_add_test(tc, retention_by_count_keeps_the_newest);
	tcase_add_test(tc, retention_by_age_keeps_the_unfinished);
	tcase_add_test(tc, retention_by_bytes_shrinks_the_database);
	tcase_add_test(tc, the_reserve_refuses_intake_alone);
	tcase_add_test(tc, a_full_disk_is_told_and_survived);
	tcase_add_test(tc, a_second_master_is_refused);
	tcase_add_test(tc, nobody_else_reads_the_state);
	tcase_add_test(tc, a_directory_that_cannot_be_made_is_named);
	tcase_add_test(tc, what_was_acknowledged_survives_sigkill);
	tcase_add_test(tc, damage_is_found);
	tcase_add_test(tc, close_commits_what_is_queued_and_answers_the_rest);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
