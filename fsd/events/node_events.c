/* events/ and events/<id>/: finding an event, deleting it.
 *
 * `ls events` is a window of the newest ids, newest first, read from the store page by page.  A
 * directory has no place to keep how many were shown, so the cookie carries it: the seq to go on
 * below, and the count so far.  Newest first also means that a flood of new events cannot keep a
 * reader busy.
 *
 * Deleting answers at once, as an rmdir must; until the store has done it the event is hidden.
 */
#include "base/mem.h"
#include "fsd/events/envelope.h"
#include "fsd/events/room.h"
#include "fsd/events/view.h"
#include "fsd/tree/room.h"
#include "handlers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_NAMES  256
#define COUNT_BITS  20 /* of a cookie of events/ */
#define WINDOW_MAX  ((1u << COUNT_BITS) - 1)
#define LATEST_PAGE 1000 /* events looked through at start for each stack's newest */
#define PATH_MAX_   320

static bool
is_hidden(const struct events *events, uint64_t seq)
{
	struct deletion *deletion;

	HASH_FIND(hh, events->deletions, &seq, sizeof(seq), deletion);
	return deletion != NULL;
}

/* Where a stack's events are in the tree: "/events", "/stacks/x/events".  Asked for each event, so
 * without printf. */
static void
events_path(const char *stack, const char *below, char ret_path[PATH_MAX_])
{
	const char *const parts[] = {stack[0] ? "/stacks/" : "", stack, "/events", below};
	size_t at = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		size_t len = strnlen(parts[i], PATH_MAX_ - 1 - at);

		memcpy(ret_path + at, parts[i], len);
		at += len;
	}
	ret_path[at] = '\0';
}

typedef void tell_fn(struct tree *tree, const char *dir, const char *name);

/* Tell the tree about a name, at the root and in the event's stack. */
static void
tell_both(
	struct events *events, const char *stack, tell_fn *tell, const char *dir, const char *name)
{
	char path[PATH_MAX_];

	if (!events->tree)
		return;
	events_path("", dir, path);
	tell(events->tree, path, name);
	if (!stack[0])
		return;
	events_path(stack, dir, path);
	tell(events->tree, path, name);
}

/* ---- the newest ------------------------------------------------------------------------------ */

static void
set_latest(struct events *events, const char *stack, const struct event *ev, bool only_if_none)
{
	size_t len = strlen(stack);
	struct latest *latest;

	HASH_FIND(hh, events->latest, stack, len, latest);
	if (latest && only_if_none)
		return;
	if (!latest) {
		latest = mem_zalloc(1, sizeof(*latest) + len + 1);
		memcpy(latest->stack, stack, len);
		HASH_ADD(hh, events->latest, stack, len, latest);
	}
	latest->seq = ev->seq;
	event_id_text(ev, latest->id);
}

static void
on_newest(void *arg, int code, struct event_list *newest)
{
	struct events *events = arg;
	struct event *ev;

	(void)code; /* without the store there is no newest */
	while ((ev = STAILQ_FIRST(newest))) {
		STAILQ_REMOVE_HEAD(newest, link);
		if (!is_hidden(events, ev->seq))
			set_latest(events, "", ev, true);
		if (!is_hidden(events, ev->seq) && ev->stack[0])
			set_latest(events, ev->stack, ev, true);
		event_unref(ev);
	}
}

static void
ask_newest(struct events *events, size_t limit, store_events_fn *done, void *arg)
{
	struct event_query query = {
		.descending = true, .status = -1, .limit = limit, .without_data = true};

	store_query_events(events->store, &query, done, arg);
}

void
nodes_start(struct events *events)
{
	ask_newest(events, LATEST_PAGE, on_newest, events);
}

void
nodes_free(struct events *events)
{
	struct latest *latest, *next;

	HASH_ITER (hh, events->latest, latest, next) {
		HASH_DEL(events->latest, latest);
		free(latest);
	}
}

void
nodes_added(struct events *events, const struct event *ev)
{
	char id[EVENT_ID_MAX + 1];

	set_latest(events, "", ev, false);
	if (ev->stack[0])
		set_latest(events, ev->stack, ev, false);
	if (!events->tree)
		return;
	event_id_text(ev, id);
	tell_both(events, ev->stack, tree_added, "", id);
}

