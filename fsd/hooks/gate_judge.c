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
#include "fsd/hooks/gate_state.h"

#include "base/auto.h"
#include "base/mem.h"
#include "base/units.h"
#include "fsd/events/types.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ONCE_AFTER_TIMES 10   /* once_after waits at most so many times as long as it says */
#define GOING_MAX        1024 /* runs of a key that were let go and have not begun */
#define GOING_NS         (600 * NS_PER_S) /* one that nobody heard of again stops no other */
#define VALUE_SHOWN_MAX  48               /* bytes of what groups events, in a reason */
#define ASK_AGAIN_NS     (10 * NS_PER_MS)

enum going { GO_ON, STOP };

/* ---- words ----------------------------------------------------------------------------------- */

static void __attribute__((format(printf, 2, 3))) say(struct gate_decision *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(d->why, sizeof(d->why), fmt, ap); /* cut when it is too long */
	va_end(ap);
}

static enum going
drop(struct gate_decision *d, enum exec_status status)
{
	d->verdict = GATE_DROP;
	d->status = status;
	return STOP;
}

static enum going
hold(struct gate_decision *d, int64_t due_ns)
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
static char *
rule_text(const struct gate_case *c, enum hook_rule rule)
{
	const char *path = path_of(c->rules, rule);
	AUTO(sbuf) struct sbuf text = {0};

	sbuf_printf(&text, "%s ", hook_rule_name(rule));
	(void)hook_rule_show(c->rules, rule, &text);
	if (path)
		add_value(c, path, &text);
	return sbuf_take(&text);
}

static struct gate_state *
changed(struct gate_case *c, enum gate_kind kind)
{
	c->is_changed[kind] = true;
	return c->states[kind];
}

static void
forget(struct gate_event *e)
{
	free(e->id);
	*e = (struct gate_event){0};
}

static void
remember(struct gate_event *e, const struct gate_case *c, unsigned count)
{
	char id[EVENT_ID_MAX + 1];

	event_id_text(c->ev, id);
	forget(e);
	*e = (struct gate_event){c->ev->seq, c->now_ns, count, mem_strdup(id)};
}

/* ---- replay, dedup --------------------------------------------------------------------------- */

static enum going
pass_replay(struct gate_case *c, struct gate_decision *d)
{
	if (!c->rules->skips_replays || !c->ev->replay_of)
		return GO_ON;
	say(d, "replay off: the event is a replay");
	return drop(d, EXEC_SKIPPED);
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
		remember(&changed(c, GATE_DEDUP)->first, c, 0);
		return GO_ON;
	}
	first->count++;
	rule = rule_text(c, RULE_DEDUP);
	gate_time_text(end, until);
	say(d, "%s: the same as event %s, until %s", rule, first->id, until);
	return drop(d, EXEC_THROTTLED);
}

/* ---- sequence -------------------------------------------------------------------------------- */

static enum going
pass_sequence(struct gate_case *c, struct gate_decision *d)
{
	const struct rule_pair *pair = &c->rules->sequence;
	AUTO(free) char *rule = NULL;
	char until[CLOCK_TEXT_MAX];
	struct gate_event *first;

	if (!pair->first)
		return GO_ON;
	rule = rule_text(c, RULE_SEQUENCE);
	first = &changed(c, GATE_PAIR)->first;
	if (event_type_match(pair->second, c->ev->type) && first->seq && first->seq != c->ev->seq &&
		c->now_ns <= first->since_ns + pair->within_ns) {
		say(d, "%s: after event %s", rule, first->id);
		forget(first);
		return GO_ON;
	}
	if (event_type_match(pair->first, c->ev->type)) {
		remember(first, c, 0);
		gate_time_text(c->now_ns + pair->within_ns, until);
		say(d, "%s: waits for %s until %s", rule, pair->second, until);
	} else if (event_type_match(pair->second, c->ev->type)) {
		say(d, "%s: no %s came before it in that time", rule, pair->first);
	} else {
		say(d, "%s: it is neither", rule);
	}
	return drop(d, EXEC_FILTERED);
}

/* ---- what holds one event a key -------------------------------------------------------------- */

