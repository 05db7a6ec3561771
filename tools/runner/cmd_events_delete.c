/* `events delete` and `events cleanup`: removing events is removing their directories.  Cleanup
 * is one request to events/cleanup; what is not finished stays.
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

static int
cleanup_run(const struct args *args, struct err *err)
{
	AUTO(mount) struct mount mount = {0};
	AUTO(free) char *path = NULL;
	AUTO(sbuf) struct sbuf request = {0}, answer = {0};
	const char *age = args_str(args, "older-than");
	long long removed;
	int result;

	if (age && args_has(args, "hours"))
		return err_set(err, EINVAL, "--older-than and --hours exclude each other");
	result = mount_find(args, &mount, err);
	if (result)
		return result;
	if (age)
		sbuf_printf(&request, "older-than %s\n", age);
	else
		sbuf_printf(&request, "older-than %zuh\n", args_count(args, "hours"));
	path = mount_path(&mount, PLACE_EVENTS_CLEANUP, NULL, NULL);
	result = mount_ask(&mount, path, &request, &answer, err);
	if (result)
		return result;
	removed = strtoll(sbuf_str(&answer), NULL, 10);
	if (print_is_json(args)) {
		json_t *json = json_pack("{s:I}", "removed", (json_int_t)removed);

		print_json(json);
		json_decref(json);
	} else {
		(void)printf("removed %lld event%s\n", removed, removed == 1 ? "" : "s");
	}
	return EXIT_OK;
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
