/* What text shares with the kinds that can be written too.  Private to fsd/tree/. */
#ifndef SLOTH_TREE_KIND_TEXT_H
#define SLOTH_TREE_KIND_TEXT_H

#include "fsd/tree/node.h"

/* Render a node's content as it is now. */
int text_render(struct node *node, struct sbuf *out, struct err *err) MUST_USE;
/* kind.stat and the OPEN operation. */
int text_stat(struct node *node, struct handle *h, struct stat *st, struct err *err) MUST_USE;
int text_open(struct treq *req) MUST_USE;

#endif