/* An event comes back that is not the one that is held: why it does not run; GO_ON when nothing is
 * known of it. */
static enum going
settle_other(
	struct gate_case *c, struct gate_decision *d, enum gate_kind kind, enum hook_rule which)
{
	const struct gate_state *state = c->states[kind];
	AUTO(free) char *rule = rule_text(c, which);

	if (!state->last.seq ||
		(state->replaced_seq != c->ev->seq && state->last.seq <= c->ev->seq))
		return GO_ON;
	say(d, "%s: event %s came after it", rule, state->last.id);
	return drop(d, which == RULE_ABSENT ? EXEC_FILTERED : EXEC_THROTTLED);
}

/* The held event's time has come: it stands for all that was counted with it. */
static void
let_go(struct gate_case *c, struct gate_decision *d, enum gate_kind kind)
{
	struct gate_state *state = changed(c, kind);

	d->count = state->held.count;
	remember(&state->last, c, d->count);
	forget(&state->held);
}

/* ---- absent ---------------------------------------------------------------------------------- */

static enum going
absent_due(struct gate_case *c, struct gate_decision *d)
{
	struct gate_state *state = c->states[GATE_PAIR];
	int64_t end = state->held.since_ns + c->rules->absent.within_ns;
	AUTO(free) char *rule = NULL;

	if (state->held.seq != c->ev->seq)
		return settle_other(c, d, GATE_PAIR, RULE_ABSENT);
	rule = rule_text(c, RULE_ABSENT);
	if (c->now_ns < end) {
		say(d, "%s: waits for %s", rule, c->rules->absent.second);
		return hold(d, end);
	}
	say(d, "%s: %s did not come", rule, c->rules->absent.second);
	let_go(c, d, GATE_PAIR);
	return GO_ON;
}

/* Returns whether something was called off. */
static bool
call_off(struct gate_case *c, struct gate_decision *d)
{
	struct gate_state *state = c->states[GATE_PAIR];

	if (!state->held.seq || state->held.seq == c->ev->seq)
		return false;
	d->recall_seq = state->replaced_seq = state->held.seq;
	remember(&changed(c, GATE_PAIR)->last, c, 1);
	forget(&state->held);
	return true;
}

static enum going
absent_first(struct gate_case *c, struct gate_decision *d, const char *rule)
{
	struct gate_state *state = changed(c, GATE_PAIR);
	int64_t within = c->rules->absent.within_ns;
	char until[CLOCK_TEXT_MAX];

	if (state->held.seq && state->held.seq != c->ev->seq) {
		state->held.count++;
		gate_time_text(state->held.since_ns + within, until);
		say(d, "%s: counted with event %s, which waits until %s", rule, state->held.id,
			until);
		return drop(d, EXEC_THROTTLED);
	}
	remember(&state->held, c, 1);
	gate_time_text(c->now_ns + within, until);
	say(d, "%s: runs at %s unless %s comes", rule, until, c->rules->absent.second);
	return hold(d, c->now_ns + within);
}

static enum going
pass_absent(struct gate_case *c, struct gate_decision *d)
{
	const struct rule_pair *pair = &c->rules->absent;
	AUTO(free) char *rule = NULL;
	bool is_off = false;

	if (!pair->first)
		return GO_ON;
	if (c->moment == GATE_DUE)
		return absent_due(c, d);
	rule = rule_text(c, RULE_ABSENT);
	if (event_type_match(pair->second, c->ev->type))
		is_off = call_off(c, d);
	if (event_type_match(pair->first, c->ev->type))
		return absent_first(c, d, rule);
	if (is_off)
		say(d, "%s: it came in time", rule);
	else if (event_type_match(pair->second, c->ev->type))
		say(d, "%s: no %s waits for it", rule, pair->first);
	else
		say(d, "%s: it is neither", rule);
	return drop(d, EXEC_FILTERED);
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
	gathered = &changed(c, GATE_GROUP)->gathered;
	tally_add(gathered, wanted, c->now_ns);
	count = tally_since(gathered, c->now_ns - wanted->per_ns);
	rule = rule_text(c, RULE_ACCUMULATE_WITHIN);
	if (count < wanted->count) {
		say(d, "%s: %u of %u", rule, count, wanted->count);
		return drop(d, EXEC_THROTTLED);
	}
	tally_fini(gathered);
	say(d, "%s: %u of %u", rule, wanted->count, wanted->count);
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
		remember(&changed(c, GATE_GROUP)->first, c, 0);
		return GO_ON;
	}
	first->count++;
	rule = rule_text(c, RULE_ONCE_WITHIN);
	gate_time_text(end, until);
	say(d, "%s: event %s was the first, the next is taken from %s", rule, first->id, until);
	return drop(d, EXEC_THROTTLED);
}

