/* The hooks' files in the tree: hooks/, lib/, ctl/hooks.jsonl, ctl/hooks/<hook>/, at
 * the root and in every stack.  Rows stand in mount-layout/hooks.rows. */
#include "fsd/hooks/flow.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "fsd/tree/room.h"
#include "handlers.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static struct hook *
hook_of(const struct node *node)
{
	return node_pinned(node, &hook_set);
}

/* ---- which there are ------------------------------------------------------------------------- */

static int
hook_lookup(struct node *parent, const char *name, struct treq *req, void **ret_obj,
	uint64_t *ret_ino, struct err *err)
{
	struct hook_dir *dir = hook_dir_find(node_room(parent), node_stack(parent));
	struct hook *hook = dir ? hook_find(dir, name) : NULL;

	(void)req;
	if (!hook || !hook->has_file)
		return err_set(err, ENOENT, "there is no hook '%s'", name);
	*ret_obj = hook;
	*ret_ino = 0;
	return 0;
}

static int
hook_list(struct node *parent, uint64_t cookie, struct treq *req, entry_fn *entry, void *arg,
	struct err *err)
{
	struct hook_dir *dir = hook_dir_find(node_room(parent), node_stack(parent));
	struct hook *hook;

	(void)req;
	(void)err;
	if (!dir)
		return 0;
	TAILQ_FOREACH (hook, &dir->list, dir_link)
		if (hook->has_file && hook->serial > cookie &&
			!entry(arg, hook->name, 0, hook->serial))
			break;
	return 0;
}

static int64_t
hook_mtime(void *obj)
{
	const struct hook *hook = obj;

	return hook->updated_ns;
}

const struct node_set hook_set = {
	.lookup = hook_lookup,
	.list = hook_list,
	.mtime_ns = hook_mtime,
	.keeps_perms = true,
};

static int
source_of(struct node *node, bool is_lib, struct source **ret_source, struct err *err)
{
	struct hook_dir *dir = hook_dir_find(node_room(node), node_stack(node));
	struct source *source = !dir ? NULL : is_lib ? dir->lib : dir->source;

	if (!source)
		return err_set(err, ENOENT, "there is no stack '%s'", node_stack(node));
	*ret_source = source;
	return 0;
}

int
hooks_source_find(struct node *node, struct source **ret_source, struct err *err)
{
	return source_of(node, false, ret_source, err);
}

int
lib_source_find(struct node *node, struct source **ret_source, struct err *err)
{
	return source_of(node, true, ret_source, err);
}

/* ---- status ---------------------------------------------------------------------------------- */

static void
show_overridden(const struct hook *hook, struct sbuf *out)
{
	const char *before = " (overridden: ";
	int i;

	for (i = 0; i < SETTING_COUNT; i++) {
		if (!hook->overrides.text[i])
			continue;
		sbuf_printf(out, "%s%s", before, hook_setting_name(i));
		before = ", ";
	}
	if (!hook_overrides_is_empty(&hook->overrides))
		sbuf_addc(out, ')');
}

static void
show_problem(const struct hook *hook, struct sbuf *out)
{
	sbuf_printf(out, "broken: %s", hook_problem(hook));
	if (hook->current)
		sbuf_printf(out, " (version %u still in service)", hook->version);
}

/* A changed file is being judged: what the last judgement was says nothing about it. */
static void
show_loading(const struct hook *hook, struct sbuf *out)
{
	sbuf_adds(out, "loading");
	if (hook->current)
		sbuf_printf(out, " (version %u still in service)", hook->current->code.version);
}

void
hook_status_show(const struct hook *hook, struct sbuf *out)
{
	if (hook->is_pending || (!hook_problem(hook) && !hook->current))
		show_loading(hook, out);
	else if (hook_problem(hook))
		show_problem(hook, out);
	else if (!hook->settings.is_enabled)
		sbuf_adds(out, "disabled");
	else if (!hook->settings.types[0])
		sbuf_adds(out, "no event");
	else
		sbuf_adds(out, "ok");
	if (hook->current && hook->current->code.is_alone)
		sbuf_adds(out, " (got its worker killed: runs alone until edited)");
	show_overridden(hook, out);
	if (hook->alias_refused)
		sbuf_printf(out, " (%s)", hook->alias_refused);
}

