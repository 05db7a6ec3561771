/* Points in time as text: RFC 3339 with nanoseconds, always UTC when written. */
#ifndef SLOTH_BASE_RFC3339_H
#define SLOTH_BASE_RFC3339_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define RFC3339_LEN 30 /* 2026-01-02T03:04:05.123456789Z */
#define NS_PER_S    1000000000LL

/* Write ns since 1970 with its NUL.  Thread: any. */
void rfc3339_format(int64_t ns, char ret_text[RFC3339_LEN + 1]);

/* Read a date and time with its offset ("Z", "+02:00"), with up to nine digits of a second's
 * fraction (more are cut off).  Years 1970 to 2261.  Returns 0 or -EINVAL.  Thread: any. */
int rfc3339_parse(const char *text, size_t len, int64_t *ret_ns) MUST_USE;

#endif
