/* Watches the core loop: "the core never waits" is measured.  A request that keeps the core busy
 * for over 5 ms is logged with its node, a whole turn of the loop as such; over 100 ms that is a
 * warning.  A request that took so long without work of the core's own is logged too, and counted:
 * the core waited in a system call, or the machine was busy with others.  The CPU time of turns is
 * a histogram in `metrics`.  Thread: core.
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

/* A piece of work of this turn on a node took took_ns by the clock, which is over the limit. */
void watchdog_slow(struct watchdog *w, int64_t took_ns, const char *what, const char *node);

/* Append sloth_loop_busy_seconds, a Prometheus histogram, and sloth_loop_waits_total. */
void watchdog_metrics(const struct watchdog *w, struct sbuf *out);

#endif
