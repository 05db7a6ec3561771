/* Running sloth-fsd and sloth-worker. */
#ifndef SLOTH_RUNNER_PROGRAM_H
#define SLOTH_RUNNER_PROGRAM_H

#include "base/err.h"

/* Returns owned: the path of a program that comes with this one: beside it, then
 * PREFIX/libexec/sloth-runner,
 * then PATH.  NULL with err when there is none. */
char *program_find(const char *name, struct err *err);

/* Run argv[0] with the arguments (ends with NULL) and wait for its end; it has our standard streams
 * and no other descriptor. Returns its exit code, or a negative errno when it did not run or was
 * ended by a signal. */
int program_run(const char *const *argv, struct err *err) MUST_USE;

#endif
