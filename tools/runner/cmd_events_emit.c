/* `events emit`: one record written to events/emit.  The payload is passed on byte for byte; only
 * words such as version=v2 are made into JSON here, by the rule of the tree's short form: a value
 * that is valid JSON is that, other text is a string.
 */
#include "tools/runner/commands.h"

#include "base/auto.h"
#include "base/mem.h"
#include "tools/runner/event.h"
#include "tools/runner/mount.h"
#include "tools/runner/print.h"

#include <stdio.h>
#include <string.h>

static bool
is_json_object(const char *text, struct err *err)
{
	json_error_t why;
	json_t *json = json_loads(text, 0, &why);
	bool is_object = json_is_object(json);

	if (!json)
		err_set(err, EINVAL, "the data is not JSON: line %d, column %d: %s", why.line,
			why.column, why.text);
	else if (!is_object)
		err_set(err, EINVAL, "the data is not a JSON object");
	json_decref(json);
	return is_object;
}

/* Append "name":value for a word name=value. */
static int
add_word(struct sbuf *out, const char *word, struct err *err)
{
	size_t len = strcspn(word, "=");
	json_t *json;

	if (!len || !word[len])
		return err_set(err, EINVAL, "'%s' is neither key=value nor a JSON object", word);
	sbuf_json(out, word, len);
	sbuf_addc(out, ':');
	json = json_loads(word + len + 1, JSON_DECODE_ANY, NULL);
	if (json)
		sbuf_adds(out, word + len + 1);
	else
		sbuf_jsons(out, word + len + 1);
	json_decref(json);
	return 0;
}

/* Whether an earlier word has the name of the nth. */
static bool
is_again(const struct args *args, size_t n)
{
	const char *word = args_word(args, n);
	size_t len = strcspn(word, "=") + 1;

	for (size_t i = 1; i < n; i++)
		if (!strncmp(args_word(args, i), word, len))
			return true;
	return false;
}

/* Append the payload: --data, one JSON word, or key=value words. */
static int
add_data(const struct args *args, struct sbuf *out, struct err *err)
{
	const char *data = args_str(args, "data");
	const char *word = args_word(args, 1);

	if (data && word)
		return err_set(err, EINVAL, "give the data by --data or as words, not both");
	if (!data && word && *word == '{' && args->word_count == 2)
		data = word;
	if (data) {
		if (!is_json_object(data, err))
			return -EINVAL;
		sbuf_adds(out, data);
		return 0;
	}
	sbuf_addc(out, '{');
	for (size_t i = 1; i < args->word_count; i++) {
		if (i > 1)
			sbuf_addc(out, ',');
		if (is_again(args, i))
			return err_set(err, EINVAL, "'%.*s' is given twice",
				(int)strcspn(args_word(args, i), "="), args_word(args, i));
		if (add_word(out, args_word(args, i), err) < 0)
			return -EINVAL;
	}
	sbuf_addc(out, '}');
	return 0;
}

/* The record to write: an event's own JSON as typed, or one made of type, flags and data. */
static int
make_record(const struct args *args, struct sbuf *out, struct err *err)
{
	static const struct {
		const char *flag, *member;
	} members[] = {
		{"id", "id"},
		{"stack", "stack"},
		{"severity", "severity"},
		{"timestamp", "timestamp"},
		{"agent", "agent"},
		{"run-id", "run_id"},
		{"source", "source"},
	};
	const char *type = args_word(args, 0);

	if (*type == '{' && args->word_count == 1 && !args->given_count) {
		if (!is_json_object(type, err))
			return -EINVAL;
		sbuf_printf(out, "%s\n", type);
		return 0;
	}
	sbuf_adds(out, "{\"type\":");
	sbuf_jsons(out, type);
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		const char *text = args_str(args, members[i].flag);

		if (!text)
			continue;
		sbuf_printf(out, ",\"%s\":", members[i].member);
		sbuf_jsons(out, text);
	}
	sbuf_adds(out, ",\"data\":");
	if (add_data(args, out, err) < 0)
		return -EINVAL;
	sbuf_adds(out, "}\n");
	return 0;
}

static int
emit_run(const struct args *args, struct err *err)
{
	AUTO(mount) struct mount mount = {0};
	AUTO(sbuf) struct sbuf record = {0}, answer = {0};
	AUTO(free) char *path = NULL;
	AUTO(json) json_t *event = NULL;
	bool is_json = print_is_json(args);
	const char *id;
	int result = make_record(args, &record, err);

	if (!result)
		result = mount_find(args, &mount, err);
	if (result)
		return result;
	path = mount_path(&mount, PLACE_EMIT, NULL, NULL);
	result = mount_ask(&mount, path, &record, &answer, err);
	if (result < 0)
		return result;
	id = sbuf_str(&answer);
	if (!*id)
		return err_set(err, EIO, "'%s' gave no id back", path);
	if (!is_json)
		(void)printf("%s\n", id);
	(void)fflush(stdout); /* the id is known before the wait; main tells of errors */
	if (args_bool(args, "wait"))
		result = event_wait(&mount, id, is_json, err);
	if (result >= 0 && is_json) {
		int read_result = event_read(&mount, id, &event, err);

		if (read_result < 0)
			return read_result;
		print_json(event);
	}
	return result;
}

static const struct flag emit_flags[] = {
	{.name = "data",
		.letter = 'd',
		.kind = FLAG_STR,
		.value = "JSON",
		.help = "the payload, an object"},
	{.name = "stack", .letter = 's', .kind = FLAG_STR, .value = "STACK", .help = "its stack"},
	{.name = "severity",
		.kind = FLAG_WORD,
		.value = "debug|info|warning|error|critical",
		.help = "how bad it is"},
	{.name = "id", .kind = FLAG_STR, .value = "ID", .help = "your own id: accepted once"},
	{.name = "timestamp", .kind = FLAG_STR, .value = "TIME", .help = "when it happened"},
	{.name = "agent", .kind = FLAG_STR, .value = "AGENT", .help = "the host it is about"},
	{.name = "run-id", .kind = FLAG_STR, .value = "RUN", .help = "the run it belongs to"},
	{.name = "source", .kind = FLAG_STR, .value = "TEXT", .help = "what raised it"},
	{.name = "wait",
		.letter = 'w',
		.kind = FLAG_BOOL,
		.help = "wait until its hooks have run; exit 5 when one failed"},
	FLAG_OUTPUT,
	{0},
};

const struct cmd cmd_events_emit = {
	.name = "emit",
	.also = "send",
	.words = "TYPE [KEY=VALUE... | JSON]",
	.words_min = 1,
	.words_max = WORDS_ANY,
	.flags = emit_flags,
	.summary = "Raise an event and print its id",
	.text = "A value that is valid JSON (5, true, {\"a\":1}) is that; other text is a string.\n"
		"A whole event as one JSON object is taken too.",
	.examples =
		"sloth-runner events emit deploy.started version=v2 environment=production\n"
		"sloth-runner events emit task.failed --data '{\"task_name\":\"build\"}' --wait\n"
		"sloth-runner events emit '{\"type\":\"custom.ping\",\"data\":{}}'",
	.run = emit_run,
};