static void
changed(struct tree *tree, const char *dir, const char *name)
{
	char path[PATH_MAX_];

	(void)snprintf(path, sizeof(path), "%s/%s/status", dir, name);
	tree_changed(tree, path);
}

void
nodes_ended(struct events *events, const struct view *view)
{
	tell_both(events, view->ev->stack, changed, "", view->id);
	tell_both(events, view->ev->stack, tree_removed, "/by-status/pending", view->id);
	tell_both(events, view->ev->stack, tree_removed, "/by-status/processing", view->id);
}

int
event_latest_read(struct node *node, struct sbuf *out, struct err *err)
{
	struct events *events = node_room(node);
	const char *stack = node_stack(node);
	struct latest *latest;

	HASH_FIND(hh, events->latest, stack, strlen(stack), latest);
	if (!latest)
		return err_set(err, ENOENT, "there is no event yet");
	sbuf_adds(out, latest->id);
	return 0;
}

/* ---- events/<id>: which there are ------------------------------------------------------------ */

struct pin {
	struct treq *req;
	char *stack;
};

static void
on_view(void *arg, int code, struct view *view)
{
	struct pin *pin = arg;

	if (code == 0 && (!events_in_stack(view->ev, pin->stack) ||
				 is_hidden(view->events, view->ev->seq))) {
		view_unref(view);
		view = NULL;
		code = -ENOENT;
	}
	treq_pin(pin->req, code, view, code == 0 ? view->ev->seq : 0);
	free(pin->stack);
	free(pin);
}

static int
events_lookup(struct node *parent, const char *name, struct treq *req, void **ret_obj,
	uint64_t *ret_ino, struct err *err)
{
	struct events *events = node_room(parent);
	struct pin *pin;

	(void)ret_obj, (void)ret_ino, (void)err;
	if (!envelope_name_ok(name, strlen(name)))
		return -ENOENT;
	pin = NEW(struct pin);
	pin->req = req;
	pin->stack = mem_strdup(node_stack(parent));
	view_get(events, name, on_view, pin);
	return TREE_PARKED;
}

struct listing {
	struct events *events;
	struct treq *req;
	size_t shown, window;
};

static void
on_names(void *arg, int code, struct event_list *page)
{
	struct listing *l = arg;
	bool wants_more = code == 0;
	struct event *ev;

	while ((ev = STAILQ_FIRST(page))) {
		char id[EVENT_ID_MAX + 1];

		STAILQ_REMOVE_HEAD(page, link);
		event_id_text(ev, id);
		if (wants_more && l->shown < l->window && !is_hidden(l->events, ev->seq))
			wants_more =
				treq_entry(l->req, id, ev->seq, ev->seq << COUNT_BITS | ++l->shown);
		event_unref(ev);
	}
	treq_reply(l->req, code < 0 ? code : 0, NULL);
	free(l);
}

static int
events_list(struct node *parent, uint64_t cookie, struct treq *req, entry_fn *entry, void *arg,
	struct err *err)
{
	struct events *events = node_room(parent);
	const char *stack = node_stack(parent);
	struct event_query query = {.before_seq = cookie >> COUNT_BITS,
		.descending = true,
		.stack = stack[0] ? stack : NULL,
		.status = -1,
		.limit = PAGE_NAMES,
		.without_data = true};
	struct listing *l;
	size_t shown = cookie & WINDOW_MAX;

	(void)entry, (void)arg, (void)err;
	if (shown >= events->window || (cookie && query.before_seq <= 1))
		return 0;
	l = NEW(struct listing);
	*l = (struct listing){
		.events = events, .req = req, .shown = shown, .window = events->window};
	store_query_events(events->store, &query, on_names, l);
	return TREE_PARKED;
}

static void
release_view(void *obj)
{
	view_unref(obj);
}

static int64_t
view_mtime_ns(void *obj)
{
	const struct view *view = obj;

	return view->ev->processed_ns ? view->ev->processed_ns : view->ev->created_ns;
}

