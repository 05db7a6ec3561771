/* Help texts, made from the rows of cmd.h. */
#ifndef SLOTH_RUNNER_HELP_H
#define SLOTH_RUNNER_HELP_H

#include "base/sbuf.h"
#include "tools/runner/args.h"

/* Append the help of the command the path leads to: what it does, Usage, Aliases, Examples,
 * Available Commands, Flags, Global Flags. */
void help_add(struct sbuf *out, const struct args *args);

#endif
