/* The life of the hooks room: see hooks.h.
 *
 * It begins with what the store remembers: ids, counters, and the versions that were in service or
 * that unfinished events still match.  Then the files of a directory are looked at, of which most
 * are those of the versions in service; the others are loaded, and hooks whose file went meanwhile
 * are closed.  A stack that is added or removed later goes the same way. */
#include "fsd/hooks/hooks.h"

#include "base/auto.h"
#include "base/mem.h"
#include "fsd/hooks/flow.h"
#include "fsd/hooks/gate_keys.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

/* ---- the store's memory ---------------------------------------------------------------------- */

static void
restore_stats(struct hooks *hooks, const struct hook_stats *stats)
{
	struct hook *hook = hook_make(hook_dir_make(hooks, stats->stack), stats->name);

	if (hook->id)
		return; /* a name has one id; a second one would be the store's mistake */
	hook_set_id(hook, stats->hook_id);
	hook->version = stats->last_version;
	hook->runs = stats->runs;
	hook->failures = stats->failures;
	hook->last_run_ns = stats->last_run_ns;
	hook->created_ns = stats->created_ns;
	hook->updated_ns = stats->updated_ns;
}

/* The version in service of a hook: what is compared with its file. */
static void
restore_current(struct hook *hook, const struct hook_version *v, struct release *release,
	const struct hook_settings *settings, const char *script)
{
	hook->current = release;
	hook->hash = v->hash;
	hook_settings_fini(&hook->settings);
	hook_settings_copy(&hook->settings, settings);
	free(hook->script);
	hook->script = mem_strdup(script);
}

/* A version as `why` remembers it; one that cannot be read is missed there alone. */
static void
restore_span(struct hooks *hooks, const struct hook_version *v)
{
	struct hook *hook = hook_find_id(hooks, v->hook_id);
	AUTO(hook_settings) struct hook_settings settings = {0};
	AUTO(free) char *script = NULL;
	struct release_parts parts = {.settings = &settings,
		.version = v->version,
		.from_seq = v->from_seq,
		.to_seq = v->to_seq,
		.created_ns = v->created_ns};

	if (!hook || release_meta_read(v->meta, &parts, &settings, &script, NULL) != 0)
		return;
	free(settings.types);
	settings.types = mem_strdup(v->types);
	hook_span_add(hook, &parts);
}

/* A version that cannot be read, by a program that is older perhaps, keeps nobody from starting:
 * the file is loaded as a new one, and what the old one was to do ends as `removed`. */
static int
restore_version(struct hooks *hooks, const struct hook_version *v, struct err *err)
{
	struct hook *hook = hook_find_id(hooks, v->hook_id);
	AUTO(hook_settings) struct hook_settings settings = {0};
	struct release_parts parts = {.settings = &settings,
		.version = v->version,
		.from_seq = v->from_seq,
		.to_seq = v->to_seq,
		.created_ns = v->created_ns};
	AUTO(free) char *script = NULL;
	struct release *release;

	if (!hook)
		return err_set(err, EIO, "version %u belongs to no hook", v->version);
	if (release_meta_read(v->meta, &parts, &settings, &script, err) != 0)
		return err_wrap(err, EIO, "version %u of hook '%s'", v->version, hook->label);
	free(settings.types);
	settings.types = mem_strdup(v->types);
	release = release_add(hook, &parts);
	if (v->version > hook->version)
		hook->version = v->version;
	if (v->to_seq == 0)
		restore_current(hook, v, release, &settings, script);
	return 0;
}

