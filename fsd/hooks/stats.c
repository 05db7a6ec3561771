/* What hooks did: counters, latency, and the log of a hook.
 *
 * Runs and failures are the store's at start and are counted on from there, as the store does
 * itself.  How often each decision fell, and the latency, are of this life of the daemon.
 *
 * The log is a real growing file, <state>/hooks.log/<label>.jsonl, because `tail -f` must work on
 * it; only LOGS_MAX are open at once. */
#include "fsd/hooks/registry.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/units.h"
#include "fsd/hooks/gate.h"
#include "fsd/steps.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOGS_MAX      128
#define LOG_MAX_BYTES (1024 * 1024) /* then the file is rotated; one old one is kept */
#define LOG_TEXT_MAX  1024          /* bytes of a message, an output or an error in a line */
#define LINE_BYTES    384           /* of most lines */

/* ---- latency --------------------------------------------------------------------------------- */

static void
show_ms(struct sbuf *out, const char *name, int64_t ns)
{
	sbuf_printf(out, "%s %.3fms\n", name, (double)ns / NS_PER_MS);
}

void
hook_latency_show(const struct hook *hook, struct sbuf *out)
{
	const struct latency *latency = hook->latency;

	if (!latency) {
		sbuf_adds(out, "no runs since start\n");
		return;
	}
	show_ms(out, "p50", latency_percentile(latency, 50));
	show_ms(out, "p90", latency_percentile(latency, 90));
	show_ms(out, "p99", latency_percentile(latency, 99));
	show_ms(out, "max", latency->max_ns);
}

void
hook_counts_show(const struct hook *hook, struct sbuf *out)
{
	for (int i = EXEC_SUCCESS; i <= EXEC_REMOVED; i++)
		sbuf_printf(out, "%-12s %" PRIu64 "\n", exec_status_name((enum exec_status)i),
			hook->counts[i]);
}

/* ---- the log --------------------------------------------------------------------------------- */

static void
on_log_grew(void *arg)
{
	hook_changed(arg, "log");
}

static void
log_close(struct hook *hook)
{
	if (!hook->log)
		return;
	TAILQ_REMOVE(&hook->hooks->logs, hook, log_link);
	hook->hooks->log_count--;
	log_file_close(TAKE(hook->log));
}

static int
open_file(struct hook *hook, struct err *err)
{
	struct hooks *hooks = hook->hooks;
	AUTO(free) char *path = mem_printf("%s/hooks.log/%s.jsonl", hooks->state_dir, hook->label);
	struct log_options opt = {
		.path = path, .max_bytes = LOG_MAX_BYTES, .grew = on_log_grew, .arg = hook};
	int code;

	if (hooks->log_count >= LOGS_MAX)
		log_close(TAILQ_FIRST(&hooks->logs));
	code = log_file_open(hooks->opt.files, &opt, &hook->log, err);
	if (code == 0)
		hooks->log_count++;
	return code;
}

int
hook_log_open(struct hook *hook, struct log_file **ret_log, struct err *err)
{
	struct hooks *hooks = hook->hooks;
	int code;

	if (hook->log) {
		TAILQ_REMOVE(&hooks->logs, hook, log_link);
	} else {
		code = open_file(hook, err);
		if (code < 0)
			return code;
	}
	TAILQ_INSERT_TAIL(&hooks->logs, hook, log_link);
	*ret_log = hook->log;
	return 0;
}

static void
add_text(struct sbuf *line, const char *key, const char *text)
{
	size_t len;

	if (!text)
		return;
	len = strnlen(text, LOG_TEXT_MAX);
	sbuf_adds(line, ",\"");
	sbuf_adds(line, key);
	sbuf_adds(line, "\":");
	sbuf_json(line, text, len);
}

