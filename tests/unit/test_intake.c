/* A conversation's bytes become the same events however they are cut; bad records stop it where
 * they stand; what was not committed can be sent again. */
#include "fsd/events/intake.h"

#include "base/mem.h"
#include "fsd/events/envelope.h"
#include "tests/unit/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT_ONCE 100 /* events */

static const struct envelope_from from = {.sender = "uid:7", .stack = "", .now_ns = 42};

struct talk {
	struct intake_state state;
	struct sbuf types; /* of the events, each with a blank behind */
	struct err err;
};

/* One write, committed.  Returns the bytes taken, or the error of the first record. */
static int
feed(struct talk *talk, const char *data, size_t len)
{
	struct intake_batch batch;
	int code;
	size_t i;

	intake_read(&talk->state, data, len, AT_ONCE, &from, &batch);
	for (i = 0; i < batch.count; i++)
		sbuf_printf(&talk->types, "%s ", batch.events[i]->type);
	code = batch.count == 0 && batch.code < 0 ? batch.code : (int)batch.taken;
	talk->err = batch.err;
	if (code < 0)
		intake_drop(&talk->state);
	else
		intake_apply(&talk->state, &batch);
	intake_batch_fini(&batch);
	return code;
}

static int
feed_text(struct talk *talk, const char *text)
{
	return feed(talk, text, strlen(text));
}

static int
finish(struct talk *talk)
{
	struct intake_batch batch;
	size_t i;

	intake_finish(&talk->state, &from, &batch);
	for (i = 0; i < batch.count; i++)
		sbuf_printf(&talk->types, "%s ", batch.events[i]->type);
	talk->err = batch.err;
	if (batch.code < 0)
		intake_drop(&talk->state);
	else
		intake_apply(&talk->state, &batch);
	intake_batch_fini(&batch);
	return batch.code;
}

static void
end(struct talk *talk)
{
	intake_drop(&talk->state);
	sbuf_fini(&talk->types);
}

START_TEST(test_every_cut_gives_the_same_events)
{
	static const char text[] = "{\"type\":\"a\"}\n{\n \"type\" : \"b\",\n \"data\": {\"x\": "
				   "\"}{\"}\n}\n\nc.d k=v\r\n{\"type\":\"e\"}{\"type\":\"f\"} \n";
	size_t step, at, len = sizeof(text) - 1;

	for (step = 1; step <= len; step++) {
		struct talk talk = {0};

		for (at = 0; at < len; at += step) {
			size_t n = len - at < step ? len - at : step;

			ck_assert_int_eq(feed(&talk, text + at, n), (int)n);
		}
		ck_assert_str_eq(sbuf_str(&talk.types), "a b c.d e f ");
		ck_assert_uint_eq(talk.state.partial.len, 0);
		end(&talk);
	}
}
END_TEST

START_TEST(test_reading_stops_at_so_many_events_and_goes_on)
{
	static const char text[] = "a.b\n\n{\"type\":\"c\"}{\"type\":\"d\"}\ne.f\n {\"ty";
	size_t at = 0, len = sizeof(text) - 1, readings = 0;
	struct talk talk = {0};

	while (at < len) {
		struct intake_batch batch;

		intake_read(&talk.state, text + at, len - at, 2, &from, &batch);
		ck_assert_uint_gt(batch.taken, 0);
		ck_assert_uint_le(batch.count, 2);
		for (size_t i = 0; i < batch.count; i++)
			sbuf_printf(&talk.types, "%s ", batch.events[i]->type);
		at += batch.taken;
		intake_apply(&talk.state, &batch);
		intake_batch_fini(&batch);
		readings++;
	}
	ck_assert_uint_eq(readings, 3);
	ck_assert_int_eq(feed_text(&talk, "pe\":\"g\"}"), 8);
	ck_assert_str_eq(sbuf_str(&talk.types), "a.b c d e.f g ");
	end(&talk);
}
END_TEST

START_TEST(test_bad_record_after_good_ones_is_a_short_write)
{
	static const char good[] = "{\"type\":\"a\"}\n{\"type\":\"b\"}";
	static const char rest[] = "\n{\"type\":}\n{\"type\":\"c\"}\n";
	char text[128];
	struct talk talk = {0};
	int taken;

	(void)snprintf(text, sizeof(text), "%s%s", good, rest);
	taken = feed_text(&talk, text);
	ck_assert_int_eq(taken, (int)strlen(good));
	ck_assert_str_eq(sbuf_str(&talk.types), "a b ");
	ck_assert_int_eq(feed_text(&talk, text + taken), -EINVAL);
	ck_assert_msg(strncmp(talk.err.msg, "line 3, column 9", 16) == 0, "%s", talk.err.msg);
	ck_assert_str_eq(sbuf_str(&talk.types), "a b ");
	ck_assert_int_gt(feed_text(&talk, "{\"type\":\"d\"}"), 0);
	ck_assert_str_eq(sbuf_str(&talk.types), "a b d ");
	end(&talk);
}
END_TEST

