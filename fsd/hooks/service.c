/* What is in service: the one version of a hook that matches events from now on.
 *
 * A version is replaced when anything changes that a worker would notice: the source, who owns the
 * file, the hook's name, or a setting, whether the script or an override says it.  The old one ends
 * where the new one begins, so every event has exactly one. */
#include "fsd/hooks/flow.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"

#include <string.h>

static void
on_stored(void *arg, int code, const struct err *err)
{
	struct hook *hook = arg;

	if (code < 0)
		log_write(hook->hooks->opt.log, LOG_LEVEL_ERROR,
			"hook '%s' is in service but could not be stored: %s", hook->label,
			err ? err->msg : strerror(-code));
}

static void
on_version_stored(void *arg, int code, const struct err *err)
{
	struct hook *hook = arg;

	hook->unstored--;
	on_stored(hook, code, err);
}

static void
store_version(struct hook *hook, const struct release_parts *parts)
{
	AUTO(free) char *meta = release_meta_write(parts, hook->script);
	struct hook_version v = {.hook_id = hook->id,
		.version = parts->version,
		.from_seq = parts->from_seq,
		.name = hook->name,
		.stack = hook->dir->stack,
		.types = parts->settings->types,
		.meta = meta,
		.source = hook->current->code.source,
		.source_len = hook->current->code.source_len,
		.hash = hook->hash,
		.created_ns = hook->updated_ns};

	hook->unstored++;
	store_put_version(hook->hooks->opt.store, &v, on_version_stored, hook);
}

void
hook_store_name(struct hook *hook)
{
	if (hook->id)
		store_rename_hook(hook->hooks->opt.store, hook->id, hook->name, on_stored, hook);
}

/* Put what parts say in service.  Takes: parts->source. */
static void
put(struct hook *hook, struct release_parts *parts, const struct hook_settings *settings)
{
	uint64_t from_seq = hook_boundary(hook);

	if (!hook->id)
		hook_set_id(hook, store_next_hook_id(hook->hooks->opt.store));
	hook->updated_ns = clock_real_ns();
	if (!hook->created_ns)
		hook->created_ns = hook->updated_ns;
	if (hook->current)
		release_end(hook->current, from_seq);
	parts->settings = settings;
	parts->version = ++hook->version;
	parts->from_seq = from_seq;
	parts->created_ns = hook->updated_ns;
	hook->current = release_add(hook, parts);
	store_version(hook, parts);
	release_prune(hook);
}

/* ---- settings of the version in service ------------------------------------------------------ */

/* A hook that waits for two types hears them without saying so again. */
static void
hear_pairs(struct hook_settings *s)
{
	const struct rule_pair *pair =
		s->rules.sequence.first ? &s->rules.sequence : &s->rules.absent;

	if (s->types[0] || !pair->first)
		return;
	free(s->types);
	s->types = mem_printf("%s\n%s", pair->first, pair->second);
}

int
hook_effective(
	struct hook *hook, const char *script, struct hook_settings *ret_settings, struct err *err)
{
	int code = hook_settings_read(script, ret_settings, err);

	if (code < 0)
		return code;
	hook_overrides_apply(&hook->overrides, ret_settings);
	hear_pairs(ret_settings);
	code = hook_settings_check(ret_settings, err);
	if (code < 0)
		hook_settings_fini(ret_settings);
	return code;
}

static void
take_settings(struct hook *hook, struct hook_settings *settings)
{
	hook_alias_drop(hook);
	hook_settings_fini(&hook->settings);
	hook->settings = *settings;
	*settings = (struct hook_settings){0};
	hook_alias_claim(hook);
}

struct apply {
	struct hook *hook;
	struct hook_code *code;
	hook_ready_fn *done;
	void *arg;
};

