/* sloth-fsd: start and stop.
 *
 * The start is a row of steps, each of which makes one room; the first that fails ends it with one
 * sentence, and what was made is taken down again by the same code that ends every run.
 *
 * The stop is a chain of callbacks, because the loop goes on serving meanwhile: the event
 * system.shutdown is committed, intake closes, hooks that run may end (shutdown_timeout at most),
 * the mount goes, the workers go, and at last, with the loop at rest, the store.
 */
#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/units.h"
#include "fsd/config.h"
#include "fsd/doors/fuse.h"
#include "fsd/events/dispatcher.h"
#include "fsd/events/events.h"
#include "fsd/hooks/hooks.h"
#include "fsd/lane.h"
#include "fsd/master.h"
#include "fsd/root/root.h"
#include "fsd/stacks/stacks.h"
#include "fsd/store/store.h"
#include "fsd/tree/rows.h"
#include "fsd/tree/tree.h"
#include "fsd/watchdog.h"
#include "fsd/workers/workers.h"

#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define EXIT_USAGE 2

/* ---- stop ----------------------------------------------------------------------------------- */

/* The mount is gone, so nobody asks for figures any more and the pool may go too; runs that are
 * still there end as interrupted, and then the dispatcher has drained. */
static void
on_closed(void *arg)
{
	struct master *m = arg;

	m->is_closed = true;
	workers_stop(TAKE(m->workers));
	if (m->is_drained)
		uv_stop(&m->loop);
}

static void
close_door(struct master *m)
{
	if (m->door)
		fuse_door_close(TAKE(m->door), on_closed, m);
}

static void
on_drained(void *arg)
{
	struct master *m = arg;

	m->is_drained = true;
	if (m->is_closed)
		uv_stop(&m->loop);
	else
		close_door(m);
}

static void
on_impatient(uv_timer_t *timer)
{
	struct master *m = timer->data;

	log_write(m->log, LOG_LEVEL_WARN,
		"hooks still run after shutdown_timeout (%s); they are ended",
		config_str(m->config, "shutdown_timeout"));
	close_door(m);
}

/* system.shutdown is committed, or will not be. */
static void
on_said(void *arg, int code, struct sbuf *out)
{
	struct master *m = arg;

	(void)out;
	if (code < 0)
		log_write(m->log, LOG_LEVEL_WARN, "system.shutdown could not be kept: %s",
			strerror(-code));
	events_stop(m->events);
	dispatcher_drain(m->dispatcher, on_drained, m);
}

/* Begin to stop; when asked twice, wait for no hook any more. */
static void
stop(struct master *m, const char *why)
{
	uint64_t wait_ms = (uint64_t)(config_int(m->config, "shutdown_timeout") / NS_PER_MS);
	AUTO(sbuf) struct sbuf data = {0};

	if (m->is_stopping) {
		(void)uv_timer_start(&m->patience, on_impatient, 0, 0);
		return;
	}
	m->is_stopping = true;
	daemon_stopping();
	log_write(m->log, LOG_LEVEL_INFO, "stopping: %s", why);
	(void)uv_timer_start(&m->patience, on_impatient, wait_ms, 0);
	sbuf_adds(&data, "{\"reason\":");
	sbuf_jsons(&data, why);
	sbuf_adds(&data, ",\"uptime\":\"");
	units_add_duration(&data, m->is_ready ? clock_real_ns() - m->started_ns : 0);
	sbuf_adds(&data, "\"}");
	wire_system_event(m, "system.shutdown", sbuf_str(&data), on_said);
}

static void
on_signal(uv_signal_t *signal, int number)
{
	stop(signal->data, number == SIGTERM ? "SIGTERM" : "SIGINT");
}

static void
on_unmounted(void *arg)
{
	stop(arg, "the tree was unmounted from outside");
}

/* ---- start: one step a room ----------------------------------------------------------------- */

static int
start_loop(struct master *m, struct err *err)
{
	int rc = uv_loop_init(&m->loop);

	if (rc < 0)
		return err_set(err, -rc, "the event loop cannot be made: %s", uv_strerror(rc));
	m->has_loop = true;
	m->watchdog = watchdog_start(&m->loop, m->log);
	m->through = lane_start_apart(&m->loop, "through"); /* before anything is open */
	m->files = lane_start(&m->loop, "files", NULL, NULL);
	(void)uv_timer_init(&m->loop, &m->patience); /* cannot fail */
	m->patience.data = m;
	return 0;
}

static int
start_signals(struct master *m, struct err *err)
{
	int rc = uv_signal_init(&m->loop, &m->terminate);

	(void)signal(SIGPIPE, SIG_IGN); /* cannot fail for these two */
	(void)signal(SIGHUP, SIG_IGN);
	if (rc == 0)
		rc = uv_signal_init(&m->loop, &m->interrupt);
	m->terminate.data = m->interrupt.data = m;
	if (rc == 0)
		rc = uv_signal_start(&m->terminate, on_signal, SIGTERM);
	if (rc == 0)
		rc = uv_signal_start(&m->interrupt, on_signal, SIGINT);
	return rc < 0 ? err_set(err, -rc, "signals cannot be watched: %s", uv_strerror(rc)) : 0;
}