const struct node_set events_set = {
	.lookup = events_lookup,
	.list = events_list,
	.release = release_view,
	.mtime_ns = view_mtime_ns,
};

/* ---- deleting -------------------------------------------------------------------------------- */

/* The end of a deletion. Readers that asked before it may still bring the event, so it stays hidden
 * until a question behind them has passed each of the store's readers. */
static void
on_lists_passed(void *arg, int code, struct event_list *newest)
{
	struct deletion *deletion = arg;
	struct events *events = deletion->events;

	HASH_DEL(events->deletions, deletion);
	free(deletion);
	on_newest(events, code, newest);
}

static void
on_points_passed(void *arg, int code, struct event *ev, struct execution_list *executions)
{
	struct deletion *deletion = arg;

	(void)code, (void)executions;
	event_unref(ev);
	ask_newest(
		deletion->events, deletion->is_latest ? LATEST_PAGE : 1, on_lists_passed, deletion);
}

static void
on_deleted(void *arg, int code, const struct err *err)
{
	struct deletion *deletion = arg;

	(void)code, (void)err; /* a failure shows by the event coming back */
	store_get_event(deletion->events->store, deletion->seq, on_points_passed, deletion);
}

/* The link to the newest must not lead nowhere.  Returns whether it led to the event. */
static bool
forget_latest(struct events *events, uint64_t seq)
{
	struct latest *latest, *next;
	bool is_latest = false;

	HASH_ITER (hh, events->latest, latest, next) {
		if (latest->seq != seq)
			continue;
		HASH_DEL(events->latest, latest);
		free(latest);
		is_latest = true;
	}
	return is_latest;
}

/* The event is gone, or will be at once: so are its names. */
static void
hide(struct events *events, struct view *view)
{
	char below[PATH_MAX_];

	view = view_ref(view); /* telling the tree may end its nodes */
	view_forget(view);
	tell_both(events, view->ev->stack, tree_removed, "", view->id);
	(void)snprintf(below, sizeof(below), "/by-type/%s", view->ev->type);
	tell_both(events, view->ev->stack, tree_removed, below, view->id);
	(void)snprintf(below, sizeof(below), "/by-status/%s", event_status_name(view->ev->status));
	tell_both(events, view->ev->stack, tree_removed, below, view->id);
	view_unref(view);
}

void
nodes_pruned(void *arg, const uint64_t *seqs, size_t count)
{
	struct events *events = arg;
	bool is_latest = false;

	for (size_t i = 0; i < count; i++) {
		struct view *view = view_find_seq(events, seqs[i]);

		is_latest |= forget_latest(events, seqs[i]);
		if (view)
			hide(events, view);
	}
	if (is_latest)
		nodes_start(events);
}

static int
check_final(const struct view *view, struct err *err)
{
	if (!view->is_final)
		return err_set(err, EBUSY, "event '%s' is %s: it cannot be deleted before its end",
			view->id, event_status_name(view_status(view)));
	return 0;
}

static int
event_delete(struct node *dir, const char *name, struct treq *req, struct err *err)
{
	struct events *events = node_room(dir);
	struct view *view = view_find(events, name);
	struct deletion *deletion;
	int code;

	(void)req;
	if (!view || !events_in_stack(view->ev, node_stack(dir)))
		return err_set(err, ENOENT, "event '%.64s' is not known", name);
	code = check_final(view, err);
	if (code < 0)
		return code;
	deletion = NEW(struct deletion);
	deletion->events = events;
	deletion->seq = view->ev->seq;
	HASH_ADD(hh, events->deletions, seq, sizeof(deletion->seq), deletion);
	store_delete_event(events->store, deletion->seq, on_deleted, deletion);
	deletion->is_latest = forget_latest(events, view->seq);
	hide(events, view);
	return 0;
}

/* What is inside goes with the directory: `rm -r` removes it first, and may. */
static int
part_delete(struct node *dir, const char *name, struct treq *req, struct err *err)
{
	(void)name, (void)req;
	return check_final(node_pinned(dir, &events_set), err);
}

const struct dir_edit events_edit = {.rmdir = event_delete};
const struct dir_edit event_edit = {.unlink = part_delete, .rmdir = part_delete};
