/* What the rules say to events, on a clock that the test turns. */
#include "base/auto.h"
#include "base/mem.h"
#include "fsd/hooks/gate_state.h"
#include "tests/unit/suite.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define START_NS (1700000000 * NS_PER_S)

static struct {
	struct hook_rules rules;
	struct gate_state states[GATE_KINDS];
	char answer[GATE_WHY_MAX + 64];
	char why[GATE_WHY_MAX];
	bool is_slow; /* runs that were let go do not begin by themselves */
} g;

static void
setup(void)
{
	memset(&g, 0, sizeof(g));
}

static void
teardown(void)
{
	int i;

	hook_rules_fini(&g.rules);
	for (i = 0; i < GATE_KINDS; i++)
		gate_state_fini(&g.states[i]);
}

static void
rule(enum hook_rule which, const char *text)
{
	struct err err = {0};

	ck_assert_msg(hook_rule_parse(&g.rules, which, text, &err) == 0, "%s", err.msg);
}

/* The answer as text: "run 3", "hold until 2.5", "throttled", with "; asks 7" when that event is to
 * be asked again. */
static const char *
ask(enum gate_moment moment, double at_s, uint64_t seq, const char *type)
{
	static const char *const names[] = {[EXEC_THROTTLED] = "throttled",
		[EXEC_FILTERED] = "filtered",
		[EXEC_SKIPPED] = "skipped"};
	struct event ev = {.seq = seq, .type = (char *)type, .data = (char *)"{}", .data_len = 2};
	struct gate_case c = {.rules = &g.rules,
		.ev = &ev,
		.moment = moment,
		.now_ns = START_NS + (int64_t)(at_s * 1e9)};
	struct gate_decision d;
	size_t len;
	int i;

	for (i = 0; i < GATE_KINDS; i++)
		c.states[i] = gate_has_kind(&g.rules, i) ? &g.states[i] : NULL;
	gate_judge(&c, &d);
	switch (d.verdict) {
	case GATE_RUN:
		(void)snprintf(g.answer, sizeof(g.answer), "run %u", d.count);
		if (!g.is_slow)
			(void)gate_begin(&g.states[GATE_GROUP], &g.rules, seq, c.now_ns);
		break;
	case GATE_HOLD:
		(void)snprintf(g.answer, sizeof(g.answer), "hold until %g",
			(double)(d.due_ns - START_NS) / 1e9);
		break;
	case GATE_DROP:
		(void)snprintf(g.answer, sizeof(g.answer), "%s", names[d.status]);
		break;
	}
	len = strlen(g.answer);
	if (d.recall_seq)
		(void)snprintf(
			g.answer + len, sizeof(g.answer) - len, "; asks %" PRIu64, d.recall_seq);
	memcpy(g.why, d.why, sizeof(g.why));
	return g.answer;
}

#define assert_arrives(at, seq, type, expected)                                                    \
	ck_assert_str_eq(ask(GATE_ARRIVED, at, seq, type), expected)
#define assert_due(at, seq, type, expected) ck_assert_str_eq(ask(GATE_DUE, at, seq, type), expected)
#define assert_again(at, seq, type, expected)                                                      \
	ck_assert_str_eq(ask(GATE_AGAIN, at, seq, type), expected)
#define assert_why(text) ck_assert_msg(strstr(g.why, text) != NULL, "%s", g.why)

/* As if the daemon had been started anew: the states from their texts. */
static void
restart(void)
{
	int i;

	for (i = 0; i < GATE_KINDS; i++) {
		AUTO(sbuf) struct sbuf text = {0}, again = {0};
		uint32_t hash = 0;

		gate_state_write(&g.states[i], 17, &text);
		gate_state_fini(&g.states[i]);
		ck_assert_int_eq(gate_state_read(sbuf_str(&text), &g.states[i], &hash, NULL), 0);
		ck_assert_uint_eq(hash, 17);
	}
}

/* ---- one rule each --------------------------------------------------------------------------- */

START_TEST(test_no_rule)
{
	assert_arrives(0, 1, "t", "run 1");
	ck_assert_str_eq(g.why, "");
}
END_TEST

START_TEST(test_dedup)
{
	rule(RULE_DEDUP, "10s");
	assert_arrives(0, 1, "t", "run 1");
	assert_arrives(0, 1, "t", "run 1"); /* asked anew: it is no copy of itself */
	assert_arrives(9.9, 2, "t", "throttled");
	assert_why("dedup 10s: the same as event");
	assert_arrives(10, 3, "t", "run 1");
	restart();
	assert_arrives(12, 4, "t", "throttled");
}
END_TEST