START_TEST(test_record_is_acknowledged_by_the_write_that_completes_it)
{
	struct talk talk = {0};

	ck_assert_int_eq(feed_text(&talk, "{\"type\":"), 8);
	ck_assert_str_eq(sbuf_str(&talk.types), "");
	ck_assert_int_eq(feed_text(&talk, "\"a\"}"), 4);
	ck_assert_str_eq(sbuf_str(&talk.types), "a ");
	ck_assert_int_eq(feed_text(&talk, "{\"type\":"), 8);
	ck_assert_int_eq(feed_text(&talk, "5}"), -EINVAL);
	ck_assert_uint_eq(talk.state.partial.len, 0);
	ck_assert_int_eq(feed_text(&talk, "b\n"), 2);
	ck_assert_str_eq(sbuf_str(&talk.types), "a b ");
	end(&talk);
}
END_TEST

START_TEST(test_undo_lets_the_same_bytes_come_again)
{
	static const char more[] = "\"a\"}{\"type\":\"b\"}{\"ty";
	struct intake_batch batch;
	struct talk talk = {0};

	ck_assert_int_eq(feed_text(&talk, "{\"type\":"), 8);
	intake_read(&talk.state, more, strlen(more), AT_ONCE, &from, &batch);
	ck_assert_uint_eq(batch.count, 2);
	ck_assert_uint_eq(batch.taken, strlen(more));
	intake_undo(&talk.state, &batch);
	intake_batch_fini(&batch);
	ck_assert_int_eq(feed_text(&talk, more), (int)strlen(more));
	ck_assert_str_eq(sbuf_str(&talk.types), "a b ");
	ck_assert_int_eq(feed_text(&talk, "pe\":\"c\"}"), 8);
	ck_assert_str_eq(sbuf_str(&talk.types), "a b c ");
	end(&talk);
}
END_TEST

START_TEST(test_end_of_conversation)
{
	struct talk talk = {0};

	ck_assert_int_eq(feed_text(&talk, "a.b k=v"), 7);
	ck_assert_int_eq(finish(&talk), 0);
	ck_assert_str_eq(sbuf_str(&talk.types), "a.b ");
	ck_assert_int_eq(feed_text(&talk, "\n{\"type\":\"c\""), 12);
	ck_assert_int_eq(finish(&talk), -EINVAL);
	ck_assert_ptr_nonnull(strstr(talk.err.msg, "line 2"));
	ck_assert_int_eq(feed_text(&talk, "d\n"), 2);
	ck_assert_str_eq(sbuf_str(&talk.types), "a.b d ");
	end(&talk);
}
END_TEST

START_TEST(test_junk_behind_an_object)
{
	struct talk talk = {0};

	ck_assert_int_eq(feed_text(&talk, "{\"type\":\"a\"} junk\n"), 12);
	ck_assert_int_eq(feed_text(&talk, " junk\n"), -EINVAL);
	ck_assert_int_eq(feed_text(&talk, "{\"type\":\"b\"} tail"), 17);
	ck_assert_int_eq(finish(&talk), -EINVAL);
	ck_assert_str_eq(sbuf_str(&talk.types), "a b ");
	end(&talk);
}
END_TEST

START_TEST(test_size_limit)
{
	size_t max = EVENT_TEXT_MAX, at, step = 100000;
	static const char head[] = "{\"type\":\"a\",\"data\":{\"x\":\"";
	char *text = mem_zalloc(1, max + 2);
	struct talk talk = {0};
	int code = 0;

	memset(text, 'y', max);
	memcpy(text, head, sizeof(head) - 1);
	memcpy(text + max - 3, "\"}}", 3);
	ck_assert_int_eq(feed(&talk, text, max), (int)max);
	ck_assert_str_eq(sbuf_str(&talk.types), "a ");
	memcpy(text + max - 3, "yyyy", 4);
	for (at = 0; at + step <= max; at += step)
		ck_assert_int_eq(feed(&talk, text + at, step), (int)step);
	code = feed(&talk, text + at, max + 1 - at);
	ck_assert_int_eq(code, -EFBIG);
	ck_assert_uint_eq(talk.state.partial.len, 0);
	ck_assert_str_eq(sbuf_str(&talk.types), "a ");
	free(text);
	end(&talk);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("intake");
	TCase *tc = tcase_create("intake");

	suite_add_tcase(suite, tc);
	tcase_add_test(tc, test_every_cut_gives_the_same_events);
	tcase_add_test(tc, test_reading_stops_at_so_many_events_and_goes_on);
	tcase_add_test(tc, test_bad_record_after_good_ones_is_a_short_write);
	tcase_add_test(tc, test_record_is_acknowledged_by_the_write_that_completes_it);
	tcase_add_test(tc, test_undo_lets_the_same_bytes_come_again);
	tcase_add_test(tc, test_end_of_conversation);
	tcase_add_test(tc, test_junk_behind_an_object);
	tcase_add_test(tc, test_size_limit);
	return suite_run(suite);
}