/* ---- room for one more run ------------------------------------------------------------------- */

/* Whether one more may be let go.  Those that were and have not begun may all begin at once, now or
 * just before the next does: so each takes room as if it began now. */
static bool
is_free(struct gate_case *c, const struct rule_rate *rate)
{
	struct gate_state *state = c->states[GATE_GROUP];
	unsigned old = 0;

	while (old < state->going_count && state->going[old].since_ns < c->now_ns - GOING_NS)
		old++;
	state->going_count -= old;
	if (old)
		memmove(state->going, state->going + old,
			state->going_count * sizeof(state->going[0]));
	return state->going_count < GOING_MAX && state->going_count < rate->burst &&
	       tally_since(&state->begun, c->now_ns - rate->per_ns) + state->going_count <
		       rate->count &&
	       tally_next(&state->begun, rate, c->now_ns) <= c->now_ns;
}

/* About when there will be room. */
static int64_t
next_room(const struct gate_case *c, const struct rule_rate *rate)
{
	int64_t next = tally_next(&c->states[GATE_GROUP]->begun, rate, c->now_ns);
	int64_t step = rate->per_ns / rate->count;

	if (step < ASK_AGAIN_NS)
		step = ASK_AGAIN_NS;
	return next > c->now_ns ? next : c->now_ns + step;
}

/* The event's time has come and there is no room, since others began late: when to ask again.  Each
 * gets a time of its own, so that a thousand that are late do not ask all at once again and again.
 */
static int64_t
ask_again(struct gate_case *c, const struct rule_rate *rate)
{
	struct tally *late = &c->states[GATE_GROUP]->late;
	int64_t at = tally_next(late, rate, next_room(c, rate));

	tally_add(late, rate, at);
	return at;
}

/* ---- once_after ------------------------------------------------------------------------------ */

static int64_t
quiet_end(const struct gate_case *c)
{
	const struct gate_state *state = c->states[GATE_GROUP];
	int64_t wait = c->rules->once_after_ns;
	int64_t quiet = state->heard_ns + wait;
	int64_t limit = state->held.since_ns + ONCE_AFTER_TIMES * wait;

	return quiet < limit ? quiet : limit;
}

static enum going
once_after_due(struct gate_case *c, struct gate_decision *d)
{
	struct gate_state *state = c->states[GATE_GROUP];
	const struct rule_rate *rate = &c->rules->rate;
	AUTO(free) char *rule = rule_text(c, RULE_ONCE_AFTER);
	int64_t due;

	if (state->held.seq != c->ev->seq)
		return settle_other(c, d, GATE_GROUP, RULE_ONCE_AFTER);
	due = quiet_end(c);
	if (rate->count && due <= c->now_ns && !is_free(c, rate))
		due = next_room(c, rate);
	if (due > c->now_ns) {
		say(d, "%s: the event that is held", rule);
		return hold(d, due);
	}
	say(d, "%s: the last of %u events", rule, state->held.count);
	let_go(c, d, GATE_GROUP);
	return GO_ON;
}

