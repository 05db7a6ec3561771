/* The words that rules are written in: "3 backoff 1s max 1m".  Each function takes one from the
 * begin of a text, moves *p behind it, and returns whether it was there.  Words stand between
 * blanks; a newline is one. */
#ifndef SLOTH_HOOKS_RULE_WORDS_H
#define SLOTH_HOOKS_RULE_WORDS_H

#include <stdbool.h>
#include <stdint.h>

/* There need be none. */
void rule_skip_blanks(const char **p);
/* This very word with the blanks around it; those before it are skipped in any case. */
bool rule_take_word(const char **p, const char *word);
/* Returns owned: what stands up to the next blank; NULL: nothing. */
char *rule_take_text(const char **p);
/* false also for more than max: then the text is of no more use. */
bool rule_take_number(const char **p, unsigned max, unsigned *ret);
/* 1ms to 366d; a bare number is in seconds, a bare unit one of it.  As rule_take_number. */
bool rule_take_span(const char **p, int64_t *ret_ns);
/* Returns owned: a path of an event (base/conditions.h); NULL: there is none. */
char *rule_take_path(const char **p);

#endif
