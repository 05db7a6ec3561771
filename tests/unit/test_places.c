/* Default places: options before variables before defaults, always absolute. */
#include "base/places.h"

#include "base/auto.h"
#include "tests/unit/suite.h"

#include <stdbool.h>
#include <unistd.h>

static void
check_takes(char *path, const char *expected)
{
	ck_assert_str_eq(path, expected);
	free(path);
}

START_TEST(test_options_win)
{
	setenv("SLOTH_RUNNER_CACHE_DIR", "/env/state", 1);
	setenv("SLOTH_RUNNER_CONFIG_DIR", "/env/etc", 1);
	setenv("SLOTH_RUNNER_MOUNT", "/env/mnt", 1);
	check_takes(places_state_dir("/o"), "/o");
	check_takes(places_state_dir(NULL), "/env/state");
	check_takes(places_config_file("/o/c.yaml"), "/o/c.yaml");
	check_takes(places_config_file(NULL), "/env/etc/config.yaml");
	check_takes(places_mount("/o"), "/o");
	check_takes(places_mount(NULL), "/env/mnt");
}
END_TEST

START_TEST(test_relative_becomes_absolute)
{
	ck_assert_int_eq(chdir("/usr"), 0);
	check_takes(places_state_dir("state"), "/usr/state");
	setenv("SLOTH_RUNNER_MOUNT", "mnt", 1);
	check_takes(places_mount(NULL), "/usr/mnt");
}
END_TEST

START_TEST(test_defaults)
{
	bool is_root = geteuid() == 0;

	setenv("SLOTH_RUNNER_CACHE_DIR", "", 1);
	unsetenv("SLOTH_RUNNER_MOUNT");
	unsetenv("SLOTH_RUNNER_CONFIG_DIR");
	setenv("HOME", "/home/x", 1);
	check_takes(places_state_dir(NULL),
		is_root ? "/var/lib/sloth-runner" : "/home/x/.sloth-runner");
	check_takes(places_mount(NULL), is_root ? "/run/sloth" : "/home/x/sloth");
	check_takes(places_config_file(NULL),
		is_root ? "/etc/sloth-runner/config.yaml" : "/home/x/.sloth-runner/config.yaml");
}
END_TEST

START_TEST(test_home)
{
	AUTO(free) char *home = NULL;

	setenv("HOME", "/home/x", 1);
	check_takes(places_home(), "/home/x");
	setenv("HOME", "not absolute", 1);
	home = places_home();
	ck_assert_int_eq(home[0], '/');
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("places");
	TCase *tc = tcase_create("places");

	tcase_add_test(tc, test_options_win);
	tcase_add_test(tc, test_relative_becomes_absolute);
	tcase_add_test(tc, test_defaults);
	tcase_add_test(tc, test_home);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