int
hook_status_read(struct node *node, struct sbuf *out, struct err *err)
{
	(void)err;
	hook_status_show(hook_of(node), out);
	sbuf_addc(out, '\n');
	return 0;
}

/* ---- settings -------------------------------------------------------------------------------- */

/* The setting of a row of ctl/hooks/<hook>/ is the one of the same name. */
static enum hook_setting
setting_of(const struct node *node)
{
	int i;

	for (i = 0; i < SETTING_COUNT - 1; i++)
		if (!strcmp(node_name(node), hook_setting_name(i)))
			break;
	return i;
}

/* The settings as they take effect: a hook that was never in service has its overrides alone, and
 * what nobody said is the default. */
static void
settings_in_effect(const struct hook *hook, struct hook_settings *ret_settings)
{
	const struct hook_settings *defaults = &hook->hooks->defaults;
	struct hook_settings none = {.is_enabled = true};

	hook_settings_copy(ret_settings, hook->current ? &hook->settings : &none);
	if (!hook->current)
		hook_overrides_apply(&hook->overrides, ret_settings);
	if (!ret_settings->timeout_ms)
		ret_settings->timeout_ms = defaults->timeout_ms;
	if (!ret_settings->memory_bytes)
		ret_settings->memory_bytes = defaults->memory_bytes;
	if (!ret_settings->concurrency)
		ret_settings->concurrency = defaults->concurrency;
}

int
hook_setting_read(struct node *node, struct sbuf *out, struct err *err)
{
	AUTO(hook_settings) struct hook_settings settings = {0};

	(void)err;
	settings_in_effect(hook_of(node), &settings);
	hook_setting_show(&settings, setting_of(node), out);
	sbuf_addc(out, '\n');
	return 0;
}

static void
on_override_written(void *arg, int code, const struct err *err)
{
	treq_reply(arg, code, err);
}

int
hook_setting_set(struct node *node, const char *text, size_t len, struct treq *req, struct err *err)
{
	struct hook *hook = hook_of(node);

	if (memchr(text, '\0', len))
		return err_set(err, EINVAL, "a setting holds no NUL byte");
	if (hook_override_write(hook, setting_of(node), text, on_override_written, req, err) != 0)
		return -EINVAL;
	return TREE_PARKED;
}

int
hook_overrides_read(struct node *node, struct sbuf *out, struct err *err)
{
	(void)err;
	hook_overrides_format(&hook_of(node)->overrides, out);
	return 0;
}

/* ---- what is known --------------------------------------------------------------------------- */

int
hook_stack_read(struct node *node, struct sbuf *out, struct err *err)
{
	const struct hook *hook = hook_of(node);
	const char *wall = hook->settings.wall ? hook->settings.wall : "";

	(void)err;
	sbuf_printf(out, "%s\n", hook->dir->stack[0] ? hook->dir->stack : wall);
	return 0;
}

int
hook_owner_read(struct node *node, struct sbuf *out, struct err *err)
{
	const struct hook *hook = hook_of(node);

	(void)err;
	if (hook->current)
		sbuf_adds(out, hook_user(hook->hooks, hook->current->code.uid)->name);
	sbuf_addc(out, '\n');
	return 0;
}

int
hook_runs_read(struct node *node, struct sbuf *out, struct err *err)
{
	(void)err;
	sbuf_printf(out, "%" PRIu64 "\n", hook_of(node)->runs);
	return 0;
}

int
hook_failures_read(struct node *node, struct sbuf *out, struct err *err)
{
	(void)err;
	sbuf_printf(out, "%" PRIu64 "\n", hook_of(node)->failures);
	return 0;
}

int
hook_last_run_read(struct node *node, struct sbuf *out, struct err *err)
{
	const struct hook *hook = hook_of(node);
	char text[CLOCK_TEXT_MAX] = "never";

	(void)err;
	if (hook->last_run_ns)
		clock_format(hook->last_run_ns, text);
	sbuf_printf(out, "%s\n", text);
	return 0;
}

int
hook_counts_read(struct node *node, struct sbuf *out, struct err *err)
{
	(void)err;
	hook_counts_show(hook_of(node), out);
	return 0;
}

int
hook_latency_read(struct node *node, struct sbuf *out, struct err *err)
{
	(void)err;
	hook_latency_show(hook_of(node), out);
	return 0;
}

