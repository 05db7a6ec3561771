/* Settings: which source wins, what is refused and where it is said to stand, and that an edit of
 * config.yaml leaves the user's text alone. */
#include "fsd/config.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "tests/unit/suite.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A command line; getopt does not write to the words. */
#define ARGS(...) ((char **)(const char *[]){"sloth-fsd", __VA_ARGS__, NULL})

static char dir[64], file[96];

static void
setup(void)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/test_config.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(file, sizeof(file), "%s/config.yaml", dir);
	ck_assert_int_eq(setenv("SLOTH_RUNNER_CONFIG_DIR", dir, 1), 0);
	ck_assert_int_eq(unsetenv("SLOTH_RUNNER_WORKERS"), 0);
	ck_assert_int_eq(unsetenv("SLOTH_RUNNER_LOG_LEVEL"), 0);
}

static void
teardown(void)
{
	(void)unlink(file);
	ck_assert_int_eq(rmdir(dir), 0); /* also: no temporary file was left */
}

static void
put(const char *text)
{
	FILE *f = fopen(file, "we");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static void
expect_file(const char *text)
{
	char got[1024];
	FILE *f = fopen(file, "re");
	size_t n;

	ck_assert_ptr_nonnull(f);
	n = fread(got, 1, sizeof(got) - 1, f);
	got[n] = '\0';
	(void)fclose(f);
	ck_assert_str_eq(got, text);
}

static int
load(char **argv, struct config **config, struct err *err)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	return config_load(argc, argv, config, err);
}

static struct config *
loaded(char **argv)
{
	struct config *config = NULL;
	struct err err = {0};

	ck_assert_msg(load(argv, &config, &err) == 0, "%s", err.msg);
	return config;
}

static void
refused(char **argv, const char *part)
{
	struct config *config = NULL;
	struct err err = {0};

	ck_assert_int_eq(load(argv, &config, &err), -EINVAL);
	ck_assert_msg(strstr(err.msg, part) != NULL, "'%s' does not say '%s'", err.msg, part);
}

START_TEST(test_defaults)
{
	struct config *config = loaded(ARGS("--foreground"));
	size_t count = 0;

	ck_assert_int_eq(config_int(config, "workers"), 100);
	ck_assert_int_eq(config_int(config, "hook_timeout"), 30 * NS_PER_S);
	ck_assert_int_eq(config_int(config, "hook_memory"), 64 << 20);
	ck_assert_int_eq(config_int(config, "log_level"), LOG_LEVEL_INFO);
	ck_assert_str_eq(config_str(config, "retention"), "90d");
	ck_assert_str_eq(config_str(config, "retention_count"), "0");
	ck_assert_str_eq(config_places(config)->config_file, file);
	ck_assert(config_places(config)->is_foreground);
	for (; config_name(count); count++)
		ck_assert(config_has(config_name(count)));
	ck_assert_uint_eq(count, 16);
	config_free(config);
}
END_TEST

START_TEST(test_the_stronger_source_wins)
{
	struct config *config;

	put("workers: 5\nlog_level: warn\nhook_timeout: 1m\nevents_window: 7\n");
	setenv("SLOTH_RUNNER_WORKERS", "6", 1);
	setenv("SLOTH_RUNNER_LOG_LEVEL", "error", 1);
	config = loaded(ARGS("--set", "workers=8", "--log-level", "debug"));
	ck_assert_int_eq(config_int(config, "workers"), 8);
	ck_assert_int_eq(config_int(config, "log_level"), LOG_LEVEL_DEBUG);
	config_free(config);
	config = loaded(ARGS("--foreground"));
	ck_assert_int_eq(config_int(config, "workers"), 6);
	ck_assert_int_eq(config_int(config, "log_level"), LOG_LEVEL_ERROR);
	ck_assert_int_eq(config_int(config, "hook_timeout"), 60 * NS_PER_S);
	ck_assert_int_eq(config_int(config, "events_window"), 7);
	config_free(config);
}
END_TEST

START_TEST(test_bad_values_say_where)
{
	char where[128];

	put("# a comment\nworkers: many\n");
	(void)snprintf(where, sizeof(where), "%s:2: workers: 'many'", file);
	refused(ARGS("--foreground"), where);
	put("workers: 0\n");
	refused(ARGS("--foreground"), "1 to 100000");
	put("workers: [1\nretention: 3d\n");
	(void)snprintf(where, sizeof(where), "%s:2: ", file);
	refused(ARGS("--foreground"), where);
	put("workers: {a: 1}\n");
	refused(ARGS("--foreground"), "config.yaml:1: expected");
	put("- workers\n");
	refused(ARGS("--foreground"), "config.yaml:1: expected");
	put("");
	setenv("SLOTH_RUNNER_WORKERS", "-3", 1);
	refused(ARGS("--foreground"), "environment SLOTH_RUNNER_WORKERS: workers: '-3'");
}
END_TEST

START_TEST(test_bad_options)
{
	refused(ARGS("--set", "workers"), "key=value");
	refused(ARGS("--set", "worker=1"), "no setting 'worker'");
	refused(ARGS("--set", "hook_timeout=30"), "'30' is not a duration");
	refused(ARGS("--log-level", "loud"), "'loud'");
	refused(ARGS("--mount"), "'--mount' needs a value");
	refused(ARGS("--mount", ""), "empty path");
	refused(ARGS("--frobnicate"), "unknown option '--frobnicate'");
	refused(ARGS("more"), "unexpected argument 'more'");
}
END_TEST

