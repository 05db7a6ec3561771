/* The gate: see gate.h.  Here the keys of an event are found and the counters kept; what the rules
 * say to it is gate_judge.c.
 *
 * The value a rule counts by is text an event brings along, so it is bounded: one that is long, or
 * would not stand in a line, is counted by its hash.  An event without the value counts with all
 * others that have none; for dedup it is one of a kind.
 *
 * An event that matched an older version is judged by the rules of that version, on the counts of
 * the hook: they begin anew only when the newest version counts something else. */
#include "fsd/hooks/gate.h"

#include "base/auto.h"
#include "base/mem.h"
#include "fsd/hooks/gate_keys.h"

#include <ctype.h>
#include <sodium.h>
#include <string.h>

#define VALUE_MAX  200 /* bytes of a value that is counted by as it stands */
#define HASH_BYTES 16

/* ---- keys ------------------------------------------------------------------------------------ */

static void
add_hash(struct sbuf *out, crypto_generichash_state *state)
{
	unsigned char sum[HASH_BYTES];
	char hex[2 * HASH_BYTES + 1];

	(void)crypto_generichash_final(state, sum, sizeof(sum)); /* fails for no size of ours */
	sbuf_printf(out, "#%s", sodium_bin2hex(hex, sizeof(hex), sum, sizeof(sum)));
}

static bool
is_plain(const struct sbuf *value)
{
	size_t i;

	if (value->len > VALUE_MAX || sbuf_str(value)[0] == '#')
		return false;
	for (i = 0; i < value->len; i++)
		if (iscntrl((unsigned char)value->data[i]))
			return false;
	return true;
}

static void
key_by_path(const struct event *ev, const char *path, struct sbuf *out)
{
	AUTO(sbuf) struct sbuf value = {0};
	crypto_generichash_state state;

	if (path)
		(void)rule_path_value(ev, path, &value); /* none: "" */
	if (is_plain(&value)) {
		sbuf_add(out, value.data, value.len);
		return;
	}
	(void)crypto_generichash_init(&state, NULL, 0, HASH_BYTES); /* cannot fail */
	(void)crypto_generichash_update(&state, (const unsigned char *)value.data, value.len);
	add_hash(out, &state);
}

static void
key_by_content(const struct event *ev, struct sbuf *out)
{
	crypto_generichash_state state;

	(void)crypto_generichash_init(&state, NULL, 0, HASH_BYTES); /* cannot fail */
	(void)crypto_generichash_update(
		&state, (const unsigned char *)ev->type, strlen(ev->type) + 1);
	(void)crypto_generichash_update(&state, (const unsigned char *)ev->data, ev->data_len);
	add_hash(out, &state);
}

/* Returns false when the rules count nothing of this kind for the event. */
static bool
key_of(const struct hook_rules *r, const struct event *ev, enum gate_kind kind, struct sbuf *out)
{
	AUTO(sbuf) struct sbuf value = {0};

	if (!gate_has_kind(r, kind))
		return false;
	switch (kind) {
	case GATE_GROUP:
		key_by_path(ev, r->group_by, out);
		break;
	case GATE_DEDUP:
		if (!r->dedup_path)
			key_by_content(ev, out);
		else if (rule_path_value(ev, r->dedup_path, &value))
			key_by_path(ev, r->dedup_path, out);
		else
			return false;
		break;
	case GATE_PAIR:
		key_by_path(ev, r->sequence.first ? r->sequence.by : r->absent.by, out);
		break;
	case GATE_KINDS:
		break;
	}
	return true;
}

/* ---- deciding -------------------------------------------------------------------------------- */

/* Counts of other rules are no counts. */
static bool
is_of_other_rules(const struct gate_key *key, const struct hook_code *code)
{
	return code->version >= key->gate->hook->version &&
	       key->rules_hash != gate_rules_hash(code->rules, key->kind);
}

