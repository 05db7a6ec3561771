/* ctl/hooks/<hook>/flood: what the hook's rules hold back at this moment, a line a key.
 *
 * Keys that were not touched since they expired are left out; the counts of rules the hook has no
 * more are not shown as those of its rules now. */
#include "fsd/hooks/gate_keys.h"

#include "base/auto.h"
#include "fsd/tree/room.h"
#include "handlers.h"

#include <inttypes.h>

#define LINES_MAX 1000

/* What is appended to: a line that says something begins with its key. */
struct line {
	struct sbuf *out;
	const struct gate_key *key;
	bool is_begun;
};

static void
begin(struct line *line)
{
	static const char *const kinds[] = {
		[GATE_GROUP] = "group", [GATE_DEDUP] = "dedup", [GATE_PAIR] = "pair"};
	const char *value = line->key->name + 2;

	if (line->is_begun)
		sbuf_adds(line->out, "; ");
	else
		sbuf_printf(line->out, "%s %s: ", kinds[line->key->kind], *value ? value : "(all)");
	line->is_begun = true;
}

static void
show_first(struct line *line, const char *rule, int64_t span_ns, int64_t now_ns)
{
	const struct gate_event *first = &line->key->state.first;
	char until[CLOCK_TEXT_MAX];

	if (!span_ns || !first->seq || first->since_ns + span_ns <= now_ns)
		return;
	begin(line);
	gate_time_text(first->since_ns + span_ns, until);
	sbuf_printf(line->out, "%s until %s for event %s", rule, until, first->id);
	if (first->count)
		sbuf_printf(line->out, ", %u not run", first->count);
}

static void
show_held(struct line *line, const char *rule)
{
	const struct gate_event *held = &line->key->state.held;
	char since[CLOCK_TEXT_MAX];

	if (!held->seq)
		return;
	begin(line);
	gate_time_text(held->since_ns, since);
	sbuf_printf(
		line->out, "%s holds event %s for %u since %s", rule, held->id, held->count, since);
}

static void
show_slots(struct line *line, const struct hook_rules *r, int64_t now_ns)
{
	const struct rule_rate *rate = r->rate.count ? &r->rate : &r->rate_drop;
	const struct gate_state *state = &line->key->state;
	unsigned runs = tally_since(&state->begun, now_ns - rate->per_ns) + state->going_count;
	char next[CLOCK_TEXT_MAX];
	int64_t slot;

	if (!rate->count || (!runs && !state->slots.len))
		return;
	begin(line);
	sbuf_printf(line->out, "%s %u of %u",
		hook_rule_name(r->rate.count ? RULE_RATE : RULE_RATE_DROP), runs, rate->count);
	slot = tally_next(&state->slots, rate, now_ns);
	gate_time_text(slot, next);
	if (slot > now_ns)
		sbuf_printf(line->out, ", the next event's turn is at %s", next);
}

static void
show_group(struct line *line, const struct hook_rules *r, int64_t now_ns)
{
	const struct rule_rate *wanted = &r->accumulate_within;
	unsigned gathered =
		wanted->count ? tally_since(&line->key->state.gathered, now_ns - wanted->per_ns)
			      : 0;

	if (gathered) {
		begin(line);
		sbuf_printf(line->out, "accumulate_within %u of %u", gathered, wanted->count);
	}
	show_first(line, "once_within", r->once_within_ns, now_ns);
	show_held(line, "once_after");
	show_slots(line, r, now_ns);
}

static bool
show_key(const struct gate_key *key, const struct hook_rules *r, int64_t now_ns, struct sbuf *out)
{
	struct line line = {out, key, false};

	if (key->expires_ns <= now_ns || key->rules_hash != gate_rules_hash(r, key->kind))
		return false;
	switch (key->kind) {
	case GATE_GROUP:
		show_group(&line, r, now_ns);
		break;
	case GATE_DEDUP:
		show_first(&line, "dedup", r->dedup_ns, now_ns);
		break;
	case GATE_PAIR:
		show_first(&line, "sequence", r->sequence.within_ns, now_ns);
		show_held(&line, "absent");
		break;
	case GATE_KINDS:
		break;
	}
	if (line.is_begun)
		sbuf_addc(out, '\n');
	return line.is_begun;
}

void
hook_flood_show(const struct hook *hook, int64_t now_ns, struct sbuf *out)
{
	const struct gate *gate = hook->gate;
	const struct gate_key *key;
	unsigned lines = 0, count = gate ? HASH_COUNT(gate->keys) : 0, seen = 0;

	for (key = gate ? gate->keys : NULL; key && lines < LINES_MAX; key = key->hh.next) {
		lines += show_key(key, &hook->settings.rules, now_ns, out);
		seen++;
	}
	if (seen < count)
		sbuf_printf(out, "and %u keys more\n", count - seen);
	if (hook->waiting)
		sbuf_printf(out, "waiting: %" PRIu64 " %s\n", hook->waiting,
			hook->waiting == 1 ? "event" : "events");
	if (gate && gate->let_go)
		sbuf_printf(out,
			"%" PRIu64 " keys were let go before their time: a hook counts by %d at "
			"most\n",
			gate->let_go, GATE_KEYS_MAX);
}

int
hook_flood_read(struct node *node, struct sbuf *out, struct err *err)
{
	(void)err;
	hook_flood_show(node_pinned(node, &hook_set), clock_steady_ns(), out);
	return 0;
}
