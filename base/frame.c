/* Frames: see frame.h.  Fields are copied byte by byte in little-endian order, so neither alignment
 * nor the host's order matters. */
#include "base/frame.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

#define HEADER_BYTES 8 /* type, version, zero, id */

static void
put_le(struct sbuf *b, uint64_t v, size_t bytes)
{
	char raw[8];

	for (size_t i = 0; i < bytes; i++)
		raw[i] = (char)(v >> (8 * i));
	sbuf_add(b, raw, bytes);
}

static uint64_t
get_le(const char *p, size_t bytes)
{
	uint64_t v = 0;

	for (size_t i = 0; i < bytes; i++)
		v |= (uint64_t)(unsigned char)p[i] << (8 * i);
	return v;
}

size_t
frame_begin(struct sbuf *b, uint8_t type, uint32_t id)
{
	size_t mark = b->len;

	put_le(b, 0, 4); /* the length, known at frame_end */
	put_le(b, type, 1);
	put_le(b, FRAME_VERSION, 1);
	put_le(b, 0, 2);
	put_le(b, id, 4);
	return mark;
}

void
frame_u32(struct sbuf *b, uint32_t v)
{
	put_le(b, v, 4);
}

void
frame_u64(struct sbuf *b, uint64_t v)
{
	put_le(b, v, 8);
}

void
frame_str(struct sbuf *b, const char *s, size_t len)
{
	assert(len <= FRAME_MAX);
	put_le(b, len, 4);
	sbuf_add(b, s, len);
}

void
frame_strz(struct sbuf *b, const char *s)
{
	frame_str(b, s ? s : "", s ? strlen(s) : 0);
}

void
frame_end(struct sbuf *b, size_t mark)
{
	size_t len = b->len - mark - 4;

	assert(len <= FRAME_MAX);
	for (size_t i = 0; i < 4; i++)
		b->data[mark + i] = (char)(len >> (8 * i));
}

int64_t
frame_parse(const char *data, size_t len, struct frame *ret_frame, struct err *err)
{
	uint64_t body;

	if (len < 4)
		return 0;
	body = get_le(data, 4);
	if (body < HEADER_BYTES || body > FRAME_MAX)
		return err_set(err, EPROTO,
			"frame of %llu bytes: the peer does not speak this protocol",
			(unsigned long long)body);
	if (len < 4 + body)
		return 0;
	if ((unsigned char)data[5] != FRAME_VERSION)
		return err_set(err, EPROTO, "frame of protocol version %u, this is version %u",
			(unsigned)(unsigned char)data[5], FRAME_VERSION);
	*ret_frame = (struct frame){
		.type = (uint8_t)data[4],
		.id = (uint32_t)get_le(data + 8, 4),
		.at = data + 4 + HEADER_BYTES,
		.end = data + 4 + body,
	};
	return (int64_t)(4 + body);
}

static const char *
take(struct frame *f, size_t bytes)
{
	const char *p = f->at;

	if (f->is_bad || (size_t)(f->end - f->at) < bytes) {
		f->is_bad = true;
		return NULL;
	}
	f->at += bytes;
	return p;
}

uint32_t
frame_get_u32(struct frame *f)
{
	const char *p = take(f, 4);

	return p ? (uint32_t)get_le(p, 4) : 0;
}

uint64_t
frame_get_u64(struct frame *f)
{
	const char *p = take(f, 8);

	return p ? get_le(p, 8) : 0;
}

const char *
frame_get_str(struct frame *f, size_t *ret_len)
{
	size_t len = frame_get_u32(f);
	const char *p = take(f, len);

	*ret_len = p ? len : 0;
	return p ? p : "";
}

char *
frame_dup_str(struct frame *f)
{
	size_t len;
	const char *p = frame_get_str(f, &len);

	return len ? mem_strndup(p, len) : NULL;
}
