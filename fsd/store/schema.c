/* Tables, views and migrations.
 *
 * The tables are lean, because they are what an event costs: seq is the rowid and the commit order,
 * types and stacks are small integers (table name), what is seldom given is NULL (one byte), and
 * columns that are read without the data stand before it.  An index exists only where a list must
 * be answered for the newest N without reading millions of rows; all of them end in seq.
 *
 * The documented tables events, hooks and event_hook_executions are views: what users and their
 * scripts know stays as it is, with ids as text and seconds, and costs nothing when nobody looks.
 *
 * A row of event hardly grows when the event ends (changed_ns is there from the start), so that
 * pages packed by appending need not be split then. */
#include "fsd/store/schema.h"

#include "fsd/store/sql.h"

#include <stdio.h>

static const char version_1[] =
	"CREATE TABLE counter ("
	" id INTEGER PRIMARY KEY CHECK (id = 1),"
	" is_open INTEGER NOT NULL," /* 1 while a master has it: found 1, it was killed */
	" last_seq INTEGER NOT NULL,"
	" last_hook_id INTEGER NOT NULL,"
	" pending INTEGER NOT NULL, completed INTEGER NOT NULL, failed INTEGER NOT NULL);"
	"INSERT INTO counter VALUES (1, 0, 0, 0, 0, 0, 0);"

	"CREATE TABLE name (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);"

	"CREATE TABLE event ("
	" seq INTEGER PRIMARY KEY,"
	" status INTEGER NOT NULL,"
	" type INTEGER NOT NULL," /* name.id */
	" stack INTEGER,"         /* name.id; NULL at the root */
	" created_ns INTEGER NOT NULL,"
	" changed_ns INTEGER NOT NULL," /* of the final state; created_ns before */
	" timestamp_ns INTEGER,"        /* NULL: as created_ns */
	" salt INTEGER NOT NULL,"
	" sender TEXT, sender_id TEXT,"
	" cause_seq INTEGER, depth INTEGER, replay_of INTEGER, replay_hook TEXT,"
	" agent TEXT, run_id TEXT, severity TEXT, source TEXT,"
	" error TEXT,"
	" data TEXT);" /* NULL: {} */
	"CREATE INDEX event_type ON event (type);"
	"CREATE INDEX event_stack ON event (stack) WHERE stack IS NOT NULL;"
	"CREATE INDEX event_status ON event (status);"
	"CREATE INDEX event_cause ON event (cause_seq) WHERE cause_seq IS NOT NULL;"
	"CREATE UNIQUE INDEX event_sender ON event (sender_id, sender)"
	" WHERE sender_id IS NOT NULL;"

	"CREATE TABLE execution ("
	" seq INTEGER NOT NULL, hook_id INTEGER NOT NULL,"
	" version INTEGER NOT NULL, status INTEGER NOT NULL, attempts INTEGER NOT NULL,"
	" started_ns INTEGER NOT NULL, duration_ns INTEGER NOT NULL,"
	" message TEXT, output TEXT, error TEXT,"
	" PRIMARY KEY (seq, hook_id)) WITHOUT ROWID;"
	"CREATE INDEX execution_hook ON execution (hook_id, seq);"
	"CREATE INDEX execution_failed ON execution (hook_id, seq) WHERE status IN (3, 4, 5);"

	"CREATE TABLE hook ("
	" id INTEGER PRIMARY KEY, name TEXT NOT NULL, stack TEXT NOT NULL,"
	" created_ns INTEGER NOT NULL, updated_ns INTEGER NOT NULL,"
	" runs INTEGER NOT NULL DEFAULT 0, failures INTEGER NOT NULL DEFAULT 0,"
	" last_run_ns INTEGER NOT NULL DEFAULT 0);"
	"CREATE TABLE hook_source (id INTEGER PRIMARY KEY, hash INTEGER NOT NULL, body BLOB "
	"NOT NULL);"
	"CREATE INDEX hook_source_hash ON hook_source (hash);"
	"CREATE TABLE hook_version ("
	" hook_id INTEGER NOT NULL, version INTEGER NOT NULL,"
	" from_seq INTEGER NOT NULL, to_seq INTEGER NOT NULL," /* to_seq 0: in service */
	" types TEXT NOT NULL, meta TEXT NOT NULL, source_id INTEGER NOT NULL,"
	" created_ns INTEGER NOT NULL,"
	" PRIMARY KEY (hook_id, version)) WITHOUT ROWID;"

	"CREATE TABLE state ("
	" stack TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,"
	" expires_ns INTEGER NOT NULL," /* 0: never */
	" PRIMARY KEY (stack, key)) WITHOUT ROWID;"
	"CREATE INDEX state_expires ON state (expires_ns) WHERE expires_ns > 0;"

	"CREATE TABLE perm ("
	" path TEXT PRIMARY KEY, mode INTEGER NOT NULL, uid INTEGER NOT NULL, gid INTEGER NOT NULL"
	") WITHOUT ROWID;"

	"CREATE VIEW event_id AS SELECT seq, coalesce(sender_id,"
	" printf('%08x-%04x-7%03x-%04x-%04x%08x', created_ns / 1000000 >> 16,"
	"  created_ns / 1000000 & 65535, seq >> 30 & 4095, 32768 | (seq >> 16 & 16383),"
	"  seq & 65535, salt)) AS id FROM event;"

	"CREATE VIEW events AS SELECT i.id AS id, n.text AS type, coalesce(e.data, '{}') AS data,"
	" CASE e.status WHEN 0 THEN 'pending' WHEN 1 THEN 'processing' WHEN 2 THEN 'completed'"
	"  ELSE 'failed' END AS status,"
	" e.error AS error,"
	" coalesce(e.timestamp_ns, e.created_ns) / 1000000000 AS timestamp,"
	" e.created_ns / 1000000000 AS created_at,"
	" CASE WHEN e.status >= 2 THEN e.changed_ns / 1000000000 END AS processed_at"
	" FROM event e JOIN event_id i ON i.seq = e.seq JOIN name n ON n.id = e.type;"

	"CREATE VIEW hooks AS SELECT CAST(h.id AS TEXT) AS id,"
	" h.name || CASE h.stack WHEN '' THEN '' ELSE '@' || h.stack END AS name,"
	" CASE WHEN json_valid(v.meta) THEN json_extract(v.meta, '$.description') END"
	"  AS description,"
	" replace(v.types, char(10), ',') AS event_type,"
	" CASE h.stack WHEN '' THEN '' ELSE 'stacks/' || h.stack || '/' END"
	"  || 'hooks/' || h.name || '.lua' AS file_path,"
	" nullif(h.stack, '') AS stack,"
	" CASE WHEN json_valid(v.meta) THEN coalesce(json_extract(v.meta, '$.enabled'), 1)"
	"  ELSE 1 END AS enabled,"
	" h.created_ns / 1000000000 AS created_at, h.updated_ns / 1000000000 AS updated_at,"
	" nullif(h.last_run_ns, 0) / 1000000000 AS last_run, h.runs AS run_count"
	" FROM hook h JOIN hook_version v ON v.hook_id = h.id AND v.to_seq = 0;"

	"CREATE VIEW event_hook_executions AS SELECT x.seq << 20 | x.hook_id AS id,"
	" i.id AS event_id, CAST(x.hook_id AS TEXT) AS hook_id,"
	" h.name || CASE h.stack WHEN '' THEN '' ELSE '@' || h.stack END AS hook_name,"
	" x.status = 2 AS success, x.output AS output, x.error AS error,"
	" x.duration_ns / 1000000 AS duration_ms, x.started_ns / 1000000000 AS executed_at"
	" FROM execution x JOIN event_id i ON i.seq = x.seq JOIN hook h ON h.id = x.hook_id"
	" WHERE x.status NOT IN (0, 1, 6);";

