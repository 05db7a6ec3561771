/* Views of events: see view.h.
 *
 * A node's text handlers answer at once, so everything they show is read when the directory is
 * looked up: the record and its executions.  While the event is unfinished
 * the dispatcher is asked for the present state, and the feed brings the final one.
 *
 * An event the store calls pending and the dispatcher does not hold waits there, or became final
 * between the two looks.  So a view begins to wait for the final state first and then reads the
 * store again: whichever comes, one of them has it.  The same goes for an event that is parked: its
 * executions are the dispatcher's while it is in memory, and what the feed told when it left.
 */
#include "fsd/events/view.h"

#include "base/auto.h"
#include "base/mem.h"
#include "fsd/events/dispatcher.h"
#include "fsd/events/room.h"
#include "fsd/tree/room.h"

#include <stdlib.h>
#include <string.h>

static void
free_executions(struct execution_list *list)
{
	struct execution *ex;

	while ((ex = STAILQ_FIRST(list))) {
		STAILQ_REMOVE_HEAD(list, link);
		execution_free(ex);
	}
}

struct view *
view_ref(struct view *view)
{
	view->refs++;
	return view;
}

void
view_forget(struct view *view)
{
	if (!view->is_hashed)
		return;
	HASH_DEL(view->events->views, view);
	HASH_DELETE(by_seq_hh, view->events->views_by_seq, view);
	view->is_hashed = false;
}

void
view_unref(struct view *view)
{
	if (!view || --view->refs > 0)
		return;
	view_forget(view);
	feed_unwait(view->events->feed, &view->waiter);
	free_executions(&view->executions);
	event_unref(view->ev);
	free(view);
}

struct view *
view_find(struct events *events, const char *id)
{
	struct view *view;

	HASH_FIND_STR(events->views, id, view);
	return view;
}

struct view *
view_find_seq(struct events *events, uint64_t seq)
{
	struct view *view;

	HASH_FIND(by_seq_hh, events->views_by_seq, &seq, sizeof(seq), view);
	return view;
}

static struct event *
held_event(const struct events *events, uint64_t seq)
{
	return events->dispatcher ? dispatcher_find(events->dispatcher, seq) : NULL;
}

enum event_status
view_status(const struct view *view)
{
	const struct event *held = view->is_final ? NULL : held_event(view->events, view->ev->seq);

	return held ? held->status : view->ev->status;
}

void
view_executions(const struct view *view, view_exec_fn *fn, void *arg)
{
	const struct execution *ex;

	if (!view->is_final && view->events->dispatcher &&
		dispatcher_executions(view->events->dispatcher, view->ev->seq, fn, arg))
		return;
	STAILQ_FOREACH (ex, &view->executions, link)
		fn(arg, ex);
}

/* ---- what the feed tells --------------------------------------------------------------------- */

static void
keep_executions(struct view *view, const struct execution_list *executions)
{
	const struct execution *ex;

	free_executions(&view->executions);
	STAILQ_FOREACH (ex, executions, link) {
		struct execution *copy = execution_copy(ex);

		STAILQ_INSERT_TAIL(&view->executions, copy, link);
	}
}

static void
on_parked(
	struct feed_waiter *waiter, const struct event *ev, const struct execution_list *executions)
{
	struct view *view = (struct view *)((char *)waiter - offsetof(struct view, waiter));

	view->ev->status = ev->status;
	view->is_told = true;
	keep_executions(view, executions);
}

static void
on_final(
	struct feed_waiter *waiter, const struct event *ev, const struct execution_list *executions)
{
	struct view *view = (struct view *)((char *)waiter - offsetof(struct view, waiter));

	if (view->ev != ev) {
		view->ev->status = ev->status;
		view->ev->processed_ns = ev->processed_ns;
		free(view->ev->error);
		view->ev->error = mem_strdup(ev->error);
	}
	keep_executions(view, executions);
	view->is_final = true;
	view = view_ref(view); /* telling the tree may end its nodes */
	nodes_ended(view->events, view);
	view_unref(view);
}

