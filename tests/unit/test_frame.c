/* base/frame.c: what is written is read back; what a broken peer sends costs an error. */
#include "base/frame.h"
#include "tests/unit/suite.h"

#include <string.h>

static void
write_sample(struct sbuf *b)
{
	size_t mark = frame_begin(b, 7, 0x01020304);

	frame_u32(b, 42);
	frame_u64(b, 1ull << 60);
	frame_str(b, "a\0b", 3);
	frame_strz(b, NULL);
	frame_end(b, mark);
}

START_TEST(fields_come_back)
{
	struct sbuf b = {0};
	struct frame f;
	size_t len;
	const char *s;

	write_sample(&b);
	ck_assert_int_eq(frame_parse(b.data, b.len, &f, NULL), (int64_t)b.len);
	ck_assert_uint_eq(f.type, 7);
	ck_assert_uint_eq(f.id, 0x01020304);
	ck_assert_uint_eq(frame_get_u32(&f), 42);
	ck_assert_uint_eq(frame_get_u64(&f), 1ull << 60);
	s = frame_get_str(&f, &len);
	ck_assert_uint_eq(len, 3);
	ck_assert_mem_eq(s, "a\0b", 3);
	ck_assert_ptr_null(frame_dup_str(&f));
	ck_assert(!f.is_bad);
	ck_assert_uint_eq(frame_get_u32(&f), 0);
	ck_assert(f.is_bad);
	sbuf_fini(&b);
}
END_TEST

START_TEST(every_cut_asks_for_more)
{
	struct sbuf b = {0};
	struct frame f;

	write_sample(&b);
	for (size_t n = 0; n < b.len; n++)
		ck_assert_int_eq(frame_parse(b.data, n, &f, NULL), 0);
	sbuf_fini(&b);
}
END_TEST

START_TEST(nonsense_is_refused)
{
	struct err err = {0};
	struct frame f;
	struct sbuf b = {0};

	ck_assert_int_eq(frame_parse("\xff\xff\xff\xff", 4, &f, &err), -EPROTO);
	ck_assert_int_eq(frame_parse("\x01\0\0\0", 4, &f, &err), -EPROTO);
	write_sample(&b);
	b.data[5] = 99;
	ck_assert_int_eq(frame_parse(b.data, b.len, &f, &err), -EPROTO);
	ck_assert_ptr_nonnull(strstr(err.msg, "version 99"));
	sbuf_fini(&b);
}
END_TEST

START_TEST(a_length_past_the_end_is_bad)
{
	struct sbuf b = {0};
	struct frame f;
	size_t len, mark = frame_begin(&b, 1, 0);

	frame_u32(&b, 1000); /* a string length without its bytes */
	frame_end(&b, mark);
	ck_assert_int_gt(frame_parse(b.data, b.len, &f, NULL), 0);
	ck_assert_str_eq(frame_get_str(&f, &len), "");
	ck_assert_uint_eq(len, 0);
	ck_assert(f.is_bad);
	sbuf_fini(&b);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("frame");
	TCase *tc = tcase_create("frame");

	tcase_add_test(tc, fields_come_back);
	tcase_add_test(tc, every_cut_asks_for_more);
	tcase_add_test(tc, nonsense_is_refused);
	tcase_add_test(tc, a_length_past_the_end_is_bad);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
