/* fsd/store/admission.c: what is held survives, is found when it is due, and leaves no trace in the
 * indexes once it is final. */
#include "base/auto.h"
#include "base/clock.h"
#include "base/sbuf.h"
#include "fsd/store/held.h"
#include "tests/unit/store_fixture.h"
#include "tests/unit/suite.h"

#include <sqlite3.h>

#define HOUR_NS INT64_C(3600000000000)

struct answer {
	struct fixture *f;
	struct due_key next;
	uint64_t lowest_seq;
};

static void
on_due(void *arg, int code, struct due_page *page)
{
	struct answer *a = arg;

	a->next = page->next;
	a->lowest_seq = page->low.seq;
	a->f->code = code;
	STAILQ_CONCAT(&a->f->events, &page->events);
	STAILQ_CONCAT(&a->f->executions, &page->executions);
	a->f->waiting--;
}

static struct answer
read_due(struct fixture *f, uint64_t hook_id, struct due_key from, size_t limit)
{
	struct answer a = {.f = f};

	fixture_forget(f);
	f->waiting++;
	store_read_due(f->store, hook_id, &from, limit, on_due, &a);
	fixture_wait(f);
	ck_assert_int_eq(f->code, 0);
	return a;
}

/* "3@500 1@700": the seqs of the answer's events, in its order. */
static char *
seqs_of(struct fixture *f)
{
	struct sbuf text = {0};
	const struct event *ev;

	STAILQ_FOREACH (ev, &f->events, link)
		sbuf_printf(&text, "%s%llu", text.len ? " " : "", (unsigned long long)ev->seq);
	return text.len ? sbuf_take(&text) : mem_strdup("");
}

#define assert_seqs(f, expected)                                                                   \
	do {                                                                                       \
		AUTO(free) char *seqs_ = seqs_of(f);                                               \
		ck_assert_str_eq(seqs_, expected);                                                 \
	} while (0)

static struct execution *
held(uint64_t seq, uint64_t hook_id, int64_t due_ns)
{
	struct execution *ex = fixture_execution(seq, hook_id, EXEC_HELD);

	ex->due_ns = due_ns;
	ex->why = mem_strdup("rate 10/s: 10 ran");
	return ex;
}

/* Takes: ex (NULL: none).  park: the event's seq, 0 none; unpark likewise. */
static int
admit(struct fixture *f, struct execution *ex, uint64_t park, uint64_t unpark)
{
	struct admission a = {.parked = &park,
		.parked_count = park != 0,
		.unparked = &unpark,
		.unparked_count = unpark != 0};

	STAILQ_INIT(&a.executions);
	STAILQ_INIT(&a.counts);
	if (ex)
		STAILQ_INSERT_TAIL(&a.executions, ex, link);
	f->waiting++;
	store_admit(f->store, &a, fixture_done, f);
	fixture_wait(f);
	return f->code;
}

static void
count(struct fixture *f, uint64_t hook_id, const char *key, const char *value, int64_t expires_ns)
{
	struct admission a = {0};
	struct gate_count *c = NEW(struct gate_count);

	*c = (struct gate_count){.hook_id = hook_id,
		.key = mem_strdup(key),
		.value = mem_strdup(value),
		.expires_ns = expires_ns};
	STAILQ_INIT(&a.executions);
	STAILQ_INIT(&a.counts);
	STAILQ_INSERT_TAIL(&a.counts, c, link);
	f->waiting++;
	store_admit(f->store, &a, fixture_done, f);
	fixture_wait(f);
	ck_assert_int_eq(f->code, 0);
}

