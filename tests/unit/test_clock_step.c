/* A36: the machine's clock is set while hooks hold events.  Times that are waited for do not move,
 * and what is stored of them is right on the clock that people see then. */
#include "base/auto.h"
#include "base/clock.h"
#include "fsd/hooks/gate_state.h"
#include "tests/unit/suite.h"

#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define HOUR_NS (3600 * NS_PER_S)

static int64_t step_ns; /* by how much the clock was set */

/* Takes the place of the C library's. */
int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int64_t ns;

	if (syscall(SYS_clock_gettime, id, ts) != 0)
		return -1;
	if (id != CLOCK_REALTIME)
		return 0;
	ns = ts->tv_sec * NS_PER_S + ts->tv_nsec + step_ns;
	ts->tv_sec = ns / NS_PER_S;
	ts->tv_nsec = ns % NS_PER_S;
	return 0;
}

#define SLACK_NS (30 * NS_PER_S) /* a machine may stall, but not for an hour */

static const int64_t steps[] = {HOUR_NS, -HOUR_NS, 400 * 24 * HOUR_NS};

START_TEST(test_the_steady_clock_does_not_move)
{
	int64_t steady = clock_steady_ns(), real = clock_real_ns();

	step_ns = steps[_i];
	ck_assert_int_ge(llabs(clock_real_ns() - real), HOUR_NS - SLACK_NS);
	ck_assert_int_ge(clock_steady_ns(), steady);
	ck_assert_int_lt(clock_steady_ns() - steady, SLACK_NS);
	/* what is due in a minute is shown as a minute from what the clock shows now */
	ck_assert_int_lt(llabs(clock_real_of_steady(steady + 60 * NS_PER_S) - clock_real_ns() -
				 60 * NS_PER_S),
		SLACK_NS);
	ck_assert_int_lt(
		llabs(clock_steady_of_real(clock_real_of_steady(steady)) - steady), SLACK_NS);
}
END_TEST

static struct gate_decision
judge(struct hook_rules *rules, struct gate_state *state, enum gate_moment moment, int64_t now_ns)
{
	struct event ev = {.seq = 1, .type = (char *)"t", .data = (char *)"{}", .data_len = 2};
	struct gate_case c = {.rules = rules,
		.ev = &ev,
		.moment = moment,
		.now_ns = now_ns,
		.states = {[GATE_GROUP] = state}};
	struct gate_decision d;

	gate_judge(&c, &d);
	return d;
}

START_TEST(test_what_is_held_comes_in_its_time)
{
	AUTO(hook_rules) struct hook_rules rules = {0};
	AUTO(sbuf) struct sbuf text = {0};
	struct gate_state state = {0}, stored = {0};
	int64_t start = clock_steady_ns();
	struct gate_decision d;
	uint32_t hash;

	ck_assert_int_eq(hook_rule_parse(&rules, RULE_ONCE_AFTER, "1m", NULL), 0);
	d = judge(&rules, &state, GATE_ARRIVED, start);
	ck_assert_int_eq(d.due_ns, start + 60 * NS_PER_S);
	step_ns = steps[_i];
	ck_assert_int_eq(judge(&rules, &state, GATE_DUE, start + 59 * NS_PER_S).verdict, GATE_HOLD);
	/* a daemon that ends and starts on the new clock */
	gate_state_write(&state, 0, &text);
	ck_assert_int_eq(gate_state_read(sbuf_str(&text), &stored, &hash, NULL), 0);
	ck_assert_int_lt(llabs(stored.heard_ns - start), NS_PER_S);
	ck_assert_int_eq(
		judge(&rules, &stored, GATE_DUE, start + 58 * NS_PER_S).verdict, GATE_HOLD);
	ck_assert_int_eq(judge(&rules, &stored, GATE_DUE, start + 61 * NS_PER_S).verdict, GATE_RUN);
	gate_state_fini(&state);
	gate_state_fini(&stored);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("clock_step");
	TCase *tc = tcase_create("A36");

	tcase_add_loop_test(tc, test_the_steady_clock_does_not_move, 0, 3);
	tcase_add_loop_test(tc, test_what_is_held_comes_in_its_time, 0, 3);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
