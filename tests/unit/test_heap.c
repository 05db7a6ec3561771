/* base/heap.c */
#include "base/heap.h"
#include "tests/unit/suite.h"

#include <stdlib.h>

#define ITEMS 2000

struct item {
	struct heap_node node;
	int value;
};

static bool
is_less(const struct heap_node *a, const struct heap_node *b)
{
	return ((const struct item *)a)->value < ((const struct item *)b)->value;
}

START_TEST(items_come_in_order)
{
	struct heap heap = {.is_before = is_less};
	static struct item items[ITEMS];
	int last = -1;

	srandom(7);
	ck_assert_ptr_null(heap_top(&heap));
	for (size_t i = 0; i < ITEMS; i++) {
		items[i].value = (int)(random() % 1000);
		heap_insert(&heap, &items[i].node);
	}
	for (size_t i = 0; i < ITEMS; i++) {
		struct item *top = (struct item *)heap_top(&heap);

		ck_assert_int_ge(top->value, last);
		last = top->value;
		heap_remove(&heap, &top->node);
	}
	ck_assert_ptr_null(heap_top(&heap));
	ck_assert_uint_eq(heap.count, 0);
}
END_TEST

/* Against the plain way: take any out, put any in, look at the smallest. */
START_TEST(any_item_may_be_taken_out)
{
	struct heap heap = {.is_before = is_less};
	static struct item items[ITEMS];

	srandom(11);
	for (int step = 0; step < 20000; step++) {
		struct item *item = &items[(size_t)random() % 100];
		int least = 1000;

		if (item->node.is_in) {
			heap_remove(&heap, &item->node);
		} else {
			item->value = (int)(random() % 50);
			heap_insert(&heap, &item->node);
		}
		for (size_t i = 0; i < 100; i++)
			if (items[i].node.is_in && items[i].value < least)
				least = items[i].value;
		if (least == 1000)
			ck_assert_ptr_null(heap_top(&heap));
		else
			ck_assert_int_eq(((struct item *)heap_top(&heap))->value, least);
	}
	heap_remove(&heap, &items[ITEMS - 1].node); /* was never in */
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("heap");
	TCase *tc = tcase_create("heap");

	tcase_add_test(tc, items_come_in_order);
	tcase_add_test(tc, any_item_may_be_taken_out);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
