/* Frames: what goes to a worker and what comes from it (base/worker_proto.h).  A script goes in
 * front of its first run; the pool remembers one version a hook and worker, so a hook that is
 * edited a thousand times leaves one script behind.
 */
#include "base/auto.h"
#include "base/clock.h"
#include "base/frame.h"
#include "base/mem.h"
#include "fsd/hooks/rules.h"
#include "fsd/steps.h"
#include "fsd/workers/pool.h"

#include <inttypes.h>
#include <string.h>

#define SCRIPTS_MAX 512 /* in one worker */

/* ---- to the worker -------------------------------------------------------------------------- */

static void
put_script(struct worker *w, const struct hook_code *code)
{
	struct sbuf *out = &w->out;
	size_t mark = frame_begin(out, MSG_SCRIPT, 0);

	frame_u64(out, code->hook_id);
	frame_u32(out, code->version);
	frame_strz(out, code->label);
	frame_strz(out, code->stack);
	frame_strz(out, code->path);
	frame_str(out, code->source, code->source_len);
	frame_u64(out, code->memory_bytes ? code->memory_bytes : w->pool->memory_bytes);
	frame_strz(out, code->lib_dirs);
	frame_strz(out, code->rules->match);
	frame_end(out, mark);
}

static void
put_drop(struct worker *w, const struct script *script)
{
	size_t mark = frame_begin(&w->out, MSG_DROP, 0);

	frame_u64(&w->out, script->hook_id);
	frame_u32(&w->out, script->version);
	frame_end(&w->out, mark);
}

/* Hooks come and go; a worker keeps SCRIPTS_MAX of them at most.  One that is needed again is sent
 * again. */
static void
drop_oldest(struct worker *w)
{
	struct script *oldest = w->scripts; /* the table keeps the order of insertion */

	if (HASH_COUNT(w->scripts) < SCRIPTS_MAX)
		return;
	put_drop(w, oldest);
	HASH_DEL(w->scripts, oldest);
	free(oldest);
}

void
talk_forget_scripts(struct worker *w)
{
	struct script *script, *next;

	HASH_ITER (hh, w->scripts, script, next) {
		put_drop(w, script);
		HASH_DEL(w->scripts, script);
		free(script);
	}
	worker_push(w);
}

/* Make sure the worker has the script. */
static void
need_script(struct worker *w, const struct hook_code *code)
{
	struct script *script;

	HASH_FIND(hh, w->scripts, &code->hook_id, sizeof(code->hook_id), script);
	if (script && script->version == code->version)
		return;
	if (script) {
		put_drop(w, script);
	} else {
		drop_oldest(w);
		script = NEW(struct script);
		script->hook_id = code->hook_id;
		HASH_ADD(hh, w->scripts, hook_id, sizeof(script->hook_id), script);
	}
	script->version = code->version;
	put_script(w, code);
}

void
talk_run(struct worker *w, uint32_t id, const struct run *run)
{
	const struct event *ev = run->event;
	const struct hook_code *code = run->code;
	struct sbuf *out = &w->out;
	char event_id[EVENT_ID_MAX + 1];
	size_t mark;

	need_script(w, code);
	event_id_text(ev, event_id);
	mark = frame_begin(out, MSG_RUN, id);
	frame_u64(out, code->hook_id);
	frame_u32(out, code->version);
	frame_u32(out, run->part);
	frame_u32(out, run->count ? run->count : 1);
	frame_u32(out, run->attempt);
	frame_u32(out, code->timeout_ms ? code->timeout_ms : w->pool->timeout_ms);
	frame_u64(out, ev->seq);
	frame_strz(out, event_id);
	frame_strz(out, ev->type);
	frame_u64(out, (uint64_t)ev->timestamp_ns);
	frame_strz(out, ev->stack);
	frame_strz(out, ev->agent);
	frame_strz(out, ev->run_id);
	frame_strz(out, ev->severity);
	frame_strz(out, ev->source);
	frame_strz(out, ev->cause_id);
	frame_str(out, ev->data ? ev->data : "", ev->data_len);
	frame_end(out, mark);
	worker_push(w);
}

void
talk_check(struct worker *w, uint32_t id, const struct check *check)
{
	struct sbuf *out = &w->out;
	size_t mark = frame_begin(out, MSG_CHECK, id);

	frame_strz(out, check->path);
	frame_str(out, check->source, check->source_len);
	frame_strz(out, check->lib_dirs);
	frame_strz(out, check->match);
	frame_u32(out, CHECK_TIMEOUT_MS);
	frame_end(out, mark);
	worker_push(w);
}

