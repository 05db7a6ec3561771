/* Inside the events room only: its state, shared by intake, feed and nodes. */
#ifndef SLOTH_EVENTS_ROOM_H
#define SLOTH_EVENTS_ROOM_H

#include "fsd/events/events.h"

#include <uthash.h>
#include <uv.h>

struct feed;
struct event_log;
struct view;

/* The newest event of a stack, for `latest`. */
struct latest {
	uint64_t seq;
	char id[EVENT_ID_MAX + 1];
	UT_hash_handle hh;
	char stack[];
};

/* An event that is being deleted: hidden until the store has done it. */
struct deletion {
	struct events *events;
	uint64_t seq;
	bool is_latest; /* it was somebody's */
	UT_hash_handle hh;
};

struct events {
	uv_loop_t *loop;
	struct store *store;
	struct tree *tree;
	struct dispatcher *dispatcher;
	struct hooks *hooks;      /* NULL: nobody to ask (tests) */
	events_origin_fn *origin; /* NULL too */
	void *origin_arg;
	struct lane *parser; /* intake's thread */
	struct feed *feed;
	struct event_log *log;
	struct log *steps;
	uint64_t next_seq;
	uint64_t newest_seq; /* committed; 0: none yet */
	struct view *views;  /* hash by id: events somebody has open */
	struct view *views_by_seq;
	struct latest *latest;      /* hash by stack */
	struct deletion *deletions; /* hash by seq */
	size_t window;
	bool is_stopping;
	struct events_figures figures;
};

/* ---- node_events.c: what the nodes want to hear --------------------------------------------- */

/* An event was committed. */
void nodes_added(struct events *events, const struct event *ev);
/* The event of a view is final. */
void nodes_ended(struct events *events, const struct view *view);
/* Retention took events: what the tree still knows of them goes too. */
void nodes_pruned(void *events, const uint64_t *seqs, size_t count);
/* Find the newest events of the last life. */
void nodes_start(struct events *events);
void nodes_free(struct events *events);

/* ev is caused by an event of this depth; cause NULL: it is not known which.  -ELOOP at the end of
 * the longest chain. */
int event_set_cause(
	struct event *ev, const struct event *cause, unsigned depth, struct err *err) MUST_USE;

/* Whether an event may be seen from a stack's events/ ("" sees all). */
bool events_in_stack(const struct event *ev, const char *stack);

#endif
