/* The modules written in C, one row each.  A row is opened on the first use of its name in a state
 * (lua/host/host.h), so a long list costs an invocation nothing.  Modules written in Lua need no
 * row: lua/sloth/<name>.lua is found by its name.
 */
#include "lua/host/host.h"

const struct host_module host_modules[] = {
	{NULL, NULL},
};
