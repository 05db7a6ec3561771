/* Lists of events beside events/ itself: by-status, by-type and effects are directories of links.
 *
 * All three are one query with another filter, read page by page; the cookie is the seq to go on
 * below.  A name is looked up by asking for the event and whether it belongs there.
 */
#include "base/mem.h"
#include "fsd/events/dispatcher.h"
#include "fsd/events/envelope.h"
#include "fsd/events/room.h"
#include "fsd/events/types.h"
#include "fsd/events/view.h"
#include "fsd/tree/room.h"
#include "handlers.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_NAMES 256

/* What a directory of links lists; everything is borrowed from its node. */
struct shelf {
	struct events *events;
	const char *stack;
	int status;         /* -1: any */
	const char *type;   /* NULL: any */
	uint64_t cause_seq; /* 0: any */
};

static int
status_of_name(const char *name)
{
	int status;

	for (status = EVENT_PENDING; status <= EVENT_FAILED; status++)
		if (strcmp(event_status_name(status), name) == 0)
			return status;
	return -1;
}

static struct shelf
shelf_of(const struct node *dir)
{
	const char *status = node_param(dir, "status");
	const struct view *cause = node_pinned(dir, &events_set);

	return (struct shelf){.events = node_room(dir),
		.stack = node_stack(dir),
		.status = status ? status_of_name(status) : -1,
		.type = node_param(dir, "type"),
		.cause_seq = cause ? cause->ev->seq : 0};
}

static bool
shelf_has(const struct shelf *shelf, const struct view *view)
{
	return events_in_stack(view->ev, shelf->stack) &&
	       (shelf->status < 0 || shelf->status == (int)view_status(view)) &&
	       (!shelf->type || strcmp(shelf->type, view->ev->type) == 0) &&
	       (!shelf->cause_seq || shelf->cause_seq == view->ev->cause_seq);
}

/* ---- the links ------------------------------------------------------------------------------- */

struct pick {
	struct treq *req;
	struct node *dir; /* borrowed: the request keeps it */
};

static void
on_view(void *arg, int code, struct view *view)
{
	struct pick *pick = arg;
	struct shelf shelf = shelf_of(pick->dir);

	if (code == 0 && !shelf_has(&shelf, view)) {
		view_unref(view);
		view = NULL;
		code = -ENOENT;
	}
	treq_pin(pick->req, code, view, code == 0 ? view->ev->seq : 0);
	free(pick);
}

static int
links_lookup(struct node *parent, const char *name, struct treq *req, void **ret_obj,
	uint64_t *ret_ino, struct err *err)
{
	struct events *events = node_room(parent);
	struct pick *pick;

	(void)ret_obj, (void)ret_ino, (void)err;
	if (!envelope_name_ok(name, strlen(name)))
		return -ENOENT;
	pick = NEW(struct pick);
	*pick = (struct pick){.req = req, .dir = parent};
	view_get(events, name, on_view, pick);
	return TREE_PARKED;
}

/* One page of names.  To the store an event is pending until it is final or parked; the dispatcher
 * knows which of them are processing.  So those that are processing come from both: first what is
 * in memory, the oldest first, then what is parked, the newest first. */
struct page {
	struct treq *req;
	struct shelf shelf;
	struct event_query query;
	uint64_t flag; /* in the cookies */
};

#define PARKED (UINT64_C(1) << 62)

static void on_names(void *arg, int code, struct event_list *list);

static bool
is_processing(struct events *events, uint64_t seq)
{
	const struct event *held =
		events->dispatcher ? dispatcher_find(events->dispatcher, seq) : NULL;

	return held && held->status == EVENT_PROCESSING;
}

/* Whether the other list has it. */
static bool
is_elsewhere(const struct page *page, uint64_t seq)
{
	if (page->shelf.status != EVENT_PENDING && page->shelf.status != EVENT_PROCESSING)
		return false;
	return is_processing(page->shelf.events, seq);
}

/* Report the events and free the list.  Returns whether the reader got one, or wants no more. */
static bool
report(struct page *page, struct event_list *list, bool wants_more)
{
	bool has_any = !wants_more;
	struct event *ev;

	while ((ev = STAILQ_FIRST(list))) {
		char id[EVENT_ID_MAX + 1];

		STAILQ_REMOVE_HEAD(list, link);
		event_id_text(ev, id);
		page->query.before_seq = ev->seq;
		if (!is_elsewhere(page, ev->seq)) {
			wants_more = wants_more &&
				     treq_entry(page->req, id, ev->seq, ev->seq | page->flag);
			has_any = true;
		}
		event_unref(ev);
	}
	return has_any;
}

