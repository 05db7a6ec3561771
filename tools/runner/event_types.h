/* The types that events/types names. */
#ifndef SLOTH_RUNNER_EVENT_TYPES_H
#define SLOTH_RUNNER_EVENT_TYPES_H

#include "tools/runner/mount.h"

#include <jansson.h>

/* Say on standard error which of the types (texts, patterns among them) no known one fits: a
 * misspelt type is taken like any other and never heard. */
int event_types_warn(const struct mount *mount, const json_t *types, struct err *err) MUST_USE;
/* The same for one. */
int event_types_warn_one(const struct mount *mount, const char *type, struct err *err) MUST_USE;

#endif
