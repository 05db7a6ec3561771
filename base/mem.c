/* Allocation that aborts instead of failing: see mem.h. */
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
must(void *p)
{
	if (!p) {
		(void)fputs("sloth: out of memory\n", stderr);
		abort();
	}
	return p;
}

void *
mem_zalloc(size_t n, size_t size)
{
	return must(calloc(n ? n : 1, size ? size : 1));
}

void *
mem_realloc(void *p, size_t size)
{
	return must(realloc(p, size ? size : 1));
}

char *
mem_strdup(const char *s)
{
	return s ? must(strdup(s)) : NULL;
}

char *
mem_strndup(const char *s, size_t len)
{
	return must(strndup(s, len));
}

char *
mem_printf(const char *fmt, ...)
{
	va_list ap;
	char *s = NULL;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return must(n < 0 ? NULL : s);
}
