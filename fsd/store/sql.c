/* The text of the kept statements.  Codes of status stand as numbers here, as they do in the schema
 * and in every database: events 0 pending, 1 processing (parked), 2 completed, 3 failed;
 * executions 0 pending, 1 running, 6 held are the ones not final; 3, 4, 5 the ones that failed. The
 * enums must not be renumbered without a migration. */
#include "fsd/store/sql.h"

#include "fsd/store/records.h"

_Static_assert(
	EVENT_PENDING == 0 && EVENT_PROCESSING == 1 && EVENT_COMPLETED == 2 && EVENT_FAILED == 3,
	"status of events as stored");
_Static_assert(EXEC_PENDING == 0 && EXEC_RUNNING == 1 && EXEC_SUCCESS == 2 && EXEC_FAILED == 3 &&
		       EXEC_TIMEOUT == 4 && EXEC_INTERRUPTED == 5 && EXEC_HELD == 6,
	"status of executions as stored");

#define EVENT_ROW "(?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
#define EVENT_INSERT                                                                               \
	"INSERT INTO event (seq, status, type, stack, created_ns, changed_ns, timestamp_ns, salt," \
	" sender, sender_id, cause_seq, depth, replay_of, replay_hook, agent, run_id, severity,"   \
	" source, data) VALUES " EVENT_ROW

#define EXECUTION_ROW "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
#define EXECUTION_INSERT                                                                           \
	"INSERT INTO execution (seq, hook_id, version, status, attempts, started_ns,"              \
	" duration_ns, message, output, error, due_ns, why, count, lane) VALUES " EXECUTION_ROW

/* The rest of SQL_MANY rows. */
#define FIVE_MORE(row) ", " row ", " row ", " row ", " row ", " row
#define MORE(row)      FIVE_MORE(row) FIVE_MORE(row) FIVE_MORE(row)

#define EVENT_FINISH "UPDATE event SET status = ?2, changed_ns = ?3, error = ?4 WHERE seq = ?1"

#define EXECUTION_COLUMNS                                                                          \
	"SELECT x.seq, x.hook_id, h.name, h.stack, x.version, x.status, x.attempts, x.started_ns," \
	" x.duration_ns, x.message, x.output, x.error, x.due_ns, x.why, x.count, x.lane"           \
	" FROM execution x LEFT JOIN hook h ON h.id = x.hook_id "

#define VERSION_COLUMNS                                                                            \
	"SELECT v.hook_id, v.version, v.from_seq, v.to_seq, h.name, h.stack, v.types, v.meta,"     \
	" c.hash, length(c.body), v.created_ns"
#define VERSION_TABLES                                                                             \
	" FROM hook_version v JOIN hook h ON h.id = v.hook_id"                                     \
	" JOIN hook_source c ON c.id = v.source_id"

#define NO_EVENT_NEEDS_V                                                                           \
	" AND NOT EXISTS (SELECT 1 FROM event e WHERE e.status IN (0, 1)"                          \
	"  AND e.seq >= v.from_seq AND e.seq < v.to_seq)"

