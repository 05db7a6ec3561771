/* Ids of events as people type them: in full, or the last characters (where ours differ most), or
 * the first. */
#ifndef SLOTH_RUNNER_IDS_H
#define SLOTH_RUNNER_IDS_H

#include "tools/runner/mount.h"

#define ID_PART_MIN 4 /* characters of a part */

/* The index of the one name that ends or begins with part.  Returns -ENOENT when there is none, or
 * -EEXIST when there are several: err lists them. */
int ids_match(
	const struct names *ids, const char *part, size_t *ret_index, struct err *err) MUST_USE;

/* The id of the event that text means.  A full id is found however old it is, a part among the
 * newest events.  Returns 0 with owned text, -ENOENT or -EEXIST. */
int ids_find_event(
	const struct mount *mount, const char *text, char **ret_id, struct err *err) MUST_USE;

#endif
