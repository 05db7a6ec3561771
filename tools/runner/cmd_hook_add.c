/* `hook add`: a copy of the script into hooks/, then what the flags say into ctl/hooks/<name>/.
 *
 * An add either succeeds or changes nothing: when the script does not load, a new file is taken
 * back and a replaced one gets its old content again.  (Who wants to keep a broken script in place
 * copies it into the mount; its status then says what is wrong.)
 */
#include "tools/runner/commands.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "tools/runner/event_types.h"
#include "tools/runner/hook.h"
#include "tools/runner/print.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SETTLE_MS     5000 /* the master answers within 2 s, or says why it did not */
#define LOOK_EVERY_MS 10

struct adding {
	struct mount mount;
	const char *file, *stack; /* the script; "" for the root */
	char *name, *path;        /* of the hook, in the mount */
	bool is_new;
	struct sbuf before; /* the content replaced by --force */
};

static void
adding_auto(struct adding *a)
{
	mount_fini(&a->mount);
	free(a->name);
	free(a->path);
	sbuf_fini(&a->before);
}

/* ---- what to add ---------------------------------------------------------------------------- */

/* What the master takes for a hook's name; other files it keeps and never registers. */
static int
check_hook_name(const char *name, struct err *err)
{
	size_t len = strlen(name);
	bool is_good = len > 0 && len <= 64 && *name != '.' && *name != '-';

	for (size_t i = 0; i < len; i++)
		is_good &= isalnum((unsigned char)name[i]) || strchr("_.-", name[i]);
	if (is_good)
		return 0;
	return err_set(err, EINVAL,
		"'%s' cannot be the name of a hook: 1 to 64 of A-Z a-z 0-9 _ . -", name);
}

/* Returns owned: the last component without .lua. */
static char *
stem(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	size_t len = strlen(name);

	return mem_strndup(name, len > 4 && !strcmp(name + len - 4, ".lua") ? len - 4 : len);
}

/* NAME --script FILE, or FILE alone. */
static int
choose(const struct args *args, struct adding *a, struct err *err)
{
	const char *word = args_word(args, 0);
	struct stat st;

	a->stack = args_str(args, "stack") ? args_str(args, "stack") : "";
	a->file = args_str(args, "script");
	if (!a->file) {
		if (stat(word, &st) < 0 || !S_ISREG(st.st_mode))
			return err_set(err, EINVAL,
				"'%s' is not a file; to add a hook of that name say which script: "
				"--script FILE",
				word);
		a->file = word;
	}
	if (stat(a->file, &st) < 0)
		return err_set(err, errno, "cannot read '%s': %s", a->file, strerror(errno));
	a->name = stem(word);
	return check_hook_name(a->name, err);
}

static int
check_place(const struct args *args, struct adding *a, struct err *err)
{
	AUTO(free) char *hooks = mount_path(&a->mount, PLACE_HOOKS, a->stack, NULL);

	if (*a->stack && !mount_exists(&a->mount, hooks))
		return err_set(err, ENOENT, "stack '%s' does not exist; make it: mkdir %.*s",
			a->stack, (int)(strlen(hooks) - strlen("/hooks")), hooks);
	a->path = mount_path(&a->mount, PLACE_HOOK_FILE, a->stack, a->name);
	a->is_new = !mount_exists(&a->mount, a->path);
	if (a->is_new)
		return 0;
	if (!args_bool(args, "force"))
		return err_set(
			err, EEXIST, "hook '%s' exists already; --force replaces it", a->name);
	return mount_read(&a->mount, a->path, &a->before, err);
}

/* ---- putting it there ----------------------------------------------------------------------- */

/* Wait until the master has judged the file.  The status is what its file says then. */
static int
wait_settled(const struct adding *a, struct sbuf *status, struct err *err)
{
	AUTO(free) char *path = mount_path(&a->mount, PLACE_HOOK_STATUS, a->stack, a->name);
	int64_t end_ns = clock_mono_ns() + SETTLE_MS * NS_PER_MS;
	const struct timespec pause = {.tv_nsec = LOOK_EVERY_MS * NS_PER_MS};

	for (;;) {
		int result;

		sbuf_reset(status);
		result = mount_read_value(&a->mount, path, status, err);
		if (result < 0 && result != -ENOENT)
			return result;
		if (!result && strncmp(sbuf_str(status), "loading", 7))
			return 0;
		if (clock_mono_ns() > end_ns)
			return err_set(err, ETIMEDOUT,
				"the master did not load '%s' within %d s: see '%s'", a->path,
				SETTLE_MS / 1000, path);
		(void)nanosleep(&pause, NULL); /* an early end only looks sooner */
	}
}

