/* The worker: takes scripts and runs from the daemon, keeps a state per script, and serves until
 * the daemon closes the socket.
 *
 * Idle states are kept for their next run, the least recently used ones go beyond STATES_MAX.  A
 * script that ran into its memory cap gets a state per run, so that no other run of it suffers.
 */
#include "lua/host/invocation.h"
#include "lua/host/match.h"

#include "base/auto.h"
#include "base/mem.h"

#include <string.h>

/* ---- scripts -------------------------------------------------------------------------------- */

#define KEY_BYTES                                                                                  \
	(offsetof(struct script, version) + sizeof(uint32_t) - offsetof(struct script, hook_id))

static struct script *
find_script(struct worker *w, uint64_t hook_id, uint32_t version)
{
	struct script key = {.hook_id = hook_id, .version = version}, *s;

	HASH_FIND(hh, w->scripts, &key.hook_id, KEY_BYTES, s);
	return s;
}

void
script_unref(struct script *s)
{
	if (--s->refs > 0)
		return;
	free(s->name);
	free(s->stack);
	free(s->path);
	free(s->source);
	free(s->lib_dirs);
	match_free(s->match);
	free(s->match_error);
	free(s);
}

static char *
take_text(struct frame *f)
{
	size_t len;
	const char *s = frame_get_str(f, &len);

	return mem_strndup(s, len);
}

static void
take_source(struct script *s, struct frame *f)
{
	const char *source = frame_get_str(f, &s->source_len);

	s->source = NEW_N(char, s->source_len + 1);
	memcpy(s->source, source, s->source_len);
}

static void
take_match(struct script *s, struct frame *f)
{
	AUTO(free) char *text = take_text(f);
	struct err err;

	if (match_new(text, &s->match, &err) < 0)
		s->match_error = mem_strdup(err.msg);
}

static void
forget_script(struct worker *w, struct script *s)
{
	HASH_DEL(w->scripts, s);
	if (s->state && s->state->refs == 0) {
		TAILQ_REMOVE(&w->idle, s->state, link);
		w->idle_count--;
		state_free(s->state);
	}
	s->state = NULL;
	script_unref(s);
}

static void
on_script(struct worker *w, struct frame *f)
{
	struct script *s = NEW(struct script), *old;

	s->refs = 1;
	s->hook_id = frame_get_u64(f);
	s->version = frame_get_u32(f);
	s->name = take_text(f);
	s->stack = take_text(f);
	s->path = take_text(f);
	take_source(s, f);
	s->memory_bytes = frame_get_u64(f);
	s->lib_dirs = take_text(f);
	take_match(s, f);
	old = find_script(w, s->hook_id, s->version);
	if (old)
		forget_script(w, old);
	HASH_ADD(hh, w->scripts, hook_id, KEY_BYTES, s);
}

static void
on_drop(struct worker *w, struct frame *f)
{
	uint64_t hook_id = frame_get_u64(f);
	struct script *s = find_script(w, hook_id, frame_get_u32(f));

	if (s)
		forget_script(w, s);
}

/* ---- states --------------------------------------------------------------------------------- */

static int
take_state(struct worker *w, struct script *s, struct state **ret_state, struct err *err)
{
	struct state *st = s->state;
	int r;

	if (st) {
		if (st->refs == 0) {
			TAILQ_REMOVE(&w->idle, st, link);
			w->idle_count--;
		}
		*ret_state = st;
		return 0;
	}
	r = state_new(w, s, ret_state, err);
	if (r == 0 && !s->is_isolated)
		s->state = *ret_state;
	return r;
}

void
worker_release_state(struct worker *w, struct state *st)
{
	struct script *s = st->script;

	if (st->is_full) {
		s->is_isolated = true;
		if (s->state == st)
			s->state = NULL;
	}
	if (--st->refs > 0)
		return;
	if (s->state != st) {
		state_free(st);
		return;
	}
	TAILQ_INSERT_TAIL(&w->idle, st, link);
	if (++w->idle_count <= STATES_MAX)
		return;
	st = TAILQ_FIRST(&w->idle);
	TAILQ_REMOVE(&w->idle, st, link);
	w->idle_count--;
	st->script->state = NULL;
	state_free(st);
}

