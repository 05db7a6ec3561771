/* What the kernel and inotify are told later: a node is told of at most every TELL_EVERY_MS, and
 * what changes in between waits here.
 *
 * A directory's names that came and went are kept in order, one entry a name, for a watcher wants
 * to know which; beyond LATE_NAMES of them it learns only that there was more, by a change of the
 * directory.  So a burst of a few is told whole, a flood costs a bounded list, and neither costs
 * more than ten operations a second.  A node that changed itself is told once, however often.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "fsd/doors/fuse_door.h"

#include <stdlib.h>
#include <string.h>

#define TELL_EVERY_MS 100
#define LATE_NAMES    32

struct late_name {
	enum tree_change what;
	STAILQ_ENTRY(late_name) link;
	char name[];
};

struct late {
	struct fnode *fn;
	bool is_changed; /* tell of a change, after the names */
	unsigned count;
	STAILQ_HEAD(, late_name) names; /* oldest first */
	LIST_ENTRY(late) link;
};

static void on_due(uv_timer_t *timer);

/* How long until the node may be told of again; 0: now. */
static int64_t
due_ms(const struct fnode *fn)
{
	int64_t ms = TELL_EVERY_MS - (clock_mono_ns() - fn->told_ns) / NS_PER_MS;

	return fn->told_ns && ms > 0 ? ms : 0;
}

/* ---- the list ------------------------------------------------------------------------------- */

static void
drop_first(struct late *late)
{
	struct late_name *first = STAILQ_FIRST(&late->names);

	STAILQ_REMOVE_HEAD(&late->names, link);
	late->count--;
	free(first);
}

/* The newest word about a name is the one that is told, in the place of the first. */
static void
add_name(struct late *late, enum tree_change what, const char *name)
{
	size_t size = strlen(name) + 1;
	struct late_name *n;

	STAILQ_FOREACH (n, &late->names, link) {
		if (strcmp(n->name, name) == 0) {
			n->what = what;
			return;
		}
	}
	if (late->count == LATE_NAMES) {
		late->is_changed = true;
		return;
	}
	n = mem_zalloc(1, sizeof(*n) + size);
	n->what = what;
	memcpy(n->name, name, size);
	STAILQ_INSERT_TAIL(&late->names, n, link);
	late->count++;
}

static void
flate_add(struct fuse_door *door, struct fnode *fn, enum tree_change what, const char *name)
{
	struct late *late = fn->late;

	if (!late) {
		late = fn->late = NEW(struct late);
		late->fn = fn;
		STAILQ_INIT(&late->names);
		LIST_INSERT_HEAD(&door->late, late, link);
	}
	if (name)
		add_name(late, what, name);
	else
		late->is_changed = true;
	if (!uv_is_active((uv_handle_t *)&door->late_timer))
		(void)uv_timer_start(&door->late_timer, on_due, (uint64_t)due_ms(fn), 0);
}

void
flate_forget(struct fnode *fn)
{
	struct late *late = fn->late;

	if (!late)
		return;
	while (late->count)
		drop_first(late);
	LIST_REMOVE(late, link);
	fn->late = NULL;
	free(late);
}

/* ---- telling -------------------------------------------------------------------------------- */

static void
tell_now(struct fuse_door *door, struct fnode *fn, enum tree_change what, const char *name)
{
	fn->told_ns = clock_mono_ns();
	fnotify_change(door, fn, what, name);
}

static void
tell_next(struct fuse_door *door, struct late *late)
{
	const struct late_name *first = STAILQ_FIRST(&late->names);

	if (first) {
		tell_now(door, late->fn, first->what, first->name);
		drop_first(late);
	} else {
		tell_now(door, late->fn, TREE_CHANGED, NULL);
		late->is_changed = false;
	}
	if (!late->count && !late->is_changed)
		flate_forget(late->fn);
}

static void
on_due(uv_timer_t *timer)
{
	struct fuse_door *door = timer->data;
	struct late *late = LIST_FIRST(&door->late), *next;
	int64_t soonest_ms = TELL_EVERY_MS;

	for (; late; late = next) {
		int64_t ms = due_ms(late->fn);

		next = LIST_NEXT(late, link);
		if (ms == 0)
			tell_next(door, late);
		else if (ms < soonest_ms)
			soonest_ms = ms;
	}
	if (!LIST_EMPTY(&door->late))
		(void)uv_timer_start(timer, on_due, (uint64_t)soonest_ms, 0);
}

void
flate_tell(struct fuse_door *door, struct fnode *fn, enum tree_change what, const char *name)
{
	if (fn->late || due_ms(fn) > 0)
		flate_add(door, fn, what, name);
	else
		tell_now(door, fn, what, name);
}
