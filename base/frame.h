/* Frames: the messages on a stream socket between the daemon and its workers.
 *
 *	u32 length (of what follows) | u8 type | u8 version | u16 zero | u32 id | fields...
 *
 * All numbers little-endian.  A field is a u32, a u64 or a string (u32 length, bytes).  The type
 *says which fields follow (base/worker_proto.h); readers check every length against the frame, so a
 *broken or hostile peer costs an error, never a crash.  A frame is at most FRAME_MAX bytes.
 */
#ifndef SLOTH_BASE_FRAME_H
#define SLOTH_BASE_FRAME_H

#include "base/err.h"
#include "base/sbuf.h"

#include <stdbool.h>
#include <stdint.h>

#define FRAME_VERSION 1
#define FRAME_MAX     (8u * 1024 * 1024)

/* ---- writing: fields are appended to a buffer between frame_begin and frame_end ---------------
 */

/* Returns a mark for frame_end. */
size_t frame_begin(struct sbuf *b, uint8_t type, uint32_t id);
/* Append a field to the frame begun. */
void frame_u32(struct sbuf *b, uint32_t v);
void frame_u64(struct sbuf *b, uint64_t v);
void frame_str(struct sbuf *b, const char *s, size_t len);
void frame_strz(struct sbuf *b, const char *s); /* NULL is written as the empty string */
void frame_end(struct sbuf *b, size_t mark);

/* ---- reading ----------------------------------------------------------------------------------
 */

struct frame {
	uint8_t type;
	uint32_t id;
	const char *at, *end; /* the fields left; borrowed from the buffer */
	bool is_bad; /* a field did not fit: set once, stays set; reads then give 0 and "" */
};

/* Look for a whole frame at the start of data.  Returns its length in bytes, 0 when more bytes are
 * needed, -EPROTO when it is too long or of another version. */
int64_t frame_parse(const char *data, size_t len, struct frame *ret_frame, struct err *err);

/* Take the next field; 0 when the frame has no such field (is_bad tells). */
uint32_t frame_get_u32(struct frame *f);
uint64_t frame_get_u64(struct frame *f);
/* Borrowed from the frame, not NUL-terminated. */
const char *frame_get_str(struct frame *f, size_t *ret_len);
/* Returns owned, NUL-terminated; the empty string gives NULL. */
char *frame_dup_str(struct frame *f);

#endif
