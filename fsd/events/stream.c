/* Streams: live JSON lines of accepted and final events; a filter line may be written first.
 *
 * A reader that does not keep up is never waited for and never bloats the daemon: past
 * STREAM_UNREAD_MAX its lines are counted instead, and when it reads again it first gets
 * {"lost":N,"next":"<id>"}, N lines from the event <id> on.  With since=<id of the last event
 * seen>, a new open gets them.
 *
 * since=<id> reads from the store, page by page as the reader takes them, until it has caught up
 * with what is committed, and goes on live.  Accepted events come from the pages meanwhile; lines
 * of final states are held back and follow, so a state is never older than the one shown before it.
 * An event that ends while the reader catches up may be told twice.
 */
#include "fsd/events/stream.h"

#include "base/auto.h"
#include "base/mem.h"
#include "fsd/events/event_json.h"
#include "fsd/events/events.h"
#include "fsd/events/feed.h"
#include "fsd/events/room.h"
#include "fsd/tree/room.h"
#include "handlers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_EVENTS 64

static void stream_ask(struct stream *stream);

bool
stream_wants(const struct stream *stream, const struct event *ev)
{
	return stream->h && events_in_stack(ev, stream->wall) &&
	       (!stream->type || strcmp(stream->type, ev->type) == 0) &&
	       filter_match(&stream->filter, ev);
}

/* ---- giving lines ---------------------------------------------------------------------------- */

static bool
has_room(const struct stream *stream, size_t len)
{
	size_t unread = handle_unread(stream->h) + stream->held.len;

	return unread == 0 || unread + len <= STREAM_UNREAD_MAX;
}

static void
lose(struct stream *stream, const struct event *ev)
{
	if (stream->lost++ == 0)
		event_id_text(ev, stream->lost_first);
	stream->events->figures.lost++;
}

static void
tell_lost(struct stream *stream)
{
	char line[EVENT_ID_MAX + 64];
	int len;

	if (stream->lost == 0)
		return;
	len = snprintf(line, sizeof(line), "{\"lost\":%" PRIu64 ",\"next\":\"%s\"}\n", stream->lost,
		stream->lost_first);
	stream->lost = 0;
	handle_push(stream->h, line, (size_t)len);
}

void
stream_offer(struct stream *stream, const struct event *ev, const struct sbuf *line)
{
	if (stream->is_behind && ev->status < EVENT_COMPLETED)
		return; /* the store's pages have it */
	if (stream->lost || !has_room(stream, line->len))
		lose(stream, ev);
	else if (stream->is_behind)
		sbuf_add(&stream->held, line->data, line->len);
	else
		handle_push(stream->h, line->data, line->len);
}

static void
stream_drained(struct handle *h)
{
	struct stream *stream = handle_state(h);

	if (handle_unread(h) > STREAM_UNREAD_MAX / 2)
		return;
	if (stream->is_behind)
		stream_ask(stream);
	else
		tell_lost(stream);
}

/* ---- catching up from the store -------------------------------------------------------------- */

static void
stream_free(struct stream *stream)
{
	filter_fini(&stream->filter);
	sbuf_fini(&stream->held);
	free(stream->wall);
	free(stream->type);
	free(stream);
}

static void
go_live(struct stream *stream)
{
	stream->is_behind = false;
	handle_push(stream->h, stream->held.data, stream->held.len);
	sbuf_fini(&stream->held);
	tell_lost(stream);
}

/* Returns false when the reader has enough for now. */
static bool
give_stored(struct stream *stream, const struct event *ev)
{
	AUTO(sbuf) struct sbuf line = {0};

	if (handle_unread(stream->h) >= STREAM_UNREAD_MAX)
		return false;
	stream->cursor = ev->seq;
	if (!stream_wants(stream, ev))
		return true;
	event_json(&line, &(struct event_json){.ev = ev, .status = ev->status});
	sbuf_addc(&line, '\n');
	handle_push(stream->h, line.data, line.len);
	return true;
}

