/* The gate's counts for one key: their life, and their text in the store.
 *
 * The text is one JSON object with a version.  Times in it are real times, those in memory are of
 * the steady clock: whoever reads it later has another steady clock.  With the counts stands a hash
 * of what they were counted for: a path, a rate, a pair of types.  When the rule says something
 * else, they mean nothing and are dropped; a length of time may change without that, since what is
 * kept are beginnings, not ends. */
#include "fsd/hooks/gate_state.h"

#include "base/auto.h"
#include "base/mem.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define STATE_VERSION 1
#define LATE_NS       (3600 * NS_PER_S) /* what is due is asked for within this time */

void
gate_time_text(int64_t steady_ns, char ret_text[CLOCK_TEXT_MAX])
{
	clock_format(clock_real_of_steady(steady_ns) + NS_PER_MS / 2, ret_text); /* rounded */
	memcpy(ret_text + strlen("2026-01-31T23:59:59.123"), "Z", 2);
}

/* ---- life ------------------------------------------------------------------------------------ */

void
gate_state_fini(struct gate_state *state)
{
	free(state->first.id);
	free(state->held.id);
	free(state->last.id);
	tally_fini(&state->gathered);
	tally_fini(&state->slots);
	tally_fini(&state->begun);
	tally_fini(&state->late);
	free(state->going);
	*state = (struct gate_state){0};
}

void
gate_state_copy(struct gate_state *to, const struct gate_state *from)
{
	*to = *from;
	to->first.id = mem_strdup(from->first.id);
	to->held.id = mem_strdup(from->held.id);
	to->last.id = mem_strdup(from->last.id);
	to->going = NULL;
	tally_copy(&to->gathered, &from->gathered);
	tally_copy(&to->slots, &from->slots);
	tally_copy(&to->begun, &from->begun);
	tally_copy(&to->late, &from->late);
	if (!from->going_count)
		return;
	to->going = NEW_N(struct gate_going, from->going_count);
	memcpy(to->going, from->going, from->going_count * sizeof(to->going[0]));
}

bool
gate_has_kind(const struct hook_rules *rules, enum gate_kind kind)
{
	switch (kind) {
	case GATE_GROUP:
		return rules->accumulate_within.count || rules->once_within_ns ||
		       rules->once_after_ns || rules->rate.count || rules->rate_drop.count;
	case GATE_DEDUP:
		return rules->dedup_ns != 0;
	case GATE_PAIR:
		return rules->sequence.first || rules->absent.first;
	case GATE_KINDS:
		break;
	}
	return false;
}

static void
extend(int64_t *end, bool is_there, int64_t at_ns)
{
	if (is_there && at_ns > *end)
		*end = at_ns;
}

/* How long the first of something is remembered. */
static int64_t
first_span(enum gate_kind kind, const struct hook_rules *r)
{
	switch (kind) {
	case GATE_GROUP:
		return r->once_within_ns;
	case GATE_DEDUP:
		return r->dedup_ns;
	case GATE_PAIR:
		return r->sequence.within_ns;
	case GATE_KINDS:
		break;
	}
	return 0;
}

int64_t
gate_state_expiry(const struct gate_state *state, enum gate_kind kind, const struct hook_rules *r)
{
	const struct rule_rate *rate = r->rate.count ? &r->rate : &r->rate_drop;
	int64_t held = kind == GATE_PAIR ? state->held.since_ns + r->absent.within_ns
					 : state->heard_ns + r->once_after_ns;
	int64_t end = 0;

	extend(&end, state->first.seq, state->first.since_ns + first_span(kind, r));
	extend(&end, state->held.seq, held + LATE_NS);
	extend(&end, state->last.seq, state->last.since_ns + LATE_NS);
	extend(&end, state->gathered.len,
		tally_newest(&state->gathered) + r->accumulate_within.per_ns);
	extend(&end, state->slots.len, tally_newest(&state->slots) + rate->per_ns);
	extend(&end, state->begun.len, tally_newest(&state->begun) + rate->per_ns);
	if (state->going_count)
		extend(&end, true,
			state->going[state->going_count - 1].since_ns + rate->per_ns + LATE_NS);
	return end;
}

/* ---- text ------------------------------------------------------------------------------------ */

uint32_t
gate_rules_hash(const struct hook_rules *rules, enum gate_kind kind)
{
	static const enum hook_rule group[] = {RULE_GROUP_BY, RULE_RATE, RULE_RATE_DROP};
	AUTO(sbuf) struct sbuf text = {0};
	uint32_t hash = 2166136261U; /* FNV-1a: it tells edits apart, it guards nothing */
	const struct rule_pair *pair = rules->sequence.first ? &rules->sequence : &rules->absent;
	size_t i;

	switch (kind) {
	case GATE_GROUP:
		for (i = 0; i < sizeof(group) / sizeof(group[0]); i++) {
			(void)hook_rule_show(rules, group[i], &text);
			sbuf_addc(&text, '\n');
		}
		break;
	case GATE_DEDUP:
		sbuf_adds(&text, rules->dedup_path ? rules->dedup_path : "");
		break;
	case GATE_PAIR:
		sbuf_printf(&text, "%d\n%s\n%s\n%s", rules->sequence.first != NULL,
			pair->first ? pair->first : "", pair->second ? pair->second : "",
			pair->by ? pair->by : "");
		break;
	case GATE_KINDS:
		break;
	}
	for (i = 0; i < text.len; i++)
		hash = (hash ^ (unsigned char)text.data[i]) * 16777619U;
	return hash;
}