const char *const sql_text[SQL_COUNT] = {
	[SQL_BEGIN_WRITE] = "BEGIN IMMEDIATE",
	[SQL_BEGIN_READ] = "BEGIN",
	[SQL_COMMIT] = "COMMIT",
	[SQL_COUNTER_GET] = "SELECT is_open, last_seq, last_hook_id, pending, processing,"
			    " completed, failed FROM counter WHERE id = 1",
	[SQL_COUNTER_SET] =
		"UPDATE counter SET is_open = ?1, last_seq = ?2, last_hook_id = ?3,"
		" pending = ?4, processing = ?5, completed = ?6, failed = ?7 WHERE id = 1",
	[SQL_NAME_FIND] = "SELECT id FROM name WHERE text = ?1",
	[SQL_NAMES_LIKE] = "SELECT id FROM name WHERE text GLOB ?1",
	[SQL_NAME_ADD] = "INSERT INTO name (text) VALUES (?1)",
	[SQL_NAME_PRUNE] = "DELETE FROM name WHERE id BETWEEN ?1 AND ?2"
			   " AND NOT EXISTS (SELECT 1 FROM event WHERE type = id)"
			   " AND NOT EXISTS (SELECT 1 FROM event WHERE stack = id)",
	[SQL_EVENT_INSERT] = EVENT_INSERT,
	[SQL_EVENT_INSERT_MANY] = EVENT_INSERT MORE(EVENT_ROW),
	[SQL_EVENT_INSERT_ONCE] = EVENT_INSERT " ON CONFLICT (sender_id, sender)"
					       " WHERE sender_id IS NOT NULL DO NOTHING",
	[SQL_EVENT_BY_SENDER] = "SELECT seq FROM event WHERE sender_id = ?1 AND sender = ?2",
	[SQL_EVENT_BY_SENDER_ID] = "SELECT max(seq) FROM event WHERE sender_id = ?1",
	[SQL_EVENT_GET] =
		"SELECT " SQL_EVENT_COLUMNS ", e.data" SQL_EVENT_TABLES "WHERE e.seq = ?1",
	[SQL_EVENT_STATUS] = "SELECT status FROM event WHERE seq = ?1",
	[SQL_EVENT_MARK] = "UPDATE event SET status = ?3 WHERE seq = ?1 AND status = ?2",
	[SQL_EVENT_FINISH] = EVENT_FINISH " AND status = 0",
	[SQL_EVENT_FINISH_PARKED] = EVENT_FINISH " AND status = 1",
	[SQL_EVENT_DELETE] = "DELETE FROM event WHERE seq = ?1",
	[SQL_EVENTS_PENDING] = "SELECT " SQL_EVENT_COLUMNS ", e.data" SQL_EVENT_TABLES
			       "WHERE e.status = 0 AND e.seq > ?1 ORDER BY e.seq LIMIT ?2",
	[SQL_EVENT_FROM] = "SELECT seq, created_ns FROM event WHERE seq >= ?1 ORDER BY seq LIMIT 1",
	/* One index seek per type, however many events there are. */
	[SQL_EVENT_TYPES] =
		"WITH RECURSIVE used (id) AS (SELECT min(type) FROM event UNION ALL"
		" SELECT (SELECT min(type) FROM event WHERE type > id) FROM used WHERE id NOTNULL)"
		" SELECT text FROM name WHERE id IN (SELECT id FROM used) ORDER BY text",
	[SQL_EVENTS_FOR_PRUNE] = "SELECT seq, status, created_ns, changed_ns FROM event"
				 " WHERE seq > ?1 ORDER BY seq LIMIT ?2",
	[SQL_EXECUTION_PUT] = EXECUTION_INSERT
	" ON CONFLICT (seq, hook_id) DO UPDATE SET version = ?3, status = ?4,"
	" attempts = ?5, started_ns = ?6, duration_ns = ?7, message = ?8, output = ?9,"
	" error = ?10, due_ns = ?11, why = ?12, count = ?13, lane = ?14"
	" WHERE status < 2 OR status = 6",
	[SQL_EXECUTION_PUT_MANY] = EXECUTION_INSERT MORE(EXECUTION_ROW),
	[SQL_EXECUTIONS_OF_EVENT] = EXECUTION_COLUMNS "WHERE x.seq = ?1 ORDER BY x.hook_id",
	[SQL_EXECUTION_GET] = EXECUTION_COLUMNS "WHERE x.seq = ?1 AND x.hook_id = ?2",
	[SQL_EXECUTIONS_DELETE] = "DELETE FROM execution WHERE seq = ?1",
	[SQL_DUE] = "SELECT x.due_ns, x.seq FROM execution x CROSS JOIN event e ON e.seq = x.seq"
		    " WHERE x.hook_id = ?1 AND x.due_ns IS NOT NULL"
		    " AND (x.due_ns, x.seq) >= (?2, ?3) AND e.status = 1"
		    " ORDER BY x.due_ns, x.seq",
	/* one index seek per hook, however much it holds */
	[SQL_DUE_HOOKS] =
		"WITH RECURSIVE holding (id) AS (SELECT min(hook_id) FROM execution"
		"  WHERE due_ns IS NOT NULL UNION ALL SELECT (SELECT min(hook_id) FROM execution"
		"  WHERE due_ns IS NOT NULL AND hook_id > id) FROM holding WHERE id NOTNULL)"
		" SELECT id, (SELECT min(due_ns) FROM execution WHERE hook_id = id"
		"  AND due_ns IS NOT NULL) FROM holding WHERE id NOTNULL",
	[SQL_HELD_COUNTS] = "SELECT hook_id, count(*) FROM execution"
			    " WHERE due_ns IS NOT NULL AND attempts = 0 GROUP BY hook_id",
	[SQL_LANES] = "SELECT hook_id, lane, seq FROM execution WHERE lane IS NOT NULL"
		      " ORDER BY hook_id, lane, seq",
	[SQL_PARKED_LOWEST] =
		"SELECT seq, created_ns FROM event WHERE status = 1 ORDER BY seq LIMIT 1",
	[SQL_GATE_COUNT_PUT] = "INSERT INTO gate_count (hook_id, key, value, expires_ns)"
			       " VALUES (?1, ?2, ?3, ?4) ON CONFLICT (hook_id, key)"
			       " DO UPDATE SET value = ?3, expires_ns = ?4",
	[SQL_GATE_COUNT_DELETE] = "DELETE FROM gate_count WHERE hook_id = ?1 AND key = ?2",
	[SQL_GATE_COUNTS] = "SELECT hook_id, key, value, expires_ns FROM gate_count"
			    " WHERE expires_ns > ?1 ORDER BY hook_id, key",
	[SQL_GATE_COUNT_EXPIRE] = "DELETE FROM gate_count WHERE (hook_id, key) IN (SELECT hook_id,"
				  " key FROM gate_count WHERE expires_ns <= ?1 LIMIT ?2)",
	[SQL_HOOK_PUT] =
		"INSERT INTO hook (id, name, stack, created_ns, updated_ns)"
		" VALUES (?1, ?2, ?3, ?4, ?4) ON CONFLICT (id) DO UPDATE SET updated_ns = ?4",
	[SQL_HOOK_COUNT] = "UPDATE hook SET runs = runs + ?2, failures = failures + ?3,"
			   " last_run_ns = max(last_run_ns, ?4) WHERE id = ?1",
	[SQL_VERSION_META] =
		"UPDATE hook_version SET meta = ?3 WHERE hook_id = ?1 AND version = ?2",
	[SQL_HOOK_RENAME] = "UPDATE hook SET name = ?2 WHERE id = ?1",
	[SQL_HOOK_STATS] = "SELECT id, name, stack, runs, failures, last_run_ns, created_ns,"
			   " updated_ns, (SELECT coalesce(max(version), 0) FROM hook_version v"
			   " WHERE v.hook_id = hook.id) FROM hook ORDER BY id",
	[SQL_VERSION_CLOSE] =
		"UPDATE hook_version SET to_seq = ?2 WHERE hook_id = ?1 AND to_seq = 0",
	[SQL_VERSION_PUT] = "INSERT INTO hook_version (hook_id, version, from_seq, to_seq, types,"
			    " meta, source_id, created_ns) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	/* Versions that follow each other with one source are a run.  Of a run that stays, the
	 * first stays, and the others while they are among the newest.  What an event that is not
	 * final yet may still run stays, however old. */
	[SQL_VERSIONS_PRUNE] =
		"WITH own AS (SELECT version, source_id IS NOT"
		"  lag(source_id) OVER (ORDER BY version) AS is_first"
		"  FROM hook_version WHERE hook_id = ?1),"
		" runs AS (SELECT version, is_first, sum(is_first) OVER (ORDER BY version) AS run"
		"  FROM own),"
		" kept AS (SELECT version FROM runs WHERE run > (SELECT max(run) FROM runs) - ?2"
		"  AND (is_first OR version > ?3))"
		" DELETE FROM hook_version AS v WHERE v.hook_id = ?1 AND v.to_seq > 0"
		" AND v.version NOT IN kept" NO_EVENT_NEEDS_V,
	[SQL_VERSIONS_PRUNE_REMOVED] =
		"DELETE FROM hook_version AS v WHERE v.to_seq > 0" NO_EVENT_NEEDS_V
		" AND NOT EXISTS (SELECT 1 FROM hook_version o WHERE o.hook_id = v.hook_id"
		"  AND o.to_seq = 0)"
		" AND NOT EXISTS (SELECT 1 FROM execution x WHERE x.hook_id = v.hook_id)",
	[SQL_HOOKS_PRUNE_REMOVED] =
		"DELETE FROM hook WHERE NOT EXISTS (SELECT 1 FROM hook_version v"
		"  WHERE v.hook_id = hook.id)"
		" AND NOT EXISTS (SELECT 1 FROM execution x WHERE x.hook_id = hook.id)",
	[SQL_VERSIONS_NEEDED] = VERSION_COLUMNS VERSION_TABLES
	" WHERE v.to_seq = 0 OR EXISTS (SELECT 1 FROM event e WHERE e.status IN (0, 1)"
	" AND e.seq >= v.from_seq AND e.seq < v.to_seq)"
	" ORDER BY v.hook_id, v.version",
	[SQL_VERSIONS_ALL] = VERSION_COLUMNS VERSION_TABLES " ORDER BY v.hook_id, v.version",
	[SQL_VERSIONS_OF_HOOK] =
		VERSION_COLUMNS VERSION_TABLES " WHERE v.hook_id = ?1 ORDER BY v.version",
	[SQL_VERSION_GET] = VERSION_COLUMNS ", c.body" VERSION_TABLES
					    " WHERE v.hook_id = ?1 AND v.version = ?2",
	[SQL_SOURCE_FIND] = "SELECT id FROM hook_source WHERE hash = ?1 AND body = ?2",
	[SQL_SOURCE_ADD] = "INSERT INTO hook_source (hash, body) VALUES (?1, ?2)",
	[SQL_STATE_GET] = "SELECT value, expires_ns FROM state WHERE stack = ?1 AND key = ?2"
			  " AND (expires_ns = 0 OR expires_ns > ?3)",
	[SQL_STATE_SET] = "INSERT INTO state (stack, key, value, expires_ns)"
			  " VALUES (?1, ?2, ?3, ?4) ON CONFLICT (stack, key)"
			  " DO UPDATE SET value = ?3, expires_ns = ?4",
	[SQL_STATE_DELETE] = "DELETE FROM state WHERE stack = ?1 AND key = ?2",
	/* ?3 sorts behind every key that begins with ?2 */
	[SQL_STATE_KEYS] = "SELECT key FROM state WHERE stack = ?1 AND key >= ?2 AND key < ?3"
			   " AND (expires_ns = 0 OR expires_ns > ?4) ORDER BY key",
	[SQL_STATE_CLEAR] = "DELETE FROM state WHERE stack = ?1 AND key >= ?2 AND key < ?3",
	[SQL_STATE_EXPIRE] = "DELETE FROM state WHERE (stack, key) IN (SELECT stack, key FROM state"
			     " WHERE expires_ns > 0 AND expires_ns <= ?1 LIMIT ?2)",
	[SQL_PERM_PUT] = "INSERT INTO perm (path, mode, uid, gid) VALUES (?1, ?2, ?3, ?4)"
			 " ON CONFLICT (path) DO UPDATE SET mode = ?2, uid = ?3, gid = ?4",
	[SQL_PERM_DELETE] = "DELETE FROM perm WHERE path = ?1",
	[SQL_PERMS] = "SELECT path, mode, uid, gid FROM perm ORDER BY path",
	[SQL_QUICK_CHECK] = "PRAGMA quick_check(20)",
};
