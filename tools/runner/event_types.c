/* Which event types are known, from events/types: a heading, then a line a type, in columns.  Types
 * of one's own are welcome, so nothing is refused for not standing there; custom.* is made for them
 * and gives no warning. */
#include "tools/runner/event_types.h"

#include "base/auto.h"
#include "base/mem.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

/* The second column of a line, NUL-terminated in place; NULL when there is none. */
static char *
type_of(char *line)
{
	char *type = line + strcspn(line, " ");

	type += strspn(type, " ");
	type[strcspn(type, " ")] = '\0';
	return *type ? type : NULL;
}

static bool
is_known(const char *pattern, const char *table)
{
	AUTO(free) char *lines = mem_strdup(table);
	char *line, *rest = lines;

	if (!strcmp(pattern, "*") || !strncmp(pattern, "custom.", 7))
		return true;
	while ((line = strsep(&rest, "\n"))) {
		const char *type = type_of(line);

		if (type && !fnmatch(pattern, type, 0))
			return true;
	}
	return false;
}

int
event_types_warn(const struct mount *mount, const json_t *types, struct err *err)
{
	AUTO(free) char *path = mount_path(mount, PLACE_EVENT_TYPES, NULL, NULL);
	AUTO(sbuf) struct sbuf table = {0};
	int result = mount_read(mount, path, &table, err);
	json_t *type;
	size_t i;

	if (result)
		return result;
	json_array_foreach (types, i, type) {
		if (!is_known(json_string_value(type), sbuf_str(&table)))
			(void)fprintf(stderr,
				"warning: no known event type is '%s' (see '%s'); it is heard when "
				"somebody raises it\n",
				json_string_value(type), path);
	}
	return 0;
}
