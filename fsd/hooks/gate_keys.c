/* Keys of gates: see gate_keys.h.
 *
 * A key lives as long as its state says something, and at most GATE_KEYS_MAX of a hook do: a flood
 * of events with ever new values costs memory up to there, and then counts that would have ended
 * first.  That is told (ctl/hooks/<hook>/flood), since a rule may then let through what it should
 * have held.
 *
 * What changed is gathered over all hooks and written when the dispatcher asks for it, once for
 * however many events a key counted meanwhile.  The store drops what has expired by itself; only a
 * key that goes earlier is taken back. */
#include "fsd/hooks/gate_keys.h"

#include "base/auto.h"
#include "base/mem.h"
#include "fsd/store/held.h"

#include <string.h>

static const char letters[] = {[GATE_GROUP] = 'g', [GATE_DEDUP] = 'd', [GATE_PAIR] = 'p'};

static bool
expires_before(const struct heap_node *a, const struct heap_node *b)
{
	const struct gate_key *one =
		(const struct gate_key *)((const char *)a - offsetof(struct gate_key, by_expiry));
	const struct gate_key *other =
		(const struct gate_key *)((const char *)b - offsetof(struct gate_key, by_expiry));

	return one->expires_ns < other->expires_ns;
}

static struct gate_key *
first_to_expire(struct gate *gate)
{
	struct heap_node *top = heap_top(&gate->expiring);

	return top ? (struct gate_key *)((char *)top - offsetof(struct gate_key, by_expiry)) : NULL;
}

struct gate *
hook_gate(struct hook *hook)
{
	if (hook->gate)
		return hook->gate;
	hook->gate = NEW(struct gate);
	hook->gate->hook = hook;
	hook->gate->expiring.is_before = expires_before;
	return hook->gate;
}

/* ---- one key --------------------------------------------------------------------------------- */

static void
mark(struct gate_key *key, bool is_changed)
{
	struct gate_key_queue *queue = &key->gate->hook->hooks->gate_changes;

	if (key->is_changed == is_changed)
		return;
	key->is_changed = is_changed;
	if (is_changed)
		TAILQ_INSERT_TAIL(queue, key, changed_link);
	else
		TAILQ_REMOVE(queue, key, changed_link);
}

static void
key_free(struct gate_key *key)
{
	mark(key, false);
	heap_remove(&key->gate->expiring, &key->by_expiry);
	HASH_DEL(key->gate->keys, key);
	gate_state_fini(&key->state);
	free(key->name);
	free(key);
}

static struct gate_count *
count_new(const struct gate_key *key)
{
	struct gate_count *count = NEW(struct gate_count);

	count->hook_id = key->gate->hook->id;
	count->key = mem_strdup(key->name);
	return count;
}

static void
key_remove(struct gate_key *key, int64_t now_ns)
{
	struct gate_count *count = key->stored_until_ns > now_ns ? count_new(key) : NULL;

	if (count)
		STAILQ_INSERT_TAIL(&key->gate->hook->hooks->gate_removals, count, link);
	key_free(key);
}

static struct gate_key *
key_add(struct gate *gate, enum gate_kind kind, char *name)
{
	struct gate_key *key = NEW(struct gate_key);

	key->gate = gate;
	key->kind = kind;
	key->name = name;
	HASH_ADD_KEYPTR(hh, gate->keys, key->name, strlen(key->name), key);
	return key;
}

/* ---- finding --------------------------------------------------------------------------------- */

static char *
name_of(enum gate_kind kind, const char *value)
{
	return mem_printf("%c:%s", letters[kind], value);
}

static struct gate_key *
find(struct gate *gate, const char *name)
{
	struct gate_key *key;

	HASH_FIND_STR(gate->keys, name, key);
	return key;
}

struct gate_key *
gate_find(struct gate *gate, enum gate_kind kind, const char *value)
{
	AUTO(free) char *name = name_of(kind, value);

	return find(gate, name);
}

