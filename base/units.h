/* Durations and sizes as people write them: "30s", "1h30m", "90d"; "64M", "65536". */
#ifndef SLOTH_BASE_UNITS_H
#define SLOTH_BASE_UNITS_H

#include "base/err.h"
#include "base/sbuf.h"

#include <stdint.h>

/* Read a duration: numbers with units ns, us, ms, s, m, h, d, w one after the other ("1h30m"), with
 * decimals ("1.5s"); a bare 0 needs no unit.  Never negative.  Returns 0 or -EINVAL. */
int units_parse_duration(const char *text, int64_t *ret_ns, struct err *err) MUST_USE;

/* Read a size in bytes: a whole number, then nothing or K, M, G, T (powers of 1024, "KB" and "KiB"
 * mean the same, small letters too).  Returns 0 or -EINVAL. */
int units_parse_size(const char *text, int64_t *ret_bytes, struct err *err) MUST_USE;

/* Append in the form the parsers read back to the same value: "1h30m", "64M". */
void units_add_duration(struct sbuf *out, int64_t ns);
void units_add_size(struct sbuf *out, int64_t bytes);

/* Append milliseconds with three decimals, as lines of logs have them: "0.123". */
void units_add_ms(struct sbuf *out, int64_t ns);

#endif
