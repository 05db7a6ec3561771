/* Nodes: the paths in use.
 *
 * A node lives while somebody holds a reference (a door's lookup count, a handle, a child).  It is
 * found again by its parent and its name, so repeated lookups give the same node; the key holds the
 * parent's address and not the path, so renaming a directory moves all that is below it at no cost.
 * A node whose row is `fresh` is found by one lookup at most, after its last handle was closed:
 * until then every lookup makes another one with the same inode number.  So writers at once never
 * share one, while one that opens, writes and closes again and again spares the kernel a second
 * lookup, which it makes when the first gives another node than its last.  A node whose name is
 * gone is detached: it stays valid for those who hold it.
 *
 * Nodes without a parameter on their way are kept for good: they are as many as rows, and their
 * change times survive that way.
 */
#include "fsd/tree/node.h"
#include "fsd/tree/perms.h"

#include "base/auto.h"
#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct node_key {
	struct node *parent;
	char name[256];
};
#define KEY_BYTES(name_len) (sizeof(struct node *) + (name_len))

int64_t
tree_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

const struct kind *
kind_of_row(const struct row *row)
{
	switch (row->kind) {
	case ROW_DIR:
		return &kind_dir;
	case ROW_TEXT:
		return &kind_text;
	case ROW_VALUE:
		return &kind_value;
	case ROW_CTL:
		return &kind_ctl;
	case ROW_RPC:
		return &kind_rpc;
	case ROW_STREAM:
		return &kind_stream;
	case ROW_LOG:
		return &kind_log;
	case ROW_LINK:
		return &kind_link;
	case ROW_SOURCE:
		return &kind_source;
	}
	abort(); /* the generator knows no other */
}

/* ---- inode numbers -------------------------------------------------------------------------- */

uint64_t
node_mix(uint64_t a, uint64_t b)
{
	uint64_t x = a * UINT64_C(0x9e3779b97f4a7c15) + b;

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	x ^= x >> 31;
	return x ? x : 1;
}

static uint64_t
hash_bytes(uint64_t seed, const char *data, size_t len)
{
	uint64_t hash = seed ^ UINT64_C(0xcbf29ce484222325);
	size_t i;

	for (i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)data[i]) * UINT64_C(0x100000001b3);
	return node_mix(hash, len);
}

uint64_t
node_child_ino(const struct node *parent, const struct row *row, const char *name, uint64_t ino)
{
	if (ino) /* sets number their own objects: the row tells them apart */
		return node_mix(hash_bytes(0, row->path, strlen(row->path)), ino);
	return hash_bytes(parent->ino, name, strlen(name));
}

/* ---- the table of nodes --------------------------------------------------------------------- */

struct node *
node_find(struct node *parent, const char *name)
{
	struct node_key key = {.parent = parent};
	size_t len = strlen(name);
	struct node *node;

	if (len >= sizeof(key.name))
		return NULL;
	memcpy(key.name, name, len);
	HASH_FIND(hh, parent->tree->nodes, &key, KEY_BYTES(len), node);
	return node;
}

static void
node_hash(struct node *node)
{
	size_t len = strlen(node->name);

	node->key = mem_zalloc(1, KEY_BYTES(len));
	node->key->parent = node->parent;
	memcpy(node->key->name, node->name, len);
	HASH_ADD_KEYPTR(hh, node->tree->nodes, node->key, KEY_BYTES(len), node);
	node->is_hashed = true;
}

static void
node_unhash(struct node *node)
{
	if (!node->is_hashed)
		return;
	HASH_DEL(node->tree->nodes, node);
	node->is_hashed = false;
	free(TAKE(node->key));
}

struct node *
node_claim(struct node *node)
{
	if (node_is_fresh(node))
		node_unhash(node);
	return node_ref(node);
}

void
node_rest(struct node *node)
{
	bool is_of_param = node->row->flags & ROW_PARAM; /* its object is looked up each time */

	if (node_is_fresh(node) && !is_of_param && !node->is_hashed && LIST_EMPTY(&node->handles) &&
		!node_find(node->parent, node->name))
		node_hash(node);
}

