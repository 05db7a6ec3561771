/* The schema of hooks.db and its versions. */
#ifndef SLOTH_STORE_SCHEMA_H
#define SLOTH_STORE_SCHEMA_H

#include "fsd/store/db.h"

#include <stddef.h>

/* Step i takes a database from user_version i to i + 1. */
struct schema_step {
	const char *what; /* for messages: "events, hooks, state" */
	const char *sql;
};

/* Bring the database to version count in one transaction; nothing changes when a step fails.
 * -EPROTO: the database is of a newer program.  Errors are in db->err.  Blocks: yes. */
int schema_migrate(struct db *db, const struct schema_step *steps, size_t count) MUST_USE;

/* The versions of hooks.db. */
extern const struct schema_step schema_steps[];
size_t schema_step_count(void);

#endif