START_TEST(test_once_within)
{
	rule(RULE_ONCE_WITHIN, "1m");
	assert_arrives(0, 1, "t", "run 1");
	assert_arrives(1, 2, "t", "throttled");
	assert_arrives(59.9, 3, "t", "throttled");
	ck_assert_uint_eq(g.states[GATE_GROUP].first.count, 2);
	assert_why("was the first, the next is taken from 2023-11-14T22:14:20.0");
	assert_arrives(60, 4, "t", "run 1");
	restart();
	assert_arrives(119, 5, "t", "throttled");
	assert_arrives(120, 6, "t", "run 1");
}
END_TEST

START_TEST(test_once_within_is_a_new_length_at_once)
{
	rule(RULE_ONCE_WITHIN, "1h");
	assert_arrives(0, 1, "t", "run 1");
	rule(RULE_ONCE_WITHIN, "10s");
	assert_arrives(11, 2, "t", "run 1");
}
END_TEST

START_TEST(test_once_within_after_a_crash)
{
	rule(RULE_ONCE_WITHIN, "1m");
	assert_arrives(0, 1, "t", "run 1");
	assert_again(100, 1, "t", "run 1"); /* its span was over: it opens another */
	assert_arrives(101, 2, "t", "throttled");
	assert_again(130, 1, "t", "run 1");
	assert_arrives(160, 3, "t", "run 1");
}
END_TEST

START_TEST(test_once_after)
{
	rule(RULE_ONCE_AFTER, "5s");
	assert_arrives(0, 1, "t", "hold until 5");
	assert_due(4, 1, "t", "hold until 5");
	assert_due(5, 1, "t", "run 1");
	assert_arrives(10, 2, "t", "hold until 15");
	assert_arrives(12, 3, "t", "hold until 17; asks 2");
	assert_due(12, 2, "t", "throttled");
	assert_why("once_after 5s: event");
	assert_arrives(16, 4, "t", "hold until 21; asks 3");
	assert_due(16, 3, "t", "throttled");
	restart();
	assert_due(21, 4, "t", "run 3");
	assert_why("the last of 3 events");
	assert_arrives(30, 5, "t", "hold until 35");
}
END_TEST

START_TEST(test_once_after_ends_at_ten_times)
{
	uint64_t seq;
	char expected[64];

	rule(RULE_ONCE_AFTER, "5s");
	assert_arrives(0, 1, "t", "hold until 5");
	for (seq = 2; seq <= 12; seq++) {
		int at = (int)(seq - 1) * 4;

		(void)snprintf(expected, sizeof(expected), "hold until %d; asks %d",
			at + 5 < 50 ? at + 5 : 50, (int)seq - 1);
		assert_arrives(at, seq, "t", expected);
		assert_due(at, seq - 1, "t", "throttled");
	}
	assert_due(50, 12, "t", "run 12");
	assert_arrives(51, 13, "t", "hold until 56");
}
END_TEST

START_TEST(test_once_after_with_events_out_of_order)
{
	rule(RULE_ONCE_AFTER, "5s");
	assert_arrives(0, 9, "t", "hold until 5");
	assert_arrives(1, 8, "t", "hold until 6; asks 9"); /* its condition took longer */
	assert_due(1, 9, "t", "throttled");
	assert_due(6, 8, "t", "run 2");
}
END_TEST

/* What replaced an event was recorded, that the event was dropped was not. */
START_TEST(test_once_after_and_a_crash)
{
	rule(RULE_ONCE_AFTER, "5s");
	assert_arrives(0, 1, "t", "hold until 5");
	assert_arrives(1, 2, "t", "hold until 6; asks 1");
	assert_arrives(2, 3, "t", "hold until 7; asks 2");
	restart();
	assert_due(7, 1, "t", "throttled");
	assert_due(7, 2, "t", "throttled");
	assert_due(7, 3, "t", "run 3");
	restart();
	assert_again(9, 3, "t", "run 3"); /* admitted, and no result */
}
END_TEST

