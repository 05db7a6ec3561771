/* Which requests are changes, for `audit`: see tree_on_change.
 *
 * Each request passes here once, when it ends.  What changes nothing costs a look into a table; so
 * does a write whose row is `quiet`, such as events/emit, where what was written is its own record.
 *
 * A program writes a file in as many pieces as it likes, and an open file of a source directory is
 * one change, told at its first write.  A value acts when its line is complete, so a write that
 * only fills the line is no change yet: the one that completes it is, or the close.
 */
#include "fsd/tree/node.h"

#include "base/auto.h"

#include <fcntl.h>

static const char *const names[TREE_READDIR + 1] = {
	[TREE_SETATTR] = "setattr",
	[TREE_CREATE] = "create",
	[TREE_MKDIR] = "mkdir",
	[TREE_SYMLINK] = "symlink",
	[TREE_UNLINK] = "unlink",
	[TREE_RMDIR] = "rmdir",
	[TREE_RENAME] = "rename",
	[TREE_OPEN] = "open",
	[TREE_WRITE] = "write",
	[TREE_FLUSH] = "write",
};

/* An emptied source file is changed without a write. */
static bool
open_is_change(struct treq *req, int code)
{
	if ((req->flags & O_ACCMODE) == O_RDONLY)
		return false;
	if (code < 0)
		return true;
	req->handle->is_told = req->node->kind == &kind_source && (req->flags & O_TRUNC);
	return req->handle->is_told;
}

/* chmod and chown; times tell nothing, and a size only of a real file. */
static bool
setattr_is_change(const struct treq *req)
{
	int set = TREE_SET_MODE | TREE_SET_UID | TREE_SET_GID;

	if (req->node->kind == &kind_source)
		set |= TREE_SET_SIZE;
	return req->set & set;
}

static bool
write_is_change(const struct treq *req)
{
	struct handle *h = req->handle;
	bool was_told = h->is_told, was_owed = h->is_owed;

	if (h->node->row->flags & ROW_QUIET)
		return false;
	if (h->node->kind == &kind_source) {
		h->is_told |= req->op == TREE_WRITE;
		return h->is_told && !was_told;
	}
	h->is_owed = h->is_dirty; /* a value's line has no end yet */
	return !h->is_owed && (req->op == TREE_WRITE || was_owed);
}

static bool
is_change(struct treq *req, int code)
{
	if (!names[req->op] || code == -EAGAIN || code == -EINTR)
		return false;
	if (req->op == TREE_OPEN)
		return open_is_change(req, code);
	if (req->op == TREE_SETATTR)
		return setattr_is_change(req);
	if (code >= 0 && req->op == TREE_CREATE)
		req->handle->is_told = true;
	if (code >= 0 && (req->op == TREE_WRITE || req->op == TREE_FLUSH))
		return write_is_change(req);
	return true;
}

static void
add_name(struct sbuf *path, const char *name)
{
	if (path->len > 1)
		sbuf_addc(path, '/');
	sbuf_adds(path, name);
}

void
audit_request(struct treq *req, int code)
{
	const struct node *node;
	AUTO(sbuf) struct sbuf path = {0};
	AUTO(sbuf) struct sbuf to = {0};

	if (!req->tree->change || !is_change(req, code))
		return;
	node = req->op == TREE_WRITE || req->op == TREE_FLUSH ? req->handle->node : req->node;
	node_path(node, &path);
	if (req->name)
		add_name(&path, req->name);
	if (req->op == TREE_RENAME) {
		node_path(req->node2, &to);
		add_name(&to, req->name2);
	}
	req->tree->change(req->tree->change_arg, &(struct tree_change_note){.cred = &req->cred,
							 .op = names[req->op],
							 .path = sbuf_str(&path),
							 .to = to.len ? sbuf_str(&to) : NULL,
							 .code = code < 0 ? code : 0});
}

void
tree_on_change(struct tree *tree, tree_change_fn *change, void *arg)
{
	tree->change = change;
	tree->change_arg = arg;
}
