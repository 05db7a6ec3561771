/* hooks.d/<hook>.conf as people write it: read at start, and when it was edited.
 *
 * It is taken whole or not at all.  One that cannot be read, says what is no setting, has a
 * condition that no worker can compile, or contradicts the script is told with its line, in
 * `errors` and in the hook's status; and while it stands there, nothing of the hook changes: the
 * version that was in service stays, with the settings it had, after a restart too.  A rule that
 * somebody wrote down does not vanish because of a slip in another line.
 *
 * A look that was overtaken, by another or by a write of ours, says nothing. */
#include "fsd/hooks/flow.h"

#include "base/auto.h"
#include "base/mem.h"
#include "fsd/workers/workers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define CONF_MAX (64 * 1024) /* bytes of one file */

static void
dir_auto(DIR **d)
{
	if (*d)
		(void)closedir(*d); /* read only */
}

char *
hook_conf_path(const struct hook_dir *dir, const char *name)
{
	return mem_printf("%s/hooks.d/%s.conf", dir->state, name);
}

/* The hook's name of "<hook>.conf"; NULL for other files. */
static char *
conf_stem(const char *file)
{
	size_t len = strlen(file);

	if (len < 6 || strcmp(file + len - 5, ".conf") != 0 || !hook_name_is_valid(file, len - 5))
		return NULL;
	return mem_strndup(file, len - 5);
}

/* What the file says does not hold. */
static void
refuse(struct hook *hook, struct err *err)
{
	struct hooks *hooks = hook->hooks;
	AUTO(free) char *path = hook_conf_path(hook->dir, hook->name);

	if (strncmp(err->msg, path, strlen(path)) != 0)
		(void)err_wrap(err, err->code, "%s", path);
	free(hook->conf_problem);
	hook->conf_problem = mem_strdup(err->msg);
	hooks->opt.services.report(hooks->opt.services.arg, path, err);
	hook_changed(hook, "status");
}

/* ---- conditions: users' code, which a worker judges ------------------------------------------ */

struct judging {
	hook_ready_fn *done;
	void *arg;
};

static void
on_checked(void *arg, int code, const char *meta, const struct err *err)
{
	struct judging *j = arg;

	(void)meta;
	j->done(j->arg, code, err);
	free(j);
}

void
hook_conditions_judge(
	struct hook *hook, const char *path, const char *lines, hook_ready_fn *done, void *arg)
{
	static const char script[] = "return {execute = print}";
	const struct hooks_services *services = &hook->hooks->opt.services;
	struct check_request req = {.path = path,
		.source = script,
		.source_len = sizeof(script) - 1,
		.lib_dirs = "",
		.match = lines,
		.uid = hook->current ? hook->current->code.uid : geteuid(),
		.gid = hook->current ? hook->current->code.gid : getegid()};
	struct judging *j;

	if (!lines[strspn(lines, " \t\r\n")]) {
		done(arg, 0, NULL);
		return;
	}
	j = NEW(struct judging);
	*j = (struct judging){done, arg};
	services->check(services->arg, &req, on_checked, j);
}

/* ---- at start -------------------------------------------------------------------------------- */

static int
read_file(const char *path, struct sbuf *out, struct err *err)
{
	AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return err_set(err, errno, "%s: %s", path, strerror(errno));
	do {
		got = read(fd, sbuf_room(out, 4096), 4096);
		if (got < 0)
			return err_set(err, errno, "%s: %s", path, strerror(errno));
		out->len += (size_t)got;
	} while (got > 0 && out->len <= CONF_MAX);
	sbuf_add(out, "", 0);
	return got == 0 ? 0 : err_set(err, EFBIG, "%s is over %d bytes", path, CONF_MAX);
}

/* Its conditions, unless they are those of the version in service: judged before, by a worker. */
static char *
new_conditions(const struct hook *hook, const char *text)
{
	const char *says = hook->overrides.text[SETTING_RULES + RULE_MATCH];
	const char *holds = hook->current ? hook->settings.rules.match : NULL;
	struct sbuf lines = {0};

	if (!says || !strcmp(says, holds ? holds : "off"))
		return NULL;
	hook_overrides_conditions(text, &lines);
	return sbuf_take(&lines);
}

/* There are no workers yet: what only they can judge waits until the hook is loaded. */
static void
load_one(struct hook_dir *dir, const char *name)
{
	struct hook *hook = hook_make(dir, name);
	AUTO(free) char *path = hook_conf_path(dir, name);
	AUTO(sbuf) struct sbuf text = {0};
	struct err err = {0};
	int code = read_file(path, &text, &err);

	if (code == 0)
		code = hook_overrides_parse(&hook->overrides, sbuf_str(&text), &err);
	if (code == 0) {
		hook->conf_conditions = new_conditions(hook, sbuf_str(&text));
		return;
	}
	hook_overrides_fini(&hook->overrides);
	refuse(hook, &err);
}

