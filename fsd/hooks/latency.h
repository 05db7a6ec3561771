/* A histogram of durations: four buckets per doubling, so that a percentile is right within a
 * fifth, in half a kilobyte.  Pure; zeroed is empty. */
#ifndef SLOTH_HOOKS_LATENCY_H
#define SLOTH_HOOKS_LATENCY_H

#include "base/sbuf.h"

#include <stdint.h>

#define LATENCY_BUCKETS 128 /* up to 2^42 ns, an hour */

struct latency {
	uint64_t count;
	int64_t sum_ns, max_ns;
	uint32_t buckets[LATENCY_BUCKETS];
};

/* A negative duration counts as none. */
void latency_add(struct latency *l, int64_t ns);
/* At least this share of the durations is not longer; 0 when there are none. */
int64_t latency_percentile(const struct latency *l, unsigned percent);
/* Add one to another. */
void latency_merge(struct latency *to, const struct latency *from);
/* Append it as a Prometheus histogram in seconds; labels "" or `hook="x"`. */
void latency_add_metric(
	const struct latency *l, const char *name, const char *labels, struct sbuf *out);

#endif
