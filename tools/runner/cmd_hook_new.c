/* `hook new` and `hook templates`: a hook from a template of the mount, with values for its
 * parameters.  Everything is checked before anything is written; the script that is put into hooks/
 * bears its parameters, so that it can be changed by hand, and be a template itself. */
#include "tools/runner/commands.h"

#include "base/auto.h"
#include "base/mem.h"
#include "tools/runner/event.h"
#include "tools/runner/placing.h"
#include "tools/runner/print.h"
#include "tools/runner/template.h"

#include <stdio.h>
#include <string.h>

/* ---- which there are ------------------------------------------------------------------------ */

/* Returns owned: "webhook.lua" -> "webhook". */
static char *
without_lua(const char *name)
{
	size_t len = strlen(name);

	return mem_strndup(name, len > 4 && !strcmp(name + len - 4, ".lua") ? len - 4 : len);
}

/* One of the mount, or a file when the name has a slash. */
static int
load(const struct mount *mount, const char *name, struct template *ret_template, struct err *err)
{
	const struct mount nowhere = {.root = NULL};
	AUTO(free) char *own = without_lua(name);
	AUTO(free) char *path = NULL;
	AUTO(sbuf) struct sbuf source = {0};
	int result;

	if (strchr(name, '/')) {
		result = mount_read(&nowhere, name, &source, err);
		return result ? result : template_parse(name, &source, ret_template, err);
	}
	path = mount_path(mount, PLACE_TEMPLATE, NULL, own);
	if (!mount_exists(mount, path))
		return err_set(err, EINVAL,
			"there is no template '%s'; sloth-runner hook templates lists them", own);
	result = mount_read(mount, path, &source, err);
	return result ? result : template_parse(own, &source, ret_template, err);
}

static void
print_template(const json_t *template)
{
	static const char *const heads[] = {"PARAMETER", "TYPE", "DEFAULT", "MEANING", NULL};
	struct table *table = table_new(heads, -1);
	json_t *param;
	size_t i;

	(void)printf("%s\n%s\n", json_text(template, "name"), json_text(template, "description"));
	json_array_foreach (json_object_get(template, "parameters"), i, param) {
		json_t *preset = json_object_get(param, "default");
		AUTO(free) char *shown = json_is_string(preset)
						 ? mem_strdup(json_string_value(preset))
						 : json_dumps(preset, JSON_ENCODE_ANY);
		bool is_required = json_is_true(json_object_get(param, "required"));

		table_add(table,
			(const char *[]){json_text(param, "name"), json_text(param, "type"),
				is_required ? "(required)" : shown, json_text(param, "help")});
	}
	table_print(table);
}

static int
print_templates(const struct args *args, const json_t *templates)
{
	json_t *template;
	size_t i;

	if (print_is_json(args)) {
		print_json(templates);
		return EXIT_OK;
	}
	json_array_foreach (templates, i, template) {
		(void)fputs(i ? "\n" : "", stdout);
		print_template(template);
	}
	return EXIT_OK;
}

/* All of the mount, or the one named. */
static int
read_templates(const struct mount *mount, const char *only, json_t *templates, struct err *err)
{
	AUTO(free) char *place = mount_path(mount, PLACE_TEMPLATES, NULL, NULL);
	AUTO(names) struct names names = {0};
	int result = 0;

	if (only)
		names_add(&names, only);
	else
		result = mount_list(mount, place, 0, &names, err);
	for (size_t i = 0; !result && i < names.count; i++) {
		AUTO(template) struct template t = {0};

		result = load(mount, names.list[i], &t, err);
		if (!result)
			(void)json_array_append_new(templates, template_json(&t));
	}
	return result;
}

static int
list_templates(const struct args *args, const char *only, struct err *err)
{
	AUTO(mount) struct mount mount = {0};
	AUTO(json) json_t *templates = json_array();
	int result = mount_find(args, &mount, err);

	if (!result)
		result = read_templates(&mount, only, templates, err);
	return result ? result : print_templates(args, templates);
}

/* ---- filling one in ------------------------------------------------------------------------- */

