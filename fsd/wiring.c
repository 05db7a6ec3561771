/* How the rooms are connected: see master.h.
 *
 * Rooms ask for what they need by small tables of functions, so that they can be tested with fakes
 * and know nothing of each other; these functions are here.  They translate and pass on; what needs
 * thought is in the rooms.
 */
#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "fsd/config.h"
#include "fsd/doors/fuse.h"
#include "fsd/events/dispatcher.h"
#include "fsd/events/events.h"
#include "fsd/events/origin.h"
#include "fsd/hooks/hooks.h"
#include "fsd/master.h"
#include "fsd/root/root.h"
#include "fsd/store/hook_store.h"
#include "fsd/store/store.h"
#include "fsd/tree/tree.h"
#include "fsd/workers/workers.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define SYSTEM_EVENT_EVERY_NS     (10 * NS_PER_S) /* about log lines, per level */
#define SYSTEM_EVENT_PAUSE_MAX_NS (3600 * NS_PER_S)

/* ---- workers -------------------------------------------------------------------------------- */

static void
refuse_emit(store_text_fn *done, void *done_arg, int code, const char *why)
{
	AUTO(sbuf) struct sbuf text = {0};

	sbuf_adds(&text, why);
	done(done_arg, code, &text);
}

static void
json_auto(json_t **json)
{
	json_decref(*json);
}

/* Seconds since 1970 are a number to scripts and text to an event's fields.  Returns the value that
 * stands in options now. */
static json_t *
number_as_text(json_t *options, const char *name, json_t *value)
{
	AUTO(free) char *text = NULL;

	if (strcmp(name, "timestamp") != 0 || !json_is_number(value))
		return value;
	text = json_dumps(value, JSON_ENCODE_ANY);
	(void)json_object_set_new(options, name, json_string(text));
	return json_object_get(options, name);
}

/* Read the options of event.dispatch into e; the texts are borrowed from options. */
static int
take_options(json_t *options, struct emit *e, struct err *err)
{
	const struct {
		const char *name, **place;
	} known[] = {{"id", &e->id}, {"severity", &e->severity}, {"agent", &e->agent},
		{"run_id", &e->run_id}, {"source", &e->source}, {"timestamp", &e->timestamp}};
	const size_t count = sizeof(known) / sizeof(known[0]);
	const char *name;
	json_t *value;

	json_object_foreach (options, name, value) {
		size_t i = 0;

		while (i < count && strcmp(known[i].name, name) != 0)
			i++;
		if (i == count && strcmp(name, "stack") == 0)
			continue; /* comes by itself */
		if (i == count)
			return err_set(err, EINVAL,
				"event.dispatch has no option '%s'; it has stack, id, severity, "
				"agent, run_id, source, timestamp",
				name);
		value = number_as_text(options, name, value);
		if (!json_is_string(value))
			return err_set(
				err, EINVAL, "option '%s' of event.dispatch is no text", name);
		*known[i].place = json_string_value(value);
	}
	return 0;
}

/* A circle of hooks has come to its end: the hook is told, and so is whoever looks into errors. */
static void
report_circle(struct master *m, const struct run *run, const char *sender, const char *type)
{
	struct err err;

	if (run->event->depth < EVENT_DEPTH_MAX)
		return;
	(void)err_set(&err, ELOOP,
		"hook '%s' may not raise '%.128s': its event is the last of a chain of %d causes",
		run->code->label, type, EVENT_DEPTH_MAX);
	root_refused(m->root, sender, "dispatch", "/events/emit", &err);
}

static void
emit_for_run(void *arg, struct run *run, const char *type, const char *data, const char *stack,
	const char *options_text, store_text_fn *done, void *done_arg)
{
	struct master *m = arg;
	const struct hook_code *code = run->code;
	AUTO(free) char *sender = mem_printf("hook:%s", code->label);
	AUTO(json) json_t *options = NULL;
	bool has_stack = stack && *stack;
	struct emit e = {.type = type,
		.stack = has_stack ? stack : NULL,
		.data = data && *data ? data : "{}",
		.sender = sender,
		.cause = run->event};
	struct err err;
	int r;

	report_circle(m, run, sender, type);
	if (has_stack && code->stack[0] && strcmp(code->stack, stack) != 0) {
		refuse_emit(done, done_arg, -EPERM,
			"a hook of a stack may raise events in its own stack only");
		return;
	}
	options = options_text && *options_text ? json_loads(options_text, 0, NULL) : NULL;
	r = take_options(options, &e, &err);
	if (r < 0)
		refuse_emit(done, done_arg, r, err.msg);
	else
		events_emit(m->events, &e, done, done_arg);
}

