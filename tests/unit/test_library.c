/* fsd/root/library.c: each shelf shows its own files, by the names they have there. */
#include "tests/unit/suite.h"
#include "tests/unit/tree_fixture.h"

static struct fixture f;

static void
setup(void)
{
	fixture_start(&f, tree_rows, tree_row_count);
}

static void
teardown(void)
{
	fixture_stop(&f);
}

/* All names at once, and one after the other by their cookies. */
static void
list_both_ways(const char *path, struct listing *ret_whole)
{
	struct listing parts = {0};

	*ret_whole = (struct listing){0};
	ck_assert_int_ge(list_path(&f, path, 0, ret_whole), 0);
	do {
		parts.limit = parts.count + 1;
		ck_assert_int_ge(list_path(&f, path, parts.cookie, &parts), 0);
	} while (parts.count == parts.limit);
	ck_assert_str_eq(parts.names, ret_whole->names);
}

static bool
has_name(const struct listing *list, const char *name)
{
	size_t len = strlen(name);
	const char *at = list->names;

	while (*at) {
		size_t word = strcspn(at, " ");

		if (word == len && !strncmp(at, name, len))
			return true;
		at += word + (at[word] == ' ');
	}
	return false;
}

START_TEST(a_shelf_shows_its_own_files)
{
	static const struct {
		const char *dir, *has, *has_not;
	} cases[] = {
		{"/templates/hooks", "notify.lua", "README"},
		{"/modules", "event", "event.lua"},
		{"/modules/.luals", "event.lua", "event"},
		{"/modules", "hook", "notify"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct listing list;

		list_both_ways(cases[i].dir, &list);
		ck_assert_msg(has_name(&list, cases[i].has), "%s: %s", cases[i].dir, list.names);
		ck_assert(!has_name(&list, cases[i].has_not));
	}
}
END_TEST

START_TEST(a_file_is_found_by_its_name_on_the_shelf)
{
	static const char *const none[] = {"/templates/hooks/none.lua", "/templates/hooks/notify",
		"/modules/event.lua", "/modules/event.txt", "/modules/.luals/event",
		"/templates/hooks/README"};

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		ck_assert_msg(walk(&f, none[i]) == NULL, "%s is there", none[i]);
}
END_TEST

START_TEST(what_is_there_is_what_was_built_in)
{
	static const struct {
		const char *path, *begin;
	} cases[] = {
		{"/templates/hooks/notify.lua", "-- Append one line"},
		{"/modules/event", "event\n"},
		{"/modules/.luals/event.lua", "---@meta\n"},
		{"/.luarc.json", "{\n"},
	};
	char text[4096];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_int_gt(cat(&f, cases[i].path, text), 0);
		ck_assert_msg(!strncmp(text, cases[i].begin, strlen(cases[i].begin)), "%s: %s",
			cases[i].path, text);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("library");
	TCase *tc = tcase_create("library");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_shelf_shows_its_own_files);
	tcase_add_test(tc, a_file_is_found_by_its_name_on_the_shelf);
	tcase_add_test(tc, what_is_there_is_what_was_built_in);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
