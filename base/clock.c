/* Time: see clock.h.
 *
 * Calendar arithmetic is done here on days since 1970 (timegm and gmtime_r would do, but their
 * struct tm accepts the 31st of February and needs a check of its own anyway); the formulas are the
 * usual ones for the proleptic Gregorian calendar with years beginning in March, where the leap day
 * is the last of the year.
 */
#include "base/clock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#define DAY_S       86400LL
#define YEAR_0_S    (-62167219200LL) /* 0000-01-01T00:00:00Z */
#define YEAR_9999_S 253402300799LL   /* 9999-12-31T23:59:59Z */

static int64_t
clock_ns(clockid_t id)
{
	struct timespec ts;

	(void)clock_gettime(id, &ts); /* cannot fail for these clocks */
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t
clock_real_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

int64_t
clock_mono_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* What lies between the two clocks, as the first call saw it.  Threads that are first together may
 * see it a little differently: one of them decides for all. */
static int64_t
steady_offset_ns(void)
{
	static _Atomic int64_t offset; /* 0: not seen; the clocks never agree to the nanosecond */
	int64_t none = 0, seen;

	if (offset == 0) {
		seen = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME);
		(void)atomic_compare_exchange_strong(&offset, &none, seen); /* another was first */
	}
	return offset;
}

int64_t
clock_steady_ns(void)
{
	return steady_offset_ns() + clock_ns(CLOCK_BOOTTIME);
}

int64_t
clock_steady_of_real(int64_t real_ns)
{
	return real_ns + (clock_steady_ns() - clock_real_ns());
}

int64_t
clock_real_of_steady(int64_t steady_ns)
{
	return steady_ns + (clock_real_ns() - clock_steady_ns());
}

/* Days since 1970-01-01 of a date of the years 0 to 9999. */
static int64_t
days_of(int64_t year, unsigned month, unsigned day)
{
	int64_t y = month <= 2 ? year + 399 : year + 400; /* March-based, made positive */
	int64_t era = y / 400;
	int64_t of_era = y % 400;
	int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return (era - 1) * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* The date of a number of days since 1970-01-01. */
static void
date_of(int64_t days, int *ret_year, unsigned *ret_month, unsigned *ret_day)
{
	int64_t z = days + 719468 + 146097; /* one era more, so that it is positive */
	int64_t of_era = z % 146097;
	int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
	unsigned m = (unsigned)((5 * of_year + 2) / 153);

	*ret_day = (unsigned)(of_year - (153 * m + 2) / 5 + 1);
	*ret_month = m < 10 ? m + 3 : m - 9;
	*ret_year = (int)(y + (z / 146097 - 1) * 400 + (*ret_month <= 2));
}

/* Write a number with n digits at *p, move behind them.  snprintf would be a third of what a line
 * of events/log costs. */
static void
put_digits(char **p, size_t n, unsigned value, char behind)
{
	for (size_t i = n; i-- > 0; value /= 10)
		(*p)[i] = (char)('0' + value % 10);
	(*p)[n] = behind;
	*p += n + 1;
}

void
clock_format(int64_t ns, char ret_text[CLOCK_TEXT_MAX])
{
	int64_t s = ns / NS_PER_S;
	int64_t frac = ns % NS_PER_S;
	unsigned month, day, of_day;
	char *p = ret_text;
	int year;

	if (frac < 0) {
		frac += NS_PER_S;
		s--;
	}
	if (s < YEAR_0_S)
		s = YEAR_0_S;
	if (s > YEAR_9999_S)
		s = YEAR_9999_S;
	of_day = (unsigned)((s % DAY_S + DAY_S) % DAY_S);
	date_of((s - of_day) / DAY_S, &year, &month, &day);
	put_digits(&p, 4, (unsigned)year, '-');
	put_digits(&p, 2, month, '-');
	put_digits(&p, 2, day, 'T');
	put_digits(&p, 2, of_day / 3600, ':');
	put_digits(&p, 2, of_day / 60 % 60, ':');
	put_digits(&p, 2, of_day % 60, '.');
	put_digits(&p, 9, (unsigned)frac, 'Z');
	*p = '\0';
}

/* Read exactly n digits at *p and move behind them. */
static bool
take_digits(const char **p, size_t n, unsigned *ret)
{
	unsigned v = 0;

	for (size_t i = 0; i < n; i++) {
		if ((*p)[i] < '0' || (*p)[i] > '9')
			return false;
		v = v * 10 + (unsigned)((*p)[i] - '0');
	}
	*p += n;
	*ret = v;
	return true;
}

static bool
take_char(const char **p, const char *any_of)
{
	if (!**p || !strchr(any_of, **p))
		return false;
	(*p)++;
	return true;
}

static bool
take_date(const char **p, int64_t *ret_days)
{
	static const unsigned char lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	unsigned year, month, day, last;

	if (!take_digits(p, 4, &year) || !take_char(p, "-") || !take_digits(p, 2, &month) ||
		!take_char(p, "-") || !take_digits(p, 2, &day))
		return false;
	if (month < 1 || month > 12)
		return false;
	last = lengths[month - 1];
	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		last = 29;
	if (day < 1 || day > last)
		return false;
	*ret_days = days_of(year, month, day);
	return true;
}

/* hh:mm:ss; a leap second (60) counts as the second after it. */
static bool
take_time(const char **p, int64_t *ret_s)
{
	unsigned h, m, s;

	if (!take_digits(p, 2, &h) || !take_char(p, ":") || !take_digits(p, 2, &m) ||
		!take_char(p, ":") || !take_digits(p, 2, &s) || h > 23 || m > 59 || s > 60)
		return false;
	*ret_s = h * 3600 + m * 60 + s;
	return true;
}

static bool
take_fraction(const char **p, int64_t *ret_ns)
{
	int64_t unit = NS_PER_S, ns = 0;
	unsigned digit;

	*ret_ns = 0;
	if (!take_char(p, "."))
		return true;
	do {
		if (unit == 1 || !take_digits(p, 1, &digit))
			return false;
		unit /= 10;
		ns += unit * digit;
	} while (**p >= '0' && **p <= '9');
	*ret_ns = ns;
	return true;
}

static bool
take_zone(const char **p, int64_t *ret_offset_s)
{
	bool is_west = **p == '-';
	unsigned h, m;

	*ret_offset_s = 0;
	if (take_char(p, "Zz"))
		return true;
	if (!take_char(p, "+-") || !take_digits(p, 2, &h) || !take_char(p, ":") ||
		!take_digits(p, 2, &m) || h > 23 || m > 59)
		return false;
	*ret_offset_s = (int64_t)(h * 3600 + m * 60) * (is_west ? -1 : 1);
	return true;
}

int
clock_parse(const char *text, int64_t *ret_ns, struct err *err)
{
	const char *p = text;
	int64_t days, of_day, frac, offset, s;

	if (!take_date(&p, &days) || !take_char(&p, "Tt ") || !take_time(&p, &of_day) ||
		!take_fraction(&p, &frac) || !take_zone(&p, &offset) || *p)
		return err_set(err, EINVAL,
			"'%.40s' is not a time like 2026-01-31T23:59:59Z (RFC 3339)", text);
	s = days * DAY_S + of_day - offset;
	if (__builtin_mul_overflow(s, NS_PER_S, &s) || __builtin_add_overflow(s, frac, &s))
		return err_set(err, EINVAL, "'%.40s' is outside the years 1678 to 2262", text);
	*ret_ns = s;
	return 0;
}
