/* fsd/store/hook_store.c: versions, counters, sources and permissions survive; the documented
 * tables show them while the store is in use. */
#include "base/auto.h"
#include "fsd/store/hook_store.h"
#include "tests/unit/store_fixture.h"
#include "tests/unit/suite.h"

#include <sqlite3.h>

/* ---- hooks ---------------------------------------------------------------------------------- */

static int
put_version(struct fixture *f, const struct hook_version *v)
{
	f->waiting++;
	store_put_version(f->store, v, fixture_done, f);
	fixture_wait(f);
	return f->code;
}

static int
put(struct fixture *f, uint64_t hook_id, uint32_t version, uint64_t from_seq, const char *source)
{
	char name[] = "notify", stack[] = "prod", types[] = "task.failed\ndeploy.*";
	char meta[] = "{\"description\":\"tells\",\"enabled\":false}";
	struct hook_version v = {
		.hook_id = hook_id,
		.version = version,
		.from_seq = from_seq,
		.name = name,
		.stack = stack,
		.types = types,
		.meta = meta,
		.source = (char *)source,
		.source_len = strlen(source),
		.hash = 99, /* of all sources here: equal hashes must not mean equal sources */
		.created_ns = FIXTURE_START_NS + (int64_t)version * 1000000000,
	};

	return put_version(f, &v);
}

struct loaded {
	struct hook_version_list versions;
	struct hook_stats_list stats;
};

static void
load(struct fixture *f, struct loaded *l)
{
	struct err err;

	STAILQ_INIT(&l->versions);
	STAILQ_INIT(&l->stats);
	ck_assert_int_eq(store_load_hooks(f->store, &l->versions, &l->stats, &err), 0);
}

static void
forget(struct loaded *l)
{
	struct hook_version *v;
	struct hook_stats *h;

	while ((v = STAILQ_FIRST(&l->versions))) {
		STAILQ_REMOVE_HEAD(&l->versions, link);
		hook_version_free(v);
	}
	while ((h = STAILQ_FIRST(&l->stats))) {
		STAILQ_REMOVE_HEAD(&l->stats, link);
		hook_stats_free(h);
	}
}

START_TEST(a_version_in_service_is_loaded)
{
	struct hook_version *v;
	struct loaded l;
	struct fixture f;

	fixture_open(&f);
	ck_assert_uint_eq(store_next_hook_id(f.store), 1);
	ck_assert_int_eq(put(&f, 1, 1, 5, "one"), 0);
	ck_assert_int_eq(put(&f, 1, 2, 9, "three"), 0);
	fixture_reopen(&f);
	ck_assert_uint_eq(store_next_hook_id(f.store), 2);
	load(&f, &l);
	v = STAILQ_FIRST(&l.versions);
	ck_assert_ptr_nonnull(v);
	ck_assert_ptr_null(STAILQ_NEXT(v, link)); /* the first version touches no event */
	ck_assert_uint_eq(v->version, 2);
	ck_assert_uint_eq(v->from_seq, 9);
	ck_assert_uint_eq(v->to_seq, 0);
	ck_assert_str_eq(v->name, "notify");
	ck_assert_str_eq(v->stack, "prod");
	ck_assert_str_eq(v->types, "task.failed\ndeploy.*");
	ck_assert_str_eq(v->meta, "{\"description\":\"tells\",\"enabled\":false}");
	ck_assert_ptr_null(v->source);
	ck_assert_uint_eq(v->source_len, 5);
	ck_assert_uint_eq(v->hash, 99);
	forget(&l);
	fixture_close(&f);
}
END_TEST

/* The lanes work while the registry loads; on one connection this crashes in SQLite. */
START_TEST(hooks_and_permissions_load_beside_lists)
{
	struct event_query query = {.status = -1, .since_ns = FIXTURE_START_NS, .limit = 100};
	struct perm_list perms = STAILQ_HEAD_INITIALIZER(perms);
	struct err err;
	struct fixture f;

	fixture_open(&f);
	for (uint64_t seq = 1; seq <= 300; seq++)
		fixture_append(&f, seq, "task.failed", "{}");
	for (uint64_t id = 1; id <= 100; id++)
		ck_assert_int_eq(put(&f, id, 1, 1, "return {}"), 0);
	for (int i = 0; i < 300; i++) {
		struct loaded l;

		f.waiting++;
		store_query_events(f.store, &query, fixture_events, &f);
		load(&f, &l);
		ck_assert_ptr_nonnull(STAILQ_FIRST(&l.versions));
		forget(&l);
		ck_assert_int_eq(store_load_perms(f.store, &perms, &err), 0);
	}
	fixture_wait(&f);
	ck_assert_int_eq(f.code, 0);
	fixture_close(&f);
}
END_TEST