/* ---- runs ----------------------------------------------------------------------------------- */

/* Copy the event's texts, which stand one after the other in the frame, into one block. */
static void
take_event(struct invocation *inv, struct frame *f)
{
	struct host_event *ev = &inv->event;
	struct frame start = *f;
	size_t len, total = 0;
	char *at;
	const char **texts[] = {&ev->id, &ev->type, NULL, &ev->stack, &ev->agent, &ev->run_id,
		&ev->severity, &ev->source, &ev->cause_id};
	size_t n = sizeof(texts) / sizeof(texts[0]);

	for (size_t i = 0; i < n; i++) {
		if (texts[i])
			(void)frame_get_str(f, &len), total += len + 1;
		else
			ev->timestamp_ns = frame_get_u64(f);
	}
	*f = start;
	at = inv->strings = NEW_N(char, total);
	for (size_t i = 0; i < n; i++) {
		const char *s;

		if (!texts[i]) {
			(void)frame_get_u64(f);
			continue;
		}
		s = frame_get_str(f, &len);
		*texts[i] = memcpy(at, s, len);
		at += len + 1;
	}
}

static void
set_no_event(struct invocation *inv)
{
	inv->event = (struct host_event){.id = "",
		.type = "",
		.stack = "",
		.agent = "",
		.run_id = "",
		.severity = "",
		.source = "",
		.cause_id = "",
		.attempt = 1,
		.count = 1};
}

/* A check has the place in its path. */
static void
fail_match(struct invocation *inv, const char *error)
{
	AUTO(free) char *text = mem_printf("%s%s", inv->is_check ? "" : "match, ", error);

	invocation_fail(inv, text);
}

static void
begin(struct worker *w, struct script *s, struct invocation *inv)
{
	struct err err = {0};
	int r;

	if (s->match_error) {
		fail_match(inv, s->match_error);
		return;
	}
	r = take_state(w, s, &inv->state, &err);
	if (r < 0) {
		invocation_fail(inv, err.msg);
		return;
	}
	inv->state->refs++;
	invocation_start(inv);
}

/* Ends the run when the event does not meet the conditions: nothing of the script was run. */
static bool
meets_match(struct invocation *inv, const struct script *s, const char *data, size_t len)
{
	struct match_subject subject = {.event = &inv->event, .data = data, .data_len = len};
	AUTO(free) char *why = NULL;
	int verdict;

	if (inv->part == RUN_EXECUTE)
		return true;
	verdict = match_judge(s->match, &subject, &why);
	if (verdict > 0)
		return true;
	if (verdict < 0) {
		invocation_fail(inv, why);
		return false;
	}
	inv->result = RUN_FILTERED;
	inv->message = TAKE(why);
	invocation_end(inv);
	return false;
}

static bool
take_data(struct invocation *inv, const char *data, size_t len)
{
	json_error_t problem;

	if (len > 0)
		inv->data = json_loadb(data, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &problem);
	return len == 0 || inv->data;
}

static void
on_run(struct worker *w, struct frame *f)
{
	uint64_t hook_id = frame_get_u64(f);
	struct script *s = find_script(w, hook_id, frame_get_u32(f));
	struct invocation *inv = invocation_new(w, f->id);
	const char *data;
	size_t len;

	inv->part = frame_get_u32(f);
	inv->event.count = frame_get_u32(f);
	inv->event.attempt = frame_get_u32(f);
	inv->timeout_ms = frame_get_u32(f);
	inv->event.seq = frame_get_u64(f);
	take_event(inv, f);
	data = frame_get_str(f, &len);
	if (!s)
		invocation_fail(inv, "the daemon did not send this script");
	else if (!meets_match(inv, s, data, len))
		return;
	else if (!take_data(inv, data, len))
		invocation_fail(inv, "the event's data is not JSON");
	else
		begin(w, s, inv);
}

void
worker_check(struct worker *w, struct script *s, uint32_t id, uint32_t timeout_ms)
{
	struct invocation *inv = invocation_new(w, id);

	s->is_isolated = true; /* a throw-away state */
	inv->is_check = true;
	inv->path = mem_strdup(s->path);
	inv->timeout_ms = timeout_ms;
	set_no_event(inv);
	begin(w, s, inv);
}

