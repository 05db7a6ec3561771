/* What a hook's gate counts by, how long, and across a restart. */
#include "fsd/hooks/gate_keys.h"
#include "fsd/store/held.h"
#include "tests/unit/hooks_fixture.h"
#include "tests/unit/suite.h"

static struct hooks_fixture f;
static uint64_t last_seq;
static int64_t now;

static void
setup(void)
{
	f = (struct hooks_fixture){0};
	fixture_open(&f);
	last_seq = 0;
	now = clock_steady_ns();
}

static void
teardown(void)
{
	fixture_close(&f);
}

static struct gate_decision
decide(const char *type, const char *data)
{
	struct event ev = {.seq = ++last_seq,
		.type = (char *)type,
		.stack = (char *)"",
		.data = (char *)data,
		.data_len = strlen(data)};
	struct gate_decision d;

	hooks_decide(f.hooks, &fixture_hook(&f, "a")->current->code, &ev, GATE_ARRIVED, now, &d);
	if (d.verdict == GATE_RUN)
		hooks_begun(f.hooks, &fixture_hook(&f, "a")->current->code, &ev);
	return d;
}

/* Of the event that came last. */
static void
ask_again(enum gate_moment moment, enum gate_verdict expected)
{
	struct event ev = {.seq = last_seq,
		.type = (char *)"t",
		.stack = (char *)"",
		.data = (char *)"{}",
		.data_len = 2};
	struct gate_decision d;

	hooks_decide(f.hooks, &fixture_hook(&f, "a")->current->code, &ev, moment, now, &d);
	ck_assert_int_eq(d.verdict, expected);
}

#define assert_runs(data)      ck_assert_int_eq(decide("t", data).verdict, GATE_RUN)
#define assert_throttled(data) ck_assert_int_eq(decide("t", data).status, EXEC_THROTTLED)

static void
serve(const char *rules)
{
	AUTO(free) char *script = mem_printf("{\"event_type\":\"t\",%s}", rules);
	struct hook *hook = hook_find(hook_dir_find(f.hooks, ""), "a");
	uint32_t before = hook ? hook->version : 0;

	fixture_save(&f, "hooks/a.lua", script);
	fixture_await(&f, "a", "ok");
	while (fixture_hook(&f, "a")->version == before)
		uv_run(&f.loop, UV_RUN_ONCE);
}

static unsigned
keys(void)
{
	return HASH_COUNT(fixture_hook(&f, "a")->gate->keys);
}

static void
on_stored(void *arg, int code, const struct err *err)
{
	(void)err;
	ck_assert_int_eq(code, 0);
	*(bool *)arg = true;
}

/* Returns how many counts the store was given. */
static unsigned
store_counts(void)
{
	struct admission admission = {.executions = STAILQ_HEAD_INITIALIZER(admission.executions),
		.counts = STAILQ_HEAD_INITIALIZER(admission.counts)};
	const struct gate_count *count;
	unsigned total = 0;
	bool is_done = false;

	hooks_take_counts(f.hooks, &admission.counts);
	STAILQ_FOREACH (count, &admission.counts, link)
		total++;
	store_admit(f.store, &admission, on_stored, &is_done);
	while (!is_done)
		uv_run(&f.loop, UV_RUN_ONCE);
	return total;
}

static void
restart(void)
{
	fixture_stop(&f);
	fixture_start(&f);
	hooks_start(f.hooks);
	fixture_await(&f, "a", "ok");
}

START_TEST(test_each_value_has_its_counts)
{
	serve("\"once_within\":\"1m\",\"group_by\":\"host\"");
	assert_runs("{\"host\":\"a\"}");
	assert_runs("{\"host\":\"b\"}");
	assert_throttled("{\"host\":\"a\",\"x\":1}");
	assert_runs("{}"); /* those without a host are one group */
	assert_throttled("{\"x\":2}");
	ck_assert_uint_eq(keys(), 3);
	now += 61 * NS_PER_S;
	assert_runs("{\"host\":\"a\"}");
	ck_assert_uint_eq(keys(), 1);
}
END_TEST

