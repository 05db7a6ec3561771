/* Who may: mode and owner of every node, for all doors.
 *
 * The row gives mode and flags; the owner is who runs the master, the group sloth's where the row
 * says so.  chmod and chown put an override beside it, by path, which a hook of the tree (the
 * store) keeps.  Overrides are few, so they are looked up by path each time instead of being copied
 * into nodes; a tree without any pays one comparison.  A kind whose nodes are real files has its
 * own answer (kind->perm).
 */
#include "fsd/tree/perms.h"

#include "base/auto.h"
#include "base/mem.h"
#include "fsd/tree/node.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define PERM_BITS 07777

/* ---- overrides ------------------------------------------------------------------------------ */

static struct perm_override *
override_find(const struct node *node)
{
	struct perm_override *override;
	AUTO(sbuf) struct sbuf path = {0};

	if (!node->tree->perms)
		return NULL;
	node_path(node, &path);
	HASH_FIND_STR(node->tree->perms, sbuf_str(&path), override);
	return override;
}

void
tree_load_perm(struct tree *tree, const char *path, int mode, int64_t uid, int64_t gid)
{
	struct perm_override *override;

	HASH_FIND_STR(tree->perms, path, override);
	if (!override) {
		override = mem_zalloc(1, sizeof(*override) + strlen(path) + 1);
		memcpy(override->path, path, strlen(path) + 1);
		HASH_ADD_STR(tree->perms, path, override);
	}
	override->mode = mode;
	override->uid = uid;
	override->gid = gid;
}

void
tree_on_perm(struct tree *tree, tree_save_perm_fn *save, void *arg)
{
	tree->save_perm = save;
	tree->save_perm_arg = arg;
}

static void
override_free(struct tree *tree, struct perm_override *override)
{
	HASH_DEL(tree->perms, override);
	free(override);
}

void
perms_forget(struct tree *tree, const char *path)
{
	struct perm_override *override, *next;
	size_t len = strlen(path);

	HASH_ITER (hh, tree->perms, override, next) {
		if (strncmp(override->path, path, len) != 0 ||
			(override->path[len] != '\0' && override->path[len] != '/'))
			continue;
		if (tree->save_perm)
			tree->save_perm(tree->save_perm_arg, override->path, -1, -1, -1);
		override_free(tree, override);
	}
}

void
perms_free(struct tree *tree)
{
	struct perm_override *override, *next;

	HASH_ITER (hh, tree->perms, override, next)
		override_free(tree, override);
}

/* ---- checks --------------------------------------------------------------------------------- */

void
perms_stat(const struct node *node, struct stat *st)
{
	const struct tree *tree = node->tree;
	const struct perm_override *override = override_find(node);
	unsigned mode = node->kind == &kind_help ? 0444 : node->row->mode;

	st->st_uid = tree->uid;
	st->st_gid = tree->gid;
	if ((node->row->flags & ROW_GROUP) && tree->has_sloth) {
		st->st_gid = tree->sloth_gid;
		mode |= (mode & 0700) >> 3;
	}
	if (override && override->mode >= 0)
		mode = (unsigned) override->mode;
	if (override && override->uid >= 0)
		st->st_uid = (uid_t) override->uid;
	if (override && override->gid >= 0)
		st->st_gid = (gid_t) override->gid;
	st->st_mode = mode;
}

static bool
cred_in_group(const struct tree_cred *cred, gid_t gid)
{
	return cred->gid == gid || (cred->in_group && cred->in_group(cred, gid));
}

/* The three bits of a mode that are the caller's. */
static int
bits_of(const struct tree_cred *cred, const struct stat *st)
{
	if (cred->uid == st->st_uid)
		return (st->st_mode >> 6) & 7;
	if (cred_in_group(cred, st->st_gid))
		return (st->st_mode >> 3) & 7;
	return st->st_mode & 7;
}

int
perms_check(struct treq *req, struct node *node, int may)
{
	AUTO(sbuf) struct sbuf path = {0};
	struct stat st = {0};
	int code = 0;

	if (may == 0 || req->cred.uid == 0)
		return 0;
	if (node->kind->perm)
		code = node->kind->perm(node, &st);
	else
		perms_stat(node, &st);
	if (code < 0)
		return code;
	if ((bits_of(&req->cred, &st) & may) == may)
		return 0;
	node_path(node, &path);
	return err_set(&req->err, EACCES, "'%s' has mode %04o and owner %u: not for uid %u",
		sbuf_str(&path), (unsigned)st.st_mode & PERM_BITS, (unsigned)st.st_uid,
		(unsigned)req->cred.uid);
}

