/* events/query and events/replay through the tree: words, pages, and readers who leave. */
#include "tests/unit/events_fixture.h"
#include "tests/unit/suite.h"

#include "base/auto.h"
#include "fsd/events/room.h"
#include "fsd/events/search.h"

static struct rig rig;

static void
setup(void)
{
	rig_open(&rig);
}

static void
teardown(void)
{
	rig_close(&rig);
}

/* ---- words ----------------------------------------------------------------------------------- */

/* The words of a line: "a|b c|". */
static void
assert_words(const char *line, const char *expected)
{
	AUTO(sbuf) struct sbuf out = {0};
	AUTO(free) char *text = mem_strdup(line);
	char *rest = text, *word;

	while ((word = filter_word(&rest)))
		sbuf_printf(&out, "%s|", word);
	ck_assert_str_eq(sbuf_str(&out), expected);
}

START_TEST(test_words)
{
	assert_words("", "");
	assert_words(" \t\n", "");
	assert_words("a=1  b=2\n", "a=1|b=2|");
	assert_words("a=\"x y\" b", "a=x y|b|");
	assert_words("a=\"x \\\"y\\\\\" b", "a=x \"y\\|b|");
	assert_words("a=\\n", "a=\\n|");
	assert_words("\"never closed b", "never closed b|");
	assert_words("a=\"\" \"\"", "a=||");
}
END_TEST

/* Parsed, and asked for again. */
static void
assert_next(const char *line, enum search_use use, const char *expected)
{
	AUTO(sbuf) struct sbuf next = {0};
	struct search search;
	struct err err = {0};

	ck_assert_msg(search_parse(line, strlen(line), use, &search, &err) == 0, "%s", err.msg);
	search_add_next(&search, "X", &next);
	ck_assert_str_eq(sbuf_str(&next), expected);
	search_fini(&search);
}

START_TEST(test_next_line)
{
	assert_next("", SEARCH_QUERY, "before=X");
	assert_next("type=a.* limit=5 before=Q", SEARCH_QUERY, "type=a.* limit=5 before=X");
	assert_next("text=\"a \\\"b\\\"\" status=failed", SEARCH_QUERY,
		"text=\"a \\\"b\\\"\" status=failed before=X");
	assert_next("since=2026-01-02T03:04:05+01:00 type=x", SEARCH_QUERY,
		"type=x since=2026-01-02T02:04:05.000000000Z before=X");
	assert_next(
		"type=x dry=1 hook=h@s after=Q", SEARCH_REPLAY, "type=x dry=1 hook=h@s after=X");
}
END_TEST

START_TEST(test_bad_words)
{
	static const char *const lines[] = {"x", "=x", "colour=red", "limit=0", "limit=-1",
		"limit=1x", "since=tomorrow", "status=odd", "dry=1", "before",
		"hook=h status=completed", "severity=loud", "type=A.b", "since=1h until=2h",
		"until=2020-01-01T00:00:00Z since=1h"};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct search search;
		struct err err = {0};
		int code = search_parse(lines[i], strlen(lines[i]), SEARCH_QUERY, &search, &err);

		ck_assert_msg(code == -EINVAL && err.msg[0], "taken: %s", lines[i]);
	}
}
END_TEST

/* ---- conversations --------------------------------------------------------------------------- */

/* Events e-1 to e-n of type n.x, all final. */
static void
send_final(unsigned n)
{
	for (unsigned i = 1; i <= n; i++) {
		AUTO(free) char *line = mem_printf("{\"type\":\"n.x\",\"id\":\"e-%u\"}\n", i);
		char id[4096];

		rig_finish(&rig, rig_send_one(&rig, line, id), EVENT_COMPLETED, true);
	}
}

static struct handle *
ask(const char *path, const char *line, int expected)
{
	int code;
	struct handle *h = open_path(&rig.t, path, O_RDWR, &code);

	ck_assert_ptr_nonnull(h);
	ck_assert_int_eq(write_at(&rig.t, h, line, 0), expected ? expected : (int)strlen(line));
	return h;
}

/* All that can be read.  Returns owned. */
static char *
read_all(struct handle *h)
{
	struct sbuf out = {0};
	char text[4096];

	while (read_at(&rig.t, h, 0, text) > 0)
		sbuf_adds(&out, text);
	tree_release(h);
	return sbuf_take(&out);
}

