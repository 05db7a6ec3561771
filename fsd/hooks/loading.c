/* From a saved file to a version in service: begun, queued, read on the file lane, checked by a
 * worker, put in service or refused.
 *
 * One load of a hook is under way at a time; a change meanwhile marks it stale and it starts over.
 * At most HOOK_LOADS_MAX hooks load at once, so that ten thousand files at start hold little
 * memory; those whose bytes are the ones in service need no worker.
 *
 * A removal is a registration as well, which ends after HOOK_GRACE_MS unless the file returns:
 * editors that save by renaming the old file away never take a hook out of service. */
#include "fsd/hooks/flow.h"

#include "base/auto.h"
#include "base/mem.h"
#include "fsd/workers/workers.h"

#include <sodium.h>
#include <string.h>
#include <sys/stat.h>

/* One read and check of a hook's file. */
struct load {
	struct hook *hook;
	struct hook_file file;
};

static void loads_start(struct hooks *hooks);

/* The load is over: the next one may start. */
static void
load_end(struct load *load)
{
	struct hooks *hooks = load->hook->hooks;

	free(load->file.source);
	free(load);
	hooks->loads--;
	loads_start(hooks);
}

/* Whether the file changed or went while it was loaded; then this load says nothing. */
static bool
is_overtaken(struct hook *hook)
{
	if (!hook->is_stale)
		return false;
	hook->is_stale = hook->is_loading = false;
	if (hook->has_file)
		hook_load(hook);
	return true;
}

static void
set_problem(struct hook *hook, const struct err *err)
{
	struct hooks *hooks = hook->hooks;
	AUTO(free) char *path = hook_path(hook);

	free(hook->problem);
	hook->problem = mem_strdup(err->msg);
	hook->is_at_odds = false;
	hooks->opt.services.report(hooks->opt.services.arg, path, err);
}

static void
refuse(struct load *load, const struct err *err)
{
	load->hook->is_loading = false;
	set_problem(load->hook, err);
	hook_barrier_end(load->hook);
	load_end(load);
}

static void
serve(struct load *load, const char *script)
{
	AUTO(hook_settings) struct hook_settings settings = {0};
	struct hook *hook = load->hook;
	AUTO(free) char *path = hook_path(hook);
	struct err err = {0};
	int code = hook_effective(hook, script, &settings, &err);

	if (code < 0) {
		code = err_wrap(&err, EINVAL, "%s", path + 1);
		refuse(load, &err);
		hook->is_at_odds = true;
		return;
	}
	hook->is_loading = hook->is_at_odds = false;
	hook_serve(hook, &load->file, script, &settings);
	free(TAKE(hook->problem));
	hook_barrier_end(hook);
	load_end(load);
}

static void
on_checked(void *arg, int code, const char *meta, const struct err *err)
{
	struct load *load = arg;

	if (load->hook->hooks->is_stopping || is_overtaken(load->hook)) {
		load_end(load); /* a check that the stop cut short says nothing about the file */
	} else if (code < 0) {
		refuse(load, err);
	} else {
		serve(load, meta);
	}
}

static void
check(struct load *load)
{
	struct hook *hook = load->hook;
	const struct hooks_services *services = &hook->hooks->opt.services;
	AUTO(free) char *path = hook_path(hook);
	AUTO(free) char *lib_dirs = release_lib_dirs(hook->dir, NULL);
	struct check_request req = {.path = path + 1,
		.source = load->file.source,
		.source_len = load->file.len,
		.lib_dirs = lib_dirs,
		.uid = load->file.uid,
		.gid = load->file.gid};

	services->check(services->arg, &req, on_checked, load);
}

/* The rule of cron: who may write a file that runs as its owner, or put another one in its place,
 * is its owner alone. */
static int
check_rights(const struct hook *hook, const struct source_file *file, struct err *err)
{
	AUTO(free) char *path = hook_path(hook);

	if (file->mode & (S_IWGRP | S_IWOTH))
		return err_set(err, EPERM,
			"%s: others than its owner may write it, and it would run as %s: chmod "
			"go-w it",
			path + 1, hook_user(hook->hooks, file->uid)->name);
	if (file->dir_mode & (S_IWGRP | S_IWOTH))
		return err_set(err, EPERM,
			"%s: others may write its directory, and it would run as %s: chmod go-w "
			"the directory",
			path + 1, hook_user(hook->hooks, file->uid)->name);
	if (file->open_dir)
		return err_set(err, EPERM,
			"%s: others may write '%s', in which it lies, and it would run as %s: "
			"chmod go-w '%s' and save the hook again",
			path + 1, file->open_dir, hook_user(hook->hooks, file->uid)->name,
			file->open_dir);
	return 0;
}

