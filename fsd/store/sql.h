/* The statements that are prepared once per connection and kept. */
#ifndef SLOTH_STORE_SQL_H
#define SLOTH_STORE_SQL_H

enum sql_id {
	SQL_BEGIN_WRITE,
	SQL_BEGIN_READ,
	SQL_COMMIT,
	SQL_COUNTER_GET,
	SQL_COUNTER_SET,
	SQL_NAME_FIND,
	SQL_NAMES_LIKE,
	SQL_NAME_ADD,
	SQL_NAME_PRUNE,
	SQL_EVENT_INSERT,
	SQL_EVENT_INSERT_MANY, /* SQL_MANY at once */
	SQL_EVENT_INSERT_ONCE,
	SQL_EVENT_BY_SENDER,
	SQL_EVENT_BY_SENDER_ID,
	SQL_EVENT_GET,
	SQL_EVENT_STATUS,
	SQL_EVENT_MARK,
	SQL_EVENT_FINISH,
	SQL_EVENT_FINISH_PARKED,
	SQL_EVENT_DELETE,
	SQL_EVENTS_PENDING,
	SQL_EVENT_FROM,
	SQL_EVENT_TYPES,
	SQL_EVENTS_FOR_PRUNE,
	SQL_EXECUTION_PUT,
	SQL_EXECUTION_PUT_MANY, /* SQL_MANY at once, none of which is there */
	SQL_EXECUTIONS_OF_EVENT,
	SQL_EXECUTION_GET,
	SQL_EXECUTIONS_DELETE,
	SQL_DUE,
	SQL_DUE_HOOKS,
	SQL_HELD_COUNTS,
	SQL_LANES,
	SQL_PARKED_LOWEST,
	SQL_GATE_COUNT_PUT,
	SQL_GATE_COUNT_DELETE,
	SQL_GATE_COUNTS,
	SQL_GATE_COUNT_EXPIRE,
	SQL_HOOK_PUT,
	SQL_HOOK_COUNT,
	SQL_HOOK_RENAME,
	SQL_VERSION_META,
	SQL_HOOK_STATS,
	SQL_VERSION_CLOSE,
	SQL_VERSION_PUT,
	SQL_VERSIONS_PRUNE,
	SQL_VERSIONS_PRUNE_REMOVED,
	SQL_HOOKS_PRUNE_REMOVED,
	SQL_VERSIONS_NEEDED,
	SQL_VERSIONS_ALL,
	SQL_VERSIONS_OF_HOOK,
	SQL_VERSION_GET,
	SQL_SOURCE_FIND,
	SQL_SOURCE_ADD,
	SQL_STATE_GET,
	SQL_STATE_SET,
	SQL_STATE_DELETE,
	SQL_STATE_KEYS,
	SQL_STATE_CLEAR,
	SQL_STATE_EXPIRE,
	SQL_PERM_PUT,
	SQL_PERM_DELETE,
	SQL_PERMS,
	SQL_QUICK_CHECK,
	SQL_COUNT,
};

#define SQL_MANY 16

extern const char *const sql_text[SQL_COUNT];

/* An execution that failed, timed out or was interrupted: what the index execution_failed has. */
#define SQL_EXECUTION_FAILED "status BETWEEN 3 AND 5"

/* The columns event_from_row() reads, from event e JOIN name t LEFT JOIN name s. */
#define SQL_EVENT_COLUMNS                                                                          \
	"e.seq, e.status, t.text, s.text, e.created_ns, e.changed_ns, e.timestamp_ns, e.salt,"     \
	" e.sender, e.sender_id, e.cause_seq, e.depth, e.replay_of, e.replay_hook, e.agent,"       \
	" e.run_id, e.severity, e.source, e.error, c.created_ns, c.salt, c.sender_id"
#define SQL_EVENT_TABLES                                                                           \
	" FROM event e JOIN name t ON t.id = e.type LEFT JOIN name s ON s.id = e.stack"            \
	" LEFT JOIN event c ON c.seq = e.cause_seq "

#endif
