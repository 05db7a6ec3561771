/* `hook test`: one event for one hook, through ctl/hooks/<hook>/test.  Nothing is recorded; the
 * hook's own side effects are real, and help says so. */
#include "tools/runner/commands.h"

#include "base/auto.h"
#include "base/clock.h"
#include "tools/runner/hook.h"
#include "tools/runner/mock.h"
#include "tools/runner/print.h"

#include <stdio.h>
#include <string.h>

/* The first type the hook listens to, or "custom". */
static const char *
first_type(const json_t *hook)
{
	const char *type =
		json_string_value(json_array_get(json_object_get(hook, "event_types"), 0));

	return mock_type(type ? type : "custom");
}

static const char *
kind_of(const json_t *value)
{
	static const char *const kinds[] = {
		[JSON_OBJECT] = "an object",
		[JSON_ARRAY] = "an array",
		[JSON_STRING] = "a string",
		[JSON_INTEGER] = "a number",
		[JSON_REAL] = "a number",
		[JSON_TRUE] = "true",
		[JSON_FALSE] = "false",
		[JSON_NULL] = "null",
	};

	return kinds[json_typeof(value)];
}

static int
check_data(const char *data, struct err *err)
{
	json_error_t why;
	AUTO(json) json_t *json = json_loads(data, JSON_DECODE_ANY, &why);

	if (!json)
		return err_set(err, EINVAL, "--mock-data is not JSON: line %d, column %d: %s",
			why.line, why.column, why.text);
	if (!json_is_object(json))
		return err_set(err, EINVAL,
			"--mock-data is a JSON object such as {\"name\":\"value\"}, not %s",
			kind_of(json));
	return 0;
}

/* The event to test with. */
static int
make_event(const struct args *args, const json_t *hook, struct sbuf *out, struct err *err)
{
	const char *type = args_str(args, "event-type");
	const char *data = args_str(args, "mock-data");
	int result;

	if (!type)
		type = first_type(hook);
	if (!data)
		data = mock_data(type);
	result = check_data(data, err);
	if (result)
		return result;
	sbuf_adds(out, args_bool(args, "dry-run") ? "dry=1 {\"type\":" : "{\"type\":");
	sbuf_jsons(out, type);
	sbuf_printf(out, ",\"data\":%s}\n", data);
	return 0;
}

/* What the conditions stopped did not fail, and neither did what was only asked about. */
static bool
is_failure(const json_t *answer)
{
	const char *result = json_text(answer, "result");

	return *result && strcmp(result, "success") != 0 && strcmp(result, "filtered") != 0;
}

static void
print_block(const char *label, const char *text)
{
	if (*text)
		(void)printf("%s:\n%s%s", label, text, text[strlen(text) - 1] == '\n' ? "" : "\n");
}

static void
print_answer(const json_t *answer)
{
	AUTO(sbuf) struct sbuf duration = {0};
	double ms = json_number_value(json_object_get(answer, "duration_ms"));
	const char *why = json_text(answer, "why"), *result = json_text(answer, "result");

	print_add_duration(&duration, (int64_t)(ms * NS_PER_MS));
	(void)printf("\nTest Results\nDecision:  %s%s%s\nStatus:    %s\nDuration:  %s\n",
		json_text(answer, "decision"), *why ? ": " : "", why, *result ? result : "not run",
		sbuf_str(&duration));
	print_block("Output", json_text(answer, "output"));
	print_block("Error", json_text(answer, "error"));
}

static int
test_run(const struct args *args, struct err *err)
{
	AUTO(mount) struct mount mount = {0};
	AUTO(json) json_t *hook = NULL, *answer = NULL;
	AUTO(sbuf) struct sbuf event = {0}, text = {0};
	AUTO(free) char *path = NULL;
	int result = mount_find(args, &mount, err);

	if (!result)
		result = hook_read(&mount, args_word(args, 0), &hook, err);
	if (!result)
		result = make_event(args, hook, &event, err);
	if (result)
		return result;
	path = hook_place(&mount, PLACE_HOOK_TEST, hook);
	result = mount_ask(&mount, path, &event, &text, err);
	if (!result)
		result = json_parse(path, &text, &answer, err);
	if (result)
		return result;
	if (print_is_json(args)) {
		print_json(answer);
	} else {
		(void)printf("Hook:      %s\nEvent:     %s", json_text(hook, "label"),
			strchr(sbuf_str(&event), '{'));
		print_answer(answer);
	}
	return is_failure(answer) ? EXIT_HOOK : EXIT_OK;
}

static const struct flag test_flags[] = {
	{.name = "event-type",
		.also = "event",
		.letter = 't',
		.kind = FLAG_STR,
		.value = "TYPE",
		.help = "the event's type; the hook's own by default"},
	{.name = "mock-data",
		.also = "data,payload",
		.letter = 'd',
		.kind = FLAG_STR,
		.value = "JSON",
		.help = "the event's data; a sample of its category by default"},
	{.name = "dry-run",
		.kind = FLAG_BOOL,
		.help = "only say what would be decided; nothing runs but the conditions"},
	FLAG_OUTPUT,
	{0},
};

const struct cmd cmd_hook_test = {
	.name = "test",
	.words = "NAME",
	.words_min = 1,
	.words_max = 1,
	.flags = test_flags,
	.summary = "Run a hook on a sample event",
	.text = "Says what is decided about such an event, and runs the hook unless its own\n"
		"conditions stop it.  Nothing is recorded, but what the script does is really\n"
		"done.  Exit code 5 when the hook fails.",
	.examples = "sloth-runner hook test alert\n"
		    "sloth-runner hook test alert --event-type task.failed \\\n"
		    "    --mock-data '{\"task_name\":\"deploy_app\",\"error\":\"connection "
		    "timeout\"}'\n"
		    "sloth-runner hook test alert --dry-run",
	.run = test_run,
};
