/* Waiting: an operation on the loop, and the coroutine parked for it.
 *
 * An invocation waits for one thing at a time.  The operation belongs to the invocation from
 * await_begin on; whichever comes last releases it: its results having been taken, or await_done()
 * of one that was cancelled.  The yield passes through the script's own coroutines up to the
 * scheduler (coroutine.c), and the way back down ends in continue_wait().
 *
 * A wait below a C function that cannot be continued would be lost in plain Lua; here it raises and
 * names the function.
 */
#include "base/auto.h"
#include "base/mem.h"
#include "lua/host/invocation.h"

#include <assert.h>
#include <string.h>

static void
op_free(struct await *op)
{
	if (op->ops->fini)
		op->ops->fini(op);
	free(op);
}

/* The name of the nearest C function that called back into Lua. */
static const char *
boundary_name(lua_State *L, lua_Debug *ar)
{
	for (int level = 1; lua_getstack(L, level, ar); level++) {
		if (lua_getinfo(L, "Sn", ar) && ar->what[0] == 'C' && ar->name &&
			strcmp(ar->name, "pcall") != 0 && strcmp(ar->name, "xpcall") != 0)
			return ar->name;
	}
	return NULL;
}

static int
refuse_wait(lua_State *L, const struct await_ops *ops)
{
	lua_Debug ar;
	const char *inside = boundary_name(L, &ar);

	if (inside)
		return luaL_error(L, "%s: cannot wait inside %s", ops->name, inside);
	return luaL_error(L,
		"%s: cannot wait here (inside a metamethod, an error handler or an "
		"iterator of a C function)",
		ops->name);
}

void *
await_begin(lua_State *L, size_t size, const struct await_ops *ops)
{
	struct invocation *inv = invocation_of(L);
	struct await *op;

	if (!inv || inv->is_check)
		luaL_error(L,
			"%s: not while the script is loaded; call it inside execute() or "
			"on_event()",
			ops->name);
	if (!limits_can_yield(L))
		refuse_wait(L, ops);
	assert(size >= sizeof(*op) && !inv->waiting);
	op = mem_zalloc(1, size);
	op->ops = ops;
	op->inv = inv;
	inv->waiting = op;
	return op;
}

static int
continue_wait(lua_State *L, int status, lua_KContext context)
{
	struct await *op = (struct await *)context;

	(void)status;
	return op->ops->results(L, op);
}

int
await_yield(lua_State *L, struct await *op)
{
	op->inv->is_passing = true;
	return lua_yieldk(L, 0, (lua_KContext)op, continue_wait);
}

void
await_abandon(struct await *op)
{
	if (op->inv)
		op->inv->waiting = NULL;
	op_free(op);
}

void
await_done(struct await *op)
{
	assert(!op->is_done);
	op->is_done = true;
	if (!op->inv)
		op_free(op);
	else if (op->inv->state->current != op->inv) /* else the scheduler sees it at the yield */
		invocation_ready(op->inv);
}

void
await_release(struct await *op)
{
	op_free(op);
}

void
await_cancel(struct await *op)
{
	op->inv = NULL;
	if (op->is_done)
		op_free(op);
	else
		op->ops->cancel(op);
}

/* ---- requests to the daemon ----------------------------------------------------------------- */

struct request {
	struct await await;
	struct worker *worker;
	uint32_t number;
	host_answer_fn *answer;
	struct sbuf frame;
	size_t mark;
	int code;
	char *value, *error;
	size_t value_len;
	UT_hash_handle hh; /* in worker->requests while the answer is due */
};

static int
request_results(lua_State *L, struct await *op)
{
	struct request *r = (struct request *)op;
	struct host_answer answer = {
		.code = r->code,
		.value = r->value ? r->value : "",
		.value_len = r->value_len,
		.error = r->error ? r->error : "",
	};

	return r->answer(L, &answer);
}

static void
request_cancel(struct await *op)
{
	struct request *r = (struct request *)op;

	HASH_DEL(r->worker->requests, r);
	await_done(op);
}

static void
request_fini(struct await *op)
{
	struct request *r = (struct request *)op;

	sbuf_fini(&r->frame);
	free(r->value);
	free(r->error);
}

static const struct await_ops emit_ops = {
	"event.dispatch", request_results, request_cancel, request_fini};
static const struct await_ops state_ops = {"state", request_results, request_cancel, request_fini};

struct sbuf *
host_request_begin(lua_State *L, enum msg type, host_answer_fn *answer)
{
	const struct await_ops *ops = type == MSG_EMIT ? &emit_ops : &state_ops;
	struct request *r = await_begin(L, sizeof(*r), ops);
	struct worker *w = state_of(L)->worker;

	r->worker = w;
	r->number = ++w->last_request;
	r->answer = answer;
	HASH_ADD(hh, w->requests, number, sizeof(r->number), r);
	r->mark = frame_begin(&r->frame, type, r->await.inv->id);
	frame_u32(&r->frame, r->number);
	return &r->frame;
}

int
host_request_wait(lua_State *L)
{
	struct request *r = (struct request *)invocation_of(L)->waiting;

	frame_end(&r->frame, r->mark);
	sbuf_add(link_out(r->worker), r->frame.data, r->frame.len);
	sbuf_fini(&r->frame);
	link_flush(r->worker);
	return await_yield(L, &r->await);
}

void
request_answered(struct worker *w, struct frame *f)
{
	uint32_t number = frame_get_u32(f);
	struct request *r;
	const char *value;

	HASH_FIND(hh, w->requests, &number, sizeof(number), r);
	if (!r)
		return; /* cancelled meanwhile */
	r->code = (int)frame_get_u32(f);
	value = frame_get_str(f, &r->value_len);
	r->value = mem_strndup(value, r->value_len);
	r->error = frame_dup_str(f);
	HASH_DEL(w->requests, r);
	await_done(&r->await);
}
