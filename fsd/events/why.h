/* Explanations as lines of text: of each hook its name, a word for what became of it, and a
 * sentence. Private to why.c and replay.c. */
#ifndef SLOTH_EVENTS_WHY_H
#define SLOTH_EVENTS_WHY_H

#include "base/sbuf.h"

/* "notify               success     1.204ms, attempt 1, version 3" */
void why_line(struct sbuf *out, const char *hook, const char *word, const char *sentence);

#endif