static int
write_setting(const struct adding *a, enum place place, const char *value, struct err *err)
{
	AUTO(free) char *path = mount_path(&a->mount, place, a->stack, a->name);
	AUTO(free) char *text = mem_printf("%s\n", value);

	return mount_write(&a->mount, path, text, strlen(text), err);
}

/* What was said by flags.  The event comes last: only then can the hook run. */
static int
write_settings(const struct args *args, const struct adding *a, struct err *err)
{
	const char *description = args_str(args, "description");
	const char *event = args_str(args, "event");
	int result = 0;

	if (args_has(args, "enabled"))
		result = write_setting(
			a, PLACE_HOOK_ENABLED, args_bool(args, "enabled") ? "1" : "0", err);
	if (!result && description)
		result = write_setting(a, PLACE_HOOK_DESCRIPTION, description, err);
	if (!result && event) {
		AUTO(free) char *lines = mem_strdup(event);

		for (char *p = lines; *p; p++)
			*p = *p == ',' ? '\n' : *p;
		result = write_setting(a, PLACE_HOOK_EVENT, lines, err);
	}
	return result;
}

/* Judge the status: 0 when the hook is in service or was disabled on purpose. */
static int
judge(const struct adding *a, const char *status, struct err *err)
{
	if (!strncmp(status, "ok", 2) || !strncmp(status, "disabled", 8))
		return 0;
	if (!strncmp(status, "no event", 8))
		return err_set(err, EPROTO,
			"'%s' does not say which event it is for: give --event TYPE", a->file);
	return err_set(err, EPROTO, "'%s' was not added: %s", a->file, status);
}

/* As if nothing had happened.  The error that brought us here is the one to tell. */
static void
take_back(const struct adding *a)
{
	int result = a->is_new ? mount_unlink(&a->mount, a->path, NULL)
			       : mount_install(&a->mount, a->path, &a->before, NULL);

	if (result < 0)
		(void)fprintf(stderr, "'%s' stays as it is now: %s\n", a->path, strerror(-result));
}

static int
put(const struct args *args, const struct adding *a, struct err *err)
{
	const struct mount nowhere = {.root = NULL};
	AUTO(sbuf) struct sbuf script = {0}, status = {0};
	int result = mount_read(&nowhere, a->file, &script, err);

	if (!result)
		result = mount_install(&a->mount, a->path, &script, err);
	if (result)
		return result;
	result = wait_settled(a, &status, err);
	if (!result && strncmp(sbuf_str(&status), "no event", 8))
		result = judge(a, sbuf_str(&status), err);
	if (!result)
		result = write_settings(args, a, err);
	if (!result)
		result = wait_settled(a, &status, err);
	if (!result)
		result = judge(a, sbuf_str(&status), err);
	if (result)
		take_back(a);
	return result;
}

/* ---- the command ---------------------------------------------------------------------------- */

static int
print_added(const struct args *args, const struct adding *a, struct err *err)
{
	AUTO(free) char *label = mem_printf("%s%s%s", a->name, *a->stack ? "@" : "", a->stack);
	AUTO(json) json_t *hook = NULL;
	int result = hook_read(&a->mount, label, &hook, err);

	if (!result)
		result = event_types_warn(&a->mount, json_object_get(hook, "event_types"), err);
	if (result)
		return result;
	if (print_is_json(args)) {
		print_json(hook);
		return EXIT_OK;
	}
	(void)printf("hook '%s' %s\nEvent type:  %s\nFile:        %s\nStatus:      %s\n", label,
		a->is_new ? "added" : "replaced", json_text(hook, "event_type"),
		json_text(hook, "file_path"), json_text(hook, "status"));
	return EXIT_OK;
}

static int
add_run(const struct args *args, struct err *err)
{
	AUTO(adding) struct adding a = {0};
	int result = choose(args, &a, err);

	if (!result && *a.stack)
		result = mount_check_name("a stack", a.stack, err);
	if (!result)
		result = mount_find(args, &a.mount, err);
	if (!result)
		result = check_place(args, &a, err);
	if (!result)
		result = put(args, &a, err);
	return result ? result : print_added(args, &a, err);
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