static struct gate_key *
use(struct gate *gate, const struct hook_code *code, const struct event *ev, enum gate_kind kind)
{
	AUTO(sbuf) struct sbuf value = {0};
	struct gate_key *key;

	if (!key_of(code->rules, ev, kind, &value))
		return NULL;
	key = gate_use(gate, kind, sbuf_str(&value));
	if (is_of_other_rules(key, code)) {
		gate_state_fini(&key->state);
		key->rules_hash = gate_rules_hash(code->rules, kind);
	}
	return key;
}

/* An event that was held is asked about when it is due, whatever becomes of it; but a retry. */
static void
count_held(struct hook *hook, enum gate_moment moment, enum gate_verdict verdict)
{
	if (moment == GATE_DUE && hook->waiting)
		hook->waiting--;
	hook->waiting += verdict == GATE_HOLD && moment != GATE_RETRIED;
	hook->counts[EXEC_HELD] += verdict == GATE_HOLD && moment == GATE_ARRIVED;
}

void
hooks_decide(struct hooks *hooks, struct hook_code *code, const struct event *ev,
	enum gate_moment moment, int64_t now_ns, struct gate_decision *ret_decision)
{
	struct gate *gate = hook_gate(hook_find_id(hooks, code->hook_id));
	struct gate_case c = {.rules = code->rules, .ev = ev, .moment = moment, .now_ns = now_ns};
	struct gate_key *keys[GATE_KINDS];
	int kind;

	gate_expire(gate, now_ns);
	for (kind = 0; kind < GATE_KINDS; kind++) {
		keys[kind] = use(gate, code, ev, kind);
		c.states[kind] = keys[kind] ? &keys[kind]->state : NULL;
	}
	gate_judge(&c, ret_decision);
	for (kind = 0; kind < GATE_KINDS; kind++)
		if (keys[kind])
			gate_settle(keys[kind], code->rules, c.is_changed[kind], now_ns);
	count_held(gate->hook, moment, ret_decision->verdict);
}

bool
hooks_begun(struct hooks *hooks, const struct hook_code *code, const struct event *ev)
{
	struct hook *hook = hook_find_id(hooks, code->hook_id);
	AUTO(sbuf) struct sbuf value = {0};
	int64_t now = clock_steady_ns();
	struct gate_key *key;
	bool is_changed;

	if (!code->rules->rate.count && !code->rules->rate_drop.count)
		return false;
	key_by_path(ev, code->rules->group_by, &value);
	key = hook && hook->gate ? gate_find(hook->gate, GATE_GROUP, sbuf_str(&value)) : NULL;
	if (!key)
		return false;
	key = gate_use(hook->gate, GATE_GROUP, sbuf_str(&value));
	is_changed = gate_begin(&key->state, code->rules, ev->seq, now);
	gate_settle(key, code->rules, is_changed, now);
	return is_changed;
}

void
hooks_foresee(struct hooks *hooks, struct hook_code *code, const struct event *ev, int64_t now_ns,
	struct gate_decision *ret_decision)
{
	struct gate *gate = hook_gate(hook_find_id(hooks, code->hook_id));
	struct gate_case c = {
		.rules = code->rules, .ev = ev, .moment = GATE_ARRIVED, .now_ns = now_ns};
	struct gate_state states[GATE_KINDS] = {0};
	int kind;

	for (kind = 0; kind < GATE_KINDS; kind++) {
		AUTO(sbuf) struct sbuf value = {0};
		const struct gate_key *key;

		if (!key_of(code->rules, ev, kind, &value))
			continue;
		key = gate_find(gate, kind, sbuf_str(&value));
		if (key && !is_of_other_rules(key, code))
			gate_state_copy(&states[kind], &key->state);
		c.states[kind] = &states[kind];
	}
	gate_judge(&c, ret_decision);
	for (kind = 0; kind < GATE_KINDS; kind++)
		gate_state_fini(&states[kind]);
}
