/* Files built into a program: see embed.h.  The tables are short, and looked at seldom. */
#include "base/embed.h"

#include <string.h>

const struct embedded_file *
embedded_find(const struct embedded_file *files, const char *path)
{
	for (; files->path; files++)
		if (strcmp(files->path, path) == 0)
			return files;
	return NULL;
}