static void
on_check(struct worker *w, struct frame *f)
{
	struct script *s = NEW(struct script);

	s->refs = 1;
	s->name = mem_strdup("");
	s->stack = mem_strdup("");
	s->path = take_text(f);
	take_source(s, f);
	s->lib_dirs = take_text(f);
	take_match(s, f);
	worker_check(w, s, f->id, frame_get_u32(f));
	script_unref(s);
}

static void
on_cancel(struct worker *w, struct frame *f)
{
	struct invocation *inv;

	HASH_FIND(hh, w->runs, &f->id, sizeof(f->id), inv);
	if (!inv)
		return; /* it ended meanwhile */
	inv->cancel_result = frame_get_u32(f);
	invocation_kill(inv, KILL_CANCEL);
}

/* ---- the process ---------------------------------------------------------------------------- */

static void
on_end(struct worker *w)
{
	link_close(w);
	uv_stop(&w->loop);
}

static void
on_frame(struct worker *w, struct frame *f)
{
	switch (f->type) {
	case MSG_SCRIPT:
		on_script(w, f);
		break;
	case MSG_RUN:
		on_run(w, f);
		break;
	case MSG_DROP:
		on_drop(w, f);
		break;
	case MSG_CHECK:
		on_check(w, f);
		break;
	case MSG_CANCEL:
		on_cancel(w, f);
		break;
	case MSG_ANSWER:
		request_answered(w, f);
		break;
	case MSG_LEVEL:
		w->log_level = (int)frame_get_u32(f);
		break;
	default:
		f->is_bad = true;
	}
	if (f->is_bad)
		on_end(w); /* not of our build: nothing it says can be trusted */
}

int
worker_new(int fd, struct library *library, struct worker **ret_worker, struct err *err)
{
	struct worker *w = NEW(struct worker);
	const char *home = getenv("HOME");
	int r = 0;

	w->library = library;
	w->log_level = 1;
	w->home = mem_strdup(home && access(home, X_OK) == 0 ? home : "/"); /* as login(1) does */
	TAILQ_INIT(&w->idle);
	TAILQ_INIT(&w->ready);
	(void)uv_loop_init(&w->loop);
	(void)uv_idle_init(&w->loop, &w->turn);
	w->turn.data = w;
	(void)uv_signal_init(&w->loop, &w->sigchld);
	w->sigchld.data = w;
	(void)uv_signal_start(&w->sigchld, contain_on_sigchld, SIGCHLD);
	uv_unref((uv_handle_t *)&w->sigchld);
	w->link.on_frame = on_frame;
	w->link.on_end = on_end;
	if (fd >= 0)
		r = link_open(w, fd, err);
	if (r < 0) {
		worker_free(w);
		return r;
	}
	*ret_worker = w;
	return 0;
}

void
worker_free(struct worker *w)
{
	struct invocation *inv, *next_inv;
	struct script *s, *next_script;

	if (!w)
		return;
	link_close(w);
	HASH_ITER (hh, w->runs, inv, next_inv) {
		inv->cancel_result = RUN_INTERRUPTED;
		invocation_kill(inv, KILL_CANCEL);
	}
	while (w->runs)
		(void)uv_run(&w->loop, UV_RUN_ONCE);
	HASH_ITER (hh, w->scripts, s, next_script)
		forget_script(w, s);
	transfers_free(w->transfers);
	uv_close((uv_handle_t *)&w->turn, NULL);
	uv_close((uv_handle_t *)&w->sigchld, NULL);
	(void)uv_run(&w->loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&w->loop);
	blocks_fini(&w->blocks);
	free(w->home);
	free(w);
}

void
worker_serve(struct worker *w)
{
	struct sbuf *out = link_out(w);
	size_t mark = frame_begin(out, MSG_HELLO, 0);

	frame_u32(out, (uint32_t)getpid());
	frame_end(out, mark);
	link_flush(w);
	(void)uv_run(&w->loop, UV_RUN_DEFAULT);
	contain_kill_all(w);
}
