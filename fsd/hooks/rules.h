/* The rules of a hook: which of the events that reach it make it run, when, and how often.  Each
 * has a text, the same in the script, in its file of ctl/hooks/<hook>/ and in the store; "off" is
 * the text of a rule that is not there.  Pure values.
 *
 * A path names a value of an event: `host.name`, `disks[0].path` in its data; `@type`, `@stack`,
 * `@agent`, `@severity`, `@source`, `@run_id` of the event itself (base/json_path.h). */
#ifndef SLOTH_HOOKS_RULES_H
#define SLOTH_HOOKS_RULES_H

#include "base/err.h"
#include "base/sbuf.h"

#include <stdbool.h>
#include <stdint.h>

struct event;

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

/* All zero: no rule. */
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
	bool skips_replays;                  /* replay = "off" */
	int priority;                        /* -100 to 100; higher starts first */
};

/* What has a text of its own; the order is that of ctl/hooks/<hook>/overrides. */
enum hook_rule {
	RULE_MATCH,
	RULE_REPLAY,
	RULE_DEDUP,
	RULE_SEQUENCE,
	RULE_ABSENT,
	RULE_ACCUMULATE_WITHIN,
	RULE_ONCE_WITHIN,
	RULE_ONCE_AFTER,
	RULE_RATE,
	RULE_RATE_DROP,
	RULE_GROUP_BY,
	RULE_ORDER_BY,
	RULE_PRIORITY,
	RULE_RETRIES,
	RULE_AT_MOST_ONCE,
	RULE_IDEMPOTENT,
	RULE_COUNT, /* how many there are */
};

/* "once_within" */
const char *hook_rule_name(enum hook_rule rule);
/* Take a rule's text.  -EINVAL says what it may be and leaves r as it was. */
int hook_rule_parse(
	struct hook_rules *r, enum hook_rule rule, const char *text, struct err *err) MUST_USE;
/* Append its text in the one form it is kept in ("off" or "0" when it is not there), without a
 * newline at the end.  Returns whether it is there. */
bool hook_rule_show(const struct hook_rules *r, enum hook_rule rule, struct sbuf *out);
/* Append those that are there as a JSON object of their texts. */
void hook_rules_json(const struct hook_rules *r, struct sbuf *out);

/* Whether they go together, and with the types the hook hears (one a line).  -EINVAL says which do
 * not. */
int hook_rules_check(const struct hook_rules *r, const char *types, struct err *err) MUST_USE;

/* Whether arrivals must pass hooks_decide. */
bool hook_rules_gate(const struct hook_rules *r);
/* Overwrites to, which must be zero or finished. */
void hook_rules_copy(struct hook_rules *to, const struct hook_rules *from);
/* Whether they say the same. */
bool hook_rules_equal(const struct hook_rules *a, const struct hook_rules *b);
/* Leaves it all zero. */
void hook_rules_fini(struct hook_rules *r);
static inline void
hook_rules_auto(struct hook_rules *r)
{
	hook_rules_fini(r);
}

/* Append what the path names in the event, as people write it; false: there is no such value. */
bool rule_path_value(const struct event *ev, const char *path, struct sbuf *out);

#endif
