/* A dispatcher with the rooms around it played by this file: a store that answers when told to,
 * hooks that match by type, a gate that says what the test wants, workers that run what the test
 * ends. */
#ifndef SLOTH_TESTS_DISPATCHER_RIG_H
#define SLOTH_TESTS_DISPATCHER_RIG_H

#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "fsd/events/dispatcher.h"
#include "fsd/events/events.h"
#include "fsd/hooks/gate.h"
#include "fsd/hooks/hooks.h"
#include "fsd/hooks/rules.h"
#include "fsd/store/held.h"
#include "fsd/workers/workers.h"
#include "tests/unit/suite.h"

#include <stdio.h>
#include <string.h>

#define EVENTS_MAX 4096
#define HOOKS_MAX  4
#define RUNS_MAX   512
#define READS_MAX  64

/* ---- the rooms it works with ---------------------------------------------------------------- */

/* A read of held events, or of one event. */
struct held_read {
	uint64_t hook_id, seq; /* seq: of one event */
	struct due_key from;
	size_t limit;
	store_due_fn *due;
	store_event_fn *got;
	void *arg;
	bool is_made;
	struct due_page page;
};

struct store {
	/* what is committed */
	struct event *events[EVENTS_MAX];
	size_t count;
	enum event_status status[EVENTS_MAX]; /* as recorded, by seq - 1 */
	struct execution *rows[EVENTS_MAX][HOOKS_MAX + 1];
	unsigned recorded[EVENTS_MAX][HOOKS_MAX + 1]; /* results */
	enum exec_status results[EVENTS_MAX][HOOKS_MAX + 1];
	unsigned attempts[EVENTS_MAX][HOOKS_MAX + 1];
	char *errors[EVENTS_MAX];
	bool is_crashed;
	uint64_t opened_last, opened_pending;
	size_t job_events; /* 0: as many as ever */
	/* a finish on its way */
	struct execution_list executions;
	struct event *finals[EVENTS_MAX];
	size_t finals_count;
	store_done_fn *finish_done;
	void *finish_arg;
	unsigned finishes;
	/* an admission on its way */
	struct execution_list admitted;
	struct gate_count_list counts;
	uint64_t parked[EVENTS_MAX], unparked[EVENTS_MAX];
	size_t parked_count, unparked_count;
	store_done_fn *admit_done;
	void *admit_arg;
	bool is_admit_first; /* it was asked before the finish on its way */
	unsigned admits;
	/* reads of what is held, on their way */
	struct held_read held_reads[READS_MAX];
	size_t held_read_count;
	/* a read on its way: its answer is made when it is asked or later, at most page events */
	store_pending_fn *read_done;
	void *read_arg;
	uint64_t after;
	size_t limit, page;
	struct event_list read_events;
	struct execution_list read_executions; /* as above; filled when the answer is made */
	int read_code;
	bool is_read_made;
	unsigned reads;
};

struct hooks {
	struct hook_code codes[HOOKS_MAX];
	size_t count;
	uint64_t settled_below; /* events with a seq below pass the barrier */
	void (*settled)(void *arg);
	void *settled_arg;
	hook_ready_fn *load_done;
	void *load_arg;
	unsigned recorded, attempts; /* results heard of; of those, attempts that are repeated */
	struct hook_rules rules[HOOKS_MAX];
	/* what the gate says; NULL: run */
	void (*gate)(struct hooks *hooks, const struct event *ev, enum gate_moment moment,
		struct gate_decision *decision);
	unsigned asked[EVENTS_MAX][4]; /* by seq - 1 and moment */
	int64_t due_ns;                /* for gate */
	unsigned counts;               /* changed and not taken */
	bool counts_begins;            /* hooks_begun has counts to take */
	bool is_forgotten;             /* versions are not found */
};

struct workers {
	struct run *runs[RUNS_MAX];
	size_t count;
	unsigned limit, started, most;
	uint64_t order[RUNS_MAX];                     /* hook ids in the order of their starts */
	uint64_t seqs[EVENTS_MAX], hooks[EVENTS_MAX]; /* likewise, more of them */
};

