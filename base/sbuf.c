/* A growing byte string: see sbuf.h.  Capacity doubles, so appending is linear over all. */
#include "base/sbuf.h"

#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
sbuf_fini(struct sbuf *b)
{
	free(b->data);
	*b = (struct sbuf){0};
}

char *
sbuf_room(struct sbuf *b, size_t n)
{
	size_t need = b->len + n + 1;

	if (need > b->cap) {
		size_t cap = b->cap ? b->cap : 64;

		while (cap < need)
			cap *= 2;
		b->data = mem_realloc(b->data, cap);
		b->cap = cap;
		b->data[b->len] = '\0';
	}
	return b->data + b->len;
}

void
sbuf_addu(struct sbuf *b, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	sbuf_add(b, digits + at, sizeof(digits) - at);
}

void
sbuf_vprintf(struct sbuf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	assert(n >= 0);
	(void)vsnprintf(sbuf_room(b, (size_t)n), (size_t)n + 1, fmt, again); /* sized above */
	va_end(again);
	b->len += (size_t)n;
}

void
sbuf_printf(struct sbuf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	sbuf_vprintf(b, fmt, ap);
	va_end(ap);
}

/* Length of the valid UTF-8 sequence at s, or 0.  Rejects overlong forms, surrogates and what
 * lies past U+10FFFF (RFC 3629 section 4). */
static size_t
utf8_len(const unsigned char *s, size_t left)
{
	static const struct {
		unsigned char from, to, low, high;
		size_t len;
	} forms[] = {
		{0xc2, 0xdf, 0x80, 0xbf, 2},
		{0xe0, 0xe0, 0xa0, 0xbf, 3},
		{0xe1, 0xec, 0x80, 0xbf, 3},
		{0xed, 0xed, 0x80, 0x9f, 3},
		{0xee, 0xef, 0x80, 0xbf, 3},
		{0xf0, 0xf0, 0x90, 0xbf, 4},
		{0xf1, 0xf3, 0x80, 0xbf, 4},
		{0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (s[0] < forms[i].from || s[0] > forms[i].to)
			continue;
		if (left < forms[i].len || s[1] < forms[i].low || s[1] > forms[i].high)
			return 0;
		for (size_t k = 2; k < forms[i].len; k++)
			if ((s[k] & 0xc0) != 0x80)
				return 0;
		return forms[i].len;
	}
	return 0;
}

bool
sbuf_is_utf8(const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t i = 0, step;

	for (; i < len; i += step) {
		step = p[i] < 0x80 ? 1 : utf8_len(p + i, len - i);
		if (step == 0)
			return false;
	}
	return true;
}

static void
add_escape(struct sbuf *b, unsigned char c)
{
	static const char *const named[128] = {
		['"'] = "\\\"",
		['\\'] = "\\\\",
		['\n'] = "\\n",
		['\r'] = "\\r",
		['\t'] = "\\t",
		['\b'] = "\\b",
		['\f'] = "\\f",
	};

	if (named[c])
		sbuf_adds(b, named[c]);
	else
		sbuf_printf(b, "\\u%04x", c);
}

void
sbuf_json(struct sbuf *b, const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t i = 0;

	sbuf_addc(b, '"');
	while (i < len) {
		size_t run = i;

		while (run < len && p[run] >= 0x20 && p[run] < 0x7f && p[run] != '"' &&
			p[run] != '\\')
			run++;
		sbuf_add(b, p + i, run - i);
		i = run;
		if (i == len)
			break;
		if (p[i] < 0x80) {
			add_escape(b, p[i++]);
			continue;
		}
		run = utf8_len(p + i, len - i);
		if (run)
			sbuf_add(b, p + i, run);
		else
			sbuf_adds(b, "\xef\xbf\xbd");
		i += run ? run : 1;
	}
	sbuf_addc(b, '"');
}

void
sbuf_jsons(struct sbuf *b, const char *s)
{
	if (s)
		sbuf_json(b, s, strlen(s));
	else
		sbuf_adds(b, "null");
}

void
sbuf_shift(struct sbuf *b, size_t n)
{
	assert(n <= b->len);
	if (!n)
		return;
	b->len -= n;
	memmove(b->data, b->data + n, b->len + 1);
}

void
sbuf_reset(struct sbuf *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = '\0';
}

char *
sbuf_take(struct sbuf *b)
{
	char *s;

	(void)sbuf_room(b, 0); /* an empty buffer gets its NUL */
	s = b->data;
	*b = (struct sbuf){0};
	return s;
}