static int
restore(struct hooks *hooks, struct err *err)
{
	struct hook_version_list versions = STAILQ_HEAD_INITIALIZER(versions);
	struct hook_version_list history = STAILQ_HEAD_INITIALIZER(history);
	struct hook_stats_list stats = STAILQ_HEAD_INITIALIZER(stats);
	struct hook_version *v;
	struct hook_stats *s;
	struct err bad = {0};
	int code = store_load_hooks(hooks->opt.store, &versions, &stats, err);

	if (code == 0)
		code = store_load_history(hooks->opt.store, &history, err);

	while ((s = STAILQ_FIRST(&stats))) {
		STAILQ_REMOVE_HEAD(&stats, link);
		restore_stats(hooks, s);
		hook_stats_free(s);
	}
	while ((v = STAILQ_FIRST(&history))) {
		STAILQ_REMOVE_HEAD(&history, link);
		restore_span(hooks, v);
		hook_version_free(v);
	}
	while ((v = STAILQ_FIRST(&versions))) {
		STAILQ_REMOVE_HEAD(&versions, link);
		if (code == 0 && restore_version(hooks, v, &bad) != 0)
			log_write(hooks->opt.log, LOG_LEVEL_ERROR, "%s", bad.msg);
		hook_version_free(v);
	}
	return code;
}

/* ---- directories ----------------------------------------------------------------------------- */

static void
on_scanned(void *arg, const char *file)
{
	struct hook_dir *dir = arg;
	AUTO(free) char *name = hook_stem(file);
	struct hook *hook;

	if (!name)
		return;
	hook = hook_make(dir, name);
	hook_show(hook, true);
	hook_load(hook);
}

static int
dir_open(struct hook_dir *dir, struct err *err)
{
	struct source_owner hooks_owner = {
		.arg = dir, .changed = hook_file_changed, .left = hook_file_left};
	struct source_owner lib_owner = {.arg = dir, .changed = hook_lib_changed};
	struct source_owner conf_owner = {.arg = dir, .changed = hook_conf_changed};
	struct tree *tree = dir->hooks->opt.tree;
	AUTO(free) char *hooks_path = mem_printf("%s/hooks", dir->state);
	AUTO(free) char *lib_path = mem_printf("%s/lib", dir->state);
	AUTO(free) char *conf_path = mem_printf("%s/hooks.d", dir->state);
	AUTO(free) char *hooks_shown = mem_printf("%s/hooks", dir->tree_path);
	AUTO(free) char *lib_shown = mem_printf("%s/lib", dir->tree_path);
	AUTO(free) char *conf_shown = mem_printf("%s/hooks.d", dir->tree_path); /* nowhere */
	int code = source_open(tree, lib_path, lib_shown, 0750, &lib_owner, &dir->lib, err);

	if (code == 0)
		code = source_open(tree, conf_path, conf_shown, 0750, &conf_owner, &dir->conf, err);
	if (code < 0)
		return code;
	return source_open(tree, hooks_path, hooks_shown, 0750, &hooks_owner, &dir->source, err);
}

static void
dir_close(struct hook_dir *dir)
{
	source_close(dir->source);
	source_close(dir->lib);
	source_close(dir->conf);
	dir->source = dir->lib = dir->conf = NULL;
}

/* Hooks in service whose file went while no master ran. */
static void
close_missing(struct hook_dir *dir)
{
	struct hook *hook;

	TAILQ_FOREACH (hook, &dir->list, dir_link)
		if (hook->current && !hook->has_file)
			hook_close(hook);
}

int
hooks_add_stack(struct hooks *hooks, const char *stack, struct err *err)
{
	struct hook_dir *dir = hook_dir_make(hooks, stack);
	int code = dir_open(dir, err);

	if (code == 0)
		code = hook_conf_load(dir, err);
	if (code == 0)
		code = source_scan(dir->source, on_scanned, dir, err);
	if (code < 0) {
		dir_close(dir);
		return code;
	}
	close_missing(dir);
	return 0;
}

