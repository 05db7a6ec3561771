/* Settings: defaults < config.yaml < environment < options, and the running ones under config/.
 * A setting is a row of the table in config.c: name, kind, default, bounds, help, and what to call
 * when it changes.  A change made through the tree is written back to config.yaml.  Thread: core.
 */
#ifndef SLOTH_FSD_CONFIG_H
#define SLOTH_FSD_CONFIG_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct config;

/* Places, fixed at start. */
struct config_places {
	char *state_dir, *mount, *config_file;
	bool is_foreground;
	uid_t owner; /* who runs the master */
};

/* Read everything; says on which line a bad file is bad.  Returns owned. */
int config_load(int argc, char **argv, struct config **ret_config, struct err *err) MUST_USE;
void config_free(struct config *config);
const struct config_places *config_places(const struct config *config);

/* The value in its own unit: a number, nanoseconds for durations, bytes for sizes; -1 for an
 * unknown name (a bug: asserted). */
int64_t config_int(const struct config *config, const char *name);
const char *config_str(const struct config *config, const char *name);

/* Hear of changes made while running; called once at registration too. */
void config_watch(struct config *config, const char *name,
	void (*changed)(void *arg, int64_t value), void *arg);

#endif
