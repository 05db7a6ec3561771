/* The store's part for hooks: their versions, sources and counters.  The rules of store.h hold for
 * all of it.
 */
#ifndef SLOTH_STORE_HOOK_STORE_H
#define SLOTH_STORE_HOOK_STORE_H

#include "fsd/store/store.h"

/* Everything the registry needs at start, read synchronously, whatever the lanes do meanwhile:
 * versions whose interval touches an unfinished event or is open (without sources), and counters of
 * all hooks ever registered.  Blocks: yes. */
int store_load_hooks(struct store *store, struct hook_version_list *ret_versions,
	struct hook_stats_list *ret_stats, struct err *err) MUST_USE;

/* Every version that is kept, without sources, by hook and version.  Blocks: yes (start only). */
int store_load_history(
	struct store *store, struct hook_version_list *ret_versions, struct err *err) MUST_USE;

/* Put a version in service: closes the one before at v->from_seq, inserts v (hook_id given by the
 * registry, from store_next_hook_id).  Kept are the newest sources, with their first version and
 * those among the newest STORE_VERSIONS_KEPT; what is in service; what unfinished events match.
 * Borrows v during the call only. */
enum { STORE_SOURCES_KEPT = 20, STORE_VERSIONS_KEPT = 64 };
void store_put_version(
	struct store *store, const struct hook_version *v, store_done_fn *done, void *arg);
/* How many sources of a hook are kept when its next version is put; STORE_SOURCES_KEPT if never
 * said. */
void store_set_sources_kept(struct store *store, unsigned count);
/* Replace a version's meta. */
void store_put_meta(struct store *store, uint64_t hook_id, uint32_t version, const char *meta,
	store_done_fn *done, void *arg);
void store_after_writes(struct store *store, store_done_fn *done, void *arg); /* all is readable */
uint64_t store_next_hook_id(struct store *store); /* ids never come back */

/* The hook is gone from at_seq on; its name's history stays until retention has taken all its
 * executions, and then the store is opened again. */
void store_close_hook(
	struct store *store, uint64_t hook_id, uint64_t at_seq, store_done_fn *done, void *arg);
void store_rename_hook(
	struct store *store, uint64_t hook_id, const char *name, store_done_fn *done, void *arg);

/* Versions, on the point lane; the receiver takes what it wants from the list.  All of a hook that
 * are kept, ascending, without sources: */
typedef void store_versions_fn(void *arg, int code, struct hook_version_list *versions);
void store_list_versions(struct store *store, uint64_t hook_id, store_versions_fn *done, void *arg);
/* One, with its source; -ENOENT with an empty list. */
void store_get_version(struct store *store, uint64_t hook_id, uint32_t version,
	store_versions_fn *done, void *arg);

#endif
