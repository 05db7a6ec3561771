/* `events watch`: events as they are accepted and as they end, from events/stream.  It runs until
 * it is interrupted, so every line is written out at once. */
#include "tools/runner/commands.h"

#include "base/auto.h"
#include "tools/runner/event.h"
#include "tools/runner/event_types.h"
#include "tools/runner/mount.h"
#include "tools/runner/print.h"

#include <stdio.h>
#include <string.h>

struct watch {
	bool is_json;
	size_t left; /* lines until the end; 0: no end */
};

/* Something but 0 ends the watch; a positive value is not an error. */
#define WATCH_DONE 1

static void
print_event(const json_t *event)
{
	const char *status = json_text(event, "status");
	const char *when = json_text(event, "processed_at");

	(void)printf("%s  %-10s  %s  %s\n", *when ? when : json_text(event, "created_at"), status,
		json_text(event, "id"), json_text(event, "type"));
}

static int
on_line(void *arg, const char *line, struct err *err)
{
	struct watch *watch = arg;
	AUTO(json) json_t *event = json_loads(line, 0, NULL);

	if (!event)
		return err_set(err, EIO, "the stream gave a line that is not JSON: %.80s", line);
	if (json_object_get(event, "lost"))
		(void)fprintf(stderr, "too slow: %lld events were left out\n",
			(long long)json_integer_value(json_object_get(event, "lost")));
	else if (watch->is_json)
		(void)printf("%s\n", line);
	else
		print_event(event);
	if (fflush(stdout) == EOF)
		return WATCH_DONE; /* main says so */
	return watch->left && !--watch->left ? WATCH_DONE : 0;
}

/* The first line of the conversation: which events, by the tree's own filter words. */
static void
make_filter(const struct args *args, struct sbuf *out)
{
	static const char *const filters[] = {"type", "status", "stack", "since"};
	const char *more = args_str(args, "filter");

	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		const char *text = args_str(args, filters[i]);

		if (text)
			sbuf_printf(out, "%s%s=%s", out->len ? " " : "", filters[i], text);
	}
	if (more)
		sbuf_printf(out, "%s%s", out->len ? " " : "", more);
	if (out->len)
		sbuf_addc(out, '\n');
}

static int
watch_run(const struct args *args, struct err *err)
{
	AUTO(mount) struct mount mount = {0};
	AUTO(free) char *path = NULL;
	AUTO(sbuf) struct sbuf filter = {0};
	struct watch watch = {.is_json = print_is_json(args), .left = args_count(args, "limit")};
	int result = mount_find(args, &mount, err);

	if (result < 0)
		return result;
	path = mount_path(&mount, PLACE_STREAM, NULL, NULL);
	make_filter(args, &filter);
	if (args_str(args, "type"))
		result = event_types_warn_one(&mount, args_str(args, "type"), err);
	if (result < 0)
		return result;
	result = mount_follow(
		&mount, path, filter.len ? sbuf_str(&filter) : NULL, on_line, &watch, err);
	if (!result)
		return err_set(err, EHOSTDOWN, "the master ended the stream: it is stopping");
	return result == WATCH_DONE ? EXIT_OK : result;
}

static const struct flag watch_flags[] = {
	{.name = "type",
		.letter = 't',
		.kind = FLAG_STR,
		.value = "TYPE",
		.help = "only this type; patterns such as task.* too"},
	{.name = "stack", .kind = FLAG_STR, .value = "STACK", .help = "only this stack's"},
	{.name = "status",
		.letter = 's',
		.kind = FLAG_WORD,
		.value = "pending|processing|completed|failed",
		.help = "only these"},
	{.name = "since",
		.kind = FLAG_STR,
		.value = "ID",
		.help = "begin after this event instead of now"},
	{.name = "filter", .kind = FLAG_STR, .value = "WORDS", .help = "a filter line of the tree"},
	{.name = "limit",
		.letter = 'n',
		.kind = FLAG_LIMIT,
		.value = "N",
		.help = "end after so many lines"},
	FLAG_OUTPUT,
	{0},
};

const struct cmd cmd_events_watch = {
	.name = "watch",
	.flags = watch_flags,
	.summary = "Follow events as they are accepted and as they end",
	.text = "With -o json: one JSON object a line.",
	.examples = "sloth-runner events watch --type 'task.*'\n"
		    "sloth-runner events watch -o json --limit 1",
	.run = watch_run,
};