START_TEST(a_version_stays_while_an_event_needs_it)
{
	static const struct {
		uint64_t seq;
		int versions;
	} cases[] = {{4, 1}, {5, 2}, {8, 2}, {9, 1}}; /* version 1 matched 5 to 8 */
	struct hook_version *v;
	struct loaded l;

	for (size_t i = 0; i < 4; i++) {
		struct fixture f;
		int count = 0;

		fixture_open(&f);
		ck_assert_int_eq(put(&f, 1, 1, 5, "one"), 0);
		ck_assert_int_eq(put(&f, 1, 2, 9, "two"), 0);
		fixture_append(&f, cases[i].seq, "task.failed", "{}");
		load(&f, &l);
		STAILQ_FOREACH (v, &l.versions, link)
			count++;
		ck_assert_int_eq(count, cases[i].versions);
		forget(&l);
		fixture_close(&f);
	}
}
END_TEST

START_TEST(a_removed_hook_keeps_its_history)
{
	struct loaded l;
	struct fixture f;

	fixture_open(&f);
	ck_assert_int_eq(put(&f, 1, 1, 1, "one"), 0);
	fixture_append(&f, 1, "task.failed", "{}");
	ck_assert_int_eq(
		fixture_finish(&f, 1, fixture_execution(1, 1, EXEC_SUCCESS), EVENT_COMPLETED), 0);
	f.waiting++;
	store_close_hook(f.store, 1, 2, fixture_done, &f);
	fixture_wait(&f);
	ck_assert_int_eq(f.code, 0);
	fixture_reopen(&f);
	load(&f, &l);
	ck_assert(STAILQ_EMPTY(&l.versions));
	ck_assert_str_eq(STAILQ_FIRST(&l.stats)->name, "notify");
	ck_assert_uint_eq(STAILQ_FIRST(&l.stats)->runs, 1);
	ck_assert_uint_eq(STAILQ_FIRST(&l.stats)->last_version, 1);
	forget(&l);
	event_unref(fixture_get(&f, 1));
	ck_assert_str_eq(STAILQ_FIRST(&f.executions)->hook, "notify@prod");
	fixture_close(&f);
}
END_TEST

START_TEST(counters_count_final_runs_once)
{
	static const struct {
		enum exec_status status;
		unsigned runs, failures;
	} cases[] = {
		{EXEC_RUNNING, 0, 0}, {EXEC_FAILED, 1, 1}, {EXEC_SUCCESS, 1, 1}, /* final already */
	};
	struct loaded l;
	struct fixture f;

	fixture_open(&f);
	ck_assert_int_eq(put(&f, 1, 1, 1, "one"), 0);
	fixture_append(&f, 1, "task.failed", "{}");
	for (size_t i = 0; i < 3; i++) {
		ck_assert_int_eq(fixture_finish(&f, 1, fixture_execution(1, 1, cases[i].status),
					 EVENT_PENDING),
			0);
		load(&f, &l);
		ck_assert_uint_eq(STAILQ_FIRST(&l.stats)->runs, cases[i].runs);
		ck_assert_uint_eq(STAILQ_FIRST(&l.stats)->failures, cases[i].failures);
		forget(&l);
	}
	fixture_append(&f, 2, "task.failed", "{}"); /* skipped: it has not run */
	ck_assert_int_eq(fixture_finish(&f, 2, fixture_execution(2, 1, EXEC_SKIPPED), 0), 0);
	fixture_append(&f, 3, "task.failed", "{}");
	ck_assert_int_eq(fixture_finish(&f, 3, fixture_execution(3, 1, EXEC_SUCCESS), 0), 0);
	load(&f, &l);
	ck_assert_uint_eq(STAILQ_FIRST(&l.stats)->runs, 2);
	ck_assert_int_eq(
		STAILQ_FIRST(&l.stats)->last_run_ns, FIXTURE_START_NS + INT64_C(3500000000));
	forget(&l);
	fixture_close(&f);
}
END_TEST

