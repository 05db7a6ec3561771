/* The tree: requests come in here, whatever their door, and leave here exactly once.
 *
 * tree_submit checks the name and the permission by a table with a row per operation, then hands
 * the request to the node's kind.  A kind answers by its return value, or keeps the request
 * (TREE_PARKED) and a room answers by treq_reply.  req->after stands between the two where a kind
 * has to make a count or a node out of the room's answer.  After TREE_PARKED nobody here touches
 * the request again: its answer may have come already.
 */
#include "fsd/tree/node.h"
#include "fsd/tree/perms.h"

#include "base/auto.h"
#include "base/mem.h"
#include "fsd/tree/watch.h"

#include <assert.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>

struct op_rule {
	const char *name;  /* as people know it, for `errors` */
	int may;           /* what the caller needs on req->node */
	int missing;       /* answer for a kind that cannot do it; 0: nothing to do */
	bool is_on_handle; /* req->handle says which node */
	bool has_name;     /* req->name is to be checked */
	bool gives_node;   /* ret_node and attr are results */
	bool is_reported;  /* a refusal is worth a line in `errors` */
};

#define IN_DIR (MAY_WRITE | MAY_EXEC)

static const struct op_rule rules[] = {
	[TREE_LOOKUP] = {"lookup", MAY_EXEC, -ENOTDIR, .has_name = true, .gives_node = true},
	[TREE_GETATTR] = {"stat"},
	[TREE_SETATTR] = {"setattr", .is_reported = true},
	[TREE_READLINK] = {"readlink", .missing = -EINVAL},
	[TREE_CREATE] = {"create", IN_DIR, -EPERM, .has_name = true, .gives_node = true,
		.is_reported = true},
	[TREE_MKDIR] = {"mkdir", IN_DIR, -EPERM, .has_name = true, .gives_node = true,
		.is_reported = true},
	[TREE_SYMLINK] = {"symlink", IN_DIR, -EPERM, .has_name = true, .gives_node = true,
		.is_reported = true},
	[TREE_UNLINK] = {"unlink", IN_DIR, -EPERM, .has_name = true, .is_reported = true},
	[TREE_RMDIR] = {"rmdir", IN_DIR, -EPERM, .has_name = true, .is_reported = true},
	[TREE_RENAME] = {"rename", IN_DIR, -EPERM, .has_name = true, .is_reported = true},
	[TREE_OPEN] = {"open", .missing = -EISDIR, .is_reported = true},
	[TREE_READ] = {"read", .missing = -EBADF, .is_on_handle = true},
	[TREE_WRITE] = {"write", .missing = -EBADF, .is_on_handle = true, .is_reported = true},
	[TREE_FLUSH] = {"close", .is_on_handle = true, .is_reported = true},
	[TREE_FSYNC] = {"fsync", .is_on_handle = true, .is_reported = true},
	[TREE_OPENDIR] = {"opendir", MAY_READ, -ENOTDIR},
	[TREE_READDIR] = {"readdir", .missing = -ENOTDIR, .is_on_handle = true},
};

/* ---- one request ---------------------------------------------------------------------------- */

