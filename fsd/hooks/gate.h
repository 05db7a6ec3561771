/* The gate: whether a hook runs for an event now, later or not at all.  It counts by hook and by
 * the value of group_by; its counts survive a restart (store_admit).  Thread: core.
 *
 * Times are of clock_steady_ns, which a step of the machine's clock does not move; the store holds
 * real times, converted when written and read. */
#ifndef SLOTH_HOOKS_GATE_H
#define SLOTH_HOOKS_GATE_H

#include "fsd/hooks/hooks.h"

#define GATE_WHY_MAX 256 /* bytes of a reason with its NUL */

enum gate_moment {
	GATE_ARRIVED, /* the event was matched */
	GATE_DUE,     /* it was held and its time has come */
	GATE_AGAIN,   /* its admission was recorded in an earlier life, its result was not */
	GATE_RETRIED, /* the same, of a later attempt: one that is held is not asked about when due
		       */
};

enum gate_verdict { GATE_RUN, GATE_HOLD, GATE_DROP };

struct gate_decision {
	enum gate_verdict verdict;
	enum exec_status status; /* GATE_DROP: throttled, filtered or skipped */
	int64_t due_ns;          /* GATE_HOLD: when to ask again with GATE_DUE */
	unsigned count;         /* GATE_RUN: how many events this run stands for, itself included */
	char why[GATE_WHY_MAX]; /* the rule and the values that decided, one sentence; "" */
	/* An event held earlier that must be asked again now, since this one took its place; 0:
	 * none. Asked with GATE_DUE it is dropped. */
	uint64_t recall_seq;
};

/* Decide.  Counts the event, so it is called once for each moment. */
void hooks_decide(struct hooks *hooks, struct hook_code *code, const struct event *ev,
	enum gate_moment moment, int64_t now_ns, struct gate_decision *ret_decision);
/* A run that was let go (GATE_RUN) began just now, or will not begin.  Returns whether there are
 * counts to take now; what is not known is ignored. */
bool hooks_begun(struct hooks *hooks, const struct hook_code *code, const struct event *ev);
/* Decide on an arrival without counting, for `why` and `test`. */
void hooks_foresee(struct hooks *hooks, struct hook_code *code, const struct event *ev,
	int64_t now_ns, struct gate_decision *ret_decision);

/* Move the counts that changed since the last call to the list: they must be durable before what
 * they admitted runs. */
void hooks_take_counts(struct hooks *hooks, struct gate_count_list *ret_counts);

#endif