/* Events 1 to MANY in one call, every ninth with an id of its sender's: the first is known then. */
#define MANY 100
static void
append_many(struct fixture *f)
{
	struct event *events[MANY];

	for (uint64_t i = 0; i < MANY; i++) {
		AUTO(free) char *data = mem_printf("{\"n\":%d}", (int)i + 1);

		events[i] = fixture_make(i + 1, "task.failed", data);
		free(events[i]->sender_id);
		events[i]->sender_id = i % 9 == 8 ? mem_strdup("same") : NULL;
	}
	f->waiting++;
	store_append(f->store, events, MANY, fixture_dup, fixture_done, f);
	for (size_t i = 0; i < MANY; i++)
		event_unref(events[i]);
	fixture_wait(f);
}

static void
finish_many(struct fixture *f)
{
	struct execution_list list = STAILQ_HEAD_INITIALIZER(list);

	for (uint64_t seq = 1; seq <= MANY; seq++) {
		struct execution *ex = fixture_execution(seq, 5, EXEC_FAILED);

		STAILQ_INSERT_TAIL(&list, ex, link);
	}
	f->waiting++;
	store_finish(f->store, &list, NULL, 0, fixture_done, f);
	fixture_wait(f);
}

/* What comes many at once is written by statements of many rows, with the same rules. */
START_TEST(many_at_once_are_stored_like_one)
{
	struct fixture f;
	struct loaded l;

	fixture_open(&f);
	ck_assert_int_eq(put(&f, 5, 1, 1, "return 1"), 0);
	append_many(&f);
	ck_assert_int_eq(f.code, 0);
	ck_assert_int_eq(f.dups, 10);
	ck_assert_uint_eq(f.first_seq, 9);
	ck_assert_int_eq(
		fixture_finish(&f, 40, fixture_execution(40, 5, EXEC_SUCCESS), EVENT_PENDING), 0);
	finish_many(&f);
	ck_assert_int_eq(f.code, 0);
	for (uint64_t seq = 1; seq <= MANY; seq++) {
		AUTO(free) char *data = mem_printf("{\"n\":%d}", (int)seq);
		struct event *ev = fixture_get(&f, seq);
		bool is_known = seq % 9 == 0 && seq > 9;

		ck_assert(!ev == is_known);
		if (!ev)
			continue;
		ck_assert_str_eq(ev->data, data);
		ck_assert_int_eq(STAILQ_FIRST(&f.executions)->status,
			seq == 40 ? EXEC_SUCCESS : EXEC_FAILED);
		event_unref(ev);
	}
	load(&f, &l);
	ck_assert_uint_eq(STAILQ_FIRST(&l.stats)->runs, MANY);
	ck_assert_uint_eq(STAILQ_FIRST(&l.stats)->failures, MANY - 1);
	forget(&l);
	fixture_close(&f);
}
END_TEST

START_TEST(a_renamed_hook_shows_its_new_name)
{
	struct loaded l;
	struct fixture f;

	fixture_open(&f);
	ck_assert_int_eq(put(&f, 1, 1, 1, "one"), 0);
	f.waiting++;
	store_rename_hook(f.store, 1, "page", fixture_done, &f);
	fixture_wait(&f);
	ck_assert_int_eq(f.code, 0);
	load(&f, &l);
	ck_assert_str_eq(STAILQ_FIRST(&l.versions)->name, "page");
	forget(&l);
	fixture_close(&f);
}
END_TEST

/* f->text is what was found: of one version its source, of a list "number:length " each. */
static void
on_versions(void *arg, int code, struct hook_version_list *versions)
{
	struct fixture *f = arg;
	struct sbuf text = {0};
	struct hook_version *v;

	STAILQ_FOREACH (v, versions, link) {
		ck_assert_int_eq(
			v->created_ns, FIXTURE_START_NS + (int64_t)v->version * 1000000000);
		if (v->source)
			sbuf_add(&text, v->source, v->source_len);
		else
			sbuf_printf(&text, "%u:%zu ", v->version, v->source_len);
	}
	free(f->text);
	f->code = code;
	f->text = sbuf_take(&text);
	f->waiting--;
}