/* "1/a=x 1/b=y" */
static char *
counts_of(struct fixture *f)
{
	struct gate_count_list list = STAILQ_HEAD_INITIALIZER(list);
	struct sbuf text = {0};
	struct gate_count *c;
	struct err err;

	ck_assert_int_eq(store_load_counts(f->store, &list, &err), 0);
	while ((c = STAILQ_FIRST(&list))) {
		STAILQ_REMOVE_HEAD(&list, link);
		sbuf_printf(&text, "%s%llu/%s=%s", text.len ? " " : "",
			(unsigned long long)c->hook_id, c->key, c->value);
		gate_count_free(c);
	}
	return text.len ? sbuf_take(&text) : mem_strdup("");
}

#define assert_counts(f, expected)                                                                 \
	do {                                                                                       \
		AUTO(free) char *counts_ = counts_of(f);                                           \
		ck_assert_str_eq(counts_, expected);                                               \
	} while (0)

/* One number of the database, read beside the store. */
static int64_t
ask(struct fixture *f, const char *sql)
{
	AUTO(free) char *path = mem_printf("%s/hooks.db", f->dir);
	sqlite3_stmt *stmt;
	sqlite3 *db;
	int64_t value;

	ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK, "%s: %s", sql,
		sqlite3_errmsg(db));
	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	value = sqlite3_column_int64(stmt, 0);
	ck_assert_int_eq(sqlite3_finalize(stmt), SQLITE_OK);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
	return value;
}

/* ---- what is held --------------------------------------------------------------------------- */

START_TEST(what_is_held_comes_back_whole)
{
	struct execution *ex = held(1, 7, 5000);
	struct fixture f;

	fixture_open(&f);
	fixture_append(&f, 1, "custom", "{}");
	ex->attempts = 2;
	ex->error = mem_strdup("boom");
	ex->count = 12;
	ex->lane = UINT64_MAX;
	ck_assert_int_eq(admit(&f, ex, 0, 0), 0);
	fixture_reopen(&f);
	event_unref(fixture_get(&f, 1));
	ex = STAILQ_FIRST(&f.executions);
	ck_assert_int_eq(ex->status, EXEC_HELD);
	ck_assert_int_eq(ex->due_ns, 5000);
	ck_assert_str_eq(ex->why, "rate 10/s: 10 ran");
	ck_assert_uint_eq(ex->attempts, 2);
	ck_assert_str_eq(ex->error, "boom");
	ck_assert_uint_eq(ex->count, 12);
	ck_assert_uint_eq(ex->lane, UINT64_MAX);
	fixture_close(&f);
}
END_TEST

START_TEST(a_decision_never_overwrites_a_final_state)
{
	struct fixture f;

	fixture_open(&f);
	fixture_append(&f, 1, "custom", "{}");
	ck_assert_int_eq(fixture_finish(&f, 1, fixture_execution(1, 7, EXEC_SUCCESS), 0), 0);
	ck_assert_int_eq(admit(&f, held(1, 7, 5000), 0, 0), 0);
	event_unref(fixture_get(&f, 1));
	ck_assert_int_eq(STAILQ_FIRST(&f.executions)->status, EXEC_SUCCESS);
	ck_assert_int_eq(fixture_finish(&f, 1, NULL, EVENT_COMPLETED), 0);
	ck_assert_int_eq(admit(&f, NULL, 1, 0), 0);
	event_unref(fixture_get(&f, 1));
	ck_assert_int_eq(ask(&f, "SELECT status FROM event WHERE seq = 1"), EVENT_COMPLETED);
	fixture_close(&f);
}
END_TEST

