/* The rules of a hook: which of the events that reach it make it run, when, and how often.  Read
 * from the texts of its settings; pure values.
 *
 * A path names a value of an event: `host.name`, `disks[0].path` in its data; `@type`, `@stack`,
 * `@agent`, `@severity`, `@source`, `@run_id` of the event itself (base/json_path.h). */
#ifndef SLOTH_HOOKS_RULES_H
#define SLOTH_HOOKS_RULES_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* At most count in any span of the length per_ns, at most burst of them at once: `10/s`,
 * `100/5m burst 20`. */
struct rule_rate {
	unsigned count; /* 0: no such rule */
	unsigned burst; /* count unless said */
	int64_t per_ns;
};

/* First one type, then another within a time: `task.failed then task.started within 5m by host`. */
struct rule_pair {
	char *first, *second; /* patterns of types; NULL: no such rule */
	int64_t within_ns;
	char *by; /* path; NULL: any event of the hook */
};

struct hook_rules {
	/* flood control, counted for each value of group_by */
	char *group_by;                     /* path; NULL: all events count together */
	int64_t once_within_ns;             /* the first of a span; 0: no such rule */
	int64_t once_after_ns;              /* the last, after this much quiet */
	struct rule_rate accumulate_within; /* every count-th in a span */
	struct rule_rate rate, rate_drop;   /* later; not at all */
	char *dedup_path;                   /* NULL: type and whole data */
	int64_t dedup_ns;                   /* 0: no such rule */
	struct rule_pair sequence;          /* runs for second after first */
	struct rule_pair absent;            /* runs for first without second */

	/* conditions, judged by a worker */
	char *match;     /* lines `path OP value`; NULL: none */
	bool has_filter; /* the script has filter = function(event) */

	/* delivery */
	char *order_by; /* path: events of one value run one after the other; NULL: as they come */
	unsigned retries; /* attempts after the first that failed */
	int64_t backoff_ns,
		backoff_max_ns;  /* before the first retry; doubled each time up to max */
	unsigned jitter_percent; /* of each wait, added or taken away */
	bool is_at_most_once, is_idempotent; /* not both */
	bool takes_replays;                  /* replay = "off" clears it */
	int priority;                        /* -100 to 100; higher starts first */
};

/* Whether arrivals must pass hooks_decide. */
bool hook_rules_gate(const struct hook_rules *r);
/* Leaves it all zero. */
void hook_rules_fini(struct hook_rules *r);

#endif
