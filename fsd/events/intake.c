/* Reading the bytes of a conversation: records out of pieces, events out of records.
 *
 * The pieces of one conversation are read strictly one after another, each on top of the bytes that
 * the earlier ones left unfinished.  Whether a piece counts is known only after the commit, so
 * reading leaves the state as it was but for bytes added to its partial record, which undo cuts off
 * again; apply moves on to the state after the piece.
 *
 * Everything here is pure: it runs on intake's thread, in tests and under the fuzzer alike.
 */
#include "fsd/events/intake.h"

#include "base/mem.h"
#include "fsd/events/parse.h"

#include <stdlib.h>

static void
batch_add(struct intake_batch *batch, struct event *ev)
{
	if (batch->count == batch->cap) {
		batch->cap = batch->cap ? 2 * batch->cap : 16;
		batch->events = mem_realloc(batch->events, batch->cap * sizeof(struct event *));
	}
	batch->events[batch->count++] = ev;
}

struct record {
	const char *text;
	size_t len;
	struct scan_piece piece;
};

static int
read_record(const struct record *r, const struct envelope_from *from, struct intake_batch *batch)
{
	struct event *ev;
	int code;

	if (r->piece.is_junk)
		code = err_set(&batch->err, EINVAL,
			"line %zu: '%.*s' stands behind an object on the same line", r->piece.line,
			(int)(r->len > 80 ? 80 : r->len), r->text);
	else if (r->piece.kind == SCAN_OBJECT)
		code = parse_object(r->text, r->len, r->piece.line, from, &ev, &batch->err);
	else
		code = parse_line(r->text, r->len, r->piece.line, from, &ev, &batch->err);
	if (code == 0)
		batch_add(batch, ev);
	return code;
}

/* A record ended, well or badly.  Returns 0 when it became an event. */
static int
end_record(enum scan_end end, const struct record *r, const struct envelope_from *from,
	struct intake_batch *batch)
{
	switch (end) {
	case SCAN_BROKEN:
		return err_set(&batch->err, EINVAL,
			"line %zu, byte %zu of the record: a line break inside a string (is a "
			"quote "
			"missing?)",
			r->piece.line, r->len);
	case SCAN_TOO_BIG:
		return err_set(&batch->err, EFBIG, "line %zu: the event is larger than %d bytes",
			r->piece.line, EVENT_TEXT_MAX);
	case SCAN_RECORD:
	case SCAN_MORE:
		break;
	}
	return read_record(r, from, batch);
}

/* The record of which the state holds the beginning: all of it that is known now. */
static void
join(struct intake_state *state, struct record *r)
{
	sbuf_add(&state->partial, r->text, r->len);
	r->text = sbuf_str(&state->partial);
	r->len = state->partial.len;
}

void
intake_read(struct intake_state *state, const char *data, size_t len, size_t max,
	const struct envelope_from *from, struct intake_batch *batch)
{
	struct scan scan = state->scan;
	size_t at = 0;

	*batch = (struct intake_batch){.scan = scan, .partial_before = state->partial.len};
	while (batch->count < max) {
		bool is_carried = at == 0 && scan.kind != SCAN_NONE;
		struct record r = {0};
		enum scan_end end;

		end = scan_next(&scan, data + at, len - at, EVENT_TEXT_MAX, &r.piece);
		r.text = data + at + r.piece.begin;
		r.len = r.piece.end - r.piece.begin;
		if (end == SCAN_MORE) {
			sbuf_add(is_carried ? &state->partial : &batch->tail, r.text, r.len);
			batch->taken = len;
			batch->scan = scan;
			return;
		}
		if (is_carried && end != SCAN_TOO_BIG)
			join(state, &r);
		batch->has_used_partial |= is_carried;
		batch->code = end_record(end, &r, from, batch);
		if (batch->code < 0)
			return;
		at += r.piece.end;
		batch->taken = at;
		batch->scan = scan;
	}
}

void
intake_finish(
	struct intake_state *state, const struct envelope_from *from, struct intake_batch *batch)
{
	struct record r = {.text = sbuf_str(&state->partial), .len = state->partial.len};

	*batch = (struct intake_batch){.scan = state->scan,
		.partial_before = state->partial.len,
		.has_used_partial = true};
	r.piece = (struct scan_piece){.kind = state->scan.kind,
		.line = state->scan.line + 1,
		.is_junk = state->scan.kind == SCAN_LINE && state->scan.after_object};
	scan_drop(&batch->scan);
	if (r.piece.kind == SCAN_OBJECT)
		batch->code = err_set(&batch->err, EINVAL,
			"line %zu: an event was begun and not finished: closing brackets are "
			"missing "
			"after %zu bytes",
			r.piece.line, r.len);
	else if (r.piece.kind == SCAN_LINE)
		batch->code = read_record(&r, from, batch);
}

void
intake_apply(struct intake_state *state, struct intake_batch *batch)
{
	state->scan = batch->scan;
	if (!batch->has_used_partial && batch->partial_before > 0)
		return;
	sbuf_fini(&state->partial);
	state->partial = batch->tail;
	batch->tail = (struct sbuf){0};
}

void
intake_undo(struct intake_state *state, struct intake_batch *batch)
{
	state->partial.len = batch->partial_before;
	if (state->partial.data)
		state->partial.data[state->partial.len] = '\0';
}

void
intake_drop(struct intake_state *state)
{
	scan_drop(&state->scan);
	sbuf_fini(&state->partial);
}

void
intake_batch_fini(struct intake_batch *batch)
{
	size_t i;

	for (i = 0; i < batch->count; i++)
		event_unref(batch->events[i]);
	free(batch->events);
	sbuf_fini(&batch->tail);
}
