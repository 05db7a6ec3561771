/* The way of an event, a line of the log for each step, at log level debug: accepted, matched,
 * decided, started, ended, final.  A line names the event, its type, the hook, what was decided and
 * how long it took, and never anything of the data: neither reasons, outputs nor errors, which are
 * in events/<id>/ for those who may read it.  Below that level each call costs one look.
 * Thread: core.  log may be NULL. */
#ifndef SLOTH_FSD_STEPS_H
#define SLOTH_FSD_STEPS_H

#include "base/log.h"
#include "base/sbuf.h"
#include "fsd/store/records.h"

/* The event is stored for good. */
void step_accepted(struct log *log, const struct event *ev);
/* It is known which hooks it reaches; labels, separated by blanks, are asked for when needed only.
 */
typedef void step_labels_fn(const void *arg, struct sbuf *out);
void step_matched(struct log *log, const struct event *ev, step_labels_fn *labels, const void *arg);
/* The first instruction of an attempt was executed. */
void step_started(struct log *log, const struct event *ev, const char *hook, unsigned attempt);
/* What became of a hook's execution: an attempt ended, or a rule decided. */
void step_recorded(struct log *log, const struct event *ev, const struct execution *ex);
/* Every hook is done with it. */
void step_final(struct log *log, const struct event *ev);

#endif
