/* Overrides on disk: hooks.d/<hook>.conf, a plain file beside the sources with lines `key = value`.
 *
 * What is in memory is what holds; the file is written whole, beside its place and renamed over it,
 * on the file lane, and the write that asked for it is answered when that is done.  The lane keeps
 * the order, so the last answer is about the last content.  The files are read at start, and when
 * they have changed: what was edited by hand then holds, what we wrote is what holds already. */
#include "fsd/hooks/flow.h"

#include "base/auto.h"
#include "base/file.h"
#include "base/mem.h"
#include "fsd/lane.h"
#include "fsd/workers/workers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define CONF_MAX (64 * 1024) /* bytes of one file */

static void
dir_auto(DIR **d)
{
	if (*d)
		(void)closedir(*d); /* read only */
}

static char *
conf_path(const struct hook_dir *dir, const char *name)
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

/* ---- reading --------------------------------------------------------------------------------- */

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

/* A file that cannot be read must not stop the daemon: the hook then does what its script says, and
 * the error is told. */
static void
load_one(struct hook_dir *dir, const char *name)
{
	struct hooks *hooks = dir->hooks;
	struct hook *hook = hook_make(dir, name);
	AUTO(free) char *path = conf_path(dir, name);
	AUTO(sbuf) struct sbuf text = {0};
	struct err err = {0};
	int code = read_file(path, &text, &err);

	hook_overrides_fini(&hook->overrides);
	if (code == 0 && hook_overrides_parse(&hook->overrides, sbuf_str(&text), &err) != 0)
		code = err_wrap(&err, EINVAL, "%s", path);
	if (code < 0)
		hooks->opt.services.report(hooks->opt.services.arg, path, &err);
}

int
hook_overrides_load(struct hook_dir *dir, struct err *err)
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

/* ---- edited by hand -------------------------------------------------------------------------- */

struct conf_edit {
	struct hook_dir *dir;
	char *name; /* of the hook */
};

static void
edit_fails(struct conf_edit *edit, const struct err *err)
{
	struct hooks *hooks = edit->dir->hooks;
	AUTO(free) char *path = conf_path(edit->dir, edit->name);

	hooks->opt.services.report(hooks->opt.services.arg, path, err);
}

static void
on_edit_applied(void *arg, int code, const struct err *err)
{
	struct conf_edit *edit = arg;

	if (code < 0)
		edit_fails(edit, err);
	free(edit->name);
	free(edit);
}

/* Gives to edit what the file says.  Whether that is news. */
static bool
take_edit(struct conf_edit *edit, int code, const struct source_file *file, struct err *err)
{
	struct hook *hook = hook_make(edit->dir, edit->name);
	struct hook_overrides fresh = {0};
	AUTO(sbuf) struct sbuf before = {0}, after = {0};

	if (code == 0)
		code = hook_overrides_parse(&fresh, file->data, err);
	if (code < 0 && code != -ENOENT)
		edit_fails(edit, err);
	hook_overrides_format(&hook->overrides, &before);
	hook_overrides_format(&fresh, &after);
	if ((code < 0 && code != -ENOENT) || hook->conf_writes > 0 ||
		strcmp(sbuf_str(&before), sbuf_str(&after)) == 0) {
		hook_overrides_fini(&fresh);
		return false;
	}
	hook_overrides_fini(&hook->overrides);
	hook->overrides = fresh;
	return true;
}

static void
on_edit_read(void *arg, int code, struct source_file *file, const struct err *err)
{
	struct conf_edit *edit = arg;
	struct err why = *err;

	if (!edit->dir->hooks->is_stopping && edit->dir->conf && take_edit(edit, code, file, &why))
		hook_apply(hook_make(edit->dir, edit->name), on_edit_applied, edit);
	else
		on_edit_applied(edit, 0, NULL);
}

static void
conf_look(struct hook_dir *dir, const char *file)
{
	AUTO(free) char *name = conf_stem(file);
	struct conf_edit *edit;

	if (!name || !dir->conf)
		return;
	edit = NEW(struct conf_edit);
	*edit = (struct conf_edit){dir, TAKE(name)};
	source_read(dir->conf, file, CONF_MAX, on_edit_read, edit);
}

void
hook_conf_changed(void *dir, enum source_change what, const char *name, const char *new_name)
{
	if (what == SOURCE_BEGUN)
		return;
	conf_look(dir, name);
	if (what == SOURCE_RENAMED)
		conf_look(dir, new_name);
}

/* ---- writing --------------------------------------------------------------------------------- */

struct conf_job {
	struct lane_job job; /* first */
	struct hook *hook;
	char *path, *old_path; /* old_path: renamed from; NULL */
	char *text;            /* "": no file */
	struct err err;
	int code;
	/* the override that was written, for taking it back */
	enum hook_setting setting;
	char *before, *after;
	hook_ready_fn *done; /* NULL: nobody waits */
	void *arg;
};

static void
conf_run(struct lane_job *lane_job)
{
	struct conf_job *job = (struct conf_job *)lane_job;

	if (job->text[0])
		job->code = file_replace(job->path, job->text, strlen(job->text), 0640);
	else if (unlink(job->path) != 0 && errno != ENOENT)
		job->code = -errno;
	if (job->code == 0 && job->old_path && unlink(job->old_path) != 0 && errno != ENOENT)
		job->code = -errno;
	if (job->code < 0)
		(void)err_set(&job->err, -job->code, "%s cannot be written: %s", job->path,
			strerror(-job->code)); /* told in conf_done */
}