START_TEST(test_values_that_make_no_line_are_hashed)
{
	AUTO(free) char *longest = mem_printf("{\"host\":\"%0300d\"}", 7);
	AUTO(free) char *other = mem_printf("{\"host\":\"%0300d\"}", 8);

	serve("\"once_within\":\"1m\",\"group_by\":\"host\"");
	assert_runs(longest);
	assert_runs(other);
	assert_throttled(longest);
	assert_runs("{\"host\":\"a\\nb\"}");
	assert_throttled("{\"host\":\"a\\u000ab\"}");
	assert_runs("{\"host\":\"a\\u0000b\"}");
	assert_runs("{\"host\":\"a\\u0000c\"}");
	assert_runs("{\"host\":\"a\"}");
	ck_assert_ptr_nonnull(gate_find(fixture_hook(&f, "a")->gate, GATE_GROUP, "a"));
}
END_TEST

START_TEST(test_dedup_by_content_and_by_path)
{
	serve("\"dedup\":\"1m\"");
	assert_runs("{\"host\":\"a\"}");
	assert_runs("{\"host\":\"b\"}");
	assert_throttled("{\"host\":\"a\"}");
	serve("\"dedup\":\"1m by host\"");
	assert_runs("{\"host\":\"a\"}");
	assert_throttled("{\"host\":\"a\",\"x\":1}");
	assert_runs("{\"x\":1}"); /* nothing to be the same in */
	assert_runs("{\"x\":1}");
}
END_TEST

START_TEST(test_counts_survive_a_restart)
{
	serve("\"once_within\":\"1h\",\"group_by\":\"host\",\"rate_drop\":\"2/h\"");
	assert_runs("{\"host\":\"a\"}");
	ck_assert_uint_eq(store_counts(), 1);
	ck_assert_uint_eq(store_counts(), 0);
	restart();
	assert_throttled("{\"host\":\"a\"}");
	assert_runs("{\"host\":\"b\"}");
	now += 3601 * NS_PER_S;
	assert_runs("{\"host\":\"a\"}");
}
END_TEST

START_TEST(test_an_edit_begins_anew_when_it_counts_something_else)
{
	serve("\"rate_drop\":\"1/h\"");
	assert_runs("{}");
	assert_throttled("{}");
	serve("\"rate_drop\":\"1/h\",\"description\":\"the same\",\"retries\":1");
	assert_throttled("{}");
	(void)store_counts();
	restart();
	assert_throttled("{}");
	serve("\"rate_drop\":\"2/h\"");
	assert_runs("{}");
}
END_TEST

START_TEST(test_a_hook_that_returns_goes_on_counting)
{
	serve("\"once_within\":\"1h\"");
	assert_runs("{}");
	fixture_remove(&f, "hooks/a.lua");
	while (fixture_hook(&f, "a")->current)
		uv_run(&f.loop, UV_RUN_ONCE);
	serve("\"once_within\":\"1h\"");
	assert_throttled("{}");
}
END_TEST

START_TEST(test_foreseen_is_not_counted)
{
	struct event ev = {.seq = 77, .type = (char *)"t", .data = (char *)"{}", .data_len = 2};
	struct gate_decision d;
	int i;

	serve("\"accumulate_within\":\"2/1h\",\"dedup\":\"1h by none\"");
	for (i = 0; i < 3; i++) {
		hooks_foresee(f.hooks, &fixture_hook(&f, "a")->current->code, &ev, now, &d);
		ck_assert_int_eq(d.status, EXEC_THROTTLED);
	}
	ck_assert_uint_eq(keys(), 0);
	assert_throttled("{}");
	hooks_foresee(f.hooks, &fixture_hook(&f, "a")->current->code, &ev, now, &d);
	ck_assert_int_eq(d.verdict, GATE_RUN);
	ck_assert_uint_eq(d.count, 2);
	assert_runs("{}");
}
END_TEST

/* The key that would expire first makes room, in memory and in the store. */
START_TEST(test_keys_are_bounded)
{
	char data[64];
	int i;

	serve("\"once_within\":\"1h\",\"group_by\":\"n\"");
	for (i = 0; i < GATE_KEYS_MAX; i++) {
		(void)snprintf(data, sizeof(data), "{\"n\":%d}", i);
		assert_runs(data);
		now += NS_PER_US;
	}
	(void)store_counts();
	ck_assert_uint_eq(keys(), GATE_KEYS_MAX);
	assert_runs("{\"n\":\"new\"}");
	ck_assert_uint_eq(keys(), GATE_KEYS_MAX);
	ck_assert_uint_eq(fixture_hook(&f, "a")->gate->let_go, 1);
	assert_throttled("{\"n\":1}");
	ck_assert_uint_eq(store_counts(), 2); /* one to forget, one new */
	restart();
	ck_assert_uint_eq(keys(), GATE_KEYS_MAX);
	assert_runs("{\"n\":0}");
}
END_TEST

