/* The root's room: see root.h.
 *
 * Log and errors are log files (tree/log_file.h): appended on the file lane, rotated, readable in
 * the mount.  Before this room exists the daemon logs to standard error.
 */
#include "fsd/root/root.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "fsd/root/room.h"
#include "fsd/tree/log_file.h"
#include "fsd/tree/room.h"
#include "fsd/tree/tree.h"

#include <stdlib.h>
#include <string.h>

static void
log_grew(void *arg)
{
	tree_changed(((struct root *)arg)->opt.tree, "/log");
}

static void
errors_grew(void *arg)
{
	tree_changed(((struct root *)arg)->opt.tree, "/errors");
}

static void
audit_grew(void *arg)
{
	tree_changed(((struct root *)arg)->opt.tree, "/audit");
}

static int
open_log(struct root *root, const char *name, void (*grew)(void *arg), struct log_file **ret_file,
	struct err *err)
{
	const struct config *config = root->opt.config;
	AUTO(free) char *path = mem_printf("%s/%s", config_places(config)->state_dir, name);
	struct log_options opt = {
		.path = path,
		.max_bytes = (uint64_t)config_int(config, "log_max_bytes"),
		.is_private = strcmp(name, "audit") == 0,
		.grew = grew,
		.arg = root,
	};

	return log_file_open(root->opt.files, &opt, ret_file, err);
}

static void
set_log_max(void *arg, int64_t bytes)
{
	struct root *root = arg;

	if (!root->log)
		return; /* the master is stopping */
	log_file_set_max(root->log, (uint64_t)bytes);
	log_file_set_max(root->errors, (uint64_t)bytes);
	log_file_set_max(root->audit, (uint64_t)bytes);
}

int
root_new(const struct root_options *opt, struct root **ret_root, struct err *err)
{
	struct root *root = NEW(struct root);
	int rc;

	root->opt = *opt;
	root->started_ns = clock_real_ns();
	rc = open_log(root, "log", log_grew, &root->log, err);
	if (rc == 0)
		rc = open_log(root, "errors", errors_grew, &root->errors, err);
	if (rc == 0)
		rc = open_log(root, "audit", audit_grew, &root->audit, err);
	if (rc < 0) {
		root_close_logs(root);
		root_free(root);
		return rc;
	}
	config_watch(opt->config, "log_max_bytes", set_log_max, root);
	tree_set_room(opt->tree, "root", root);
	tree_set_room(opt->tree, "config", root);
	*ret_root = root;
	return 0;
}

void
root_close_logs(struct root *root)
{
	log_file_close(TAKE(root->log));
	log_file_close(TAKE(root->errors));
	log_file_close(TAKE(root->audit));
}

void
root_free(struct root *root)
{
	free(root);
}

void
root_set_rooms(struct root *root, const struct root_rooms *rooms)
{
	root->rooms = *rooms;
}

void
root_log_line(struct root *root, const char *line, size_t len)
{
	log_file_append(root->log, line, len);
}

void
root_refused(
	struct root *root, const char *who, const char *op, const char *path, const struct err *err)
{
	AUTO(sbuf) struct sbuf line = {0};
	char time[CLOCK_TEXT_MAX];

	if (!root->errors)
		return;
	clock_format(clock_real_ns(), time);
	sbuf_printf(&line, "{\"time\":\"%s\",\"path\":", time);
	sbuf_jsons(&line, path);
	sbuf_adds(&line, ",\"op\":");
	sbuf_jsons(&line, op);
	if (who) {
		sbuf_adds(&line, ",\"who\":");
		sbuf_jsons(&line, who);
	}
	sbuf_adds(&line, ",\"error\":");
	sbuf_jsons(&line, strerrorname_np(err->code));
	sbuf_adds(&line, ",\"reason\":");
	sbuf_jsons(&line, err->msg[0] ? err->msg : strerror(err->code));
	sbuf_addc(&line, '}');
	log_file_append(root->errors, sbuf_str(&line), line.len);
}

void
root_audit_change(struct root *root, const struct tree_change_note *note)
{
	AUTO(sbuf) struct sbuf line = {0};
	char time[CLOCK_TEXT_MAX];

	if (!root->audit)
		return; /* the master is stopping */
	clock_format(clock_real_ns(), time);
	sbuf_printf(&line, "{\"time\":\"%s\",\"who\":\"uid:%u\",\"pid\":%d,\"door\":", time,
		(unsigned)note->cred->uid, (int)note->cred->pid);
	sbuf_jsons(&line, note->cred->door);
	sbuf_adds(&line, ",\"op\":");
	sbuf_jsons(&line, note->op);
	sbuf_adds(&line, ",\"path\":");
	sbuf_jsons(&line, note->path);
	if (note->to) {
		sbuf_adds(&line, ",\"to\":");
		sbuf_jsons(&line, note->to);
	}
	sbuf_adds(&line, ",\"result\":");
	sbuf_jsons(&line, note->code < 0 ? strerrorname_np(-note->code) : "ok");
	sbuf_addc(&line, '}');
	log_file_append(root->audit, sbuf_str(&line), line.len);
}
