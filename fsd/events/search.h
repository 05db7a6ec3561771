/* Questions about stored events: what events/query and events/replay are asked for, and the way
 * through the store to the answer.  Thread: core. */
#ifndef SLOTH_EVENTS_SEARCH_H
#define SLOTH_EVENTS_SEARCH_H

#include "base/sbuf.h"
#include "fsd/events/filter.h"
#include "fsd/store/store.h"

struct events;

/* The words of a line: those of a filter but its since, and text=, hook=, since=, until=, before=,
 * after=, limit=, dry=.  Times are RFC 3339, or how long ago ("1h"). */
struct search {
	struct event_filter filter; /* status: of final events */
	int live_status;            /* pending or processing; -1 */
	char *wall;                 /* "" at the root; the owner's to set */
	char *text;                 /* stands in the data */
	char *hook;                 /* a label */
	int hook_status;            /* of its execution: enum exec_status or -1 */
	uint64_t hook_id;           /* not 0: events this hook has an execution of; the owner's */
	int64_t since_ns, until_ns; /* 0: no limit */
	uint64_t limit;             /* UINT64_MAX: none */
	char *before, *after;       /* ids; NULL */
	uint64_t before_seq, after_seq; /* what is still to be looked through */
	bool is_ascending, is_dry;
	struct sbuf kept; /* the words that stay from page to page, for `next` */
};

/* In a query a status is that of the hook's execution when there is a hook=, and the newest come
 * first; a replay begins with the oldest and takes hook= as the one to run. */
enum search_use { SEARCH_QUERY, SEARCH_REPLAY };

/* Read a line.  Returns 0 or -EINVAL with the words there are. */
int search_parse(const char *line, size_t len, enum search_use use, struct search *ret_search,
	struct err *err) MUST_USE;
void search_fini(struct search *search);

/* Find the events that before= and after= name; done may come at once, with 0, -ENOENT or -EIO. */
void search_place(struct events *events, struct search *search, store_done_fn *done, void *arg);

/* Ask for the next slice, of at most limit events.  The search must stay as it is until done. */
void search_ask(struct events *events, struct search *search, size_t limit, store_found_fn *done,
	void *arg);
/* Go on behind this event next time. */
void search_go_on(struct search *search, uint64_t seq);

/* Whether an event that was found meets the status it has now, which is given. */
bool search_meets_now(const struct events *events, const struct search *search,
	const struct event *ev, enum event_status *ret_status);

/* Append the line that asks for what comes after an event. */
void search_add_next(const struct search *search, const char *id, struct sbuf *out);

#endif
