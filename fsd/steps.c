/* The way of an event in the log: see steps.h.
 *
 * The message is the step and the event's parts are members of the line, so that `jq
 * 'select(.event == "...")'` follows one event and `grep '"msg":"decided'` all decisions. */
#include "fsd/steps.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/units.h"

static void
add_text(struct sbuf *out, const char *name, const char *text)
{
	sbuf_printf(out, ",\"%s\":", name);
	sbuf_jsons(out, text);
}

/* The members every line has. */
static void
add_event(struct sbuf *out, const struct event *ev)
{
	char id[EVENT_ID_MAX + 1];

	event_id_text(ev, id);
	sbuf_adds(out, "\"event\":");
	sbuf_jsons(out, id);
	add_text(out, "type", ev->type);
	if (ev->stack[0])
		add_text(out, "stack", ev->stack);
}

static void
add_ms(struct sbuf *out, const char *name, int64_t ns)
{
	sbuf_printf(out, ",\"%s\":", name);
	units_add_ms(out, ns);
}

void
step_accepted(struct log *log, const struct event *ev)
{
	AUTO(sbuf) struct sbuf members = {0};

	if (!log_is_on(log, LOG_LEVEL_DEBUG))
		return;
	add_event(&members, ev);
	if (ev->replay_of)
		sbuf_adds(&members, ",\"replay\":true");
	log_write_with(log, LOG_LEVEL_DEBUG, sbuf_str(&members), "accepted");
}

void
step_matched(struct log *log, const struct event *ev, step_labels_fn *labels, const void *arg)
{
	AUTO(sbuf) struct sbuf members = {0}, hooks = {0};

	if (!log_is_on(log, LOG_LEVEL_DEBUG))
		return;
	add_event(&members, ev);
	labels(arg, &hooks);
	add_text(&members, "hooks", sbuf_str(&hooks));
	log_write_with(log, LOG_LEVEL_DEBUG, sbuf_str(&members), "matched");
}

void
step_started(struct log *log, const struct event *ev, const char *hook, unsigned attempt)
{
	AUTO(sbuf) struct sbuf members = {0};

	if (!log_is_on(log, LOG_LEVEL_DEBUG))
		return;
	add_event(&members, ev);
	add_text(&members, "hook", hook);
	sbuf_printf(&members, ",\"attempt\":%u", attempt);
	log_write_with(log, LOG_LEVEL_DEBUG, sbuf_str(&members), "started");
}

static bool
is_run(enum exec_status status)
{
	return status == EXEC_SUCCESS || status == EXEC_FAILED || status == EXEC_TIMEOUT ||
	       status == EXEC_INTERRUPTED;
}

void
step_recorded(struct log *log, const struct event *ev, const struct execution *ex)
{
	AUTO(sbuf) struct sbuf members = {0};
	char until[CLOCK_TEXT_MAX];

	if (!log_is_on(log, LOG_LEVEL_DEBUG))
		return;
	add_event(&members, ev);
	add_text(&members, "hook", ex->hook);
	if (is_run(ex->status)) {
		sbuf_printf(&members, ",\"attempt\":%u", ex->attempts);
		add_ms(&members, "duration_ms", ex->duration_ns);
	} else if (ex->due_ns) {
		clock_format(clock_real_of_steady(ex->due_ns), until);
		add_text(&members, "until", until);
	}
	log_write_with(log, LOG_LEVEL_DEBUG, sbuf_str(&members), "%s: %s",
		is_run(ex->status) ? "ended" : "decided", exec_status_name(ex->status));
}

void
step_final(struct log *log, const struct event *ev)
{
	AUTO(sbuf) struct sbuf members = {0};

	if (!log_is_on(log, LOG_LEVEL_DEBUG))
		return;
	add_event(&members, ev);
	add_ms(&members, "since_accepted_ms", ev->processed_ns - ev->created_ns);
	log_write_with(log, LOG_LEVEL_DEBUG, sbuf_str(&members), "final: %s",
		event_status_name(ev->status));
}