START_TEST(test_places_are_absolute)
{
	struct config *config = loaded(ARGS("--state", "rel/x//", "--mount", "/mnt/tree/"));
	char *cwd = getcwd(NULL, 0);
	char *expected = mem_printf("%s/rel/x", cwd);

	ck_assert_str_eq(config_places(config)->state_dir, expected);
	ck_assert_str_eq(config_places(config)->mount, "/mnt/tree");
	free(expected);
	free(cwd);
	config_free(config);
}
END_TEST

START_TEST(test_help_and_version_are_answers)
{
	struct config *config = loaded(ARGS("--help"));

	ck_assert_ptr_nonnull(strstr(config_places(config)->answer, "--foreground"));
	config_free(config);
	config = loaded(ARGS("--version"));
	ck_assert_ptr_nonnull(strstr(config_places(config)->answer, SLOTH_VERSION));
	config_free(config);
}
END_TEST

START_TEST(test_unknown_keys_are_warned_about)
{
	struct config *config;

	put("workers: 3\nworker: 4\nremote:\n  host: a\n");
	config = loaded(ARGS("--foreground"));
	ck_assert_int_eq(config_int(config, "workers"), 3);
	ck_assert_ptr_nonnull(strstr(config_warnings(config), ":2: there is no setting 'worker'"));
	ck_assert_ptr_nonnull(strstr(config_warnings(config), ":3: there is no setting 'remote'"));
	config_free(config);
}
END_TEST

static void
remember(void *arg, int64_t value)
{
	*(int64_t *)arg = value;
}

START_TEST(test_watchers_hear_changes)
{
	struct config *config = loaded(ARGS("--foreground"));
	int64_t seen = -1;

	config_watch(config, "hook_memory", remember, &seen);
	ck_assert_int_eq(seen, 64 << 20);
	ck_assert_int_eq(config_check("hook_memory", "128m", NULL), 0);
	config_apply(config, "hook_memory", "128m");
	ck_assert_int_eq(seen, 128 << 20);
	ck_assert_str_eq(config_str(config, "hook_memory"), "128M");
	ck_assert_int_eq(config_check("hook_memory", "1K", NULL), -EINVAL);
	config_free(config);
}
END_TEST

static void
edited(const char *before, const char *key, const char *value, const char *after)
{
	struct err err = {0};

	put(before);
	ck_assert_msg(config_file_edit(file, key, value, &err) == 0, "%s", err.msg);
	expect_file(after);
}

START_TEST(test_an_edit_leaves_the_rest_alone)
{
	edited("# mine\nworkers: 5   # few\nother: [a, b]\n", "workers", "7",
		"# mine\nworkers: 7   # few\nother: [a, b]\n");
	edited("note: \"\xc3\xa4\xe2\x82\xac\"\nworkers: '5'", "workers", "7",
		"note: \"\xc3\xa4\xe2\x82\xac\"\nworkers: 7");
	edited("\xef\xbb\xbfworkers: 5\n", "workers", "7", "\xef\xbb\xbfworkers: 7\n");
	edited("# only this", "workers", "7", "# only this\nworkers: 7\n");
	edited("{workers: 5, retention: 1d}\n", "workers", "7", "{workers: 7, retention: 1d}\n");
	edited("workers: >\n  5\nretention: 1d\n", "workers", "7", "workers: 7\nretention: 1d\n");
	edited("a:\n  workers: 1\nworkers: 5\n", "workers", "7", "a:\n  workers: 1\nworkers: 7\n");
}
END_TEST

START_TEST(test_an_edit_makes_the_file)
{
	ck_assert_int_eq(config_file_edit(file, "workers", "7", NULL), 0);
	expect_file("workers: 7\n");
}
END_TEST

START_TEST(test_an_edit_keeps_the_mode)
{
	struct stat st;

	put("workers: 1\n");
	ck_assert_int_eq(chmod(file, 0600), 0);
	ck_assert_int_eq(config_file_edit(file, "workers", "7", NULL), 0);
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
}
END_TEST

START_TEST(test_an_edit_that_cannot_work_is_refused)
{
	const char *text = "{retention: 1d}\n";
	struct err err = {0};

	put(text);
	ck_assert_int_eq(config_file_edit(file, "workers", "7", &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "workers: 7"));
	expect_file(text);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("config");
	TCase *tc = tcase_create("settings");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_defaults);
	tcase_add_test(tc, test_the_stronger_source_wins);
	tcase_add_test(tc, test_bad_values_say_where);
	tcase_add_test(tc, test_bad_options);
	tcase_add_test(tc, test_places_are_absolute);
	tcase_add_test(tc, test_help_and_version_are_answers);
	tcase_add_test(tc, test_unknown_keys_are_warned_about);
	tcase_add_test(tc, test_watchers_hear_changes);
	tcase_add_test(tc, test_an_edit_leaves_the_rest_alone);
	tcase_add_test(tc, test_an_edit_makes_the_file);
	tcase_add_test(tc, test_an_edit_keeps_the_mode);
	tcase_add_test(tc, test_an_edit_that_cannot_work_is_refused);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
