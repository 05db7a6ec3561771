/* fsd/store/records.c: ids carry time, seq and salt both ways; names of states. */
#include "base/mem.h"
#include "fsd/store/records.h"
#include "tests/unit/suite.h"

#include <string.h>

START_TEST(an_id_of_ours_carries_its_parts)
{
	static const struct {
		int64_t ms;
		uint64_t seq;
		uint32_t salt;
		const char *text;
	} cases[] = {
		{0, 0, 0, "00000000-0000-7000-8000-000000000000"},
		{0, 1, 0, "00000000-0000-7000-8000-000100000000"},
		{1, 0, 1, "00000000-0001-7000-8000-000000000001"},
		{1700000000123, 1000000, 0xdeadbeef, "018bcfe5-687b-7000-800f-4240deadbeef"},
		{(INT64_C(1) << 43) - 1, (UINT64_C(1) << 42) - 1, 0xffffffff,
			"07ffffff-ffff-7fff-bfff-ffffffffffff"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct event ev = {
			.created_ns = cases[i].ms * 1000000 + 999999,
			.seq = cases[i].seq,
			.salt = cases[i].salt,
		};
		char text[EVENT_ID_MAX + 1];
		uint64_t seq;
		uint32_t salt;
		int64_t ms;

		event_id_text(&ev, text);
		ck_assert_str_eq(text, cases[i].text);
		ck_assert(event_id_parse(text, &ms, &seq, &salt));
		ck_assert_int_eq(ms, cases[i].ms);
		ck_assert_uint_eq(seq, cases[i].seq);
		ck_assert_uint_eq(salt, cases[i].salt);
	}
}
END_TEST

START_TEST(ids_sort_by_time)
{
	struct event older = {.created_ns = 1700000000123000000, .seq = 9, .salt = 9};
	struct event newer = {.created_ns = 1700000000124000000, .seq = 1, .salt = 1};
	char a[EVENT_ID_MAX + 1], b[EVENT_ID_MAX + 1];

	event_id_text(&older, a);
	event_id_text(&newer, b);
	ck_assert_str_lt(a, b);
}
END_TEST

START_TEST(a_senders_id_is_shown_as_it_is)
{
	char id[] = "deploy-42.a_b";
	struct event ev = {.seq = 7, .sender_id = id};
	char text[EVENT_ID_MAX + 1];

	event_id_text(&ev, text);
	ck_assert_str_eq(text, id);
}
END_TEST

START_TEST(what_is_no_id_of_ours_is_refused)
{
	static const char *const bad[] = {
		"",
		"x",
		"018bcfe5-687b-7000-800f-4240deadbee",
		"018bcfe5-687b-7000-800f-4240deadbeef0",
		"018bcfe5-687b-4000-800f-4240deadbeef", /* version 4 */
		"018bcfe5-687b-7000-c00f-4240deadbeef", /* another variant */
		"018BCFE5-687B-7000-800F-4240DEADBEEF", /* we never write capitals */
		"018bcfe5-687b-7000-800f-4240deadbeeg",
		"018bcfe50687b-7000-800f-4240deadbeef",
		"018bcfe5-687b-7000-800f-4240dead\neef",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t seq;
		uint32_t salt;
		int64_t ms;

		ck_assert_msg(!event_id_parse(bad[i], &ms, &seq, &salt), "'%s' was taken", bad[i]);
	}
}
END_TEST

START_TEST(the_last_reference_frees)
{
	struct event *ev = NEW(struct event);

	ev->refs = 1;
	ev->type = mem_strdup("custom");
	ck_assert_ptr_eq(event_ref(ev), ev);
	event_unref(ev);
	ck_assert_str_eq(ev->type, "custom");
	event_unref(ev); /* the address sanitizer tells when this does not free */
	event_unref(NULL);
}
END_TEST

START_TEST(states_have_the_documented_names)
{
	ck_assert_str_eq(event_status_name(EVENT_PENDING), "pending");
	ck_assert_str_eq(event_status_name(EVENT_PROCESSING), "processing");
	ck_assert_str_eq(event_status_name(EVENT_COMPLETED), "completed");
	ck_assert_str_eq(event_status_name(EVENT_FAILED), "failed");
	ck_assert_str_eq(exec_status_name(EXEC_PENDING), "pending");
	ck_assert_str_eq(exec_status_name(EXEC_TIMEOUT), "timeout");
	ck_assert_str_eq(exec_status_name(EXEC_INTERRUPTED), "interrupted");
	ck_assert_str_eq(exec_status_name(EXEC_REMOVED), "removed");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("records");
	TCase *tc = tcase_create("records");

	tcase_add_test(tc, an_id_of_ours_carries_its_parts);
	tcase_add_test(tc, ids_sort_by_time);
	tcase_add_test(tc, a_senders_id_is_shown_as_it_is);
	tcase_add_test(tc, what_is_no_id_of_ours_is_refused);
	tcase_add_test(tc, the_last_reference_frees);
	tcase_add_test(tc, states_have_the_documented_names);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