static const char *
source_of(struct fixture *f, uint64_t hook_id, uint32_t version)
{
	f->waiting++;
	store_get_version(f->store, hook_id, version, on_versions, f);
	fixture_wait(f);
	return f->text;
}

static const char *
versions_of(struct fixture *f, uint64_t hook_id)
{
	f->waiting++;
	store_list_versions(f->store, hook_id, on_versions, f);
	fixture_wait(f);
	return f->text;
}

static int64_t
ask(struct fixture *f, const char *sql)
{
	AUTO(free) char *path = mem_printf("%s/hooks.db", f->dir);
	sqlite3_stmt *stmt;
	sqlite3 *db;
	int64_t value;

	ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK, "%s",
		sqlite3_errmsg(db));
	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	value = sqlite3_column_int64(stmt, 0);
	ck_assert_int_eq(sqlite3_finalize(stmt), SQLITE_OK);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
	return value;
}

START_TEST(equal_sources_are_stored_once)
{
	struct fixture f;

	fixture_open(&f);
	ck_assert_int_eq(put(&f, 1, 1, 1, "one"), 0);
	ck_assert_int_eq(put(&f, 1, 2, 2, "two"), 0);
	ck_assert_int_eq(put(&f, 1, 3, 3, "one"), 0);
	ck_assert_str_eq(source_of(&f, 1, 1), "one");
	ck_assert_str_eq(source_of(&f, 1, 2), "two");
	ck_assert_str_eq(source_of(&f, 1, 3), "one");
	ck_assert_str_eq(source_of(&f, 1, 4), "");
	ck_assert_int_eq(f.code, -ENOENT);
	ck_assert_int_eq(ask(&f, "SELECT count(*) FROM hook_source"), 2);
	fixture_close(&f);
}
END_TEST

START_TEST(an_empty_source_is_a_source)
{
	struct fixture f;

	fixture_open(&f);
	ck_assert_int_eq(put(&f, 1, 1, 1, ""), 0);
	ck_assert_str_eq(source_of(&f, 1, 1), "");
	ck_assert_int_eq(f.code, 0);
	fixture_close(&f);
}
END_TEST

/* The last executions of a hook as text: "9 7". */
static void
assert_executions(struct fixture *f, uint64_t before_seq, size_t limit, bool only_failed,
	const char *expected)
{
	AUTO(sbuf) struct sbuf text = {0};
	struct execution *ex;

	fixture_forget(f);
	fixture_search(f,
		&(struct event_search){.hook_id = 1,
			.only_failed = only_failed,
			.query = {.before_seq = before_seq, .limit = limit, .descending = true}});
	STAILQ_FOREACH (ex, &f->executions, link)
		sbuf_printf(&text, "%s%llu", text.len ? " " : "", (unsigned long long)ex->seq);
	ck_assert_str_eq(sbuf_str(&text), expected);
}

START_TEST(executions_of_a_hook_are_listed_newest_first)
{
	static const enum exec_status results[] = {
		EXEC_SUCCESS, EXEC_FAILED, EXEC_TIMEOUT, EXEC_SUCCESS, EXEC_INTERRUPTED};
	struct fixture f;

	fixture_open(&f);
	for (uint64_t seq = 1; seq <= 5; seq++) {
		fixture_append(&f, seq, "task.failed", "{}");
		ck_assert_int_eq(
			fixture_finish(&f, seq, fixture_execution(seq, 1, results[seq - 1]), 0), 0);
		ck_assert_int_eq(
			fixture_finish(&f, seq, fixture_execution(seq, 2, EXEC_FAILED), 0), 0);
	}
	assert_executions(&f, 0, 9, false, "5 4 3 2 1");
	assert_executions(&f, 0, 2, false, "5 4");
	assert_executions(&f, 4, 2, false, "3 2");
	assert_executions(&f, 0, 9, true, "5 3 2");
	assert_executions(&f, 3, 9, true, "2");
	fixture_close(&f);
}
END_TEST

/* ---- permissions ---------------------------------------------------------------------------- */

