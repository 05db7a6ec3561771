/* Directories made of rows, and the .help file in each of them.
 *
 * The names in a directory are its rows without a parameter, then what the {param} row's set
 * reports.  A directory is read by cursor, never copied: positions below SET_COOKIE count rows,
 * those from it on belong to the set.  What a user may make or remove in it is asked of the row's
 * dir_edit; links whose target does not exist yet are not there at all.
 */
#include "fsd/tree/node.h"

#include "base/auto.h"

#include <fcntl.h>
#include <string.h>

#define SET_COOKIE (UINT64_C(1) << 16)

static const struct row *
child_row(const struct node *dir, unsigned i)
{
	return &dir->tree->rows[dir->row->first_child + i];
}

/* The {param} row stands last. */
static const struct row *
param_row(const struct node *dir)
{
	const struct row *row;

	if (dir->row->child_count == 0)
		return NULL;
	row = child_row(dir, dir->row->child_count - 1);
	return row->flags & ROW_PARAM ? row : NULL;
}

static const struct row *
named_row(const struct node *dir, const char *name)
{
	unsigned i;

	for (i = 0; i < dir->row->child_count; i++) {
		const struct row *row = child_row(dir, i);

		if (!(row->flags & ROW_PARAM) && strcmp(row->name, name) == 0)
			return row;
	}
	return NULL;
}

/* ---- lookup --------------------------------------------------------------------------------- */

/* The node in use that still is what its name means. */
static struct node *
find_current(struct node *dir, const char *name)
{
	struct node *node = node_find(dir, name);

	if (node && node->kind->is_stale && node->kind->is_stale(node)) {
		node_detach(node);
		return NULL;
	}
	return node;
}

/* A set found the name: give the node, which takes the object. */
static int
bind_param(struct treq *req, void *obj, uint64_t ino)
{
	const struct row *row = param_row(req->node);
	struct node *node = find_current(req->node, req->name);
	struct node_spec spec = {
		.parent = req->node,
		.row = row,
		.kind = kind_of_row(row),
		.name = req->name,
		.obj = obj,
		.ino = ino,
	};

	if (!node || (row->flags & ROW_FRESH))
		return node_make(&spec, &req->ret_node, &req->err);
	if (obj && row->set->release) /* another lookup was faster */
		row->set->release(obj);
	req->ret_node = node_ref(node);
	return 0;
}

void
treq_pin(struct treq *req, int code, void *obj, uint64_t ino)
{
	if (code == 0)
		code = bind_param(req, obj, ino);
	treq_reply(req, code, NULL);
}

static int
lookup_param(struct treq *req, const struct row *row)
{
	void *obj = NULL;
	uint64_t ino = 0;
	int code = row->set->lookup(req->node, req->name, req, &obj, &ino, &req->err);

	return code == 0 ? bind_param(req, obj, ino) : code;
}

int
help_lookup(struct treq *req)
{
	struct node_spec spec = {
		.parent = req->node, .row = req->node->row, .kind = &kind_help, .name = HELP_NAME};
	struct node *node = node_find(req->node, HELP_NAME);

	if (!node)
		return node_make(&spec, &req->ret_node, &req->err);
	req->ret_node = node_ref(node);
	return 0;
}

static int
dir_lookup(struct treq *req)
{
	const struct row *row = named_row(req->node, req->name), *param = param_row(req->node);
	struct node *node = find_current(req->node, req->name);
	struct node_spec spec = {.parent = req->node, .row = row, .name = req->name};

	if (node) {
		req->ret_node = node_claim(node);
		return 0;
	}
	if (row) {
		spec.kind = kind_of_row(row);
		return node_make(&spec, &req->ret_node, &req->err);
	}
	if (strcmp(req->name, HELP_NAME) == 0)
		return help_lookup(req);
	return param ? lookup_param(req, param) : -ENOENT;
}

/* ---- reading -------------------------------------------------------------------------------- */

static unsigned char
entry_type(const struct row *row)
{
	switch (row->kind) {
	case ROW_DIR:
	case ROW_SOURCE:
		return DT_DIR;
	case ROW_LINK:
		return DT_LNK;
	case ROW_TEXT:
	case ROW_VALUE:
	case ROW_CTL:
	case ROW_RPC:
	case ROW_STREAM:
	case ROW_LOG:
		return DT_REG;
	}
	return DT_UNKNOWN;
}

/* entry_fn for a set: arg is the request. */
static bool
set_entry(void *arg, const char *name, uint64_t ino, uint64_t cookie)
{
	struct treq *req = arg;
	struct node *dir = req->handle->node;
	const struct row *row = param_row(dir);

	return req->entry(req->arg, name, node_child_ino(dir, row, name, ino), entry_type(row),
		cookie + SET_COOKIE);
}

bool
treq_entry(struct treq *req, const char *name, uint64_t ino, uint64_t cookie)
{
	return set_entry(req, name, ino, cookie);
}

/* Links and logs have to be asked: a link shows only while it leads somewhere, and a log has the
 * inode number of the file it is now. */
