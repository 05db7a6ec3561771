/* ctl/hooks/<hook>/test: run the version in service on an event that is given here, and read how it
 * went.  Nothing is recorded.
 *
 * One write is one event; a JSON text may come in several writes and is taken when it is complete,
 * or refused at close.  The run belongs to the open: closing cancels it, and whoever comes last,
 * the close or the end of the run, frees it. */
#include "fsd/hooks/registry.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
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
	bool is_busy; /* loading the source, or running */
	bool is_running;
};

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

/* A whole event names its type; everything else is data. */
static struct event *
make_event(const struct hook *hook, const json_t *root)
{
	struct event *ev = NEW(struct event);
	const char *type = root ? string_member(root, "type") : NULL;
	const json_t *data = root;

	if (root && !type)
		type = string_member(root, "event_type");
	if (type)
		data = json_object_get(root, "data");
	ev->refs = 1;
	ev->status = EVENT_PROCESSING;
	ev->created_ns = ev->timestamp_ns = clock_real_ns();
	ev->type = type ? mem_strdup(type) : sample_type(hook);
	ev->stack = mem_strdup(hook->current->code.stack);
	ev->sender = mem_strdup("test");
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

/* ---- the run --------------------------------------------------------------------------------- */

static void
answer(struct test *test, const char *result, const char *error, const struct run_outcome *outcome)
{
	AUTO(sbuf) struct sbuf out = {0};

	test->is_busy = test->is_running = false;
	if (!test->handle) {
		test_free(test);
		return;
	}
	sbuf_printf(&out, "{\"result\":\"%s\",\"message\":", result);
	sbuf_jsons(&out, outcome ? outcome->message : NULL);
	sbuf_adds(&out, ",\"output\":");
	sbuf_jsons(&out, outcome ? outcome->output : NULL);
	sbuf_adds(&out, ",\"error\":");
	sbuf_jsons(&out, error);
	sbuf_printf(&out, ",\"duration_ms\":%.3f}\n",
		outcome ? (double)outcome->duration_ns / NS_PER_MS : 0.0);
	handle_push(test->handle, out.data, out.len);
}

static void
on_done(struct run *run, struct run_outcome *outcome)
{
	struct test *test = (struct test *)((char *)run - offsetof(struct test, run));

	answer(test, exec_status_name(outcome->status), outcome->error, outcome);
}

static void
on_loaded(void *arg, int code, const struct err *err)
{
	struct test *test = arg;
	const struct hooks_services *services = &test->hook->hooks->opt.services;

	if (code < 0 || !test->handle) {
		answer(test, "failed", err ? err->msg : "closed", NULL);
		return;
	}
	test->is_running = true;
	services->run(services->arg, &test->run);
}

static int
start(struct test *test, const json_t *root, struct err *err)
{
	struct hook *hook = test->hook;

	if (test->is_busy)
		return err_set(err, EBUSY, "hook '%s' is still at its last test", hook->name);
	if (!hook->current)
		return err_set(err, EINVAL, "hook '%s' is not in service: %s", hook->name,
			hook->problem ? hook->problem : "it is being loaded");
	event_unref(test->run.event);
	hook_code_unref(test->run.code);
	test->run = (struct run){.code = hook_code_ref(&hook->current->code),
		.event = make_event(hook, root),
		.attempt = 1,
		.is_dry = true,
		.done = on_done};
	test->is_busy = true;
	hook_code_load(hook->hooks, test->run.code, on_loaded, test);
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

/* Take the text when it is a whole JSON object or an empty line; is_last: refuse it otherwise. */
static int
take(struct test *test, bool is_last, struct err *err)
{
	const char *text = sbuf_str(&test->text);
	json_error_t why;
	json_t *root;
	int code;

	if (text[strspn(text, " \t\r\n")] == '\0') {
		if (is_last && test->text.len == 0)
			return 0;
		sbuf_reset(&test->text);
		return start(test, NULL, err);
	}
	root = json_loadb(test->text.data, test->text.len, JSON_REJECT_DUPLICATES, &why);
	if (!root && !is_last && json_error_code(&why) == json_error_premature_end_of_input)
		return 0;
	if (json_is_object(root))
		code = start(test, root, err);
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
