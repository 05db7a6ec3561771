/* ctl/hooks/<hook>/test: run the version in service on an event that is given here, and read what
 * is decided about such an event and how the run went.  Nothing is recorded, and no rule counts it.
 *
 * The hook runs whatever the decision is, for that is what a test is for: but for the event that
 * its own conditions do not let through, and for one of another stack, whose wall holds here too.
 * With `dry=1` in front nothing runs but the conditions.
 *
 * One write is one event; a JSON text may come in several writes and is taken when it is complete,
 * or refused at close.  The run belongs to the open: closing cancels it, and whoever comes last,
 * the close or the end of the run, frees it. */
#include "fsd/hooks/flow.h"
#include "fsd/hooks/gate.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "fsd/events/types.h"
#include "fsd/tree/room.h"
#include "fsd/workers/workers.h"
#include "handlers.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

/* One conversation. */
struct test {
	struct hook *hook;
	struct handle *handle; /* NULL: closed */
	struct sbuf text;      /* what is not complete yet */
	struct run run;
	enum hook_stance_kind stance; /* whether the event would reach the hook */
	struct sbuf why;              /* what decided */
	struct gate_decision gate;    /* when it would reach it */
	bool is_busy;                 /* loading the source, or running */
	bool is_running;
};

#define DRY "dry=1" /* in front of an event: the decision alone */

/* What an event of a category carries, for a hook that is tested without one. */
static const struct {
	const char *category, *data;
} samples[] = {
	{"agent", "{\"agent\":{\"name\":\"test-agent\",\"address\":\"192.168.1.100:50051\","
		  "\"tags\":[\"test\"],\"version\":\"1.0.0\",\"system_info\":{\"os\":\"linux\"}}}"},
	{"task", "{\"task\":{\"task_name\":\"test-task\",\"agent_name\":\"test-agent\","
		 "\"status\":\"failed\",\"exit_code\":1,\"error\":\"test\",\"duration\":\"1s\"}}"},
	{"workflow", "{\"workflow\":{\"name\":\"test-workflow\",\"status\":\"failed\","
		     "\"error\":\"test\",\"duration\":\"1s\"}}"},
	{"system", "{\"resource\":{\"type\":\"cpu\",\"current\":95.5,\"threshold\":80,"
		   "\"unit\":\"percent\"}}"},
	{"deploy", "{\"deploy\":{\"deploy_id\":\"test-deploy\",\"version\":\"v1\","
		   "\"environment\":\"test\"}}"},
	{"file", "{\"path\":\"/tmp/test-file\",\"size\":1024}"},
	{"service", "{\"service\":\"test-service\",\"status\":\"stopped\"}"},
};

static void
test_free(struct test *test)
{
	if (test->handle || test->is_busy)
		return;
	event_unref(test->run.event);
	hook_code_unref(test->run.code);
	sbuf_fini(&test->text);
	sbuf_fini(&test->why);
	free(test);
}

/* ---- the event ------------------------------------------------------------------------------- */

/* The hook's first type, with something for each '*'. */
static char *
sample_type(const struct hook *hook)
{
	const char *types = hook->settings.types;
	size_t len = strcspn(types, "\n");
	AUTO(sbuf) struct sbuf type = {0};
	size_t i;

	if (len == 0 || (len == 1 && types[0] == '*'))
		return mem_strdup("custom.test");
	for (i = 0; i < len; i++)
		if (types[i] == '*')
			sbuf_adds(&type, "test");
		else
			sbuf_addc(&type, types[i]);
	return sbuf_take(&type);
}