static unsigned
lines_of(const char *text)
{
	unsigned count = 0;

	for (; *text; text++)
		count += *text == '\n';
	return count;
}

START_TEST(test_query_gives_all_and_an_end)
{
	AUTO(free) char *all = NULL, *page = NULL, *none = NULL;

	send_final(5);
	all = read_all(ask("/events/query", "type=n.*\n", 0));
	ck_assert_uint_eq(lines_of(all), 6);
	ck_assert_ptr_nonnull(strstr(all, "{\"count\":5,\"next\":null}\n"));
	ck_assert(strstr(all, "e-5") < strstr(all, "e-4"));
	page = read_all(ask("/events/query", "type=n.* limit=2", 0));
	ck_assert_ptr_nonnull(
		strstr(page, "{\"count\":2,\"next\":\"type=n.* limit=2 before=e-4\"}\n"));
	none = read_all(ask("/events/query", "type=nobody", 0));
	ck_assert_str_eq(none, "{\"count\":0,\"next\":null}\n");
}
END_TEST

START_TEST(test_query_is_asked_once)
{
	struct handle *h = ask("/events/query", "colour=red", -EINVAL);

	ck_assert_int_eq(write_at(&rig.t, h, "before=nobody", 0), -ENOENT);
	ck_assert_str_eq(rig.text, "event 'nobody' is not known");
	ck_assert_int_eq(write_at(&rig.t, h, "type=x", 0), 6); /* a refusal asked nothing */
	ck_assert_int_eq(write_at(&rig.t, h, "type=y", 0), -EBUSY);
	tree_release(h);
}
END_TEST

/* Whoever leaves while the store is being asked leaves nothing behind (see the sanitizer). */
START_TEST(test_readers_may_leave_at_once)
{
	send_final(3);
	tree_release(ask("/events/query", "type=n.*", 0));
	tree_release(ask("/events/replay", "type=n.*", 0));
	tree_release(ask("/events/replay", "type=n.* dry=1", 0));
}
END_TEST

START_TEST(test_replay_of_many)
{
	AUTO(free) char *all = NULL, *again = NULL, *dry = NULL;
	uint64_t next = events_next_seq(rig.events);

	send_final(3);
	dry = read_all(ask("/events/replay", "type=n.* dry=1", 0));
	ck_assert_ptr_nonnull(strstr(dry, "{\"count\":3,\"skipped\":0,\"next\":null}\n"));
	ck_assert_uint_eq(events_next_seq(rig.events), next + 3);
	all = read_all(ask("/events/replay", "type=n.*", 0));
	ck_assert_uint_eq(lines_of(all), 4);
	ck_assert(strstr(all, "\"replay_of\":\"e-1\"") < strstr(all, "\"replay_of\":\"e-3\""));
	ck_assert_uint_eq(events_next_seq(rig.events), next + 6);
	again = read_all(ask("/events/replay", "type=n.* after=e-2", 0));
	ck_assert_ptr_nonnull(strstr(again, "{\"count\":1,\"skipped\":3,\"next\":null}\n"));
}
END_TEST

START_TEST(test_replay_while_stopping)
{
	AUTO(free) char *all = NULL;
	int code;

	send_final(2);
	events_stop(rig.events);
	all = read_all(ask("/events/replay", "type=n.*", 0));
	ck_assert_ptr_nonnull(strstr(all, "\"error\":\"the master is stopping: go on later\""));
	code = echo(&rig.t, "type=n.*\n", 0, "/events/replay");
	ck_assert_int_eq(code, -ESHUTDOWN); /* who cannot read it is told by the write */
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("query");
	TCase *tc = tcase_create("query");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_words);
	tcase_add_test(tc, test_next_line);
	tcase_add_test(tc, test_bad_words);
	tcase_add_test(tc, test_query_gives_all_and_an_end);
	tcase_add_test(tc, test_query_is_asked_once);
	tcase_add_test(tc, test_readers_may_leave_at_once);
	tcase_add_test(tc, test_replay_of_many);
	tcase_add_test(tc, test_replay_while_stopping);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
