/* Versions of hooks, and which of them match an event.
 *
 * A version matches the events of an interval of seq, so that matching is a function of the event:
 * the same after a restart, after an edit, after the hook's removal.  Versions that ended stay in
 * the index until no unfinished event can need them.
 *
 * The index is a hash from text to versions.  A plain type and a pattern that ends in ".*" stand in
 * it as they are; an event looks itself up under its own type, under each of its dotted prefixes
 * with ".*", and under "*", so that a search costs what it finds, with ten thousand hooks too.
 * Other patterns ("*.failed") are a list that is tried one by one.  A version found under two of
 * its patterns is reported once: it bears the stamp of the search. */
#include "fsd/hooks/flow.h"

#include "base/auto.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "fsd/events/types.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

struct match_entry {
	struct release *release;
	struct type_slot *slot; /* NULL: a glob */
	char *pattern;
	LIST_ENTRY(match_entry) link;
};

struct type_slot {
	char *text;
	LIST_HEAD(, match_entry) entries;
	UT_hash_handle hh;
};

/* ---- the index ------------------------------------------------------------------------------- */

/* Whether a lookup finds the pattern by its text. */
static bool
is_indexed(const char *pattern)
{
	const char *star = strchr(pattern, '*');

	return !star || (star[1] == '\0' && (star == pattern || star[-1] == '.'));
}

static struct type_slot *
slot_get(struct hooks *hooks, const char *text)
{
	struct type_slot *slot;

	HASH_FIND_STR(hooks->exact, text, slot);
	if (slot)
		return slot;
	slot = NEW(struct type_slot);
	slot->text = mem_strdup(text);
	LIST_INIT(&slot->entries);
	HASH_ADD_KEYPTR(hh, hooks->exact, slot->text, strlen(slot->text), slot);
	return slot;
}

static void
entry_add(struct hooks *hooks, struct release *release, struct match_entry *entry, char *pattern)
{
	entry->release = release;
	entry->pattern = pattern;
	if (is_indexed(pattern)) {
		entry->slot = slot_get(hooks, pattern);
		LIST_INSERT_HEAD(&entry->slot->entries, entry, link);
	} else {
		LIST_INSERT_HEAD(&hooks->globs, entry, link);
	}
}

static void
entry_remove(struct hooks *hooks, struct match_entry *entry)
{
	struct type_slot *slot = entry->slot;

	LIST_REMOVE(entry, link);
	free(entry->pattern);
	if (slot && LIST_EMPTY(&slot->entries)) {
		HASH_DEL(hooks->exact, slot);
		free(slot->text);
		free(slot);
	}
}

static void
index_add(struct release *release)
{
	const char *at = release->code.types;
	size_t count = 1, i;

	if (!at[0])
		return;
	for (i = 0; at[i]; i++)
		count += at[i] == '\n';
	release->entries = NEW_N(struct match_entry, count);
	for (i = 0; i < count; i++) {
		size_t len = strcspn(at, "\n");

		entry_add(release->hooks, release, &release->entries[i], mem_strndup(at, len));
		at += len + (at[len] == '\n');
	}
	release->entry_count = count;
}

static void
index_remove(struct release *release)
{
	size_t i;

	for (i = 0; i < release->entry_count; i++)
		entry_remove(release->hooks, &release->entries[i]);
	free(release->entries);
	release->entries = NULL;
	release->entry_count = 0;
}

/* ---- matching -------------------------------------------------------------------------------- */

struct search {
	struct hooks *hooks;
	const struct event *ev;
	hooks_match_fn *fn;
	void *arg;
};

static void
try_entry(struct search *search, struct match_entry *entry)
{
	struct release *release = entry->release;
	const struct hook_code *code = &release->code;
	const struct event *ev = search->ev;

	if (release->stamp == search->hooks->stamp)
		return;
	if (ev->seq < code->from_seq || (code->to_seq && ev->seq >= code->to_seq))
		return;
	if (code->stack[0] && strcmp(code->stack, ev->stack ? ev->stack : "") != 0)
		return;
	if (!event_type_match(entry->pattern, ev->type))
		return;
	release->stamp = search->hooks->stamp;
	search->fn(search->arg, &release->code);
}

static void
try_text(struct search *search, const char *text)
{
	struct type_slot *slot;
	struct match_entry *entry;

	HASH_FIND_STR(search->hooks->exact, text, slot);
	if (slot)
		LIST_FOREACH (entry, &slot->entries, link)
			try_entry(search, entry);
}