static void
state_for_run(void *arg, struct run *run, const struct state_request *req, store_text_fn *done,
	void *done_arg)
{
	struct master *m = arg;

	(void)run;
	store_state(m->store, req, done, done_arg);
}

static bool
find_origin(
	void *arg, const struct origin *origin, const struct event **ret_ev, unsigned *ret_depth)
{
	struct master *m = arg;
	uint32_t run = origin->run;

	if (!m->workers)
		return false;
	if (!run)
		run = workers_run_of(m->workers, origin->worker, origin->thread);
	return workers_find_event(m->workers, origin->worker, run, ret_ev, ret_depth);
}

void
wire_events(struct master *m)
{
	events_set_hooks(m->events, m->hooks);
	events_set_origins(m->events, find_origin, m);
}

static void
hook_runs_alone(void *arg, struct hook_code *code)
{
	hooks_note_alone(((struct master *)arg)->hooks, code);
}

void
wire_workers(struct master *m, struct worker_services *ret_services)
{
	*ret_services = (struct worker_services){
		.arg = m, .emit = emit_for_run, .state = state_for_run, .alone = hook_runs_alone};
}

/* ---- hooks and stacks ----------------------------------------------------------------------- */

static uint64_t
next_seq(void *arg)
{
	return events_next_seq(((struct master *)arg)->events);
}

/* Before the dispatcher has read the backlog nothing is known: then every version is kept. */
static uint64_t
oldest_seq(void *arg)
{
	const struct master *m = arg;

	return m->dispatcher ? dispatcher_oldest_seq(m->dispatcher) : 0;
}

static void
check_hook(void *arg, const struct check_request *req,
	void (*done)(void *arg, int code, const char *meta, const struct err *err), void *done_arg)
{
	struct master *m = arg;
	struct err err;

	if (m->workers)
		workers_check(m->workers, req, done, done_arg);
	else
		done(done_arg, err_set(&err, ESHUTDOWN, "the master is stopping"), NULL, &err);
}

static void
run_hook(void *arg, struct run *run)
{
	workers_run(((struct master *)arg)->workers, run);
}

static void
cancel_hook(void *arg, struct run *run)
{
	workers_cancel(((struct master *)arg)->workers, run, RUN_INTERRUPTED);
}

static void
report_file(void *arg, const char *path, const struct err *err)
{
	root_refused(((struct master *)arg)->root, NULL, "load", path, err);
}

static void
hook_removed(void *arg, uint64_t hook_id)
{
	struct master *m = arg;

	if (m->dispatcher) /* at start nothing is held yet */
		dispatcher_hook_removed(m->dispatcher, hook_id);
}

void
wire_hooks(struct master *m, struct hooks_services *ret_services)
{
	*ret_services = (struct hooks_services){
		.arg = m,
		.next_seq = next_seq,
		.oldest_seq = oldest_seq,
		.check = check_hook,
		.run = run_hook,
		.cancel = cancel_hook,
		.removed = hook_removed,
		.report = report_file,
	};
}

bool
wire_has_unfinished(void *arg, const char *stack)
{
	const struct master *m = arg;

	return !m->dispatcher || dispatcher_has_stack(m->dispatcher, stack);
}

/* ---- the tree ------------------------------------------------------------------------------- */

static void
on_refusal(void *arg, const struct tree_cred *cred, const char *path, const char *op,
	const struct err *err)
{
	AUTO(free) char *who = mem_printf("uid:%u", (unsigned)cred->uid);

	root_refused(((struct master *)arg)->root, who, op, path, err);
}

static void
on_change(void *arg, const struct tree_change_note *note)
{
	root_audit_change(((struct master *)arg)->root, note);
}

