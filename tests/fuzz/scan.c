/* Whatever is written to events/emit, in whatever pieces: no crash, the same events as in one
 * piece, the same verdict on JSON as jansson, and payloads that are JSON themselves.
 *
 * The first byte is the size of the pieces; the rest is what is written. */
#include "base/sbuf.h"
#include "fsd/events/envelope.h"
#include "fsd/events/intake.h"
#include "fsd/events/json_check.h"

#include <assert.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len);

static const struct envelope_from from = {.sender = "uid:1", .stack = "", .now_ns = 1};

static void
note_events(const struct intake_batch *batch, struct sbuf *out)
{
	size_t i;

	for (i = 0; i < batch->count; i++) {
		const struct event *ev = batch->events[i];
		json_t *data = json_loadb(ev->data, ev->data_len, 0, NULL);

		assert(json_is_object(data));
		json_decref(data);
		sbuf_adds(out, ev->type);
		sbuf_add(out, ev->data, ev->data_len);
		sbuf_addc(out, '\n');
	}
}

/* Write it all as a patient writer does, up to the first refusal. */
static void
converse(const char *data, size_t len, size_t step, struct sbuf *out)
{
	struct intake_state state = {0};
	struct intake_batch batch;
	size_t at = 0;

	while (at < len) {
		size_t n = len - at < step ? len - at : step;
		size_t taken;
		bool is_refused;

		intake_read(&state, data + at, n, 1 + step % 4, &from, &batch);
		assert(batch.taken <= n && (batch.taken > 0 || batch.count > 0 || batch.code < 0));
		note_events(&batch, out);
		taken = batch.taken;
		is_refused = batch.code < 0 && taken == 0;
		if (taken > 0 || batch.count > 0)
			intake_apply(&state, &batch);
		intake_batch_fini(&batch);
		if (is_refused)
			break;
		at += taken;
	}
	if (at == len) {
		intake_finish(&state, &from, &batch);
		note_events(&batch, out);
		intake_batch_fini(&batch);
	}
	intake_drop(&state);
}

static void
compare_verdicts(const char *data, size_t len)
{
	struct json_text t = {.at = data, .end = data + len};
	bool is_ours = json_value(&t) && t.at == t.end;
	json_t *theirs;

	if (len > 500 || memchr(data, '\0', len))
		return; /* where the walk is stricter on purpose */
	theirs = json_loadb(data, len, JSON_DECODE_ANY, NULL);
	assert(is_ours == (theirs != NULL));
	json_decref(theirs);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
	struct sbuf whole = {0}, pieces = {0};
	const char *data = (const char *)input + 1;

	if (len < 2)
		return 0;
	compare_verdicts(data, len - 1);
	converse(data, len - 1, len, &whole);
	converse(data, len - 1, input[0] ? input[0] : 1, &pieces);
	assert(whole.len == pieces.len &&
		memcmp(sbuf_str(&whole), sbuf_str(&pieces), whole.len) == 0);
	sbuf_fini(&whole);
	sbuf_fini(&pieces);
	return 0;
}