START_TEST(a_parked_event_is_unfinished_but_not_pending)
{
	struct store_figures figures;
	struct fixture f;

	fixture_open(&f);
	for (uint64_t seq = 1; seq <= 2; seq++)
		fixture_append(&f, seq, "custom", "{}");
	ck_assert_int_eq(admit(&f, held(1, 7, 5000), 1, 0), 0);
	store_figures(f.store, &figures);
	ck_assert_uint_eq(figures.events_by_status[EVENT_PENDING], 1);
	ck_assert_uint_eq(figures.events_by_status[EVENT_PROCESSING], 1);
	f.waiting++;
	store_read_pending(f.store, 0, 10, fixture_pending, &f);
	fixture_wait(&f);
	assert_seqs(&f, "2");
	f.waiting++;
	store_delete_event(f.store, 1, fixture_done, &f);
	fixture_wait(&f);
	ck_assert_int_eq(f.code, -EBUSY);
	fixture_reopen(&f);
	ck_assert_uint_eq(store_pending_count(f.store), 1);
	ck_assert_int_eq(fixture_get(&f, 1)->status, EVENT_PROCESSING);
	event_unref(f.ev);

	/* in work again, and parked once more, and final from there */
	ck_assert_int_eq(admit(&f, fixture_execution(1, 7, EXEC_RUNNING), 0, 1), 0);
	fixture_forget(&f);
	f.waiting++;
	store_read_pending(f.store, 0, 10, fixture_pending, &f);
	fixture_wait(&f);
	assert_seqs(&f, "1 2");
	ck_assert_int_eq(admit(&f, held(1, 7, 9000), 1, 0), 0);
	ck_assert_int_eq(
		fixture_finish(&f, 1, fixture_execution(1, 7, EXEC_THROTTLED), EVENT_COMPLETED), 0);
	store_figures(f.store, &figures);
	ck_assert_uint_eq(figures.events_by_status[EVENT_PENDING], 1);
	ck_assert_uint_eq(figures.events_by_status[EVENT_PROCESSING], 0);
	ck_assert_uint_eq(figures.events_by_status[EVENT_COMPLETED], 1);
	fixture_close(&f);
}
END_TEST

START_TEST(a_page_has_what_one_hook_holds_earliest_first)
{
	static const int64_t dues[] = {500, 300, 300, 900, 100};
	const struct execution *ex;
	struct answer a;
	struct fixture f;

	fixture_open(&f);
	for (uint64_t seq = 1; seq <= 5; seq++) {
		fixture_append(&f, seq, "custom", "{\"a\":1}");
		ck_assert_int_eq(admit(&f, held(seq, 7, dues[seq - 1]), seq != 4 ? seq : 0, 0), 0);
	}
	ck_assert_int_eq(admit(&f, held(2, 8, 50), 0, 0), 0);
	fixture_reopen(&f);
	a = read_due(&f, 7, (struct due_key){0, 0}, 2);
	assert_seqs(&f, "5 2");
	ck_assert_int_eq(a.next.due_ns, 300);
	ck_assert_uint_eq(a.next.seq, 3);
	ck_assert_uint_eq(a.lowest_seq, 1);
	ck_assert_str_eq(STAILQ_FIRST(&f.events)->data, "{\"a\":1}");
	ex = STAILQ_FIRST(&f.executions);
	ck_assert_uint_eq(ex->seq, 5);
	ex = STAILQ_NEXT(STAILQ_NEXT(ex, link), link);
	ck_assert_uint_eq(ex->hook_id, 8); /* the other hook's of the same event */
	a = read_due(&f, 7, a.next, 10);
	assert_seqs(&f, "3 1"); /* 4 is not parked: it is in memory */
	ck_assert_int_eq(a.next.due_ns, 0);
	(void)read_due(&f, 8, (struct due_key){0, 0}, 10);
	assert_seqs(&f, "2");
	(void)read_due(&f, 9, (struct due_key){0, 0}, 10);
	assert_seqs(&f, "");
	fixture_close(&f);
}
END_TEST

