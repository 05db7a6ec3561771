/* Placing: which process runs what.
 *
 * A crew is the workers of one user.  A run goes to the process with the least to do; another is
 * forked while all are busy and there are fewer than cores.  One that was given something and has
 * been silent for SUSPECT_MS is passed over (it may hang in a C function), and a few more than
 * cores are allowed then, so that a hook that hangs for its whole timeout does not stop the others.
 * Once it goes on, those that are too many end as soon as they have nothing to do.
 *
 * A hook that got its worker killed has a process of its own until it is edited, and checks share
 * one.  Both end with the last thing they have to do: what a broken script does to them hurts no
 * other, and they cost no memory afterwards.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "fsd/workers/pool.h"

#include <pwd.h>

/* ---- choosing a process --------------------------------------------------------------------- */

static char *
home_of(uid_t uid)
{
	const char *own = getenv("HOME");
	struct passwd entry, *found = NULL;
	char text[4096];

	if (uid == geteuid() && own && own[0])
		return mem_strdup(own);
	if (getpwuid_r(uid, &entry, text, sizeof(text), &found) != 0 || !found)
		return mem_strdup("/");
	return mem_strdup(found->pw_dir);
}

static struct crew *
crew_of(struct workers *pool, uid_t uid, gid_t gid)
{
	struct crew *crew;

	LIST_FOREACH (crew, &pool->crews, link) {
		if (crew->uid == uid && crew->gid == gid)
			return crew;
	}
	crew = NEW(struct crew);
	crew->uid = uid;
	crew->gid = gid;
	crew->home = home_of(uid);
	TAILQ_INIT(&crew->workers);
	LIST_INSERT_HEAD(&pool->crews, crew, link);
	return crew;
}

static bool
is_usable(const struct worker *w, enum worker_use use)
{
	return w->use == use && !w->is_lost && !w->is_killed;
}

static bool
is_suspect(const struct workers *pool, const struct worker *w, uint64_t now)
{
	return w->unstarted > 0 && now > w->heard_ns + pool->suspect_ms * NS_PER_MS;
}

static struct worker *
pick_shared(struct workers *pool, struct crew *crew, uint64_t now)
{
	struct worker *w, *best = NULL, *any = NULL;
	unsigned count = 0;

	TAILQ_FOREACH (w, &crew->workers, link) {
		if (!is_usable(w, WORKER_SHARED))
			continue;
		count++;
		if (!any || w->load < any->load)
			any = w;
		if (!is_suspect(pool, w, now) && (!best || w->load < best->load))
			best = w;
	}
	if (best && (best->load == 0 || count >= pool->cores))
		return best;
	if (count < (best ? pool->cores : 2 * pool->cores))
		return worker_new(crew, pool, WORKER_SHARED);
	return best ? best : any;
}

static struct worker *
pick_solo(struct workers *pool, struct crew *crew, uint64_t hook_id)
{
	struct worker *w, *least = NULL;
	unsigned count = 0;

	TAILQ_FOREACH (w, &crew->workers, link) {
		if (!is_usable(w, WORKER_SOLO))
			continue;
		if (w->solo_hook_id == hook_id)
			return w;
		count++;
		if (!least || w->load < least->load)
			least = w;
	}
	if (count >= SOLO_MAX)
		return least; /* so many bad hooks have to share */
	w = worker_new(crew, pool, WORKER_SOLO);
	w->solo_hook_id = hook_id;
	return w;
}

static struct worker *
pick_check(struct workers *pool, struct crew *crew)
{
	struct worker *w;

	TAILQ_FOREACH (w, &crew->workers, link) {
		if (is_usable(w, WORKER_CHECK))
			return w;
	}
	return worker_new(crew, pool, WORKER_CHECK);
}

/* ---- placing -------------------------------------------------------------------------------- */

static uint32_t
place(struct worker *w, uint64_t now, uint64_t timeout_ms, struct slot **ret_slot)
{
	struct workers *pool = w->pool;
	uint32_t id = slots_take(&pool->slots, ret_slot);

	(*ret_slot)->worker = w;
	(*ret_slot)->deadline_ns = now + (timeout_ms + pool->grace_ms) * NS_PER_MS;
	if (w->unstarted == 0)
		w->heard_ns = now;
	w->load++;
	w->unstarted++;
	pool_arm(pool, (*ret_slot)->deadline_ns);
	return id;
}

void
pool_place_run(struct workers *pool, struct run *run)
{
	const struct hook_code *code = run->code;
	struct crew *crew = crew_of(pool, code->uid, code->gid);
	uint64_t now = uv_hrtime();
	struct worker *w = code->is_alone ? pick_solo(pool, crew, code->hook_id)
					  : pick_shared(pool, crew, now);
	struct slot *slot;

	run->id = place(w, now, code->timeout_ms ? code->timeout_ms : pool->timeout_ms, &slot);
	slot->run = run;
	pool->runs++;
	if (!w->is_lost)
		talk_run(w, run->id, run);
}

void
pool_place_check(struct workers *pool, struct check *check)
{
	struct worker *w = pick_check(pool, crew_of(pool, check->uid, check->gid));
	struct slot *slot;
	uint32_t id = place(w, uv_hrtime(), CHECK_TIMEOUT_MS, &slot);

	slot->check = check;
	if (!w->is_lost)
		talk_check(w, id, check);
}

/* A process has nothing to do: of those, end as many as there are too many. */
static void
end_surplus(struct workers *pool, struct crew *crew)
{
	uint64_t now = uv_hrtime();
	struct worker *w;
	unsigned count = 0;

	TAILQ_FOREACH (w, &crew->workers, link)
		count += is_usable(w, WORKER_SHARED) && !is_suspect(pool, w, now);
	for (w = TAILQ_FIRST(&crew->workers); w && count > pool->cores; w = TAILQ_NEXT(w, link)) {
		if (!is_usable(w, WORKER_SHARED) || w->load > 0)
			continue;
		worker_lost(w, NULL);
		count--;
	}
}

void
pool_release(struct workers *pool, struct slot *slot)
{
	struct worker *w = slot->worker;

	w->load--;
	w->unstarted -= !slot->started_ns;
	pool->runs -= slot->run != NULL;
	slots_release(&pool->slots, slot);
	if (w->load == 0 && w->use != WORKER_SHARED)
		worker_lost(w, NULL);
	else if (w->load == 0)
		end_surplus(pool, w->crew);
	if (pool->slots.used == 0) {
		(void)uv_timer_stop(&pool->deadline); /* cannot fail */
		pool->armed_ns = 0;
	}
}

void
check_free(struct check *check)
{
	free(check->path);
	free(check->source);
	free(check->lib_dirs);
	free(check->match);
	free(check);
}