static void
on_page(void *arg, int code, struct event_list *page)
{
	struct stream *stream = arg;
	bool is_empty = STAILQ_EMPTY(page), is_open = stream->h && code == 0;
	struct event *ev;

	while ((ev = STAILQ_FIRST(page))) {
		STAILQ_REMOVE_HEAD(page, link);
		is_open = is_open && give_stored(stream, ev);
		event_unref(ev);
	}
	stream->is_asking = false;
	if (!stream->h) {
		stream_free(stream);
		return;
	}
	if (is_empty)
		stream->cursor = stream->asked_at;
	if (code < 0 || (is_empty && stream->cursor >= stream->events->newest_seq))
		go_live(stream);
	else if (handle_unread(stream->h) <= STREAM_UNREAD_MAX / 2)
		stream_ask(stream);
}

static void
stream_ask(struct stream *stream)
{
	struct event_query query = {.after_seq = stream->cursor,
		.type = stream->type ? stream->type : stream->filter.type,
		.stack = stream->wall[0] ? stream->wall : stream->filter.stack,
		.status = -1,
		.limit = PAGE_EVENTS};

	if (stream->is_asking)
		return;
	stream->is_asking = true;
	stream->asked_at = stream->events->newest_seq;
	store_query_events(stream->events->store, &query, on_page, stream);
}

static void
on_since_found(void *arg, int code, struct event *ev, struct execution_list *executions)
{
	struct stream *stream = arg;
	struct treq *req = TAKE(stream->req);
	struct err err;

	(void)executions; /* the store frees them */
	stream->is_asking = false;
	if (code == 0 && stream->h && events_in_stack(ev, stream->wall)) {
		stream->cursor = ev->seq;
		treq_reply(req, (int)stream->req_len, NULL);
		stream_ask(stream);
	} else {
		stream->is_behind = false;
		(void)err_set(
			&err, ENOENT, "since: event '%.64s' is not known", stream->filter.since);
		treq_reply(req, -ENOENT, &err);
	}
	event_unref(ev);
	if (!stream->h && !stream->is_asking)
		stream_free(stream);
}

/* ---- the handlers ---------------------------------------------------------------------------- */

static int
stream_open(struct handle *h, struct err *err)
{
	struct stream *stream = NEW(struct stream);
	struct node *node = handle_node(h);

	(void)err;
	stream->events = node_room(node);
	stream->h = h;
	stream->wall = mem_strdup(node_stack(node));
	stream->type = mem_strdup(node_param(node, "type"));
	filter_init(&stream->filter);
	handle_set_state(h, stream);
	LIST_INSERT_HEAD(feed_streams(stream->events->feed), stream, link);
	return 0;
}

/* A new line takes the place of the last one. */
static int
stream_write(struct handle *h, const char *data, size_t len, struct treq *req, struct err *err)
{
	struct stream *stream = handle_state(h);
	struct event_filter filter;
	int code;

	if (stream->is_behind)
		return err_set(err, EBUSY, "the reader has not caught up with the last filter yet");
	code = filter_parse(data, len, &filter, err);
	if (code < 0)
		return code;
	filter_fini(&stream->filter);
	stream->filter = filter;
	if (!filter.since)
		return (int)len;
	stream->is_behind = stream->is_asking = true;
	stream->req = req;
	stream->req_len = len;
	store_find_event(stream->events->store, filter.since, NULL, on_since_found, stream);
	return TREE_PARKED;
}

static void
stream_release(struct handle *h)
{
	struct stream *stream = handle_state(h);

	LIST_REMOVE(stream, link);
	stream->h = NULL;
	if (!stream->is_asking)
		stream_free(stream);
}

const struct stream_ops events_stream_ops = {
	.open = stream_open,
	.write = stream_write,
	.drained = stream_drained,
	.release = stream_release,
};
