/* The barrier: which events wait for registrations.
 *
 * A registration begins with the first sign that a file changes, and notes the seq the next event
 * gets.  Events from there on wait for it, and the new version matches from there on, so "saved,
 * then emitted" holds whatever the order in which the kernel tells us of close and write.  After
 * HOOK_SETTLE_MS it is late: events no longer wait, and the version will begin where they are by
 * then.  The list of pending hooks is in the order of their beginning, which is that of seq and of
 * time, so its head answers every question; the timer runs only while it is not empty. */
#include "fsd/hooks/flow.h"

void
hook_timer_arm(uv_timer_t *timer, uint64_t until, uv_timer_cb fn)
{
	uint64_t now = uv_now(timer->loop);

	(void)uv_timer_start(timer, fn, until > now ? until - now : 0, 0); /* fn is not NULL */
}

static void
tell_settled(struct hooks *hooks)
{
	if (hooks->settled)
		hooks->settled(hooks->settled_arg);
}

static void
unlist_pending(struct hook *hook)
{
	if (!hook->is_pending || hook->is_late)
		return;
	TAILQ_REMOVE(&hook->hooks->pending, hook, pending_link);
	if (TAILQ_EMPTY(&hook->hooks->pending))
		(void)uv_timer_stop(hook->hooks->settle_timer); /* never fails */
}

static void
on_late(uv_timer_t *timer)
{
	struct hooks *hooks = timer->data;
	struct hook *hook;

	while ((hook = TAILQ_FIRST(&hooks->pending)) &&
		hook->pending_until <= uv_now(hooks->opt.loop)) {
		unlist_pending(hook);
		hook->is_late = true;
	}
	if (hook)
		hook_timer_arm(timer, hook->pending_until, on_late);
	tell_settled(hooks);
}

static uint64_t
next_seq(const struct hooks *hooks)
{
	return hooks->opt.services.next_seq(hooks->opt.services.arg);
}

void
hook_barrier_begin(struct hook *hook)
{
	struct hooks *hooks = hook->hooks;

	if (hook->is_pending && !hook->is_late)
		return;
	hook->is_pending = true;
	hook->is_late = false;
	hook->pending_seq = next_seq(hooks);
	hook->pending_until = uv_now(hooks->opt.loop) + hooks->settle_ms;
	if (TAILQ_EMPTY(&hooks->pending))
		hook_timer_arm(hooks->settle_timer, hook->pending_until, on_late);
	TAILQ_INSERT_TAIL(&hooks->pending, hook, pending_link);
}

void
hook_barrier_end(struct hook *hook)
{
	unlist_pending(hook);
	hook->is_pending = hook->is_late = false;
	hook_changed(hook, "status");
	hook_waits_tell(hook);
	tell_settled(hook->hooks);
}

bool
hooks_are_settled(struct hooks *hooks, uint64_t seq)
{
	const struct hook *first = TAILQ_FIRST(&hooks->pending);

	return !first || first->pending_seq > seq;
}

void
hooks_on_settled(struct hooks *hooks, void (*settled)(void *arg), void *arg)
{
	hooks->settled = settled;
	hooks->settled_arg = arg;
}

uint64_t
hook_boundary(const struct hook *hook)
{
	uint64_t seq =
		hook->is_pending && !hook->is_late ? hook->pending_seq : next_seq(hook->hooks);

	return hook->current && seq < hook->current->code.from_seq ? hook->current->code.from_seq
								   : seq;
}

void
hook_barrier_init(struct hooks *hooks)
{
	TAILQ_INIT(&hooks->pending);
}
