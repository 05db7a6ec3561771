/* Stages that decide when a run may begin: `once_after`, when nothing came for a while, and `rate`
 * and `rate_drop`, when there is room for one more. */
#include "fsd/hooks/gate_stages.h"

#include "base/auto.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define ONCE_AFTER_TIMES 10   /* once_after waits at most so many times as long as it says */
#define GOING_MAX        1024 /* runs of a key that were let go and have not begun */
#define GOING_NS         (600 * NS_PER_S) /* one that nobody heard of again stops no other */
#define ASK_AGAIN_NS     (10 * NS_PER_MS)

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
	AUTO(free) char *rule = gate_rule_text(c, RULE_ONCE_AFTER);
	int64_t due;

	if (state->held.seq != c->ev->seq)
		return gate_settle_other(c, d, GATE_GROUP, RULE_ONCE_AFTER);
	due = quiet_end(c);
	if (rate->count && due <= c->now_ns && !is_free(c, rate))
		due = next_room(c, rate);
	if (due > c->now_ns) {
		gate_say(d, "%s: the event that is held", rule);
		return gate_hold(d, due);
	}
	gate_say(d, "%s: the last of %u events", rule, state->held.count);
	gate_let_go(c, d, GATE_GROUP);
	return GO_ON;
}

enum going
gate_pass_once_after(struct gate_case *c, struct gate_decision *d)
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
	gate_remember(&gate_changed(c, GATE_GROUP)->held, c, 1);
	state->heard_ns = c->now_ns;
	if (before.seq && before.seq != c->ev->seq) {
		state->held.count += before.count;
		state->held.since_ns = before.since_ns;
		d->recall_seq = state->replaced_seq = before.seq;
		gate_remember(&state->last, c, 1);
	}
	free(before.id);
	rule = gate_rule_text(c, RULE_ONCE_AFTER);
	gate_time_text(quiet_end(c), until);
	gate_say(d, "%s: runs at %s unless another comes, for %u %s", rule, until,
		state->held.count, state->held.count == 1 ? "event" : "events");
	return gate_hold(d, quiet_end(c) > c->now_ns ? quiet_end(c) : c->now_ns);
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
	struct gate_state *state = gate_changed(c, GATE_GROUP);
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
	struct gate_state *state = gate_changed(c, GATE_GROUP);

	state->going =
		mem_realloc(state->going, (state->going_count + 1) * sizeof(state->going[0]));
	state->going[state->going_count++] = (struct gate_going){c->ev->seq, c->now_ns};
	if (!d->why[0])
		gate_say(d, "%s: %u in that time", rule,
			tally_since(&state->begun, c->now_ns - rate->per_ns) + state->going_count);
	return GO_ON;
}

enum going
gate_pass_rate(struct gate_case *c, struct gate_decision *d)
{
	enum hook_rule which = c->rules->rate.count ? RULE_RATE : RULE_RATE_DROP;
	const struct rule_rate *rate = which == RULE_RATE ? &c->rules->rate : &c->rules->rate_drop;
	bool is_kept = which == RULE_RATE || c->moment == GATE_AGAIN;
	AUTO(free) char *rule = NULL;
	char when[CLOCK_TEXT_MAX];
	int64_t slot = c->now_ns;

	if (!rate->count)
		return GO_ON;
	rule = gate_rule_text(c, which);
	if (plans_slots(c->rules) && c->moment != GATE_DUE)
		slot = plan_slot(c, rate);
	if (slot <= c->now_ns && (is_free(c, rate) || must_run(c)))
		return run_at_rate(c, d, rate, rule);
	if (slot <= c->now_ns)
		slot = is_kept ? ask_again(c, rate) : next_room(c, rate);
	gate_time_text(slot, when);
	if (is_kept) {
		gate_say(d, "%s: its turn is at %s", rule, when);
		return gate_hold(d, slot);
	}
	gate_say(d, "%s: reached, the next is taken from %s", rule, when);
	return gate_drop(d, EXEC_THROTTLED);
}