static enum going
pass_once_after(struct gate_case *c, struct gate_decision *d)
{
	struct gate_state *state = c->states[GATE_GROUP];
	AUTO(free) char *rule = NULL;
	char until[CLOCK_TEXT_MAX];
	struct gate_event before;

	if (!c->rules->once_after_ns)
		return GO_ON;
	if (c->moment == GATE_DUE)
		return once_after_due(c, d);
	before = state->held;
	state->held = (struct gate_event){0};
	remember(&changed(c, GATE_GROUP)->held, c, 1);
	state->heard_ns = c->now_ns;
	if (before.seq && before.seq != c->ev->seq) {
		state->held.count += before.count;
		state->held.since_ns = before.since_ns;
		d->recall_seq = state->replaced_seq = before.seq;
		remember(&state->last, c, 1);
	}
	free(before.id);
	rule = rule_text(c, RULE_ONCE_AFTER);
	gate_time_text(quiet_end(c), until);
	say(d, "%s: runs at %s unless another comes, for %u %s", rule, until, state->held.count,
		state->held.count == 1 ? "event" : "events");
	return hold(d, quiet_end(c) > c->now_ns ? quiet_end(c) : c->now_ns);
}

/* ---- rate, rate_drop ------------------------------------------------------------------------- */

/* Where one event a key is held and another may take its place, no slot is planned. */
static bool
plans_slots(const struct hook_rules *r)
{
	return r->rate.count && !r->absent.first && !r->once_after_ns;
}

/* Returns when the event's turn is; that it is now does not mean that there is room. */
static int64_t
plan_slot(struct gate_case *c, const struct rule_rate *rate)
{
	struct gate_state *state = changed(c, GATE_GROUP);
	int64_t slot = tally_next(&state->slots, rate, tally_next(&state->begun, rate, c->now_ns));

	tally_add(&state->slots, rate, slot);
	return slot;
}

/* Held, it could not be told from an event that was replaced. */
static bool
must_run(const struct gate_case *c)
{
	return c->moment == GATE_AGAIN && (c->rules->absent.first || c->rules->once_after_ns);
}

static enum going
run_at_rate(struct gate_case *c, struct gate_decision *d, const struct rule_rate *rate,
	const char *rule)
{
	struct gate_state *state = changed(c, GATE_GROUP);

	state->going =
		mem_realloc(state->going, (state->going_count + 1) * sizeof(state->going[0]));
	state->going[state->going_count++] = (struct gate_going){c->ev->seq, c->now_ns};
	if (!d->why[0])
		say(d, "%s: %u in that time", rule,
			tally_since(&state->begun, c->now_ns - rate->per_ns) + state->going_count);
	return GO_ON;
}

static enum going
pass_rate(struct gate_case *c, struct gate_decision *d)
{
	enum hook_rule which = c->rules->rate.count ? RULE_RATE : RULE_RATE_DROP;
	const struct rule_rate *rate = which == RULE_RATE ? &c->rules->rate : &c->rules->rate_drop;
	bool is_kept = which == RULE_RATE || c->moment == GATE_AGAIN;
	AUTO(free) char *rule = NULL;
	char when[CLOCK_TEXT_MAX];
	int64_t slot = c->now_ns;

	if (!rate->count)
		return GO_ON;
	rule = rule_text(c, which);
	if (plans_slots(c->rules) && c->moment != GATE_DUE)
		slot = plan_slot(c, rate);
	if (slot <= c->now_ns && (is_free(c, rate) || must_run(c)))
		return run_at_rate(c, d, rate, rule);
	if (slot <= c->now_ns)
		slot = is_kept ? ask_again(c, rate) : next_room(c, rate);
	gate_time_text(slot, when);
	if (is_kept) {
		say(d, "%s: its turn is at %s", rule, when);
		return hold(d, slot);
	}
	say(d, "%s: reached, the next is taken from %s", rule, when);
	return drop(d, EXEC_THROTTLED);
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* In the order in which they are asked. */
static enum going (*const stages[])(struct gate_case *c, struct gate_decision *d) = {
	pass_replay,
	pass_dedup,
	pass_sequence,
	pass_absent,
	pass_accumulate,
	pass_once_within,
	pass_once_after,
	pass_rate,
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
		remember(&changed(c, GATE_GROUP)->first, c, 0);
	say(d, "again, since the daemon ended before its result was known");
	(void)pass_rate(c, d);
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
	enum going (*holder)(struct gate_case *, struct gate_decision *) = pass_rate;
	int stage = 0;

	if (c->rules->absent.first)
		holder = pass_absent;
	else if (c->rules->once_after_ns)
		holder = pass_once_after;
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