START_TEST(test_a_held_event_of_a_key_that_went_runs)
{
	rule(RULE_ONCE_AFTER, "5s");
	assert_arrives(0, 1, "t", "hold until 5");
	gate_state_fini(&g.states[GATE_GROUP]);
	assert_due(5, 1, "t", "run 1");
}
END_TEST

START_TEST(test_accumulate)
{
	rule(RULE_ACCUMULATE_WITHIN, "3/10s");
	assert_arrives(0, 1, "t", "throttled");
	assert_why("accumulate_within 3/10s: 1 of 3");
	assert_arrives(6, 2, "t", "throttled");
	assert_why("2 of 3");
	assert_arrives(11, 3, "t", "throttled"); /* the first is too old */
	assert_why("2 of 3");
	restart();
	assert_arrives(12, 4, "t", "run 3");
	assert_arrives(12, 5, "t", "throttled");
	assert_why("1 of 3");
	assert_again(13, 4, "t", "run 3");
}
END_TEST

START_TEST(test_accumulate_many)
{
	unsigned i;

	rule(RULE_ACCUMULATE_WITHIN, "1000/1m");
	for (i = 1; i < 1000; i++)
		assert_arrives(i * 0.05, i, "t", "throttled");
	ck_assert_uint_le(g.states[GATE_GROUP].gathered.len, 72);
	assert_arrives(50, 1000, "t", "run 1000");
}
END_TEST

START_TEST(test_rate)
{
	rule(RULE_RATE, "2/s");
	assert_arrives(0, 1, "t", "run 1");
	assert_arrives(0.25, 2, "t", "run 1");
	assert_arrives(0.5, 3, "t", "hold until 1");
	assert_why("rate 2/s: its turn is at 2023-11-14T22:13:21.000Z");
	assert_arrives(0.5, 4, "t", "hold until 1.25");
	assert_arrives(0.5, 5, "t", "hold until 2");
	assert_due(1, 3, "t", "run 1");
	restart();
	assert_arrives(3.5, 6, "t", "run 1");
}
END_TEST

/* What a rate promises is when runs begin. */
START_TEST(test_rate_of_runs_that_begin_late)
{
	rule(RULE_RATE, "2/s");
	g.is_slow = true;
	assert_arrives(0, 1, "t", "run 1");
	assert_arrives(0, 2, "t", "run 1");
	assert_arrives(0, 3, "t", "hold until 1");
	assert_arrives(0, 4, "t", "hold until 1");
	ck_assert(gate_begin(&g.states[GATE_GROUP], &g.rules, 1, START_NS + NS_PER_S / 10));
	ck_assert(!gate_begin(&g.states[GATE_GROUP], &g.rules, 1, START_NS + NS_PER_S));
	assert_due(1, 3, "t", "hold until 1.5"); /* 2 may begin at any time */
	ck_assert(gate_begin(&g.states[GATE_GROUP], &g.rules, 2, START_NS + NS_PER_S * 6 / 5));
	assert_due(1.5, 3, "t", "run 1");
	assert_due(1.5, 4, "t", "hold until 2");
}
END_TEST

/* What was let go and is not known to have begun may have, until just before. */
START_TEST(test_rate_of_a_run_that_may_have_begun)
{
	int64_t now = clock_steady_ns();
	struct event ev = {.seq = 2, .type = (char *)"t", .data = (char *)"{}", .data_len = 2};
	struct gate_case c = {.rules = &g.rules,
		.ev = &ev,
		.moment = GATE_ARRIVED,
		.states = {[GATE_GROUP] = &g.states[GATE_GROUP]}};
	struct gate_decision d;

	rule(RULE_RATE_DROP, "1/h");
	g.is_slow = true;
	assert_arrives(0, 1, "t", "run 1"); /* years ago */
	restart();
	c.now_ns = now + 3599 * NS_PER_S;
	gate_judge(&c, &d);
	ck_assert_int_eq(d.status, EXEC_THROTTLED);
	c.now_ns = now + 3602 * NS_PER_S;
	gate_judge(&c, &d);
	ck_assert_int_eq(d.verdict, GATE_RUN);
}
END_TEST

/* The machine slept: what is late comes at the rate, not at once, and each is asked anew only now
 * and then. */
