/* RFC 3339: see rfc3339.h.  Written by hand because strptime knows neither fractions nor offsets,
 * depends on the locale and accepts spaces anywhere. */
#include "base/rfc3339.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define YEAR_MIN 1970
#define YEAR_MAX 2261 /* what 63 bits of nanoseconds hold */

void
rfc3339_format(int64_t ns, char ret_text[RFC3339_LEN + 1])
{
	time_t seconds = (time_t)(ns / NS_PER_S);
	long fraction = (long)(ns % NS_PER_S);
	struct tm tm;
	size_t n;

	if (fraction < 0) {
		fraction += NS_PER_S;
		seconds--;
	}
	(void)gmtime_r(&seconds, &tm); /* 63 bits of nanoseconds always have a year */
	n = strftime(ret_text, RFC3339_LEN + 1, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(ret_text + n, RFC3339_LEN + 1 - n, ".%09ldZ", fraction); /* fits */
}

struct cursor {
	const char *at, *end;
};

/* Exactly n digits. */
static bool
take_number(struct cursor *c, int n, int *ret)
{
	int value = 0;

	for (; n > 0; n--, c->at++) {
		if (c->at == c->end || *c->at < '0' || *c->at > '9')
			return false;
		value = value * 10 + (*c->at - '0');
	}
	*ret = value;
	return true;
}

static bool
take_one_of(struct cursor *c, const char *set, char *ret)
{
	if (c->at == c->end || !*c->at || !strchr(set, *c->at))
		return false;
	*ret = *c->at++;
	return true;
}

static bool
take_date(struct cursor *c, struct tm *tm)
{
	static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int year, leap, days;
	char sep;

	if (!take_number(c, 4, &year) || !take_one_of(c, "-", &sep) ||
		!take_number(c, 2, &tm->tm_mon) || !take_one_of(c, "-", &sep) ||
		!take_number(c, 2, &tm->tm_mday))
		return false;
	if (year < YEAR_MIN || year > YEAR_MAX || tm->tm_mon < 1 || tm->tm_mon > 12)
		return false;
	leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	days = month_days[tm->tm_mon - 1] + (tm->tm_mon == 2 ? leap : 0);
	tm->tm_year = year - 1900;
	tm->tm_mon--;
	return tm->tm_mday >= 1 && tm->tm_mday <= days;
}

static bool
take_time(struct cursor *c, struct tm *tm)
{
	char sep;

	if (!take_one_of(c, "Tt ", &sep) || !take_number(c, 2, &tm->tm_hour) ||
		!take_one_of(c, ":", &sep) || !take_number(c, 2, &tm->tm_min) ||
		!take_one_of(c, ":", &sep) || !take_number(c, 2, &tm->tm_sec))
		return false;
	return tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec <= 60; /* 60: a leap second */
}

static bool
take_fraction(struct cursor *c, int64_t *ret_ns)
{
	int64_t scale = NS_PER_S;
	int digit;
	char dot;

	*ret_ns = 0;
	if (!take_one_of(c, ".", &dot))
		return true;
	if (!take_number(c, 1, &digit))
		return false;
	do {
		scale /= 10;
		*ret_ns += digit * scale;
	} while (take_number(c, 1, &digit));
	return true;
}

static bool
take_offset(struct cursor *c, int *ret_seconds)
{
	int hours, minutes;
	char sign, sep;

	*ret_seconds = 0;
	if (take_one_of(c, "Zz", &sign))
		return true;
	if (!take_one_of(c, "+-", &sign) || !take_number(c, 2, &hours) ||
		!take_one_of(c, ":", &sep) || !take_number(c, 2, &minutes))
		return false;
	*ret_seconds = (hours * 60 + minutes) * (sign == '-' ? -60 : 60);
	return hours < 24 && minutes < 60;
}

int
rfc3339_parse(const char *text, size_t len, int64_t *ret_ns)
{
	struct cursor c = {text, text + len};
	struct tm tm = {0};
	int64_t fraction_ns;
	int offset_s;

	if (!take_date(&c, &tm) || !take_time(&c, &tm) || !take_fraction(&c, &fraction_ns) ||
		!take_offset(&c, &offset_s) || c.at != c.end)
		return -EINVAL;
	*ret_ns = ((int64_t)timegm(&tm) - offset_s) * NS_PER_S + fraction_ns;
	return *ret_ns < 0 ? -EINVAL : 0;
}
