/* The modules written in C, one row each.  A row is opened on the first use of its name in a state
 * (lua/host/host.h), so a long list costs an invocation nothing.  Modules written in Lua need no
 * row: lua/sloth/<name>.lua is found by its name.
 *
 * What a module offers is declared once, in doc/<name>.lua: the pages of the mount's modules/ and
 * the annotations for language servers are made of it, and a test compares it with what is here.
 */
#include "lua/modules/module.h"

const struct host_module host_modules[] = {
	{"contains", module_contains},
	{"env", module_env},
	{"event", module_event},
	{"exec", module_exec},
	{"file", module_file},
	{"file_ops", module_file_ops},
	{"http", module_http},
	{"json", module_json},
	{"log", module_log},
	{"sleep", module_sleep},
	{"slog", module_slog},
	{"state", module_state},
	{"time", module_time},
	{NULL, NULL},
};