/* ---- making one ------------------------------------------------------------------------------ */

struct view_load {
	struct events *events;
	struct view *view; /* being made: not in the table yet */
	view_fn *done;
	void *arg;
};

static void
load_end(struct view_load *load, int code)
{
	struct view *view = TAKE(load->view), *other;

	if (code == 0) {
		other = view_find(load->events, view->id);
		if (other) { /* another lookup was faster */
			view_unref(view);
			view = view_ref(other);
		} else {
			HASH_ADD_STR(load->events->views, id, view);
			HASH_ADD(by_seq_hh, load->events->views_by_seq, seq, sizeof(view->seq),
				view);
			view->is_hashed = true;
		}
	}
	load->done(load->arg, code, view);
	free(load);
}

/* Takes: ev, executions (NULL: none). */
static void
load_record(struct view_load *load, struct event *ev, struct execution_list *executions)
{
	struct view *view = NEW(struct view);

	view->refs = 1;
	view->events = load->events;
	view->ev = ev;
	view->seq = ev->seq;
	view->is_final = ev->status >= EVENT_COMPLETED;
	event_id_text(ev, view->id);
	STAILQ_INIT(&view->executions);
	if (executions)
		STAILQ_CONCAT(&view->executions, executions);
	load->view = view;
	if (view->is_final)
		return;
	view->waiter.seq = ev->seq;
	view->waiter.final = on_final;
	view->waiter.parked = on_parked;
	feed_wait(load->events->feed, &view->waiter);
}

/* The second look, with the waiter in place. */
static void
on_read_again(void *arg, int code, struct event *ev, struct execution_list *executions)
{
	struct view_load *load = arg;
	struct view *view = load->view;

	if (code == 0 && !view->is_final && !view->is_told) {
		free_executions(&view->executions);
		STAILQ_CONCAT(&view->executions, executions);
		event_unref(view->ev);
		view->ev = event_ref(ev);
		view->is_final = ev->status >= EVENT_COMPLETED;
		if (view->is_final)
			feed_unwait(load->events->feed, &view->waiter);
	}
	event_unref(ev);
	load_end(load, 0);
}

static void
on_read(void *arg, int code, struct event *ev, struct execution_list *executions)
{
	struct view_load *load = arg;
	struct event *held;

	if (code < 0) {
		load_end(load, code);
		return;
	}
	held = ev->status < EVENT_COMPLETED ? held_event(load->events, ev->seq) : NULL;
	if (held) {
		event_unref(ev);
		ev = event_ref(held);
	}
	load_record(load, ev, executions);
	if (held || load->view->is_final)
		load_end(load, 0);
	else
		store_get_event(load->events->store, ev->seq, on_read_again, load);
}

/* An unfinished event of ours needs no look into the store. */
static struct event *
find_held(struct events *events, const char *id)
{
	char text[EVENT_ID_MAX + 1];
	struct event *held;
	uint64_t seq;
	uint32_t salt;
	int64_t ms;

	if (!event_id_parse(id, &ms, &seq, &salt))
		return NULL;
	held = held_event(events, seq);
	if (!held)
		return NULL;
	event_id_text(held, text);
	return strcmp(text, id) == 0 ? held : NULL;
}

void
view_get(struct events *events, const char *id, view_fn *done, void *arg)
{
	struct view *view = view_find(events, id);
	struct view_load *load;
	struct event *held;

	if (view) {
		done(arg, 0, view_ref(view));
		return;
	}
	load = NEW(struct view_load);
	*load = (struct view_load){.events = events, .done = done, .arg = arg};
	held = find_held(events, id);
	if (!held) {
		store_find_event(events->store, id, NULL, on_read, load);
		return;
	}
	load_record(load, event_ref(held), NULL);
	load_end(load, 0);
}
