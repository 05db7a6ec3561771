/* Events as JSON lines: see event_json.h for the schema. */
#include "fsd/events/event_json.h"

#include "base/clock.h"
#include "base/units.h"

static void
add_name(struct sbuf *out, const char *name)
{
	sbuf_adds(out, ",\"");
	sbuf_adds(out, name);
	sbuf_adds(out, "\":");
}

static void
add_text(struct sbuf *out, const char *name, const char *text)
{
	if (!text || !text[0])
		return;
	add_name(out, name);
	sbuf_jsons(out, text);
}

static void
add_time(struct sbuf *out, const char *name, int64_t ns)
{
	char text[CLOCK_TEXT_MAX];

	if (ns == 0)
		return;
	clock_format(ns, text);
	add_name(out, name);
	sbuf_addc(out, '"'); /* nothing in it needs to be escaped */
	sbuf_adds(out, text);
	sbuf_addc(out, '"');
}

static void
add_seq(struct sbuf *out, const char *name, uint64_t seq)
{
	if (seq == 0)
		return;
	add_name(out, name);
	sbuf_addu(out, seq);
}

/* The sender's bytes, but for line breaks, which in valid JSON only stand between tokens. */
static void
add_data(struct sbuf *out, const struct event *ev)
{
	char *at, *end;

	sbuf_adds(out, ",\"data\":");
	if (!ev->data) {
		sbuf_adds(out, "{}");
		return;
	}
	sbuf_add(out, ev->data, ev->data_len);
	end = out->data + out->len;
	for (at = end - ev->data_len; at < end; at++)
		if (*at == '\n' || *at == '\r')
			*at = ' ';
}

static void
add_execution(struct sbuf *out, const struct execution *ex, bool with_output)
{
	sbuf_adds(out, "{\"hook\":");
	sbuf_jsons(out, ex->hook);
	add_text(out, "status", exec_status_name(ex->status));
	sbuf_adds(out, ",\"attempts\":");
	sbuf_addu(out, ex->attempts);
	add_time(out, "executed_at", ex->started_ns);
	sbuf_adds(out, ",\"duration_ms\":");
	units_add_ms(out, ex->duration_ns);
	if (ex->status == EXEC_HELD && ex->due_ns)
		add_time(out, "held_until", clock_real_of_steady(ex->due_ns));
	add_text(out, "why", ex->why);
	add_text(out, "message", ex->message);
	add_text(out, "error", ex->error);
	if (with_output)
		add_text(out, "output", ex->output);
	sbuf_addc(out, '}');
}

static void
add_executions(struct sbuf *out, const struct event_json *what)
{
	const struct execution *ex;

	sbuf_adds(out, ",\"hooks\":[");
	STAILQ_FOREACH (ex, what->executions, link) {
		if (ex != STAILQ_FIRST(what->executions))
			sbuf_addc(out, ',');
		add_execution(out, ex, what->with_output);
	}
	sbuf_addc(out, ']');
}

void
event_json(struct sbuf *out, const struct event_json *what)
{
	const struct event *ev = what->ev;
	char id[EVENT_ID_MAX + 1];

	event_id_text(ev, id);
	sbuf_adds(out, "{\"v\":");
	sbuf_addu(out, EVENT_JSON_VERSION);
	sbuf_adds(out, ",\"seq\":");
	sbuf_addu(out, ev->seq);
	add_text(out, "id", id);
	add_text(out, "type", ev->type);
	add_text(out, "status", event_status_name(what->status));
	add_time(out, "timestamp", ev->timestamp_ns);
	add_time(out, "created_at", ev->created_ns);
	add_time(out, "processed_at", ev->processed_ns);
	add_text(out, "stack", ev->stack);
	add_text(out, "severity", ev->severity);
	add_text(out, "agent", ev->agent);
	add_text(out, "run_id", ev->run_id);
	add_text(out, "source", ev->source);
	add_text(out, "sender", ev->sender);
	add_seq(out, "cause_seq", ev->cause_seq);
	add_text(out, "cause", ev->cause_id);
	add_seq(out, "replay_of_seq", ev->replay_of);
	add_text(out, "error", ev->error);
	add_data(out, ev);
	if (what->executions)
		add_executions(out, what);
	sbuf_addc(out, '}');
}
