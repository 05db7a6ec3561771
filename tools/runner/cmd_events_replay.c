/* `events replay`: dispatch copies of events again: those named, through events/<id>/replay, or
 * those that words choose, through events/replay. */
#include "tools/runner/commands.h"

#include "base/auto.h"
#include "tools/runner/event.h"
#include "tools/runner/ids.h"
#include "tools/runner/print.h"
#include "tools/runner/question.h"

#include <stdio.h>

#define CHOOSING "--type, --status, --stack, --severity, --text, --since, --until"

/* ---- one ------------------------------------------------------------------------------------- */

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

/* ---- what would run -------------------------------------------------------------------------- */

static int
print_line(void *arg, const char *line, struct err *err)
{
	(void)arg, (void)err;
	(void)puts(line); /* main tells of errors */
	return 0;
}

static int
foresee(const struct args *args, const struct mount *mount, const char *text, struct err *err)
{
	AUTO(sbuf) struct sbuf request = {0};
	AUTO(free) char *id = NULL;
	AUTO(free) char *path = NULL;
	int result = ids_find_event(mount, text, &id, err);

	if (result)
		return result;
	sbuf_adds(&request, "dry=1");
	if (args_str(args, "hook"))
		sbuf_printf(&request, " hook=%s", args_str(args, "hook"));
	path = mount_path(mount, PLACE_EVENT_REPLAY, NULL, id);
	return mount_follow(mount, path, sbuf_str(&request), print_line, NULL, err);
}

/* ---- many ------------------------------------------------------------------------------------ */

/* One line of events/replay: an event, or at the end how many there were. */
static int
on_line(void *arg, const char *line, struct err *err)
{
	bool is_json = *(const bool *)arg;
	AUTO(json) json_t *json = json_loads(line, 0, NULL);
	json_t *hook;
	size_t i;

	if (!json)
		return err_set(err, EIO, "events/replay gave a line that is not JSON: %.80s", line);
	if (is_json)
		return print_line(NULL, line, err);
	if (json_object_get(json, "count"))
		(void)fprintf(stderr, "%lld events, %lld passed over: replays, or not final\n",
			(long long)json_integer_value(json_object_get(json, "count")),
			(long long)json_integer_value(json_object_get(json, "skipped")));
	else if (*json_text(json, "id"))
		(void)printf("%s\n", json_text(json, "id"));
	json_array_foreach (json_object_get(json, "hooks"), i, hook)
		(void)printf("%s  %s  %s\n", json_text(json, "replay_of"), json_text(hook, "hook"),
			json_text(hook, "decision"));
	return 0;
}

static int
replay_many(const struct args *args, const struct mount *mount, struct sbuf *line, struct err *err)
{
	AUTO(free) char *path = mount_path(mount, PLACE_EVENTS_REPLAY, NULL, NULL);
	bool is_json = print_is_json(args);

	if (args_bool(args, "wait"))
		return err_set(err, EINVAL, "--wait is for events that are named");
	if (args_str(args, "hook"))
		question_add_word(line, "hook", args_str(args, "hook"));
	question_add_word(line, "limit", "all");
	if (args_bool(args, "dry-run"))
		question_add_word(line, "dry", "1");
	return mount_follow(mount, path, sbuf_str(line), on_line, &is_json, err);
}

/* ---- either ---------------------------------------------------------------------------------- */

static int
replay_run(const struct args *args, struct err *err)
{
	AUTO(mount) struct mount mount = {0};
	AUTO(json) json_t *list = json_array();
	AUTO(sbuf) struct sbuf line = {0};
	bool is_dry = args_bool(args, "dry-run"), is_chosen = question_add(args, &line);
	int result, worst = EXIT_OK;

	if (is_chosen && args->word_count)
		return err_set(err, EINVAL,
			"choose events by their ids or by " CHOOSING ", not both: leave out '%s'",
			args_word(args, 0));
	if (!is_chosen && !args->word_count)
		return err_set(err, EINVAL, "say which events: their ids, or " CHOOSING);
	result = mount_find(args, &mount, err);
	if (!result && is_chosen)
		return replay_many(args, &mount, &line, err);
	for (size_t i = 0; i < args->word_count && result >= 0; i++) {
		const char *id = args_word(args, i);

		result = is_dry ? foresee(args, &mount, id, err)
				: replay(args, &mount, id, list, err);
		if (result > worst)
			worst = result;
	}
	if (print_is_json(args) && !is_dry)
		print_json(list);
	return result < 0 ? result : worst;
}

static const struct flag replay_flags[] = {
	{.name = "hook", .kind = FLAG_STR, .value = "NAME", .help = "only this hook runs"},
	{.name = "wait",
		.letter = 'w',
		.kind = FLAG_BOOL,
		.help = "wait until the hooks have run; exit 5 when one failed"},
	{.name = "dry-run", .also = "dry", .kind = FLAG_BOOL, .help = "only tell what would run"},
	FLAGS_QUESTION,
	FLAG_OUTPUT,
	{0},
};

const struct cmd cmd_events_replay = {
	.name = "replay",
	.words = "[ID]...",
	.words_max = WORDS_ANY,
	.flags = replay_flags,
	.summary = "Dispatch copies of events again and print their ids",
	.text = "A copy names the event it repeats as its cause, and is marked as a replay; hooks\n"
		"with replay=off leave it alone.",
	.examples =
		"sloth-runner events replay 3c2b1a --hook alert --wait\n"
		"sloth-runner events replay --type 'deploy.*' --status failed --since 2h --dry-run",
	.run = replay_run,
};
