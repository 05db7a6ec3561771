/* `status`, `status.json` and `metrics`: figures asked of the rooms at the moment of the read,
 * nothing kept.  `metrics` is a table of rows, each a name, a help text and how to get the value;
 * labels are few and fixed.
 */
#include "base/clock.h"
#include "base/units.h"
#include "fsd/config.h"
#include "fsd/events/dispatcher.h"
#include "fsd/events/events.h"
#include "fsd/root/room.h"
#include "fsd/store/store.h"
#include "fsd/tree/log_file.h"
#include "fsd/tree/tree.h"
#include "fsd/watchdog.h"
#include "fsd/workers/workers.h"

#include <inttypes.h>
#include <unistd.h>

#define RATE_S 10 /* the dispatcher counts what was completed in this many seconds */

struct figures {
	struct store_figures store;
	struct dispatcher_figures queue;
	struct events_figures events;
	unsigned limit, busy, processes;
	size_t outstanding;
	uint64_t lost_lines;
	int64_t now_ns, uptime_ns, oldest_age_ns; /* oldest_age_ns 0: nothing waits */
};

static struct figures
ask(const struct root *root)
{
	const struct root_rooms *rooms = &root->rooms;
	struct figures f = {.now_ns = clock_real_ns()};

	store_figures(rooms->store, &f.store);
	dispatcher_figures(rooms->dispatcher, &f.queue);
	events_figures(rooms->events, &f.events);
	f.limit = workers_limit(rooms->workers);
	f.busy = workers_busy(rooms->workers);
	f.processes = workers_processes(rooms->workers);
	f.outstanding = tree_outstanding(root->opt.tree);
	f.lost_lines =
		log_file_lost(root->log) + log_file_lost(root->errors) + log_file_lost(root->audit);
	f.uptime_ns = f.now_ns - root->started_ns;
	if (f.queue.oldest_ns)
		f.oldest_age_ns = f.now_ns - (int64_t)f.queue.oldest_ns;
	return f;
}

static void
add_seconds(struct sbuf *out, int64_t ns)
{
	units_add_duration(out, ns < NS_PER_S ? 0 : ns / NS_PER_S * NS_PER_S);
}

/* What the look for damage after a crash has found so far. */
static const char *
check_words(enum store_check check)
{
	switch (check) {
	case STORE_UNCHECKED:
		return "";
	case STORE_CHECKING:
		return ", being checked after a crash";
	case STORE_SOUND:
		return ", checked after a crash: sound";
	case STORE_DAMAGED:
		return "; DAMAGED, see log";
	}
	return "";
}

/* ---- status --------------------------------------------------------------------------------- */

void
figures_add_status(const struct root *root, struct sbuf *out)
{
	const struct config_places *places = config_places(root->opt.config);
	struct figures f = ask(root);

	sbuf_adds(out, "master   sloth-fsd " SLOTH_VERSION ", up ");
	add_seconds(out, f.uptime_ns);
	sbuf_printf(out, ", pid %d\nmount    %s\nstate    %s\n", (int)getpid(), places->mount,
		places->state_dir);
	sbuf_adds(out, "events   ");
	for (int i = EVENT_PENDING; i <= EVENT_FAILED; i++)
		sbuf_printf(out, "%s%s %" PRIu64, i ? ", " : "",
			event_status_name((enum event_status)i), f.store.events_by_status[i]);
	sbuf_printf(out, "\nqueue    %" PRIu64 " unfinished", f.queue.queued);
	if (f.oldest_age_ns > 0) {
		sbuf_adds(out, ", the oldest for ");
		add_seconds(out, f.oldest_age_ns);
	}
	sbuf_printf(out, "\nrate     %.1f events a second, over the last %d s\n",
		(double)f.queue.completed_10s / RATE_S, RATE_S);
	sbuf_printf(out, "workers  %u of %u invocations running, in %u processes\n", f.busy,
		f.limit, f.processes);
	sbuf_printf(out, "store    %.1f MB, WAL %.1f MB%s%s\n", (double)f.store.db_bytes / 1e6,
		(double)f.store.wal_bytes / 1e6, check_words(f.store.check),
		f.store.is_full ? "; THE DISK IS NEARLY FULL: new events are refused" : "");
}

