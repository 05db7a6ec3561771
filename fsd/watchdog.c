/* The watchdog: see watchdog.h.
 *
 * A turn is what happens between two preparations of the loop, and it is measured in CPU time of
 * the core thread: sleep costs none, and neither does a machine that gave the processor to somebody
 * else.  Clock time less the sleep that libuv counts (UV_METRICS_IDLE_TIME) would be the obvious
 * measure; it takes a sleep that a signal interrupts for work, and a busy neighbour for us.  A
 * timer that measures its own delay would wake an idle master.
 *
 * CPU time is asked for by a system call of half a microsecond, so it is asked once a turn;
 * requests are timed by the clock, and only a slow one asks again.
 */
#include "fsd/watchdog.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/units.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

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
	int64_t cpu_ns;   /* of the core thread, at the last preparation; 0: none yet */
	bool is_reported; /* something in this turn was blamed already */
	uint64_t counts[LIMITS + 1];
	int64_t sum_ns;
	uint64_t waits;
};

static int64_t
own_cpu_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts); /* cannot fail */
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static void
say(struct watchdog *w, int64_t ns, const char *node, enum log_level level, const char *text)
{
	AUTO(sbuf) struct sbuf members = {0};

	sbuf_adds(&members, "\"ms\":");
	units_add_ms(&members, ns);
	if (node) {
		sbuf_adds(&members, ",\"node\":");
		sbuf_jsons(&members, node);
	}
	log_write_with(w->log, level, sbuf_str(&members), "%s", text);
}

static void
say_busy(struct watchdog *w, int64_t ns, const char *what, const char *node)
{
	AUTO(free) char *text =
		mem_printf("%s kept the core busy for %lld ms", what, ns / NS_PER_MS);

	w->is_reported = true;
	say(w, ns, node, ns > WARN_NS ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, text);
}

static void
count_turn(struct watchdog *w, int64_t ns)
{
	size_t i = 0;

	while (i < LIMITS && ns > limits[i].ns)
		i++;
	w->counts[i]++;
	w->sum_ns += ns;
	if (ns > WATCHDOG_LIMIT_NS && !w->is_reported)
		say_busy(w, ns, "a turn of the core loop", NULL);
	w->is_reported = false;
}

static void
on_prepare(uv_prepare_t *prepare)
{
	struct watchdog *w = prepare->data;
	int64_t cpu_ns = own_cpu_ns();

	if (w->cpu_ns)
		count_turn(w, cpu_ns - w->cpu_ns);
	w->cpu_ns = cpu_ns;
}

struct watchdog *
watchdog_start(uv_loop_t *loop, struct log *log)
{
	struct watchdog *w = NEW(struct watchdog);

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
watchdog_slow(struct watchdog *w, int64_t took_ns, const char *what, const char *node)
{
	int64_t cpu_ns = w->cpu_ns ? own_cpu_ns() - w->cpu_ns : 0; /* of the turn until now */
	AUTO(free) char *text = NULL;

	if (cpu_ns > WATCHDOG_LIMIT_NS) {
		say_busy(w, cpu_ns < took_ns ? cpu_ns : took_ns, what, node);
		return;
	}
	w->waits++;
	text = mem_printf(
		"%s took %lld ms with less than %lld ms of CPU: the core waited, or others "
		"had the processor",
		what, took_ns / NS_PER_MS, cpu_ns / NS_PER_MS + 1);
	say(w, took_ns, node, LOG_LEVEL_INFO, text);
}

void
watchdog_metrics(const struct watchdog *w, struct sbuf *out)
{
	uint64_t total = 0;

	sbuf_adds(out, "# HELP sloth_loop_busy_seconds CPU time of turns of the core loop.\n"
		       "# TYPE sloth_loop_busy_seconds histogram\n");
	for (size_t i = 0; i < LIMITS; i++) {
		total += w->counts[i];
		sbuf_printf(out, "sloth_loop_busy_seconds_bucket{le=\"%s\"} %" PRIu64 "\n",
			limits[i].label, total);
	}
	total += w->counts[LIMITS];
	sbuf_printf(out,
		"sloth_loop_busy_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n"
		"sloth_loop_busy_seconds_sum %.6f\nsloth_loop_busy_seconds_count %" PRIu64 "\n"
		"# HELP sloth_loop_waits_total Slow requests that were not work of the core.\n"
		"# TYPE sloth_loop_waits_total counter\n"
		"sloth_loop_waits_total %" PRIu64 "\n",
		total, (double)w->sum_ns / NS_PER_S, total, w->waits);
}