START_TEST(test_rate_after_a_long_sleep)
{
	double due[40];
	unsigned i, asked = 0, runs = 0;
	double now;

	rule(RULE_RATE, "2/s");
	for (i = 0; i < 40; i++) {
		(void)ask(GATE_ARRIVED, 0, i + 1, "t");
		due[i] = !strncmp(g.answer, "hold", 4) ? strtod(g.answer + 11, NULL) : -1;
	}
	for (now = 60; now < 90; now += 0.1) {
		unsigned before = runs;

		for (i = 0; i < 40; i++) {
			if (due[i] < 0 || due[i] > now)
				continue;
			asked++;
			(void)ask(GATE_DUE, now, i + 1, "t");
			due[i] = !strncmp(g.answer, "hold", 4) ? strtod(g.answer + 11, NULL) : -1;
			runs += due[i] < 0;
		}
		ck_assert_uint_le(runs - before, 2);
		ck_assert_uint_le(runs, 2 * (unsigned)(now - 60 + 1.01));
	}
	ck_assert_uint_eq(runs, 38);
	ck_assert_uint_le(asked, 3 * 38);
}
END_TEST

START_TEST(test_a_run_that_nobody_heard_of_stops_no_other)
{
	rule(RULE_RATE_DROP, "1/s");
	g.is_slow = true;
	assert_arrives(0, 1, "t", "run 1");
	assert_arrives(10, 2, "t", "throttled");
	assert_arrives(601, 3, "t", "run 1");
}
END_TEST

START_TEST(test_rate_after_a_crash_counts_a_second_run)
{
	rule(RULE_RATE, "2/10s");
	assert_arrives(0, 1, "t", "run 1");
	assert_arrives(1, 2, "t", "run 1");
	assert_arrives(2, 3, "t", "hold until 10");
	assert_again(3, 1, "t", "hold until 11");
	assert_again(3, 2, "t", "hold until 20");
	assert_due(10, 3, "t", "run 1");
	assert_due(11, 1, "t", "run 1");
	assert_due(20, 2, "t", "run 1");
}
END_TEST

START_TEST(test_rate_drop)
{
	rule(RULE_RATE_DROP, "2/s");
	assert_arrives(0, 1, "t", "run 1");
	assert_arrives(0, 2, "t", "run 1");
	assert_arrives(0.9, 3, "t", "throttled");
	assert_why("rate_drop 2/s: reached");
	assert_again(0.9, 1, "t", "hold until 1"); /* it was admitted: never dropped */
	assert_due(1, 1, "t", "run 1");
	assert_arrives(1.5, 4, "t", "run 1");
}
END_TEST

START_TEST(test_sequence)
{
	rule(RULE_SEQUENCE, "a.x then b.* within 10s");
	assert_arrives(0, 1, "b.1", "filtered");
	assert_why("no a.x came before it");
	assert_arrives(1, 2, "a.x", "filtered");
	assert_why("waits for b.* until");
	restart();
	assert_arrives(10.9, 3, "b.1", "run 1");
	assert_why("after event");
	assert_arrives(11, 4, "b.1", "filtered"); /* one for one */
	assert_arrives(12, 5, "a.x", "filtered");
	assert_arrives(22.1, 6, "b.1", "filtered"); /* too late */
	assert_arrives(23, 7, "c", "filtered");
	assert_why("it is neither");
}
END_TEST

START_TEST(test_sequence_of_one_type)
{
	rule(RULE_SEQUENCE, "t then t within 10s");
	assert_arrives(0, 1, "t", "filtered");
	assert_arrives(5, 2, "t", "run 1");
	assert_arrives(6, 3, "t", "filtered");
	assert_arrives(17, 4, "t", "filtered");
	assert_arrives(18, 5, "t", "run 1");
}
END_TEST

START_TEST(test_absent)
{
	rule(RULE_ABSENT, "start without done within 10s");
	assert_arrives(0, 1, "start", "hold until 10");
	assert_arrives(5, 2, "done", "filtered; asks 1");
	assert_why("it came in time");
	assert_due(5, 1, "start", "filtered");
	assert_why("absent start without done within 10s: event");
	assert_arrives(6, 3, "done", "filtered");
	assert_why("no start waits for it");
	assert_arrives(20, 4, "start", "hold until 30");
	assert_arrives(25, 5, "start", "throttled");
	assert_why("counted with event");
	restart();
	assert_due(29, 4, "start", "hold until 30");
	assert_due(30, 4, "start", "run 2");
	assert_why("done did not come");
	assert_again(31, 4, "start", "run 2");
}
END_TEST

