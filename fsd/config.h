/* Settings: defaults < config.yaml < environment < options, and the running ones under config/.
 * A setting is a row of the table in config.c: name, kind, default, bounds, help.  A change made
 * through the tree is written back to config.yaml.  Thread: core, but for config_file_edit.
 */
#ifndef SLOTH_FSD_CONFIG_H
#define SLOTH_FSD_CONFIG_H

#include "base/err.h"
#include "base/sbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct config;

/* Places, fixed at start.  The paths are absolute. */
struct config_places {
	char *state_dir, *mount, *config_file;
	bool is_foreground;
	uid_t owner;        /* who runs the master */
	const char *answer; /* --help, --version: print this instead of starting; else NULL */
};

/* Read everything; says on which line a bad file is bad.  Returns owned. */
int config_load(int argc, char **argv, struct config **ret_config, struct err *err) MUST_USE;
void config_free(struct config *config); /* accepts NULL */
const struct config_places *config_places(const struct config *config);

/* What was odd but no error (unknown keys in the file), a sentence a line; "" mostly. */
const char *config_warnings(const struct config *config);

/* The value in its own unit: a number, nanoseconds for durations, bytes for sizes, 0 or 1 for
 * switches, enum log_level for levels.  An unknown name is a bug: asserted. */
int64_t config_int(const struct config *config, const char *name);
/* The value as people write it: "30s", "64M", "info".  Borrowed until it changes. */
const char *config_str(const struct config *config, const char *name);

/* Hear of changes made while running; called once at registration too. */
void config_watch(struct config *config, const char *name,
	void (*changed)(void *arg, int64_t value), void *arg);

/* ---- for the files under config/ ------------------------------------------------------------ */

/* The names in the order of the table; NULL past the last. */
const char *config_name(size_t i);
/* Whether the table has it. */
bool config_has(const char *name);

/* Judge a value.  Returns 0 or -EINVAL with a sentence that names the bounds. */
int config_check(const char *name, const char *text, struct err *err) MUST_USE;

/* Take a value that config_check accepted, and tell the watchers. */
void config_apply(struct config *config, const char *name, const char *text);

/* ---- config_file.c: the file ---------------------------------------------------------------- */

/* Called for each key of the file with its line (from 1); stops at the first that returns < 0. */
typedef int config_entry_fn(
	void *arg, const char *key, const char *value, unsigned line, struct err *err);

/* Read a config.yaml.  A missing file has no entries.  Returns 0, -EINVAL with file:line, or what
 * fn returned.  Blocks: briefly. */
int config_file_read(const char *path, config_entry_fn *fn, void *arg, struct err *err) MUST_USE;

/* Set key to value in the file and leave everything else as the user wrote it; atomically.  Makes
 * the file when missing.  Thread: any.  Blocks: yes.  Returns 0 or -errno. */
int config_file_edit(
	const char *path, const char *key, const char *value, struct err *err) MUST_USE;

/* ---- options.c: command line and places ----------------------------------------------------- */

/* Called for each --set key=value and --log-level in order. */
typedef int config_option_fn(void *arg, const char *key, const char *value, struct err *err);

/* Read the command line and the environment's places.  Returns 0 or -EINVAL; places are the
 * caller's to release by config_places_fini, also after a failure. */
int options_read(int argc, char **argv, struct config_places *ret_places, config_option_fn *fn,
	void *arg, struct err *err) MUST_USE;
void config_places_fini(struct config_places *places);

#endif