struct events {
	uint64_t finals[EVENTS_MAX];
	size_t count;
	size_t executions; /* told with them */
	size_t parked;
	enum exec_status told[HOOKS_MAX + 1]; /* with the last parked event */
};

void
store_finish(struct store *store, struct execution_list *executions, struct event **finished,
	size_t count, store_done_fn *done, void *arg)
{
	ck_assert_ptr_null(store->finish_done);
	STAILQ_CONCAT(&store->executions, executions);
	for (size_t i = 0; i < count; i++)
		store->finals[i] = event_ref(finished[i]);
	store->finals_count = count;
	store->finish_done = done;
	store->finish_arg = arg;
	store->finishes++;
	store->is_admit_first = store->admit_done != NULL;
}

static inline struct execution *
row_of(struct store *store, uint64_t seq, uint64_t hook_id)
{
	return store->rows[seq - 1][hook_id];
}

void
store_admit(struct store *store, struct admission *admission, store_done_fn *done, void *arg)
{
	ck_assert_ptr_null(store->admit_done);
	STAILQ_CONCAT(&store->admitted, &admission->executions);
	STAILQ_CONCAT(&store->counts, &admission->counts);
	for (size_t i = 0; i < admission->parked_count; i++)
		store->parked[store->parked_count++] = admission->parked[i];
	for (size_t i = 0; i < admission->unparked_count; i++)
		store->unparked[store->unparked_count++] = admission->unparked[i];
	store->admit_done = done;
	store->admit_arg = arg;
	store->admits++;
	if (!store->finish_done)
		store->is_admit_first = true;
}

static inline struct held_read *
new_read(struct store *store, void *arg)
{
	struct held_read *read = &store->held_reads[store->held_read_count++];

	ck_assert_uint_le(store->held_read_count, READS_MAX);
	*read = (struct held_read){.arg = arg};
	return read;
}

void
store_read_due(struct store *store, uint64_t hook_id, const struct due_key *from, size_t limit,
	store_due_fn *done, void *arg)
{
	struct held_read *read = new_read(store, arg);

	read->hook_id = hook_id;
	read->from = *from;
	read->limit = limit;
	read->due = done;
}

void
store_get_event(struct store *store, uint64_t seq, store_event_fn *done, void *arg)
{
	struct held_read *read = new_read(store, arg);

	read->seq = seq;
	read->got = done;
}

static inline struct parked_low
lowest_parked(const struct store *store)
{
	struct parked_low low = {.seq = UINT64_MAX};

	for (uint64_t seq = store->count; seq > 0; seq--)
		if (store->status[seq - 1] == EVENT_PROCESSING)
			low = (struct parked_low){seq, store->events[seq - 1]->created_ns};
	return low;
}

int
store_load_held(struct store *store, struct store_held *ret_held, struct err *err)
{
	(void)err;
	*ret_held = (struct store_held){.low = lowest_parked(store)};
	ret_held->hooks = NEW_N(struct lot_first, HOOKS_MAX);
	ret_held->lanes = NEW_N(struct lane_seq, EVENTS_MAX);
	for (uint64_t hook = 1; hook <= HOOKS_MAX; hook++) {
		int64_t first_ns = 0;

		for (uint64_t seq = 1; seq <= store->count; seq++) {
			const struct execution *row = row_of(store, seq, hook);

			if (!row)
				continue;
			if (row->due_ns && (!first_ns || row->due_ns < first_ns))
				first_ns = row->due_ns;
			if (row->lane)
				ret_held->lanes[ret_held->lane_count++] =
					(struct lane_seq){hook, row->lane, seq};
		}
		if (first_ns)
			ret_held->hooks[ret_held->hook_count++] =
				(struct lot_first){hook, first_ns};
	}
	for (size_t i = 0; i < store->count; i++)
		ret_held->parked += store->status[i] == EVENT_PROCESSING;
	return 0;
}