START_TEST(permissions_survive)
{
	struct perm_list perms = STAILQ_HEAD_INITIALIZER(perms);
	struct fixture f;
	struct err err;
	struct perm *p;

	fixture_open(&f);
	store_put_perm(f.store, "/events/emit", 0660, -1, 50);
	store_put_perm(f.store, "/hooks", 0700, 7, -1);
	store_put_perm(f.store, "/events/emit", 0600, -1, 50);
	store_put_perm(f.store, "/hooks", -1, -1, -1);
	fixture_reopen(&f);
	ck_assert_int_eq(store_load_perms(f.store, &perms, &err), 0);
	p = STAILQ_FIRST(&perms);
	ck_assert_str_eq(p->path, "/events/emit");
	ck_assert_int_eq(p->mode, 0600);
	ck_assert_int_eq(p->uid, -1);
	ck_assert_int_eq(p->gid, 50);
	ck_assert_ptr_null(STAILQ_NEXT(p, link));
	free(p->path);
	free(p);
	fixture_close(&f);
}
END_TEST

/* ---- the documented tables, read by another beside the running store ------------------------- */

START_TEST(views_show_events)
{
	static const char *const truths[] = {
		"SELECT count(*) = 2 FROM events",
		"SELECT type = 'task.failed' AND data = '{}' AND status = 'failed' AND error = "
		"'boom'"
		" FROM events ORDER BY created_at LIMIT 1",
		"SELECT timestamp = 1700000001 AND created_at = 1700000001"
		" AND processed_at = 1700000001 FROM events ORDER BY created_at LIMIT 1",
		"SELECT status = 'pending' AND processed_at IS NULL AND error IS NULL AND id = "
		"'mine'"
		" FROM events ORDER BY created_at DESC LIMIT 1",
		"SELECT typeof(id) = 'text' AND typeof(timestamp) = 'integer' FROM events",
	};
	struct event *ev = fixture_make(2, "custom", "{}");
	struct fixture f;

	ev->sender_id = mem_strdup("mine");
	fixture_open(&f);
	fixture_append(&f, 1, "task.failed", "{}");
	ck_assert_int_eq(fixture_finish(&f, 1, NULL, EVENT_FAILED), 0);
	ck_assert_int_eq(fixture_append_event(&f, ev), 0);
	for (size_t i = 0; i < sizeof(truths) / sizeof(truths[0]); i++)
		ck_assert_msg(ask(&f, truths[i]) == 1, "not so: %s", truths[i]);
	fixture_close(&f);
}
END_TEST

/* The id computed in SQL is the one computed here, over the whole range of seq. */
START_TEST(views_show_the_ids_of_the_tree)
{
	static const uint64_t seqs[] = {1, 65535, 65536, UINT64_C(1) << 30,
		(UINT64_C(1) << 33) + 123456789, (UINT64_C(1) << 42) - 1};
	struct fixture f;

	fixture_open(&f);
	for (size_t i = 0; i < sizeof(seqs) / sizeof(seqs[0]); i++) {
		AUTO(free) char *sql = NULL;
		struct event *ev = fixture_make(1, "custom", "{}");
		char id[EVENT_ID_MAX + 1];

		ev->seq = seqs[i];
		ev->created_ns += (int64_t)i;
		event_id_text(ev, id);
		ck_assert_int_eq(fixture_append_event(&f, ev), 0);
		sql = mem_printf("SELECT count(*) FROM events WHERE id = '%s'", id);
		ck_assert_msg(ask(&f, sql) == 1, "no '%s'", id);
	}
	fixture_close(&f);
}
END_TEST