START_TEST(a_final_execution_is_held_no_more)
{
	struct store_held left;
	struct execution *ex;
	struct err err;
	struct fixture f;

	fixture_open(&f);
	for (uint64_t seq = 1; seq <= 3; seq++) {
		fixture_append(&f, seq, "custom", "{}");
		ex = held(seq, 6 + seq % 2, 100);
		ex->lane = 4 - seq;
		ck_assert_int_eq(admit(&f, ex, seq, 0), 0);
	}
	ex = fixture_execution(1, 7, EXEC_SUCCESS);
	ex->lane = 3;
	ex->due_ns = 100;
	ck_assert_int_eq(fixture_finish(&f, 1, ex, EVENT_COMPLETED), 0);
	fixture_reopen(&f);
	ck_assert_int_eq(store_load_held(f.store, &left, &err), 0);
	ck_assert_uint_eq(left.parked, 2);
	ck_assert_uint_eq(left.low.seq, 2);
	ck_assert_uint_eq(left.hook_count, 2);
	ck_assert_uint_eq(left.hooks[0].hook_id, 6);
	ck_assert_uint_eq(left.hooks[1].hook_id, 7);
	ck_assert_uint_eq(left.lane_count, 2);
	ck_assert_uint_eq(left.lanes[0].seq, 2);
	ck_assert_uint_eq(left.lanes[0].lane, 2);
	ck_assert_uint_eq(left.lanes[1].seq, 3);
	ck_assert_uint_eq(left.lanes[1].hook_id, 7);
	ck_assert_int_eq(left.hooks[1].due_ns, 100);
	store_held_fini(&left);
	ck_assert_int_eq(ask(&f, "SELECT count(*) FROM execution WHERE due_ns IS NOT NULL"), 2);
	ck_assert_int_eq(ask(&f, "SELECT count(*) FROM execution WHERE seq = 1"
				 " AND due_ns IS NULL AND lane IS NULL"),
		1);
	fixture_close(&f);
}
END_TEST

/* A hundred thousand held events must not be gone over to find the next one, nor at every start. */
START_TEST(what_is_held_is_found_by_an_index)
{
	static const char *const plans[] = {
		"EXPLAIN QUERY PLAN SELECT x.due_ns, x.seq FROM execution x CROSS JOIN event e"
		" ON e.seq = x.seq WHERE x.hook_id = 1 AND x.due_ns IS NOT NULL"
		" AND (x.due_ns, x.seq) >= (5, 5) AND e.status = 1 ORDER BY x.due_ns, x.seq",
		"EXPLAIN QUERY PLAN SELECT min(hook_id) FROM execution WHERE due_ns IS NOT NULL"
		" AND hook_id > 5",
		"EXPLAIN QUERY PLAN SELECT seq, created_ns FROM event WHERE status = 1 ORDER BY "
		"seq LIMIT 1",
	};
	struct fixture f;

	fixture_open(&f);
	for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
		AUTO(free) char *path = mem_printf("%s/hooks.db", f.dir);
		struct sbuf plan = {0};
		sqlite3_stmt *stmt;
		sqlite3 *db;

		ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
		ck_assert_int_eq(sqlite3_prepare_v2(db, plans[i], -1, &stmt, NULL), SQLITE_OK);
		while (sqlite3_step(stmt) == SQLITE_ROW)
			sbuf_printf(&plan, "%s\n", (const char *)sqlite3_column_text(stmt, 3));
		ck_assert_msg(!strstr(sbuf_str(&plan), "SCAN"), "%s", plan.data);
		ck_assert_msg(!strstr(sbuf_str(&plan), "TEMP B-TREE"), "%s", plan.data);
		ck_assert_int_eq(sqlite3_finalize(stmt), SQLITE_OK);
		ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
		sbuf_fini(&plan);
	}
	fixture_close(&f);
}
END_TEST

/* ---- counts --------------------------------------------------------------------------------- */

START_TEST(counts_are_kept_changed_and_forgotten)
{
	int64_t later_ns = clock_real_ns() + HOUR_NS;
	struct fixture f;

	fixture_open(&f);
	count(&f, 1, "a", "one", later_ns);
	count(&f, 1, "b", "two", later_ns);
	count(&f, 2, "", "three", later_ns);
	count(&f, 2, "old", "four", 1000);
	count(&f, 1, "a", "five", later_ns);
	count(&f, 1, "b", NULL, 0);
	fixture_reopen(&f);
	assert_counts(&f, "1/a=five 2/=three");
	fixture_close(&f);
}
END_TEST

