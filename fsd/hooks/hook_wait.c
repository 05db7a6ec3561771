/* ctl/hooks/<hook>/wait: a read waits until no registration of the hook is under way, and gives its
 * status then.  One that began before the open is waited for, so a script may save a hook, read
 * this file and know what became of what it saved. */
#include "fsd/hooks/flow.h"

#include "base/auto.h"
#include "base/mem.h"
#include "fsd/tree/room.h"
#include "handlers.h"

/* One open that was not told yet, or is not closed yet. */
struct hook_wait {
	struct handle *h;
	LIST_ENTRY(hook_wait) link;
	bool is_waiting;
};

static void
tell(const struct hook *hook, struct handle *h)
{
	AUTO(sbuf) struct sbuf line = {0};

	if (hook->has_file)
		hook_status_show(hook, &line);
	else
		sbuf_adds(&line, "removed");
	sbuf_addc(&line, '\n');
	handle_push(h, line.data, line.len); /* at once: a held read takes what one push brings */
	handle_eof(h);
}

void
hook_waits_tell(struct hook *hook)
{
	struct hook_wait *wait;

	while ((wait = LIST_FIRST(&hook->waits))) {
		LIST_REMOVE(wait, link);
		wait->is_waiting = false;
		tell(hook, wait->h);
	}
}

static int
wait_open(struct handle *h, struct err *err)
{
	struct hook *hook = node_pinned(handle_node(h), &hook_set);
	struct hook_wait *wait = NEW(struct hook_wait);

	(void)err;
	wait->h = h;
	handle_set_state(h, wait);
	if (hook->is_pending) {
		wait->is_waiting = true;
		LIST_INSERT_HEAD(&hook->waits, wait, link);
	} else {
		tell(hook, h);
	}
	return 0;
}

static void
wait_release(struct handle *h)
{
	struct hook_wait *wait = handle_state(h);

	if (wait->is_waiting)
		LIST_REMOVE(wait, link);
	free(wait);
}

const struct stream_ops hook_wait_ops = {.open = wait_open, .release = wait_release};