void
store_held_fini(struct store_held *held)
{
	free(held->hooks);
	free(held->lanes);
}

void
store_read_pending(
	struct store *store, uint64_t after_seq, size_t limit, store_pending_fn *done, void *arg)
{
	ck_assert_ptr_null(store->read_done);
	store->read_done = done;
	store->read_arg = arg;
	store->after = after_seq;
	store->limit = limit;
	store->is_read_made = false;
	store->reads++;
}

size_t
store_job_events(const struct store *store)
{
	return store->job_events ? store->job_events : STORE_JOB_EVENTS_MAX;
}

uint64_t
store_last_seq(const struct store *store)
{
	return store->opened_last;
}

uint64_t
store_pending_count(const struct store *store)
{
	return store->opened_pending;
}

bool
store_was_crashed(const struct store *store)
{
	return store->is_crashed;
}

struct hook_code *
hook_code_ref(struct hook_code *code)
{
	code->refs++;
	return code;
}

void
hook_code_unref(struct hook_code *code)
{
	ck_assert_uint_gt(code->refs, 0);
	code->refs--;
}

void
hook_code_load(struct hooks *hooks, struct hook_code *code, hook_ready_fn *done, void *arg)
{
	ck_assert_ptr_null(code->source);
	hooks->load_done = done;
	hooks->load_arg = arg;
}

void
hooks_match(struct hooks *hooks, const struct event *ev, hooks_match_fn *fn, void *arg)
{
	ck_assert_uint_lt(ev->seq, hooks->settled_below);
	for (size_t i = 0; i < hooks->count; i++) {
		struct hook_code *code = &hooks->codes[i];

		if (strcmp(code->types, "*") == 0 || strcmp(code->types, ev->type) == 0)
			fn(arg, code);
	}
}

bool
hooks_are_settled(struct hooks *hooks, uint64_t seq)
{
	return seq < hooks->settled_below;
}

void
hooks_on_settled(struct hooks *hooks, void (*settled)(void *arg), void *arg)
{
	hooks->settled = settled;
	hooks->settled_arg = arg;
}

struct hook_code *
hooks_find_code(struct hooks *hooks, uint64_t hook_id, uint32_t version)
{
	ck_assert_uint_eq(version, 1);
	return hooks->is_forgotten ? NULL : &hooks->codes[hook_id - 1];
}

bool
hooks_is_removed(struct hooks *hooks, uint64_t hook_id)
{
	return hooks->codes[hook_id - 1].is_removed;
}

void
hooks_decide(struct hooks *hooks, struct hook_code *code, const struct event *ev,
	enum gate_moment moment, int64_t now_ns, struct gate_decision *ret_decision)
{
	(void)now_ns;
	ck_assert(hook_rules_gate(code->rules));
	*ret_decision = (struct gate_decision){.verdict = GATE_RUN, .count = 1};
	hooks->asked[ev->seq - 1][moment]++;
	hooks->counts++;
	if (hooks->gate)
		hooks->gate(hooks, ev, moment, ret_decision);
}

bool
hooks_begun(struct hooks *hooks, const struct hook_code *code, const struct event *ev)
{
	(void)code, (void)ev;
	hooks->counts += hooks->counts_begins;
	return hooks->counts_begins;
}

void
hooks_take_counts(struct hooks *hooks, struct gate_count_list *ret_counts)
{
	struct gate_count *c;

	if (!hooks->counts)
		return;
	c = NEW(struct gate_count);
	c->key = mem_strdup("");
	c->value = mem_printf("%u", hooks->counts);
	hooks->counts = 0;
	STAILQ_INSERT_TAIL(ret_counts, c, link);
}

void
hooks_record(struct hooks *hooks, const struct event *ev, const struct execution *ex)
{
	hooks->attempts += ex->due_ns > 0;
	ck_assert_uint_eq(ev->seq, ex->seq);
	ck_assert_ptr_nonnull(ex->hook);
	hooks->recorded++;
}