static void
on_names(void *arg, int code, struct event_list *list)
{
	struct page *page = arg;
	bool is_last = code < 0 || STAILQ_EMPTY(list);
	bool has_any = report(page, list, code == 0);

	/* an answer without a name would be the end of the directory */
	if (!is_last && !has_any && page->query.before_seq > 1) {
		store_query_events(page->shelf.events->store, &page->query, on_names, page);
		return;
	}
	treq_reply(page->req, code < 0 ? code : 0, NULL);
	free(page);
}

struct entries {
	const struct shelf *shelf;
	entry_fn *entry;
	void *arg;
	bool is_full;
};

static bool
add_entry(void *arg, const struct event *ev)
{
	struct entries *entries = arg;
	char id[EVENT_ID_MAX + 1];

	if (!events_in_stack(ev, entries->shelf->stack))
		return true;
	event_id_text(ev, id);
	entries->is_full = !entries->entry(entries->arg, id, ev->seq, ev->seq);
	return !entries->is_full;
}

static int
links_list(struct node *parent, uint64_t cookie, struct treq *req, entry_fn *entry, void *arg,
	struct err *err)
{
	struct shelf shelf = shelf_of(parent);
	struct page *page;

	(void)err;
	if (shelf.status == EVENT_PROCESSING && !(cookie & PARKED) && shelf.events->dispatcher) {
		struct entries entries = {&shelf, entry, arg, false};

		dispatcher_processing(shelf.events->dispatcher, cookie, add_entry, &entries);
		if (entries.is_full)
			return 0;
		cookie = 0;
	}
	cookie &= ~PARKED;
	if (cookie == 1)
		return 0;
	page = NEW(struct page);
	*page = (struct page){.req = req, .shelf = shelf};
	page->flag = shelf.status == EVENT_PROCESSING ? PARKED : 0;
	page->query = (struct event_query){.before_seq = cookie,
		.descending = true,
		.type = shelf.type,
		.stack = shelf.stack[0] ? shelf.stack : NULL,
		.status = shelf.status,
		.cause_seq = shelf.cause_seq,
		.limit = PAGE_NAMES,
		.without_data = true};
	store_query_events(shelf.events->store, &page->query, on_names, page);
	return TREE_PARKED;
}

static void
release_view(void *obj)
{
	view_unref(obj);
}

const struct node_set event_links_set = {
	.lookup = links_lookup,
	.list = links_list,
	.release = release_view,
};

int
event_link_read(struct node *node, struct sbuf *out, struct err *err)
{
	(void)err;
	sbuf_printf(out, "../../%s", node_name(node));
	return 0;
}

/* ---- by-status/<status>, by-type/<type> ------------------------------------------------------ */

static int
statuses_lookup(struct node *parent, const char *name, struct treq *req, void **ret_obj,
	uint64_t *ret_ino, struct err *err)
{
	(void)parent, (void)req, (void)ret_obj, (void)ret_ino, (void)err;
	return status_of_name(name) < 0 ? -ENOENT : 0;
}

static int
statuses_list(struct node *parent, uint64_t cookie, struct treq *req, entry_fn *entry, void *arg,
	struct err *err)
{
	(void)parent, (void)req, (void)err;
	for (; cookie <= EVENT_FAILED; cookie++)
		if (!entry(arg, event_status_name((enum event_status)cookie), 0, cookie + 1))
			return 0;
	return 0;
}

const struct node_set event_statuses_set = {.lookup = statuses_lookup, .list = statuses_list};

/* Any type has a directory, so that its stream can be followed before the first event. */
static int
types_lookup(struct node *parent, const char *name, struct treq *req, void **ret_obj,
	uint64_t *ret_ino, struct err *err)
{
	(void)parent, (void)req, (void)ret_obj, (void)ret_ino, (void)err;
	return event_type_check(name, strlen(name), NULL) < 0 ? -ENOENT : 0;
}

struct type_listing {
	struct treq *req;
	uint64_t cookie;
};

static void
on_types(void *arg, int code, struct sbuf *out)
{
	struct type_listing *l = arg;
	char *rest = out->data, *name;
	uint64_t at = 0;

	while (code == 0 && (name = strsep(&rest, "\n")))
		if (name[0] && ++at > l->cookie && !treq_entry(l->req, name, 0, at))
			break;
	treq_reply(l->req, code < 0 ? code : 0, NULL);
	free(l);
}

static int
types_list(struct node *parent, uint64_t cookie, struct treq *req, entry_fn *entry, void *arg,
	struct err *err)
{
	struct events *events = node_room(parent);
	struct type_listing *l = NEW(struct type_listing);

	(void)entry, (void)arg, (void)err;
	*l = (struct type_listing){.req = req, .cookie = cookie};
	store_event_types(events->store, on_types, l);
	return TREE_PARKED;
}

const struct node_set event_types_set = {.lookup = types_lookup, .list = types_list};