static int
set_one(struct template *t, const char *assignment, struct err *err)
{
	const char *equals = strchr(assignment, '=');
	AUTO(free) char *name = NULL;

	if (!equals || equals == assignment)
		return err_set(err, EINVAL, "'--set %s' has to be --set NAME=VALUE", assignment);
	name = mem_strndup(assignment, (size_t)(equals - assignment));
	return template_set(t, name, equals + 1, err);
}

static int
set_all(const struct args *args, struct template *t, struct err *err)
{
	const char *assignment, *event = args_str(args, "event");
	int result = 0;

	for (size_t i = 0; !result && (assignment = args_nth(args, "set", i)); i++)
		result = set_one(t, assignment, err);
	return !result && event ? template_set(t, "events", event, err) : result;
}

static int
put(const struct args *args, const struct placing *p, struct err *err)
{
	AUTO(template) struct template t = {0};
	AUTO(sbuf) struct sbuf script = {0}, status = {0};
	int result = load(&p->mount, args_str(args, "template"), &t, err);

	if (!result)
		result = set_all(args, &t, err);
	if (!result)
		result = template_fill(&t, &script, err);
	if (!result)
		result = placing_install(p, &script, &status, err);
	if (result)
		return result;
	result = placing_judge(sbuf_str(&status), p->name, err);
	if (result)
		placing_take_back(p);
	return result;
}

static int
new_run(const struct args *args, struct err *err)
{
	AUTO(placing) struct placing p = {0};
	int result;

	if (args_bool(args, "list"))
		return list_templates(args, args_str(args, "template"), err);
	if (!args_word(args, 0))
		return err_set(err, EINVAL, "a new hook needs a name: hook new NAME --template T");
	if (!args_str(args, "template"))
		return err_set(err, EINVAL,
			"say which template: --template T; sloth-runner hook templates lists them");
	result = placing_find(args, args_word(args, 0), args_str(args, "stack"),
		args_bool(args, "force"), &p, err);
	if (!result)
		result = put(args, &p, err);
	return result ? result : placing_print(args, &p, err);
}

static const struct flag new_flags[] = {
	{.name = "template",
		.letter = 't',
		.kind = FLAG_STR,
		.value = "T",
		.help = "one of hook templates, or a file with a slash in its name"},
	{.name = "set",
		.kind = FLAG_STR,
		.value = "NAME=VALUE",
		.help = "a parameter of the template; may be given several times"},
	{.name = "event",
		.letter = 'e',
		.kind = FLAG_STR,
		.value = "TYPE",
		.help = "when it runs: the same as --set events=TYPE"},
	{.name = "stack", .letter = 's', .kind = FLAG_STR, .value = "STACK", .help = "its stack"},
	{.name = "force", .kind = FLAG_BOOL, .help = "replace a hook of that name"},
	{.name = "list", .kind = FLAG_BOOL, .help = "list the templates instead"},
	FLAG_OUTPUT,
	{0},
};

const struct cmd cmd_hook_new = {
	.name = "new",
	.words = "NAME",
	.words_max = 1,
	.flags = new_flags,
	.summary = "Make a hook from a template",
	.text = "Fills the parameters in, checks them, and puts the script into hooks/.  Without\n"
		"values a copy of the template does the same: cp templates/hooks/T.lua hooks/.",
	.examples =
		"sloth-runner hook new tell --template webhook --set url=https://example.org/x\n"
		"sloth-runner hook new tidy -t clean_disk --set directory=/var/tmp \\\n"
		"    --set older_than=3d --event system.disk_full",
	.run = new_run,
};

/* ---- templates ------------------------------------------------------------------------------ */

static int
templates_run(const struct args *args, struct err *err)
{
	return list_templates(args, args_word(args, 0), err);
}

static const struct flag templates_flags[] = {FLAG_OUTPUT, {0}};

const struct cmd cmd_hook_templates = {
	.name = "templates",
	.words = "[T]",
	.words_max = 1,
	.flags = templates_flags,
	.summary = "List the templates with their parameters",
	.examples = "sloth-runner hook templates\n"
		    "sloth-runner hook templates webhook -o json",
	.run = templates_run,
};
