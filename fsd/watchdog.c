/* The watchdog: see watchdog.h.
 *
 * A turn is what happens between two preparations of the loop, less the time it slept in between
 * (libuv counts it: UV_METRICS_IDLE_TIME).  A timer that measures its own delay would be simpler,
 * and would wake an idle master.
 */
#include "fsd/watchdog.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#define WARN_NS (100 * NS_PER_MS) /* longer, and somebody should look */

static const struct {
	int64_t ns;
	const char *label;
} limits[] = {
	{100 * NS_PER_US, "0.0001"},
	{300 * NS_PER_US, "0.0003"},
	{NS_PER_MS, "0.001"},
	{3 * NS_PER_MS, "0.003"},
	{WATCHDOG_LIMIT_NS, "0.005"},
	{10 * NS_PER_MS, "0.01"},
	{30 * NS_PER_MS, "0.03"},
	{100 * NS_PER_MS, "0.1"},
	{NS_PER_S, "1"},
};
#define LIMITS (sizeof(limits) / sizeof(limits[0]))

struct watchdog {
	uv_prepare_t prepare;
	struct log *log;
	int64_t since_ns; /* the last preparation; 0: the loop has not begun */
	uint64_t idle_ns; /* and how long the loop had slept until then */
	bool is_reported; /* something in this turn was blamed already */
	uint64_t counts[LIMITS + 1];
	int64_t sum_ns;
};

static void
count_turn(struct watchdog *w, int64_t ns)
{
	size_t i = 0;

	while (i < LIMITS && ns > limits[i].ns)
		i++;
	w->counts[i]++;
	w->sum_ns += ns;
	if (ns > WATCHDOG_LIMIT_NS && !w->is_reported)
		watchdog_report(w, ns, "a turn of the core loop", NULL);
	w->is_reported = false;
}

static void
on_prepare(uv_prepare_t *prepare)
{
	struct watchdog *w = prepare->data;
	int64_t now = clock_mono_ns();
	uint64_t idle = uv_metrics_idle_time(prepare->loop);

	if (w->since_ns)
		count_turn(w, now - w->since_ns - (int64_t)(idle - w->idle_ns));
	w->since_ns = now;
	w->idle_ns = idle;
}

struct watchdog *
watchdog_start(uv_loop_t *loop, struct log *log)
{
	struct watchdog *w = NEW(struct watchdog);

	(void)uv_loop_configure(loop, UV_METRICS_IDLE_TIME); /* fails on unknown options only */
	w->log = log;
	(void)uv_prepare_init(loop, &w->prepare); /* cannot fail, as uv_prepare_start */
	w->prepare.data = w;
	(void)uv_prepare_start(&w->prepare, on_prepare);
	uv_unref((uv_handle_t *)&w->prepare);
	return w;
}

static void
on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void
watchdog_stop(struct watchdog *w)
{
	if (w)
		uv_close((uv_handle_t *)&w->prepare, on_closed);
}

void
watchdog_report(struct watchdog *w, int64_t ns, const char *what, const char *node)
{
	struct sbuf members = {0};

	w->is_reported = true;
	sbuf_printf(&members, "\"ms\":%.1f", (double)ns / NS_PER_MS);
	if (node) {
		sbuf_adds(&members, ",\"node\":");
		sbuf_jsons(&members, node);
	}
	log_write_with(w->log, ns > WARN_NS ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, sbuf_str(&members),
		"%s kept the core busy for %lld ms", what, ns / NS_PER_MS);
	sbuf_fini(&members);
}

void
watchdog_metrics(const struct watchdog *w, struct sbuf *out)
{
	uint64_t total = 0;

	sbuf_adds(out, "# HELP sloth_loop_lag_seconds How long turns of the core loop took.\n"
		       "# TYPE sloth_loop_lag_seconds histogram\n");
	for (size_t i = 0; i < LIMITS; i++) {
		total += w->counts[i];
		sbuf_printf(out, "sloth_loop_lag_seconds_bucket{le=\"%s\"} %" PRIu64 "\n",
			limits[i].label, total);
	}
	total += w->counts[LIMITS];
	sbuf_printf(out,
		"sloth_loop_lag_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n"
		"sloth_loop_lag_seconds_sum %.6f\nsloth_loop_lag_seconds_count %" PRIu64 "\n",
		total, (double)w->sum_ns / NS_PER_S, total);
}
