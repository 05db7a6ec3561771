/* The daemon's log: JSON lines {"time","level","msg",...} handed to a sink.  Only rooms, doors and
 * main write to it; lower code returns errors instead.  A log is made once and passed on; it is not
 * for more than one thread. */
#ifndef SLOTH_BASE_LOG_H
#define SLOTH_BASE_LOG_H

#include "base/err.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

struct log;

/* Gets one line without its newline.  The line is borrowed during the call. */
typedef void log_sink_fn(void *arg, enum log_level level, const char *line, size_t len);

/* Lines below the level are dropped.  sink NULL: standard error.  Returns owned. */
struct log *log_new(enum log_level level, log_sink_fn *sink, void *arg);
void log_free(struct log *log); /* accepts NULL */

/* From now on.  sink NULL: standard error. */
void log_set_sink(struct log *log, log_sink_fn *sink, void *arg);
void log_set_level(struct log *log, enum log_level level);

/* Whether lines of the level are written: ask before making a costly one.  log NULL: no. */
bool log_is_on(const struct log *log, enum log_level level);

/* Write one line.  log NULL: nothing is written (tests). */
void log_write(struct log *log, enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same with further members, as JSON text without the braces: "\"node\":\"/x\",\"ms\":7". */
void log_write_with(struct log *log, enum log_level level, const char *members, const char *fmt,
	...) __attribute__((format(printf, 4, 5)));

/* "debug", "info", "warn", "error". */
const char *log_level_name(enum log_level level);

/* Returns 0 or -EINVAL; "warning" is accepted for "warn". */
int log_level_parse(const char *text, enum log_level *ret_level, struct err *err) MUST_USE;

#endif
