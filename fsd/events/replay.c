/* events/<id>/replay: dispatch a copy of an event again.
 *
 * `1` runs every hook that matches now, `hook=NAME` only that one.  The copy has an id of its own,
 * names the original as its cause and as what it replays, and is read back on the same open file.
 * With `dry=1` nothing is dispatched, and what is read back is what each hook would do.
 */
#include "fsd/events/replay.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "fsd/events/dispatcher.h"
#include "fsd/events/filter.h"
#include "fsd/events/room.h"
#include "fsd/events/view.h"
#include "fsd/events/why.h"
#include "fsd/hooks/gate.h"
#include "fsd/hooks/hooks.h"
#include "fsd/tree/room.h"
#include "handlers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_MAX 129 /* <hook>@<stack> */

/* ---- what both do ---------------------------------------------------------------------------- */

struct event *
replay_copy(const struct event *ev, const char *hook, uid_t uid)
{
	struct event *copy = NEW(struct event);
	char id[EVENT_ID_MAX + 1];

	copy->refs = 1;
	copy->timestamp_ns = ev->timestamp_ns;
	copy->cause_seq = copy->replay_of = ev->seq;
	event_id_text(ev, id);
	copy->cause_id = mem_strdup(id);
	copy->depth = ev->depth + 1;
	copy->sender = mem_printf("uid:%u", (unsigned)uid);
	copy->type = mem_strdup(ev->type);
	copy->stack = mem_strdup(ev->stack);
	copy->agent = mem_strdup(ev->agent);
	copy->run_id = mem_strdup(ev->run_id);
	copy->severity = mem_strdup(ev->severity);
	copy->source = mem_strdup(ev->source);
	copy->replay_hook = mem_strdup(hook);
	copy->data = mem_strndup(ev->data, ev->data_len);
	copy->data_len = ev->data_len;
	return copy;
}

/* Whether the hook would run for the event if it were accepted now. */
static bool
runs_now(const struct events *events, const struct event *ev, const char *hook)
{
	struct event now = *ev;

	now.seq = events_next_seq(events);
	return !events->dispatcher || dispatcher_would_run(events->dispatcher, &now, hook);
}

int
replay_check(struct events *events, const struct event *ev, const char *hook, struct err *err)
{
	char id[EVENT_ID_MAX + 1];

	event_id_text(ev, id);
	if (events->is_stopping)
		return err_set(err, ESHUTDOWN, "the master is stopping: replay it later");
	if (ev->depth + 1 > EVENT_DEPTH_MAX)
		return err_set(err, ELOOP, "event '%s' is the end of a chain of %d causes", id,
			EVENT_DEPTH_MAX);
	if (hook && !runs_now(events, ev, hook))
		return err_set(err, EINVAL, "hook '%s' does not run for event '%s'", hook, id);
	return 0;
}

struct foretelling {
	struct hooks *hooks;
	const struct event *ev; /* as it would be accepted */
	const char *hook;
	foretold_fn *fn;
	void *arg;
};

/* What the rules of a hook that matches say; its conditions are judged when it runs. */
static void
foretell_rules(const struct foretelling *f, const struct hook_stance *stance, struct foretold *what)
{
	struct hook_code *code = hooks_find_code(f->hooks, stance->hook_id, stance->version);
	struct gate_decision decision = {.verdict = GATE_RUN};

	if (code)
		hooks_foresee(f->hooks, code, f->ev, clock_steady_ns(), &decision);
	if (decision.verdict == GATE_HOLD)
		what->word = exec_status_name(EXEC_HELD);
	else if (decision.verdict == GATE_DROP)
		what->word = exec_status_name(decision.status);
	else
		what->word = "run";
	if (decision.why[0])
		what->why = decision.why;
	f->fn(f->arg, what);
}

static void
foretell_one(void *arg, const struct hook_stance *stance)
{
	const struct foretelling *f = arg;
	struct foretold what = {.hook = stance->label,
		.word = hook_stance_name(stance->kind),
		.why = stance->why,
		.stack = stance->stack,
		.is_match = stance->kind == HOOK_MATCHES};

	if (f->hook && strcmp(f->hook, stance->label) != 0)
		return;
	if (what.is_match)
		foretell_rules(f, stance, &what);
	else
		f->fn(f->arg, &what);
}