START_TEST(views_show_hooks_and_executions)
{
	static const char *const truths[] = {
		"SELECT count(*) = 1 FROM hooks",
		"SELECT id = '1' AND name = 'notify@prod' AND description = 'tells' FROM hooks",
		"SELECT event_type = 'task.failed,deploy.*' AND stack = 'prod' FROM hooks",
		"SELECT file_path = 'stacks/prod/hooks/notify.lua' AND enabled = 0 FROM hooks",
		"SELECT created_at = 1700000001 AND updated_at = 1700000002 FROM hooks",
		"SELECT last_run = 1700000003 AND run_count = 2 FROM hooks",
		"SELECT count(*) = 2 FROM event_hook_executions", /* what still runs is no result */
		"SELECT count(*) = 2 FROM event_hook_executions x JOIN events e ON e.id = "
		"x.event_id"
		" JOIN hooks h ON h.id = x.hook_id AND h.name = x.hook_name",
		"SELECT success = 1 AND error IS NULL AND duration_ms = 234 AND"
		" executed_at = 1700000001 AND output = 'hello' || char(10)"
		" FROM event_hook_executions ORDER BY id LIMIT 1",
		"SELECT success = 0 FROM event_hook_executions ORDER BY id DESC LIMIT 1",
	};
	struct fixture f;

	fixture_open(&f);
	ck_assert_int_eq(put(&f, 1, 1, 1, "one"), 0);
	ck_assert_int_eq(put(&f, 1, 2, 1, "two"), 0);
	for (uint64_t seq = 1; seq <= 3; seq++) {
		static const enum exec_status results[] = {
			EXEC_SUCCESS, EXEC_RUNNING, EXEC_TIMEOUT};

		fixture_append(&f, seq, "task.failed", "{}");
		ck_assert_int_eq(
			fixture_finish(&f, seq, fixture_execution(seq, 1, results[seq - 1]), 0), 0);
	}
	for (size_t i = 0; i < sizeof(truths) / sizeof(truths[0]); i++)
		ck_assert_msg(ask(&f, truths[i]) == 1, "not so: %s", truths[i]);
	fixture_close(&f);
}
END_TEST

START_TEST(a_hook_keeps_its_newest_versions_and_those_with_work)
{
	uint32_t last = STORE_SOURCES_KEPT + 5;
	struct fixture f;
	char source[16];

	fixture_open(&f);
	for (uint32_t version = 1; version <= last; version++) {
		(void)snprintf(source, sizeof(source), "v %u", version % 23); /* 23 is as 46 */
		ck_assert_int_eq(put(&f, 1, version, version, source), 0);
		fixture_append(&f, version, "task.failed", "{}");
		if (version != 2) /* matched by version 2, and never finished */
			ck_assert_int_eq(fixture_finish(&f, version,
						 fixture_execution(version, 1, EXEC_SUCCESS),
						 EVENT_COMPLETED),
				0);
	}
	ck_assert_int_eq(ask(&f, "SELECT count(*) FROM hook_version"), STORE_SOURCES_KEPT + 1);
	ck_assert_int_eq(ask(&f, "SELECT min(version) FROM hook_version"), 2);
	ck_assert_int_eq(ask(&f, "SELECT count(*) FROM hook_version WHERE version < 6"), 1);
	ck_assert_int_eq(ask(&f, "SELECT count(*) FROM hook_version v"
				 " WHERE source_id NOT IN (SELECT id FROM hook_source)"),
		0);
	ck_assert_int_eq(ask(&f, "SELECT count(*) FROM hook_source"
				 " WHERE id NOT IN (SELECT source_id FROM hook_version)"),
		0);
	fixture_close(&f);
}
END_TEST

START_TEST(versions_are_listed_and_settings_push_no_source_out)
{
	uint32_t last = 2 + STORE_VERSIONS_KEPT + 10, oldest = last - STORE_VERSIONS_KEPT + 1;
	AUTO(sbuf) struct sbuf kept = {0};
	struct fixture f;

	fixture_open(&f);
	ck_assert_str_eq(versions_of(&f, 1), "");
	ck_assert_int_eq(put(&f, 1, 1, 1, "one"), 0);
	ck_assert_int_eq(put(&f, 1, 2, 1, "three"), 0);
	ck_assert_str_eq(versions_of(&f, 1), "1:3 2:5 ");
	for (uint32_t version = 3; version <= last; version++)
		ck_assert_int_eq(put(&f, 1, version, 1, "three"), 0);
	sbuf_adds(&kept, "1:3 2:5 ");
	for (uint32_t version = oldest; version <= last; version++)
		sbuf_printf(&kept, "%u:5 ", version);
	ck_assert_str_eq(versions_of(&f, 1), sbuf_str(&kept));
	ck_assert_str_eq(source_of(&f, 1, 2), "three");
	ck_assert_str_eq(source_of(&f, 1, oldest - 1), "");
	ck_assert_int_eq(f.code, -ENOENT);
	for (uint32_t n = 1; n <= STORE_SOURCES_KEPT; n++)
		ck_assert_int_eq(put(&f, 1, last + n, 1, n % 2 ? "x" : "y"), 0);
	ck_assert_int_eq(ask(&f, "SELECT count(*) FROM hook_version"), STORE_SOURCES_KEPT);
	ck_assert_int_eq(ask(&f, "SELECT count(*) FROM hook_source"), 2);
	ck_assert_str_eq(versions_of(&f, 2), "");
	fixture_close(&f);
}
END_TEST

