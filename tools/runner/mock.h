/* Sample payloads for `hook test`. */
#ifndef SLOTH_RUNNER_MOCK_H
#define SLOTH_RUNNER_MOCK_H

/* The type to test with for a pattern: the pattern itself, or a type that it matches (task.* gives
 * task.failed, * gives custom).  Borrowed from pattern or static. */
const char *mock_type(const char *pattern);

/* A JSON object as events of the type's category carry it; a small one for unknown categories. */
const char *mock_data(const char *type);

#endif
