/* The hooks' part of `metrics`.  A line for each hook is a time series for each hook, so their
 * number is bounded: the first METRIC_HOOKS hooks that ran or decided something have their own, all
 * others are summed up as hook="*", a name no hook can have. */
#include "fsd/hooks/registry.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>

#define METRIC_HOOKS 100
#define LABEL_BYTES  160 /* of hook="<hook>@<stack>" */

/* What one hook, or the rest of them, did. */
struct figure {
	char label[LABEL_BYTES];
	uint64_t runs, failures;
	uint64_t counts[EXEC_REMOVED + 1];
	struct latency latency;
};

static void
add_hook(struct figure *f, const struct hook *hook)
{
	f->runs += hook->runs;
	f->failures += hook->failures;
	for (int i = 0; i <= EXEC_REMOVED; i++)
		f->counts[i] += hook->counts[i];
	if (hook->latency)
		latency_merge(&f->latency, hook->latency);
}

static bool
has_figures(const struct hook *hook)
{
	uint64_t decided = hook->runs;

	for (int i = 0; i <= EXEC_REMOVED; i++)
		decided += hook->counts[i];
	return decided > 0;
}

/* Returns how many there are; the last one is of the rest. */
static size_t
collect(const struct hooks *hooks, struct figure *figures)
{
	const struct hook_dir *dir;
	const struct hook *hook;
	size_t count = 0;

	LIST_FOREACH (dir, &hooks->dirs, link)
		TAILQ_FOREACH (hook, &dir->list, dir_link) {
			struct figure *f = &figures[count < METRIC_HOOKS ? count : METRIC_HOOKS];

			if (!has_figures(hook))
				continue;
			(void)snprintf(f->label, sizeof(f->label), "hook=\"%s\"",
				count < METRIC_HOOKS ? hook->label : "*"); /* fits */
			add_hook(f, hook);
			count++;
		}
	return count < METRIC_HOOKS ? count : METRIC_HOOKS + 1;
}

static void
add_head(struct sbuf *out, const char *name, const char *type, const char *help)
{
	sbuf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
add_decisions(const struct figure *f, struct sbuf *out)
{
	static const enum exec_status kinds[] = {
		EXEC_HELD, EXEC_THROTTLED, EXEC_FILTERED, EXEC_SKIPPED, EXEC_REMOVED};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (f->counts[kinds[i]])
			sbuf_printf(out,
				"sloth_hook_decisions_total{%s,decision=\"%s\"} %" PRIu64 "\n",
				f->label, exec_status_name(kinds[i]), f->counts[kinds[i]]);
}

static uint64_t
count_broken(const struct hooks *hooks)
{
	const struct hook_dir *dir;
	const struct hook *hook;
	uint64_t count = 0;

	LIST_FOREACH (dir, &hooks->dirs, link)
		TAILQ_FOREACH (hook, &dir->list, dir_link)
			count += hook->has_file && hook_problem(hook);
	return count;
}

void
hooks_add_metrics(const struct hooks *hooks, struct sbuf *out)
{
	struct figure *figures = NEW_N(struct figure, METRIC_HOOKS + 1);
	size_t count = collect(hooks, figures), i;

	add_head(out, "sloth_hooks_broken", "gauge", "Hooks whose file cannot be loaded.");
	sbuf_printf(out, "sloth_hooks_broken %" PRIu64 "\n", count_broken(hooks));
	add_head(out, "sloth_hook_runs_total", "counter", "Runs of a hook.");
	for (i = 0; i < count; i++)
		sbuf_printf(out, "sloth_hook_runs_total{%s} %" PRIu64 "\n", figures[i].label,
			figures[i].runs);
	add_head(out, "sloth_hook_failures_total", "counter", "Runs that did not succeed.");
	for (i = 0; i < count; i++)
		sbuf_printf(out, "sloth_hook_failures_total{%s} %" PRIu64 "\n", figures[i].label,
			figures[i].failures);
	add_head(out, "sloth_hook_decisions_total", "counter",
		"Events that a hook did not run for, or not yet, since start.");
	for (i = 0; i < count; i++)
		add_decisions(&figures[i], out);
	add_head(out, "sloth_hook_duration_seconds", "histogram",
		"How long runs took, since start.");
	for (i = 0; i < count; i++)
		latency_add_metric(
			&figures[i].latency, "sloth_hook_duration_seconds", figures[i].label, out);
	add_head(out, "sloth_queue_wait_seconds", "histogram",
		"From an event's acceptance to the start of a first attempt, since start.");
	latency_add_metric(&hooks->wait, "sloth_queue_wait_seconds", "", out);
	free(figures);
}