static void
try_prefixes(struct search *search)
{
	AUTO(sbuf) struct sbuf text = {0};
	char *dot;

	sbuf_adds(&text, search->ev->type);
	sbuf_adds(&text, ".*");
	while ((dot = strrchr(text.data, '.'))) {
		memcpy(dot, ".*", 3);
		try_text(search, text.data);
		*dot = '\0';
	}
}

void
hooks_match(struct hooks *hooks, const struct event *ev, hooks_match_fn *fn, void *arg)
{
	struct search search = {.hooks = hooks, .ev = ev, .fn = fn, .arg = arg};
	struct match_entry *entry;

	hooks->stamp++;
	try_text(&search, ev->type);
	try_prefixes(&search);
	try_text(&search, "*");
	LIST_FOREACH (entry, &hooks->globs, link)
		try_entry(&search, entry);
}

/* ---- versions -------------------------------------------------------------------------------- */

static struct release *
release_of(struct hook_code *code)
{
	return (struct release *)code;
}

struct hook_code *
hook_code_ref(struct hook_code *code)
{
	code->refs++;
	return code;
}

void
hook_code_unref(struct hook_code *code)
{
	if (!code || --code->refs > 0)
		return;
	free(code->label);
	free(code->stack);
	free(code->path);
	free(code->types);
	free(code->source);
	free(code->lib_dirs);
	hook_rules_fini(&release_of(code)->rules);
	free(release_of(code));
}

/* Where `require` looks: inside the wall.  A file of the root that stands behind a stack's wall by
 * its own wish also sees the root's, beside which it was written. */
char *
release_lib_dirs(const struct hook_dir *dir, const char *wall)
{
	if (dir->stack[0] || !wall)
		return mem_printf("%s/lib", dir->state);
	return mem_printf("%s/stacks/%s/lib\n%s/lib", dir->state, wall, dir->state);
}

static void
fill_code(struct hook_code *code, const struct hook *hook, const struct release_parts *parts)
{
	const struct hook_settings *s = parts->settings;
	const char *wall = hook->dir->stack[0] ? hook->dir->stack : s->wall;
	AUTO(free) char *path = hook_path(hook);

	*code = (struct hook_code){
		.refs = 1,
		.hook_id = hook->id,
		.version = parts->version,
		.from_seq = parts->from_seq,
		.to_seq = parts->to_seq,
		.label = mem_strdup(hook->label),
		.stack = mem_strdup(wall ? wall : ""),
		.path = mem_strdup(path + 1),
		.types = mem_strdup(s->types),
		.source = parts->source,
		.source_len = parts->source_len,
		.lib_dirs = release_lib_dirs(hook->dir, wall),
		.uid = parts->uid,
		.gid = parts->gid,
		.timeout_ms = s->timeout_ms,
		.memory_bytes = s->memory_bytes,
		.concurrency = s->concurrency,
		.is_alone = parts->is_alone,
	};
}

struct release *
release_add(struct hook *hook, const struct release_parts *parts)
{
	struct release *release = NEW(struct release);

	assert(hook->id != 0);
	hook_rules_copy(&release->rules, &parts->settings->rules);
	fill_code(&release->code, hook, parts);
	release->code.rules = &release->rules;
	release->hooks = hook->hooks;
	release->hook = hook;
	TAILQ_INSERT_HEAD(&hook->releases, release, link);
	hook_span_add(hook, parts);
	if (parts->settings->is_enabled)
		index_add(release);
	return release;
}

void
release_end(struct release *release, uint64_t to_seq)
{
	release->code.to_seq = to_seq;
	hook_span_end(release->hook, release->code.version, to_seq);
}

static void
release_drop(struct release *release)
{
	TAILQ_REMOVE(&release->hook->releases, release, link);
	index_remove(release);
	hook_code_unref(&release->code);
}

void
release_prune(struct hook *hook)
{
	const struct hooks_services *services = &hook->hooks->opt.services;
	uint64_t oldest = services->oldest_seq(services->arg);
	struct release *release, *next;

	for (release = TAILQ_FIRST(&hook->releases); release; release = next) {
		next = TAILQ_NEXT(release, link);
		if (release->code.to_seq && release->code.to_seq <= oldest)
			release_drop(release);
	}
}

void
release_drop_all(struct hook *hook)
{
	struct release *release;

	while ((release = TAILQ_FIRST(&hook->releases)))
		release_drop(release);
}

struct hook_code *
hooks_find_code(struct hooks *hooks, uint64_t hook_id, uint32_t version)
{
	struct hook *hook = hook_find_id(hooks, hook_id);
	struct release *release;

	if (!hook)
		return NULL;
	TAILQ_FOREACH (release, &hook->releases, link)
		if (release->code.version == version)
			return &release->code;
	return NULL;
}

