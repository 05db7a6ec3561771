/* Watches the core loop: "the core never waits" is measured.  A request that keeps the core busy
 * for over 5 ms is logged with its node, a whole turn of the loop as such; how long turns take, and
 * so how late whatever became ready meanwhile was served, is counted in a histogram for `metrics`.
 * Thread: core.
 */
#ifndef SLOTH_FSD_WATCHDOG_H
#define SLOTH_FSD_WATCHDOG_H

#include "base/sbuf.h"

#include <stdint.h>
#include <uv.h>

#define WATCHDOG_LIMIT_NS (5 * 1000 * 1000)

struct watchdog;
struct log;

/* Costs nothing while the loop sleeps.  log is borrowed.  Returns owned. */
struct watchdog *watchdog_start(uv_loop_t *loop, struct log *log);
/* The loop must run once more afterwards.  Accepts NULL. */
void watchdog_stop(struct watchdog *w);

/* A piece of work on a node took ns, which is over the limit: log it. */
void watchdog_report(struct watchdog *w, int64_t ns, const char *what, const char *node);

/* Append sloth_loop_lag_seconds as a Prometheus histogram. */
void watchdog_metrics(const struct watchdog *w, struct sbuf *out);

#endif
