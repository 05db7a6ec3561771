/* Numbers as JSON writes them, compared by their digits: no number is too large, and none is
 * rounded. */
#ifndef SLOTH_BASE_DECIMAL_H
#define SLOTH_BASE_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the whole text is a number of JSON: 0, -1.50, 2e9. */
bool decimal_is(const char *text, size_t len);

/* Less than, equal to or greater than 0, as a is to b.  Both are numbers. */
int decimal_compare(const char *a, size_t a_len, const char *b, size_t b_len);

#endif
