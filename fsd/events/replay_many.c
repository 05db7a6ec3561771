/* events/replay: dispatch copies of many events again, chosen by the words of a line.
 *
 * Slice by slice, the oldest first: a slice is read, its copies are committed together, their lines
 * are given, and only when the reader has taken most of them the next slice is read.  So a million
 * replays need the memory of one slice.  What is accepted after the line was written is not looked
 * at, else copies would be copied; events that are replays themselves are passed over, so that the
 * same line written twice does the same twice; and what is not final yet has its run before it.
 *
 * Who opened it for writing only (`echo ... >events/replay`) waits in the write until all is done.
 * Who reads gets a line for each, and one at the end that tells where to go on.  Closing, or an
 * interrupt, ends it after the slice that is on its way.
 */
#include "base/auto.h"
#include "base/mem.h"
#include "fsd/events/replay.h"
#include "fsd/events/room.h"
#include "fsd/events/search.h"
#include "fsd/hooks/hooks.h"
#include "fsd/tree/room.h"
#include "handlers.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>

#define SLICE_EVENTS 64
#define UNREAD_MAX   (64 * 1024)

struct bulk {
	struct events *events;
	struct handle *h; /* NULL: closed while something was on its way */
	struct search search;
	struct treq *req; /* the write, while its answer is owed */
	size_t req_len;
	uid_t uid;
	uint64_t count, skipped;
	char last[EVENT_ID_MAX + 1]; /* the last original looked at */
	struct event *copies[SLICE_EVENTS];
	size_t copy_count;
	bool is_begun, is_busy, is_done, is_cancelled, is_last;
};

static void bulk_next(struct bulk *b);

static void
bulk_free(struct bulk *b)
{
	search_fini(&b->search);
	free(b);
}

/* ---- the answer ------------------------------------------------------------------------------ */

static void
answer(struct bulk *b, int code, const struct err *err)
{
	struct treq *req = TAKE(b->req);

	if (req)
		treq_reply(req, code < 0 ? code : (int)b->req_len, err);
}

/* The last line; code says why it ended before the end. */
static void
finish(struct bulk *b, int code, const struct err *err)
{
	bool has_more = code < 0 || b->is_cancelled || b->count >= b->search.limit;
	AUTO(sbuf) struct sbuf line = {0}, next = {0};

	b->is_done = true;
	sbuf_printf(&line, "{\"count\":%" PRIu64 ",\"skipped\":%" PRIu64 ",\"next\":", b->count,
		b->skipped);
	if (has_more && b->last[0])
		search_add_next(&b->search, b->last, &next);
	sbuf_jsons(&line, next.len ? sbuf_str(&next) : NULL);
	if (code < 0) {
		sbuf_adds(&line, ",\"error\":");
		sbuf_jsons(&line, err && err->msg[0] ? err->msg : strerror(-code));
	}
	sbuf_adds(&line, "}\n");
	handle_push(b->h, line.data, line.len);
	handle_eof(b->h);
	answer(b, b->is_cancelled ? -EINTR : code, err);
}

/* ---- a slice --------------------------------------------------------------------------------- */

static void
tell_copies(struct bulk *b)
{
	AUTO(sbuf) struct sbuf out = {0};
	char id[EVENT_ID_MAX + 1];

	for (size_t i = 0; i < b->copy_count; i++) {
		event_id_text(b->copies[i], id);
		sbuf_printf(
			&out, "{\"id\":\"%s\",\"replay_of\":\"%s\"}\n", id, b->copies[i]->cause_id);
		event_unref(b->copies[i]);
	}
	b->copy_count = 0;
	if (b->h)
		handle_push(b->h, out.data, out.len);
}

static void
drop_copies(struct bulk *b)
{
	while (b->copy_count)
		event_unref(b->copies[--b->copy_count]);
}

/* The slice is done: go on, or end. */
static void
slice_end(struct bulk *b, int code, const struct err *err)
{
	b->is_busy = false;
	if (!b->h)
		bulk_free(b);
	else if (code < 0 || b->is_last || b->is_cancelled || b->count >= b->search.limit)
		finish(b, code, err);
	else
		bulk_next(b);
}

static void
on_accepted(void *arg, int code, const struct err *err)
{
	struct bulk *b = arg;

	if (code == 0)
		b->count += b->copy_count;
	if (code == 0)
		tell_copies(b);
	drop_copies(b);
	slice_end(b, code, err);
}

struct dry {
	struct sbuf *out;
	unsigned count;
};

static void
add_foretold(void *arg, const struct foretold *what)
{
	struct dry *dry = arg;

	if (!what->is_match)
		return;
	sbuf_adds(dry->out, dry->count++ ? ",{\"hook\":" : "{\"hook\":");
	sbuf_jsons(dry->out, what->hook);
	sbuf_printf(dry->out, ",\"decision\":\"%s\",\"why\":", what->word);
	sbuf_jsons(dry->out, what->why);
	sbuf_addc(dry->out, '}');
}

static void
tell_dry(struct bulk *b, const struct event *ev)
{
	AUTO(sbuf) struct sbuf line = {0};
	struct dry dry = {.out = &line};

	sbuf_printf(&line, "{\"replay_of\":\"%s\",\"type\":\"%s\",\"hooks\":[", b->last, ev->type);
	replay_foretell(b->events, ev, b->search.hook, add_foretold, &dry);
	sbuf_adds(&line, "]}\n");
	b->count++;
	handle_push(b->h, line.data, line.len);
}