int
hook_conf_load(struct hook_dir *dir, struct err *err)
{
	AUTO(free) char *path = mem_printf("%s/hooks.d", dir->state);
	AUTO(dir) DIR *d = NULL;
	struct dirent *entry;

	d = opendir(path);
	if (!d)
		return err_set(err, errno, "%s: %s", path, strerror(errno));
	while ((entry = readdir(d))) {
		AUTO(free) char *name = conf_stem(entry->d_name);

		if (name)
			load_one(dir, name);
	}
	return 0;
}

struct settling {
	struct hook *hook;
	unsigned serial;
	hook_ready_fn *done;
	void *arg;
};

static void
on_settled(void *arg, int code, const struct err *err)
{
	struct settling *s = arg;
	struct err why = err ? *err : (struct err){0};

	if (code < 0 && code != -ECANCELED && s->serial == s->hook->conf_serial) {
		hook_overrides_fini(&s->hook->overrides);
		refuse(s->hook, &why);
	}
	s->done(s->arg, code, err);
	free(s);
}

void
hook_conf_settle(struct hook *hook, hook_ready_fn *done, void *arg)
{
	AUTO(free) char *path = hook_conf_path(hook->dir, hook->name);
	AUTO(free) char *lines = TAKE(hook->conf_conditions);
	struct settling *s = NEW(struct settling);

	*s = (struct settling){hook, hook->conf_serial, done, arg};
	hook_conditions_judge(hook, path, lines ? lines : "", on_settled, s);
}

/* ---- edited by hand -------------------------------------------------------------------------- */

struct edit {
	struct hook *hook;
	unsigned serial;
	struct hook_overrides says;
};

static void
edit_free(struct edit *edit)
{
	hook_overrides_fini(&edit->says);
	free(edit);
}

static bool
is_overtaken(const struct edit *edit)
{
	const struct hook *hook = edit->hook;

	return hook->hooks->is_stopping || !hook->dir->conf || hook->conf_writes > 0 ||
	       edit->serial != hook->conf_serial;
}

static bool
is_news(const struct edit *edit)
{
	AUTO(sbuf) struct sbuf before = {0}, after = {0};

	hook_overrides_format(&edit->hook->overrides, &before);
	hook_overrides_format(&edit->says, &after);
	return edit->hook->conf_problem || strcmp(sbuf_str(&before), sbuf_str(&after)) != 0;
}

static void
on_applied(void *arg, int code, const struct err *err)
{
	struct hook *hook = arg;

	if (code < 0)
		log_write(hook->hooks->opt.log, LOG_LEVEL_ERROR, "hook '%s': %s", hook->label,
			err->msg);
}

/* What the file says is good by itself.  A script that was saved meanwhile has waited for it. */
static void
edit_take(struct edit *edit)
{
	struct hook *hook = edit->hook;
	struct hook_overrides before = hook->overrides;
	struct err err = {0};

	hook->overrides = edit->says;
	edit->says = before;
	if (hook_overrides_check(hook, &err) != 0) {
		edit->says = hook->overrides;
		hook->overrides = before;
		refuse(hook, &err);
		return;
	}
	free(TAKE(hook->conf_conditions));
	hook_apply(hook, on_applied, hook);
	if (hook->conf_problem && hook->has_file)
		hook_load(hook);
	free(TAKE(hook->conf_problem));
	hook_changed(hook, "status");
}

static void
on_edit_judged(void *arg, int code, const struct err *err)
{
	struct edit *edit = arg;
	struct err why = err ? *err : (struct err){0};

	if (code == 0 && !is_overtaken(edit))
		edit_take(edit);
	else if (code != -ECANCELED && !is_overtaken(edit))
		refuse(edit->hook, &why);
	edit_free(edit);
}

static void
on_edit_read(void *arg, int code, struct source_file *file, const struct err *err)
{
	struct edit *edit = arg;
	const char *text = code == 0 ? file->data : "";
	AUTO(free) char *path = hook_conf_path(edit->hook->dir, edit->hook->name);
	AUTO(sbuf) struct sbuf lines = {0};
	struct err why = *err;

	if (code == -ENOENT)
		code = 0;
	if (code == 0)
		code = hook_overrides_parse(&edit->says, text, &why);
	if (is_overtaken(edit) || (code == 0 && !is_news(edit))) {
		edit_free(edit);
	} else if (code < 0) {
		refuse(edit->hook, &why);
		edit_free(edit);
	} else {
		hook_overrides_conditions(text, &lines);
		hook_conditions_judge(edit->hook, path, sbuf_str(&lines), on_edit_judged, edit);
	}
}

static void
look(struct hook_dir *dir, const char *file)
{
	AUTO(free) char *name = conf_stem(file);
	struct edit *edit;

	if (!name || !dir->conf)
		return;
	edit = NEW(struct edit);
	edit->hook = hook_make(dir, name);
	edit->serial = ++edit->hook->conf_serial;
	source_read(dir->conf, file, CONF_MAX, on_edit_read, edit);
}

void
hook_conf_changed(void *dir, enum source_change what, const char *name, const char *new_name)
{
	if (what == SOURCE_BEGUN)
		return;
	look(dir, name);
	if (what == SOURCE_RENAMED)
		look(dir, new_name);
}
