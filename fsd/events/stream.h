/* Followers of events/stream and by-type/<type>/stream, one per open.  Private to feed and stream.
 */
#ifndef SLOTH_EVENTS_STREAM_H
#define SLOTH_EVENTS_STREAM_H

#include "base/sbuf.h"
#include "fsd/events/filter.h"

#include <sys/queue.h>

/* Bytes a slow reader may leave behind; a line that is longer is given when nothing else waits. */
#define STREAM_UNREAD_MAX (128 * 1024)

struct events;
struct handle;
struct treq;

struct stream {
	struct events *events;
	struct handle *h; /* NULL: closed while the store was asked */
	struct event_filter filter;
	char *wall;        /* the stack, "" at the root */
	char *type;        /* of by-type/<type>/stream; NULL */
	bool is_behind;    /* reads from the store after `since` */
	bool is_asking;    /* the store was asked */
	uint64_t cursor;   /* is_behind: all up to this seq was given */
	uint64_t asked_at; /* the newest seq when the store was asked */
	struct treq *req;  /* the write of the filter line, while `since` is looked up */
	size_t req_len;
	struct sbuf held; /* is_behind: lines that come after those from the store */
	uint64_t lost;    /* lines not given since the reader fell behind */
	char lost_first[EVENT_ID_MAX + 1];
	LIST_ENTRY(stream) link;
};
LIST_HEAD(stream_list, stream);

/* Whether a line about the event is for this reader. */
bool stream_wants(const struct stream *stream, const struct event *ev);

/* Give it the line, or count it as lost. */
void stream_offer(struct stream *stream, const struct event *ev, const struct sbuf *line);

#endif
