/* fsd/store/state_store.c: operations in order, numbers that keep their type, keys that expire. */
#include "base/clock.h"
#include "tests/unit/store_fixture.h"
#include "tests/unit/suite.h"

struct step {
	enum state_op op;
	const char *key, *value, *expect;
	int code;
	const char *out;
};

static void
run_step(struct fixture *f, const char *stack, const struct step *step)
{
	struct state_request req = {
		.op = step->op,
		.stack = stack,
		.key = step->key,
		.value = step->value,
		.expect = step->expect,
	};

	f->waiting++;
	store_state(f->store, &req, fixture_text, f);
	fixture_wait(f);
}

static void
run_steps(struct fixture *f, const struct step *steps, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		run_step(f, "", &steps[i]);
		ck_assert_msg(f->code == steps[i].code, "step %zu: %d, not %d", i, f->code,
			steps[i].code);
		if (steps[i].out)
			ck_assert_msg(strcmp(f->text, steps[i].out) == 0,
				"step %zu: '%s', not '%s'", i, f->text, steps[i].out);
	}
}

#define RUN(f, steps) run_steps(f, steps, sizeof(steps) / sizeof(steps[0]))

START_TEST(values_are_set_and_deleted)
{
	static const struct step steps[] = {
		{STATE_GET, "a", NULL, NULL, -ENOENT, ""},
		{STATE_SET, "a", "{\"x\":[1,2]}", NULL, 0, ""},
		{STATE_GET, "a", NULL, NULL, 0, "{\"x\":[1,2]}"},
		{STATE_SET, "a", "\"5\"", NULL, 0, NULL},
		{STATE_GET, "a", NULL, NULL, 0, "\"5\""},
		{STATE_DELETE, "a", NULL, NULL, 0, NULL},
		{STATE_DELETE, "a", NULL, NULL, -ENOENT, NULL},
		{STATE_GET, "a", NULL, NULL, -ENOENT, ""},
	};
	struct fixture f;

	fixture_open(&f);
	RUN(&f, steps);
	fixture_close(&f);
}
END_TEST

START_TEST(numbers_keep_their_type)
{
	static const struct step steps[] = {
		{STATE_INCR, "n", "1", NULL, 0, "1"},
		{STATE_INCR, "n", "41", NULL, 0, "42"},
		{STATE_INCR, "n", "-50", NULL, 0, "-8"},
		{STATE_INCR, "n", "0.5", NULL, 0, "-7.5"},
		{STATE_INCR, "n", "0.5", NULL, 0, "-7.0"},
		{STATE_GET, "n", NULL, NULL, 0, "-7.0"},
		{STATE_SET, "n", "9223372036854775806", NULL, 0, NULL},
		{STATE_INCR, "n", "1", NULL, 0, "9223372036854775807"},
		{STATE_INCR, "n", "1", NULL, 0, "9.2233720368547758e+18"},
		{STATE_SET, "n", "1e308", NULL, 0, NULL},
		{STATE_INCR, "n", "1e308", NULL, -EINVAL, NULL},
		{STATE_GET, "n", NULL, NULL, 0, "1e308"},
		{STATE_INCR, "n", "x", NULL, -EINVAL, NULL},
		{STATE_INCR, "n", "0x10", NULL, -EINVAL, NULL},
		{STATE_INCR, "n", "", NULL, -EINVAL, NULL},
		{STATE_INCR, "n", "nan", NULL, -EINVAL, NULL},
		{STATE_SET, "s", "\"7\"", NULL, 0, NULL},
		{STATE_INCR, "s", "1", NULL, -EINVAL, NULL},
		{STATE_GET, "s", NULL, NULL, 0, "\"7\""},
	};
	struct fixture f;

	fixture_open(&f);
	RUN(&f, steps);
	fixture_close(&f);
}
END_TEST

START_TEST(cas_changes_only_what_is_as_expected)
{
	static const struct step steps[] = {
		{STATE_CAS, "l", "1", "0", -EAGAIN, ""},
		{STATE_CAS, "l", "1", NULL, 0, NULL},
		{STATE_CAS, "l", "2", NULL, -EAGAIN, "1"},
		{STATE_CAS, "l", "2", "3", -EAGAIN, "1"},
		{STATE_CAS, "l", "2", "1", 0, NULL},
		{STATE_GET, "l", NULL, NULL, 0, "2"},
	};
	struct fixture f;

	fixture_open(&f);
	RUN(&f, steps);
	fixture_close(&f);
}
END_TEST