unsigned
workers_limit(const struct workers *w)
{
	return w->limit;
}

void
workers_run(struct workers *w, struct run *run)
{
	ck_assert_uint_lt(w->count, RUNS_MAX);
	ck_assert_ptr_nonnull(run->code->source);
	for (size_t i = 0; i < w->count; i++)
		ck_assert(w->runs[i]->event != run->event || w->runs[i]->code != run->code);
	if (w->started < RUNS_MAX)
		w->order[w->started] = run->code->hook_id;
	if (w->started < EVENTS_MAX) {
		w->hooks[w->started] = run->code->hook_id;
		w->seqs[w->started] = run->event->seq;
	}
	w->started++;
	w->runs[w->count++] = run;
	if (w->count > w->most)
		w->most = (unsigned)w->count;
}

void
events_on_final(struct events *events, struct event *ev, const struct execution_list *executions)
{
	const struct execution *ex;

	ck_assert_int_ge(ev->status, EVENT_COMPLETED);
	STAILQ_FOREACH (ex, executions, link) {
		events->executions++;
	}
	events->finals[events->count++] = ev->seq;
}

void
events_on_parked(struct events *events, struct event *ev, const struct execution_list *executions)
{
	const struct execution *ex;

	ck_assert_int_eq(ev->status, EVENT_PROCESSING);
	STAILQ_FOREACH (ex, executions, link)
		events->told[ex->hook_id] = ex->status;
	events->parked++;
}

/* ---- the world ------------------------------------------------------------------------------ */

struct world {
	uv_loop_t loop;
	struct store store;
	struct hooks hooks;
	struct workers workers;
	struct events events;
	struct dispatcher *d;
	bool is_drained;
};

static inline struct world *
world_new(void)
{
	struct world *w = NEW(struct world);

	ck_assert_int_eq(uv_loop_init(&w->loop), 0);
	w->workers.limit = 8;
	w->hooks.settled_below = UINT64_MAX;
	w->store.page = EVENTS_MAX;
	STAILQ_INIT(&w->store.executions);
	STAILQ_INIT(&w->store.admitted);
	STAILQ_INIT(&w->store.counts);
	STAILQ_INIT(&w->store.read_events);
	STAILQ_INIT(&w->store.read_executions);
	w->d = dispatcher_new(&w->loop, &(struct dispatcher_rooms){.store = &w->store,
						.hooks = &w->hooks,
						.workers = &w->workers,
						.events = &w->events});
	return w;
}

/* Answer what is on its way as a store does that is closed. */
static inline void
cancel_all(struct world *w)
{
	struct store *store = &w->store;

	while (store->held_read_count) {
		struct held_read read = store->held_reads[--store->held_read_count];
		struct execution_list none = STAILQ_HEAD_INITIALIZER(none);

		if (read.got)
			read.got(read.arg, -ECANCELED, NULL, &none);
		else
			read.due(read.arg, -ECANCELED, &read.page);
	}
}

