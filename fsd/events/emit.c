/* events/emit: conversations that take events and answer ids.
 *
 * A write goes core -> intake's thread (reading) -> core (acceptance, seq) -> store -> core
 * (reply).  A small one is read on the core, because two changes of thread cost many times what
 * reading a record does (0.8 us).  The writer sleeps in write() meanwhile; what it gets is the
 * number of bytes whose records are durable.  The writes of one conversation are done one at a
 * time, in order, because each builds on the bytes the last one left; those of different
 * conversations overlap, and the store commits them together.  A write of many events is done
 * store_job_events at a time, each behind the commit of those before, so that what others send
 * meanwhile waits for one such commit and not for all.
 *
 * A parked write has no cancel function on purpose: once its record is on the way to the disk, an
 * EINTR would make the writer send it twice.
 *
 * Bounds: a conversation holds at most EVENT_TEXT_MAX bytes of an unfinished record, and when more
 * than UNREAD_MAX bytes of ids wait for a reader who may read and does not, its writes get EAGAIN.
 */
#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "fsd/events/envelope.h"
#include "fsd/events/intake.h"
#include "fsd/events/origin.h"
#include "fsd/events/room.h"
#include "fsd/lane.h"
#include "fsd/tree/room.h"
#include "handlers.h"

#include <assert.h>
#include <stdlib.h>

#define SENDER_MAX 24 /* "uid:4294967295" */
#define UNREAD_MAX (1024 * 1024)
#define SMALL_MAX  2048 /* bytes read on the core, those of an unfinished record included */

struct talk {
	struct events *events;
	struct handle *h; /* NULL: released while a write was on its way */
	struct intake_state state;
	char *stack;
	uid_t uid; /* of the last writer, like the next two */
	pid_t pid;
	struct origin origin;
	STAILQ_HEAD(, piece) pieces; /* the first one is being worked on */
};

/* One write or flush. */
struct piece {
	struct lane_job job;
	struct talk *talk;
	struct treq *req; /* NULL: nobody is left to be answered */
	const char *data; /* borrowed from the request */
	size_t len, at;   /* at: what is before it is done */
	bool is_flush, wants_origin;
	char sender[SENDER_MAX];
	struct envelope_from from;
	struct intake_batch batch;
	STAILQ_ENTRY(piece) link;
};

static void talk_next(struct talk *talk);

static void
talk_free(struct talk *talk)
{
	intake_drop(&talk->state);
	free(talk->stack);
	free(talk);
}

/* The writer closed without asking (it was killed, or another process than it opened emit). */
static void
report(const struct talk *talk, const struct err *err)
{
	AUTO(sbuf) struct sbuf path = {0};

	if (*talk->stack)
		sbuf_printf(&path, "/stacks/%s", talk->stack);
	sbuf_adds(&path, "/events/emit");
	tree_report(talk->events->tree, talk->uid, sbuf_str(&path), "close", err);
}

/* The piece is done: answer its writer and go on with the next one. */
static void
piece_end(struct piece *p, int code, const struct err *err)
{
	struct talk *talk = p->talk;

	STAILQ_REMOVE_HEAD(&talk->pieces, link);
	if (p->req)
		treq_reply(p->req, code, err);
	else if (code < 0 && err)
		report(talk, err);
	intake_batch_fini(&p->batch);
	free(p);
	if (!STAILQ_EMPTY(&talk->pieces))
		talk_next(talk);
	else if (!talk->h)
		talk_free(talk);
}

/* What was read last is as if it had not been.  When parts before it are durable the writer is told
 * how far they go, and hears why when it sends the rest. */
static void
piece_fail(struct piece *p, int code, const struct err *err)
{
	intake_undo(&p->talk->state, &p->batch);
	if (p->at > 0)
		piece_end(p, (int)p->at, NULL);
	else
		piece_end(p, code, err);
}

/* The record that condemned the piece is dropped with what earlier writes brought of it.  But an
 * object that is unfinished at a close may only have lost one of several descriptors: a shell's
 * `printf ... >&8` closes a copy after each piece.  The close fails, for those who look, and the
 * rest may still come; the last close judges. */
static void
piece_refuse(struct piece *p)
{
	struct events_figures *figures = &p->talk->events->figures;

	if (p->is_flush && p->req && p->talk->state.scan.kind == SCAN_OBJECT) {
		piece_end(p, p->batch.code, NULL);
		return;
	}
	figures->refused++;
	if (p->is_flush)
		figures->dropped++;
	intake_drop(&p->talk->state);
	piece_end(p, p->batch.code, &p->batch.err);
}

static void
piece_apply(struct piece *p)
{
	intake_apply(&p->talk->state, &p->batch);
	p->at += p->batch.taken;
	if (p->batch.code == 0 && p->at < p->len) {
		intake_batch_fini(&p->batch);
		talk_next(p->talk);
	} else if (p->batch.code < 0 && p->at == 0) /* the event was an earlier write's */
		piece_refuse(p);
	else
		piece_end(p, (int)p->at, NULL);
}

static void
tell_ids(const struct piece *p)
{
	struct sbuf ids = {0};
	char id[EVENT_ID_MAX + 1];
	size_t i;

	if (!p->talk->h)
		return;
	for (i = 0; i < p->batch.count; i++) {
		event_id_text(p->batch.events[i], id); /* a known id is told again */
		sbuf_adds(&ids, id);
		sbuf_addc(&ids, '\n');
	}
	handle_push(p->talk->h, ids.data, ids.len);
	sbuf_fini(&ids);
}

