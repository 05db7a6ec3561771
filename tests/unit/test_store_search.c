/* Searching the store: slice by slice, whatever is wanted. */
#include "base/auto.h"
#include "tests/unit/store_fixture.h"
#include "tests/unit/suite.h"

static bool
is_odd(void *arg, const struct event *ev, const struct execution *ex)
{
	(void)arg;
	ck_assert_ptr_null(ex);
	ck_assert_ptr_nonnull(ev->data);
	return ev->seq % 2 == 1;
}

/* What one slice gives, and where it ends: "5 3 to 3". */
static void
assert_found(struct fixture *f, const struct event_search *search, const char *expected)
{
	AUTO(sbuf) struct sbuf text = {0};
	const struct event *ev;

	fixture_forget(f);
	fixture_search(f, search);
	STAILQ_FOREACH (ev, &f->events, link)
		sbuf_printf(&text, "%llu ", (unsigned long long)ev->seq);
	sbuf_printf(&text, "to %llu", (unsigned long long)f->first_seq);
	ck_assert_str_eq(sbuf_str(&text), expected);
}

START_TEST(a_search_goes_slice_by_slice)
{
	struct event_search search = {
		.keeps = is_odd, .query = {.descending = true, .status = -1, .limit = 2}};
	struct fixture f;

	fixture_open(&f);
	for (uint64_t seq = 1; seq <= 6; seq++)
		fixture_append(&f, seq, seq > 2 ? "task.a" : "task.b", "{}");
	assert_found(&f, &search, "5 3 to 3");
	search.query.before_seq = 3;
	assert_found(&f, &search, "1 to 0");
	search.query.before_seq = 0;
	search.query.limit = 9;
	search.query.type = "task.a";
	assert_found(&f, &search, "5 3 to 0");
	search.query.type = "nobody.*";
	assert_found(&f, &search, "to 0");
	search.query.type = "task.*";
	search.query.descending = false;
	search.query.after_seq = 1;
	search.query.before_seq = 5;
	assert_found(&f, &search, "3 to 0");
	fixture_close(&f);
}
END_TEST

static bool
is_none(void *arg, const struct event *ev, const struct execution *ex)
{
	unsigned *looked = arg;

	(void)ev, (void)ex;
	++*looked;
	return false;
}

/* However little is wanted, an answer comes after a bounded number of rows. */
START_TEST(a_search_in_vain_comes_up_for_air)
{
	unsigned looked = 0, slices = 0;
	struct event_search search = {.keeps = is_none,
		.keeps_arg = &looked,
		.query = {.descending = true, .status = -1, .limit = 2}};
	struct fixture f;

	fixture_open(&f);
	for (uint64_t seq = 1; seq <= 5000; seq++) {
		f.waiting++;
		struct event *ev = fixture_make(seq, "custom", "{}");

		store_append(f.store, &ev, 1, NULL, fixture_done, &f);
		event_unref(ev);
	}
	fixture_wait(&f);
	do {
		unsigned before = looked;

		fixture_search(&f, &search);
		ck_assert_uint_le(looked - before, 2500);
		search.query.before_seq = f.first_seq;
		slices++;
	} while (f.first_seq);
	ck_assert_uint_eq(looked, 5000);
	ck_assert_uint_ge(slices, 3);
	fixture_close(&f);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("store_search");
	TCase *tc = tcase_create("store_search");

	tcase_add_test(tc, a_search_goes_slice_by_slice);
	tcase_add_test(tc, a_search_in_vain_comes_up_for_air);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
