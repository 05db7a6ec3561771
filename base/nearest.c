/* Names that are nearly a word: see nearest.h. */
#include "base/nearest.h"

#include <stddef.h>
#include <string.h>

#define NAME_LEN_MAX 48
#define EDITS_MAX    2

/* Insertions, deletions, changes and swaps of neighbours that turn a into b (optimal string
 * alignment).  Both are shorter than NAME_LEN_MAX. */
static unsigned
edits_between(const char *a, const char *b)
{
	unsigned rows[3][NAME_LEN_MAX + 1];
	unsigned *before = rows[0], *above = rows[1], *row = rows[2];
	size_t la = strlen(a), lb = strlen(b);

	for (size_t j = 0; j <= lb; j++)
		above[j] = before[j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned *free_row = before;

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned best = above[j - 1] + (a[i - 1] != b[j - 1]);

			best = above[j] + 1 < best ? above[j] + 1 : best;
			best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			row[j] = best;
		}
		before = above;
		above = row;
		row = free_row;
	}
	return above[lb];
}

void
nearest_offer(struct nearest *n, const char *name)
{
	unsigned edits;

	if (strlen(n->word) >= NAME_LEN_MAX || strlen(name) >= NAME_LEN_MAX)
		return;
	edits = edits_between(n->word, name);
	if (edits <= EDITS_MAX && edits < strlen(name) && (!n->name || edits < n->edits)) {
		n->name = name;
		n->edits = edits;
	}
}
