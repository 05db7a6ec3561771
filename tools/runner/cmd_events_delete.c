/* `events delete` and `events cleanup`: removing events is removing their directories.  Cleanup
 * walks the finished ones and removes while it reads, so that a long history takes no memory; what
 * is not finished is never looked at.
 */
#include "tools/runner/commands.h"

#include "base/auto.h"
#include "base/clock.h"
#include "tools/runner/ids.h"
#include "tools/runner/mount.h"
#include "tools/runner/print.h"

#include <stdio.h>
#include <string.h>

static int
delete_run(const struct args *args, struct err *err)
{
	AUTO(mount) struct mount mount = {0};
	int result = mount_find(args, &mount, err);

	for (size_t i = 0; i < args->word_count && !result; i++) {
		AUTO(free) char *id = NULL;
		AUTO(free) char *path = NULL;

		result = ids_find_event(&mount, args_word(args, i), &id, err);
		if (result)
			break;
		path = mount_path(&mount, PLACE_EVENT, NULL, id);
		result = mount_rmdir(&mount, path, err);
		if (!result)
			(void)printf("deleted event %s\n", id);
	}
	return result;
}

const struct cmd cmd_events_delete = {
	.name = "delete",
	.also = "rm,remove",
	.words = "ID...",
	.words_min = 1,
	.words_max = WORDS_ANY,
	.summary = "Delete events with what their hooks left",
	.examples = "sloth-runner events delete 3c2b1a",
	.run = delete_run,
};

/* ---- cleanup -------------------------------------------------------------------------------- */

struct cleanup {
	const struct mount *mount;
	int64_t before_ns; /* events processed earlier go */
	size_t removed;
};

static int
remove_if_old(void *arg, const char *id, struct err *err)
{
	struct cleanup *cleanup = arg;
	AUTO(free) char *path = mount_path(cleanup->mount, PLACE_EVENT_PROCESSED, NULL, id);
	AUTO(free) char *dir = mount_path(cleanup->mount, PLACE_EVENT, NULL, id);
	AUTO(sbuf) struct sbuf text = {0};
	int64_t processed_ns;
	int result = mount_read_value(cleanup->mount, path, &text, err);

	if (!result)
		result = clock_parse(sbuf_str(&text), &processed_ns, err);
	if (!result && processed_ns >= cleanup->before_ns)
		return 0;
	if (!result)
		result = mount_rmdir(cleanup->mount, dir, err);
	if (result == -ENOENT)
		return 0; /* somebody else was faster */
	cleanup->removed += !result;
	return result;
}

static int
cleanup_run(const struct args *args, struct err *err)
{
	static const char *const final[] = {"completed", "failed"};
	AUTO(mount) struct mount mount = {0};
	struct cleanup cleanup = {.mount = &mount};
	int64_t age_ns = (int64_t)args_count(args, "hours") * 3600 * NS_PER_S;
	int result;

	if (args_has(args, "older-than") && args_has(args, "hours"))
		return err_set(err, EINVAL, "--older-than and --hours exclude each other");
	if (args_has(args, "older-than"))
		age_ns = args_duration_ns(args, "older-than");
	cleanup.before_ns = clock_real_ns() - age_ns;
	result = mount_find(args, &mount, err);
	if (result)
		return result;
	for (size_t i = 0; i < sizeof(final) / sizeof(final[0]) && !result; i++) {
		AUTO(free) char *path = mount_path(&mount, PLACE_EVENTS_BY_STATUS, NULL, final[i]);

		result = mount_each(&mount, path, 0, remove_if_old, &cleanup, err);
	}
	if (print_is_json(args)) {
		json_t *json = json_pack("{s:I}", "removed", (json_int_t)cleanup.removed);

		print_json(json);
		json_decref(json);
	} else {
		(void)printf(
			"removed %zu event%s\n", cleanup.removed, cleanup.removed == 1 ? "" : "s");
	}
	return result;
}

static const struct flag cleanup_flags[] = {
	{.name = "older-than",
		.kind = FLAG_DURATION,
		.value = "DURATION",
		.help = "finished longer ago than this: 7d, 720h, 2w"},
	{.name = "hours",
		.letter = 'H',
		.kind = FLAG_COUNT,
		.value = "N",
		.preset = "24",
		.help = "the same in hours"},
	FLAG_OUTPUT,
	{0},
};

const struct cmd cmd_events_cleanup = {
	.name = "cleanup",
	.also = "clean",
	.flags = cleanup_flags,
	.summary = "Delete finished events that are old; pending ones stay",
	.examples = "sloth-runner events cleanup --older-than 7d\n"
		    "sloth-runner events cleanup --hours 168",
	.run = cleanup_run,
};
