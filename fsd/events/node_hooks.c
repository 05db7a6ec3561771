/* events/<id>/hooks/<hook>/: the results of the hooks that matched; events/<id>/wait. */
#include "base/clock.h"
#include "base/mem.h"
#include "fsd/events/room.h"
#include "fsd/events/view.h"
#include "fsd/tree/room.h"
#include "handlers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- which hooks ----------------------------------------------------------------------------- */

struct search {
	const char *hook;
	void (*found)(const struct execution *ex, const char *field, struct sbuf *out);
	const char *field;
	struct sbuf *out;
	bool is_found;
};

static void
search_one(void *arg, const struct execution *ex)
{
	struct search *s = arg;

	if (s->is_found || strcmp(ex->hook, s->hook) != 0)
		return;
	s->is_found = true;
	if (s->found)
		s->found(ex, s->field, s->out);
}

static int
hooks_lookup(struct node *parent, const char *name, struct treq *req, void **ret_obj,
	uint64_t *ret_ino, struct err *err)
{
	struct search s = {.hook = name};

	(void)req, (void)ret_obj, (void)ret_ino, (void)err;
	view_executions(node_pinned(parent, &events_set), search_one, &s);
	return s.is_found ? 0 : -ENOENT;
}

struct listing {
	uint64_t at, cookie;
	entry_fn *entry;
	void *arg;
	bool is_full;
};

static void
list_one(void *arg, const struct execution *ex)
{
	struct listing *l = arg;

	if (++l->at > l->cookie && !l->is_full)
		l->is_full = !l->entry(l->arg, ex->hook, 0, l->at);
}

static int
hooks_list(struct node *parent, uint64_t cookie, struct treq *req, entry_fn *entry, void *arg,
	struct err *err)
{
	struct listing l = {.cookie = cookie, .entry = entry, .arg = arg};

	(void)req, (void)err;
	view_executions(node_pinned(parent, &events_set), list_one, &l);
	return 0;
}

const struct node_set event_hooks_set = {.lookup = hooks_lookup, .list = hooks_list};

/* ---- their values ---------------------------------------------------------------------------- */

/* Text of any length, ending in one newline. */
static void
add_text(struct sbuf *out, const char *text)
{
	size_t len = text ? strlen(text) : 0;

	sbuf_add(out, text, len);
	if (len == 0 || text[len - 1] != '\n')
		sbuf_addc(out, '\n');
}

static void
add_field(const struct execution *ex, const char *field, struct sbuf *out)
{
	char time[CLOCK_TEXT_MAX] = "";

	if (strcmp(field, "status") == 0) {
		add_text(out, exec_status_name(ex->status));
	} else if (strcmp(field, "output") == 0) {
		if (ex->output && ex->output[0])
			add_text(out, ex->output);
	} else if (strcmp(field, "error") == 0) {
		if (ex->error && ex->error[0])
			add_text(out, ex->error);
	} else if (strcmp(field, "message") == 0) {
		add_text(out, ex->message);
	} else if (strcmp(field, "duration_ms") == 0) {
		sbuf_printf(out, "%.3f\n", (double)ex->duration_ns / NS_PER_MS);
	} else if (strcmp(field, "attempts") == 0) {
		sbuf_printf(out, "%u\n", ex->attempts);
	} else if (strcmp(field, "executed_at") == 0) {
		if (ex->started_ns)
			clock_format(ex->started_ns, time);
		add_text(out, time);
	}
}

int
event_hook_read(struct node *node, struct sbuf *out, struct err *err)
{
	struct search s = {.hook = node_param(node, "hook"),
		.found = add_field,
		.field = node_name(node),
		.out = out};

	view_executions(node_pinned(node, &events_set), search_one, &s);
	if (!s.is_found)
		return err_set(err, ENOENT, "hook '%s' has no result for this event", s.hook);
	return 0;
}

/* ---- wait ------------------------------------------------------------------------------------ */

struct wait {
	struct feed_waiter waiter;
	struct events *events;
	struct handle *h;
};

static void
tell(struct handle *h, enum event_status status)
{
	char line[32];
	int len = snprintf(line, sizeof(line), "%s\n", event_status_name(status));

	handle_push(h, line, (size_t)len); /* at once: a held read takes what one push brings */
	handle_eof(h);
}

static void
on_final(
	struct feed_waiter *waiter, const struct event *ev, const struct execution_list *executions)
{
	struct wait *wait = (struct wait *)waiter;

	(void)executions;
	tell(wait->h, ev->status);
}

static int
wait_open(struct handle *h, struct err *err)
{
	const struct view *view = node_pinned(handle_node(h), &events_set);
	struct wait *wait = NEW(struct wait);

	(void)err;
	wait->events = view->events;
	wait->h = h;
	wait->waiter.seq = view->ev->seq;
	wait->waiter.final = on_final;
	handle_set_state(h, wait);
	if (view->is_final)
		tell(h, view->ev->status);
	else
		feed_wait(view->events->feed, &wait->waiter);
	return 0;
}

static void
wait_release(struct handle *h)
{
	struct wait *wait = handle_state(h);

	feed_unwait(wait->events->feed, &wait->waiter);
	free(wait);
}

const struct stream_ops event_wait_ops = {.open = wait_open, .release = wait_release};
