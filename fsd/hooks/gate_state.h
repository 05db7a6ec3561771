/* The gate's counts for one key, and the decision they lead to.  Pure: values and times in, a
 * decision out; nothing is looked up, nothing is stored. */
#ifndef SLOTH_HOOKS_GATE_STATE_H
#define SLOTH_HOOKS_GATE_STATE_H

#include "base/clock.h"
#include "fsd/hooks/gate.h"
#include "fsd/hooks/gate_tally.h"
#include "fsd/hooks/rules.h"

/* Rules that count by the same value share a state. */
enum gate_kind {
	GATE_GROUP, /* accumulate_within, once_within, once_after, rate, rate_drop: by group_by */
	GATE_DEDUP, /* by its path, or type and data */
	GATE_PAIR,  /* sequence, absent: by their path */
	GATE_KINDS, /* how many there are */
};

/* An event that is remembered. */
struct gate_event {
	uint64_t seq; /* 0: none */
	int64_t since_ns;
	unsigned count; /* of events it stands for; of those it kept from running */
	char *id;       /* NULL when seq is 0 */
};

/* All zero: nothing was counted. */
struct gate_state {
	/* once_within: the one that passed.  dedup: the first of its kind.  sequence: the first
	 * type's, as long as it waits for the second's. */
	struct gate_event first;
	/* once_after, absent: the one that is held; since is when the wait began. */
	struct gate_event held;
	int64_t heard_ns;      /* when it came */
	uint64_t replaced_seq; /* what was held before it */
	/* The one that took the place of another, called it off, or was let go by its time. */
	struct gate_event last;
	struct tally gathered; /* accumulate_within */
	/* rate, rate_drop */
	struct tally slots; /* planned: when each may run at the earliest, now or later */
	struct tally begun; /* when runs began */
	struct tally late;  /* when those are asked again whose slot came too early; not stored */
	struct gate_going {
		uint64_t seq;
		int64_t since_ns;
	} * going; /* were let go and have not begun yet */
	unsigned going_count;
};

/* Leaves it all zero. */
void gate_state_fini(struct gate_state *state);
/* Overwrites to, which must be zero or finished. */
void gate_state_copy(struct gate_state *to, const struct gate_state *from);
/* After this time it says nothing any more. */
int64_t gate_state_expiry(
	const struct gate_state *state, enum gate_kind kind, const struct hook_rules *rules);

/* What is decided about. */
struct gate_case {
	const struct hook_rules *rules;
	const struct event *ev;
	enum gate_moment moment;
	int64_t now_ns;
	struct gate_state *states[GATE_KINDS]; /* NULL: the rules have none of that kind */
	bool is_changed[GATE_KINDS];           /* set: it must be stored before the run */
};

/* Decide, and count in the states. */
void gate_judge(struct gate_case *c, struct gate_decision *ret_decision);

/* A run that was let go began at this time, or will not begin.  Returns whether it was known. */
bool gate_begin(
	struct gate_state *state, const struct hook_rules *rules, uint64_t seq, int64_t at_ns);

/* Whether the rules count by this kind of key. */
bool gate_has_kind(const struct hook_rules *rules, enum gate_kind kind);

/* ---- text ---------------------------------------------------------------------------------------
 */

/* Append a state as the store keeps it, with what the rules were that it was counted for. */
void gate_state_write(const struct gate_state *state, uint32_t rules_hash, struct sbuf *out);
/* Times that lie ahead of the clock, since it was set back while nobody looked, are now.  -EINVAL:
 * the text is none of ours. */
int gate_state_read(const char *text, struct gate_state *ret_state, uint32_t *ret_rules_hash,
	struct err *err) MUST_USE;
/* A number for the rules that a kind counts for; another one when counts say nothing about it. */
uint32_t gate_rules_hash(const struct hook_rules *rules, enum gate_kind kind);
/* Write a time as people read it: "2026-01-31T23:59:59.123Z". */
void gate_time_text(int64_t steady_ns, char ret_text[CLOCK_TEXT_MAX]);

#endif