/* The source is there: the version may have changed meanwhile, then its maker saw the overrides. */
static void
on_apply_ready(void *arg, int code, const struct err *err)
{
	struct apply *apply = arg;
	struct hook *hook = apply->hook;
	struct hook_code *from = apply->code;
	AUTO(hook_settings) struct hook_settings settings = {0};

	if (code == 0 && hook->current && from == &hook->current->code &&
		hook_effective(hook, hook->script, &settings, NULL) == 0) {
		struct release_parts parts = {.uid = from->uid,
			.gid = from->gid,
			.is_alone = from->is_alone, /* it is the same script */
			.source = mem_strndup(from->source, from->source_len),
			.source_len = from->source_len};

		put(hook, &parts, &settings);
		take_settings(hook, &settings);
	}
	hook_changed(hook, "status");
	apply->done(apply->arg, code, err);
	hook_code_unref(from);
	free(apply);
}

void
hook_apply(struct hook *hook, hook_ready_fn *done, void *arg)
{
	AUTO(hook_settings) struct hook_settings settings = {0};
	struct apply *apply;
	struct err err = {0};
	int code;

	if (!hook->current) {
		hook_changed(hook, "status");
		done(arg, 0, NULL);
		return;
	}
	code = hook_effective(hook, hook->script, &settings, &err);
	if (code == 0 && hook_settings_equal(&settings, &hook->settings))
		take_settings(hook, &settings);
	if (code < 0 || !settings.types) { /* refused, or taken */
		hook_changed(hook, "status");
		done(arg, code, code ? &err : NULL);
		return;
	}
	apply = NEW(struct apply);
	*apply = (struct apply){.hook = hook,
		.code = hook_code_ref(&hook->current->code),
		.done = done,
		.arg = arg};
	hook_code_load(hook->hooks, apply->code, on_apply_ready, apply);
}

static bool
is_in_service(
	const struct hook *hook, const struct hook_file *file, const struct hook_settings *settings)
{
	const struct hook_code *code = hook->current ? &hook->current->code : NULL;

	return code && file->hash == hook->hash && code->uid == file->uid &&
	       code->gid == file->gid && !strcmp(code->label, hook->label) &&
	       hook_settings_equal(settings, &hook->settings);
}

void
hook_serve(struct hook *hook, struct hook_file *file, const char *script,
	struct hook_settings *settings)
{
	struct release_parts parts = {.uid = file->uid, .gid = file->gid};
	char *own = mem_strdup(script); /* may be hook->script */

	free(hook->script);
	hook->script = own;
	if (!is_in_service(hook, file, settings)) {
		hook->hash = file->hash;
		parts.source = TAKE(file->source);
		parts.source_len = file->len;
		put(hook, &parts, settings);
	}
	take_settings(hook, settings);
}

void
hook_retire(struct hook *hook)
{
	const struct hooks_services *services = &hook->hooks->opt.services;
	uint64_t at = hook_boundary(hook);
	struct release *release;

	if (hook->current) {
		release_end(hook->current, at);
		hook->current = NULL;
		store_close_hook(hook->hooks->opt.store, hook->id, at, on_stored, hook);
	}
	TAILQ_FOREACH (release, &hook->releases, link)
		release->code.is_removed = true;
	hook->waiting = 0; /* all of it ends as removed, and no rule is asked any more */
	hook_alias_drop(hook);
	release_prune(hook);
	if (services->removed && hook->id)
		services->removed(services->arg, hook->id);
}

bool
hooks_is_removed(struct hooks *hooks, uint64_t hook_id)
{
	const struct hook *hook = hook_find_id(hooks, hook_id);

	return !hook || (!hook->current && !hook->has_file);
}

void
hooks_note_alone(struct hooks *hooks, const struct hook_code *code)
{
	struct hook *hook = hook_find_id(hooks, code->hook_id);
	AUTO(free) char *meta = NULL;

	if (!hook || !hook->current || &hook->current->code != code)
		return; /* an edit came first */
	meta = release_meta_write(&(struct release_parts){.settings = &hook->settings,
					  .uid = code->uid,
					  .gid = code->gid,
					  .is_alone = true},
		hook->script);
	store_put_meta(hooks->opt.store, code->hook_id, code->version, meta, on_stored, hook);
	hook_changed(hook, "status");
}
