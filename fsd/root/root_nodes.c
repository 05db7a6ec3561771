/* The files at the top of the mount, and those under config/.
 *
 * A setting is taken in two steps: judged at once, so that a bad value is the write's error, then
 * written to config.yaml on the file lane while the write is parked; it takes effect when it is on
 * disk.  The lane keeps the order of two writers.
 */
#include "base/auto.h"
#include "base/embed.h"
#include "base/mem.h"
#include "fsd/lane.h"
#include "fsd/root/room.h"
#include "fsd/tree/log_file.h"
#include "fsd/tree/room.h"
#include "handlers.h"

#include <stdlib.h>
#include <string.h>

#define README "mount-layout/templates/root/README"

int
root_readme(struct node *node, struct sbuf *out, struct err *err)
{
	const struct embedded_file *file = embedded_find(embedded_templates, README);

	(void)node;
	if (!file)
		return err_set(err, ENOENT, "this build has no README");
	sbuf_add(out, file->data, file->len);
	return 0;
}

int
root_version(struct node *node, struct sbuf *out, struct err *err)
{
	(void)node, (void)err;
	sbuf_adds(out, SLOTH_VERSION "\n");
	return 0;
}

int
root_status(struct node *node, struct sbuf *out, struct err *err)
{
	(void)err;
	figures_add_status(node_room(node), out);
	return 0;
}

int
root_status_json(struct node *node, struct sbuf *out, struct err *err)
{
	(void)err;
	figures_add_json(node_room(node), out);
	return 0;
}

int
root_metrics(struct node *node, struct sbuf *out, struct err *err)
{
	(void)err;
	figures_add_metrics(node_room(node), out);
	return 0;
}

static int
reader_of(struct log_file *file, struct log_reader **ret_reader, struct err *err)
{
	if (!file)
		return err_set(err, ESHUTDOWN, "the master is stopping");
	*ret_reader = log_file_reader(file);
	return 0;
}

int
root_log(struct node *node, struct log_reader **ret_reader, struct err *err)
{
	return reader_of(((struct root *)node_room(node))->log, ret_reader, err);
}

int
root_errors(struct node *node, struct log_reader **ret_reader, struct err *err)
{
	return reader_of(((struct root *)node_room(node))->errors, ret_reader, err);
}

int
root_audit(struct node *node, struct log_reader **ret_reader, struct err *err)
{
	return reader_of(((struct root *)node_room(node))->audit, ret_reader, err);
}

/* ---- config/ -------------------------------------------------------------------------------- */

static int
config_lookup(struct node *parent, const char *name, struct treq *req, void **ret_obj,
	uint64_t *ret_ino, struct err *err)
{
	(void)parent, (void)req, (void)err;
	if (!config_has(name))
		return -ENOENT;
	*ret_obj = NULL;
	*ret_ino = 0;
	return 0;
}

static int
config_list(struct node *parent, uint64_t cookie, struct treq *req, entry_fn *entry, void *arg,
	struct err *err)
{
	const char *name;

	(void)parent, (void)req, (void)err;
	for (; (name = config_name(cookie)); cookie++)
		if (!entry(arg, name, 0, cookie + 1))
			break;
	return 0;
}

const struct node_set config_keys = {
	.lookup = config_lookup,
	.list = config_list,
	.keeps_perms = true,
};

int
config_key_read(struct node *node, struct sbuf *out, struct err *err)
{
	struct root *root = node_room(node);

	(void)err;
	sbuf_printf(out, "%s\n", config_str(root->opt.config, node_name(node)));
	return 0;
}

struct saving {
	struct lane_job job; /* first */
	struct root *root;
	struct treq *req;
	char *key, *value;
	int code;
	struct err err;
};

static void
save_run(struct lane_job *job)
{
	struct saving *s = (struct saving *)job;

	s->code = config_file_edit(
		config_places(s->root->opt.config)->config_file, s->key, s->value, &s->err);
}

static void
save_done(struct lane_job *job)
{
	struct saving *s = (struct saving *)job;
	AUTO(free) char *path = mem_printf("/config/%s", s->key);

	if (s->code == 0) {
		config_apply(s->root->opt.config, s->key, s->value);
		tree_changed(s->root->opt.tree, path);
	}
	treq_reply(s->req, s->code, s->code < 0 ? &s->err : NULL);
	free(s->key);
	free(s->value);
	free(s);
}

int
config_key_write(struct node *node, const char *text, size_t len, struct treq *req, struct err *err)
{
	struct root *root = node_room(node);
	struct saving *s;
	int rc;

	if (strlen(text) != len)
		return err_set(err, EINVAL, "a setting holds no NUL byte");
	rc = config_check(node_name(node), text, err);
	if (rc < 0)
		return rc;
	s = NEW(struct saving);
	s->job = (struct lane_job){.run = save_run, .done = save_done};
	s->root = root;
	s->req = req;
	s->key = mem_strdup(node_name(node));
	s->value = mem_strdup(text);
	lane_submit(root->opt.files, &s->job);
	return TREE_PARKED;
}