static inline void
world_free(struct world *w)
{
	cancel_all(w);
	dispatcher_free(w->d);
	ck_assert_int_eq(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
	ck_assert_int_eq(uv_loop_close(&w->loop), 0);
	for (size_t i = 0; i < w->store.count; i++) {
		ck_assert_uint_eq(w->store.events[i]->refs, 1);
		event_unref(w->store.events[i]);
		free(w->store.errors[i]);
		for (size_t hook = 0; hook <= HOOKS_MAX; hook++)
			execution_free(w->store.rows[i][hook]);
	}
	for (size_t i = 0; i < w->hooks.count; i++)
		ck_assert_uint_eq(w->hooks.codes[i].refs, 0);
	free(w);
}

static inline struct hook_code *
add_hook(struct world *w, char *label, char *types)
{
	struct hook_code *code = &w->hooks.codes[w->hooks.count++];

	*code = (struct hook_code){.hook_id = w->hooks.count,
		.version = 1,
		.label = label,
		.types = types,
		.source = (char *)"return {}",
		.rules = &w->hooks.rules[w->hooks.count - 1]};
	return code;
}

static inline struct event *
event_make(uint64_t seq, const char *type)
{
	struct event *ev = NEW(struct event);

	ev->refs = 1;
	ev->seq = seq;
	ev->type = mem_strdup(type);
	ev->stack = mem_strdup("");
	ev->created_ns = (int64_t)seq;
	ev->data = mem_strdup("{}");
	ev->data_len = 2;
	return ev;
}

/* Committed, but the dispatcher has not heard of it. */
static inline struct event *
commit(struct world *w, const char *type)
{
	struct event *ev = event_make(w->store.count + 1, type);

	ck_assert_uint_lt(w->store.count, EVENTS_MAX);
	w->store.events[w->store.count++] = ev;
	return ev;
}

static inline struct event *
raise_event(struct world *w, const char *type)
{
	struct event *ev = commit(w, type);

	dispatcher_add(w->d, ev);
	return ev;
}

/* A few turns of the loop: enough for everything that needs no answer. */
static inline void
spin(struct world *w)
{
	for (int i = 0; i < 4; i++)
		(void)uv_run(&w->loop, UV_RUN_NOWAIT);
}

/* Put a row as the store does: a final one stays.  Takes: row. */
static inline void
put_row(struct store *store, struct execution *row)
{
	struct execution **at = &store->rows[row->seq - 1][row->hook_id];
	bool is_final = row->status != EXEC_HELD && row->status != EXEC_RUNNING &&
			row->status != EXEC_PENDING;

	if (*at && (*at)->status >= EXEC_SUCCESS && (*at)->status != EXEC_HELD) {
		execution_free(row);
		return;
	}
	if (is_final)
		row->lane = 0;
	if (row->status != EXEC_HELD)
		row->due_ns = 0;
	execution_free(*at);
	*at = row;
}

static inline void
admit_answer(struct world *w, int code)
{
	struct store *store = &w->store;
	store_done_fn *done = TAKE(store->admit_done);
	struct gate_count *c;
	struct execution *ex;

	ck_assert_ptr_nonnull(done);
	while ((ex = STAILQ_FIRST(&store->admitted))) {
		STAILQ_REMOVE_HEAD(&store->admitted, link);
		if (code == 0)
			put_row(store, ex);
		else
			execution_free(ex);
	}
	while ((c = STAILQ_FIRST(&store->counts))) {
		STAILQ_REMOVE_HEAD(&store->counts, link);
		gate_count_free(c);
	}
	for (size_t i = 0; i < store->unparked_count && code == 0; i++)
		if (store->status[store->unparked[i] - 1] == EVENT_PROCESSING)
			store->status[store->unparked[i] - 1] = EVENT_PENDING;
	for (size_t i = 0; i < store->parked_count && code == 0; i++)
		if (store->status[store->parked[i] - 1] == EVENT_PENDING)
			store->status[store->parked[i] - 1] = EVENT_PROCESSING;
	store->parked_count = store->unparked_count = 0;
	store->is_admit_first = false;
	done(store->admit_arg, code, NULL);
}

static inline void
finish_answer(struct world *w, int code)
{
	struct store *store = &w->store;
	store_done_fn *done = TAKE(store->finish_done);
	struct execution *ex;

	ck_assert_ptr_nonnull(done);
	while ((ex = STAILQ_FIRST(&store->executions))) {
		STAILQ_REMOVE_HEAD(&store->executions, link);
		if (code == 0) {
			store->recorded[ex->seq - 1][ex->hook_id]++;
			store->results[ex->seq - 1][ex->hook_id] = ex->status;
			store->attempts[ex->seq - 1][ex->hook_id] = ex->attempts;
			put_row(store, ex);
		} else {
			execution_free(ex);
		}
	}
	for (size_t i = 0; i < store->finals_count; i++) {
		struct event *final = store->finals[i];

		if (code == 0) {
			ck_assert_int_lt(store->status[final->seq - 1], EVENT_COMPLETED);
			store->status[final->seq - 1] = final->status;
			store->errors[final->seq - 1] = mem_strdup(final->error);
		}
		event_unref(final);
	}
	done(store->finish_arg, code, NULL);
}

/* A copy of the event as the store has it, and its rows at the end of the list. */
static inline struct event *
read_event(struct store *store, uint64_t seq, struct execution_list *rows)
{
	struct event *copy = event_make(seq, store->events[seq - 1]->type);

	free(copy->data);
	copy->data = mem_strdup(store->events[seq - 1]->data);
	copy->data_len = strlen(copy->data);
	copy->status = store->status[seq - 1];
	for (size_t hook = 1; hook <= HOOKS_MAX; hook++) {
		struct execution *row = row_of(store, seq, hook);

		if (!row)
			continue;
		row = execution_copy(row);
		STAILQ_INSERT_TAIL(rows, row, link);
	}
	return copy;
}

/* The first row a read wants that comes at `from` or later and is parked; false: none. */
static inline bool
next_due(struct store *store, uint64_t hook_id, struct due_key from, struct due_key *ret_key)
{
	bool is_found = false;

	for (uint64_t seq = 1; seq <= store->count; seq++) {
		const struct execution *row = row_of(store, seq, hook_id);
		struct due_key key = {row ? row->due_ns : 0, seq};

		if (!key.due_ns || store->status[seq - 1] != EVENT_PROCESSING)
			continue;
		if (key.due_ns < from.due_ns || (key.due_ns == from.due_ns && seq < from.seq))
			continue;
		if (is_found && key.due_ns >= ret_key->due_ns)
			continue;
		*ret_key = key;
		is_found = true;
	}
	return is_found;
}

/* Look into the store for a read of what is held. */
static inline void
held_read_make(struct world *w, size_t at)
{
	struct store *store = &w->store;
	struct held_read *read = &store->held_reads[at];
	struct due_key key = read->from;
	size_t count = 0;

	read->is_made = true;
	STAILQ_INIT(&read->page.events);
	STAILQ_INIT(&read->page.executions);
	read->page.low = lowest_parked(store);
	if (read->got) {
		struct event *ev = read_event(store, read->seq, &read->page.executions);

		STAILQ_INSERT_TAIL(&read->page.events, ev, link);
		return;
	}
	while (next_due(store, read->hook_id, key, &key)) {
		struct event *ev;

		if (count++ == read->limit || count > store->page) {
			read->page.next = key;
			return;
		}
		ev = read_event(store, key.seq, &read->page.executions);
		STAILQ_INSERT_TAIL(&read->page.events, ev, link);
		key.seq++;
	}
}

static inline void
held_read_answer(struct world *w, size_t at)
{
	struct store *store = &w->store;
	struct held_read read;

	if (!store->held_reads[at].is_made)
		held_read_make(w, at);
	read = store->held_reads[at];
	for (size_t i = at + 1; i < store->held_read_count; i++)
		store->held_reads[i - 1] = store->held_reads[i];
	store->held_read_count--;
	if (read.got) {
		read.got(read.arg, 0, STAILQ_FIRST(&read.page.events), &read.page.executions);
	} else {
		/* the heads moved with the struct */
		if (STAILQ_EMPTY(&read.page.events))
			STAILQ_INIT(&read.page.events);
		if (STAILQ_EMPTY(&read.page.executions))
			STAILQ_INIT(&read.page.executions);
		read.due(read.arg, 0, &read.page);
		ck_assert(STAILQ_EMPTY(&read.page.events));
	}
	ck_assert(STAILQ_EMPTY(&read.page.executions));
}

/* The commit that was asked first. */
static inline bool
commit_answer(struct world *w)
{
	struct store *store = &w->store;

	if (store->admit_done && (store->is_admit_first || !store->finish_done))
		admit_answer(w, 0);
	else if (store->finish_done)
		finish_answer(w, 0);
	else
		return false;
	if (store->admit_done)
		store->is_admit_first = true; /* the other one is done */
	return true;
}

/* Look into the store for the read on its way. */
static inline void
read_make(struct world *w)
{
	struct store *store = &w->store;
	size_t max = store->limit < store->page ? store->limit : store->page, n = 0;

	store->is_read_made = true;
	store->read_code = 0;
	for (uint64_t seq = store->after + 1; seq <= store->count; seq++) {
		struct event *copy;

		if (store->status[seq - 1] != EVENT_PENDING)
			continue;
		if (n++ == max) {
			store->read_code = 1;
			return;
		}
		copy = read_event(store, seq, &store->read_executions);
		STAILQ_INSERT_TAIL(&store->read_events, copy, link);
	}
}

static inline void
read_answer(struct world *w, int code)
{
	struct store *store = &w->store;
	store_pending_fn *done = TAKE(store->read_done);

	ck_assert_ptr_nonnull(done);
	if (!store->is_read_made && code == 0)
		read_make(w);
	done(store->read_arg, code < 0 ? code : store->read_code, &store->read_events,
		&store->read_executions);
	ck_assert(STAILQ_EMPTY(&store->read_events));
	ck_assert(STAILQ_EMPTY(&store->read_executions));
}

/* Started, with an empty store read to its end. */
static inline struct world *
world_start(void)
{
	struct world *w = world_new();

	ck_assert_int_eq(dispatcher_start(w->d, NULL), 0);
	spin(w);
	read_answer(w, 0);
	spin(w);
	return w;
}

static inline void
run_end(struct world *w, size_t at, enum exec_status status, const char *error)
{
	struct run *run = w->workers.runs[at];
	struct run_outcome outcome = {.status = status, .error = mem_strdup(error)};

	w->workers.runs[at] = w->workers.runs[--w->workers.count];
	run->done(run, &outcome);
	free(outcome.error);
}

/* End every run and commit until nothing moves. */
static inline void
settle_all(struct world *w)
{
	do {
		while (w->workers.count)
			run_end(w, 0, EXEC_SUCCESS, NULL);
		spin(w);
		while (commit_answer(w))
			spin(w);
		if (w->store.read_done)
			read_answer(w, 0);
		while (w->store.held_read_count)
			held_read_answer(w, 0);
		spin(w);
	} while (w->workers.count || w->store.finish_done || w->store.admit_done ||
		 w->store.read_done || w->store.held_read_count);
}

static inline void
count_one(void *arg, const struct execution *ex)
{
	unsigned *counts = arg;

	counts[ex->status]++;
}

/* What dispatcher_drain tells. */
static inline void
on_drained(void *arg)
{
	struct world *w = arg;

	w->is_drained = true;
}

/* Stop as the daemon does, and start again on the same store; when is_crashed, as if it had been
 * killed with nothing on its way. */
static inline void
world_restart(struct world *w, bool is_crashed)
{
	struct store *store = &w->store;

	w->is_drained = false;
	dispatcher_drain(w->d, on_drained, w);
	while (!w->is_drained) {
		while (w->workers.count)
			run_end(w, 0, EXEC_SUCCESS, NULL);
		spin(w);
		while (commit_answer(w))
			spin(w);
		if (store->read_done)
			read_answer(w, 0);
		while (store->held_read_count)
			held_read_answer(w, 0);
	}
	dispatcher_free(w->d);
	(void)uv_run(&w->loop, UV_RUN_DEFAULT);
	w->d = dispatcher_new(&w->loop, &(struct dispatcher_rooms){.store = store,
						.hooks = &w->hooks,
						.workers = &w->workers,
						.events = &w->events});
	store->is_crashed = is_crashed;
	store->opened_last = store->count;
	store->opened_pending = 0;
	for (size_t i = 0; i < store->count; i++)
		store->opened_pending += store->status[i] == EVENT_PENDING;
}

#endif
