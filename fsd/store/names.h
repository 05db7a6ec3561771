/* Types and stacks as small integers (table name), with a cache in front of the table.  Thread: the
 * writer lane. */
#ifndef SLOTH_STORE_NAMES_H
#define SLOTH_STORE_NAMES_H

#include "fsd/store/db.h"

#include <stdint.h>

#define NAMES_CACHED 1024 /* slots; a busy system has some hundred types */

struct names {
	struct {
		char *text;
		int64_t id;
	} slots[NAMES_CACHED];
};

/* The id of text, added to the table when new. */
int names_id(struct names *names, struct db *db, const char *text, int64_t *ret_id) MUST_USE;
/* Forget the cache: after a rollback or a prune its ids may be gone.  Also releases it. */
void names_forget(struct names *names);

#endif
