/* What the rules of a hook say to an event: see gate_state.h.
 *
 * An arrival passes the stages of `stages`, in their order; each counts it, and lets it on, holds
 * it, or drops it with a reason.  What a stage has held comes back there when its time has come
 * (GATE_DUE) and goes on with the stages behind.
 *
 * Only the state tells who is held: absent and once_after hold one event a key, so an event that
 * comes back and is not that one was replaced or called off.  `rate` holds any number: each has a
 * slot of its own, reserved when it came, so that nothing has to be remembered but the slots.  An
 * event that the state knows nothing of, since its key was let go, runs: nothing is lost for lack
 * of memory.
 *
 * An event that an earlier life admitted (GATE_AGAIN) was counted then and passes all rules but the
 * rates, where it takes a second slot: it may have run already, and runs are what a rate counts. So
 * a rate is kept across a crash too; a rule that lets one of several run may let that one run
 * twice. */
#include "fsd/hooks/gate_stages.h"

#include "base/auto.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_SHOWN_MAX 48 /* bytes of what groups events, in a reason */

/* ---- words ----------------------------------------------------------------------------------- */

void
gate_say(struct gate_decision *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(d->why, sizeof(d->why), fmt, ap); /* cut when it is too long */
	va_end(ap);
}

enum going
gate_drop(struct gate_decision *d, enum exec_status status)
{
	d->verdict = GATE_DROP;
	d->status = status;
	return STOP;
}

enum going
gate_hold(struct gate_decision *d, int64_t due_ns)
{
	d->verdict = GATE_HOLD;
	d->due_ns = due_ns;
	return STOP;
}

/* By which value of the event a rule counts; NULL: by none, or by type and data. */
static const char *
path_of(const struct hook_rules *r, enum hook_rule rule)
{
	if (rule == RULE_DEDUP)
		return r->dedup_path;
	if (rule == RULE_SEQUENCE)
		return r->sequence.by;
	return rule == RULE_ABSENT ? r->absent.by : r->group_by;
}

/* What makes the event one of its group, in short and as one line. */
static void
add_value(const struct gate_case *c, const char *path, struct sbuf *out)
{
	AUTO(sbuf) struct sbuf value = {0};
	size_t len;

	if (!rule_path_value(c->ev, path, &value)) {
		sbuf_printf(out, " (no %.40s)", path);
		return;
	}
	len = value.len > VALUE_SHOWN_MAX ? VALUE_SHOWN_MAX : value.len;
	while (len < value.len && len && ((unsigned char)value.data[len] & 0xc0) == 0x80)
		len--; /* not inside a character */
	sbuf_printf(out, " (%.40s = ", path);
	for (size_t i = 0; i < len; i++)
		sbuf_addc(out, (unsigned char)value.data[i] < ' ' ? ' ' : value.data[i]);
	sbuf_adds(out, len < value.len ? "...)" : ")");
}

/* A rule's text in a reason, with the value it counts by; the caller frees it. */
char *
gate_rule_text(const struct gate_case *c, enum hook_rule rule)
{
	const char *path = path_of(c->rules, rule);
	AUTO(sbuf) struct sbuf text = {0};

	sbuf_printf(&text, "%s ", hook_rule_name(rule));
	(void)hook_rule_show(c->rules, rule, &text);
	if (path)
		add_value(c, path, &text);
	return sbuf_take(&text);
}

struct gate_state *
gate_changed(struct gate_case *c, enum gate_kind kind)
{
	c->is_changed[kind] = true;
	return c->states[kind];
}

void
gate_forget(struct gate_event *e)
{
	free(e->id);
	*e = (struct gate_event){0};
}

void
gate_remember(struct gate_event *e, const struct gate_case *c, unsigned count)
{
	char id[EVENT_ID_MAX + 1];

	event_id_text(c->ev, id);
	gate_forget(e);
	*e = (struct gate_event){c->ev->seq, c->now_ns, count, mem_strdup(id)};
}

/* ---- replay, dedup --------------------------------------------------------------------------- */

static enum going
pass_replay(struct gate_case *c, struct gate_decision *d)
{
	if (!c->rules->skips_replays || !c->ev->replay_of)
		return GO_ON;
	gate_say(d, "replay off: the event is a replay");
	return gate_drop(d, EXEC_SKIPPED);
}

static enum going
pass_dedup(struct gate_case *c, struct gate_decision *d)
{
	AUTO(free) char *rule = NULL;
	char until[CLOCK_TEXT_MAX];
	struct gate_event *first;
	int64_t end;

	if (!c->states[GATE_DEDUP])
		return GO_ON;
	first = &c->states[GATE_DEDUP]->first;
	end = first->since_ns + c->rules->dedup_ns;
	if (!first->seq || first->seq == c->ev->seq || c->now_ns >= end) {
		gate_remember(&gate_changed(c, GATE_DEDUP)->first, c, 0);
		return GO_ON;
	}
	first->count++;
	rule = gate_rule_text(c, RULE_DEDUP);
	gate_time_text(end, until);
	gate_say(d, "%s: the same as event %s, until %s", rule, first->id, until);
	return gate_drop(d, EXEC_THROTTLED);
}

/* ---- what holds one event a key -------------------------------------------------------------- */

enum going
gate_settle_other(
	struct gate_case *c, struct gate_decision *d, enum gate_kind kind, enum hook_rule which)
{
	const struct gate_state *state = c->states[kind];
	AUTO(free) char *rule = gate_rule_text(c, which);

	if (!state->last.seq ||
		(state->replaced_seq != c->ev->seq && state->last.seq <= c->ev->seq))
		return GO_ON;
	gate_say(d, "%s: event %s came after it", rule, state->last.id);
	return gate_drop(d, which == RULE_ABSENT ? EXEC_FILTERED : EXEC_THROTTLED);
}

