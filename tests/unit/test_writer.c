/* fsd/store/writer.c: what shares a commit, and what does not wait for one. */
#include "tests/unit/store_fixture.h"
#include "tests/unit/suite.h"

#include "base/clock.h"
#include "fsd/store/store_impl.h"

#include <time.h>

static uint64_t
commits(struct fixture *f)
{
	struct store_figures figures;

	store_figures(f->store, &figures);
	return figures.commits;
}

static void
pause_us(long us)
{
	struct timespec ts = {.tv_nsec = us * 1000};

	(void)nanosleep(&ts, NULL); /* no signal comes */
}

static void
finish_without_waiting(struct fixture *f, uint64_t seq)
{
	struct execution_list none = STAILQ_HEAD_INITIALIZER(none);
	struct event *ev = fixture_make(seq, "x", "{}");

	ev->status = EVENT_COMPLETED;
	ev->processed_ns = ev->created_ns;
	f->waiting++;
	store_finish(f->store, &none, &ev, 1, fixture_done, f);
	event_unref(ev);
}

/* As a client does that sends the next event when the last was acknowledged. */
START_TEST(results_share_the_commit_of_the_next_event)
{
	enum { ROUNDS = 200 };
	uint64_t before;
	struct fixture f;

	fixture_open(&f);
	f.store->writer.company_ns = 100 * NS_PER_S; /* however slow this machine is */
	fixture_append(&f, 1, "a.b", "{}");
	before = commits(&f);
	for (uint64_t seq = 2; seq < 2 + ROUNDS; seq++) {
		finish_without_waiting(&f, seq - 1);
		pause_us(100); /* the writer is idle: it would commit at once */
		fixture_append(&f, seq, "a.b", "{}");
	}
	/* two a round when nothing is shared; upkeep has its own */
	ck_assert_uint_lt(commits(&f) - before, ROUNDS * 3 / 2);
	fixture_close(&f);
}
END_TEST

START_TEST(results_without_company_are_recorded_at_once)
{
	int64_t begun_ns;
	struct fixture f;

	fixture_open(&f);
	fixture_append(&f, 1, "a.b", "{}");
	fixture_append(&f, 2, "a.b", "{}"); /* right after the first: another one is expected */
	begun_ns = clock_mono_ns();
	ck_assert_int_eq(fixture_finish(&f, 1, NULL, EVENT_COMPLETED), 0);
	ck_assert_int_lt(clock_mono_ns() - begun_ns, 50 * NS_PER_S);
	ck_assert_int_eq(fixture_finish(&f, 2, NULL, EVENT_COMPLETED), 0);
	fixture_reopen(&f);
	ck_assert_uint_eq(store_pending_count(f.store), 0);
	fixture_close(&f);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("writer");
	TCase *tc = tcase_create("writer");

	tcase_add_test(tc, results_share_the_commit_of_the_next_event);
	tcase_add_test(tc, results_without_company_are_recorded_at_once);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
