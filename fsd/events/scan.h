/* The scanner finds where records end in bytes that come in pieces of any size.  It judges nothing
 * but that; whether a record is valid is json_check.c's and envelope.c's matter. */
#ifndef SLOTH_EVENTS_SCAN_H
#define SLOTH_EVENTS_SCAN_H

#include <stdbool.h>
#include <stddef.h>

enum scan_kind {
	SCAN_NONE,   /* between records */
	SCAN_OBJECT, /* a JSON object, over any number of lines */
	SCAN_LINE,   /* the short form: everything up to the end of the line */
};

enum scan_end {
	SCAN_MORE,   /* the data is used up; a record may be unfinished (kind says) */
	SCAN_RECORD, /* a record ends here */
	SCAN_BROKEN, /* it cannot become a record: a line break inside a string */
	SCAN_TOO_BIG /* it is longer than max bytes */
};

/* {0} is a scanner before the first byte; copy it to go back. */
struct scan {
	enum scan_kind kind;
	size_t record_bytes; /* of the record so far */
	size_t line;         /* line breaks seen before the record, in all that was fed */
	size_t lines_within; /* line breaks inside it */
	unsigned depth;      /* brackets open */
	bool in_string, is_escaped;
	bool after_object; /* an object ended on this line */
};

/* The part of a record that lies in the data just fed. */
struct scan_piece {
	size_t begin, end; /* end is also how many bytes were used */
	enum scan_kind kind;
	size_t line;  /* where the record begins, from 1 */
	bool is_junk; /* SCAN_LINE only: it stands behind an object, on the same line */
};

/* Use bytes up to the end of the next record.  Call again with the rest.  After SCAN_BROKEN or
 * SCAN_TOO_BIG the scanner stands between records behind the bytes used. */
enum scan_end scan_next(struct scan *s, const char *data, size_t len, size_t max_bytes,
	struct scan_piece *ret_piece);

/* Forget an unfinished record. */
void scan_drop(struct scan *s);

#endif
