/* The events room: acceptance.
 *
 * An event gets its seq here, on the core thread, in the moment it is accepted; the store commits
 * in the order of calls, so seq order is commit order and a hook's interval can be cut at
 * events_next_seq() without asking anybody.  An event the store knows already (same sender, same
 * id) uses up its seq and is not handed on.
 *
 * Nothing is told to anyone before the commit: writers, dispatcher and streams hear of an event in
 * one callback, so whoever saw an event can find it after a crash.
 */
#include "fsd/events/events.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "fsd/events/dispatcher.h"
#include "fsd/events/envelope.h"
#include "fsd/events/event_log.h"
#include "fsd/events/feed.h"
#include "fsd/events/json_check.h"
#include "fsd/events/room.h"
#include "fsd/lane.h"
#include "fsd/steps.h"
#include "fsd/tree/log_file.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define WINDOW_DEFAULT 1000

/* ---- life ------------------------------------------------------------------------------------ */

int
events_new(const struct events_options *opt, struct events **ret_events, struct err *err)
{
	struct events *events = NEW(struct events);
	int code;

	events->loop = opt->loop;
	events->store = opt->store;
	events->tree = opt->tree;
	events->steps = opt->steps;
	events->next_seq = store_last_seq(opt->store) + 1;
	events->newest_seq = events->next_seq - 1;
	events->window = WINDOW_DEFAULT;
	events->parser = lane_start(opt->loop, "intake", NULL, NULL);
	events->feed = feed_new(events);
	store_on_pruned(opt->store, nodes_pruned, events);
	nodes_start(events);
	code = opt->log_path ? event_log_open(events, opt, &events->log, err) : 0;
	if (code < 0) {
		events_free(events);
		return code;
	}
	*ret_events = events;
	return 0;
}

void
events_set_dispatcher(struct events *events, struct dispatcher *dispatcher)
{
	events->dispatcher = dispatcher;
}

void
events_set_hooks(struct events *events, struct hooks *hooks)
{
	events->hooks = hooks;
}

void
events_set_origins(struct events *events, events_origin_fn *origin, void *arg)
{
	events->origin = origin;
	events->origin_arg = arg;
}

void
events_set_window(struct events *events, size_t ids)
{
	events->window = ids;
}

void
events_set_log_max(struct events *events, uint64_t bytes)
{
	if (events->log)
		log_file_set_max(event_log_file(events->log), bytes);
}

void
events_stop(struct events *events)
{
	events->is_stopping = true;
}

void
events_free(struct events *events)
{
	if (!events)
		return;
	lane_stop(events->parser);
	event_log_close(events->log);
	nodes_free(events);
	feed_free(events->feed);
	free(events);
}

void
events_figures(const struct events *events, struct events_figures *ret_figures)
{
	*ret_figures = events->figures;
}

uint64_t
events_next_seq(const struct events *events)
{
	return events->next_seq;
}

bool
events_in_stack(const struct event *ev, const char *stack)
{
	return stack[0] == '\0' || strcmp(ev->stack, stack) == 0;
}

/* ---- acceptance ------------------------------------------------------------------------------ */

struct acceptance {
	struct events *events;
	size_t count;
	struct event **list; /* NULL where the store knew the event */
	store_dup_fn *dup;
	store_done_fn *done;
	void *arg;
};

static void
on_dup(void *arg, struct event *ev, uint64_t first_seq)
{
	struct acceptance *a = arg;
	size_t i;

	a->events->figures.duplicates++;
	if (a->dup)
		a->dup(a->arg, ev, first_seq);
	for (i = 0; i < a->count; i++)
		if (a->list[i] == ev) {
			a->list[i] = NULL;
			event_unref(ev);
			return;
		}
}

static void
hand_on(struct events *events, struct event *ev)
{
	events->figures.accepted++;
	events->newest_seq = ev->seq;
	step_accepted(events->steps, ev);
	nodes_added(events, ev);
	feed_accepted(events->feed, ev);
	if (events->dispatcher)
		dispatcher_add(events->dispatcher, ev);
}

static void
on_appended(void *arg, int code, const struct err *err)
{
	struct acceptance *a = arg;
	size_t i;

	if (a->done)
		a->done(a->arg, code, err);
	for (i = 0; i < a->count; i++) {
		if (code == 0 && a->list[i])
			hand_on(a->events, a->list[i]);
		event_unref(a->list[i]);
	}
	free(a->list);
	free(a);
}

/* Random bits for the ids of a batch: one system call for many. */
static void
salt_events(struct event **list, size_t count)
{
	uint32_t bits[64];
	size_t i;

	for (i = 0; i < count; i++) {
		size_t at = i % (sizeof(bits) / sizeof(bits[0]));

		if (at == 0 && getrandom(bits, sizeof(bits), 0) != sizeof(bits))
			abort(); /* up to 256 bytes cannot fail once the system is up */
		list[i]->salt = bits[at];
	}
}

