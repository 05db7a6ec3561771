/* ctl/hooks/<hook>/versions/: what hooks/<hook>.lua held before, and holds now.
 *
 * A version is made by a saved source and by a changed setting alike, but whoever looks here wants
 * sources: of versions that follow each other with the same one, the first is listed.  Its number
 * and its time never change then, however often a setting is switched.  The others that are kept
 * open by name, because executions and ctl/hooks.jsonl speak of them.
 *
 * What the store has is read when it is looked up, since a text answers at once; versions that are
 * on their way there are waited for.  The one in service is in memory and answered from there. */
#include "fsd/hooks/flow.h"

#include "base/auto.h"
#include "base/mem.h"
#include "fsd/tree/room.h"
#include "handlers.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define SUFFIX ".lua"

struct version_text {
	char *source;
	size_t len;
	int64_t created_ns;
};

/* ---- finding one ----------------------------------------------------------------------------- */

/* "7.lua" -> 7; 0 for what is no such name. */
static uint32_t
parse_name(const char *name)
{
	uint32_t version = 0;
	size_t i;

	if (name[0] == '0')
		return 0;
	for (i = 0; i < 9 && name[i] >= '0' && name[i] <= '9'; i++)
		version = version * 10 + (uint32_t)(name[i] - '0');
	return strcmp(name + i, SUFFIX) == 0 ? version : 0;
}

/* Takes: source. */
static struct version_text *
text_new(char *source, size_t len, int64_t created_ns)
{
	struct version_text *text = NEW(struct version_text);

	*text = (struct version_text){.source = source, .len = len, .created_ns = created_ns};
	return text;
}

/* Call fn when the store has every version there is of the hook. */
static void
when_stored(const struct hook *hook, store_done_fn *fn, void *arg)
{
	if (hook->unstored == 0)
		fn(arg, 0, NULL);
	else
		store_after_writes(hook->hooks->opt.store, fn, arg);
}

static void
on_version(void *arg, int code, struct hook_version_list *versions)
{
	struct hook_version *v = STAILQ_FIRST(versions);
	struct version_text *text = NULL;

	if (code == 0)
		text = text_new(TAKE(v->source), v->source_len, v->created_ns);
	treq_pin(arg, code, text, 0);
}

struct search {
	const struct hook *hook;
	uint32_t version;
	struct treq *req;
};

/* When versions could not be stored, the store says which it has. */
static void
search(void *arg, int code, const struct err *err)
{
	struct search *s = arg;

	(void)code, (void)err;
	store_get_version(s->hook->hooks->opt.store, s->hook->id, s->version, on_version, s->req);
	free(s);
}

static int
version_lookup(struct node *parent, const char *name, struct treq *req, void **ret_obj,
	uint64_t *ret_ino, struct err *err)
{
	const struct hook *hook = node_pinned(parent, &hook_set);
	const struct hook_code *code = hook->current ? &hook->current->code : NULL;
	uint32_t version = parse_name(name);
	struct search *s;

	if (!version || !hook->id)
		return err_set(err, ENOENT, "hook '%s' has no version '%s'", hook->label, name);
	if (code && code->version == version && code->source) {
		*ret_obj = text_new(mem_strndup(code->source, code->source_len), code->source_len,
			hook->updated_ns);
		*ret_ino = 0;
		return 0;
	}
	s = NEW(struct search);
	*s = (struct search){hook, version, req};
	when_stored(hook, search, s);
	return TREE_PARKED;
}

static void
version_release(void *obj)
{
	struct version_text *text = obj;

	free(text->source);
	free(text);
}

static int64_t
version_mtime(void *obj)
{
	return ((struct version_text *)obj)->created_ns;
}

int
version_read(struct node *node, struct sbuf *out, struct err *err)
{
	const struct version_text *text = node_pinned(node, &version_set);

	(void)err;
	sbuf_add(out, text->source, text->len);
	return 0;
}

/* ---- listing them ---------------------------------------------------------------------------- */

struct listing {
	const struct hook *hook;
	struct treq *req;
	uint64_t cookie;
};

/* Returns false when the reader has enough. */
static bool
add_entry(const struct listing *l, uint32_t version)
{
	char name[32];

	if (version <= l->cookie)
		return true;
	(void)snprintf(name, sizeof(name), "%" PRIu32 SUFFIX, version); /* fits */
	return treq_entry(l->req, name, 0, version);
}

static void
on_versions(void *arg, int code, struct hook_version_list *versions)
{
	struct listing *l = arg;
	const struct hook *hook = l->hook;
	const struct hook_version *v, *last = NULL;
	bool wants_more = true;

	STAILQ_FOREACH (v, versions, link) {
		if (wants_more && (!last || v->hash != last->hash))
			wants_more = add_entry(l, v->version);
		last = v;
	}
	if (code == 0 && wants_more && hook->current &&
		(!last ||
			(hook->current->code.version > last->version && hook->hash != last->hash)))
		(void)add_entry(l, hook->current->code.version); /* the last one anyway */
	treq_reply(l->req, code, NULL);
	free(l);
}

static void
list(void *arg, int code, const struct err *err)
{
	struct listing *l = arg;

	(void)code, (void)err;
	store_list_versions(l->hook->hooks->opt.store, l->hook->id, on_versions, l);
}

static int
version_list(struct node *parent, uint64_t cookie, struct treq *req, entry_fn *entry, void *arg,
	struct err *err)
{
	const struct hook *hook = node_pinned(parent, &hook_set);
	struct listing *l;

	(void)entry, (void)arg, (void)err;
	if (!hook->id)
		return 0;
	l = NEW(struct listing);
	*l = (struct listing){.hook = hook, .req = req, .cookie = cookie};
	when_stored(hook, list, l);
	return TREE_PARKED;
}

const struct node_set version_set = {
	.lookup = version_lookup,
	.list = version_list,
	.release = version_release,
	.mtime_ns = version_mtime,
};
