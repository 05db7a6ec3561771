/* The daemon as a process: into the background with its readiness told back, to systemd too, and
 * the record of where it runs. */
#ifndef SLOTH_FSD_DAEMON_H
#define SLOTH_FSD_DAEMON_H

#include "base/err.h"

#include <stdbool.h>

struct daemon {
	int ready_fd; /* the waiting parent; -1 in the foreground */
};

/* Fork into a session of its own, without a terminal, unless is_foreground; returns only in the
 * process that goes on. The parent waits for daemon_ready or daemon_failed and exits 0 or 1 with
 * the message printed. Call it before any thread is made. */
int daemon_begin(bool is_foreground, struct daemon *ret_daemon, struct err *err) MUST_USE;

/* Mounted: release the parent, tell systemd (NOTIFY_SOCKET). */
void daemon_ready(struct daemon *daemon);

/* Could not start: let the parent print why, or print it. */
void daemon_failed(struct daemon *daemon, const struct err *err);

/* The end has begun: tell systemd. */
void daemon_stopping(void);

/* Write <state_dir>/master.json: pid, mount, when started.  Atomically. */
int daemon_record(const char *state_dir, const char *mount, struct err *err) MUST_USE;
void daemon_unrecord(const char *state_dir);

#endif
