/* Text: rendered once when opened, the same bytes until closed.
 *
 * stat(2) has to tell the size a read will give.  fstat(2) reaches us without the handle, so the
 * newest snapshot of the process that asks answers it (handle_of_opener); for everybody else the
 * text is rendered, and if it differs from last time the mtime moves.
 *
 * A text that takes long to render (a list of ten thousand hooks) keeps the core from others, and
 * a listing of its directory asks for its size alone: for a second that is the size it had.
 */
#include "fsd/tree/kind_text.h"

#include "base/auto.h"
#include "base/clock.h"

#include <fcntl.h>

#define DEAR_NS      NS_PER_MS
#define DEAR_LAST_NS NS_PER_S

int
text_render(struct node *node, struct sbuf *out, struct err *err)
{
	int64_t begin_ns = clock_mono_ns(), end_ns;
	int code = node->row->read.text(node, out, err);

	if (code < 0)
		return code;
	node_saw_content(node, out);
	end_ns = clock_mono_ns();
	node->dear_ns = end_ns - begin_ns > DEAR_NS ? end_ns : 0;
	node->dear_size = (off_t)out->len;
	return 0;
}

int
text_stat(struct node *node, struct handle *h, struct stat *st, struct err *err)
{
	AUTO(sbuf) struct sbuf text = {0};
	int code;

	if (h && (h->flags & O_ACCMODE) != O_WRONLY) {
		st->st_size = (off_t)h->text.len;
		return 0;
	}
	if (!node->row->read.text)
		return 0;
	if (node->dear_ns && clock_mono_ns() - node->dear_ns < DEAR_LAST_NS) {
		st->st_size = node->dear_size;
		return 0;
	}
	code = text_render(node, &text, err);
	st->st_size = code < 0 ? 0 : (off_t)text.len;
	return code == -ENOENT ? code : 0; /* any other failure is for open to tell */
}

int
text_open(struct treq *req)
{
	struct sbuf text = {0};
	int code = 0;

	if ((req->flags & O_ACCMODE) != O_WRONLY && req->node->row->read.text)
		code = text_render(req->node, &text, &req->err);
	if (code < 0) {
		sbuf_fini(&text);
		return code;
	}
	handle_new(req, req->node)->text = text;
	return 0;
}

static int
text_open_readonly(struct treq *req)
{
	if ((req->flags & O_ACCMODE) != O_RDONLY)
		return err_set(&req->err, EACCES, "'%s' is read only", req->node->name);
	return text_open(req);
}

const struct kind kind_text = {
	.type = S_IFREG,
	.stat = text_stat,
	.ops = {[TREE_OPEN] = text_open_readonly, [TREE_READ] = handle_read_text},
};
