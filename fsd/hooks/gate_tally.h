/* When how many events were, as far back as a rule looks; and from that, when the next may be. */
#ifndef SLOTH_HOOKS_GATE_TALLY_H
#define SLOTH_HOOKS_GATE_TALLY_H

#include "fsd/hooks/rules.h"

#include <stdint.h>

/* All zero is empty. */
struct tally {
	struct tally_entry {
		int64_t at_ns; /* of the last of them */
		unsigned count;
	} * entries; /* oldest first */
	unsigned len, cap;
	int64_t pace_ns; /* when the next would be if all came evenly; counted with a burst alone */
};

/* Count one at a time that is not before the newest, and forget what the rule no longer sees from
 * there. */
void tally_add(struct tally *t, const struct rule_rate *rate, int64_t at_ns);
/* How many there were after a time. */
unsigned tally_since(const struct tally *t, int64_t after_ns);
/* The earliest time, not before now, at which one more keeps the rate. */
int64_t tally_next(const struct tally *t, const struct rule_rate *rate, int64_t now_ns);
/* The newest one's time; 0: empty. */
int64_t tally_newest(const struct tally *t);

/* Add an entry behind the others, as it was stored.  Ignored when there are too many. */
void tally_restore(struct tally *t, int64_t at_ns, unsigned count);
/* Overwrites to, which must be zero or finished. */
void tally_copy(struct tally *to, const struct tally *from);
/* Leaves it empty. */
void tally_fini(struct tally *t);

#endif
