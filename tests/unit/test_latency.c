/* Durations in buckets: percentiles, sums, and the lines of a histogram. */
#include "base/auto.h"
#include "base/clock.h"
#include "fsd/hooks/latency.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <string.h>

START_TEST(a_percentile_is_right_within_a_fifth)
{
	struct latency l = {0};

	ck_assert_int_eq(latency_percentile(&l, 50), 0);
	for (int i = 1; i <= 1000; i++)
		latency_add(&l, i * NS_PER_MS);
	for (unsigned p = 10; p <= 90; p += 10) {
		ck_assert_int_ge(latency_percentile(&l, p), p * 10 * NS_PER_MS);
		ck_assert_int_le(latency_percentile(&l, p), p * 12 * NS_PER_MS);
	}
	ck_assert_int_eq(latency_percentile(&l, 100), 1000 * NS_PER_MS);
}
END_TEST

START_TEST(the_ends_of_the_range_are_kept)
{
	struct latency l = {0};

	latency_add(&l, -5); /* a clock that was set */
	latency_add(&l, 0);
	latency_add(&l, INT64_C(1) << 50);
	ck_assert_uint_eq(l.count, 3);
	ck_assert_uint_eq(l.buckets[0], 2);
	ck_assert_uint_eq(l.buckets[LATENCY_BUCKETS - 1], 1);
	ck_assert_int_eq(latency_percentile(&l, 100), INT64_C(1) << 50);
}
END_TEST

START_TEST(a_histogram_counts_exactly)
{
	AUTO(sbuf) struct sbuf out = {0};
	struct latency l = {0}, sum = {0};

	latency_add(&l, (1 << 20) - 1);
	latency_add(&l, 1 << 20); /* the bound belongs to the next */
	latency_add(&l, INT64_C(1) << 36);
	latency_merge(&sum, &l);
	latency_merge(&sum, &l);
	latency_add_metric(&sum, "m", "hook=\"a\"", &out);
	ck_assert_ptr_nonnull(strstr(out.data, "m_bucket{hook=\"a\",le=\"0.000131072\"} 0\n"));
	ck_assert_ptr_nonnull(strstr(out.data, "m_bucket{hook=\"a\",le=\"0.001048576\"} 2\n"));
	ck_assert_ptr_nonnull(strstr(out.data, "m_bucket{hook=\"a\",le=\"0.008388608\"} 4\n"));
	ck_assert_ptr_nonnull(strstr(out.data, "m_bucket{hook=\"a\",le=\"34.3597384\"} 4\n"));
	ck_assert_ptr_nonnull(strstr(out.data, "m_bucket{hook=\"a\",le=\"+Inf\"} 6\n"));
	ck_assert_ptr_nonnull(strstr(out.data, "m_count{hook=\"a\"} 6\n"));
	ck_assert_ptr_nonnull(strstr(out.data, "m_sum{hook=\"a\"} 137.4"));
	sbuf_reset(&out);
	latency_add_metric(&sum, "m", "", &out);
	ck_assert_ptr_nonnull(strstr(out.data, "m_bucket{le=\"+Inf\"} 6\nm_sum 137.4"));
	ck_assert_ptr_nonnull(strstr(out.data, "\nm_count 6\n"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("latency");
	TCase *tc = tcase_create("latency");

	tcase_add_test(tc, a_percentile_is_right_within_a_fifth);
	tcase_add_test(tc, the_ends_of_the_range_are_kept);
	tcase_add_test(tc, a_histogram_counts_exactly);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
