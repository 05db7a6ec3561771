/* Stacks: walls inside the tree.  A stack is a directory of the state directory; its hooks, lib and
 * events are the same rooms' as at the root, told apart by its name.  Thread: core.
 */
#ifndef SLOTH_STACKS_STACKS_H
#define SLOTH_STACKS_STACKS_H

#include "base/err.h"

#include <stdbool.h>

struct stacks;
struct tree;
struct hooks;
struct lane;

struct stacks_options {
	struct tree *tree;
	struct hooks *hooks;
	struct lane *files;
	const char *state_dir;
	/* Whether an event of the stack may not be final yet: then it is not removed. */
	bool (*has_unfinished)(void *arg, const char *stack);
	void *arg;
};

/* Find the stacks of the state directory, add each to the hooks, and call hooks_start.  Call
 * tree_set_room(tree, "stacks", stacks).  Blocks: yes (start only).  Returns owned. */
int stacks_new(
	const struct stacks_options *opt, struct stacks **ret_stacks, struct err *err) MUST_USE;

/* Before the registry of hooks, after the tree's last request.  Accepts NULL. */
void stacks_free(struct stacks *stacks);

#endif
