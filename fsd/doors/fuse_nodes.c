/* What the kernel knows: one fnode for each node it was told of, with its lookup count.
 *
 * The nodeid is the fnode's address, so a request finds its node without a search; the hash is for
 * the other way, to give a node the same id at every LOOKUP.  A `fresh` row needs nothing here: the
 * tree makes another node for each lookup, and another node is another id.  Each lookup counted
 * holds one reference of the node.  On unmount the kernel forgets without saying so; fnodes_fini
 * drops what is left.
 *
 * The kernel remembers a name until memory gets short, and we with it the event behind it.  So that
 * whoever walks through a million events costs a bounded part of that, the names looked up longest
 * ago are taken back beyond names_max.  What is open, or somebody's directory, stays valid; but
 * getcwd(2) fails in such a directory until it is entered anew.
 */
#include "base/mem.h"
#include "fsd/doors/fuse_door.h"

#include <assert.h>
#include <stdlib.h>

#define NAMES_MAX 32768

void
fnodes_init(struct fuse_door *door)
{
	TAILQ_INIT(&door->ages);
	door->root.node = tree_root(door->opt.tree);
	door->root.lookups = 1; /* never forgotten */
	HASH_ADD_PTR(door->nodes, node, &door->root);
}

void
fnodes_fini(struct fuse_door *door)
{
	struct fnode *fn, *next;

	HASH_DEL(door->nodes, &door->root);
	flate_forget(&door->root);
	HASH_ITER (hh, door->nodes, fn, next)
		fnode_forget(door, fn, fn->lookups);
}

fuse_ino_t
fnode_id(struct fuse_door *door, const struct fnode *fn)
{
	return fn == &door->root ? FUSE_ROOT_ID : (fuse_ino_t)(uintptr_t)fn;
}

struct fnode *
fnode_find(struct fuse_door *door, struct node *node)
{
	struct fnode *fn;

	HASH_FIND_PTR(door->nodes, &node, fn);
	return fn;
}

static void
age_end(struct fuse_door *door, struct fnode *fn)
{
	if (!fn->is_aging)
		return;
	TAILQ_REMOVE(&door->ages, fn, age);
	door->aging--;
	fn->is_aging = false;
}

/* It was looked up just now.  A path is walked from its top, so a directory is older than what is
 * in it, and takes that along when it is its turn. */
static void
age_renew(struct fuse_door *door, struct fnode *fn)
{
	size_t max = door->opt.names_max ? door->opt.names_max : NAMES_MAX;
	struct fnode *oldest;

	age_end(door, fn);
	while (door->aging >= max && (oldest = TAILQ_FIRST(&door->ages)) &&
		fnotify_forget(door, oldest))
		age_end(door, oldest);
	TAILQ_INSERT_TAIL(&door->ages, fn, age);
	door->aging++;
	fn->is_aging = true;
}

struct fnode *
fnode_learn(struct fuse_door *door, struct node *node)
{
	struct fnode *fn = fnode_find(door, node);

	if (!fn) {
		fn = NEW(struct fnode);
		fn->node = node;
		HASH_ADD_PTR(door->nodes, node, fn);
	}
	fn->lookups++;
	if (!node_is_kept(node))
		age_renew(door, fn);
	return fn;
}

/* All ghosts share the key NULL; nobody searches them, fnodes_fini walks over them. */
struct fnode *
fnode_ghost(struct fuse_door *door)
{
	struct fnode *fn = NEW(struct fnode);

	fn->lookups = 1;
	HASH_ADD_PTR(door->nodes, node, fn);
	return fn;
}

void
fnode_forget(struct fuse_door *door, struct fnode *fn, uint64_t count)
{
	if (fn == &door->root)
		return;
	assert(count <= fn->lookups);
	fn->lookups -= count;
	if (fn->node)
		node_unref(fn->node, count);
	if (fn->lookups)
		return;
	HASH_DEL(door->nodes, fn);
	age_end(door, fn);
	flate_forget(fn);
	free(fn);
}
