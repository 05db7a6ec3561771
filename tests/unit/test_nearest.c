/* Which name is near to a word, and which is not. */
#include "base/nearest.h"

#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *const names[] = {"once_within", "once_after", "rate", "rate_drop", "match"};

static const struct {
	const char *word, *name; /* NULL: none */
} cases[] = {
	{"rate", "rate"},
	{"once_witin", "once_within"},
	{"once_wihtin", "once_within"}, /* a swap is one edit */
	{"oncewitihn", "once_within"},
	{"on_cewitihn", NULL},
	{"rat", "rate"},
	{"rates1", "rate"},
	{"rates12", NULL},
	{"rate_drp", "rate_drop"},
	{"mtach", "match"},
	{"r", NULL},
	{"", NULL},
	{"throttle", NULL},
	{"a name that is much longer than any name of a command could ever be here", NULL},
};

START_TEST(test_the_nearest)
{
	struct nearest n = {.word = cases[_i].word};

	for (size_t i = 0; i < COUNT(names); i++)
		nearest_offer(&n, names[i]);
	ck_assert_pstr_eq(n.name, cases[_i].name);
}
END_TEST

START_TEST(test_the_first_of_equals)
{
	struct nearest n = {.word = "a"};

	nearest_offer(&n, "ab");
	nearest_offer(&n, "ac");
	ck_assert_str_eq(n.name, "ab");
	nearest_offer(&n, "xy"); /* has nothing of it */
	ck_assert_str_eq(n.name, "ab");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("nearest");
	TCase *tc = tcase_create("nearest");

	tcase_add_loop_test(tc, test_the_nearest, 0, COUNT(cases));
	tcase_add_test(tc, test_the_first_of_equals);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
