/* A symbolic link whose target a handler tells.  With no target (-ENOENT) there is no link. */
#include "fsd/tree/kind_text.h"

static int
link_readlink(struct treq *req)
{
	return text_render(req->node, &req->out, &req->err);
}

const struct kind kind_link = {
	.type = S_IFLNK,
	.stat = text_stat,
	.ops = {[TREE_READLINK] = link_readlink},
};