START_TEST(expired_counts_are_removed)
{
	int64_t later_ns = clock_real_ns() + HOUR_NS;
	struct fixture f;

	fixture_open(&f);
	count(&f, 1, "old", "x", 1000);
	count(&f, 1, "new", "y", later_ns);
	ck_assert_int_eq(ask(&f, "SELECT count(*) FROM gate_count"), 2);
	f.waiting++;
	store_delete_before(f.store, 1, fixture_count, &f); /* any look of the upkeep */
	fixture_wait(&f);
	fixture_append(&f, 1, "custom", "{}"); /* behind it in the lane */
	ck_assert_int_eq(ask(&f, "SELECT count(*) FROM gate_count"), 1);
	assert_counts(&f, "1/new=y");
	fixture_close(&f);
}
END_TEST

/* ---- an older database ---------------------------------------------------------------------- */

/* What version 3 added is taken away again, so that what opens is a database of version 2. */
static const char to_version_2[] =
	"DROP VIEW held_executions; DROP VIEW hook_executions; DROP VIEW event_hook_executions;"
	"DROP TRIGGER hook_gone; DROP TABLE gate_count;"
	"DROP INDEX execution_lane; DROP INDEX execution_due;"
	"ALTER TABLE execution DROP COLUMN lane; ALTER TABLE execution DROP COLUMN count;"
	"ALTER TABLE execution DROP COLUMN why; ALTER TABLE execution DROP COLUMN due_ns;"
	"ALTER TABLE counter DROP COLUMN processing;"
	"CREATE VIEW event_hook_executions AS SELECT seq FROM execution;"
	"CREATE VIEW hook_executions AS SELECT seq FROM execution;"
	"PRAGMA user_version = 2;";

START_TEST(a_database_of_version_2_is_brought_up_to_date)
{
	AUTO(free) char *path = NULL;
	char *message = NULL;
	struct fixture f;
	sqlite3 *db;

	fixture_open(&f);
	for (uint64_t seq = 1; seq <= 2; seq++)
		fixture_append(&f, seq, "custom", "{}");
	ck_assert_int_eq(fixture_finish(&f, 1, fixture_execution(1, 7, EXEC_SUCCESS), 0), 0);
	fixture_stop(&f);
	path = mem_printf("%s/hooks.db", f.dir);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_msg(
		sqlite3_exec(db, to_version_2, NULL, NULL, &message) == SQLITE_OK, "%s", message);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
	fixture_start(&f);
	ck_assert_uint_eq(store_pending_count(f.store), 2);
	event_unref(fixture_get(&f, 1));
	ck_assert_int_eq(STAILQ_FIRST(&f.executions)->status, EXEC_SUCCESS);
	ck_assert_ptr_null(STAILQ_FIRST(&f.executions)->why);
	ck_assert_int_eq(admit(&f, held(2, 7, 5000), 2, 0), 0);
	(void)read_due(&f, 7, (struct due_key){0, 0}, 10);
	assert_seqs(&f, "2");
	fixture_close(&f);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("store_admission");
	TCase *tc = tcase_create("admission");

	tcase_add_test(tc, what_is_held_comes_back_whole);
	tcase_add_test(tc, a_decision_never_overwrites_a_final_state);
	tcase_add_test(tc, a_parked_event_is_unfinished_but_not_pending);
	tcase_add_test(tc, a_page_has_what_one_hook_holds_earliest_first);
	tcase_add_test(tc, a_final_execution_is_held_no_more);
	tcase_add_test(tc, what_is_held_is_found_by_an_index);
	tcase_add_test(tc, counts_are_kept_changed_and_forgotten);
	tcase_add_test(tc, expired_counts_are_removed);
	tcase_add_test(tc, a_database_of_version_2_is_brought_up_to_date);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
