/* Durations in buckets: see latency.h.
 *
 * A Prometheus histogram has few buckets, because each is a line for each hook.  Its bounds are
 * powers of two of nanoseconds, since these are bounds of ours too: its counts are exact, where
 * rounder numbers would make them estimates.
 */
#include "fsd/hooks/latency.h"

#include "base/clock.h"

#include <inttypes.h>

#define FIRST_BIT 10 /* durations under 1 us share the first bucket */

static unsigned
bucket_of(int64_t ns)
{
	unsigned bit, at;

	if (ns < (1 << FIRST_BIT))
		return 0;
	bit = 63 - (unsigned)__builtin_clzll((unsigned long long)ns);
	at = (bit - FIRST_BIT) * 4 + (unsigned)((ns >> (bit - 2)) & 3);
	return at < LATENCY_BUCKETS ? at : LATENCY_BUCKETS - 1;
}

/* The longest duration that falls into the bucket. */
static int64_t
bucket_end(unsigned bucket)
{
	unsigned bit = bucket / 4 + FIRST_BIT;

	return (1LL << bit) + (int64_t)(bucket % 4 + 1) * (1LL << (bit - 2));
}

void
latency_add(struct latency *l, int64_t ns)
{
	if (ns < 0)
		ns = 0; /* the clock was set */
	l->count++;
	l->sum_ns += ns;
	l->buckets[bucket_of(ns)]++;
	if (ns > l->max_ns)
		l->max_ns = ns;
}

int64_t
latency_percentile(const struct latency *l, unsigned percent)
{
	uint64_t wanted = (l->count * percent + 99) / 100, seen = 0;
	unsigned i;

	for (i = 0; i < LATENCY_BUCKETS - 1; i++) { /* the last one has no end */
		seen += l->buckets[i];
		if (seen >= wanted)
			break;
	}
	return i < LATENCY_BUCKETS - 1 && bucket_end(i) < l->max_ns ? bucket_end(i) : l->max_ns;
}

void
latency_merge(struct latency *to, const struct latency *from)
{
	to->count += from->count;
	to->sum_ns += from->sum_ns;
	if (from->max_ns > to->max_ns)
		to->max_ns = from->max_ns;
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
		to->buckets[i] += from->buckets[i];
}

void
latency_add_metric(const struct latency *l, const char *name, const char *labels, struct sbuf *out)
{
	static const unsigned bits[] = {14, 17, 20, 23, 26, 29, 32, 35}; /* 16 us .. 34 s */
	const char *comma = labels[0] ? "," : "";
	uint64_t below = 0;
	unsigned at = 0;

	for (unsigned i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		while (at < (bits[i] - FIRST_BIT) * 4)
			below += l->buckets[at++];
		sbuf_printf(out, "%s_bucket{%s%sle=\"%.9g\"} %" PRIu64 "\n", name, labels, comma,
			(double)(1LL << bits[i]) / NS_PER_S, below);
	}
	sbuf_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", name, labels, comma, l->count);
	sbuf_printf(out, "%s_sum%s%s%s %.9g\n", name, labels[0] ? "{" : "", labels,
		labels[0] ? "}" : "", (double)l->sum_ns / NS_PER_S);
	sbuf_printf(out, "%s_count%s%s%s %" PRIu64 "\n", name, labels[0] ? "{" : "", labels,
		labels[0] ? "}" : "", l->count);
}