static uint64_t
hash_of(const char *data, size_t len)
{
	unsigned char sum[crypto_generichash_BYTES_MIN];
	uint64_t hash;

	crypto_generichash(sum, sizeof(sum), (const unsigned char *)data, len, NULL, 0);
	memcpy(&hash, sum, sizeof(hash));
	return hash;
}

static int
take_file(struct load *load, struct source_file *file, struct err *err)
{
	load->file.uid = geteuid();
	load->file.gid = getegid();
	if (load->file.uid == 0) {
		if (check_rights(load->hook, file, err) != 0)
			return -EPERM;
		load->file.uid = file->uid;
		load->file.gid = hook_user(load->hook->hooks, file->uid)->gid;
	}
	load->file.source = file->data ? TAKE(file->data) : mem_strdup("");
	load->file.len = file->len;
	load->file.hash = hash_of(load->file.source, load->file.len);
	return 0;
}

/* The settings beside the file are judged: now the file itself. */
static void
on_conf_settled(void *arg, int code, const struct err *err)
{
	struct load *load = arg;
	struct hook *hook = load->hook;

	(void)code, (void)err; /* told, and in conf_problem */
	if (hook->hooks->is_stopping || is_overtaken(hook)) {
		load_end(load);
	} else if (hook->conf_problem) {
		hook->is_loading = false;
		hook_barrier_end(hook);
		load_end(load);
	} else if (hook->current && load->file.hash == hook->hash) {
		AUTO(free) char *script = mem_strdup(hook->script);

		serve(load, script);
	} else {
		check(load);
	}
}

static void
on_read(void *arg, int code, struct source_file *file, const struct err *err)
{
	struct load *load = arg;
	struct hook *hook = load->hook;
	struct err why = {0};

	if (is_overtaken(hook)) {
		load_end(load);
	} else if (code == -ENOENT) { /* gone again, and nobody saw it go */
		hook->is_loading = false;
		hook_show(hook, false);
		hook_close(hook);
		load_end(load);
	} else if (code < 0) {
		refuse(load, err);
	} else if (take_file(load, file, &why) != 0) {
		refuse(load, &why);
	} else {
		hook_conf_settle(hook, on_conf_settled, load);
	}
}

static void
load_start(struct hook *hook)
{
	AUTO(free) char *file = mem_printf("%s.lua", hook->name);
	struct load *load = NEW(struct load);

	load->hook = hook;
	hook->hooks->loads++;
	hook->is_loading = true;
	hook->is_stale = false;
	source_read(hook->dir->source, file, HOOK_SOURCE_MAX, on_read, load);
}

static void
loads_start(struct hooks *hooks)
{
	struct hook *hook;

	while (!hooks->is_stopping && hooks->loads < HOOK_LOADS_MAX &&
		(hook = TAILQ_FIRST(&hooks->queue))) {
		TAILQ_REMOVE(&hooks->queue, hook, queue_link);
		hook->is_queued = false;
		load_start(hook);
	}
}

/* Take back what waits; what is under way will find itself overtaken. */
static void
call_off(struct hook *hook)
{
	struct hooks *hooks = hook->hooks;

	hook->is_stale = hook->is_loading;
	if (hook->is_queued)
		TAILQ_REMOVE(&hooks->queue, hook, queue_link);
	if (hook->is_leaving)
		TAILQ_REMOVE(&hooks->leaving, hook, leaving_link);
	hook->is_queued = hook->is_leaving = false;
	if (TAILQ_EMPTY(&hooks->leaving))
		(void)uv_timer_stop(hooks->leave_timer); /* never fails */
}

void
hook_load(struct hook *hook)
{
	struct hooks *hooks = hook->hooks;

	hook_barrier_begin(hook);
	call_off(hook);
	if (hook->is_loading)
		return;
	hook->is_queued = true;
	TAILQ_INSERT_TAIL(&hooks->queue, hook, queue_link);
	loads_start(hooks);
}

void
hook_close(struct hook *hook)
{
	call_off(hook);
	free(TAKE(hook->problem));
	hook_retire(hook);
	hook_barrier_end(hook);
}

/* ---- what the files do ----------------------------------------------------------------------- */

