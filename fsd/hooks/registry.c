/* Which hooks there are, by what names: see registry.h.
 *
 * A directory per stack holds hooks by name.  A hook is a name, not a file: it keeps its id, its
 * counters and its overrides when the file is edited, removed and written again, whatever an editor
 * does to inodes on the way.  It is therefore never freed while the daemon runs; how many there are
 * is bounded by the names ever used.  What the tree shows are the hooks that have a file now. */
#include "fsd/hooks/registry.h"

#include "base/auto.h"
#include "base/mem.h"
#include "fsd/tree/room.h"

#include <pwd.h>
#include <string.h>

#define NO_GROUP 65534 /* of a user the system does not know */

/* ---- names ----------------------------------------------------------------------------------- */

struct hook_dir *
hook_dir_find(struct hooks *hooks, const char *stack)
{
	struct hook_dir *dir;

	LIST_FOREACH (dir, &hooks->dirs, link)
		if (!strcmp(dir->stack, stack))
			return dir;
	return NULL;
}

struct hook_dir *
hook_dir_make(struct hooks *hooks, const char *stack)
{
	struct hook_dir *dir = hook_dir_find(hooks, stack);

	if (dir)
		return dir;
	dir = NEW(struct hook_dir);
	dir->hooks = hooks;
	dir->stack = mem_strdup(stack);
	dir->state = stack[0] ? mem_printf("%s/stacks/%s", hooks->state_dir, stack)
			      : mem_strdup(hooks->state_dir);
	dir->tree_path = stack[0] ? mem_printf("/stacks/%s", stack) : mem_strdup("");
	TAILQ_INIT(&dir->list);
	LIST_INSERT_HEAD(&hooks->dirs, dir, link);
	return dir;
}

struct hook *
hook_find(struct hook_dir *dir, const char *name)
{
	struct hook *hook;

	HASH_FIND(by_name_hh, dir->by_name, name, strlen(name), hook);
	return hook;
}

struct hook *
hook_find_id(struct hooks *hooks, uint64_t id)
{
	struct hook *hook;

	HASH_FIND(by_id_hh, hooks->by_id, &id, sizeof(id), hook);
	return hook;
}

struct hook *
hook_make(struct hook_dir *dir, const char *name)
{
	struct hook *hook = hook_find(dir, name);

	if (hook)
		return hook;
	hook = NEW(struct hook);
	hook->hooks = dir->hooks;
	hook->dir = dir;
	hook->name = mem_strdup(name);
	hook->label = mem_printf("%s%s%s", name, dir->stack[0] ? "@" : "", dir->stack);
	hook->serial = ++dir->hooks->last_serial;
	TAILQ_INIT(&hook->releases);
	HASH_ADD_KEYPTR(by_name_hh, dir->by_name, hook->name, strlen(hook->name), hook);
	TAILQ_INSERT_TAIL(&dir->list, hook, dir_link);
	return hook;
}

void
hook_set_id(struct hook *hook, uint64_t id)
{
	hook->id = id;
	HASH_ADD(by_id_hh, hook->hooks->by_id, id, sizeof(hook->id), hook);
}

void
hook_set_name(struct hook *hook, const char *name)
{
	HASH_DELETE(by_name_hh, hook->dir->by_name, hook);
	free(hook->name);
	free(hook->label);
	hook->name = mem_strdup(name);
	hook->label = mem_printf("%s%s%s", name, hook->dir->stack[0] ? "@" : "", hook->dir->stack);
	HASH_ADD_KEYPTR(by_name_hh, hook->dir->by_name, hook->name, strlen(hook->name), hook);
}

void
hook_alias_drop(struct hook *hook)
{
	free(TAKE(hook->alias_refused));
	if (hook->has_alias)
		HASH_DELETE(by_alias_hh, hook->dir->by_alias, hook);
	hook->has_alias = false;
}

void
hook_alias_claim(struct hook *hook)
{
	const char *alias = hook->settings.alias;
	struct hook *other;

	hook_alias_drop(hook);
	if (!alias || !strcmp(alias, hook->name))
		return;
	other = hook_find(hook->dir, alias);
	if (!other || !other->has_file)
		HASH_FIND(by_alias_hh, hook->dir->by_alias, alias, strlen(alias), other);
	if (other) {
		hook->alias_refused = mem_printf(
			"name '%s' not taken: it leads to hook '%s'", alias, other->name);
		return;
	}
	hook->has_alias = true;
	HASH_ADD_KEYPTR(by_alias_hh, hook->dir->by_alias, alias, strlen(alias), hook);
}

bool
hooks_name_is_valid(const char *name)
{
	return hook_name_is_valid(name, strlen(name));
}

char *
hook_stem(const char *file)
{
	size_t len = strlen(file);

	if (len < 5 || strcmp(file + len - 4, ".lua") != 0 || !hook_name_is_valid(file, len - 4))
		return NULL;
	return mem_strndup(file, len - 4);
}

char *
hook_path(const struct hook *hook)
{
	return mem_printf("%s/hooks/%s.lua", hook->dir->tree_path, hook->name);
}

struct hook *
hook_find_label(struct hooks *hooks, const char *label)
{
	AUTO(free) char *name = mem_strdup(label);
	char *stack = strchr(name, '@');
	struct hook_dir *dir;

	if (stack)
		*stack++ = '\0';
	dir = hook_dir_find(hooks, stack ? stack : "");
	return dir ? hook_find(dir, name) : NULL;
}

uint64_t
hooks_id(struct hooks *hooks, const char *label)
{
	const struct hook *hook = hook_find_label(hooks, label);

	return hook ? hook->id : 0;
}

const struct hook_user *
hook_user(struct hooks *hooks, uid_t uid)
{
	struct hook_user *user;
	struct passwd *pw;

	HASH_FIND(hh, hooks->users, &uid, sizeof(uid), user);
	if (user)
		return user;
	pw = getpwuid(uid);
	user = NEW(struct hook_user);
	user->uid = uid;
	user->gid = pw ? pw->pw_gid : NO_GROUP;
	user->name = pw ? mem_strdup(pw->pw_name) : mem_printf("%u", (unsigned)uid);
	HASH_ADD(hh, hooks->users, uid, sizeof(user->uid), user);
	return user;
}

/* ---- what the tree shows --------------------------------------------------------------------- */

void
hook_show(struct hook *hook, bool has_file)
{
	AUTO(free) char *dir = mem_printf("%s/ctl/hooks", hook->dir->tree_path);

	if (hook->has_file == has_file)
		return;
	hook->has_file = has_file;
	if (!hook->dir->source)
		return; /* the stack itself goes */
	if (has_file)
		tree_added(hook->hooks->opt.tree, dir, hook->name);
	else
		tree_removed(hook->hooks->opt.tree, dir, hook->name);
}

void
hook_changed(struct hook *hook, const char *file)
{
	AUTO(free) char *path =
		mem_printf("%s/ctl/hooks/%s/%s", hook->dir->tree_path, hook->name, file);

	if (hook->has_file && hook->dir->source)
		tree_changed(hook->hooks->opt.tree, path);
}