void
figures_add_json(const struct root *root, struct sbuf *out)
{
	const struct config_places *places = config_places(root->opt.config);
	struct figures f = ask(root);

	sbuf_printf(out,
		"{\"version\":\"" SLOTH_VERSION "\",\"pid\":%d,\"uptime_seconds\":%lld"
		",\"mount\":",
		(int)getpid(), f.uptime_ns / NS_PER_S);
	sbuf_jsons(out, places->mount);
	sbuf_adds(out, ",\"state\":");
	sbuf_jsons(out, places->state_dir);
	sbuf_adds(out, ",\"events\":{");
	for (int i = EVENT_PENDING; i <= EVENT_FAILED; i++)
		sbuf_printf(out, "%s\"%s\":%" PRIu64, i ? "," : "",
			event_status_name((enum event_status)i), f.store.events_by_status[i]);
	sbuf_printf(out,
		"},\"queue\":{\"depth\":%" PRIu64 ",\"oldest_seconds\":%.3f,\"rate\":%.1f}",
		f.queue.queued, (double)f.oldest_age_ns / NS_PER_S,
		(double)f.queue.completed_10s / RATE_S);
	sbuf_printf(out, ",\"workers\":{\"busy\":%u,\"limit\":%u,\"processes\":%u}", f.busy,
		f.limit, f.processes);
	sbuf_printf(out,
		",\"store\":{\"db_bytes\":%" PRIu64 ",\"wal_bytes\":%" PRIu64
		",\"commits\":%" PRIu64 ",\"is_full\":%s,\"is_damaged\":%s}}\n",
		f.store.db_bytes, f.store.wal_bytes, f.store.commits,
		f.store.is_full ? "true" : "false",
		f.store.check == STORE_DAMAGED ? "true" : "false");
}

/* ---- metrics -------------------------------------------------------------------------------- */

static void
add_metric(struct sbuf *out, const char *name, const char *type, const char *help, double value)
{
	sbuf_printf(
		out, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n", name, help, name, type, name, value);
}

static void
add_event_metrics(const struct figures *f, struct sbuf *out)
{
	sbuf_adds(out,
		"# HELP sloth_events Events in the store by status.\n# TYPE sloth_events gauge\n");
	for (int i = EVENT_PENDING; i <= EVENT_FAILED; i++)
		sbuf_printf(out, "sloth_events{status=\"%s\"} %" PRIu64 "\n",
			event_status_name((enum event_status)i), f->store.events_by_status[i]);
	add_metric(out, "sloth_events_accepted_total", "counter", "Events accepted since start.",
		(double)f->events.accepted);
	add_metric(out, "sloth_events_duplicate_total", "counter",
		"Events whose id their sender had used before.", (double)f->events.duplicates);
	add_metric(out, "sloth_events_refused_total", "counter",
		"Records that were no valid events.", (double)f->events.refused);
	add_metric(out, "sloth_events_dropped_total", "counter",
		"Unfinished records of writers that went away.", (double)f->events.dropped);
	add_metric(out, "sloth_stream_lost_total", "counter",
		"Lines that slow readers of streams did not get.", (double)f->events.lost);
	add_metric(
		out, "sloth_queue_depth", "gauge", "Unfinished events.", (double)f->queue.queued);
	add_metric(out, "sloth_queue_oldest_seconds", "gauge",
		"Age of the oldest unfinished event.", (double)f->oldest_age_ns / NS_PER_S);
	add_metric(out, "sloth_events_finished_total", "counter", "Events finished since start.",
		(double)f->queue.finished);
}

static void
add_room_metrics(const struct figures *f, struct sbuf *out)
{
	add_metric(out, "sloth_workers_busy", "gauge", "Invocations running.", f->busy);
	add_metric(
		out, "sloth_workers_limit", "gauge", "Invocations that may run at once.", f->limit);
	add_metric(out, "sloth_worker_processes", "gauge", "Worker processes.", f->processes);
	add_metric(out, "sloth_store_db_bytes", "gauge", "Size of the database.",
		(double)f->store.db_bytes);
	add_metric(out, "sloth_store_wal_bytes", "gauge", "Size of its write-ahead log.",
		(double)f->store.wal_bytes);
	add_metric(out, "sloth_store_commits_total", "counter", "Commits since start.",
		(double)f->store.commits);
	add_metric(out, "sloth_store_commit_seconds", "gauge", "How long the last commit took.",
		(double)f->store.last_commit_ns / NS_PER_S);
	add_metric(out, "sloth_store_writer_depth", "gauge", "Writes waiting for the store.",
		(double)f->store.writer_depth);
	add_metric(out, "sloth_store_full", "gauge", "1 while the disk reserve is reached.",
		f->store.is_full);
	add_metric(out, "sloth_store_damaged", "gauge",
		"1 when the check after a crash found damage.", f->store.check == STORE_DAMAGED);
	add_metric(out, "sloth_tree_outstanding", "gauge",
		"Requests of all doors not answered yet.", (double)f->outstanding);
	add_metric(out, "sloth_log_lost_total", "counter",
		"Lines the log, errors and audit could not keep.", (double)f->lost_lines);
}

void
figures_add_metrics(const struct root *root, struct sbuf *out)
{
	struct figures f = ask(root);

	sbuf_adds(out, "# HELP sloth_build_info The build of the master.\n"
		       "# TYPE sloth_build_info gauge\n"
		       "sloth_build_info{version=\"" SLOTH_VERSION "\"} 1\n");
	add_metric(out, "sloth_start_time_seconds", "gauge", "When the master started.",
		(double)root->started_ns / NS_PER_S);
	add_event_metrics(&f, out);
	add_room_metrics(&f, out);
	if (root->rooms.add_metrics)
		root->rooms.add_metrics(root->rooms.arg, out);
	watchdog_metrics(root->rooms.watchdog, out);
}
