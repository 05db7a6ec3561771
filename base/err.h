/* Errors.  A function that can fail returns 0 or more on success and a negative errno on failure.
 * What a person could see fail takes `struct err *err` last: a small value on the caller's stack,
 * set on every failure and untouched on success; NULL means "no text wanted".  Lower code never
 * logs.  Messages say what failed, on which object, why, and what to do; outside data is quoted.
 *
 *	return err_set(err, ENOENT, "hook '%s' is not registered", name);
 */
#ifndef SLOTH_BASE_ERR_H
#define SLOTH_BASE_ERR_H

#include <errno.h>
#include <stdarg.h>

#define ERR_MSG_MAX 240
#define MUST_USE    __attribute__((warn_unused_result))

struct err {
	int code;              /* positive errno */
	char msg[ERR_MSG_MAX]; /* one line, cut at the end when too long */
};

/* Set code and message.  Returns -code, so that a failing function returns the call. */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* err_set for a caller that has a va_list. */
int err_vset(struct err *err, int code, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));

/* Put "context: " in front of a message already set.  Returns -err->code (or -code when err is
 * NULL), so that a caller returns the call. */
int err_wrap(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