void
node_move(struct node *node, struct node *new_parent, const char *new_name)
{
	struct node *old_parent = node->parent, *loser = node_find(new_parent, new_name);

	if (loser && loser != node)
		node_detach(loser);
	node_unhash(node);
	free(node->name);
	node->name = mem_strdup(new_name);
	node->parent = node_ref(new_parent);
	node_unref(old_parent, 1);
	node_hash(node);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void
node_free(struct node *node)
{
	struct node *parent = node->parent;

	assert(node->refs == 0 && LIST_EMPTY(&node->handles));
	node_unhash(node);
	if (node->kind->fini)
		node->kind->fini(node);
	if (node->obj && node->row->set && node->row->set->release)
		node->row->set->release(node->obj);
	free(node->name);
	free(node);
	if (parent)
		node_unref(parent, 1);
}

void
node_detach(struct node *node)
{
	node_unhash(node);
	node->is_kept = false;
	if (node->refs == 0)
		node_free(node);
}

int
node_make(const struct node_spec *spec, struct node **ret_node, struct err *err)
{
	struct node *node = NEW(struct node), *parent = spec->parent;
	bool is_param = spec->row->flags & ROW_PARAM;
	int code;

	node->tree = parent->tree;
	node->row = spec->row;
	node->kind = spec->kind;
	node->parent = node_ref(parent);
	node->name = mem_strdup(spec->name);
	node->obj = spec->obj;
	node->is_entry = spec->is_entry;
	node->is_kept = parent->is_kept && !is_param && !spec->is_entry;
	node->ino = node_child_ino(parent, spec->row, spec->name, spec->ino);
	node->refs = 1;
	LIST_INIT(&node->handles);
	code = node->kind->init ? node->kind->init(node, err) : 0;
	if (code < 0) {
		node->refs = 0;
		node_free(node);
		return code;
	}
	if (!(spec->row->flags & ROW_FRESH))
		node_hash(node);
	else
		node->is_kept = false;
	*ret_node = node;
	return 0;
}

struct node *
node_make_root(struct tree *tree)
{
	struct node *root = NEW(struct node);

	root->tree = tree;
	root->row = &tree->rows[0];
	root->kind = &kind_dir;
	root->name = mem_strdup("");
	root->ino = node_mix(1, 1);
	root->refs = 1;
	root->is_kept = true;
	LIST_INIT(&root->handles);
	return root;
}

struct node *
node_ref(struct node *node)
{
	node->refs++;
	return node;
}

void
node_unref(struct node *node, uint64_t count)
{
	assert(node->refs >= count);
	node->refs -= count;
	if (node->refs == 0 && !node->is_kept)
		node_free(node);
}

void
node_free_all(struct tree *tree)
{
	struct node *node, *next;
	bool is_progress = true;

	while (is_progress) { /* a parent is free only after its children */
		is_progress = false;
		HASH_ITER (hh, tree->nodes, node, next) {
			if (node->refs > 0)
				continue;
			node->is_kept = false;
			node_free(node);
			is_progress = true;
			break; /* a parent may have gone with it: next is not to be trusted */
		}
	}
	tree->root->is_kept = false;
	node_unref(tree->root, 1);
}

/* ---- what rooms and doors ask -----------------------------------------------------------------
 */

const char *
node_param(const struct node *node, const char *param)
{
	for (; node; node = node->parent) {
		if (!node->is_entry && (node->row->flags & ROW_PARAM) &&
			strcmp(node->row->name, param) == 0)
			return node->name;
	}
	return NULL;
}

const char *
node_name(const struct node *node)
{
	return node->name;
}

const char *
node_stack(const struct node *node)
{
	for (; node; node = node->parent) {
		if (strcmp(node->row->path, "/stacks/{stack}") == 0)
			return node->name;
	}
	return "";
}

void *
node_pinned(const struct node *node, const struct node_set *set)
{
	for (; node; node = node->parent) {
		if (node->row->set == set)
			return node->obj;
	}
	return NULL;
}

void *
node_room(const struct node *node)
{
	return node->tree->rooms[node->row - node->tree->rows];
}

void
node_path(const struct node *node, struct sbuf *out)
{
	if (!node->parent) {
		sbuf_addc(out, '/');
		return;
	}
	if (node->parent->parent)
		node_path(node->parent, out);
	sbuf_addc(out, '/');
	sbuf_adds(out, node->name);
}

struct node *
node_parent(const struct node *node)
{
	return node->parent;
}

uint64_t
node_ino(const struct node *node)
{
	return node->ino;
}

bool
node_is_fresh(const struct node *node)
{
	return node->row->flags & ROW_FRESH;
}

bool
node_is_source(const struct node *node)
{
	return node->kind == &kind_source;
}

bool
node_is_kept(const struct node *node)
{
	return node->is_kept;
}

bool
node_is_told(const struct node *node)
{
	return node->row->flags & ROW_NOTIFY;
}

/* ---- change and stat --------------------------------------------------------------------------
 */

void
node_changed(struct node *node)
{
	struct tree *tree = node->tree;

	node->changed_ns = tree_now_ns();
	if (tree->listener)
		tree->listener(tree->listener_arg, node, TREE_CHANGED, NULL);
}

void
node_entry_changed(struct node *dir, enum tree_change what, const char *name)
{
	struct tree *tree = dir->tree;

	dir->changed_ns = tree_now_ns();
	if (tree->listener)
		tree->listener(tree->listener_arg, dir, what, name);
}

void
node_saw_content(struct node *node, const struct sbuf *text)
{
	uint64_t hash = hash_bytes(0, sbuf_str(text), text->len);

	if (node->content_hash && node->content_hash != hash)
		node->changed_ns = tree_now_ns();
	node->content_hash = hash;
}

/* When the object a node belongs to changed last. */
static int64_t
object_mtime_ns(const struct node *node)
{
	for (; node; node = node->parent) {
		const struct node_set *set = node->row->set;

		if (set && set->mtime_ns && node->obj)
			return set->mtime_ns(node->obj);
	}
	return 0;
}

int
node_stat(struct node *node, struct handle *h, struct stat *st, struct err *err)
{
	int64_t mtime_ns = object_mtime_ns(node);
	int code;

	if (node->changed_ns > mtime_ns)
		mtime_ns = node->changed_ns;
	if (mtime_ns == 0)
		mtime_ns = node->tree->started_ns;
	memset(st, 0, sizeof(*st));
	perms_stat(node, st);
	st->st_mode |= node->kind->type;
	st->st_nlink = 1;
	st->st_blksize = 4096;
	code = node->kind->stat ? node->kind->stat(node, h, st, err) : 0;
	if (code < 0 || node->kind->perm) /* a backing file has its own times */
		return code;
	st->st_ino = node->ino;
	if (node->changed_ns > mtime_ns) /* rendering it may have shown a change */
		mtime_ns = node->changed_ns;
	if (st->st_mtim.tv_sec == 0) {
		st->st_mtim.tv_sec = mtime_ns / 1000000000;
		st->st_mtim.tv_nsec = mtime_ns % 1000000000;
	}
	st->st_atim = st->st_ctim = st->st_mtim;
	st->st_blocks = (st->st_size + 511) / 512;
	return 0;
}