static void
on_perm(void *arg, const char *path, int mode, int64_t uid, int64_t gid)
{
	store_put_perm(((struct master *)arg)->store, path, mode, uid, gid);
}

int
wire_perms(struct master *m, struct err *err)
{
	struct perm_list perms = STAILQ_HEAD_INITIALIZER(perms);
	struct perm *perm;
	int rc = store_load_perms(m->store, &perms, err);

	while ((perm = STAILQ_FIRST(&perms))) {
		STAILQ_REMOVE_HEAD(&perms, link);
		tree_load_perm(m->tree, perm->path, perm->mode, perm->uid, perm->gid);
		free(perm->path);
		free(perm);
	}
	tree_on_perm(m->tree, on_perm, m);
	return rc;
}

static void
add_metrics(void *arg, struct sbuf *out)
{
	const struct master *m = arg;
	struct fuse_figures f;

	hooks_add_metrics(m->hooks, out);
	if (!m->door)
		return;
	fuse_door_figures(m->door, &f);
	sbuf_printf(out,
		"# HELP sloth_fuse_requests_total Requests of the kernel.\n"
		"# TYPE sloth_fuse_requests_total counter\n"
		"sloth_fuse_requests_total %" PRIu64 "\n"
		"# HELP sloth_fuse_parked Requests that wait for their answer, this one too.\n"
		"# TYPE sloth_fuse_parked gauge\n"
		"sloth_fuse_parked %zu\n"
		"# HELP sloth_fuse_nodes Files and directories the kernel remembers.\n"
		"# TYPE sloth_fuse_nodes gauge\n"
		"sloth_fuse_nodes %zu\n"
		"# HELP sloth_fuse_told_total Notifications given to the kernel.\n"
		"# TYPE sloth_fuse_told_total counter\n"
		"sloth_fuse_told_total %" PRIu64 "\n"
		"# HELP sloth_fuse_untold_total Notifications dropped because too many waited.\n"
		"# TYPE sloth_fuse_untold_total counter\n"
		"sloth_fuse_untold_total %" PRIu64 "\n",
		f.requests, f.parked, f.nodes, f.told, f.untold);
}

void
wire_figures(struct master *m)
{
	root_set_rooms(m->root, &(struct root_rooms){.store = m->store,
					.events = m->events,
					.dispatcher = m->dispatcher,
					.workers = m->workers,
					.watchdog = m->watchdog,
					.add_metrics = add_metrics,
					.arg = m});
}

/* ---- after a crash -------------------------------------------------------------------------- */

static void
on_checked(void *arg, int code, struct sbuf *out)
{
	struct master *m = arg;

	if (code == 0)
		log_write(m->log, LOG_LEVEL_INFO,
			"the master before this one was killed; its database is sound");
	else if (code != -ECANCELED)
		log_write(m->log, LOG_LEVEL_ERROR,
			"the database is damaged: %.*s; stop the master, keep a copy of the state "
			"directory, and restore hooks.db from a backup",
			(int)strcspn(sbuf_str(out), "\n"), sbuf_str(out));
}

void
wire_check(struct master *m)
{
	store_check(m->store, on_checked, m);
}

/* ---- settings ------------------------------------------------------------------------------- */

static void
set_level(void *arg, int64_t level)
{
	struct master *m = arg;

	log_set_level(m->log, (enum log_level)level);
	workers_set_log_level(m->workers, (enum log_level)level);
}

/* Per-hook concurrency defaults to a quarter of the invocations. */
static void
set_runs(void *arg, int64_t value)
{
	struct master *m = arg;
	unsigned limit = (unsigned)config_int(m->config, "workers");
	unsigned timeout_ms = (unsigned)(config_int(m->config, "hook_timeout") / NS_PER_MS);
	uint64_t memory = (uint64_t)config_int(m->config, "hook_memory");

	(void)value; /* one of the three */
	workers_set_limit(m->workers, limit);
	workers_set_defaults(m->workers, timeout_ms, memory);
	hooks_set_defaults(m->hooks, timeout_ms, memory, limit / 4 ? limit / 4 : 1);
	dispatcher_kick(m->dispatcher);
}

