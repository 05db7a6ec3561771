/* `hook add`: a copy of the script into hooks/, then what the flags say into ctl/hooks/<name>/.
 * It either succeeds or changes nothing (placing.h). */
#include "tools/runner/commands.h"

#include "base/auto.h"
#include "base/mem.h"
#include "tools/runner/placing.h"
#include "tools/runner/print.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- what to add ---------------------------------------------------------------------------- */

/* Returns owned: the last component without .lua. */
static char *
stem(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	size_t len = strlen(name);

	return mem_strndup(name, len > 4 && !strcmp(name + len - 4, ".lua") ? len - 4 : len);
}

/* NAME --script FILE, or FILE alone.  ret_file is borrowed from args. */
static int
choose(const struct args *args, const char **ret_file, struct err *err)
{
	const char *word = args_word(args, 0), *file = args_str(args, "script");
	struct stat st;

	if (!file) {
		if (stat(word, &st) < 0 || !S_ISREG(st.st_mode))
			return err_set(err, EINVAL,
				"'%s' is not a file; to add a hook of that name say which script: "
				"--script FILE",
				word);
		file = word;
	}
	if (stat(file, &st) < 0)
		return err_set(err, errno, "cannot read '%s': %s", file, strerror(errno));
	*ret_file = file;
	return 0;
}

/* ---- putting it there ----------------------------------------------------------------------- */

/* Flags that are files of ctl/hooks/<hook>/ too.  The event comes last: only then can the hook run.
 */
static const struct {
	const char *name;
	enum place place;
} settings[] = {
	{"enabled", PLACE_HOOK_ENABLED},
	{"description", PLACE_HOOK_DESCRIPTION},
	{"priority", PLACE_HOOK_PRIORITY},
	{"event", PLACE_HOOK_EVENT},
};
#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

static int
write_setting(const struct placing *p, enum place place, const char *value, struct err *err)
{
	AUTO(free) char *path = mount_path(&p->mount, place, p->stack, p->name);
	AUTO(free) char *text = mem_printf("%s\n", value);

	return mount_write(&p->mount, path, text, strlen(text), err);
}

/* What was said by flags. */
static int
write_settings(const struct args *args, const struct placing *p, struct err *err)
{
	int result = 0;

	for (size_t i = 0; i < SETTINGS && !result; i++)
		if (args_has(args, settings[i].name))
			result = write_setting(
				p, settings[i].place, args_str(args, settings[i].name), err);
	return result;
}

/* Returns owned: what the lines `name = value` say; "" (the script decides) when they do not. */
static char *
value_of(const char *lines, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = lines; at && *at; at = strchr(at, '\n'), at += at != NULL)
		if (!strncmp(at, name, len) && !strncmp(at + len, " = ", 3))
			return mem_strndup(at + len + 3, strcspn(at + len + 3, "\n"));
	return mem_strdup("");
}

/* As it was before the flags: settings outlive the file, for who removes it may bring it back. */
static void
put_settings_back(const struct args *args, const struct placing *p, const char *before)
{
	for (size_t i = 0; i < SETTINGS; i++) {
		AUTO(free) char *value = value_of(before, settings[i].name);
		struct err err = {0};

		if (args_has(args, settings[i].name) &&
			write_setting(p, settings[i].place, value, &err) < 0)
			(void)fprintf(
				stderr, "%s stays as it is now: %s\n", settings[i].name, err.msg);
	}
}

/* The flags, and whether the hook is in order with them. */
static int
apply(const struct args *args, const struct placing *p, const char *file, struct err *err)
{
	AUTO(free) char *path = mount_path(&p->mount, PLACE_HOOK_OVERRIDES, p->stack, p->name);
	AUTO(sbuf) struct sbuf before = {0}, status = {0};
	int result = mount_read(&p->mount, path, &before, err);

	if (result)
		return result;
	result = write_settings(args, p, err);
	if (!result)
		result = placing_settle(p, &status, err);
	if (!result)
		result = placing_judge(sbuf_str(&status), file, err);
	if (result)
		put_settings_back(args, p, sbuf_str(&before));
	return result;
}

/* A script without an event is in order as long as a flag gives it one. */
static int
put(const struct args *args, const struct placing *p, const char *file, struct err *err)
{
	const struct mount nowhere = {.root = NULL};
	AUTO(sbuf) struct sbuf script = {0}, status = {0};
	int result = mount_read(&nowhere, file, &script, err);

	if (result)
		return result;
	result = placing_install(p, &script, &status, err);
	if (result)
		return result;
	if (strncmp(sbuf_str(&status), "no event", 8))
		result = placing_judge(sbuf_str(&status), file, err);
	if (!result)
		result = apply(args, p, file, err);
	if (result)
		placing_take_back(p);
	return result;
}

/* ---- the command ---------------------------------------------------------------------------- */

static int
add_run(const struct args *args, struct err *err)
{
	AUTO(placing) struct placing p = {0};
	/* a NAME that is no file is not cut: placing_find judges it as it was given */
	AUTO(free) char *name = args_str(args, "script") ? mem_strdup(args_word(args, 0))
							 : stem(args_word(args, 0));
	const char *file = NULL;
	const char *event = args_str(args, "event");
	int result = choose(args, &file, err);

	if (!result && event && !event[strspn(event, ", \t\n")])
		result = err_set(err, EINVAL,
			"--event names no event: give a type such as task.failed, or leave it out");
	if (!result)
		result = placing_find(
			args, name, args_str(args, "stack"), args_bool(args, "force"), &p, err);
	if (!result)
		result = put(args, &p, file, err);
	return result ? result : placing_print(args, &p, err);
}

static const struct flag add_flags[] = {
	{.name = "script",
		.also = "file",
		.letter = 'f',
		.kind = FLAG_STR,
		.value = "FILE",
		.help = "the script; without it the argument is the file"},
	{.name = "event",
		.letter = 'e',
		.kind = FLAG_STR,
		.value = "TYPE",
		.help = "when it runs: task.failed, task.*, several with commas"},
	{.name = "description",
		.letter = 'd',
		.kind = FLAG_STR,
		.value = "TEXT",
		.help = "what it is for"},
	{.name = "stack", .letter = 's', .kind = FLAG_STR, .value = "STACK", .help = "its stack"},
	{.name = "priority",
		.kind = FLAG_STR,
		.value = "N",
		.help = "-100 to 100; 0 by default: higher is started first when workers are "
			"short"},
	{.name = "enabled",
		.kind = FLAG_BOOL,
		.preset = "true",
		.help = "--enabled=false adds it without letting it run"},
	{.name = "force", .kind = FLAG_BOOL, .help = "replace a hook of that name"},
	FLAG_OUTPUT,
	{0},
};

const struct cmd cmd_hook_add = {
	.name = "add",
	.also = "create",
	.words = "NAME | FILE",
	.words_min = 1,
	.words_max = 1,
	.flags = add_flags,
	.summary = "Register a script as a hook",
	.text = "With a FILE alone, its name is the hook's and the table it returns says the "
		"rest.\n"
		"Flags win over what the script says.  A script that does not load is refused.",
	.examples = "sloth-runner hook add alert --event task.failed --script alert.lua \\\n"
		    "    --description \"Tell us when a task fails\"\n"
		    "sloth-runner hook add alert.lua --stack production",
	.run = add_run,
};