/* A source lives as long as a version of it does.  Columns are added to a view at its end only. */
static const char version_2[] =
	"CREATE INDEX hook_version_source ON hook_version (source_id);"
	"CREATE TRIGGER hook_version_gone AFTER DELETE ON hook_version"
	" WHEN NOT EXISTS (SELECT 1 FROM hook_version v WHERE v.source_id = OLD.source_id)"
	" BEGIN DELETE FROM hook_source WHERE id = OLD.source_id; END;"

	"DROP VIEW events;"
	"CREATE VIEW events AS SELECT i.id AS id, n.text AS type, coalesce(e.data, '{}') AS data,"
	" CASE e.status WHEN 0 THEN 'pending' WHEN 1 THEN 'processing' WHEN 2 THEN 'completed'"
	"  ELSE 'failed' END AS status,"
	" e.error AS error,"
	" coalesce(e.timestamp_ns, e.created_ns) / 1000000000 AS timestamp,"
	" e.created_ns / 1000000000 AS created_at,"
	" CASE WHEN e.status >= 2 THEN e.changed_ns / 1000000000 END AS processed_at,"
	" s.text AS stack, e.agent AS agent, e.run_id AS run_id"
	" FROM event e JOIN event_id i ON i.seq = e.seq JOIN name n ON n.id = e.type"
	" LEFT JOIN name s ON s.id = e.stack;"

	"CREATE VIEW hook_executions AS SELECT id, hook_id, success, output, error, duration_ms,"
	" executed_at FROM event_hook_executions;";

