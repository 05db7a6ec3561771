/* events/query: a line of words goes in, stored events come out as JSON lines, the newest first.
 *
 * The last line is no event but says how it ended: {"count":N,"next":"<line>"}, where writing that
 * line to a new open goes on, or "next":null when there is no more.  So nothing is cut off unsaid.
 * An open is one question; one that is opened for reading only asks for the newest.
 *
 * Lines are made as the reader takes them: at most UNREAD_MAX bytes wait, however many events there
 * are.  What a slice brought and did not fit is asked for again.
 */
#include "base/auto.h"
#include "base/mem.h"
#include "fsd/events/event_json.h"
#include "fsd/events/room.h"
#include "fsd/events/search.h"
#include "fsd/hooks/hooks.h"
#include "fsd/tree/room.h"
#include "handlers.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>

#define SLICE_EVENTS 64
#define UNREAD_MAX   (128 * 1024)

struct query {
	struct events *events;
	struct handle *h; /* NULL: closed while the store was asked */
	struct search search;
	struct treq *req; /* the write of the line, until its ids are found */
	size_t req_len;
	uint64_t count;
	char last[EVENT_ID_MAX + 1]; /* the last event given */
	bool is_begun, is_asking, is_done;
};

static void query_ask(struct query *q);

static void
query_free(struct query *q)
{
	search_fini(&q->search);
	free(q);
}

/* ---- giving lines ---------------------------------------------------------------------------- */

static void
finish(struct query *q, bool has_more, const char *error)
{
	AUTO(sbuf) struct sbuf line = {0}, next = {0};

	q->is_done = true;
	sbuf_printf(&line, "{\"count\":%" PRIu64 ",\"next\":", q->count);
	if (has_more)
		search_add_next(&q->search, q->last, &next);
	sbuf_jsons(&line, has_more ? sbuf_str(&next) : NULL);
	if (error) {
		sbuf_adds(&line, ",\"error\":");
		sbuf_jsons(&line, error);
	}
	sbuf_adds(&line, "}\n");
	handle_push(q->h, line.data, line.len);
	handle_eof(q->h);
}

/* Give one event.  Returns false when the reader or the limit has enough. */
static bool
give(struct query *q, struct event *ev, struct execution *ex)
{
	struct execution_list hooks = STAILQ_HEAD_INITIALIZER(hooks);
	struct event_json what = {.ev = ev, .executions = ex ? &hooks : NULL};
	AUTO(sbuf) struct sbuf line = {0};

	if (q->count >= q->search.limit || handle_unread(q->h) >= UNREAD_MAX)
		return false;
	search_go_on(&q->search, ev->seq);
	if (!search_meets_now(q->events, &q->search, ev, &what.status))
		return true;
	if (ex)
		STAILQ_INSERT_TAIL(&hooks, ex, link);
	event_json(&line, &what);
	sbuf_addc(&line, '\n');
	event_id_text(ev, q->last);
	q->count++;
	handle_push(q->h, line.data, line.len);
	return q->h != NULL; /* a reader may close inside its answer */
}

/* Whether there may be more is known when one more is asked for; so a limit that is reached says
 * where to go on, and the next question may find nothing. */
static void
on_slice(void *arg, int code, struct event_list *events, struct execution_list *executions,
	uint64_t reached)
{
	struct query *q = arg;
	bool wants_more = q->h && code == 0;
	struct execution *ex;
	struct event *ev;

	while ((ev = STAILQ_FIRST(events))) {
		STAILQ_REMOVE_HEAD(events, link);
		ex = STAILQ_FIRST(executions);
		if (ex)
			STAILQ_REMOVE_HEAD(executions, link);
		wants_more = wants_more && give(q, ev, ex);
		event_unref(ev);
		execution_free(ex);
	}
	q->is_asking = false;
	if (!q->h) {
		query_free(q);
	} else if (code < 0) {
		finish(q, q->count > 0, "the store could not be read; go on later");
	} else if (q->count >= q->search.limit) {
		finish(q, true, NULL);
	} else if (wants_more && !reached) {
		finish(q, false, NULL);
	} else {
		if (wants_more)
			search_go_on(&q->search, reached);
		if (handle_unread(q->h) <= UNREAD_MAX / 2)
			query_ask(q);
	}
}

static void
query_ask(struct query *q)
{
	if (q->is_asking || q->is_done || !q->is_begun)
		return;
	q->is_asking = true;
	search_ask(q->events, &q->search, SLICE_EVENTS, on_slice, q);
}

static void
query_drained(struct handle *h)
{
	if (handle_unread(h) <= UNREAD_MAX / 2)
		query_ask(handle_state(h));
}

/* ---- the question ---------------------------------------------------------------------------- */

static void
on_placed(void *arg, int code, const struct err *err)
{
	struct query *q = arg;
	struct treq *req = TAKE(q->req);

	q->is_asking = false;
	q->is_begun = code == 0;
	if (code < 0)
		search_fini(&q->search);
	if (code < 0)
		q->search = (struct search){0};
	treq_reply(req, code < 0 ? code : (int)q->req_len, err);
	if (!q->h)
		query_free(q);
	else
		query_ask(q);
}

static int
find_hook(struct query *q, struct search *search, struct err *err)
{
	if (!search->hook)
		return 0;
	search->hook_id = q->events->hooks ? hooks_id(q->events->hooks, search->hook) : 0;
	if (!search->hook_id)
		return err_set(err, ENOENT, "there was never a hook '%.140s'", search->hook);
	return 0;
}

static int
query_begin(struct query *q, const char *line, size_t len, struct err *err)
{
	struct search search;
	int code = search_parse(line, len, SEARCH_QUERY, &search, err);

	if (code < 0)
		return code;
	code = find_hook(q, &search, err);
	if (code < 0) {
		search_fini(&search);
		return code;
	}
	search.wall = mem_strdup(node_stack(handle_node(q->h)));
	search_fini(&q->search);
	q->search = search;
	return 0;
}

static int
query_open(struct handle *h, struct err *err)
{
	struct query *q = NEW(struct query);
	int code;

	q->events = node_room(handle_node(h));
	q->h = h;
	handle_set_state(h, q);
	if (handle_access(h) != O_RDONLY)
		return 0;
	code = query_begin(q, "", 0, err);
	q->is_begun = true;
	query_ask(q);
	return code;
}

static int
query_write(struct handle *h, const char *data, size_t len, struct treq *req, struct err *err)
{
	struct query *q = handle_state(h);
	int code;

	if (q->is_begun || q->is_asking)
		return err_set(err, EBUSY, "an open of query is one question: open it again");
	code = query_begin(q, data, len, err);
	if (code < 0)
		return code;
	q->req = req;
	q->req_len = len;
	q->is_asking = true;
	search_place(q->events, &q->search, on_placed, q);
	return TREE_PARKED;
}

static void
query_release(struct handle *h)
{
	struct query *q = handle_state(h);

	q->h = NULL;
	if (!q->is_asking)
		query_free(q);
}

const struct stream_ops events_query_ops = {
	.open = query_open,
	.write = query_write,
	.drained = query_drained,
	.release = query_release,
};