void
events_accept(struct events *events, struct event **list, size_t count, store_dup_fn *dup,
	store_done_fn *done, void *arg)
{
	struct acceptance *a = NEW(struct acceptance);
	int64_t now_ns = clock_real_ns();
	size_t i;

	assert(count > 0);
	*a = (struct acceptance){
		.events = events, .count = count, .dup = dup, .done = done, .arg = arg};
	a->list = NEW_N(struct event *, count);
	for (i = 0; i < count; i++) {
		a->list[i] = list[i];
		list[i]->seq = events->next_seq++;
		list[i]->created_ns = now_ns;
	}
	salt_events(list, count);
	store_append(events->store, a->list, count, on_dup, on_appended, a);
}

/* ---- events raised inside the daemon --------------------------------------------------------- */

static int
set_texts(struct event *ev, const struct emit *e, const struct envelope_from *from, struct err *err)
{
	const struct {
		const char *name, *text;
	} texts[] = {{"type", e->type}, {"stack", from->stack}, {"id", e->id},
		{"severity", e->severity}, {"agent", e->agent}, {"run_id", e->run_id},
		{"source", e->source}, {"timestamp", e->timestamp}};
	int code = 0;
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]) && code == 0; i++) {
		int field = envelope_field(texts[i].name, strlen(texts[i].name), NULL);

		assert(field >= 0);
		if (texts[i].text)
			code = envelope_set(
				ev, field, texts[i].text, strlen(texts[i].text), from, err);
	}
	return code;
}

static int
set_payload(struct event *ev, const char *data, struct err *err)
{
	size_t len = strlen(data);

	if (len > EVENT_TEXT_MAX)
		return err_set(err, EFBIG, "the event's data has %zu bytes, more than %d", len,
			EVENT_TEXT_MAX);
	if (data[0] != '{' || !json_is_value(data, len))
		return err_set(err, EINVAL, "the data of event '%s' is no JSON object", ev->type);
	ev->data = mem_strndup(data, len);
	ev->data_len = len;
	return 0;
}

int
event_set_cause(struct event *ev, const struct event *cause, unsigned depth, struct err *err)
{
	char id[EVENT_ID_MAX + 1];

	if (cause) {
		event_id_text(cause, id);
		ev->cause_id = mem_strdup(id);
		ev->cause_seq = cause->seq;
	}
	ev->depth = depth + 1;
	if (ev->depth > EVENT_DEPTH_MAX)
		return err_set(err, ELOOP,
			"event '%s' would be number %u in a chain of hooks that raise events; %d "
			"is the "
			"most",
			ev->type, ev->depth, EVENT_DEPTH_MAX);
	return 0;
}

static int
build(const struct emit *e, struct event **ret_ev, struct err *err)
{
	struct envelope_from from = {.sender = e->sender ? e->sender : "master",
		.stack = e->stack   ? e->stack
			 : e->cause ? e->cause->stack
				    : "",
		.now_ns = clock_real_ns()};
	struct event *ev = envelope_new(&from);
	int code;

	code = set_texts(ev, e, &from, err);
	if (code == 0 && e->cause)
		code = event_set_cause(ev, e->cause, e->cause->depth, err);
	if (code == 0)
		code = set_payload(ev, e->data ? e->data : "{}", err);
	if (code < 0) {
		event_unref(ev);
		return code;
	}
	*ret_ev = ev;
	return 0;
}

struct emission {
	struct event *ev;
	store_text_fn *done;
	void *arg;
};

static void
emission_end(struct emission *em, int code, const struct err *err)
{
	AUTO(sbuf) struct sbuf out = {0};
	char id[EVENT_ID_MAX + 1];

	if (code == 0) {
		event_id_text(em->ev, id); /* a sender's id is the known event's id too */
		sbuf_adds(&out, id);
	} else if (err) {
		sbuf_adds(&out, err->msg);
	}
	if (em->done)
		em->done(em->arg, code, &out);
	event_unref(em->ev);
	free(em);
}

static void
on_emitted(void *arg, int code, const struct err *err)
{
	emission_end(arg, code, err);
}

void
events_emit(struct events *events, const struct emit *e, store_text_fn *done, void *arg)
{
	struct emission *em = NEW(struct emission);
	struct err err;
	int code;

	em->done = done;
	em->arg = arg;
	code = events->is_stopping ? err_set(&err, ESHUTDOWN, "the master is stopping")
				   : build(e, &em->ev, &err);
	if (code < 0) {
		emission_end(em, code, &err);
		return;
	}
	events_accept(events, &(struct event *){event_ref(em->ev)}, 1, NULL, on_emitted, em);
}

/* ---- what the dispatcher tells --------------------------------------------------------------- */

void
events_on_final(struct events *events, struct event *ev, const struct execution_list *executions)
{
	step_final(events->steps, ev);
	if (events->log)
		event_log_append(events->log, ev, executions);
	feed_final(events->feed, ev, executions);
}

void
events_on_parked(struct events *events, struct event *ev, const struct execution_list *executions)
{
	feed_parked(events->feed, ev, executions);
}