static void
conf_free(struct conf_job *job)
{
	free(job->path);
	free(job->old_path);
	free(job->text);
	free(job->before);
	free(job->after);
	free(job);
}

/* Not on disk: the override is taken back, unless another was written after it. */
static void
take_back(struct conf_job *job)
{
	char **text = &job->hook->overrides.text[job->setting];

	if (strcmp(*text ? *text : "", job->after ? job->after : "") != 0)
		return;
	free(*text);
	*text = TAKE(job->before);
}

static void
conf_done(struct lane_job *lane_job)
{
	struct conf_job *job = (struct conf_job *)lane_job;
	struct hook *hook = job->hook;

	hook->conf_writes--;
	if (!job->done) {
		if (job->code < 0)
			log_write(hook->hooks->opt.log, LOG_LEVEL_ERROR, "%s", job->err.msg);
	} else if (job->code < 0) {
		take_back(job);
		job->done(job->arg, job->code, &job->err);
	} else {
		hook_apply(hook, job->done, job->arg);
	}
	conf_free(job);
}

static struct conf_job *
conf_job_new(struct hook *hook)
{
	struct conf_job *job = NEW(struct conf_job);
	AUTO(sbuf) struct sbuf text = {0};

	hook_overrides_format(&hook->overrides, &text);
	job->job.run = conf_run;
	job->job.done = conf_done;
	job->hook = hook;
	hook->conf_writes++;
	job->path = conf_path(hook->dir, hook->name);
	job->text = sbuf_take(&text);
	return job;
}

/* Whether what the script says goes together with what overrides it now. */
static int
check_override(struct hook *hook, struct err *err)
{
	AUTO(hook_settings) struct hook_settings settings = {0};

	return hook->current ? hook_effective(hook, hook->script, &settings, err) : 0;
}

static int
write_override(struct hook *hook, enum hook_setting setting, const char *text, hook_ready_fn *done,
	void *arg, struct err *err)
{
	AUTO(free) char *before = mem_strdup(hook->overrides.text[setting]);
	struct conf_job *job;

	if (hook_override_set(&hook->overrides, setting, text, err) != 0)
		return -EINVAL;
	if (check_override(hook, err) != 0) {
		free(hook->overrides.text[setting]);
		hook->overrides.text[setting] = TAKE(before);
		return -EINVAL;
	}
	job = conf_job_new(hook);
	job->setting = setting;
	job->before = TAKE(before);
	job->after = mem_strdup(hook->overrides.text[setting]);
	job->done = done;
	job->arg = arg;
	lane_submit(hook->hooks->opt.files, &job->job);
	return 0;
}

/* ---- conditions ------------------------------------------------------------------------------ */

/* Regular expressions are users' code: a worker judges them. */
struct judging {
	struct hook *hook;
	char *text;
	hook_ready_fn *done;
	void *arg;
};

static void
on_judged(void *arg, int code, const char *meta, const struct err *err)
{
	struct judging *j = arg;
	struct err why = {0};

	(void)meta;
	if (code == 0) {
		code = write_override(
			j->hook, SETTING_RULES + RULE_MATCH, j->text, j->done, j->arg, &why);
		err = &why;
	}
	if (code < 0)
		j->done(j->arg, code, err);
	free(j->text);
	free(j);
}

static void
judge(struct hook *hook, const char *text, hook_ready_fn *done, void *arg)
{
	static const char script[] = "return {execute = print}";
	const struct hooks_services *services = &hook->hooks->opt.services;
	AUTO(free) char *path = mem_printf("ctl/hooks/%s/match", hook->label);
	struct check_request req = {.path = path,
		.source = script,
		.source_len = sizeof(script) - 1,
		.lib_dirs = "",
		.match = text,
		.uid = hook->current ? hook->current->code.uid : geteuid(),
		.gid = hook->current ? hook->current->code.gid : getegid()};
	struct judging *j = NEW(struct judging);

	*j = (struct judging){hook, mem_strdup(text), done, arg};
	services->check(services->arg, &req, on_judged, j);
}

int
hook_override_write(struct hook *hook, enum hook_setting setting, const char *text,
	hook_ready_fn *done, void *arg, struct err *err)
{
	AUTO(hook_settings) struct hook_settings settings = {0};
	bool is_empty = !text[strspn(text, " \t\r\n")];

	if (!is_empty && hook_setting_parse(&settings, setting, text, err) != 0)
		return -EINVAL;
	if (!settings.rules.match)
		return write_override(hook, setting, text, done, arg, err);
	judge(hook, text, done, arg);
	return 0;
}

void
hook_overrides_rename(struct hook *hook, const char *old_name)
{
	struct conf_job *job;

	if (hook_overrides_is_empty(&hook->overrides))
		return;
	job = conf_job_new(hook);
	job->old_path = conf_path(hook->dir, old_name);
	lane_submit(hook->hooks->opt.files, &job->job);
}

void
hook_overrides_remove(struct hook_dir *dir)
{
	AUTO(free) char *path = mem_printf("%s/hooks.d", dir->state);
	struct hook *hook;

	TAILQ_FOREACH (hook, &dir->list, dir_link) {
		AUTO(free) char *conf = conf_path(dir, hook->name);

		hook_overrides_fini(&hook->overrides);
		(void)unlink(conf); /* most hooks have none */
	}
	(void)rmdir(path); /* what is left was put there by hand and shows in the stack's rmdir */
}