/* Names are shown in lines and listings, so no control characters. */
static int
check_name(struct treq *req, const char *name)
{
	const unsigned char *p = (const unsigned char *)name;
	size_t len = strlen(name);

	if (len > 255)
		return -ENAMETOOLONG;
	if (len == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -EINVAL;
	for (; *p; p++) {
		if (*p < 0x20 || *p == 0x7f)
			return err_set(&req->err, EINVAL,
				"a name may not hold control characters (0x%02x)", *p);
		if (*p == '/')
			return -EINVAL;
	}
	return 0;
}

static int
check_request(struct treq *req, const struct op_rule *rule)
{
	int code = 0;

	if (rule->has_name)
		code = check_name(req, req->name);
	if (code == 0 && req->op == TREE_RENAME)
		code = check_name(req, req->name2);
	if (code == 0 && req->op == TREE_OPEN)
		return perms_check_open(req, req->node);
	if (code == 0)
		code = perms_check(req, req->node, rule->may);
	if (code == 0 && req->op == TREE_RENAME)
		code = perms_check(req, req->node2, rule->may);
	return code;
}

static int
dispatch(struct treq *req)
{
	const struct op_rule *rule = &rules[req->op];
	struct node *node = rule->is_on_handle ? req->handle->node : req->node;
	int code = rule->is_on_handle ? 0 : check_request(req, rule);

	if (code < 0)
		return code;
	if (node->kind->ops[req->op])
		return node->kind->ops[req->op](req);
	if (req->op == TREE_GETATTR)
		return node_stat(node,
			req->handle ? req->handle : handle_of_opener(node, req->cred.pid),
			&req->attr, &req->err);
	if (req->op == TREE_SETATTR) {
		code = perms_setattr(req);
		return code < 0 ? code : node_stat(node, req->handle, &req->attr, &req->err);
	}
	return rule->missing;
}

static void
report(struct treq *req, const struct op_rule *rule)
{
	struct tree *tree = req->tree;
	struct node *node = rule->is_on_handle ? req->handle->node : req->node;
	AUTO(sbuf) struct sbuf path = {0};

	if (!tree->refusal || !rule->is_reported || !req->err.msg[0])
		return;
	if (req->err.code == EAGAIN || req->err.code == EINTR)
		return;
	node_path(node, &path);
	if (rule->has_name)
		sbuf_printf(&path, "%s%s", path.len > 1 ? "/" : "", req->name);
	tree->refusal(tree->refusal_arg, &req->cred, sbuf_str(&path), rule->name, &req->err);
}

void
tree_report(struct tree *tree, uid_t uid, const char *path, const char *op, const struct err *err)
{
	if (tree->refusal)
		tree->refusal(tree->refusal_arg, &(struct tree_cred){.uid = uid}, path, op, err);
}

/* End a request that is not parked, or is parked and answered now. */
static void
finish(struct treq *req, int code)
{
	const struct op_rule *rule = &rules[req->op];

	if (code >= 0 && rule->gives_node) {
		code = node_stat(req->ret_node, req->handle, &req->attr, &req->err);
		if (code < 0) {
			node_unref(TAKE(req->ret_node), 1);
			if (req->op == TREE_CREATE)
				tree_release(TAKE(req->handle));
		}
	}
	if (code < 0)
		report(req, rule);
	audit_request(req, code);
	req->is_parked = false;
	req->tree->outstanding--;
	req->done(req, code);
}

void
tree_submit(struct tree *tree, struct treq *req)
{
	int code;

	req->tree = tree;
	req->err = (struct err){0};
	req->cancel = NULL;
	req->after = NULL;
	req->ret_node = NULL;
	req->is_parked = true; /* until answered */
	tree->outstanding++;
	code = dispatch(req);
	if (code != TREE_PARKED)
		finish(req, code);
}

void
treq_reply(struct treq *req, int code, const struct err *err)
{
	assert(req->is_parked);
	if (code < 0 && err && err->msg[0])
		req->err = *err;
	req->cancel = NULL;
	if (req->after)
		code = req->after(req, code);
	finish(req, code);
}

void
treq_on_cancel(struct treq *req, void (*cancel)(struct treq *req, void *arg), void *arg)
{
	req->cancel = cancel;
	req->cancel_arg = arg;
}

void
tree_cancel(struct treq *req)
{
	if (req->is_parked && req->cancel)
		req->cancel(req, req->cancel_arg);
}

uid_t
treq_uid(const struct treq *req)
{
	return req->cred.uid;
}

pid_t
treq_pid(const struct treq *req)
{
	return req->cred.pid;
}

/* ---- what changed --------------------------------------------------------------------------- */

/* The node in use at a path; NULL when nobody has it. */
static struct node *
find_path(struct tree *tree, const char *path)
{
	struct node *node = tree->root;
	char name[256];

	while (node && *path) {
		size_t len = strcspn(path, "/");

		if (len >= sizeof(name))
			return NULL;
		if (len > 0) {
			memcpy(name, path, len);
			name[len] = '\0';
			node = node_find(node, name);
		}
		path += len + (path[len] == '/');
	}
	return node;
}

void
tree_changed(struct tree *tree, const char *path)
{
	struct node *node = find_path(tree, path);

	if (node)
		node_changed(node);
}

void
tree_added(struct tree *tree, const char *dir_path, const char *name)
{
	struct node *dir = find_path(tree, dir_path);

	if (dir)
		node_entry_changed(dir, TREE_ADDED, name);
}

void
tree_removed(struct tree *tree, const char *dir_path, const char *name)
{
	struct node *dir = find_path(tree, dir_path), *node;
	AUTO(sbuf) struct sbuf path = {0};

	if (tree->perms) {
		sbuf_printf(&path, "%s/%s", strcmp(dir_path, "/") == 0 ? "" : dir_path, name);
		perms_forget(tree, sbuf_str(&path));
	}
	if (!dir)
		return;
	node = node_find(dir, name);
	if (node)
		node_detach(node);
	node_entry_changed(dir, TREE_REMOVED, name);
}

void
tree_listen(struct tree *tree, tree_listener_fn *listener, void *arg)
{
	tree->listener = listener;
	tree->listener_arg = arg;
}

void
tree_on_refusal(struct tree *tree, tree_refusal_fn *refusal, void *arg)
{
	tree->refusal = refusal;
	tree->refusal_arg = arg;
}

/* ---- life ----------------------------------------------------------------------------------- */

struct tree *
tree_new(uv_loop_t *loop, struct lane *files, const struct row *rows, unsigned row_count)
{
	struct tree *tree = NEW(struct tree);
	const struct group *sloth = getgrnam("sloth");

	tree->loop = loop;
	tree->files = files;
	tree->rows = rows;
	tree->row_count = row_count;
	tree->rooms = mem_zalloc(row_count, sizeof(void *));
	tree->uid = geteuid();
	tree->gid = getegid();
	tree->has_sloth = sloth != NULL;
	tree->sloth_gid = sloth ? sloth->gr_gid : tree->gid;
	tree->started_ns = tree_now_ns();
	tree->root = node_make_root(tree);
	return tree;
}

void
tree_free(struct tree *tree)
{
	if (!tree)
		return;
	node_free_all(tree);
	perms_free(tree);
	watch_free(tree->watch);
	free(tree->rooms);
	free(tree);
}

void
tree_set_room(struct tree *tree, const char *room, void *context)
{
	unsigned i;

	for (i = 0; i < tree->row_count; i++) {
		if (strcmp(tree->rows[i].room, room) == 0)
			tree->rooms[i] = context;
	}
}

struct node *
tree_root(struct tree *tree)
{
	return tree->root;
}

size_t
tree_outstanding(const struct tree *tree)
{
	return tree->outstanding;
}