static int
check_empty(const char *state, const char *below, const char *stack, struct err *err)
{
	AUTO(free) char *path = mem_printf("%s/%s", state, below);
	DIR *d = opendir(path);
	struct dirent *entry;
	int code = 0;

	if (!d)
		return errno == ENOENT ? 0 : err_set(err, errno, "%s: %s", path, strerror(errno));
	while (code == 0 && (entry = readdir(d)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			code = err_set(err, ENOTEMPTY, "stack '%s' still holds %s/%s", stack, below,
				entry->d_name);
	(void)closedir(d);
	return code;
}

int
hooks_remove_stack(struct hooks *hooks, const char *stack, struct err *err)
{
	struct hook_dir *dir = hook_dir_find(hooks, stack);
	struct hook *hook;

	if (!dir || !dir->source)
		return err_set(err, ENOENT, "there is no stack '%s'", stack);
	if (check_empty(dir->state, "hooks", stack, err) != 0 ||
		check_empty(dir->state, "lib", stack, err) != 0)
		return -ENOTEMPTY;
	dir_close(dir);
	TAILQ_FOREACH (hook, &dir->list, dir_link) {
		hook_show(hook, false);
		hook_close(hook);
	}
	hook_overrides_remove(dir);
	return 0;
}

/* ---- life ------------------------------------------------------------------------------------ */

int
hooks_new(const struct hooks_options *opt, struct hooks **ret_hooks, struct err *err)
{
	struct hooks *hooks = NEW(struct hooks);
	int code;

	hooks->opt = *opt;
	hooks->state_dir = mem_strdup(opt->state_dir);
	hooks->opt.state_dir = hooks->state_dir;
	LIST_INIT(&hooks->dirs);
	LIST_INIT(&hooks->globs);
	hook_loading_init(hooks);
	TAILQ_INIT(&hooks->logs);
	TAILQ_INIT(&hooks->gate_changes);
	STAILQ_INIT(&hooks->gate_removals);
	code = hook_stats_init(hooks, err);
	if (code == 0)
		code = restore(hooks, err);
	if (code == 0)
		code = hook_gates_load(hooks, err);
	if (code == 0)
		hook_logs_sweep(hooks);
	if (code == 0)
		code = hooks_add_stack(hooks, "", err);
	if (code < 0) {
		hooks_free(hooks);
		return code;
	}
	*ret_hooks = hooks;
	return 0;
}

void
hooks_start(struct hooks *hooks)
{
	struct hook_dir *dir;

	LIST_FOREACH (dir, &hooks->dirs, link)
		if (!dir->source)
			close_missing(dir);
}

void
hooks_set_defaults(
	struct hooks *hooks, unsigned timeout_ms, uint64_t memory_bytes, unsigned concurrency)
{
	hooks->defaults.timeout_ms = timeout_ms;
	hooks->defaults.memory_bytes = memory_bytes;
	hooks->defaults.concurrency = concurrency;
}

static void
hook_free(struct hook *hook)
{
	hook_alias_drop(hook);
	HASH_DELETE(by_name_hh, hook->dir->by_name, hook);
	if (hook->id)
		HASH_DELETE(by_id_hh, hook->hooks->by_id, hook);
	TAILQ_REMOVE(&hook->dir->list, hook, dir_link);
	release_drop_all(hook);
	hook_settings_fini(&hook->settings);
	hook_overrides_fini(&hook->overrides);
	hook_stats_fini(hook);
	gate_free(hook->gate);
	hook_spans_fini(hook);
	free(hook->script);
	free(hook->problem);
	free(hook->conf_problem);
	free(hook->conf_conditions);
	free(hook->label);
	free(hook->name);
	free(hook);
}

static void
dir_free(struct hook_dir *dir)
{
	struct hook *hook;

	while ((hook = TAILQ_FIRST(&dir->list)))
		hook_free(hook);
	LIST_REMOVE(dir, link);
	free(dir->tree_path);
	free(dir->state);
	free(dir->stack);
	free(dir);
}

static void
user_free(struct hooks *hooks, struct hook_user *user)
{
	HASH_DELETE(hh, hooks->users, user);
	free(user->name);
	free(user);
}

void
hooks_stop(struct hooks *hooks)
{
	struct hook_dir *dir;

	hooks->is_stopping = true;
	LIST_FOREACH (dir, &hooks->dirs, link)
		dir_close(dir);
	hook_stats_stop(hooks);
}

void
hooks_free(struct hooks *hooks)
{
	struct hook_dir *dir;
	struct hook_user *user, *next;

	if (!hooks)
		return;
	hooks_stop(hooks);
	hook_loading_fini(hooks);
	while ((dir = LIST_FIRST(&hooks->dirs)))
		dir_free(dir);
	HASH_ITER (hh, hooks->users, user, next)
		user_free(hooks, user);
	free(hooks->state_dir);
	free(hooks);
}