static int
make_state_dir(const char *path, struct err *err)
{
	AUTO(free) char *parent = mem_strdup(path);

	if (mkdir(dirname(parent), 0755) < 0 && errno != EEXIST)
		return err_set(err, errno, "%s cannot be made: %s", parent, strerror(errno));
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_set(err, errno, "%s: the state directory cannot be made: %s", path,
			strerror(errno));
	return 0;
}

static int
start_store(struct master *m, struct err *err)
{
	const char *dir = config_places(m->config)->state_dir;
	struct store_options opt = {
		.dir = dir, .reserve_bytes = (uint64_t)config_int(m->config, "disk_reserve")};
	int rc = make_state_dir(dir, err);

	return rc < 0 ? rc : store_open(&m->loop, &opt, &m->store, err);
}

static int
start_tree(struct master *m, struct err *err)
{
	m->tree = tree_new(&m->loop, m->files, tree_rows, tree_row_count);
	return wire_perms(m, err);
}

static int
start_root(struct master *m, struct err *err)
{
	struct root_options opt = {.files = m->files, .config = m->config, .tree = m->tree};
	int rc = root_new(&opt, &m->root, err);

	if (rc == 0)
		wire_log(m);
	return rc;
}

/* The directory this program is in: the worker is beside it. */
static int
own_dir(char ret_dir[PATH_MAX], struct err *err)
{
	ssize_t n = readlink("/proc/self/exe", ret_dir, PATH_MAX - 1);

	if (n < 0)
		return err_set(err, errno, "/proc/self/exe cannot be read: %s", strerror(errno));
	ret_dir[n] = '\0';
	*strrchr(ret_dir, '/') = '\0';
	return 0;
}

static int
start_workers(struct master *m, struct err *err)
{
	const struct config_places *places = config_places(m->config);
	struct worker_services services;
	AUTO(free) char *program = NULL;
	char dir[PATH_MAX];
	int rc = own_dir(dir, err);

	if (rc < 0)
		return rc;
	program = mem_printf("%s/sloth-worker", dir);
	wire_workers(m, &services);
	return workers_start(&m->loop,
		&(struct worker_options){.program = program,
			.state_dir = places->state_dir,
			.mount = places->mount,
			.bin_dir = dir,
			.log = m->log,
			.no_new_privs = config_int(m->config, "no_new_privs") != 0},
		&services, &m->workers, err);
}

static int
start_events(struct master *m, struct err *err)
{
	const char *state = config_places(m->config)->state_dir;
	AUTO(free) char *dir = mem_printf("%s/events", state);
	AUTO(free) char *log = mem_printf("%s/log", dir);
	AUTO(free) char *log_dir = mem_printf("%s/log.d", dir);
	int rc;

	if ((mkdir(dir, 0700) < 0 || mkdir(log_dir, 0700) < 0) && errno != EEXIST)
		return err_set(err, errno, "%s cannot be made: %s", log_dir, strerror(errno));
	rc = events_new(
		&(struct events_options){.loop = &m->loop,
			.store = m->store,
			.tree = m->tree,
			.files = m->files,
			.log_path = log,
			.log_dir = log_dir,
			.log_max_bytes = (uint64_t)config_int(m->config, "events_log_max_bytes"),
			.steps = m->log},
		&m->events, err);
	if (rc == 0)
		tree_set_room(m->tree, "events", m->events);
	return rc;
}

static int
start_hooks(struct master *m, struct err *err)
{
	struct hooks_options opt = {.loop = &m->loop,
		.tree = m->tree,
		.store = m->store,
		.files = m->files,
		.log = m->log,
		.state_dir = config_places(m->config)->state_dir};
	int rc;

	wire_hooks(m, &opt.services);
	rc = hooks_new(&opt, &m->hooks, err);
	if (rc == 0)
		tree_set_room(m->tree, "hooks", m->hooks);
	return rc;
}

static int
start_stacks(struct master *m, struct err *err)
{
	int rc = stacks_new(&(struct stacks_options){.tree = m->tree,
				    .hooks = m->hooks,
				    .files = m->files,
				    .state_dir = config_places(m->config)->state_dir,
				    .has_unfinished = wire_has_unfinished,
				    .arg = m},
		&m->stacks, err);

	if (rc == 0)
		tree_set_room(m->tree, "stacks", m->stacks);
	return rc;
}

static int
start_dispatcher(struct master *m, struct err *err)
{
	m->dispatcher = dispatcher_new(&m->loop, &(struct dispatcher_rooms){.store = m->store,
							 .hooks = m->hooks,
							 .workers = m->workers,
							 .events = m->events,
							 .log = m->log});
	events_set_dispatcher(m->events, m->dispatcher);
	wire_events(m);
	wire_settings(m);
	wire_figures(m);
	return dispatcher_start(m->dispatcher, err);
}

