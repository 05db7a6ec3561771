/* What is written to ctl/hooks/<hook>/, kept in hooks.d/<hook>.conf: a plain file beside the
 * sources with lines `key = value`.
 *
 * What is in memory is what holds; the file is written whole, beside its place and renamed over it,
 * on the file lane, and the write that asked for it is answered when that is done.  The lane keeps
 * the order, so the last answer is about the last content.  How the file is read is conf.c. */
#include "fsd/hooks/flow.h"

#include "base/auto.h"
#include "base/file.h"
#include "base/mem.h"
#include "fsd/lane.h"
#include "fsd/workers/workers.h"

#include <errno.h>
#include <string.h>

/* ---- writing --------------------------------------------------------------------------------- */

struct conf_job {
	struct lane_job job; /* first */
	struct hook *hook;
	char *path, *old_path; /* old_path: renamed from; NULL */
	char *text;            /* "": no file; NULL: the old one's as it stands */
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

	if (!job->text)
		job->code = rename(job->old_path, job->path) == 0 ? 0 : -errno;
	else if (job->text[0])
		job->code = file_replace(job->path, job->text, strlen(job->text), 0640);
	else if (unlink(job->path) != 0 && errno != ENOENT)
		job->code = -errno;
	if (job->code == 0 && job->text && job->old_path && unlink(job->old_path) != 0 &&
		errno != ENOENT)
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
		if (hook->is_at_odds && hook->has_file)
			hook_load(hook);
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
	hook->conf_serial++;
	job->path = hook_conf_path(hook->dir, hook->name);
	job->text = sbuf_take(&text);
	return job;
}

int
hook_overrides_check(struct hook *hook, struct err *err)
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
	if (hook_overrides_check(hook, err) != 0) {
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

struct written {
	struct hook *hook;
	char *text;
	hook_ready_fn *done;
	void *arg;
};

static void
on_judged(void *arg, int code, const struct err *err)
{
	struct written *w = arg;
	struct err why = {0};

	if (code == 0) {
		code = write_override(
			w->hook, SETTING_RULES + RULE_MATCH, w->text, w->done, w->arg, &why);
		err = &why;
	}
	if (code < 0)
		w->done(w->arg, code, err);
	free(w->text);
	free(w);
}

static void
judge(struct hook *hook, const char *text, hook_ready_fn *done, void *arg)
{
	struct written *w = NEW(struct written);

	*w = (struct written){hook, mem_strdup(text), done, arg};
	hook_conditions_judge(hook, hook_rule_name(RULE_MATCH), text, on_judged, w);
}

int
hook_override_write(struct hook *hook, enum hook_setting setting, const char *text,
	hook_ready_fn *done, void *arg, struct err *err)
{
	AUTO(hook_settings) struct hook_settings settings = {0};
	bool is_empty = !text[strspn(text, " \t\r\n")];

	if (hook->conf_problem)
		return err_set(err, EBUSY, "%s: mend the file or remove it", hook->conf_problem);
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

	if (hook_overrides_is_empty(&hook->overrides) && !hook->conf_problem)
		return;
	job = conf_job_new(hook);
	if (hook->conf_problem)
		free(TAKE(job->text));
	job->old_path = hook_conf_path(hook->dir, old_name);
	lane_submit(hook->hooks->opt.files, &job->job);
}

void
hook_overrides_remove(struct hook_dir *dir)
{
	AUTO(free) char *path = mem_printf("%s/hooks.d", dir->state);
	struct hook *hook;

	TAILQ_FOREACH (hook, &dir->list, dir_link) {
		AUTO(free) char *conf = hook_conf_path(dir, hook->name);

		hook_overrides_fini(&hook->overrides);
		free(TAKE(hook->conf_problem));
		(void)unlink(conf); /* most hooks have none */
	}
	(void)rmdir(path); /* what is left was put there by hand and shows in the stack's rmdir */
}