/* What hooks hold: due_ns and lane stand in a row only while it is open, so their indexes have
 * nothing but what is held.  Counts of a gate go with its hook, when its history is gone. */
static const char version_3[] =
	"ALTER TABLE counter ADD COLUMN processing INTEGER NOT NULL DEFAULT 0;" /* parked */

	"ALTER TABLE execution ADD COLUMN due_ns INTEGER;" /* held until then */
	"ALTER TABLE execution ADD COLUMN why TEXT;"
	"ALTER TABLE execution ADD COLUMN count INTEGER;" /* events it stands for; NULL: 1 */
	"ALTER TABLE execution ADD COLUMN lane INTEGER;"
	"CREATE INDEX execution_due ON execution (hook_id, due_ns, seq)"
	" WHERE due_ns IS NOT NULL;"
	"CREATE INDEX execution_lane ON execution (hook_id, lane, seq) WHERE lane IS NOT NULL;"

	"CREATE TABLE gate_count ("
	" hook_id INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,"
	" expires_ns INTEGER NOT NULL,"
	" PRIMARY KEY (hook_id, key)) WITHOUT ROWID;"
	"CREATE INDEX gate_count_expires ON gate_count (expires_ns);"
	"CREATE TRIGGER hook_gone AFTER DELETE ON hook"
	" BEGIN DELETE FROM gate_count WHERE hook_id = OLD.id; END;"

	"DROP VIEW hook_executions;"
	"DROP VIEW event_hook_executions;"
	"CREATE VIEW event_hook_executions AS SELECT x.seq << 20 | x.hook_id AS id,"
	" i.id AS event_id, CAST(x.hook_id AS TEXT) AS hook_id,"
	" h.name || CASE h.stack WHEN '' THEN '' ELSE '@' || h.stack END AS hook_name,"
	" CASE WHEN x.status NOT IN (7, 8, 9) THEN x.status = 2 END AS success," /* NULL: no run */
	" x.output AS output, x.error AS error,"
	" x.duration_ns / 1000000 AS duration_ms, x.started_ns / 1000000000 AS executed_at,"
	" CASE x.status WHEN 2 THEN 'success' WHEN 3 THEN 'failed' WHEN 4 THEN 'timeout'"
	"  WHEN 5 THEN 'interrupted' WHEN 7 THEN 'throttled' WHEN 8 THEN 'filtered'"
	"  WHEN 9 THEN 'skipped' ELSE 'removed' END AS status,"
	" x.attempts AS attempts, x.why AS why"
	" FROM execution x JOIN event_id i ON i.seq = x.seq JOIN hook h ON h.id = x.hook_id"
	" WHERE x.status NOT IN (0, 1, 6);"
	"CREATE VIEW hook_executions AS SELECT id, hook_id, success, output, error, duration_ms,"
	" executed_at FROM event_hook_executions;"
	"CREATE VIEW held_executions AS SELECT i.id AS event_id, CAST(x.hook_id AS TEXT) AS "
	"hook_id,"
	" h.name || CASE h.stack WHEN '' THEN '' ELSE '@' || h.stack END AS hook_name,"
	" x.attempts AS attempts, x.due_ns / 1000000000 AS due_at, x.why AS why, x.error AS error"
	" FROM execution x JOIN event_id i ON i.seq = x.seq JOIN hook h ON h.id = x.hook_id"
	" WHERE x.due_ns IS NOT NULL;";

/* `status IN (3, 4, 5)` says the same, but SQLite makes a list of three or more a table of its own,
 * in memory, for each row it looks at: a sixth of what an execution cost. */