int
perms_check_open(struct treq *req, struct node *node)
{
	int mode = req->flags & O_ACCMODE, may = 0;

	if (mode != O_WRONLY)
		may |= MAY_READ;
	if (mode != O_RDONLY || (req->flags & O_TRUNC))
		may |= MAY_WRITE;
	return perms_check(req, node, may);
}

static bool
may_chown(const struct treq *req, const struct stat *st)
{
	bool is_same_uid = !(req->set & TREE_SET_UID) || req->attr.st_uid == st->st_uid;

	if (!is_same_uid || req->cred.uid != st->st_uid)
		return is_same_uid &&
		       (!(req->set & TREE_SET_GID) || req->attr.st_gid == st->st_gid);
	return !(req->set & TREE_SET_GID) || cred_in_group(&req->cred, req->attr.st_gid) ||
	       req->attr.st_gid == st->st_gid;
}

int
perms_check_setattr(struct treq *req, const struct stat *st)
{
	bool is_owner = req->cred.uid == st->st_uid, is_writer;

	if (req->cred.uid == 0)
		return 0;
	if ((req->set & TREE_SET_MODE) && !is_owner)
		return err_set(&req->err, EPERM, "only the owner may chmod '%s'", req->node->name);
	if ((req->set & (TREE_SET_UID | TREE_SET_GID)) && !may_chown(req, st))
		return err_set(&req->err, EPERM, "only root may give '%s' away", req->node->name);
	is_writer = bits_of(&req->cred, st) & MAY_WRITE;
	if ((req->set & TREE_SET_SIZE) && !req->handle && !is_writer)
		return err_set(&req->err, EACCES, "'%s' may not be written by uid %u",
			req->node->name, (unsigned)req->cred.uid);
	if ((req->set & (TREE_SET_ATIME | TREE_SET_MTIME)) && !is_owner && !is_writer)
		return err_set(&req->err, EPERM, "only the owner may set the times of '%s'",
			req->node->name);
	return 0;
}

/* ---- changes -------------------------------------------------------------------------------- */

/* Whether the path will mean the same node after a restart. */
static bool
is_lasting(const struct node *node)
{
	for (; node; node = node->parent) {
		if (node->row->set && !node->row->set->keeps_perms)
			return false;
	}
	return true;
}

static int
change_override(struct treq *req)
{
	struct node *node = req->node;
	struct tree *tree = node->tree;
	const struct perm_override *old = override_find(node);
	int mode = old ? old->mode : -1;
	int64_t uid = old ? old->uid : -1, gid = old ? old->gid : -1;
	AUTO(sbuf) struct sbuf path = {0};

	if (!is_lasting(node) || node->kind == &kind_help)
		return err_set(&req->err, EPERM,
			"'%s' belongs to what it describes: its mode and owner do not change",
			node->name);
	if (req->set & TREE_SET_MODE)
		mode = (int)(req->attr.st_mode & PERM_BITS);
	if (req->set & TREE_SET_UID)
		uid = req->attr.st_uid;
	if (req->set & TREE_SET_GID)
		gid = req->attr.st_gid;
	node_path(node, &path);
	tree_load_perm(tree, sbuf_str(&path), mode, uid, gid);
	if (tree->save_perm)
		tree->save_perm(tree->save_perm_arg, sbuf_str(&path), mode, uid, gid);
	return 0;
}

/* Truncating what is written whole does nothing: the write replaces it.  What is open forgets the
 * bytes it has not acted on. */
static int
truncate_virtual(struct treq *req)
{
	const struct kind *kind = req->node->kind;

	if (kind == &kind_dir)
		return -EISDIR;
	if (kind != &kind_value && kind != &kind_ctl && kind != &kind_rpc)
		return err_set(&req->err, EACCES, "'%s' is read only", req->node->name);
	if (req->handle) {
		sbuf_reset(&req->handle->body);
		req->handle->is_dirty = false;
	}
	return 0;
}

int
perms_setattr(struct treq *req)
{
	struct stat st = {0};
	int code;

	perms_stat(req->node, &st);
	code = perms_check_setattr(req, &st);
	if (code == 0 && (req->set & (TREE_SET_MODE | TREE_SET_UID | TREE_SET_GID)))
		code = change_override(req);
	if (code == 0 && (req->set & TREE_SET_SIZE))
		code = truncate_virtual(req);
	return code; /* times: they are those of the content, whatever `touch` and `cp -p` say */
}
