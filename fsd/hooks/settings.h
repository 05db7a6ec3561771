/* What a hook does and may use, as its script says it and as ctl/hooks/<hook>/ overrides it.  Pure:
 * text in, values out. */
#ifndef SLOTH_HOOKS_SETTINGS_H
#define SLOTH_HOOKS_SETTINGS_H

#include "base/err.h"
#include "base/sbuf.h"
#include "fsd/hooks/rules.h"

#include <stdbool.h>
#include <stdint.h>

/* The settings that ctl/hooks/<hook>/ has a file for. */
enum hook_setting {
	SETTING_ENABLED,
	SETTING_EVENT,
	SETTING_DESCRIPTION,
	SETTING_TIMEOUT,
	SETTING_MEMORY,
	SETTING_CONCURRENCY,
	SETTING_RULES,                              /* the first of RULE_COUNT, in their order */
	SETTING_COUNT = SETTING_RULES + RULE_COUNT, /* how many there are */
};

struct hook_settings {
	bool is_enabled;
	char *types;           /* patterns, one a line; "" none */
	char *description;     /* "" none */
	char *alias;           /* name= when it differs from the file's; NULL */
	char *wall;            /* stack=: only that stack's events; NULL */
	unsigned timeout_ms;   /* 0: the default */
	uint64_t memory_bytes; /* 0: the default */
	unsigned concurrency;  /* 0: the default */
	struct hook_rules rules;
};

/* Leaves it all zero. */
void hook_settings_fini(struct hook_settings *s);
static inline void
hook_settings_auto(struct hook_settings *s)
{
	hook_settings_fini(s);
}
/* Overwrites to, which must be zero or finished. */
void hook_settings_copy(struct hook_settings *to, const struct hook_settings *from);

/* Read the metadata a worker found (a JSON object).  -EINVAL names the field that is wrong. */
int hook_settings_read(
	const char *meta, struct hook_settings *ret_settings, struct err *err) MUST_USE;

/* Whether a worker would notice a difference (the description makes none). */
bool hook_settings_equal(const struct hook_settings *a, const struct hook_settings *b);

/* Whether text may be the name of a hook or a stack: [A-Za-z0-9_][A-Za-z0-9_.-]{0,63}. */
bool hook_name_is_valid(const char *text, size_t len);

/* "timeout" */
const char *hook_setting_name(enum hook_setting setting);

/* Take a value as its file takes it.  -EINVAL says what it may be. */
int hook_setting_parse(struct hook_settings *s, enum hook_setting setting, const char *text,
	struct err *err) MUST_USE;

/* Whether the settings go together: of a script, or with what overrides it.  -EINVAL says which do
 * not. */
int hook_settings_check(const struct hook_settings *s, struct err *err) MUST_USE;

/* Append the value as its file shows it, without a newline at the end. */
void hook_setting_show(const struct hook_settings *s, enum hook_setting setting, struct sbuf *out);

/* ---- overrides: what was written to the files instead of in the script ------------------------
 */

struct hook_overrides {
	char *text[SETTING_COUNT]; /* NULL: as the script says */
};

/* Leaves it without overrides. */
void hook_overrides_fini(struct hook_overrides *o);
/* Whether nothing is overridden. */
bool hook_overrides_is_empty(const struct hook_overrides *o);

/* Judge a value and keep it in its one written form; an empty text removes the override.  -EINVAL
 * leaves it as it was. */
int hook_override_set(struct hook_overrides *o, enum hook_setting setting, const char *text,
	struct err *err) MUST_USE;

/* Read the lines `key = value` of hooks.d/<hook>.conf; # begins a comment.  -EINVAL says on which
 * line. */
int hook_overrides_parse(struct hook_overrides *o, const char *text, struct err *err) MUST_USE;
/* Append the conditions of such a text, each on the line where it stands there. */
void hook_overrides_conditions(const char *text, struct sbuf *out);
/* Append the same lines. */
void hook_overrides_format(const struct hook_overrides *o, struct sbuf *out);

/* Put them over what the script says. */
void hook_overrides_apply(const struct hook_overrides *o, struct hook_settings *s);

#endif
