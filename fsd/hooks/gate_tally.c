/* A sliding log of times: see gate_tally.h.
 *
 * Rules are kept for any span of their length, not for those that begin with a full minute: the
 * next time is the one of the count-th newest plus the span.  A time may lie ahead, reserved for an
 * event that is held.  A burst that is smaller than the count is kept by a pace beside that: one
 * more may be as many steps ahead of an even flow as the burst says.
 *
 * Up to TIMES_MAX events a span each has its time.  Of more, those within one TIMES_MAX-th of the
 * span share the latest of their times: a rate is then kept as strictly and reached a little later
 * (2 % at most), and no log is longer than ENTRIES_MAX. */
#include "fsd/hooks/gate_tally.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define TIMES_MAX   64
#define ENTRIES_MAX (TIMES_MAX + 8)

/* Forget entries from the oldest on. */
static void
drop_oldest(struct tally *t, unsigned count)
{
	if (count == 0)
		return;
	t->len -= count;
	memmove(t->entries, t->entries + count, t->len * sizeof(t->entries[0]));
}

static void
append(struct tally *t, int64_t at_ns, unsigned count)
{
	if (t->len == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 4;
		t->entries = mem_realloc(t->entries, t->cap * sizeof(t->entries[0]));
	}
	t->entries[t->len++] = (struct tally_entry){at_ns, count};
}

/* Between two of an even flow. */
static int64_t
step_ns(const struct rule_rate *rate)
{
	return (rate->per_ns + rate->count - 1) / rate->count;
}

void
tally_add(struct tally *t, const struct rule_rate *rate, int64_t at_ns)
{
	bool has_burst = rate->burst < rate->count;
	int64_t grain = rate->count > TIMES_MAX ? rate->per_ns / TIMES_MAX : 0;
	struct tally_entry *newest = t->len ? &t->entries[t->len - 1] : NULL;
	unsigned old = 0;

	if (newest && at_ns < newest->at_ns)
		at_ns = newest->at_ns;
	if (has_burst)
		t->pace_ns = (t->pace_ns > at_ns ? t->pace_ns : at_ns) + step_ns(rate);
	if (newest && grain && newest->at_ns / grain == at_ns / grain) {
		newest->at_ns = at_ns;
		newest->count++;
		return;
	}
	while (old < t->len && t->entries[old].at_ns <= at_ns - rate->per_ns)
		old++;
	drop_oldest(t, old);
	if (t->len == ENTRIES_MAX) { /* the rule was another when they were counted */
		t->entries[1].count += t->entries[0].count;
		drop_oldest(t, 1);
	}
	append(t, at_ns, 1);
}

unsigned
tally_since(const struct tally *t, int64_t after_ns)
{
	unsigned i, count = 0;

	for (i = t->len; i-- > 0 && t->entries[i].at_ns > after_ns;)
		count += t->entries[i].count;
	return count;
}

int64_t
tally_newest(const struct tally *t)
{
	return t->len ? t->entries[t->len - 1].at_ns : 0;
}

/* The time of the n-th newest; -1: there are not so many. */
static int64_t
nth_newest(const struct tally *t, unsigned n)
{
	uint64_t seen = 0;
	unsigned i;

	for (i = t->len; i-- > 0;) {
		seen += t->entries[i].count;
		if (seen >= n)
			return t->entries[i].at_ns;
	}
	return -1;
}

int64_t
tally_next(const struct tally *t, const struct rule_rate *rate, int64_t now_ns)
{
	int64_t slot = tally_newest(t) > now_ns ? tally_newest(t) : now_ns;
	int64_t nth = nth_newest(t, rate->count);
	int64_t ahead = step_ns(rate) * (rate->burst - 1);

	if (nth >= 0 && nth + rate->per_ns > slot)
		slot = nth + rate->per_ns;
	if (rate->burst < rate->count && t->pace_ns - ahead > slot)
		slot = t->pace_ns - ahead;
	return slot;
}

void
tally_restore(struct tally *t, int64_t at_ns, unsigned count)
{
	if (t->len < ENTRIES_MAX)
		append(t, at_ns > tally_newest(t) ? at_ns : tally_newest(t), count);
}

void
tally_copy(struct tally *to, const struct tally *from)
{
	*to = (struct tally){.len = from->len, .cap = from->len, .pace_ns = from->pace_ns};
	if (!from->len)
		return;
	to->entries = mem_realloc(NULL, from->len * sizeof(from->entries[0]));
	memcpy(to->entries, from->entries, from->len * sizeof(from->entries[0]));
}

void
tally_fini(struct tally *t)
{
	free(t->entries);
	*t = (struct tally){0};
}