void
talk_cancel(struct worker *w, uint32_t id, enum run_result result)
{
	size_t mark = frame_begin(&w->out, MSG_CANCEL, id);

	frame_u32(&w->out, result);
	frame_end(&w->out, mark);
	worker_push(w);
}

void
talk_level(struct worker *w)
{
	size_t mark = frame_begin(&w->out, MSG_LEVEL, 0);

	frame_u32(&w->out, w->pool->level);
	frame_end(&w->out, mark);
	worker_push(w);
}

/* ---- ends ----------------------------------------------------------------------------------- */

static enum exec_status
status_of(uint32_t result)
{
	switch ((enum run_result)result) {
	case RUN_SUCCESS:
		return EXEC_SUCCESS;
	case RUN_TIMEOUT:
		return EXEC_TIMEOUT;
	case RUN_INTERRUPTED:
		return EXEC_INTERRUPTED;
	case RUN_FILTERED:
		return EXEC_FILTERED;
	case RUN_FAILED:
		break;
	}
	return EXEC_FAILED;
}

/* On a line of its own, whatever stands in front of it. */
static void
add_line(struct sbuf *out, const char *line)
{
	if (out->len > 0 && out->data[out->len - 1] != '\n')
		sbuf_addc(out, '\n');
	sbuf_adds(out, line);
}

/* What users read as output, wherever they read it: what the hook wrote, how much of it is missing,
 * and its message as the last line. Takes: output. */
static char *
output_text(char *output, uint64_t dropped, const char *message)
{
	struct sbuf out = {0};
	char note[64];

	if (dropped == 0 && !message)
		return output;
	if (output)
		sbuf_adds(&out, output);
	free(output);
	if (dropped > 0) {
		(void)snprintf(note, sizeof(note), "[%" PRIu64 " more bytes were not recorded]",
			dropped); /* fits */
		add_line(&out, note);
	}
	if (message)
		add_line(&out, message);
	return sbuf_take(&out);
}

static void
on_run_done(struct worker *w, struct slot *slot, struct frame *frame)
{
	struct run_outcome outcome = {.status = status_of(frame_get_u32(frame))};

	outcome.message = frame_dup_str(frame);
	if (outcome.status == EXEC_FILTERED)
		outcome.why = TAKE(outcome.message);
	outcome.error = frame_dup_str(frame);
	outcome.output = frame_dup_str(frame);
	outcome.duration_ns = (int64_t)frame_get_u64(frame);
	outcome.output = output_text(outcome.output, frame_get_u64(frame), outcome.message);
	outcome.started_ns =
		slot->started_ns ? slot->started_ns : clock_real_ns() - outcome.duration_ns;
	run_settle(w->pool, slot, &outcome);
}

static void
on_check_done(struct worker *w, struct slot *slot, struct frame *frame)
{
	bool is_timeout = frame_get_u32(frame) == RUN_TIMEOUT;
	AUTO(free) char *message = frame_dup_str(frame);
	AUTO(free) char *error = frame_dup_str(frame);
	const char *text = error ? error : message ? message : "the script cannot be loaded";

	check_settle(w->pool, slot, is_timeout ? -ETIMEDOUT : -EINVAL, text);
}

static void
on_meta(struct worker *w, struct slot *slot, struct frame *frame)
{
	AUTO(free) char *meta = frame_dup_str(frame);

	check_settle(w->pool, slot, 0, meta ? meta : "{}");
}

static void
on_started(struct worker *w, struct slot *slot, struct frame *frame)
{
	const struct hook_code *code = slot->run ? slot->run->code : NULL;
	uint64_t timeout_ms = code && code->timeout_ms ? code->timeout_ms : w->pool->timeout_ms;

	int64_t now_ns = clock_real_ns(), started_ns = (int64_t)frame_get_u64(frame);

	if (!code || slot->started_ns)
		return;
	slot->started_ns = started_ns > 0 && started_ns < now_ns ? started_ns : now_ns;
	if (!slot->is_cancelled)
		slot->deadline_ns = uv_hrtime() + (timeout_ms + w->pool->grace_ms) * NS_PER_MS;
	w->unstarted--;
	if (!slot->run->is_dry)
		step_started(w->pool->log, slot->run->event, code->label, slot->run->attempt);
	if (slot->run->started)
		slot->run->started(slot->run);
}

/* ---- requests ------------------------------------------------------------------------------- */

/* A question of a worker that awaits its answer. */
struct request {
	struct worker *worker; /* a reference */
	uint32_t number, run_id;
};

