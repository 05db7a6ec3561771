/* Files built into a program by tools/gen/embed.lua: tables that end with a NULL path. */
#ifndef SLOTH_BASE_EMBED_H
#define SLOTH_BASE_EMBED_H

#include <stddef.h>

struct embedded_file {
	const char *path; /* as in the source tree: "lua/sloth/sort.lua" */
	const char *data; /* NUL-terminated for convenience */
	size_t len;
};

extern const struct embedded_file embedded_templates[];   /* in sloth-fsd */
extern const struct embedded_file embedded_modules[];     /* in sloth-fsd: their documentation */
extern const struct embedded_file embedded_lua_sources[]; /* in sloth-worker */

/* The file with this path, or NULL. */
const struct embedded_file *embedded_find(const struct embedded_file *files, const char *path);

#endif
