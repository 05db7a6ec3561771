/* The declared tree as a table.  tools/gen/rows.lua writes build/gen/rows.c from
 * mount-layout/<room>.rows (grammar: room.h); tests pass tables of their own.  Row 0 is the root.
 * The children of a row stand together, names first and the {param} row, if any, last.
 */
#ifndef SLOTH_TREE_ROWS_H
#define SLOTH_TREE_ROWS_H

#include "fsd/tree/room.h"

enum row_kind {
	ROW_DIR,
	ROW_TEXT,
	ROW_VALUE,
	ROW_CTL,
	ROW_RPC,
	ROW_STREAM,
	ROW_LOG,
	ROW_LINK,
	ROW_SOURCE,
};

#define ROW_UNLISTED 1  /* reachable, never in readdir */
#define ROW_FRESH    2  /* a node of its own for every lookup */
#define ROW_NOTIFY   4  /* the notify thread tells inotify */
#define ROW_GROUP    8  /* group sloth may do what the owner may */
#define ROW_PARAM    16 /* the last component is a {param}: name holds it without braces */
#define ROW_QUIET    32 /* what is written changes nothing `audit` would tell */

struct row {
	const char *path; /* as declared: "/events/{event}/status" */
	const char *name; /* its last component; "" for the root */
	const char *room; /* the stem of the file that declares it */
	const char *help;
	enum row_kind kind;
	unsigned flags;
	unsigned mode;
	unsigned parent;                   /* index; the root's is 0 */
	unsigned first_child, child_count; /* indexes of its children */
	const struct node_set *set;        /* of a {param} row: which names exist */
	union row_read {
		text_read_fn *text; /* text, value, ctl (or NULL), link */
		const struct rpc_ops *rpc;
		const struct stream_ops *stream;
		log_open_fn *log;
		source_find_fn *source;
	} read;
	union row_write {
		const struct dir_edit *edit; /* dir, or NULL */
		value_set_fn *set;           /* value, ctl */
	} write;
};

extern const struct row tree_rows[];
extern const unsigned tree_row_count;

#endif
