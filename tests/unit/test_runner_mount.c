/* The commands' view of the tree, against a directory that looks like one. */
#include "tools/runner/mount.h"

#include "base/auto.h"
#include "base/mem.h"
#include "tests/unit/suite.h"
#include "tools/runner/commands.h"
#include "tools/runner/executions.h"
#include "tools/runner/hook.h"
#include "tools/runner/ids.h"
#include "tools/runner/master.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define ID_A "01926f3e-8a00-7000-8000-00019f3c2b1a"
#define ID_B "01926f3e-8a01-7000-8000-0002aabbccdd"

static char root[] = "/tmp/runner-mount-XXXXXX";
static struct mount mnt;

static void
put(const char *path, const char *text)
{
	AUTO(free) char *full = mem_printf("%s/%s", root, path);
	FILE *file;

	for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		ck_assert(!mkdir(full, 0700) || errno == EEXIST);
		*slash = '/';
	}
	file = fopen(full, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void
setup(void)
{
	(void)snprintf(root, sizeof(root), "/tmp/runner-mount-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	mnt = (struct mount){.root = root};
	unsetenv("SLOTH_RUNNER_MASTER_ADDR");
	unsetenv("SLOTH_RUNNER_MOUNT");
	setenv("SLOTH_RUNNER_CACHE_DIR", root, 1);
	put("status", "well\n");
	put("stacks/prod/ctl/hooks.jsonl",
		"{\"id\":3,\"name\":\"alert\",\"stack\":\"prod\",\"event_types\":[\"task.*\"]}\n"
		"{\"id\":4,\"name\":\"only\",\"stack\":\"prod\",\"event_types\":[]}\n");
	put("stacks/test/ctl/hooks.jsonl", "{\"id\":5,\"name\":\"both\",\"stack\":\"test\"}\n");
	put("stacks/other/ctl/hooks.jsonl", "{\"id\":6,\"name\":\"both\",\"stack\":\"other\"}\n");
	put("ctl/hooks.jsonl",
		"{\"id\":1,\"name\":\"alert\",\"alias\":null,\"stack\":\"\",\"runs\":7,"
		"\"failures\":2,\"event_types\":[\"task.failed\",\"deploy.*\"],"
		"\"status\":\"broken: hooks/alert.lua:3: no\",\"last_run\":null}\n"
		"{\"id\":2,\"name\":\"scale\",\"alias\":\"auto scaling\",\"stack\":\"walled\","
		"\"status\":\"ok (overridden: event)\"}\n");
	put("events/" ID_A "/event.json",
		"{\"id\":\"" ID_A "\",\"type\":\"task.failed\",\"status\":\"failed\",\"hooks\":["
		"{\"hook\":\"alert\",\"status\":\"failed\",\"duration_ms\":1.5,\"error\":\"no\"}]}"
		"\n");
	put("events/" ID_A "/hooks/alert/output", "all of it\n");
	put("events/" ID_B "/event.json", "{\"id\":\"" ID_B "\"}\n");
	put("events/by-status/failed/x", "");
	put("events/log.d/1.jsonl", "");
	put("events/emit", "");
}

static void
teardown(void)
{
	ck_assert_int_eq(nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* Parse "sloth-runner <flag> <value> version"; args borrow value. */
static void
parse(struct args *args, const char *flag, char *value)
{
	static char program[] = "sloth-runner", word[] = "version", name[32];
	char *argv[] = {program, name, value, word, NULL};

	(void)snprintf(name, sizeof(name), "%s", flag);
	ck_assert_int_eq(args_parse(&cmd_root, 4, argv, args, NULL), 0);
}

START_TEST(test_find_by_option)
{
	AUTO(args) struct args args = {0};
	AUTO(mount) struct mount mount = {0};

	setenv("SLOTH_RUNNER_MOUNT", "/nowhere", 1);
	setenv("SLOTH_RUNNER_MASTER_ADDR", "elsewhere:50053", 1);
	parse(&args, "--mount", root);
	ck_assert_int_eq(mount_find(&args, &mount, NULL), 0);
	ck_assert_str_eq(mount.root, root);
}
END_TEST

START_TEST(test_find_by_record)
{
	AUTO(free) char *record = mem_printf("{\"pid\":4242,\"mount\":\"%s\"}\n", root);
	AUTO(args) struct args args = {0};
	AUTO(mount) struct mount mount = {0};
	AUTO(master) struct master master = {0};

	put("master.json", record);
	setenv("SLOTH_RUNNER_MASTER_ADDR", "localhost:50053", 1);
	parse(&args, "--state", root);
	ck_assert_int_eq(mount_find(&args, &mount, NULL), 0);
	ck_assert_str_eq(mount.root, root);
	ck_assert_int_eq(master_read(&args, &master, NULL), 0);
	ck_assert_int_eq(master.pid, 4242);
}
END_TEST

/* The recorded pid lives, but it is this test and no master. */
START_TEST(test_foreign_process)
{
	AUTO(free) char *record = mem_printf("{\"pid\":%d}\n", (int)getpid());
	AUTO(args) struct args args = {0};
	AUTO(master) struct master master = {0};

	put("master.json", record);
	parse(&args, "--state", root);
	ck_assert_int_eq(master_read(&args, &master, NULL), 0);
	ck_assert_int_eq(master_open_process(&master), -ESRCH);
}
END_TEST

START_TEST(test_find_nothing)
{
	AUTO(args) struct args args = {0};
	struct mount mount;
	struct err err = {0};

	parse(&args, "--log-level", (char[]){"debug"});
	setenv("SLOTH_RUNNER_MOUNT", "/nowhere/at all", 1);
	ck_assert_int_eq(mount_find(&args, &mount, &err), -EHOSTDOWN);
	ck_assert_ptr_nonnull(strstr(err.msg, "'/nowhere/at all'"));
	ck_assert_ptr_nonnull(strstr(err.msg, "sloth-runner master start"));
	setenv("SLOTH_RUNNER_MOUNT", root, 1);
	setenv("SLOTH_RUNNER_MASTER_ADDR", "elsewhere:50053", 1);
	ck_assert_int_eq(mount_find(&args, &mount, &err), -EHOSTDOWN);
	ck_assert_ptr_nonnull(strstr(err.msg, "elsewhere:50053"));
}
END_TEST

START_TEST(test_paths)
{
	const struct mount m = {.root = (char[]){"/m"}};
	AUTO(free) char *at_root = mount_path(&m, PLACE_HOOK_STATUS, "", "a");
	AUTO(free) char *in_stack = mount_path(&m, PLACE_HOOK_STATUS, "s", "a");
	AUTO(free) char *event = mount_path(&m, PLACE_EVENT_JSON, "s", "x");

	ck_assert_str_eq(at_root, "/m/ctl/hooks/a/status");
	ck_assert_str_eq(in_stack, "/m/stacks/s/ctl/hooks/a/status");
	ck_assert_str_eq(event, "/m/events/x/event.json");
	ck_assert_int_eq(mount_check_name("x", "good-1.name", NULL), 0);
	ck_assert_int_eq(mount_check_name("x", "a/b", NULL), -EINVAL);
	ck_assert_int_eq(mount_check_name("x", "..", NULL), -EINVAL);
	ck_assert_int_eq(mount_check_name("x", "", NULL), -EINVAL);
	ck_assert_int_eq(mount_check_name("x", "a\nb", NULL), -EINVAL);
}
END_TEST

START_TEST(test_install)
{
	AUTO(free) char *path = mem_printf("%s/new.lua", root);
	AUTO(free) char *missing = mem_printf("%s/none/new.lua", root);
	AUTO(sbuf) struct sbuf content = {0}, back = {0};
	AUTO(names) struct names names = {0};
	struct err err = {0};

	sbuf_adds(&content, "return 1\n");
	ck_assert_int_eq(mount_install(&mnt, path, &content, &err), 0);
	ck_assert_int_eq(mount_read_value(&mnt, path, &back, &err), 0);
	ck_assert_str_eq(sbuf_str(&back), "return 1");
	ck_assert_int_eq(mount_install(&mnt, missing, &content, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.msg, "none/"));
	ck_assert_int_eq(mount_list(&mnt, root, DT_REG, &names, &err), 0);
	ck_assert_uint_eq(names.count, 2); /* status, new.lua: nothing temporary */
}
END_TEST

START_TEST(test_events)
{
	AUTO(names) struct names events = {0};
	AUTO(free) char *id = NULL;
	AUTO(free) char *same = NULL;
	AUTO(json) json_t *event = NULL;
	struct err err = {0};

	ck_assert_int_eq(mount_events(&mnt, &events, &err), 0);
	ck_assert_uint_eq(events.count, 2);
	ck_assert_int_eq(ids_find_event(&mnt, "3c2b1a", &id, &err), 0);
	ck_assert_str_eq(id, ID_A);
	ck_assert_int_eq(ids_find_event(&mnt, ID_B, &same, &err), 0);
	ck_assert_str_eq(same, ID_B);
	ck_assert_int_eq(ids_find_event(&mnt, "by-status", &same, &err), -ENOENT);
	ck_assert_int_eq(ids_find_event(&mnt, "../x", &same, &err), -EINVAL);
	ck_assert_int_eq(event_read(&mnt, id, &event, &err), 0);
	ck_assert_ptr_null(json_object_get(event, "hooks"));
	ck_assert_str_eq(json_text(json_array_get(json_object_get(event, "hook_executions"), 0),
				 "hook_name"),
		"alert");
}
END_TEST

START_TEST(test_hook_names)
{
	static const struct {
		const char *text, *label;
		int result;
	} cases[] = {
		{"alert", "alert", 0},
		{"alert@prod", "alert@prod", 0},
		{"auto scaling", "scale", 0},
		{"only", "only@prod", 0},
		{"both@test", "both@test", 0},
		{"both", NULL, -EEXIST},
		{"nobody", NULL, -ENOENT},
		{"alert@nowhere", NULL, -ENOENT},
		{"ale", NULL, -ENOENT},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(json) json_t *hook = NULL;
		struct err err = {0};

		ck_assert_int_eq(hook_read(&mnt, cases[i].text, &hook, &err), cases[i].result);
		if (hook)
			ck_assert_str_eq(json_text(hook, "label"), cases[i].label);
	}
}
END_TEST

START_TEST(test_hook_facts)
{
	AUTO(json) json_t *alert = NULL;
	AUTO(json) json_t *scale = NULL;
	AUTO(free) char *path = NULL;

	ck_assert_int_eq(hook_read(&mnt, "alert", &alert, NULL), 0);
	ck_assert_str_eq(json_text(alert, "event_type"), "task.failed, deploy.*");
	ck_assert_int_eq(json_integer_value(json_object_get(alert, "run_count")), 7);
	ck_assert_int_eq(json_integer_value(json_object_get(alert, "failure_count")), 2);
	ck_assert_ptr_null(json_object_get(alert, "last_run"));
	ck_assert_str_eq(hook_state(alert), "broken");
	/* behind the wall of a stack, but a file of the root */
	ck_assert_int_eq(hook_read(&mnt, "scale", &scale, NULL), 0);
	ck_assert_str_eq(json_text(scale, "stack"), "walled");
	ck_assert_str_eq(hook_state(scale), "enabled");
	path = hook_place(&mnt, PLACE_HOOK_LOG, scale);
	ck_assert_str_eq(path + strlen(root), "/ctl/hooks/scale/log");
}
END_TEST

START_TEST(test_executions)
{
	AUTO(json) json_t *hook = NULL;
	AUTO(json) json_t *all = NULL;
	AUTO(json) json_t *failed = NULL;
	struct execution_counts counts;
	struct err err = {0};

	put("ctl/hooks/alert/log", "{\"time\":\"1\",\"event\":\"x\",\"status\":\"success\"}\n"
				   "{\"time\":\"2\",\"event\":\"" ID_A "\",\"status\":\"failed\","
				   "\"duration_ms\":1500.5,\"output\":\"all\"}\n"
				   "{\"time\":\"3\",\"event\":\"gone\",\"status\":\"filtered\","
				   "\"output\":\"short\"}\n"
				   "{\"time\":\"4\",\"event\":\"x\",\"status\":\"timeout\"}\n");
	ck_assert_int_eq(hook_read(&mnt, "alert", &hook, &err), 0);
	ck_assert_int_eq(executions_read(&mnt, hook, 3, false, &all, &counts, &err), 0);
	ck_assert_uint_eq(json_array_size(all), 3);
	ck_assert_str_eq(json_text(json_array_get(all, 0), "timestamp"), "4");
	ck_assert_str_eq(json_text(json_array_get(all, 2), "timestamp"), "2");
	ck_assert_str_eq(json_text(json_array_get(all, 2), "duration"), "1.5005s");
	ck_assert_uint_eq(counts.success, 0);
	ck_assert_uint_eq(counts.failed, 2);
	ck_assert_uint_eq(counts.left_out, 1);

	ck_assert_int_eq(executions_complete(&mnt, all, &err), 0);
	ck_assert_str_eq(json_text(json_array_get(all, 2), "output"), "all of it");
	ck_assert_str_eq(json_text(json_array_get(all, 1), "output"), "short");

	ck_assert_int_eq(executions_read(&mnt, hook, 1, true, &failed, &counts, &err), 0);
	ck_assert_str_eq(json_text(json_array_get(failed, 0), "timestamp"), "4");
	ck_assert_uint_eq(counts.shown, 1);
	ck_assert_uint_eq(counts.left_out, 1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("runner mount");
	TCase *tc = tcase_create("mount");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_find_by_option);
	tcase_add_test(tc, test_find_by_record);
	tcase_add_test(tc, test_foreign_process);
	tcase_add_test(tc, test_find_nothing);
	tcase_add_test(tc, test_paths);
	tcase_add_test(tc, test_install);
	tcase_add_test(tc, test_events);
	tcase_add_test(tc, test_hook_names);
	tcase_add_test(tc, test_hook_facts);
	tcase_add_test(tc, test_executions);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
