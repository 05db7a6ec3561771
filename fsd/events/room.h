/* Inside the events room only: its state, shared by intake, feed and nodes. */
#ifndef SLOTH_EVENTS_ROOM_H
#define SLOTH_EVENTS_ROOM_H

#include "fsd/events/events.h"

#include <uv.h>

struct feed;
struct event_log;

struct events {
	uv_loop_t *loop;
	struct store *store;
	struct tree *tree;
	struct dispatcher *dispatcher;
	struct lane *parser; /* intake's thread */
	struct feed *feed;
	struct event_log *log;
	uint64_t next_seq;
	uint64_t newest_seq; /* committed; 0: none yet */
	size_t window;
	bool is_stopping;
	struct events_figures figures;
};

/* Whether an event may be seen from a stack's events/ ("" sees all). */
bool events_in_stack(const struct event *ev, const char *stack);

#endif