static void
on_answer(void *arg, int code, struct sbuf *out)
{
	struct request *req = arg;
	struct worker *w = req->worker;
	const struct sbuf none = {0}, *text = out ? out : &none;
	const char *error = code >= 0 ? "" : text->len ? sbuf_str(text) : uv_strerror(code);
	size_t mark;

	w->requests--;
	if (!w->is_lost) {
		mark = frame_begin(&w->out, MSG_ANSWER, req->run_id);
		frame_u32(&w->out, req->number);
		frame_u32(&w->out, code >= 0 ? 0 : (uint32_t)-code);
		frame_str(&w->out, sbuf_str(text), code >= 0 ? text->len : 0);
		frame_strz(&w->out, error);
		frame_end(&w->out, mark);
		worker_push(w);
	}
	worker_unref(w);
	free(req);
}

static struct request *
request_new(struct worker *w, uint32_t number, uint32_t run_id)
{
	struct request *req = NEW(struct request);

	req->worker = w;
	req->number = number;
	req->run_id = run_id;
	w->refs++;
	w->requests++;
	return req;
}

static void
on_emit(struct worker *w, const struct slot *slot, struct frame *frame)
{
	const struct worker_services *services = &w->pool->services;
	struct request *req = request_new(w, frame_get_u32(frame), frame->id);
	AUTO(free) char *type = frame_dup_str(frame);
	AUTO(free) char *data = frame_dup_str(frame);
	AUTO(free) char *stack = frame_dup_str(frame);
	AUTO(free) char *options = frame_dup_str(frame);

	if (frame->is_bad)
		on_answer(req, -EPROTO, NULL);
	else if (!slot || !slot->run)
		on_answer(req, -ESRCH, NULL); /* the run has ended meanwhile */
	else
		services->emit(services->arg, slot->run, type ? type : "", data, stack, options,
			on_answer, req);
}

static void
on_state(struct worker *w, const struct slot *slot, struct frame *frame)
{
	const struct worker_services *services = &w->pool->services;
	struct request *req = request_new(w, frame_get_u32(frame), frame->id);
	uint32_t op = frame_get_u32(frame);
	AUTO(free) char *key = frame_dup_str(frame);
	AUTO(free) char *value = frame_dup_str(frame);
	AUTO(free) char *expect = frame_dup_str(frame);
	int64_t expires_ns = (int64_t)frame_get_u64(frame);

	if (frame->is_bad || op > STATE_CLEAR)
		on_answer(req, -EPROTO, NULL);
	else if (!slot || !slot->run)
		on_answer(req, -ESRCH, NULL); /* the run has ended meanwhile */
	else
		services->state(services->arg, slot->run,
			&(struct state_request){.op = op,
				.stack = slot->run->code->stack,
				.key = key ? key : "",
				.value = value,
				.expect = expect,
				.expires_ns = expires_ns},
			on_answer, req);
}

static void
on_log(struct worker *w, struct frame *frame)
{
	uint32_t level = frame_get_u32(frame);
	size_t len;
	const char *text = frame_get_str(frame, &len);

	if (level > LOG_LEVEL_ERROR)
		level = LOG_LEVEL_ERROR;
	log_write(w->pool->log, (enum log_level)level, "worker %d: %.*s", (int)w->pid, (int)len,
		text);
}

/* ---- dispatch ------------------------------------------------------------------------------- */

static int
unexpected(const struct frame *frame, struct err *err)
{
	return err_set(err, EPROTO, "unexpected frame of type %u about %u", frame->type, frame->id);
}

/* Frames about something that must be under way. */
static int
handle_slot(struct worker *w, struct slot *slot, struct frame *frame, struct err *err)
{
	if (!slot || slot->worker != w)
		return unexpected(frame, err);
	if (frame->type == MSG_STARTED)
		on_started(w, slot, frame);
	else if (frame->type == MSG_META && slot->check)
		on_meta(w, slot, frame);
	else if (frame->type == MSG_DONE && slot->check)
		on_check_done(w, slot, frame);
	else if (frame->type == MSG_DONE)
		on_run_done(w, slot, frame);
	else
		return unexpected(frame, err);
	return 0;
}

int
talk_handle(struct worker *w, struct frame *frame, struct err *err)
{
	struct slot *slot = slots_find(&w->pool->slots, frame->id);
	int rc = 0;

	switch (frame->type) {
	case MSG_HELLO:
		break;
	case MSG_LOG:
		on_log(w, frame);
		break;
	case MSG_EMIT:
		on_emit(w, slot, frame);
		break;
	case MSG_STATE:
		on_state(w, slot, frame);
		break;
	case MSG_STARTED:
	case MSG_META:
	case MSG_DONE:
		rc = handle_slot(w, slot, frame, err);
		break;
	default:
		return unexpected(frame, err);
	}
	if (rc == 0 && frame->is_bad)
		return err_set(err, EPROTO, "a frame of type %u is too short", frame->type);
	return rc;
}
