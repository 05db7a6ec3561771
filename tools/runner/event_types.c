/* Which event types are known, from events/types: a heading, then a line a type, in columns.  Types
 * of one's own are welcome, so nothing is refused for not standing there; custom.* is made for them
 * and gives no warning. */
#include "tools/runner/event_types.h"

#include "base/auto.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "tools/runner/event.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#define TYPE_CHARS "abcdefghijklmnopqrstuvwxyz0123456789_-.*"

/* The second column of a line, NUL-terminated in place; NULL when there is none. */
static char *
type_of(char *line)
{
	char *type = line + strcspn(line, " ");

	type += strspn(type, " ");
	type[strcspn(type, " ")] = '\0';
	return *type ? type : NULL;
}

/* Whether a known type fits the pattern; ret_nearest gets the one it may have meant. */
static bool
is_known(const char *pattern, const char *table, struct sbuf *ret_nearest)
{
	AUTO(free) char *lines = mem_strdup(table);
	struct nearest nearest = {.word = pattern};
	char *line, *rest = lines;

	if (!strcmp(pattern, "*") || !strncmp(pattern, "custom.", 7) ||
		pattern[strspn(pattern, TYPE_CHARS)])
		return true; /* the last are refused by the master, with a sentence */
	while ((line = strsep(&rest, "\n"))) {
		const char *type = type_of(line);

		if (type && !fnmatch(pattern, type, 0))
			return true;
		if (type)
			nearest_offer(&nearest, type);
	}
	sbuf_adds(ret_nearest, nearest.name ? nearest.name : "");
	return false;
}

static void
warn_of(const char *type, const char *table, const char *path)
{
	AUTO(sbuf) struct sbuf meant = {0};

	if (is_known(type, table, &meant))
		return;
	(void)fprintf(stderr, "warning: no known event type is '%s'", type);
	if (meant.len)
		(void)fprintf(stderr, "; did you mean '%s'?  It", sbuf_str(&meant));
	else
		(void)fprintf(stderr, " (see '%s'); it", path);
	(void)fprintf(stderr, " is heard when somebody raises it\n");
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
	json_array_foreach (types, i, type)
		warn_of(json_string_value(type), sbuf_str(&table), path);
	return 0;
}

int
event_types_warn_one(const struct mount *mount, const char *type, struct err *err)
{
	AUTO(json) json_t *types = json_pack("[s]", type);

	return event_types_warn(mount, types, err);
}
