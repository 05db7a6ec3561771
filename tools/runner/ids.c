/* Parts of ids: see ids.h.  Ids of ours begin with the time, so those of one minute differ only at
 * their ends; that is why a suffix is the part people are told to type. */
#include "tools/runner/ids.h"

#include "base/auto.h"
#include "base/mem.h"

#include <string.h>

static bool
is_part(const char *id, const char *part, size_t part_len)
{
	size_t len = strlen(id);

	return len >= part_len &&
	       (!memcmp(id + len - part_len, part, part_len) || !memcmp(id, part, part_len));
}

int
ids_match(const struct names *ids, const char *part, size_t *ret_index, struct err *err)
{
	AUTO(sbuf) struct sbuf matches = {0};
	size_t part_len = strlen(part), count = 0, index = 0;

	if (part_len < ID_PART_MIN)
		return err_set(err, ENOENT,
			"no event '%s' (a part of an id has at least %d "
			"characters)",
			part, ID_PART_MIN);
	for (size_t i = 0; i < ids->count; i++) {
		if (!is_part(ids->list[i], part, part_len))
			continue;
		sbuf_printf(&matches, "%s%s", count ? ", " : "", ids->list[i]);
		index = i;
		count++;
	}
	if (!count)
		return err_set(
			err, ENOENT, "no event '%s' (older events need their full id)", part);
	if (count > 1)
		return err_set(
			err, EEXIST, "'%s' means %zu events: %s", part, count, sbuf_str(&matches));
	*ret_index = index;
	return 0;
}

int
ids_find_event(const struct mount *mount, const char *text, char **ret_id, struct err *err)
{
	AUTO(free) char *path = NULL;
	AUTO(names) struct names ids = {0};
	size_t index;
	int result = mount_check_name("an event", text, err);

	if (result < 0)
		return result;
	path = mount_path(mount, PLACE_EVENT_JSON, NULL, text);
	if (mount_exists(mount, path)) {
		*ret_id = mem_strdup(text);
		return 0;
	}
	result = mount_events(mount, &ids, err);
	if (!result)
		result = ids_match(&ids, text, &index, err);
	if (!result)
		*ret_id = TAKE(ids.list[index]);
	return result;
}