/* Look at an event of the slice. */
static void
take(struct bulk *b, const struct event *ev)
{
	bool is_wanted = !ev->replay_of && ev->status >= EVENT_COMPLETED &&
			 replay_check(b->events, ev, b->search.hook, NULL) == 0;

	event_id_text(ev, b->last);
	search_go_on(&b->search, ev->seq);
	if (!is_wanted)
		b->skipped++;
	else if (b->search.is_dry)
		tell_dry(b, ev);
	else
		b->copies[b->copy_count++] = replay_copy(ev, b->search.hook, b->uid);
}

static void
accept_copies(struct bulk *b)
{
	struct event *list[SLICE_EVENTS];

	for (size_t i = 0; i < b->copy_count; i++)
		list[i] = event_ref(b->copies[i]);
	events_accept(b->events, list, b->copy_count, NULL, on_accepted, b);
}

static void
on_slice(void *arg, int code, struct event_list *events, struct execution_list *executions,
	uint64_t reached)
{
	struct bulk *b = arg;
	bool is_wanted = b->h && code == 0 && !b->is_cancelled;
	struct event *ev;
	struct err err;

	(void)executions; /* none was asked for */
	while ((ev = STAILQ_FIRST(events))) {
		STAILQ_REMOVE_HEAD(events, link);
		is_wanted = is_wanted && b->count + b->copy_count < b->search.limit &&
			    handle_unread(b->h) < UNREAD_MAX;
		if (is_wanted)
			take(b, ev);
		event_unref(ev);
	}
	b->is_last = is_wanted && !reached;
	if (is_wanted && reached)
		search_go_on(&b->search, reached);
	if (b->events->is_stopping && code == 0)
		code = err_set(&err, ESHUTDOWN, "the master is stopping: go on later");
	else if (code < 0)
		(void)err_set(&err, -code, "the store could not be read; go on later");
	if (code < 0)
		drop_copies(b);
	if (b->copy_count)
		accept_copies(b);
	else
		slice_end(b, code, &err);
}

static void
bulk_next(struct bulk *b)
{
	if (b->is_busy || b->is_done || !b->is_begun || handle_unread(b->h) > UNREAD_MAX / 2)
		return;
	b->is_busy = true;
	search_ask(b->events, &b->search, SLICE_EVENTS, on_slice, b);
}

static void
bulk_drained(struct handle *h)
{
	bulk_next(handle_state(h));
}

/* ---- the line -------------------------------------------------------------------------------- */

static void
on_cancel(struct treq *req, void *arg)
{
	struct bulk *b = arg;

	(void)req; /* answered when the slice that is on its way has ended */
	b->is_cancelled = true;
}

static void
on_placed(void *arg, int code, const struct err *err)
{
	struct bulk *b = arg;

	b->is_busy = false;
	if (code < 0) {
		answer(b, code, err);
		search_fini(&b->search);
		b->search = (struct search){0};
		return;
	}
	b->is_begun = true;
	if (handle_access(b->h) != O_WRONLY)
		answer(b, 0, NULL);
	else
		treq_on_cancel(b->req, on_cancel, b);
	bulk_next(b);
}

/* To replay everything there is must be said, not come from an empty line. */
static int
check_choice(const struct search *s, struct err *err)
{
	const struct event_filter *f = &s->filter;

	if (s->live_status >= 0)
		return err_set(err, EINVAL, "what is not final yet cannot be replayed");
	if (!f->type && !f->stack && !f->severity && !f->agent && !f->run_id && !f->source &&
		f->status < 0 && !s->text && !s->since_ns && !s->until_ns && !s->after)
		return err_set(err, EINVAL,
			"say which events: type=, status=, since=, ...; type=* means all");
	return 0;
}

static int
check_hook(const struct bulk *b, const struct search *s, struct err *err)
{
	if (s->hook && b->events->hooks && !hooks_id(b->events->hooks, s->hook))
		return err_set(err, ENOENT, "there is no hook '%.140s'", s->hook);
	return check_choice(s, err);
}

static int
bulk_write(struct handle *h, const char *data, size_t len, struct treq *req, struct err *err)
{
	struct bulk *b = handle_state(h);
	struct search search;
	int code;

	if (b->is_begun || b->is_busy)
		return err_set(err, EBUSY, "an open of replay is one request: open it again");
	code = search_parse(data, len, SEARCH_REPLAY, &search, err);
	if (code < 0)
		return code;
	code = check_hook(b, &search, err);
	if (code < 0) {
		search_fini(&search);
		return code;
	}
	search.wall = mem_strdup(node_stack(handle_node(h)));
	search.before_seq = b->events->newest_seq + 1;
	search_fini(&b->search);
	b->search = search;
	b->req = req;
	b->req_len = len;
	b->uid = treq_uid(req);
	b->is_busy = true;
	search_place(b->events, &b->search, on_placed, b);
	return TREE_PARKED;
}

static int
bulk_open(struct handle *h, struct err *err)
{
	struct bulk *b;

	if (handle_access(h) == O_RDONLY)
		return err_set(err, EACCES, "write the words that choose events first");
	b = NEW(struct bulk);
	b->events = node_room(handle_node(h));
	b->h = h;
	handle_set_state(h, b);
	return 0;
}

static void
bulk_release(struct handle *h)
{
	struct bulk *b = handle_state(h);

	b->h = NULL;
	if (!b->is_busy)
		bulk_free(b);
}

const struct stream_ops events_replay_ops = {
	.open = bulk_open,
	.write = bulk_write,
	.drained = bulk_drained,
	.release = bulk_release,
};