void
gate_let_go(struct gate_case *c, struct gate_decision *d, enum gate_kind kind)
{
	struct gate_state *state = gate_changed(c, kind);

	d->count = state->held.count;
	gate_remember(&state->last, c, d->count);
	gate_forget(&state->held);
}

/* ---- accumulate_within, once_within ---------------------------------------------------------- */

static enum going
pass_accumulate(struct gate_case *c, struct gate_decision *d)
{
	const struct rule_rate *wanted = &c->rules->accumulate_within;
	AUTO(free) char *rule = NULL;
	struct tally *gathered;
	unsigned count;

	if (!wanted->count)
		return GO_ON;
	gathered = &gate_changed(c, GATE_GROUP)->gathered;
	tally_add(gathered, wanted, c->now_ns);
	count = tally_since(gathered, c->now_ns - wanted->per_ns);
	rule = gate_rule_text(c, RULE_ACCUMULATE_WITHIN);
	if (count < wanted->count) {
		gate_say(d, "%s: %u of %u", rule, count, wanted->count);
		return gate_drop(d, EXEC_THROTTLED);
	}
	tally_fini(gathered);
	gate_say(d, "%s: %u of %u", rule, wanted->count, wanted->count);
	return GO_ON;
}

static enum going
pass_once_within(struct gate_case *c, struct gate_decision *d)
{
	AUTO(free) char *rule = NULL;
	char until[CLOCK_TEXT_MAX];
	struct gate_event *first;
	int64_t end;

	if (!c->rules->once_within_ns)
		return GO_ON;
	first = &c->states[GATE_GROUP]->first;
	end = first->since_ns + c->rules->once_within_ns;
	if (!first->seq || first->seq == c->ev->seq || c->now_ns >= end) {
		gate_remember(&gate_changed(c, GATE_GROUP)->first, c, 0);
		return GO_ON;
	}
	first->count++;
	rule = gate_rule_text(c, RULE_ONCE_WITHIN);
	gate_time_text(end, until);
	gate_say(
		d, "%s: event %s was the first, the next is taken from %s", rule, first->id, until);
	return gate_drop(d, EXEC_THROTTLED);
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* In the order in which they are asked. */
static enum going (*const stages[])(struct gate_case *c, struct gate_decision *d) = {
	pass_replay,
	pass_dedup,
	gate_pass_sequence,
	gate_pass_absent,
	pass_accumulate,
	pass_once_within,
	gate_pass_once_after,
	gate_pass_rate,
};
#define STAGES ((int)(sizeof(stages) / sizeof(stages[0])))

/* How many events it stood for when it was let go, if it was the last that was. */
static unsigned
count_of_last(const struct gate_case *c)
{
	const struct gate_state *state = NULL;

	if (c->rules->absent.first)
		state = c->states[GATE_PAIR];
	else if (c->rules->once_after_ns)
		state = c->states[GATE_GROUP];
	return state && state->last.seq == c->ev->seq ? state->last.count : 1;
}

/* It was counted when it passed. */
static void
judge_again(struct gate_case *c, struct gate_decision *d)
{
	const struct gate_event *first =
		c->states[GATE_GROUP] ? &c->states[GATE_GROUP]->first : NULL;

	d->count = count_of_last(c);
	if (c->rules->once_within_ns &&
		(!first->seq || c->now_ns >= first->since_ns + c->rules->once_within_ns))
		gate_remember(&gate_changed(c, GATE_GROUP)->first, c, 0);
	gate_say(d, "again, since the daemon ended before its result was known");
	(void)gate_pass_rate(c, d);
}

static void
judge_from(int stage, struct gate_case *c, struct gate_decision *d)
{
	while (stage < STAGES && stages[stage](c, d) == GO_ON)
		stage++;
}

static void
judge_due(struct gate_case *c, struct gate_decision *d)
{
	enum going (*holder)(struct gate_case *, struct gate_decision *) = gate_pass_rate;
	int stage = 0;

	if (c->rules->absent.first)
		holder = gate_pass_absent;
	else if (c->rules->once_after_ns)
		holder = gate_pass_once_after;
	else if (!c->rules->rate.count && c->rules->rate_drop.count)
		c->moment = GATE_AGAIN; /* rate_drop holds none but these */
	while (stages[stage] != holder)
		stage++;
	judge_from(stage, c, d);
}

void
gate_judge(struct gate_case *c, struct gate_decision *ret_decision)
{
	struct gate_decision *d = ret_decision;

	*d = (struct gate_decision){.verdict = GATE_RUN, .count = 1};
	switch (c->moment) {
	case GATE_ARRIVED:
		judge_from(0, c, d);
		break;
	case GATE_DUE:
		judge_due(c, d);
		break;
	case GATE_AGAIN:
	case GATE_RETRIED:
		c->moment = GATE_AGAIN; /* to the rules they are alike */
		judge_again(c, d);
		break;
	}
	if (d->verdict == GATE_RUN && c->rules->accumulate_within.count)
		d->count *= c->rules->accumulate_within.count;
}

bool
gate_begin(struct gate_state *state, const struct hook_rules *rules, uint64_t seq, int64_t at_ns)
{
	const struct rule_rate *rate = rules->rate.count ? &rules->rate : &rules->rate_drop;
	unsigned i;

	for (i = 0; i < state->going_count && state->going[i].seq != seq; i++)
		continue;
	if (i == state->going_count || !rate->count)
		return false;
	memmove(state->going + i, state->going + i + 1,
		(--state->going_count - i) * sizeof(state->going[0]));
	tally_add(&state->begun, rate, at_ns);
	return true;
}