static bool
ask_node(struct node *dir, const struct row *row, uint64_t *ret_ino)
{
	struct node_spec spec = {
		.parent = dir, .row = row, .kind = kind_of_row(row), .name = row->name};
	struct node *node = find_current(dir, row->name);
	struct stat st;
	int code;

	if (node)
		node_ref(node);
	else if (node_make(&spec, &node, NULL) < 0)
		return false;
	code = node_stat(node, NULL, &st, NULL);
	node_unref(node, 1);
	*ret_ino = st.st_ino;
	return code == 0;
}

static bool
is_shown(struct node *dir, const struct row *row, uint64_t *ret_ino)
{
	if (row->flags & (ROW_UNLISTED | ROW_PARAM))
		return false;
	if (row->kind == ROW_LINK || row->kind == ROW_LOG)
		return ask_node(dir, row, ret_ino);
	*ret_ino = node_child_ino(dir, row, row->name, 0);
	return true;
}

static int
dir_readdir(struct treq *req)
{
	struct node *dir = req->handle->node;
	const struct row *param = param_row(dir);
	uint64_t at = (uint64_t)req->off, ino;

	for (; at < dir->row->child_count; at++) {
		const struct row *row = child_row(dir, (unsigned)at);

		if (!is_shown(dir, row, &ino))
			continue;
		if (!req->entry(req->arg, row->name, ino, entry_type(row), at + 1))
			return 0;
	}
	if (!param || !param->set->list || (param->flags & ROW_UNLISTED))
		return 0;
	at = at < SET_COOKIE ? 0 : at - SET_COOKIE;
	return param->set->list(dir, at, req, set_entry, req, &req->err);
}

static int
dir_opendir(struct treq *req)
{
	handle_new(req, req->node);
	return 0;
}

/* ---- changes -------------------------------------------------------------------------------- */

typedef int edit_fn(struct node *dir, const char *name, struct treq *req, struct err *err);

static int
edit(struct treq *req, edit_fn *fn)
{
	AUTO(sbuf) struct sbuf path = {0};

	if (fn)
		return fn(req->node, req->name, req, &req->err);
	node_path(req->node, &path);
	return err_set(&req->err, EPERM,
		"names in '%s' are not made or removed by hand; see %s/.help", sbuf_str(&path),
		path.len > 1 ? sbuf_str(&path) : "");
}

static int
dir_mkdir(struct treq *req)
{
	const struct dir_edit *ops = req->node->row->write.edit;
	int code = edit(req, ops ? ops->mkdir : NULL);

	return code < 0 ? code : dir_lookup(req);
}

static int
dir_unlink(struct treq *req)
{
	const struct dir_edit *ops = req->node->row->write.edit;

	return edit(req, ops ? ops->unlink : NULL);
}

static int
dir_rmdir(struct treq *req)
{
	const struct dir_edit *ops = req->node->row->write.edit;

	return edit(req, ops ? ops->rmdir : NULL);
}

/* Files, links and new names are made only below source directories. */
static int
dir_refuse(struct treq *req)
{
	return edit(req, NULL);
}

const struct kind kind_dir = {
	.type = S_IFDIR,
	.ops =
		{
			[TREE_LOOKUP] = dir_lookup,
			[TREE_CREATE] = dir_refuse,
			[TREE_MKDIR] = dir_mkdir,
			[TREE_SYMLINK] = dir_refuse,
			[TREE_UNLINK] = dir_unlink,
			[TREE_RMDIR] = dir_rmdir,
			[TREE_RENAME] = dir_refuse,
			[TREE_OPENDIR] = dir_opendir,
			[TREE_READDIR] = dir_readdir,
		},
};

/* ---- .help ---------------------------------------------------------------------------------- */

static void
help_line(struct sbuf *out, const struct row *row)
{
	const char *open = row->flags & ROW_PARAM ? "<" : "", *close = *open ? ">" : "";
	bool is_dir = row->kind == ROW_DIR || row->kind == ROW_SOURCE;

	sbuf_printf(out, "  %s%s%s%s  %04o  %s%s\n", open, row->name, close, is_dir ? "/" : "",
		row->mode, row->help, row->flags & ROW_UNLISTED ? " (not listed)" : "");
}

static void
help_render(const struct node *node, struct sbuf *out)
{
	const struct node *dir = node->parent;
	unsigned i;

	node_path(dir, out);
	sbuf_printf(out, ": %s\n", dir->row->help);
	if (dir->row->kind == ROW_SOURCE)
		sbuf_adds(out, "\nFiles and directories of yours, kept byte for byte.\n");
	if (dir->row->child_count > 0)
		sbuf_addc(out, '\n');
	for (i = 0; i < dir->row->child_count; i++)
		help_line(out, child_row(dir, i));
}

static int
help_stat(struct node *node, struct handle *h, struct stat *st, struct err *err)
{
	AUTO(sbuf) struct sbuf text = {0};

	(void)h, (void)err;
	help_render(node, &text);
	st->st_size = (off_t)text.len;
	return 0;
}

static int
help_open(struct treq *req)
{
	if ((req->flags & O_ACCMODE) != O_RDONLY)
		return err_set(&req->err, EACCES, "'%s' is read only", HELP_NAME);
	help_render(req->node, &handle_new(req, req->node)->text);
	return 0;
}

const struct kind kind_help = {
	.type = S_IFREG,
	.stat = help_stat,
	.ops = {[TREE_OPEN] = help_open, [TREE_READ] = handle_read_text},
};