START_TEST(test_used_up_counts_are_forgotten)
{
	serve("\"accumulate_within\":\"2/1h\"");
	assert_throttled("{}");
	ck_assert_uint_eq(store_counts(), 1);
	assert_runs("{}");
	ck_assert_uint_eq(keys(), 0);
	ck_assert_uint_eq(store_counts(), 1); /* taken back */
	restart();
	ck_assert(!fixture_hook(&f, "a")->gate);
	assert_throttled("{}");
}
END_TEST

/* Lines of the file, without what differs from run to run. */
static void
assert_flood(const char *const *parts, size_t count)
{
	AUTO(sbuf) struct sbuf out = {0};
	const char *at;
	size_t i;

	hook_flood_show(fixture_hook(&f, "a"), now, &out);
	at = sbuf_str(&out);
	for (i = 0; i < count; i++) {
		at = strstr(at, parts[i]);
		ck_assert_msg(at != NULL, "'%s' is not in: %s", parts[i], sbuf_str(&out));
	}
	if (count == 0)
		ck_assert_str_eq(sbuf_str(&out), "");
}

START_TEST(test_what_is_held_back_is_listed)
{
	static const char *const parts[] = {"group a: once_within until ", " for event ",
		", 1 not run; rate_drop 1 of 9\n", "group (all): once_within until ", "\n"};

	serve("\"once_within\":\"1m\",\"group_by\":\"host\",\"rate_drop\":\"9/m\"");
	assert_flood(NULL, 0);
	assert_runs("{\"host\":\"a\"}");
	assert_throttled("{\"host\":\"a\"}");
	assert_runs("{}");
	assert_flood(parts, sizeof(parts) / sizeof(parts[0]));
	now += 61 * NS_PER_S;
	assert_flood(NULL, 0);
}
END_TEST

START_TEST(test_what_waits_is_listed)
{
	static const char *const rate[] = {
		"group (all): rate 1 of 1, the next event's turn is at ", "\nwaiting: 2 events\n"};
	static const char *const once[] = {"group (all): once_after holds event ", " for 2 since "};
	static const char *const one[] = {"waiting: 1 event\n"};

	serve("\"rate\":\"1/h\"");
	assert_runs("{}");
	ck_assert_int_eq(decide("t", "{}").verdict, GATE_HOLD);
	ck_assert_int_eq(decide("t", "{}").verdict, GATE_HOLD);
	ck_assert_uint_eq(fixture_hook(&f, "a")->counts[EXEC_HELD], 2);
	assert_flood(rate, 2);
	ask_again(GATE_DUE, GATE_HOLD); /* before its turn */
	assert_flood(rate, 2);
	now += 3700 * NS_PER_S;
	ask_again(GATE_DUE, GATE_RUN);
	assert_flood(one, 1);
	ask_again(GATE_RETRIED, GATE_HOLD); /* comes back by itself */
	assert_flood(one, 1);
	serve("\"once_after\":\"5s\"");
	assert_flood(one, 1); /* counts of a rule that is gone are not shown, but what waits is */
	ck_assert_int_eq(decide("t", "{}").verdict, GATE_HOLD);
	ck_assert_uint_ne(decide("t", "{}").recall_seq, 0);
	assert_flood(once, 2);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("gate_keys");
	TCase *tc = tcase_create("gate_keys");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, test_each_value_has_its_counts);
	tcase_add_test(tc, test_values_that_make_no_line_are_hashed);
	tcase_add_test(tc, test_dedup_by_content_and_by_path);
	tcase_add_test(tc, test_counts_survive_a_restart);
	tcase_add_test(tc, test_an_edit_begins_anew_when_it_counts_something_else);
	tcase_add_test(tc, test_a_hook_that_returns_goes_on_counting);
	tcase_add_test(tc, test_foreseen_is_not_counted);
	tcase_add_test(tc, test_keys_are_bounded);
	tcase_add_test(tc, test_used_up_counts_are_forgotten);
	tcase_add_test(tc, test_what_is_held_back_is_listed);
	tcase_add_test(tc, test_what_waits_is_listed);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