static const char version_4[] =
	"DROP INDEX execution_failed;"
	"CREATE INDEX execution_failed ON execution (hook_id, seq) WHERE " SQL_EXECUTION_FAILED ";";

/* An id is made when it is asked for, so a join on it looks at all pairs; one on seq does not. */
static const char version_5[] =
	"DROP VIEW hook_executions;"
	"DROP VIEW event_hook_executions;"
	"DROP VIEW events;"
	"CREATE VIEW events AS SELECT i.id AS id, n.text AS type, coalesce(e.data, '{}') AS data,"
	" CASE e.status WHEN 0 THEN 'pending' WHEN 1 THEN 'processing' WHEN 2 THEN 'completed'"
	"  ELSE 'failed' END AS status,"
	" e.error AS error,"
	" coalesce(e.timestamp_ns, e.created_ns) / 1000000000 AS timestamp,"
	" e.created_ns / 1000000000 AS created_at,"
	" CASE WHEN e.status >= 2 THEN e.changed_ns / 1000000000 END AS processed_at,"
	" s.text AS stack, e.agent AS agent, e.run_id AS run_id, e.seq AS seq"
	" FROM event e JOIN event_id i ON i.seq = e.seq JOIN name n ON n.id = e.type"
	" LEFT JOIN name s ON s.id = e.stack;"
	"CREATE VIEW event_hook_executions AS SELECT x.seq << 20 | x.hook_id AS id,"
	" i.id AS event_id, CAST(x.hook_id AS TEXT) AS hook_id,"
	" h.name || CASE h.stack WHEN '' THEN '' ELSE '@' || h.stack END AS hook_name,"
	" CASE WHEN x.status NOT IN (7, 8, 9) THEN x.status = 2 END AS success," /* NULL: no run */
	" x.output AS output, x.error AS error,"
	" x.duration_ns / 1000000 AS duration_ms, x.started_ns / 1000000000 AS executed_at,"
	" CASE x.status WHEN 2 THEN 'success' WHEN 3 THEN 'failed' WHEN 4 THEN 'timeout'"
	"  WHEN 5 THEN 'interrupted' WHEN 7 THEN 'throttled' WHEN 8 THEN 'filtered'"
	"  WHEN 9 THEN 'skipped' ELSE 'removed' END AS status,"
	" x.attempts AS attempts, x.why AS why, x.seq AS seq"
	" FROM execution x JOIN event_id i ON i.seq = x.seq JOIN hook h ON h.id = x.hook_id"
	" WHERE x.status NOT IN (0, 1, 6);"
	"CREATE VIEW hook_executions AS SELECT id, hook_id, success, output, error, duration_ms,"
	" executed_at FROM event_hook_executions;";

const struct schema_step schema_steps[] = {
	{"the first tables and views", version_1},
	{"sources that nobody needs go; stack, agent and run_id of events", version_2},
	{"what hooks hold", version_3},
	{"failed executions found without making a table", version_4},
	{"events and executions joined by seq", version_5},
};

size_t
schema_step_count(void)
{
	return sizeof(schema_steps) / sizeof(schema_steps[0]);
}

static int
apply(struct db *db, const struct schema_step *steps, size_t from, size_t count)
{
	char pragma[64];

	for (size_t i = from; i < count; i++) {
		int rc = db_exec(db, steps[i].sql);

		if (rc < 0)
			return err_wrap(&db->err, -rc, "migration to version %zu (%s)", i + 1,
				steps[i].what);
	}
	(void)snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %zu", count); /* fits */
	return db_exec(db, pragma);
}

int
schema_migrate(struct db *db, const struct schema_step *steps, size_t count)
{
	int64_t version;
	int rc = db_get_int(db, "PRAGMA user_version", &version);

	if (rc < 0)
		return rc;
	if (version < 0 || (uint64_t)version > count)
		return err_set(&db->err, EPROTO,
			"the database has version %lld, this program knows up to %zu: "
			"start the newer program it was made by",
			(long long)version, count);
	if ((uint64_t)version == count)
		return 0;
	rc = db_exec(db, "BEGIN IMMEDIATE");
	if (rc < 0)
		return rc;
	rc = apply(db, steps, (size_t)version, count);
	if (rc == 0)
		rc = db_exec(db, "COMMIT");
	if (rc < 0)
		db_rollback(db);
	return rc;
}