struct gate_key *
gate_use(struct gate *gate, enum gate_kind kind, const char *value)
{
	AUTO(free) char *name = name_of(kind, value);
	struct gate_key *key = find(gate, name), *first;

	if (key) {
		heap_remove(&gate->expiring, &key->by_expiry);
		return key;
	}
	first = HASH_COUNT(gate->keys) >= GATE_KEYS_MAX ? first_to_expire(gate) : NULL;
	if (first) {
		gate->let_go++;
		key_remove(first, 0);
	}
	return key_add(gate, kind, TAKE(name));
}

void
gate_settle(struct gate_key *key, const struct hook_rules *rules, bool is_changed, int64_t now_ns)
{
	key->expires_ns = gate_state_expiry(&key->state, key->kind, rules);
	if (key->expires_ns <= now_ns) {
		key_remove(key, now_ns);
		return;
	}
	heap_insert(&key->gate->expiring, &key->by_expiry);
	if (is_changed)
		mark(key, true);
}

void
gate_expire(struct gate *gate, int64_t now_ns)
{
	struct gate_key *key;

	while ((key = first_to_expire(gate)) && key->expires_ns <= now_ns)
		key_remove(key, now_ns);
}

/* ---- the store ------------------------------------------------------------------------------- */

void
hooks_take_counts(struct hooks *hooks, struct gate_count_list *ret_counts)
{
	struct gate_key *key;

	STAILQ_CONCAT(ret_counts, &hooks->gate_removals);
	while ((key = TAILQ_FIRST(&hooks->gate_changes))) {
		struct gate_count *count = count_new(key);
		AUTO(sbuf) struct sbuf text = {0};

		gate_state_write(&key->state, key->rules_hash, &text);
		count->value = sbuf_take(&text);
		count->expires_ns = clock_real_of_steady(key->expires_ns);
		key->stored_until_ns = key->expires_ns;
		STAILQ_INSERT_TAIL(ret_counts, count, link);
		mark(key, false);
	}
}

static int
load_one(struct hooks *hooks, const struct gate_count *count, struct err *err)
{
	struct hook *hook = hook_find_id(hooks, count->hook_id);
	const char *letter = memchr(letters, count->key[0], sizeof(letters));
	struct gate_key *key;
	struct gate_state state = {0};
	uint32_t rules_hash = 0;

	if (!hook || !letter || find(hook_gate(hook), count->key))
		return 0; /* it will expire */
	if (gate_state_read(count->value, &state, &rules_hash, err) != 0)
		return -EINVAL;
	key = key_add(hook_gate(hook), (enum gate_kind)(letter - letters), mem_strdup(count->key));
	key->state = state;
	key->rules_hash = rules_hash;
	key->expires_ns = key->stored_until_ns = clock_steady_of_real(count->expires_ns);
	heap_insert(&key->gate->expiring, &key->by_expiry);
	return 0;
}

static void
on_held(void *arg, uint64_t hook_id, uint64_t count)
{
	struct hook *hook = hook_find_id(arg, hook_id);

	if (hook)
		hook->waiting = count;
}

int
hook_gates_load(struct hooks *hooks, struct err *err)
{
	struct gate_count_list counts = STAILQ_HEAD_INITIALIZER(counts);
	int code = store_load_counts(hooks->opt.store, &counts, err);
	struct gate_count *count;

	while ((count = STAILQ_FIRST(&counts))) {
		struct err why = {0};

		STAILQ_REMOVE_HEAD(&counts, link);
		if (code == 0 && load_one(hooks, count, &why) != 0)
			log_write(hooks->opt.log, LOG_LEVEL_WARN, "%s: it begins anew", why.msg);
		gate_count_free(count);
	}
	return code < 0 ? code : store_count_held(hooks->opt.store, on_held, hooks, err);
}

/* Of whichever hook: the daemon ends, and what it did not take is as if it had not been. */
static void
drop_removals(struct hooks *hooks)
{
	struct gate_count *count;

	while ((count = STAILQ_FIRST(&hooks->gate_removals))) {
		STAILQ_REMOVE_HEAD(&hooks->gate_removals, link);
		gate_count_free(count);
	}
}

void
gate_free(struct gate *gate)
{
	struct gate_key *key, *next;

	if (!gate)
		return;
	drop_removals(gate->hook->hooks);
	HASH_ITER (hh, gate->keys, key, next)
		key_free(key);
	free(gate);
}
