/* events/<id>/replay: dispatch a copy of an event again.
 *
 * `1` runs every hook that matches now, `hook=NAME` only that one.  The copy has an id of its own,
 * names the original as its cause and as what it replays, and is read back on the same open file.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "fsd/events/dispatcher.h"
#include "fsd/events/room.h"
#include "fsd/events/view.h"
#include "fsd/tree/room.h"
#include "handlers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_MAX 129 /* <hook>@<stack> */

struct replay {
	struct treq *req;
	struct event *ev; /* the copy */
	struct handle *h;
	size_t len;
};

static bool
is_label(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if ((unsigned char)text[i] <= ' ' || text[i] == '/' || text[i] == 0x7F)
			return false;
	return len > 0 && len <= LABEL_MAX;
}

/* Returns 0 with the hook's label or NULL for all. */
static int
parse_verb(const char *data, size_t len, char **ret_hook, struct err *err)
{
	while (len > 0 && (data[len - 1] == '\n' || data[len - 1] == ' '))
		len--;
	if (len == 1 && data[0] == '1') {
		*ret_hook = NULL;
		return 0;
	}
	if (len <= 5 || memcmp(data, "hook=", 5) != 0 || !is_label(data + 5, len - 5))
		return err_set(err, EINVAL, "write 1 or hook=NAME to replay the event");
	*ret_hook = mem_strndup(data + 5, len - 5);
	return 0;
}

static struct event *
copy_event(const struct event *ev, uid_t uid)
{
	struct event *copy = NEW(struct event);
	char id[EVENT_ID_MAX + 1];

	copy->refs = 1;
	copy->timestamp_ns = ev->timestamp_ns;
	copy->cause_seq = copy->replay_of = ev->seq;
	event_id_text(ev, id);
	copy->cause_id = mem_strdup(id);
	copy->depth = ev->depth + 1;
	copy->sender = mem_printf("uid:%u", (unsigned)uid);
	copy->type = mem_strdup(ev->type);
	copy->stack = mem_strdup(ev->stack);
	copy->agent = mem_strdup(ev->agent);
	copy->run_id = mem_strdup(ev->run_id);
	copy->severity = mem_strdup(ev->severity);
	copy->source = mem_strdup(ev->source);
	copy->data = mem_strndup(ev->data, ev->data_len);
	copy->data_len = ev->data_len;
	return copy;
}

static void
on_committed(void *arg, int code, const struct err *err)
{
	struct replay *replay = arg;
	char id[EVENT_ID_MAX + 1], line[EVENT_ID_MAX + 2];

	if (code == 0) {
		event_id_text(replay->ev, id);
		handle_push(replay->h, line, (size_t)snprintf(line, sizeof(line), "%s\n", id));
	}
	treq_reply(replay->req, code < 0 ? code : (int)replay->len, err);
	event_unref(replay->ev);
	free(replay);
}

/* Whether the hook would run for the event if it were accepted now. */
static bool
runs_now(const struct events *events, const struct event *ev, const char *hook)
{
	struct event now = *ev;

	now.seq = events_next_seq(events);
	return !events->dispatcher || dispatcher_would_run(events->dispatcher, &now, hook);
}

static int
replay_write(struct handle *h, const char *data, size_t len, struct treq *req, struct err *err)
{
	const struct view *view = node_pinned(handle_node(h), &events_set);
	struct events *events = view->events;
	struct replay *replay;
	char *hook = NULL;
	int code;

	if (events->is_stopping)
		return err_set(err, ESHUTDOWN, "the master is stopping: replay it later");
	if (view->ev->depth + 1 > EVENT_DEPTH_MAX)
		return err_set(err, ELOOP, "event '%s' is the end of a chain of %d causes",
			view->id, EVENT_DEPTH_MAX);
	code = parse_verb(data, len, &hook, err);
	if (code < 0)
		return code;
	if (hook && !runs_now(events, view->ev, hook)) {
		code = err_set(
			err, EINVAL, "hook '%s' does not run for event '%s'", hook, view->id);
		free(hook);
		return code;
	}
	replay = NEW(struct replay);
	*replay = (struct replay){.req = req, .h = h, .len = len};
	replay->ev = copy_event(view->ev, treq_uid(req));
	replay->ev->replay_hook = hook;
	events_accept(
		events, &(struct event *){event_ref(replay->ev)}, 1, NULL, on_committed, replay);
	return TREE_PARKED;
}

const struct rpc_ops event_replay_ops = {.write = replay_write};