START_TEST(keys_are_listed_and_cleared_by_prefix)
{
	static const struct step steps[] = {
		{STATE_KEYS, "", NULL, NULL, 0, "[]"},
		{STATE_SET, "b/2", "1", NULL, 0, NULL},
		{STATE_SET, "b/1", "1", NULL, 0, NULL},
		{STATE_SET, "b", "1", NULL, 0, NULL},
		{STATE_SET, "c\"", "1", NULL, 0, NULL},
		{STATE_SET, "b/\xf4\x8f\xbf\xbf", "1", NULL, 0, NULL}, /* the last character */
		{STATE_KEYS, "", NULL, NULL, 0,
			"[\"b\",\"b/1\",\"b/2\",\"b/\xf4\x8f\xbf\xbf\",\"c\\\"\"]"},
		{STATE_KEYS, "b/", NULL, NULL, 0, "[\"b/1\",\"b/2\",\"b/\xf4\x8f\xbf\xbf\"]"},
		{STATE_CLEAR, "b/", NULL, NULL, 0, NULL},
		{STATE_KEYS, "", NULL, NULL, 0, "[\"b\",\"c\\\"\"]"},
		{STATE_CLEAR, "", NULL, NULL, 0, NULL},
		{STATE_KEYS, "", NULL, NULL, 0, "[]"},
	};
	struct fixture f;

	fixture_open(&f);
	RUN(&f, steps);
	fixture_close(&f);
}
END_TEST

START_TEST(stacks_do_not_share_keys)
{
	static const struct step set = {STATE_SET, "k", "1", NULL, 0, NULL};
	static const struct step get = {STATE_GET, "k", NULL, NULL, 0, NULL};
	static const struct step clear = {STATE_CLEAR, "", NULL, NULL, 0, NULL};
	struct fixture f;

	fixture_open(&f);
	run_step(&f, "prod", &set);
	run_step(&f, "", &get);
	ck_assert_int_eq(f.code, -ENOENT);
	run_step(&f, "", &clear);
	run_step(&f, "prod", &get);
	ck_assert_int_eq(f.code, 0);
	fixture_close(&f);
}
END_TEST

static int
set_until(struct fixture *f, enum state_op op, int64_t expires_ns)
{
	struct state_request req = {.op = op, .stack = "", .key = "t", .value = "5"};

	req.expires_ns = expires_ns;
	f->waiting++;
	store_state(f->store, &req, fixture_text, f);
	fixture_wait(f);
	return f->code;
}

START_TEST(a_key_past_its_time_is_absent)
{
	static const struct step absent[] = {
		{STATE_GET, "t", NULL, NULL, -ENOENT, ""}, {STATE_KEYS, "", NULL, NULL, 0, "[]"},
		{STATE_DELETE, "t", NULL, NULL, -ENOENT, NULL},
		{STATE_CAS, "t", "6", NULL, 0, NULL},
		{STATE_GET, "t", NULL, NULL, 0, "6"}, /* set without a time */
	};
	static const struct step anew[] = {{STATE_INCR, "t", "1", NULL, 0, "1"}};
	int64_t hour = 3600 * NS_PER_S;
	struct fixture f;

	fixture_open(&f);
	ck_assert_int_eq(set_until(&f, STATE_SET, clock_real_ns() + hour), 0);
	ck_assert_int_eq(set_until(&f, STATE_GET, 0), 0);
	ck_assert_str_eq(f.text, "5");
	ck_assert_int_eq(set_until(&f, STATE_SET, clock_real_ns() - 1), 0);
	RUN(&f, absent);
	ck_assert_int_eq(set_until(&f, STATE_SET, clock_real_ns() - 1), 0);
	RUN(&f, anew);
	fixture_close(&f);
}
END_TEST

START_TEST(a_value_has_a_limit)
{
	char *big = mem_zalloc(STATE_VALUE_MAX + 2, 1);
	struct step set = {STATE_SET, "k", big, NULL, 0, NULL};
	struct fixture f;

	memset(big, '1', STATE_VALUE_MAX + 1);
	fixture_open(&f);
	run_step(&f, "", &set);
	ck_assert_int_eq(f.code, -EFBIG);
	big[STATE_VALUE_MAX] = '\0';
	run_step(&f, "", &set);
	ck_assert_int_eq(f.code, 0);
	free(big);
	fixture_close(&f);
}
END_TEST

/* Asked for without waiting in between: the order of calls is the order of effects. */
START_TEST(operations_are_done_in_order)
{
	struct state_request incr = {.op = STATE_INCR, .stack = "", .key = "n", .value = "1"};
	static const struct step get[] = {{STATE_GET, "n", NULL, NULL, 0, "1000"}};
	struct fixture f;

	fixture_open(&f);
	for (int i = 0; i < 1000; i++) {
		f.waiting++;
		store_state(f.store, &incr, fixture_text, &f);
	}
	RUN(&f, get);
	fixture_reopen(&f);
	RUN(&f, get);
	fixture_close(&f);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("store_state");
	TCase *tc = tcase_create("store_state");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, values_are_set_and_deleted);
	tcase_add_test(tc, numbers_keep_their_type);
	tcase_add_test(tc, cas_changes_only_what_is_as_expected);
	tcase_add_test(tc, keys_are_listed_and_cleared_by_prefix);
	tcase_add_test(tc, stacks_do_not_share_keys);
	tcase_add_test(tc, a_key_past_its_time_is_absent);
	tcase_add_test(tc, a_value_has_a_limit);
	tcase_add_test(tc, operations_are_done_in_order);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