static void
on_committed(void *arg, int code, const struct err *err)
{
	struct piece *p = arg;

	if (code < 0) {
		piece_fail(p, code, err);
		return;
	}
	tell_ids(p);
	piece_apply(p);
}

static void
piece_read(struct lane_job *job)
{
	struct piece *p = (struct piece *)job;

	if (p->wants_origin)
		origin_read(p->talk->pid, &p->talk->origin);
	if (p->is_flush)
		intake_finish(&p->talk->state, &p->from, &p->batch);
	else
		intake_read(&p->talk->state, p->data + p->at, p->len - p->at,
			store_job_events(p->talk->events->store), &p->from, &p->batch);
}

/* What a run of a hook writes is caused by the event it works on. */
static int
set_causes(struct piece *p)
{
	const struct events *events = p->talk->events;
	const struct origin *origin = &p->talk->origin;
	const struct event *cause;
	unsigned depth;
	int code = 0;

	if (!origin->worker || !events->origin ||
		!events->origin(events->origin_arg, origin, &cause, &depth))
		return 0;
	for (size_t i = 0; i < p->batch.count && code == 0; i++)
		code = event_set_cause(p->batch.events[i], cause, depth, &p->batch.err);
	return code;
}

static void
piece_accept(struct lane_job *job)
{
	struct piece *p = (struct piece *)job;
	struct events *events = p->talk->events;
	struct err err;
	size_t i;
	int code;

	if (p->batch.count == 0) {
		if (p->batch.code < 0 && p->at == 0)
			piece_refuse(p);
		else
			piece_apply(p);
		return;
	}
	if (events->is_stopping) {
		piece_fail(p,
			err_set(&err, ESHUTDOWN, "the master is stopping: send it again later"),
			&err);
		return;
	}
	code = set_causes(p);
	if (code < 0 && p->at > 0) {
		piece_fail(p, code, NULL);
		return;
	}
	if (code < 0) {
		p->batch.code = code;
		piece_refuse(p);
		return;
	}
	for (i = 0; i < p->batch.count; i++)
		(void)event_ref(p->batch.events[i]); /* the batch keeps its own for the ids */
	events_accept(events, p->batch.events, p->batch.count, NULL, on_committed, p);
}

/* Whether a look at the writer is worth it; who wrote last is known, and a flush may come from
 * nobody. */
static bool
talk_has_new_writer(struct talk *talk, pid_t pid)
{
	if (pid == 0 || pid == talk->pid)
		return false;
	talk->pid = pid;
	talk->origin = (struct origin){0};
	return origin_may_be(pid);
}

static void
talk_next(struct talk *talk)
{
	struct piece *p = STAILQ_FIRST(&talk->pieces);

	p->wants_origin = p->req && talk_has_new_writer(talk, treq_pid(p->req));
	if (p->wants_origin || p->len - p->at + talk->state.partial.len > SMALL_MAX) {
		lane_submit(talk->events->parser, &p->job);
		return;
	}
	piece_read(&p->job);
	piece_accept(&p->job);
}

static int
talk_add(struct talk *talk, struct treq *req, const char *data, size_t len, bool is_flush)
{
	struct piece *p = NEW(struct piece);
	bool is_idle = STAILQ_EMPTY(&talk->pieces);

	p->job.run = piece_read;
	p->job.done = piece_accept;
	p->talk = talk;
	p->req = req;
	p->data = data;
	p->len = len;
	p->is_flush = is_flush;
	if (req)
		talk->uid = treq_uid(req);
	(void)snprintf(p->sender, sizeof(p->sender), "uid:%u", (unsigned)talk->uid); /* fits */
	p->from = (struct envelope_from){
		.sender = p->sender, .stack = talk->stack, .now_ns = clock_real_ns()};
	STAILQ_INSERT_TAIL(&talk->pieces, p, link);
	if (is_idle)
		talk_next(talk);
	return TREE_PARKED;
}

/* ---- the handlers ---------------------------------------------------------------------------- */

static int
emit_open(struct handle *h, struct err *err)
{
	struct talk *talk = NEW(struct talk);

	(void)err;
	talk->events = node_room(handle_node(h));
	talk->h = h;
	talk->stack = mem_strdup(node_stack(handle_node(h)));
	STAILQ_INIT(&talk->pieces);
	handle_set_state(h, talk);
	return 0;
}

static int
emit_write(struct handle *h, const char *data, size_t len, struct treq *req, struct err *err)
{
	struct talk *talk = handle_state(h);

	if (talk->events->is_stopping)
		return err_set(err, ESHUTDOWN, "the master is stopping: send it again later");
	if (handle_unread(h) > UNREAD_MAX)
		return err_set(err, EAGAIN,
			"read the ids of the events sent before, or open emit "
			"for writing only");
	return talk_add(talk, req, data, len, false);
}

static int
emit_flush(struct handle *h, struct treq *req, struct err *err)
{
	struct talk *talk = handle_state(h);

	(void)err;
	if (STAILQ_EMPTY(&talk->pieces) && talk->state.scan.kind == SCAN_NONE)
		return 0;
	return talk_add(talk, req, NULL, 0, true);
}

static void
emit_release(struct handle *h)
{
	struct talk *talk = handle_state(h);

	talk->h = NULL;
	if (talk->state.scan.kind != SCAN_NONE)
		(void)talk_add(talk, NULL, NULL, 0, true);
	else if (STAILQ_EMPTY(&talk->pieces))
		talk_free(talk);
}

const struct rpc_ops events_emit_ops = {
	.open = emit_open,
	.write = emit_write,
	.flush = emit_flush,
	.release = emit_release,
};
