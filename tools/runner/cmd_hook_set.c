/* `hook enable`, `hook disable`, `hook remove`: one file each is all they touch. */
#include "tools/runner/commands.h"

#include "base/auto.h"
#include "base/mem.h"
#include "tools/runner/hook.h"
#include "tools/runner/print.h"

#include <stdio.h>
#include <string.h>

static int
set_enabled(const struct args *args, bool is_enabled, struct err *err)
{
	AUTO(mount) struct mount mount = {0};
	AUTO(json) json_t *hook = NULL;
	AUTO(free) char *path = NULL;
	AUTO(sbuf) struct sbuf now = {0};
	const char *word = is_enabled ? "enabled" : "disabled";
	int result = mount_find(args, &mount, err);

	if (!result)
		result = hook_read(&mount, args_word(args, 0), &hook, err);
	if (!result)
		result = hook_value(&mount, PLACE_HOOK_ENABLED, hook, &now, err);
	if (result)
		return result;
	if (!strcmp(sbuf_str(&now), is_enabled ? "1" : "0")) {
		(void)printf("hook '%s' is already %s\n", json_text(hook, "label"), word);
		return EXIT_OK;
	}
	path = hook_place(&mount, PLACE_HOOK_ENABLED, hook);
	result = mount_write(&mount, path, is_enabled ? "1\n" : "0\n", 2, err);
	if (!result)
		(void)printf("hook '%s' %s\n", json_text(hook, "label"), word);
	return result;
}

static int
enable_run(const struct args *args, struct err *err)
{
	return set_enabled(args, true, err);
}

static int
disable_run(const struct args *args, struct err *err)
{
	return set_enabled(args, false, err);
}

const struct cmd cmd_hook_enable = {
	.name = "enable",
	.words = "NAME",
	.words_min = 1,
	.words_max = 1,
	.summary = "Let a hook run again",
	.run = enable_run,
};

const struct cmd cmd_hook_disable = {
	.name = "disable",
	.words = "NAME",
	.words_min = 1,
	.words_max = 1,
	.summary = "Keep a hook, but do not run it",
	.run = disable_run,
};

/* ---- remove --------------------------------------------------------------------------------- */

static int
confirm(const json_t *hook, struct err *err)
{
	AUTO(free) char *question =
		mem_printf("Remove hook '%s' (event %s, file %s)?", json_text(hook, "label"),
			json_text(hook, "event_type"), json_text(hook, "file_path"));

	return print_confirm(question, err);
}

static int
remove_run(const struct args *args, struct err *err)
{
	AUTO(mount) struct mount mount = {0};
	AUTO(json) json_t *hook = NULL;
	int result = mount_find(args, &mount, err);

	if (!result)
		result = hook_read(&mount, args_word(args, 0), &hook, err);
	if (result)
		return result;
	result = args_bool(args, "force") || args_bool(args, "yes") ? 1 : confirm(hook, err);
	if (result < 0)
		return result;
	if (!result) {
		(void)printf("cancelled\n");
		return EXIT_OK;
	}
	result = mount_unlink(&mount, json_text(hook, "file_path"), err);
	if (!result)
		(void)printf("hook '%s' removed\n", json_text(hook, "label"));
	return result;
}

static const struct flag remove_flags[] = {
	{.name = "force", .letter = 'f', .kind = FLAG_BOOL, .help = "do not ask"},
	{.name = "yes", .letter = 'y', .kind = FLAG_BOOL, .help = "the same"},
	{0},
};

const struct cmd cmd_hook_remove = {
	.name = "remove",
	.also = "delete,rm",
	.words = "NAME",
	.words_min = 1,
	.words_max = 1,
	.flags = remove_flags,
	.summary = "Remove a hook; what it did stays in the events",
	.examples = "sloth-runner hook remove alert --force",
	.run = remove_run,
};