static const char *
sample_data(const char *type)
{
	size_t len = strcspn(type, "."), i;

	for (i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		if (strlen(samples[i].category) == len && !strncmp(samples[i].category, type, len))
			return samples[i].data;
	return "{\"test\":true}";
}

static const char *
string_member(const json_t *root, const char *key)
{
	return json_string_value(json_object_get(root, key));
}

/* NULL for data alone. */
static const char *
type_member(const json_t *root)
{
	const char *type = string_member(root, "type");

	return type ? type : string_member(root, "event_type");
}

/* A whole event names its type; everything else is data. */
static struct event *
make_event(const struct hook *hook, const json_t *root)
{
	struct event *ev = NEW(struct event);
	const char *type = root ? type_member(root) : NULL;
	const json_t *data = root;

	if (type)
		data = json_object_get(root, "data");
	ev->refs = 1;
	ev->status = EVENT_PROCESSING;
	ev->created_ns = ev->timestamp_ns = clock_real_ns();
	ev->type = type ? mem_strdup(type) : sample_type(hook);
	ev->sender = mem_strdup("test");
	ev->stack = mem_strdup(type ? string_member(root, "stack") : NULL);
	if (!ev->stack)
		ev->stack = mem_strdup(hook->current->code.stack);
	if (type) {
		ev->agent = mem_strdup(string_member(root, "agent"));
		ev->run_id = mem_strdup(string_member(root, "run_id"));
		ev->severity = mem_strdup(string_member(root, "severity"));
		ev->source = mem_strdup(string_member(root, "source"));
	}
	ev->data = root ? json_dumps(data, JSON_COMPACT) : mem_strdup(sample_data(ev->type));
	if (!ev->data)
		ev->data = mem_strdup("{}");
	ev->data_len = strlen(ev->data);
	return ev;
}

/* ---- the answer ------------------------------------------------------------------------------ */

/* The word for what would become of such an event; test->why gets the sentence. */
static const char *
decide(struct test *test, const struct run_outcome *outcome)
{
	if (test->stance != HOOK_MATCHES)
		return hook_stance_name(test->stance);
	if (outcome && outcome->status == EXEC_FILTERED) {
		sbuf_adds(&test->why, outcome->why ? outcome->why : "");
		return "filtered";
	}
	if (outcome && outcome->status != EXEC_SUCCESS && test->run.part == RUN_CONDITIONS)
		return "failed"; /* a condition did, and the error says so */
	sbuf_adds(&test->why, test->gate.why);
	switch (test->gate.verdict) {
	case GATE_RUN:
		return "run";
	case GATE_HOLD:
		return exec_status_name(EXEC_HELD);
	case GATE_DROP:
		break;
	}
	return exec_status_name(test->gate.status);
}

/* Give an answer member by member. */
static void
add_member(struct sbuf *out, const char *name, const char *text)
{
	sbuf_printf(out, "%s\"%s\":", out->len ? "," : "{", name);
	sbuf_jsons(out, text && text[0] ? text : NULL);
}

/* outcome is NULL when nothing ran, or could not. */
static void
answer(struct test *test, const char *error, const struct run_outcome *outcome)
{
	AUTO(sbuf) struct sbuf out = {0};
	bool is_asked = test->run.part == RUN_CONDITIONS;
	const char *result = outcome ? exec_status_name(outcome->status) : error ? "failed" : NULL;

	test->is_busy = test->is_running = false;
	if (!test->handle) {
		test_free(test);
		return;
	}
	add_member(&out, "decision", decide(test, outcome));
	add_member(&out, "why", sbuf_str(&test->why));
	add_member(&out, "result", is_asked && !error ? NULL : result);
	add_member(&out, "message", outcome ? outcome->message : NULL);
	add_member(&out, "output", outcome ? outcome->output : NULL);
	add_member(&out, "error", error);
	sbuf_printf(&out, ",\"duration_ms\":%.3f}\n",
		outcome ? (double)outcome->duration_ns / NS_PER_MS : 0.0);
	handle_push(test->handle, out.data, out.len);
}

/* ---- the run --------------------------------------------------------------------------------- */

static void
on_done(struct run *run, struct run_outcome *outcome)
{
	struct test *test = (struct test *)((char *)run - offsetof(struct test, run));

	answer(test, outcome->error, outcome);
}

static void
on_loaded(void *arg, int code, const struct err *err)
{
	struct test *test = arg;
	const struct hooks_services *services = &test->hook->hooks->opt.services;

	if (code < 0 || !test->handle) {
		answer(test, err ? err->msg : "closed", NULL);
		return;
	}
	test->is_running = true;
	services->run(services->arg, &test->run);
}

/* Whether a worker has something to do. */
static bool
is_to_run(const struct test *test)
{
	const struct hook_rules *rules = test->run.code->rules;

	if (test->stance == HOOK_WALL)
		return false;
	return test->run.part == RUN_WHOLE || rules->match || rules->has_filter;
}

static int
start(struct test *test, const json_t *root, bool is_dry, struct err *err)
{
	struct hook *hook = test->hook;
	const char *type = root ? type_member(root) : NULL;

	if (test->is_busy)
		return err_set(err, EBUSY, "hook '%s' is still at its last test", hook->name);
	if (type && event_type_check(type, strlen(type), err) < 0)
		return -EINVAL;
	if (!hook->current)
		return err_set(err, EINVAL, "hook '%s' is not in service: %s", hook->name,
			hook_problem(hook) ? hook_problem(hook) : "it is being loaded");
	event_unref(test->run.event);
	hook_code_unref(test->run.code);
	test->run = (struct run){.code = hook_code_ref(&hook->current->code),
		.event = make_event(hook, root),
		.attempt = 1,
		.part = is_dry ? RUN_CONDITIONS : RUN_WHOLE,
		.is_dry = true,
		.done = on_done};
	sbuf_reset(&test->why);
	test->stance = hook_stance_now(hook, test->run.event, &test->why);
	hooks_foresee(hook->hooks, test->run.code, test->run.event, clock_steady_ns(), &test->gate);
	test->is_busy = true;
	if (is_to_run(test))
		hook_code_load(hook->hooks, test->run.code, on_loaded, test);
	else
		answer(test, NULL, NULL);
	return 0;
}

/* ---- the conversation ------------------------------------------------------------------------ */

static int
test_open(struct handle *h, struct err *err)
{
	struct test *test = NEW(struct test);

	(void)err;
	test->hook = node_pinned(handle_node(h), &hook_set);
	test->handle = h;
	handle_set_state(h, test);
	return 0;
}

/* Move behind `dry=1`; false when the text does not begin with it. */
static bool
take_dry(const char **text)
{
	const char *at = *text + strspn(*text, " \t\r\n");
	size_t len = strlen(DRY);

	if (strncmp(at, DRY, len) != 0 || (at[len] && !strchr(" \t\r\n{", at[len])))
		return false;
	*text = at + len;
	return true;
}

/* Take the text when it is a whole JSON object or an empty line; is_last: refuse it otherwise. */
static int
take(struct test *test, bool is_last, struct err *err)
{
	const char *json = sbuf_str(&test->text);
	bool is_dry = take_dry(&json);
	size_t len = test->text.len - (size_t)(json - sbuf_str(&test->text));
	json_error_t why;
	json_t *root;
	int code;

	if (json[strspn(json, " \t\r\n")] == '\0') {
		if (is_last && test->text.len == 0)
			return 0;
		sbuf_reset(&test->text);
		return start(test, NULL, is_dry, err);
	}
	root = json_loadb(json, len, JSON_REJECT_DUPLICATES, &why);
	if (!root && !is_last && json_error_code(&why) == json_error_premature_end_of_input)
		return 0;
	if (json_is_object(root))
		code = start(test, root, is_dry, err);
	else
		code = err_set(err, EINVAL, "line %d, column %d: %s", why.line, why.column,
			root ? "an event is a JSON object" : why.text);
	sbuf_reset(&test->text);
	json_decref(root);
	return code;
}

static int
test_write(struct handle *h, const char *data, size_t len, struct treq *req, struct err *err)
{
	struct test *test = handle_state(h);
	int code;

	(void)req;
	if (len > EVENT_TEXT_MAX - test->text.len) {
		sbuf_reset(&test->text);
		return err_set(err, EFBIG, "an event has at most %d bytes", EVENT_TEXT_MAX);
	}
	sbuf_add(&test->text, data, len);
	code = take(test, false, err);
	return code < 0 ? code : (int)len;
}

static int
test_flush(struct handle *h, struct treq *req, struct err *err)
{
	(void)req;
	return take(handle_state(h), true, err);
}

static void
test_release(struct handle *h)
{
	struct test *test = handle_state(h);
	const struct hooks_services *services = &test->hook->hooks->opt.services;

	test->handle = NULL;
	if (test->is_running)
		services->cancel(services->arg, &test->run);
	else
		test_free(test);
}

const struct rpc_ops hook_test_ops = {
	.open = test_open,
	.write = test_write,
	.flush = test_flush,
	.release = test_release,
	.reads_wait = true,
};
