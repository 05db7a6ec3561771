/* Time: nanoseconds since 1970 for what people see, a monotonic clock for intervals, and RFC 3339
 * text in between.  Text is always UTC with nine decimals, so that it sorts as it reads. */
#ifndef SLOTH_BASE_CLOCK_H
#define SLOTH_BASE_CLOCK_H

#include "base/err.h"

#include <stdint.h>

#define NS_PER_US 1000LL
#define NS_PER_MS 1000000LL
#define NS_PER_S  1000000000LL

/* "2026-01-31T23:59:59.123456789Z" and its NUL. */
#define CLOCK_TEXT_MAX 32

/* Now, in ns since 1970.  It may jump; intervals are taken from clock_mono_ns. */
int64_t clock_real_ns(void);

/* Now, in ns since some moment; never goes back. */
int64_t clock_mono_ns(void);

/* Now, in ns since 1970 as this process's first call of it saw the clock: near the real time, but
 * it never jumps, and it goes on while the machine sleeps.  For what is due at a time and must not
 * mind a clock that is set. */
int64_t clock_steady_ns(void);
/* Between the two, by the difference they have now; good to a few microseconds. */
int64_t clock_steady_of_real(int64_t real_ns);
int64_t clock_real_of_steady(int64_t steady_ns);

/* Write the time as RFC 3339 in UTC with nine decimals.  Times outside the years 0 to 9999 are
 * written as the nearest of them. */
void clock_format(int64_t ns, char ret_text[CLOCK_TEXT_MAX]);

/* Read RFC 3339: "2026-01-31T23:59:59", then up to nine decimals, then Z or an offset such as
 * +02:00.  A space or a small t may stand for T.  Returns 0 or -EINVAL. */
int clock_parse(const char *text, int64_t *ret_ns, struct err *err) MUST_USE;

#endif
