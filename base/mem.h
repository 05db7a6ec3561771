/* Allocation that does not return on failure.  A process that cannot get a few bytes cannot do
 * anything useful either; what grows with outside input is bounded elsewhere, so these never see
 * a size chosen by a stranger. */
#ifndef SLOTH_BASE_MEM_H
#define SLOTH_BASE_MEM_H

#include <stddef.h>

/* Returns owned, zeroed memory for n objects of the size; aborts when there is none. */
void *mem_zalloc(size_t n, size_t size) __attribute__((malloc, alloc_size(1, 2), returns_nonnull));

/* realloc that aborts on failure.  Takes: p.  Returns owned. */
void *mem_realloc(void *p, size_t size) __attribute__((alloc_size(2), returns_nonnull));

/* Returns owned copies; mem_dup of NULL is NULL. */
char *mem_strdup(const char *s) __attribute__((malloc));
char *mem_strndup(const char *s, size_t len) __attribute__((malloc, returns_nonnull));
char *mem_printf(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), malloc, returns_nonnull));

#define NEW(type)      ((type *)mem_zalloc(1, sizeof(type)))
#define NEW_N(type, n) ((type *)mem_zalloc((n), sizeof(type)))

#endif
