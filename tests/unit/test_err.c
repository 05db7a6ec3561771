/* base/err.c: codes, texts, context in front. */
#include "base/err.h"
#include "tests/unit/suite.h"

#include <string.h>

START_TEST(set_returns_the_negative_code)
{
	struct err err = {0};

	ck_assert_int_eq(err_set(&err, ENOENT, "hook '%s' is not registered", "x"), -ENOENT);
	ck_assert_int_eq(err.code, ENOENT);
	ck_assert_str_eq(err.msg, "hook 'x' is not registered");
	ck_assert_int_eq(err_set(NULL, EIO, "no text wanted"), -EIO);
}
END_TEST

START_TEST(wrap_keeps_the_code_and_puts_context_in_front)
{
	struct err err = {0};

	(void)err_set(&err, EACCES, "permission denied");
	ck_assert_int_eq(err_wrap(&err, EIO, "open '%s'", "/x"), -EACCES);
	ck_assert_str_eq(err.msg, "open '/x': permission denied");
	ck_assert_int_eq(err_wrap(NULL, EIO, "x"), -EIO);
}
END_TEST

START_TEST(long_texts_are_cut_not_overrun)
{
	struct err err = {0};
	char text[2 * ERR_MSG_MAX];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	(void)err_set(&err, EINVAL, "%s", text);
	ck_assert_uint_eq(strlen(err.msg), ERR_MSG_MAX - 1);
	(void)err_wrap(&err, EINVAL, "%s", text);
	ck_assert_uint_eq(strlen(err.msg), ERR_MSG_MAX - 1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("err");
	TCase *tc = tcase_create("err");

	tcase_add_test(tc, set_returns_the_negative_code);
	tcase_add_test(tc, wrap_keeps_the_code_and_puts_context_in_front);
	tcase_add_test(tc, long_texts_are_cut_not_overrun);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