static void
add_log_line(struct hook *hook, const struct event *ev, const struct execution *ex)
{
	AUTO(sbuf) struct sbuf line = {0};
	char time[CLOCK_TEXT_MAX], id[EVENT_ID_MAX + 1];
	struct log_file *log;
	struct err err;

	if (hook_log_open(hook, &log, &err) != 0) {
		log_write(hook->hooks->opt.log, LOG_LEVEL_ERROR, "log of hook '%s': %s",
			hook->label, err.msg);
		return;
	}
	(void)sbuf_room(&line, LINE_BYTES); /* once, instead of growing to it */
	clock_format(ex->started_ns ? ex->started_ns : clock_real_ns(), time);
	event_id_text(ev, id);
	sbuf_adds(&line, "{\"time\":\"");
	sbuf_adds(&line, time);
	sbuf_addc(&line, '"');
	add_text(&line, "event", id);
	add_text(&line, "type", ev->type);
	add_text(&line, "status", exec_status_name(ex->status));
	sbuf_adds(&line, ",\"duration_ms\":");
	units_add_ms(&line, ex->duration_ns);
	sbuf_adds(&line, ",\"attempts\":");
	sbuf_addu(&line, ex->attempts);
	sbuf_adds(&line, ",\"version\":");
	sbuf_addu(&line, ex->version);
	add_text(&line, "why", ex->why);
	add_text(&line, "message", ex->message);
	add_text(&line, "output", ex->output);
	add_text(&line, "error", ex->error);
	sbuf_addc(&line, '}');
	log_file_append(log, line.data, line.len);
}

/* ---- recording ------------------------------------------------------------------------------- */

static void
count_run(struct hook *hook, const struct event *ev, const struct execution *ex)
{
	hook->runs++;
	hook->failures += ex->status != EXEC_SUCCESS;
	if (ex->started_ns > hook->last_run_ns)
		hook->last_run_ns = ex->started_ns;
	if (!hook->latency)
		hook->latency = NEW(struct latency);
	latency_add(hook->latency, ex->duration_ns);
	if (ex->attempts == 1 && ex->started_ns)
		latency_add(&hook->hooks->wait, ex->started_ns - ev->created_ns);
}

void
hooks_record(struct hooks *hooks, const struct event *ev, const struct execution *ex)
{
	struct hook *hook = hook_find_id(hooks, ex->hook_id);
	const struct hook_code *code = hooks_find_code(hooks, ex->hook_id, ex->version);

	if (!hook)
		return;
	if (code)
		(void)hooks_begun(hooks, code, ev); /* ended without; taken with the next counts */
	step_recorded(hooks->opt.log, ev, ex);
	hook->counts[ex->status]++;
	if (ex->status >= EXEC_SUCCESS && ex->status <= EXEC_INTERRUPTED)
		count_run(hook, ev, ex);
	add_log_line(hook, ev, ex);
}

/* ---- logs of hooks that are forgotten -------------------------------------------------------- */

/* Whether the file is the log of a hook that is known, or an older part of one. */
static bool
is_wanted(struct hooks *hooks, const char *file)
{
	const char *end = strstr(file, ".jsonl"), *next;
	AUTO(free) char *label = NULL;

	while (end && (next = strstr(end + 1, ".jsonl")))
		end = next; /* a name may hold one too */
	if (!end)
		return true; /* none of ours */
	label = mem_strndup(file, (size_t)(end - file));
	return hook_find_label(hooks, label) != NULL;
}

void
hook_logs_sweep(struct hooks *hooks)
{
	AUTO(free) char *path = mem_printf("%s/hooks.log", hooks->state_dir);
	DIR *logs = opendir(path);
	const struct dirent *entry;

	while (logs && (entry = readdir(logs)))
		if (!is_wanted(hooks, entry->d_name))
			(void)unlinkat(dirfd(logs), entry->d_name, 0); /* again next time */
	if (logs)
		(void)closedir(logs); /* only read */
}

/* ---- life ------------------------------------------------------------------------------------ */

int
hook_stats_init(struct hooks *hooks, struct err *err)
{
	AUTO(free) char *path = mem_printf("%s/hooks.log", hooks->state_dir);

	if (mkdir(path, 0750) != 0 && errno != EEXIST)
		return err_set(err, errno, "%s: %s", path, strerror(errno));
	return 0;
}

void
hook_stats_stop(struct hooks *hooks)
{
	struct hook *hook;

	while ((hook = TAILQ_FIRST(&hooks->logs)))
		log_close(hook);
}

void
hook_stats_fini(struct hook *hook)
{
	free(hook->latency);
}
