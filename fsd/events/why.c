/* events/<id>/why: what each hook did with an event, and why.
 *
 * Two sources make it.  Executions tell what became of the hooks that matched, with the rule and
 * the values that decided where a rule did; the registry tells of every other hook why it did not
 * match, which is a function of the event and needs no record (hooks_explain).  The first line is
 * about the event itself.  Each line is a hook's name, one word, and a sentence, so that `grep -w
 * failed` and `awk '$2 == "held"'` do what they say.
 */
#include "fsd/events/why.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/units.h"
#include "fsd/events/room.h"
#include "fsd/events/view.h"
#include "fsd/hooks/hooks.h"
#include "fsd/tree/room.h"
#include "handlers.h"

#include <string.h>

#define ERROR_MAX 400 /* bytes of an error in a line */

struct why {
	const struct view *view;
	const char *wall; /* the stack it is read in; "" sees all */
	struct sbuf *out;
	struct execution *list;
	bool *is_told;
	size_t count;
};

void
why_line(struct sbuf *out, const char *hook, const char *word, const char *sentence)
{
	sbuf_printf(out, "%-20s %-11s %s\n", hook, word, sentence);
}

/* ---- what was recorded ----------------------------------------------------------------------- */

/* The first line of an error, without what would disturb a terminal. */
static void
add_first_line(struct sbuf *out, const char *text)
{
	for (size_t i = 0; text[i] && text[i] != '\n' && i < ERROR_MAX; i++)
		sbuf_addc(out, (unsigned char)text[i] < ' ' ? ' ' : text[i]);
}

static void
add_run(struct sbuf *out, const struct execution *ex)
{
	if (ex->attempts) {
		units_add_ms(out, ex->duration_ns);
		sbuf_printf(out, "ms, attempt %u, ", ex->attempts);
	}
	sbuf_printf(out, "version %u", ex->version);
}

static void
add_held(struct sbuf *out, const struct execution *ex)
{
	char time[CLOCK_TEXT_MAX];

	if (!ex->due_ns) {
		sbuf_adds(out, "until its turn");
		return;
	}
	clock_format(clock_real_of_steady(ex->due_ns), time);
	sbuf_printf(out, "until %s", time);
}

static void
add_execution(struct sbuf *out, const struct execution *ex)
{
	char time[CLOCK_TEXT_MAX];

	switch (ex->status) {
	case EXEC_PENDING:
		sbuf_printf(out, "waits for a worker, version %u", ex->version);
		break;
	case EXEC_RUNNING:
		clock_format(ex->started_ns, time);
		sbuf_printf(out, "since %s, version %u", time, ex->version);
		break;
	case EXEC_HELD:
		add_held(out, ex);
		break;
	case EXEC_REMOVED:
		sbuf_adds(out, "the hook was removed before its turn came");
		break;
	case EXEC_THROTTLED:
	case EXEC_FILTERED:
	case EXEC_SKIPPED:
		if (!ex->why && !ex->error)
			add_run(out, ex);
		break;
	case EXEC_SUCCESS:
	case EXEC_FAILED:
	case EXEC_TIMEOUT:
	case EXEC_INTERRUPTED:
		add_run(out, ex);
		break;
	}
	if (ex->why && ex->why[0]) {
		sbuf_adds(out, out->len ? ": " : "");
		add_first_line(out, ex->why);
	}
	if (ex->error && ex->error[0]) {
		sbuf_adds(out, out->len ? ": " : "");
		add_first_line(out, ex->error);
	}
}

static void
tell_execution(struct why *why, size_t i)
{
	AUTO(sbuf) struct sbuf sentence = {0};
	const struct execution *ex = &why->list[i];

	why->is_told[i] = true;
	add_execution(&sentence, ex);
	why_line(why->out, ex->hook, exec_status_name(ex->status), sbuf_str(&sentence));
}

static void
gather(void *arg, const struct execution *ex)
{
	struct why *why = arg;

	why->list = mem_realloc(why->list, (why->count + 1) * sizeof(*why->list));
	why->list[why->count++] = *ex; /* texts stay borrowed */
}

/* ---- hooks without a record ------------------------------------------------------------------ */

/* A version matches, and there is nothing about it yet, or there never will be. */
static void
tell_match(struct why *why, const struct hook_stance *stance)
{
	const struct events *events = why->view->events;
	const struct event *ev = why->view->ev;
	AUTO(sbuf) struct sbuf sentence = {0};

	if (ev->replay_hook && strcmp(ev->replay_hook, stance->label) != 0) {
		sbuf_printf(&sentence, "this replay is for hook '%s' alone", ev->replay_hook);
		why_line(why->out, stance->label, "not-asked", sbuf_str(&sentence));
		return;
	}
	sbuf_adds(&sentence, stance->why);
	if (why->view->is_final)
		sbuf_adds(&sentence, ": no result was recorded");
	else if (!hooks_are_settled(events->hooks, ev->seq))
		sbuf_adds(&sentence, ": a hook that was saved before the event is being loaded");
	else
		sbuf_adds(&sentence, ": the event waits for its turn");
	why_line(why->out, stance->label, why->view->is_final ? "unknown" : "pending",
		sbuf_str(&sentence));
}

static void
tell_stance(void *arg, const struct hook_stance *stance)
{
	struct why *why = arg;

	for (size_t i = 0; i < why->count; i++)
		if (why->list[i].hook_id == stance->hook_id) {
			tell_execution(why, i);
			return;
		}
	if (why->wall[0] && stance->stack[0] && strcmp(why->wall, stance->stack) != 0)
		return; /* behind another wall */
	if (stance->kind == HOOK_MATCHES)
		tell_match(why, stance);
	else
		why_line(why->out, stance->label, hook_stance_name(stance->kind), stance->why);
}

/* ---- the event ------------------------------------------------------------------------------- */

static void
tell_event(struct why *why)
{
	const struct event *ev = why->view->ev;
	AUTO(sbuf) struct sbuf sentence = {0};

	sbuf_printf(&sentence, "%s, type %s", why->view->id, ev->type);
	if (ev->stack[0])
		sbuf_printf(&sentence, ", stack %s", ev->stack);
	if (ev->replay_of)
		sbuf_printf(&sentence, ", a replay of %s",
			ev->cause_id ? ev->cause_id : "an event that is deleted");
	else if (ev->cause_seq)
		sbuf_printf(&sentence, ", caused by %s",
			ev->cause_id ? ev->cause_id : "an event that is deleted");
	if (ev->depth)
		sbuf_printf(&sentence, ", number %u in a chain of causes (%d at most)", ev->depth,
			EVENT_DEPTH_MAX);
	if (ev->depth >= EVENT_DEPTH_MAX)
		sbuf_adds(&sentence, ": its hooks can raise no event");
	why_line(why->out, "event", event_status_name(view_status(why->view)), sbuf_str(&sentence));
}

int
event_why_read(struct node *node, struct sbuf *out, struct err *err)
{
	struct why why = {
		.view = node_pinned(node, &events_set), .wall = node_stack(node), .out = out};
	const struct events *events = why.view->events;

	(void)err;
	view_executions(why.view, gather, &why);
	why.is_told = NEW_N(bool, why.count + 1);
	tell_event(&why);
	if (events->hooks)
		hooks_explain(events->hooks, why.view->ev, tell_stance, &why);
	for (size_t i = 0; i < why.count; i++)
		if (!why.is_told[i]) /* a hook the registry has forgotten */
			tell_execution(&why, i);
	free(why.is_told);
	free(why.list);
	return 0;
}
