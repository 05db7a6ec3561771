/* Errors as small values: see err.h.  A value on the stack needs no release and cannot fail to
 * be made, which an allocated error can just when it matters. */
#include "base/err.h"

#include <stdio.h>
#include <string.h>

int
err_vset(struct err *err, int code, const char *fmt, va_list ap)
{
	if (err) {
		err->code = code;
		(void)vsnprintf(err->msg, sizeof(err->msg), fmt, ap); /* cut is accepted */
	}
	return -code;
}

int
err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)err_vset(err, code, fmt, ap); /* the code is returned below */
	va_end(ap);
	return -code;
}

int
err_wrap(struct err *err, int code, const char *fmt, ...)
{
	char tail[ERR_MSG_MAX];
	va_list ap;
	int n, left;

	if (!err)
		return -code;
	memcpy(tail, err->msg, sizeof(tail));
	va_start(ap, fmt);
	n = vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	left = ERR_MSG_MAX - n;
	if (n >= 0 && left > 2)
		(void)snprintf(err->msg + n, (size_t)left, ": %.*s", left - 3, tail);
	return -err->code;
}
