/* `events replay`: dispatch copies of events again, through events/<id>/replay. */
#include "tools/runner/commands.h"

#include "base/auto.h"
#include "tools/runner/event.h"
#include "tools/runner/ids.h"
#include "tools/runner/print.h"

#include <stdio.h>

/* Replay one event and tell the copy's id, and with --wait how it ended. */
static int
replay(const struct args *args, const struct mount *mount, const char *text, json_t *list,
	struct err *err)
{
	AUTO(sbuf) struct sbuf request = {0}, answer = {0};
	AUTO(json) json_t *copy = NULL;
	AUTO(free) char *id = NULL;
	AUTO(free) char *path = NULL;
	const char *hook = args_str(args, "hook");
	bool is_json = print_is_json(args);
	int result = ids_find_event(mount, text, &id, err);

	if (result)
		return result;
	sbuf_printf(&request, hook ? "hook=%s\n" : "1\n", hook);
	path = mount_path(mount, PLACE_EVENT_REPLAY, NULL, id);
	result = mount_ask(mount, path, &request, &answer, err);
	if (result)
		return result;
	if (!is_json)
		(void)printf("%s\n", sbuf_str(&answer));
	(void)fflush(stdout); /* the id is known before the wait; main tells of errors */
	if (args_bool(args, "wait"))
		result = event_wait(mount, sbuf_str(&answer), is_json, err);
	if (result >= 0 && is_json) {
		int read_result = event_read(mount, sbuf_str(&answer), &copy, err);

		if (read_result < 0)
			return read_result;
		(void)json_array_append(list, copy);
	}
	return result;
}

static int
replay_run(const struct args *args, struct err *err)
{
	AUTO(mount) struct mount mount = {0};
	AUTO(json) json_t *list = json_array();
	int result = mount_find(args, &mount, err), worst = EXIT_OK;

	for (size_t i = 0; i < args->word_count && result >= 0; i++) {
		result = replay(args, &mount, args_word(args, i), list, err);
		if (result > worst)
			worst = result;
	}
	if (print_is_json(args))
		print_json(list);
	return result < 0 ? result : worst;
}

static const struct flag replay_flags[] = {
	{.name = "hook", .kind = FLAG_STR, .value = "NAME", .help = "only this hook runs"},
	{.name = "wait",
		.letter = 'w',
		.kind = FLAG_BOOL,
		.help = "wait until the hooks have run; exit 5 when one failed"},
	FLAG_OUTPUT,
	{0},
};

const struct cmd cmd_events_replay = {
	.name = "replay",
	.words = "ID...",
	.words_min = 1,
	.words_max = WORDS_ANY,
	.flags = replay_flags,
	.summary = "Dispatch copies of events again and print their ids",
	.text = "A copy names the event it repeats as its cause, and is marked as a replay; hooks\n"
		"with replay=off leave it alone.",
	.examples = "sloth-runner events replay 3c2b1a --hook alert --wait",
	.run = replay_run,
};