START_TEST(test_absent_of_one_type)
{
	rule(RULE_ABSENT, "beat without beat within 10s");
	assert_arrives(0, 1, "beat", "hold until 10");
	assert_arrives(9, 2, "beat", "hold until 19; asks 1");
	assert_due(9, 1, "beat", "filtered");
	assert_due(19, 2, "beat", "run 1");
	assert_arrives(40, 3, "beat", "hold until 50");
}
END_TEST

START_TEST(test_absent_and_a_crash)
{
	rule(RULE_ABSENT, "start without done within 10s");
	assert_arrives(0, 1, "start", "hold until 10");
	assert_arrives(5, 2, "done", "filtered; asks 1");
	restart(); /* that it was called off was not recorded */
	assert_due(10, 1, "start", "filtered");
}
END_TEST

START_TEST(test_replay_off)
{
	struct event ev = {.seq = 1, .type = (char *)"t", .replay_of = 7};
	struct gate_case c = {.rules = &g.rules, .ev = &ev, .now_ns = START_NS};
	struct gate_decision d;

	gate_judge(&c, &d);
	ck_assert_int_eq(d.verdict, GATE_RUN);
	rule(RULE_REPLAY, "off");
	gate_judge(&c, &d);
	ck_assert_int_eq(d.verdict, GATE_DROP);
	ck_assert_int_eq(d.status, EXEC_SKIPPED);
	ck_assert_str_eq(d.why, "replay off: the event is a replay");
}
END_TEST

/* ---- several rules --------------------------------------------------------------------------- */

START_TEST(test_dedup_comes_before_accumulate)
{
	rule(RULE_DEDUP, "1s");
	rule(RULE_ACCUMULATE_WITHIN, "2/10s");
	assert_arrives(0, 1, "t", "throttled");
	assert_arrives(0.5, 2, "t", "throttled");
	assert_why("dedup");
	assert_arrives(2, 3, "t", "run 2");
}
END_TEST

START_TEST(test_accumulate_once_within_and_rate)
{
	rule(RULE_ACCUMULATE_WITHIN, "2/10s");
	rule(RULE_ONCE_WITHIN, "5s");
	rule(RULE_RATE, "1/1m");
	assert_arrives(0, 1, "t", "throttled");
	assert_arrives(1, 2, "t", "run 2");
	assert_arrives(2, 3, "t", "throttled");
	assert_arrives(3, 4, "t", "throttled");
	assert_why("once_within");
	assert_arrives(7, 5, "t", "throttled");
	assert_arrives(8, 6, "t", "hold until 61");
	assert_due(61, 6, "t", "run 2");
}
END_TEST

/* Each event takes the place of the one before, also while that waits for its slot; so no slot is
 * taken for one that will not run. */
START_TEST(test_once_after_and_rate)
{
	rule(RULE_ONCE_AFTER, "1s");
	rule(RULE_RATE, "1/10s");
	assert_arrives(0, 1, "t", "hold until 1");
	assert_due(1, 1, "t", "run 1");
	assert_arrives(2, 2, "t", "hold until 3");
	assert_due(3, 2, "t", "hold until 11");
	assert_arrives(4, 3, "t", "hold until 5; asks 2");
	assert_due(4, 2, "t", "throttled");
	assert_due(5, 3, "t", "hold until 11");
	assert_again(6, 1, "t", "run 1");
	assert_due(11, 3, "t", "hold until 16");
	restart();
	assert_due(16.1, 3, "t", "run 2");
}
END_TEST

START_TEST(test_absent_accumulate_and_rate_drop)
{
	rule(RULE_ABSENT, "a without b within 1s");
	rule(RULE_ACCUMULATE_WITHIN, "2/1m");
	rule(RULE_RATE_DROP, "1/1m");
	assert_arrives(0, 1, "a", "hold until 1");
	assert_due(1, 1, "a", "throttled");
	assert_arrives(2, 2, "a", "hold until 3");
	assert_due(3, 2, "a", "run 2");
	assert_again(4, 2, "a", "run 2");
	assert_arrives(5, 3, "a", "hold until 6");
	assert_due(6, 3, "a", "throttled");
}
END_TEST

START_TEST(test_sequence_and_once_after)
{
	rule(RULE_SEQUENCE, "a then b within 10s");
	rule(RULE_ONCE_AFTER, "1s");
	assert_arrives(0, 1, "a", "filtered");
	assert_arrives(1, 2, "b", "hold until 2");
	assert_due(2, 2, "b", "run 1");
}
END_TEST