void
replay_foretell(
	struct events *events, const struct event *ev, const char *hook, foretold_fn *fn, void *arg)
{
	struct event now = *ev;
	struct foretelling f = {
		.hooks = events->hooks, .ev = &now, .hook = hook, .fn = fn, .arg = arg};

	now.seq = events_next_seq(events);
	now.replay_of = ev->seq;
	if (events->hooks)
		hooks_explain(events->hooks, &now, foretell_one, &f);
}

/* ---- the verb -------------------------------------------------------------------------------- */

struct verb {
	char *hook; /* NULL: all */
	bool is_dry;
};

static bool
is_label(const char *text)
{
	size_t len = strlen(text), i;

	for (i = 0; i < len; i++)
		if ((unsigned char)text[i] <= ' ' || text[i] == '/' || text[i] == 0x7F)
			return false;
	return len > 0 && len <= LABEL_MAX;
}

static bool
take_word(struct verb *verb, const char *word)
{
	if (strncmp(word, "hook=", 5) == 0 && is_label(word + 5) && !verb->hook)
		verb->hook = mem_strdup(word + 5);
	else if (strcmp(word, "dry=1") == 0)
		verb->is_dry = true;
	else
		return strcmp(word, "1") == 0 || strcmp(word, "dry=0") == 0;
	return true;
}

static int
parse_verb(const char *data, size_t len, struct verb *ret_verb, struct err *err)
{
	AUTO(free) char *text = mem_strndup(data, len);
	struct verb verb = {0};
	char *rest = text, *word;
	bool has_any = false;

	while ((word = filter_word(&rest))) {
		if (!take_word(&verb, word))
			break;
		has_any = true;
	}
	if (!word && has_any) {
		*ret_verb = verb;
		return 0;
	}
	free(verb.hook);
	return err_set(err, EINVAL,
		"write 1 or hook=NAME to replay the event, with dry=1 to be told what would run");
}

/* ---- one event ------------------------------------------------------------------------------- */

struct replay {
	struct treq *req;
	struct event *ev; /* the copy */
	struct handle *h;
	size_t len;
};

static void
on_committed(void *arg, int code, const struct err *err)
{
	struct replay *replay = arg;
	char id[EVENT_ID_MAX + 1], line[EVENT_ID_MAX + 2];

	if (code == 0) {
		event_id_text(replay->ev, id);
		handle_push(replay->h, line, (size_t)snprintf(line, sizeof(line), "%s\n", id));
	}
	treq_reply(replay->req, code < 0 ? code : (int)replay->len, err);
	event_unref(replay->ev);
	free(replay);
}

struct dry {
	struct sbuf *out;
	const char *wall; /* "" sees all */
};

static void
add_foretold(void *arg, const struct foretold *what)
{
	const struct dry *dry = arg;

	if (!dry->wall[0] || !what->stack[0] || strcmp(dry->wall, what->stack) == 0)
		why_line(dry->out, what->hook, what->word, what->why);
}

static void
answer_dry(struct handle *h, const struct view *view, const char *hook)
{
	AUTO(sbuf) struct sbuf out = {0};
	struct dry dry = {.out = &out, .wall = node_stack(handle_node(h))};

	replay_foretell(view->events, view->ev, hook, add_foretold, &dry);
	if (out.len == 0)
		sbuf_adds(&out, "no hook would run\n");
	handle_push(h, out.data, out.len);
}

static int
replay_write(struct handle *h, const char *data, size_t len, struct treq *req, struct err *err)
{
	const struct view *view = node_pinned(handle_node(h), &events_set);
	struct replay *replay;
	struct verb verb = {0};
	int code = parse_verb(data, len, &verb, err);

	if (code < 0)
		return code;
	code = verb.is_dry ? 0 : replay_check(view->events, view->ev, verb.hook, err);
	if (code < 0 || verb.is_dry) {
		if (verb.is_dry)
			answer_dry(h, view, verb.hook);
		free(verb.hook);
		return code < 0 ? code : (int)len;
	}
	replay = NEW(struct replay);
	*replay = (struct replay){.req = req, .h = h, .len = len};
	replay->ev = replay_copy(view->ev, verb.hook, treq_uid(req));
	free(verb.hook);
	events_accept(view->events, &(struct event *){event_ref(replay->ev)}, 1, NULL, on_committed,
		replay);
	return TREE_PARKED;
}

const struct rpc_ops event_replay_ops = {.write = replay_write};