int
hook_log_reader(struct node *node, struct log_reader **ret_reader, struct err *err)
{
	struct log_file *log;
	int code = hook_log_open(hook_of(node), &log, err);

	if (code < 0)
		return code;
	*ret_reader = log_file_reader(log);
	return 0;
}

/* ---- ctl/hooks.jsonl ------------------------------------------------------------------------- */

static void
add_types(struct sbuf *out, const char *types)
{
	bool is_first = true;

	sbuf_adds(out, ",\"event_types\":[");
	while (types && *types) {
		size_t len = strcspn(types, "\n");

		if (!is_first)
			sbuf_addc(out, ',');
		sbuf_json(out, types, len);
		types += len + (types[len] == '\n');
		is_first = false;
	}
	sbuf_addc(out, ']');
}

static void
add_member(struct sbuf *out, const char *key, const char *text)
{
	sbuf_printf(out, ",\"%s\":", key);
	sbuf_jsons(out, text);
}

static void
add_time(struct sbuf *out, const char *key, int64_t ns)
{
	char text[CLOCK_TEXT_MAX];

	clock_format(ns, text);
	add_member(out, key, ns ? text : NULL);
}

/* What fell since start, and how long runs took; kinds that never fell are left out. */
static void
add_counts(struct sbuf *out, const struct hook *hook)
{
	const char *comma = "";

	sbuf_adds(out, ",\"counts\":{");
	for (int i = EXEC_SUCCESS; i <= EXEC_REMOVED; i++) {
		if (!hook->counts[i])
			continue;
		sbuf_printf(out, "%s\"%s\":%" PRIu64, comma, exec_status_name((enum exec_status)i),
			hook->counts[i]);
		comma = ",";
	}
	sbuf_addc(out, '}');
	if (!hook->latency)
		return;
	sbuf_printf(out, ",\"p50_ms\":%.3f,\"p99_ms\":%.3f",
		(double)latency_percentile(hook->latency, 50) / NS_PER_MS,
		(double)latency_percentile(hook->latency, 99) / NS_PER_MS);
}

static void
add_hook(struct sbuf *out, const struct hook *hook)
{
	AUTO(hook_settings) struct hook_settings s = {0};
	AUTO(sbuf) struct sbuf status = {0};
	AUTO(free) char *path = hook_path(hook);
	const struct hook_code *code = hook->current ? &hook->current->code : NULL;

	settings_in_effect(hook, &s);
	hook_status_show(hook, &status);
	sbuf_printf(out, "{\"id\":%" PRIu64, hook->id);
	add_member(out, "name", hook->name);
	add_member(out, "alias", hook->has_alias ? hook->settings.alias : NULL);
	add_member(out, "stack", code ? code->stack : hook->dir->stack);
	add_member(out, "description", s.description);
	add_types(out, s.types);
	sbuf_printf(out, ",\"enabled\":%s", s.is_enabled ? "true" : "false");
	add_member(out, "status", sbuf_str(&status));
	add_member(out, "file_path", path + 1);
	add_member(out, "owner", code ? hook_user(hook->hooks, code->uid)->name : NULL);
	sbuf_printf(out,
		",\"version\":%u,\"timeout_ms\":%u,\"memory_bytes\":%" PRIu64
		",\"concurrency\":%u,\"runs\":%" PRIu64 ",\"failures\":%" PRIu64,
		code ? code->version : 0, s.timeout_ms, s.memory_bytes, s.concurrency, hook->runs,
		hook->failures);
	sbuf_adds(out, ",\"rules\":");
	hook_rules_json(&s.rules, out);
	add_counts(out, hook);
	add_time(out, "last_run", hook->last_run_ns);
	add_time(out, "created_at", hook->created_ns);
	add_time(out, "updated_at", hook->updated_ns);
	sbuf_adds(out, "}\n");
}

int
hooks_jsonl_read(struct node *node, struct sbuf *out, struct err *err)
{
	struct hook_dir *dir = hook_dir_find(node_room(node), node_stack(node));
	struct hook *hook;

	(void)err;
	if (!dir)
		return 0;
	TAILQ_FOREACH (hook, &dir->list, dir_link)
		if (hook->has_file)
			add_hook(out, hook);
	return 0;
}