/* ---- what is kept ---------------------------------------------------------------------------- */

START_TEST(test_text_is_read_back)
{
	AUTO(sbuf) struct sbuf text = {0}, again = {0};
	uint32_t hash;

	rule(RULE_ONCE_WITHIN, "1m");
	rule(RULE_RATE, "100/s");
	assert_arrives(0, 1, "t", "run 1");
	gate_state_write(&g.states[GATE_GROUP], 5, &text);
	ck_assert_msg(strstr(sbuf_str(&text), "{\"v\":1,\"rules\":5,\"first\":[1,") != NULL, "%s",
		sbuf_str(&text));
	restart();
	ck_assert_uint_eq(g.states[GATE_GROUP].first.seq, 1);
	ck_assert_uint_eq(g.states[GATE_GROUP].slots.len, 1);
	ck_assert_int_eq(gate_state_read("{\"v\":2}", &g.states[GATE_PAIR], &hash, NULL), -EINVAL);
	ck_assert_int_eq(gate_state_read("nonsense", &g.states[GATE_PAIR], &hash, NULL), -EINVAL);
}
END_TEST

/* The clock was set back while the daemon was down: nothing waits for the time it showed. */
START_TEST(test_times_ahead_of_the_clock_are_now)
{
	AUTO(free) char *text =
		mem_printf("{\"v\":1,\"rules\":0,\"first\":[1,%" PRId64 ",0,\"x\"]}",
			(int64_t)(clock_real_ns() + 3600 * NS_PER_S));
	uint32_t hash;

	ck_assert_int_eq(gate_state_read(text, &g.states[GATE_GROUP], &hash, NULL), 0);
	ck_assert_int_le(g.states[GATE_GROUP].first.since_ns, clock_steady_ns());
}
END_TEST

START_TEST(test_what_is_not_needed_expires)
{
	rule(RULE_ONCE_WITHIN, "1m");
	rule(RULE_RATE_DROP, "1/h");
	rule(RULE_DEDUP, "5s");
	assert_arrives(0, 1, "t", "run 1");
	ck_assert_int_eq(gate_state_expiry(&g.states[GATE_GROUP], GATE_GROUP, &g.rules),
		START_NS + 3600 * NS_PER_S);
	ck_assert_int_eq(gate_state_expiry(&g.states[GATE_DEDUP], GATE_DEDUP, &g.rules),
		START_NS + 5 * NS_PER_S);
	ck_assert_int_eq(gate_state_expiry(&g.states[GATE_PAIR], GATE_PAIR, &g.rules), 0);
}
END_TEST

START_TEST(test_counts_belong_to_their_rules)
{
	uint32_t before;

	rule(RULE_ONCE_WITHIN, "1m");
	rule(RULE_GROUP_BY, "host");
	before = gate_rules_hash(&g.rules, GATE_GROUP);
	rule(RULE_ONCE_WITHIN, "5m");
	ck_assert_uint_eq(gate_rules_hash(&g.rules, GATE_GROUP), before);
	rule(RULE_GROUP_BY, "agent");
	ck_assert_uint_ne(gate_rules_hash(&g.rules, GATE_GROUP), before);
	before = gate_rules_hash(&g.rules, GATE_GROUP);
	rule(RULE_RATE, "1/s");
	ck_assert_uint_ne(gate_rules_hash(&g.rules, GATE_GROUP), before);
	before = gate_rules_hash(&g.rules, GATE_PAIR);
	rule(RULE_SEQUENCE, "a then b within 1s");
	ck_assert_uint_ne(gate_rules_hash(&g.rules, GATE_PAIR), before);
}
END_TEST

/* ---- rates, whatever they are ------------------------------------------------------------------
 */

static const char *const rates[] = {"1/s", "2/s", "10/s burst 3", "10/s", "7/3s burst 2", "64/s",
	"65/s", "100/5m burst 20", "1000/s", "1000/s burst 10", "50000/1m", "3/1ms"};

#define SLOTS 4000