static void
log_start(struct master *m)
{
	const struct config_places *places = config_places(m->config);
	AUTO(free) char *warnings = mem_strdup(config_warnings(m->config));
	char *save = NULL;

	for (char *line = strtok_r(warnings, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		log_write(m->log, LOG_LEVEL_WARN, "%s", line);
	log_write(m->log, LOG_LEVEL_INFO, "sloth-fsd %s serves %s from %s", SLOTH_VERSION,
		places->mount, places->state_dir);
}

/* The mount answers. */
static void
on_ready(void *arg)
{
	struct master *m = arg;
	const struct config_places *places = config_places(m->config);
	AUTO(sbuf) struct sbuf data = {0};
	char started[CLOCK_TEXT_MAX];
	struct err err = {0};

	m->is_ready = true;
	m->started_ns = clock_real_ns();
	if (daemon_record(places->state_dir, places->mount, &err) < 0)
		log_write(m->log, LOG_LEVEL_WARN, "%s", err.msg);
	log_start(m);
	sbuf_adds(&data, "{\"version\":\"" SLOTH_VERSION "\",\"mount\":");
	sbuf_jsons(&data, places->mount);
	clock_format(m->started_ns, started);
	sbuf_printf(&data, ",\"start_time\":\"%s\",\"crashed\":%s}", started,
		store_was_crashed(m->store) ? "true" : "false");
	wire_system_event(m, "system.startup", sbuf_str(&data), NULL);
	if (store_was_crashed(m->store))
		wire_check(m);
	daemon_ready(&m->daemon);
}

static int
start_door(struct master *m, struct err *err)
{
	int rc = fuse_door_open(&(struct fuse_options){.loop = &m->loop,
					.tree = m->tree,
					.watchdog = m->watchdog,
					.through = m->through,
					.mount = config_places(m->config)->mount,
					.allow_other = config_int(m->config, "allow_other"),
					.ready = on_ready,
					.ended = on_unmounted,
					.arg = m},
		&m->door, err);

	if (rc == 0)
		m->through = NULL; /* the door's */
	return rc;
}

static int
start(struct master *m, struct err *err)
{
	static int (*const steps[])(struct master * m, struct err * err) = {start_loop,
		start_signals, start_store, start_tree, start_root, start_workers, start_events,
		start_hooks, start_stacks, start_dispatcher, start_door};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(steps) / sizeof(steps[0]); i++)
		rc = steps[i](m, err);
	return rc;
}

/* ---- the end -------------------------------------------------------------------------------- */

static void
close_handle(uv_handle_t *handle)
{
	if (handle->type != UV_UNKNOWN_HANDLE && !uv_is_closing(handle))
		uv_close(handle, NULL);
}

/* Take down what was started, however far that went.  Rooms go in the reverse order of who calls
 * whom back: a lane delivers what it still has when it stops, and its rooms must be there then. */
static void
take_down(struct master *m)
{
	if (m->workers)
		workers_stop(m->workers);
	if (m->hooks)
		hooks_stop(m->hooks);
	log_set_sink(m->log, NULL, NULL);
	if (m->root)
		root_close_logs(m->root);
	store_close(m->store); /* what it still had to say goes to rooms that are there */
	events_free(m->events);
	lane_stop(m->files);
	lane_stop(m->through);
	dispatcher_free(m->dispatcher);
	stacks_free(m->stacks);
	hooks_free(m->hooks);
	watchdog_stop(m->watchdog);
	close_handle((uv_handle_t *)&m->terminate);
	close_handle((uv_handle_t *)&m->interrupt);
	close_handle((uv_handle_t *)&m->patience);
	tree_free(m->tree);
	if (m->has_loop) {
		(void)uv_run(&m->loop, UV_RUN_DEFAULT); /* until every handle is closed */
		(void)uv_loop_close(&m->loop);
	}
	root_free(m->root);
}

static int
run(struct master *m)
{
	struct err err = {0};
	int rc;

	m->log = log_new((enum log_level)config_int(m->config, "log_level"), NULL, NULL);
	rc = start(m, &err);
	if (rc == 0)
		(void)uv_run(&m->loop, UV_RUN_DEFAULT); /* until uv_stop */
	else
		daemon_failed(&m->daemon, &err);
	take_down(m);
	if (rc == 0)
		daemon_unrecord(config_places(m->config)->state_dir);
	log_free(m->log);
	return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
	struct master *m = NEW(struct master);
	struct err err = {0};
	int code;

	if (config_load(argc, argv, &m->config, &err) < 0) {
		(void)fprintf(stderr, "sloth-fsd: %s\n", err.msg);
		free(m);
		return EXIT_USAGE;
	}
	if (config_places(m->config)->answer) {
		(void)fputs(config_places(m->config)->answer, stdout);
		code = EXIT_SUCCESS;
	} else if (daemon_begin(config_places(m->config)->is_foreground, &m->daemon, &err) < 0) {
		daemon_failed(&m->daemon, &err);
		code = EXIT_FAILURE;
	} else {
		code = run(m);
	}
	config_free(m->config);
	free(m);
	return code;
}
