/* A cache of fixed size in front of table name: a slot per hash value, the last user has it.  Two
 * types that share a slot cost a look-up in the table each time, and a million types cost no
 * memory. */
#include "fsd/store/names.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static size_t
slot_of(const char *text)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 16777619u;
	return hash % NAMES_CACHED;
}

static int
find_or_add(struct db *db, const char *text, int64_t *ret_id)
{
	sqlite3_stmt *find = db_stmt(db, SQL_NAME_FIND), *add;
	int rc;

	bind_text(find, 1, text);
	rc = db_step(db, find);
	if (rc > 0) {
		*ret_id = column_int(find, 0);
		return db_run(db, find);
	}
	if (rc < 0)
		return rc;
	add = db_stmt(db, SQL_NAME_ADD);
	bind_text(add, 1, text);
	rc = db_run(db, add);
	if (rc == 0)
		*ret_id = sqlite3_last_insert_rowid(db->handle);
	return rc;
}

int
names_id(struct names *names, struct db *db, const char *text, int64_t *ret_id)
{
	size_t at = slot_of(text);
	int64_t id = 0;
	int rc;

	if (names->slots[at].text && strcmp(names->slots[at].text, text) == 0) {
		*ret_id = names->slots[at].id;
		return 0;
	}
	rc = find_or_add(db, text, &id);
	if (rc < 0)
		return rc;
	free(names->slots[at].text);
	names->slots[at].text = mem_strdup(text);
	names->slots[at].id = *ret_id = id;
	return 0;
}

void
names_forget(struct names *names)
{
	for (size_t i = 0; i < NAMES_CACHED; i++) {
		free(names->slots[i].text);
		names->slots[i].text = NULL;
	}
}