/* Events at random times; no span may hold more than the rate, no moment more than the burst. */
START_TEST(test_rates_are_kept)
{
	static int64_t slots[SLOTS];
	AUTO(hook_rules) struct hook_rules r = {0};
	struct tally t = {0};
	int64_t now = START_NS;
	unsigned seed = 5, i;

	ck_assert_int_eq(hook_rule_parse(&r, RULE_RATE, rates[_i], NULL), 0);
	for (i = 0; i < SLOTS; i++) {
		if (rand_r(&seed) % 3 == 0)
			now += (int64_t)(rand_r(&seed) % 4000) * r.rate.per_ns / r.rate.count /
			       1000;
		slots[i] = tally_next(&t, &r.rate, now);
		tally_add(&t, &r.rate, slots[i]);
		ck_assert_int_ge(slots[i], now);
		if (i >= r.rate.count)
			ck_assert_int_ge(slots[i] - slots[i - r.rate.count], r.rate.per_ns);
		if (i > r.rate.burst)
			ck_assert_int_gt(slots[i], slots[i - r.rate.burst]);
		ck_assert_uint_le(t.len, 72);
	}
	tally_fini(&t);
}
END_TEST

/* When there is always one waiting, the rate is reached: of 100 at least 96. */
START_TEST(test_rates_are_reached)
{
	AUTO(hook_rules) struct hook_rules r = {0};
	struct tally t = {0};
	int64_t slot = 0;
	double spans;
	unsigned i, count;

	ck_assert_int_eq(hook_rule_parse(&r, RULE_RATE, rates[_i], NULL), 0);
	count = 20 * r.rate.count < 200000 ? 20 * r.rate.count : 200000;
	for (i = 0; i < count; i++) {
		slot = tally_next(&t, &r.rate, START_NS);
		tally_add(&t, &r.rate, slot);
	}
	spans = (double)(slot - START_NS) / (double)r.rate.per_ns;
	ck_assert_msg(spans <= (double)count / r.rate.count * 1.04, "%u in %g spans", count, spans);
	tally_fini(&t);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("gate");
	TCase *one = tcase_create("rules"), *rate = tcase_create("rates");

	tcase_add_checked_fixture(one, setup, teardown);
	tcase_add_test(one, test_no_rule);
	tcase_add_test(one, test_dedup);
	tcase_add_test(one, test_once_within);
	tcase_add_test(one, test_once_within_is_a_new_length_at_once);
	tcase_add_test(one, test_once_within_after_a_crash);
	tcase_add_test(one, test_once_after);
	tcase_add_test(one, test_once_after_ends_at_ten_times);
	tcase_add_test(one, test_once_after_with_events_out_of_order);
	tcase_add_test(one, test_once_after_and_a_crash);
	tcase_add_test(one, test_a_held_event_of_a_key_that_went_runs);
	tcase_add_test(one, test_accumulate);
	tcase_add_test(one, test_accumulate_many);
	tcase_add_test(one, test_rate);
	tcase_add_test(one, test_rate_of_runs_that_begin_late);
	tcase_add_test(one, test_rate_of_a_run_that_may_have_begun);
	tcase_add_test(one, test_rate_after_a_long_sleep);
	tcase_add_test(one, test_a_run_that_nobody_heard_of_stops_no_other);
	tcase_add_test(one, test_rate_after_a_crash_counts_a_second_run);
	tcase_add_test(one, test_rate_drop);
	tcase_add_test(one, test_sequence);
	tcase_add_test(one, test_sequence_of_one_type);
	tcase_add_test(one, test_absent);
	tcase_add_test(one, test_absent_of_one_type);
	tcase_add_test(one, test_absent_and_a_crash);
	tcase_add_test(one, test_replay_off);
	tcase_add_test(one, test_dedup_comes_before_accumulate);
	tcase_add_test(one, test_accumulate_once_within_and_rate);
	tcase_add_test(one, test_once_after_and_rate);
	tcase_add_test(one, test_absent_accumulate_and_rate_drop);
	tcase_add_test(one, test_sequence_and_once_after);
	tcase_add_test(one, test_text_is_read_back);
	tcase_add_test(one, test_times_ahead_of_the_clock_are_now);
	tcase_add_test(one, test_what_is_not_needed_expires);
	tcase_add_test(one, test_counts_belong_to_their_rules);
	suite_add_tcase(s, one);
	tcase_add_loop_test(rate, test_rates_are_kept, 0, sizeof(rates) / sizeof(rates[0]));
	tcase_add_loop_test(rate, test_rates_are_reached, 0, sizeof(rates) / sizeof(rates[0]));
	suite_add_tcase(s, rate);
	return suite_run(s);
}
