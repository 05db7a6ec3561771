/* lua/host/blocks.c: small blocks come back, large ones and too many go to malloc, contents move.
 */
#include "lua/host/blocks.h"
#include "tests/unit/suite.h"

#include <string.h>

START_TEST(a_block_that_was_freed_is_the_next_of_its_size)
{
	struct blocks blocks = {0};
	void *p = blocks_resize(&blocks, NULL, 0, 33), *q;

	blocks_free(&blocks, p, 33);
	q = blocks_resize(&blocks, NULL, 0, 49);
	ck_assert_ptr_ne(q, p);
	ck_assert_ptr_eq(blocks_resize(&blocks, NULL, 0, 48), p);
	blocks_free(&blocks, p, 48);
	blocks_free(&blocks, q, 49);
	blocks_free(&blocks, NULL, 0);
	blocks_fini(&blocks);
}
END_TEST

START_TEST(contents_move_with_every_size)
{
	static const size_t sizes[] = {1, 16, 17, 256, 257, 5000, 256, 40, 300, 8};
	struct blocks blocks = {0};
	char *p = NULL;
	size_t held = 0;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t kept = held < sizes[i] ? held : sizes[i];

		p = blocks_resize(&blocks, p, held, sizes[i]);
		for (size_t k = 0; k < kept; k++)
			ck_assert_int_eq(p[k], (char)(k % 101));
		for (size_t k = 0; k < sizes[i]; k++)
			p[k] = (char)(k % 101);
		held = sizes[i];
	}
	blocks_free(&blocks, p, held);
	blocks_fini(&blocks);
}
END_TEST

START_TEST(what_is_kept_is_bounded)
{
	static void *all[2 * BLOCKS_KEPT];
	struct blocks blocks = {0};

	for (size_t i = 0; i < 2 * BLOCKS_KEPT; i++)
		all[i] = blocks_resize(&blocks, NULL, 0, 64);
	for (size_t i = 0; i < 2 * BLOCKS_KEPT; i++)
		blocks_free(&blocks, all[i], 64);
	ck_assert_uint_eq(blocks.count[64 / BLOCKS_STEP - 1], BLOCKS_KEPT);
	blocks_fini(&blocks);
	ck_assert_uint_eq(blocks.count[64 / BLOCKS_STEP - 1], 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("lua_blocks");
	TCase *tc = tcase_create("lua_blocks");

	tcase_add_test(tc, a_block_that_was_freed_is_the_next_of_its_size);
	tcase_add_test(tc, contents_move_with_every_size);
	tcase_add_test(tc, what_is_kept_is_bounded);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
