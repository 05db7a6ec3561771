/* fsd/store/: what is acknowledged is there after a reopen, once, and what is final stays so. */
#include "tests/unit/store_fixture.h"
#include "tests/unit/suite.h"

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
	ck_assert_str_eq(ev->stack, "");
	ck_assert_int_eq(ev->status, EVENT_PENDING);
	event_unref(ev);
	fixture_close(&f);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("store");
	TCase *tc = tcase_create("store");

	tcase_add_test(tc, appended_events_are_there_after_reopen);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
