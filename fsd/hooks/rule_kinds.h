/* How the values of rules are read from text and shown: a kind for each form.  Used by rules.c. */
#ifndef SLOTH_HOOKS_RULE_KINDS_H
#define SLOTH_HOOKS_RULE_KINDS_H

#include "fsd/hooks/rules.h"

struct rule_kind {
	/* Read a value at *p and move behind it; false leaves the field as it was. */
	bool (*read)(const char **p, void *field);
	/* Append its text; false and nothing when there is no such rule. */
	bool (*show)(const void *field, struct sbuf *out);
	/* There is no such rule. */
	void (*clear)(void *field);
	/* -EINVAL with what is wrong with a text that was not read; 0 or NULL: what the rule's own
	 * sentence says. */
	int (*explain)(const char *text, struct err *err);
};

/* The field is a char *, an int64_t, a struct rule_rate, a struct rule_pair, a bool, an int. */
extern const struct rule_kind rule_path, rule_span, rule_rate, rule_threshold, rule_sequence,
	rule_absent, rule_flag, rule_replay, rule_priority, rule_match;
/* The field is the struct hook_rules. */
extern const struct rule_kind rule_dedup, rule_retries;

#endif