static void
write_event(struct sbuf *out, const char *key, const struct gate_event *e, int64_t to_real)
{
	if (!e->seq)
		return;
	sbuf_printf(out, ",\"%s\":[%" PRIu64 ",%" PRId64 ",%u,", key, e->seq, e->since_ns + to_real,
		e->count);
	sbuf_jsons(out, e->id);
	sbuf_addc(out, ']');
}

static void
write_tally(struct sbuf *out, const char *key, const struct tally *t, int64_t to_real)
{
	unsigned i;

	if (!t->len)
		return;
	sbuf_printf(out, ",\"%s\":[", key);
	for (i = 0; i < t->len; i++)
		sbuf_printf(out, "%s%" PRId64 ",%u", i ? "," : "", t->entries[i].at_ns + to_real,
			t->entries[i].count);
	sbuf_addc(out, ']');
}

void
gate_state_write(const struct gate_state *state, uint32_t rules_hash, struct sbuf *out)
{
	int64_t to_real = clock_real_of_steady(0);

	sbuf_printf(out, "{\"v\":%d,\"rules\":%u", STATE_VERSION, rules_hash);
	write_event(out, "first", &state->first, to_real);
	write_event(out, "held", &state->held, to_real);
	write_event(out, "last", &state->last, to_real);
	if (state->heard_ns)
		sbuf_printf(out, ",\"heard\":%" PRId64, state->heard_ns + to_real);
	if (state->slots.pace_ns)
		sbuf_printf(out, ",\"pace\":%" PRId64, state->slots.pace_ns + to_real);
	if (state->begun.pace_ns)
		sbuf_printf(out, ",\"begun_pace\":%" PRId64, state->begun.pace_ns + to_real);
	if (state->replaced_seq)
		sbuf_printf(out, ",\"replaced\":%" PRIu64, state->replaced_seq);
	write_tally(out, "gathered", &state->gathered, to_real);
	write_tally(out, "slots", &state->slots, to_real);
	write_tally(out, "begun", &state->begun, to_real);
	if (state->going_count)
		sbuf_printf(out, ",\"going\":%u", state->going_count);
	sbuf_addc(out, '}');
}

/* One look at the clocks for all times of a state, so that their order stays. */
struct reading {
	const json_t *root;
	int64_t to_steady, now_ns;
};

/* What happened has happened by now. */
static int64_t
past(const struct reading *from, int64_t real_ns)
{
	int64_t steady = real_ns + from->to_steady;

	return steady < from->now_ns ? steady : from->now_ns;
}

static void
read_event(const struct reading *from, const char *key, struct gate_event *ret)
{
	json_int_t seq = 0, since = 0, count = 0;
	const char *id = NULL;

	if (json_unpack((json_t *)from->root, "{s:[I,I,I,s]}", key, &seq, &since, &count, &id) != 0)
		return;
	*ret = (struct gate_event){
		(uint64_t)seq, past(from, since), (unsigned)count, mem_strdup(id)};
}

static void
read_tally(const struct reading *from, const char *key, bool is_past, struct tally *ret)
{
	const json_t *list = json_object_get(from->root, key);
	size_t i;

	for (i = 0; i + 1 < json_array_size(list); i += 2) {
		int64_t at = json_integer_value(json_array_get(list, i));

		tally_restore(ret, is_past ? past(from, at) : at + from->to_steady,
			(unsigned)json_integer_value(json_array_get(list, i + 1)));
	}
}

int
gate_state_read(
	const char *text, struct gate_state *ret_state, uint32_t *ret_rules_hash, struct err *err)
{
	json_t *root = json_loads(text, 0, NULL);
	const json_t *heard = json_object_get(root, "heard");
	const json_t *pace = json_object_get(root, "pace");
	const json_t *begun_pace = json_object_get(root, "begun_pace");
	unsigned going;
	struct reading from = {root, clock_steady_of_real(0), clock_steady_ns()};

	if (json_integer_value(json_object_get(root, "v")) != STATE_VERSION) {
		json_decref(root);
		return err_set(err, EINVAL, "counts in the store cannot be read: '%.60s'", text);
	}
	*ret_state = (struct gate_state){0};
	*ret_rules_hash = (uint32_t)json_integer_value(json_object_get(root, "rules"));
	read_event(&from, "first", &ret_state->first);
	read_event(&from, "held", &ret_state->held);
	read_event(&from, "last", &ret_state->last);
	if (heard)
		ret_state->heard_ns = past(&from, json_integer_value(heard));
	ret_state->replaced_seq = (uint64_t)json_integer_value(json_object_get(root, "replaced"));
	read_tally(&from, "gathered", true, &ret_state->gathered);
	read_tally(&from, "slots", false, &ret_state->slots);
	read_tally(&from, "begun", true, &ret_state->begun);
	going = (unsigned)json_integer_value(json_object_get(root, "going"));
	if (going) /* they may have begun at any time before this one */
		tally_restore(&ret_state->begun, from.now_ns, going);
	if (pace)
		ret_state->slots.pace_ns = json_integer_value(pace) + from.to_steady;
	if (begun_pace)
		ret_state->begun.pace_ns = json_integer_value(begun_pace) + from.to_steady;
	json_decref(root);
	return 0;
}
