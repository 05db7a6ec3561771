/* Durations and sizes: see units.h.
 *
 * Both are read from a table of units by integer arithmetic, decimals included: a double has no
 * nanosecond left in ninety days.
 */
#include "base/units.h"

#include "base/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct unit {
	const char *name;
	int64_t factor;
};

/* Longer names before their prefixes; the order is that of writing from `d` on. */
static const struct unit durations[] = {
	{"ns", 1},
	{"us", NS_PER_US},
	{"\xc2\xb5s", NS_PER_US}, /* micro sign */
	{"\xce\xbcs", NS_PER_US}, /* Greek mu */
	{"ms", NS_PER_MS},
	{"w", 7 * 86400 * NS_PER_S},
	{"d", 86400 * NS_PER_S},
	{"h", 3600 * NS_PER_S},
	{"m", 60 * NS_PER_S},
	{"s", NS_PER_S},
};

static const struct unit sizes[] = {
	{"T", 1LL << 40},
	{"G", 1LL << 30},
	{"M", 1LL << 20},
	{"K", 1LL << 10},
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Read a whole number at *p. */
static bool
take_whole(const char **p, int64_t *ret)
{
	int64_t v = 0;

	if (!is_digit(**p))
		return false;
	for (; is_digit(**p); (*p)++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, **p - '0', &v))
			return false;
	*ret = v;
	return true;
}

/* The decimals at *p (".5") as a numerator over a power of ten; decimals past the 18th are below
 * a nanosecond in every unit and dropped. */
static bool
take_decimals(const char **p, int64_t *ret_num, int64_t *ret_den)
{
	*ret_num = 0;
	*ret_den = 1;
	if (**p != '.')
		return true;
	(*p)++;
	if (!is_digit(**p))
		return false;
	for (; is_digit(**p); (*p)++)
		if (*ret_den < NS_PER_S * NS_PER_S) {
			*ret_num = *ret_num * 10 + (**p - '0');
			*ret_den *= 10;
		}
	return true;
}

/* Read one "1.5h" at *p and add it. */
static bool
take_part(const char **p, int64_t *total)
{
	int64_t whole, num, den, ns;

	if (!take_whole(p, &whole) || !take_decimals(p, &num, &den))
		return false;
	for (size_t i = 0; i < COUNT(durations); i++) {
		size_t len = strlen(durations[i].name);
		__int128 part = (__int128)num * durations[i].factor / den;

		if (strncmp(*p, durations[i].name, len) != 0)
			continue;
		*p += len;
		return !__builtin_mul_overflow(whole, durations[i].factor, &ns) &&
		       !__builtin_add_overflow(ns, (int64_t)part, &ns) &&
		       !__builtin_add_overflow(*total, ns, total);
	}
	return false;
}

int
units_parse_duration(const char *text, int64_t *ret_ns, struct err *err)
{
	const char *p = text;
	int64_t ns = 0;

	if (strcmp(text, "0") == 0) {
		*ret_ns = 0;
		return 0;
	}
	do {
		if (!take_part(&p, &ns))
			return err_set(err, EINVAL,
				"'%.40s' is not a duration: write a number and a unit, like 30s, "
				"1h30m or 90d",
				text);
	} while (*p);
	*ret_ns = ns;
	return 0;
}

/* What may follow a unit of size: "K", "KB", "KiB". */
static bool
is_size_tail(const char *tail)
{
	return !*tail || strcasecmp(tail, "b") == 0 || strcasecmp(tail, "ib") == 0;
}

int
units_parse_size(const char *text, int64_t *ret_bytes, struct err *err)
{
	const char *p = text;
	int64_t factor = 1, bytes;

	if (!take_whole(&p, &bytes))
		goto bad;
	for (size_t i = 0; i < COUNT(sizes); i++)
		if (*p && strncasecmp(p, sizes[i].name, 1) == 0) {
			factor = sizes[i].factor;
			p++;
			break;
		}
	if ((factor == 1 && *p && strcasecmp(p, "b") != 0) || !is_size_tail(p) ||
		__builtin_mul_overflow(bytes, factor, &bytes))
		goto bad;
	*ret_bytes = bytes;
	return 0;
bad:
	return err_set(err, EINVAL,
		"'%.40s' is not a size: write bytes, or a number with K, M, G or T, like 64M",
		text);
}

/* Append value/unit with as many decimals as it needs. */
static void
add_decimal(struct sbuf *out, int64_t value, int64_t unit, const char *name)
{
	int64_t rest = value % unit;

	sbuf_printf(out, "%lld", (long long)(value / unit));
	if (rest)
		sbuf_addc(out, '.');
	for (int64_t place = unit / 10; place > 0 && rest > 0; place /= 10) {
		sbuf_addc(out, (char)('0' + rest / place));
		rest %= place;
	}
	sbuf_adds(out, name);
}

void
units_add_duration(struct sbuf *out, int64_t ns)
{
	static const struct unit parts[] = {
		{"d", 86400 * NS_PER_S},
		{"h", 3600 * NS_PER_S},
		{"m", 60 * NS_PER_S},
	};

	if (ns == 0) {
		sbuf_addc(out, '0');
		return;
	}
	for (size_t i = 0; i < COUNT(parts); i++) {
		if (ns >= parts[i].factor)
			sbuf_printf(
				out, "%lld%s", (long long)(ns / parts[i].factor), parts[i].name);
		ns %= parts[i].factor;
	}
	if (ns >= NS_PER_S)
		add_decimal(out, ns, NS_PER_S, "s");
	else if (ns >= NS_PER_MS)
		add_decimal(out, ns, NS_PER_MS, "ms");
	else if (ns >= NS_PER_US)
		add_decimal(out, ns, NS_PER_US, "us");
	else if (ns)
		add_decimal(out, ns, 1, "ns");
}

void
units_add_size(struct sbuf *out, int64_t bytes)
{
	for (size_t i = 0; i < COUNT(sizes); i++)
		if (bytes && bytes % sizes[i].factor == 0) {
			sbuf_printf(
				out, "%lld%s", (long long)(bytes / sizes[i].factor), sizes[i].name);
			return;
		}
	sbuf_printf(out, "%lld", (long long)bytes);
}

void
units_add_ms(struct sbuf *out, int64_t ns)
{
	uint64_t us = ns > 0 ? ((uint64_t)ns + 500) / 1000 : 0;
	char decimals[] = {'.', (char)('0' + us / 100 % 10), (char)('0' + us / 10 % 10),
		(char)('0' + us % 10)};

	sbuf_addu(out, us / 1000);
	sbuf_add(out, decimals, sizeof(decimals));
}
