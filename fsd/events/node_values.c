/* The files of events/<id>/ that show what the event is: one for each value, and event.json. */
#include "base/clock.h"
#include "base/mem.h"
#include "fsd/events/event_json.h"
#include "fsd/events/room.h"
#include "fsd/events/view.h"
#include "fsd/tree/room.h"
#include "handlers.h"

#include <stdlib.h>
#include <string.h>

static struct view *
view_of(const struct node *node)
{
	return node_pinned(node, &events_set);
}

static int
add_line(struct sbuf *out, const char *text)
{
	sbuf_adds(out, text ? text : "");
	sbuf_addc(out, '\n');
	return 0;
}

static int
add_time(struct sbuf *out, int64_t ns)
{
	char text[CLOCK_TEXT_MAX] = "";

	if (ns)
		clock_format(ns, text);
	return add_line(out, text);
}

int
event_status_read(struct node *node, struct sbuf *out, struct err *err)
{
	(void)err;
	return add_line(out, event_status_name(view_status(view_of(node))));
}

/* One row each for the plain texts; the name of the node says which. */
int
event_text_read(struct node *node, struct sbuf *out, struct err *err)
{
	const struct event *ev = view_of(node)->ev;
	const struct {
		const char *name, *text;
	} texts[] = {{"type", ev->type}, {"stack", ev->stack}, {"severity", ev->severity},
		{"agent", ev->agent}, {"run_id", ev->run_id}, {"source", ev->source},
		{"error", ev->error}};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(texts[i].name, node_name(node)) == 0)
			return add_line(out, texts[i].text);
	return err_set(err, ENOENT, "'%s' is no value of an event", node_name(node));
}

int
event_time_read(struct node *node, struct sbuf *out, struct err *err)
{
	const struct event *ev = view_of(node)->ev;

	(void)err;
	if (strcmp(node_name(node), "timestamp") == 0)
		return add_time(out, ev->timestamp_ns);
	if (strcmp(node_name(node), "created_at") == 0)
		return add_time(out, ev->created_ns);
	return add_time(out, ev->processed_ns);
}

int
event_data_read(struct node *node, struct sbuf *out, struct err *err)
{
	const struct event *ev = view_of(node)->ev;

	(void)err;
	sbuf_add(out, ev->data, ev->data_len);
	sbuf_addc(out, '\n');
	return 0;
}

struct gathered {
	struct execution_list list;
};

static void
gather(void *arg, const struct execution *ex)
{
	struct gathered *g = arg;
	struct execution *copy = NEW(struct execution);

	*copy = *ex; /* texts stay borrowed */
	STAILQ_INSERT_TAIL(&g->list, copy, link);
}

int
event_json_read(struct node *node, struct sbuf *out, struct err *err)
{
	const struct view *view = view_of(node);
	struct gathered g = {.list = STAILQ_HEAD_INITIALIZER(g.list)};
	struct execution *ex;

	(void)err;
	view_executions(view, gather, &g);
	event_json(out, &(struct event_json){.ev = view->ev,
				.status = view_status(view),
				.executions = &g.list,
				.with_output = true});
	sbuf_addc(out, '\n');
	while ((ex = STAILQ_FIRST(&g.list))) {
		STAILQ_REMOVE_HEAD(&g.list, link);
		free(ex);
	}
	return 0;
}

int
event_cause_read(struct node *node, struct sbuf *out, struct err *err)
{
	const struct view *view = view_of(node);

	if (!view->ev->cause_id)
		return err_set(err, ENOENT, "event '%s' has no cause", view->id);
	sbuf_printf(out, "../%s", view->ev->cause_id);
	return 0;
}