/* ---- sources of older versions --------------------------------------------------------------- */

struct code_load {
	struct hook_code *code;
	hook_ready_fn *done;
	void *arg;
};

static void
on_source(void *arg, int code, struct hook_version_list *versions)
{
	struct hook_version *v = STAILQ_FIRST(versions);
	struct code_load *load = arg;
	struct err err = {0};

	if (code == 0 && !load->code->source) {
		load->code->source_len = v->source_len;
		load->code->source = TAKE(v->source);
	} else if (code != 0) {
		code = err_set(&err, -code, "version %u of %s cannot be read from the store",
			load->code->version, load->code->path);
	}
	load->done(load->arg, code, code ? &err : NULL);
	hook_code_unref(load->code);
	free(load);
}

void
hook_code_load(struct hooks *hooks, struct hook_code *code, hook_ready_fn *done, void *arg)
{
	struct code_load *load;

	if (code->source) {
		done(arg, 0, NULL);
		return;
	}
	load = NEW(struct code_load);
	*load = (struct code_load){.code = hook_code_ref(code), .done = done, .arg = arg};
	store_get_version(hooks->opt.store, code->hook_id, code->version, on_source, load);
}

/* ---- the store's meta column ------------------------------------------------------------------
 */

char *
release_meta_write(const struct release_parts *parts, const char *script)
{
	const struct hook_settings *s = parts->settings;
	AUTO(sbuf) struct sbuf out = {0};

	sbuf_printf(&out, "{\"enabled\":%s,\"description\":", s->is_enabled ? "true" : "false");
	sbuf_jsons(&out, s->description);
	sbuf_adds(&out, ",\"alias\":");
	sbuf_jsons(&out, s->alias);
	sbuf_adds(&out, ",\"wall\":");
	sbuf_jsons(&out, s->wall);
	sbuf_printf(&out, ",\"timeout_ms\":%u,\"memory_bytes\":%" PRIu64 ",\"concurrency\":%u",
		s->timeout_ms, s->memory_bytes, s->concurrency);
	sbuf_printf(&out, ",\"filter\":%s,\"rules\":", s->rules.has_filter ? "true" : "false");
	hook_rules_json(&s->rules, &out);
	sbuf_printf(&out, ",\"uid\":%u,\"gid\":%u,\"alone\":%s,\"script\":", (unsigned)parts->uid,
		(unsigned)parts->gid, parts->is_alone ? "true" : "false");
	sbuf_jsons(&out, script);
	sbuf_addc(&out, '}');
	return sbuf_take(&out);
}

static int
read_rules(const json_t *meta, struct hook_rules *rules, struct err *err)
{
	const json_t *texts = json_object_get(meta, "rules");
	int i;

	rules->has_filter = json_is_true(json_object_get(meta, "filter"));
	for (i = 0; i < RULE_COUNT; i++) {
		const char *text = json_string_value(json_object_get(texts, hook_rule_name(i)));

		if (text && hook_rule_parse(rules, i, text, err) != 0)
			return -EINVAL;
	}
	return 0;
}

static char *
member(const json_t *meta, const char *key)
{
	return mem_strdup(json_string_value(json_object_get(meta, key)));
}

int
release_meta_read(const char *meta, struct release_parts *parts, struct hook_settings *ret_settings,
	char **ret_script, struct err *err)
{
	json_t *root = json_loads(meta, 0, NULL);
	json_int_t timeout = 0, memory = 0, concurrency = 0, uid = 0, gid = 0;
	AUTO(hook_rules) struct hook_rules rules = {0};
	int enabled = 1;

	if (json_unpack(root, "{s:b,s:I,s:I,s:I,s:I,s:I}", "enabled", &enabled, "timeout_ms",
		    &timeout, "memory_bytes", &memory, "concurrency", &concurrency, "uid", &uid,
		    "gid", &gid) != 0 ||
		read_rules(root, &rules, NULL) != 0) {
		json_decref(root);
		return err_set(err, EINVAL, "its metadata in the store cannot be read");
	}
	*ret_settings = (struct hook_settings){.is_enabled = enabled,
		.description = member(root, "description"),
		.alias = member(root, "alias"),
		.wall = member(root, "wall"),
		.timeout_ms = (unsigned)timeout,
		.memory_bytes = (uint64_t)memory,
		.concurrency = (unsigned)concurrency,
		.rules = rules};
	rules = (struct hook_rules){0};
	parts->uid = (uid_t)uid;
	parts->gid = (gid_t)gid;
	parts->is_alone = json_is_true(json_object_get(root, "alone"));
	*ret_script = member(root, "script");
	json_decref(root);
	return 0;
}