static void
set_buffer(void *arg, int64_t events)
{
	dispatcher_set_buffer(((struct master *)arg)->dispatcher, (size_t)events);
}

static void
set_window(void *arg, int64_t ids)
{
	events_set_window(((struct master *)arg)->events, (size_t)ids);
}

static void
set_events_log(void *arg, int64_t bytes)
{
	events_set_log_max(((struct master *)arg)->events, (uint64_t)bytes);
}

static void
set_reserve(void *arg, int64_t bytes)
{
	store_set_reserve(((struct master *)arg)->store, (uint64_t)bytes);
}

static void
set_retention(void *arg, int64_t value)
{
	struct master *m = arg;

	(void)value; /* one of the three */
	store_set_retention(m->store,
		&(struct store_retention){.max_age_ns = config_int(m->config, "retention"),
			.max_count = (uint64_t)config_int(m->config, "retention_count"),
			.max_bytes = (uint64_t)config_int(m->config, "retention_bytes")});
}

static void
set_versions(void *arg, int64_t count)
{
	store_set_sources_kept(((struct master *)arg)->store, (unsigned)count);
}

void
wire_settings(struct master *m)
{
	static const struct {
		const char *name;
		void (*changed)(void *arg, int64_t value);
	} rows[] = {
		{"log_level", set_level},
		{"workers", set_runs},
		{"hook_timeout", set_runs},
		{"hook_memory", set_runs},
		{"event_buffer", set_buffer},
		{"events_window", set_window},
		{"events_log_max_bytes", set_events_log},
		{"disk_reserve", set_reserve},
		{"retention", set_retention},
		{"retention_count", set_retention},
		{"retention_bytes", set_retention},
		{"hook_versions", set_versions},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		config_watch(m->config, rows[i].name, rows[i].changed, m);
}

/* ---- the log and the master's own events ---------------------------------------------------- */

void
wire_system_event(struct master *m, const char *type, const char *data, store_text_fn *done)
{
	events_emit(m->events,
		&(struct emit){.type = type,
			.stack = "",
			.data = data,
			.sender = "master",
			.source = "master"},
		done, m);
}

/* A hook of system.warning may cause the next warning.  So there is a pause after each, and it
 * doubles while they keep coming: a circle dies down, and what is said now and then is heard. */
static bool
may_raise(struct raised *raised)
{
	int64_t now = clock_mono_ns(), since = now - raised->last_ns;

	if (raised->last_ns && since < raised->pause_ns)
		return false;
	if (!raised->last_ns || since > 2 * raised->pause_ns)
		raised->pause_ns = SYSTEM_EVENT_EVERY_NS;
	else if (raised->pause_ns < SYSTEM_EVENT_PAUSE_MAX_NS)
		raised->pause_ns *= 2;
	raised->last_ns = now;
	return true;
}

/* A line of a warning or an error becomes an event. */
static void
raise_line(struct master *m, enum log_level level, const char *line, size_t len)
{
	bool is_error = level == LOG_LEVEL_ERROR;
	AUTO(json) json_t *members = NULL;
	AUTO(sbuf) struct sbuf data = {0};

	if (!m->is_ready || m->is_stopping || !may_raise(&m->raised[is_error]))
		return;
	members = json_loadb(line, len, 0, NULL);
	sbuf_printf(&data, "{\"component\":\"master\",\"severity\":\"%s\",\"%s\":",
		is_error ? "error" : "warning", is_error ? "error" : "message");
	sbuf_jsons(&data, json_string_value(json_object_get(members, "msg")));
	sbuf_addc(&data, '}');
	wire_system_event(m, is_error ? "system.error" : "system.warning", sbuf_str(&data), NULL);
}

static void
on_line(void *arg, enum log_level level, const char *line, size_t len)
{
	struct master *m = arg;

	root_log_line(m->root, line, len);
	if (level >= LOG_LEVEL_WARN)
		raise_line(m, level, line, len);
}

void
wire_log(struct master *m)
{
	log_set_sink(m->log, on_line, m);
	tree_on_refusal(m->tree, on_refusal, m);
	tree_on_change(m->tree, on_change, m);
}
