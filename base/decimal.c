/* Numbers compared by their digits: see decimal.h.
 *
 * A number is its sign, the place of its first digit that is not 0, and the digits from there on.
 * Of two with one sign the one whose first digit stands in the higher place is the larger; else the
 * first digit that differs decides.  Doubles would not do: ids and counters beyond 2^53 are
 * compared in conditions, and 0.1 has no double.
 */
#include "base/decimal.h"

#include <stdint.h>
#include <string.h>

#define EXPONENT_MAX 1000000000000 /* larger ones are as good as this */

struct decimal {
	bool is_negative;
	const char *digits, *end; /* from the first that is not 0; a dot may stand between them */
	int64_t place;            /* of that digit: 0 the ones, -1 the tenths */
};

static bool
is_digit(const char *at, const char *end)
{
	return at < end && *at >= '0' && *at <= '9';
}

static const char *
skip_digits(const char *at, const char *end)
{
	while (is_digit(at, end))
		at++;
	return at;
}

bool
decimal_is(const char *text, size_t len)
{
	const char *at = text, *end = text + len;

	at += at < end && *at == '-';
	if (!is_digit(at, end) || (*at == '0' && is_digit(at + 1, end)))
		return false;
	at = skip_digits(at, end);
	if (at < end && *at == '.') {
		if (!is_digit(at + 1, end))
			return false;
		at = skip_digits(at + 1, end);
	}
	if (at < end && (*at | 0x20) == 'e') {
		at++;
		at += at < end && (*at == '-' || *at == '+');
		if (!is_digit(at, end))
			return false;
		at = skip_digits(at, end);
	}
	return at == end;
}

static int64_t
read_exponent(const char *at, const char *end)
{
	bool is_negative = at < end && *at == '-';
	int64_t value = 0;

	at += at < end && (*at == '-' || *at == '+');
	for (; is_digit(at, end) && value < EXPONENT_MAX; at++)
		value = value * 10 + (*at - '0');
	return is_negative ? -value : value;
}

static struct decimal
read_decimal(const char *text, size_t len)
{
	const char *end = text + len, *mantissa_end, *dot;
	struct decimal d = {.is_negative = len > 0 && text[0] == '-'};

	d.digits = text + d.is_negative;
	for (mantissa_end = d.digits; mantissa_end < end; mantissa_end++)
		if ((*mantissa_end | 0x20) == 'e')
			break;
	d.end = mantissa_end;
	dot = memchr(d.digits, '.', (size_t)(d.end - d.digits));
	if (!dot)
		dot = d.end;
	while (d.digits < d.end && (*d.digits == '0' || *d.digits == '.'))
		d.digits++;
	d.place = d.digits < dot ? dot - d.digits - 1 : dot - d.digits;
	if (mantissa_end < end)
		d.place += read_exponent(mantissa_end + 1, end);
	return d;
}

static int
next_digit(struct decimal *d)
{
	if (d->digits < d->end && *d->digits == '.')
		d->digits++;
	return d->digits < d->end ? *d->digits++ : '0';
}

static int
compare_sizes(struct decimal a, struct decimal b)
{
	bool is_zero_a = a.digits == a.end, is_zero_b = b.digits == b.end;

	if (is_zero_a || is_zero_b)
		return is_zero_b - is_zero_a;
	if (a.place != b.place)
		return a.place < b.place ? -1 : 1;
	while (a.digits < a.end || b.digits < b.end) {
		int x = next_digit(&a), y = next_digit(&b);

		if (x != y)
			return x - y;
	}
	return 0;
}

int
decimal_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	struct decimal x = read_decimal(a, a_len), y = read_decimal(b, b_len);

	if (x.digits == x.end)
		x.is_negative = false; /* -0 */
	if (y.digits == y.end)
		y.is_negative = false;
	if (x.is_negative != y.is_negative)
		return x.is_negative ? -1 : 1;
	return x.is_negative ? compare_sizes(y, x) : compare_sizes(x, y);
}