START_TEST(fewer_or_more_sources_are_kept_as_is_said)
{
	struct fixture f;
	uint32_t version = 0;

	fixture_open(&f);
	while (version < 5) {
		version++;
		ck_assert_int_eq(put(&f, 1, version, 1, version % 2 ? "x" : "y"), 0);
	}
	store_set_sources_kept(f.store, 2);
	ck_assert_int_eq(ask(&f, "SELECT count(*) FROM hook_version"), 5);
	ck_assert_int_eq(put(&f, 1, ++version, 1, "y"), 0);
	ck_assert_int_eq(ask(&f, "SELECT min(version) FROM hook_version"), version - 1);
	store_set_sources_kept(f.store, 3);
	ck_assert_int_eq(put(&f, 1, ++version, 1, "x"), 0);
	ck_assert_int_eq(ask(&f, "SELECT min(version) FROM hook_version"), version - 2);
	fixture_close(&f);
}
END_TEST

START_TEST(a_removed_hook_is_forgotten_after_its_last_execution)
{
	static const char *const nothing_left =
		"SELECT (SELECT count(*) FROM hook) + (SELECT count(*) FROM hook_version)"
		" + (SELECT count(*) FROM hook_source)";
	struct fixture f;

	fixture_open(&f);
	ck_assert_int_eq(put(&f, 1, 1, 1, "one"), 0);
	fixture_append(&f, 1, "task.failed", "{}");
	ck_assert_int_eq(
		fixture_finish(&f, 1, fixture_execution(1, 1, EXEC_SUCCESS), EVENT_COMPLETED), 0);
	f.waiting++;
	store_close_hook(f.store, 1, 2, fixture_done, &f);
	fixture_wait(&f);
	fixture_reopen(&f);
	ck_assert_int_eq(ask(&f, nothing_left), 3);
	f.waiting++;
	store_delete_event(f.store, 1, fixture_done, &f);
	fixture_wait(&f);
	ck_assert_int_eq(f.code, 0);
	fixture_reopen(&f);
	ck_assert_int_eq(ask(&f, nothing_left), 0);
	ck_assert_uint_eq(store_next_hook_id(f.store), 2); /* ids never come back */
	fixture_close(&f);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("store_hooks");
	TCase *tc = tcase_create("store_hooks");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_version_in_service_is_loaded);
	tcase_add_test(tc, fewer_or_more_sources_are_kept_as_is_said);
	tcase_add_test(tc, hooks_and_permissions_load_beside_lists);
	tcase_add_test(tc, a_version_stays_while_an_event_needs_it);
	tcase_add_test(tc, a_removed_hook_keeps_its_history);
	tcase_add_test(tc, counters_count_final_runs_once);
	tcase_add_test(tc, many_at_once_are_stored_like_one);
	tcase_add_test(tc, a_renamed_hook_shows_its_new_name);
	tcase_add_test(tc, equal_sources_are_stored_once);
	tcase_add_test(tc, an_empty_source_is_a_source);
	tcase_add_test(tc, executions_of_a_hook_are_listed_newest_first);
	tcase_add_test(tc, permissions_survive);
	tcase_add_test(tc, a_hook_keeps_its_newest_versions_and_those_with_work);
	tcase_add_test(tc, versions_are_listed_and_settings_push_no_source_out);
	tcase_add_test(tc, a_removed_hook_is_forgotten_after_its_last_execution);
	tcase_add_test(tc, views_show_events);
	tcase_add_test(tc, views_show_the_ids_of_the_tree);
	tcase_add_test(tc, views_show_hooks_and_executions);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
