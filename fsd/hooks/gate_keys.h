/* The keys a hook's gate counts by: found by name, let go in the order in which they expire,
 * written to the store when they changed. */
#ifndef SLOTH_HOOKS_GATE_KEYS_H
#define SLOTH_HOOKS_GATE_KEYS_H

#include "base/heap.h"
#include "fsd/hooks/gate_state.h"
#include "fsd/hooks/registry.h"

#define GATE_KEYS_MAX 65536 /* of one hook */

struct gate_key {
	struct gate *gate;
	enum gate_kind kind;
	char *name; /* as in the store: a letter for the kind, a colon, the value */
	uint32_t rules_hash;
	struct gate_state state;
	int64_t expires_ns;
	int64_t stored_until_ns; /* what the store has expires then; 0: it has nothing */
	bool is_changed;
	struct heap_node by_expiry;
	TAILQ_ENTRY(gate_key) changed_link;
	UT_hash_handle hh;
};

/* Of one hook.  Never freed before the hook is. */
struct gate {
	struct hook *hook;
	struct gate_key *keys;
	struct heap expiring;
	uint64_t let_go; /* keys, for lack of room */
};

/* The hook's, made when it has none. */
struct gate *hook_gate(struct hook *hook);
/* Accepts NULL. */
void gate_free(struct gate *gate);

/* NULL when nothing is counted for it. */
struct gate_key *gate_find(struct gate *gate, enum gate_kind kind, const char *value);
/* Find it, or make it with an empty state; when there is no room, the key that expires first goes.
 * It stays until gate_settle. */
struct gate_key *gate_use(struct gate *gate, enum gate_kind kind, const char *value);
/* Its state is as it is to be.  One that says nothing any more is removed. */
void gate_settle(
	struct gate_key *key, const struct hook_rules *rules, bool is_changed, int64_t now_ns);
/* Remove what has expired. */
void gate_expire(struct gate *gate, int64_t now_ns);

/* Append what is held back now: a line a key. */
void hook_flood_show(const struct hook *hook, int64_t now_ns, struct sbuf *out); /* gate_show.c */

/* Take the counts of all hooks from the store.  Blocks: yes (start only). */
int hook_gates_load(struct hooks *hooks, struct err *err) MUST_USE;

#endif
