/* The master: every room, and how they are wired.  main.c starts and stops it, wiring.c connects
 * the rooms so that none has to know another it should not. */
#ifndef SLOTH_FSD_MASTER_H
#define SLOTH_FSD_MASTER_H

#include "base/err.h"
#include "base/log.h"
#include "fsd/daemon.h"
#include "fsd/store/store.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct hooks_services;
struct worker_services;

/* An event about log lines: when it was last raised, and how long it rests now. */
struct raised {
	int64_t last_ns, pause_ns;
};

struct master {
	uv_loop_t loop;
	struct daemon daemon;
	struct config *config;
	struct log *log;
	struct watchdog *watchdog;
	struct lane *files, *through;
	struct store *store;
	struct tree *tree;
	struct root *root;
	struct workers *workers;
	struct events *events;
	struct hooks *hooks;
	struct stacks *stacks;
	struct dispatcher *dispatcher;
	struct fuse_door *door;
	uv_signal_t terminate, interrupt;
	uv_timer_t patience; /* how long running hooks may still take at a stop */
	bool has_loop, is_ready, is_stopping;
	bool is_drained, is_closed; /* of a stop: the dispatcher, the mount */
	struct raised raised[2];    /* system.warning, system.error */
	int64_t started_ns;
};

/* Whom events ask: about hooks, and about runs that write to events/emit. */
void wire_events(struct master *m);
/* What workers and hooks ask of other rooms. */
void wire_workers(struct master *m, struct worker_services *ret_services);
void wire_hooks(struct master *m, struct hooks_services *ret_services);
/* Whether a stack has unfinished events (arg: the master). */
bool wire_has_unfinished(void *arg, const char *stack);

/* Modes and owners from the store, and back. */
int wire_perms(struct master *m, struct err *err) MUST_USE;
/* Look for damage of the database after a crash, in the background; log says what was found. */
void wire_check(struct master *m);
/* Refusals go to `errors`, changes to `audit`, lines of the log to the file; warnings and errors
 * are events too. */
void wire_log(struct master *m);
/* Everybody's figures for `status` and `metrics`. */
void wire_figures(struct master *m);
/* Settings to the rooms they concern, now and when they change. */
void wire_settings(struct master *m);

/* Raise an event of the master itself; done (may be NULL) is called with m. */
void wire_system_event(struct master *m, const char *type, const char *data, store_text_fn *done);

#endif
