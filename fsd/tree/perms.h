/* Who may do what with a node: mode and owner by row and override.  Private to fsd/tree/. */
#ifndef SLOTH_TREE_PERMS_H
#define SLOTH_TREE_PERMS_H

#include "fsd/tree/tree.h"

#define MAY_READ  4
#define MAY_WRITE 2
#define MAY_EXEC  1

/* Whether the caller may; 0 or -EACCES. */
int perms_check(struct treq *req, struct node *node, int may) MUST_USE;
/* The same for what req->flags open. */
int perms_check_open(struct treq *req, struct node *node) MUST_USE;
/* Mode (permission bits), uid and gid of a node, by row and override. */
void perms_stat(const struct node *node, struct stat *st);
/* Whether the caller may change what req->set names, given the node's owner in st. */
int perms_check_setattr(struct treq *req, const struct stat *st) MUST_USE;
/* SETATTR of nodes that are not backed by a file. */
int perms_setattr(struct treq *req) MUST_USE;
/* Forget the overrides of a path and of all below it. */
void perms_forget(struct tree *tree, const char *path);
void perms_free(struct tree *tree);

#endif