static void
file_begun(struct hook_dir *dir, const char *name)
{
	struct hook *hook = hook_make(dir, name);

	hook_barrier_begin(hook);
	call_off(hook);
	hook_show(hook, true);
}

static void
file_settled(struct hook_dir *dir, const char *name)
{
	struct hook *hook = hook_make(dir, name);

	hook_show(hook, true);
	hook_load(hook);
}

static void
on_left(uv_timer_t *timer)
{
	struct hooks *hooks = timer->data;
	struct hook *hook;

	while ((hook = TAILQ_FIRST(&hooks->leaving)) &&
		hook->leaving_until <= uv_now(hooks->opt.loop))
		hook_close(hook);
	if (hook)
		hook_timer_arm(timer, hook->leaving_until, on_left);
}

static void
file_removed(struct hook_dir *dir, const char *name)
{
	struct hooks *hooks = dir->hooks;
	struct hook *hook = hook_find(dir, name);

	if (!hook || !hook->has_file)
		return;
	hook_barrier_begin(hook);
	call_off(hook);
	hook_show(hook, false);
	hook->leaving_until = uv_now(hooks->opt.loop) + HOOK_GRACE_MS;
	if (TAILQ_EMPTY(&hooks->leaving))
		hook_timer_arm(hooks->leave_timer, hook->leaving_until, on_left);
	hook->is_leaving = true;
	TAILQ_INSERT_TAIL(&hooks->leaving, hook, leaving_link);
}

void
hook_file_left(void *arg, const char *file)
{
	AUTO(free) char *name = hook_stem(file);

	if (name)
		file_removed(arg, name);
}

/* The hook keeps its id, its counters and its overrides under a name that was never used; over a
 * name that was, the file is an update of that hook. */
static void
file_renamed(struct hook_dir *dir, const char *name, const char *new_name)
{
	struct hook *hook = hook_find(dir, name);
	AUTO(free) char *old = NULL;

	if (!hook || hook_find(dir, new_name)) {
		file_removed(dir, name);
		file_settled(dir, new_name);
		return;
	}
	old = mem_strdup(hook->name);
	hook_show(hook, false);
	hook_set_name(hook, new_name);
	hook_show(hook, true);
	hook_overrides_rename(hook, old);
	hook_store_name(hook);
	hook_load(hook);
}

void
hook_file_changed(void *arg, enum source_change what, const char *file, const char *new_file)
{
	AUTO(free) char *name = hook_stem(file);
	AUTO(free) char *new_name = what == SOURCE_RENAMED ? hook_stem(new_file) : NULL;

	switch (what) {
	case SOURCE_BEGUN:
		if (name)
			file_begun(arg, name);
		break;
	case SOURCE_SETTLED:
		if (name)
			file_settled(arg, name);
		break;
	case SOURCE_REMOVED:
		if (name)
			file_removed(arg, name);
		break;
	case SOURCE_RENAMED:
		if (name && new_name)
			file_renamed(arg, name, new_name);
		else if (name)
			file_removed(arg, name);
		else if (new_name)
			file_settled(arg, new_name);
		break;
	}
}

/* A hook that could not be loaded may have missed this module. */
void
hook_lib_changed(void *arg, enum source_change what, const char *file, const char *new_file)
{
	struct hook_dir *dir = arg;
	struct hook *hook;

	(void)file;
	(void)new_file;
	if (what == SOURCE_BEGUN)
		return;
	TAILQ_FOREACH (hook, &dir->list, dir_link)
		if (hook->has_file && hook->problem)
			hook_load(hook);
}

/* ---- life ------------------------------------------------------------------------------------ */

static uv_timer_t *
timer_new(struct hooks *hooks)
{
	uv_timer_t *timer = NEW(uv_timer_t);

	(void)uv_timer_init(hooks->opt.loop, timer); /* never fails */
	timer->data = hooks;
	return timer;
}

static void
on_timer_closed(uv_handle_t *handle)
{
	free(handle);
}

void
hook_loading_init(struct hooks *hooks)
{
	hook_barrier_init(hooks);
	TAILQ_INIT(&hooks->leaving);
	TAILQ_INIT(&hooks->queue);
	hooks->settle_timer = timer_new(hooks);
	hooks->settle_ms = HOOK_SETTLE_MS;
	hooks->leave_timer = timer_new(hooks);
}

void
hook_loading_fini(struct hooks *hooks)
{
	uv_close((uv_handle_t *)hooks->settle_timer, on_timer_closed);
	uv_close((uv_handle_t *)hooks->leave_timer, on_timer_closed);
}
