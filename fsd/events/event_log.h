/* events/log: one JSON line when an event reaches its final state.  Thread: core. */
#ifndef SLOTH_EVENTS_EVENT_LOG_H
#define SLOTH_EVENTS_EVENT_LOG_H

#include "base/err.h"
#include "fsd/store/records.h"

struct events;
struct events_options;
struct event_log;
struct log_file;

/* Open the log; after a crash the store is asked for what the last life finished and did not write.
 * Blocks: briefly.  Returns owned in *ret_log. */
int event_log_open(struct events *events, const struct events_options *opt,
	struct event_log **ret_log, struct err *err) MUST_USE;
void event_log_close(struct event_log *log); /* accepts NULL */

void event_log_append(
	struct event_log *log, const struct event *ev, const struct execution_list *executions);

/* Borrowed: for readers. */
struct log_file *event_log_file(struct event_log *log);

#endif
