/* Which of the known names was meant by a word that is none of them: for the message that says so.
 */
#ifndef SLOTH_BASE_NEAREST_H
#define SLOTH_BASE_NEAREST_H

/* struct nearest n = {.word = word}; then nearest_offer for each name; then n.name. */
struct nearest {
	const char *word;
	const char *name; /* borrowed; NULL: none is near */
	unsigned edits;
};

/* Take the name if it is nearer than those before, at most two edits away.  A swap of neighbours is
 * one; a word that shares no letter with the name is not near. */
void nearest_offer(struct nearest *n, const char *name);

#endif
