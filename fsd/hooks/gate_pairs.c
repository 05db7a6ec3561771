/* Stages that put two events together: `sequence`, A and then B, and `absent`, A without B. */
#include "fsd/hooks/gate_stages.h"

#include "base/auto.h"
#include "fsd/events/types.h"

/* ---- sequence -------------------------------------------------------------------------------- */

enum going
gate_pass_sequence(struct gate_case *c, struct gate_decision *d)
{
	const struct rule_pair *pair = &c->rules->sequence;
	AUTO(free) char *rule = NULL;
	char until[CLOCK_TEXT_MAX];
	struct gate_event *first;

	if (!pair->first)
		return GO_ON;
	rule = gate_rule_text(c, RULE_SEQUENCE);
	first = &gate_changed(c, GATE_PAIR)->first;
	if (event_type_match(pair->second, c->ev->type) && first->seq && first->seq != c->ev->seq &&
		c->now_ns <= first->since_ns + pair->within_ns) {
		gate_say(d, "%s: after event %s", rule, first->id);
		gate_forget(first);
		return GO_ON;
	}
	if (event_type_match(pair->first, c->ev->type)) {
		gate_remember(first, c, 0);
		gate_time_text(c->now_ns + pair->within_ns, until);
		gate_say(d, "%s: waits for %s until %s", rule, pair->second, until);
	} else if (event_type_match(pair->second, c->ev->type)) {
		gate_say(d, "%s: no %s came before it in that time", rule, pair->first);
	} else {
		gate_say(d, "%s: it is neither", rule);
	}
	return gate_drop(d, EXEC_FILTERED);
}

/* ---- absent ---------------------------------------------------------------------------------- */

static enum going
absent_due(struct gate_case *c, struct gate_decision *d)
{
	struct gate_state *state = c->states[GATE_PAIR];
	int64_t end = state->held.since_ns + c->rules->absent.within_ns;
	AUTO(free) char *rule = NULL;

	if (state->held.seq != c->ev->seq)
		return gate_settle_other(c, d, GATE_PAIR, RULE_ABSENT);
	rule = gate_rule_text(c, RULE_ABSENT);
	if (c->now_ns < end) {
		gate_say(d, "%s: waits for %s", rule, c->rules->absent.second);
		return gate_hold(d, end);
	}
	gate_say(d, "%s: %s did not come", rule, c->rules->absent.second);
	gate_let_go(c, d, GATE_PAIR);
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
	gate_remember(&gate_changed(c, GATE_PAIR)->last, c, 1);
	gate_forget(&state->held);
	return true;
}

static enum going
absent_first(struct gate_case *c, struct gate_decision *d, const char *rule)
{
	struct gate_state *state = gate_changed(c, GATE_PAIR);
	int64_t within = c->rules->absent.within_ns;
	char until[CLOCK_TEXT_MAX];

	if (state->held.seq && state->held.seq != c->ev->seq) {
		state->held.count++;
		gate_time_text(state->held.since_ns + within, until);
		gate_say(d, "%s: counted with event %s, which waits until %s", rule, state->held.id,
			until);
		return gate_drop(d, EXEC_THROTTLED);
	}
	gate_remember(&state->held, c, 1);
	gate_time_text(c->now_ns + within, until);
	gate_say(d, "%s: runs at %s unless %s comes", rule, until, c->rules->absent.second);
	return gate_hold(d, c->now_ns + within);
}

enum going
gate_pass_absent(struct gate_case *c, struct gate_decision *d)
{
	const struct rule_pair *pair = &c->rules->absent;
	AUTO(free) char *rule = NULL;
	bool is_off = false;

	if (!pair->first)
		return GO_ON;
	if (c->moment == GATE_DUE)
		return absent_due(c, d);
	rule = gate_rule_text(c, RULE_ABSENT);
	if (event_type_match(pair->second, c->ev->type))
		is_off = call_off(c, d);
	if (event_type_match(pair->first, c->ev->type))
		return absent_first(c, d, rule);
	if (is_off)
		gate_say(d, "%s: it came in time", rule);
	else if (event_type_match(pair->second, c->ev->type))
		gate_say(d, "%s: no %s waits for it", rule, pair->first);
	else
		gate_say(d, "%s: it is neither", rule);
	return gate_drop(d, EXEC_FILTERED);
}
