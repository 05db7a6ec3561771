/* A growing byte string, always NUL-terminated, which may hold NULs inside.  struct sbuf b = {0}
 * is a valid empty buffer; sbuf_fini releases it.  Growth aborts on lack of memory (see mem.h);
 * callers that append outside data bound it first. */
#ifndef SLOTH_BASE_SBUF_H
#define SLOTH_BASE_SBUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sbuf {
	char *data; /* NULL while nothing was ever added */
	size_t len;
	size_t cap;
};

/* Release the memory; b is a valid empty buffer afterwards. */
void sbuf_fini(struct sbuf *b);
static inline void
sbuf_auto(struct sbuf *b)
{
	sbuf_fini(b);
}

/* Make room for n more bytes and return where they go; the caller adds to len what it wrote. */
char *sbuf_room(struct sbuf *b, size_t n);

/* Append bytes, a string, a character: inline, because a line is made of many small pieces, the
 * lengths of which the compiler mostly knows. */
static inline void
sbuf_add(struct sbuf *b, const void *data, size_t len)
{
	char *room = b->len + len < b->cap ? b->data + b->len : sbuf_room(b, len);

	if (len)
		memcpy(room, data, len);
	b->len += len;
	room[len] = '\0';
}
static inline void
sbuf_adds(struct sbuf *b, const char *s)
{
	sbuf_add(b, s, strlen(s));
}
static inline void
sbuf_addc(struct sbuf *b, char c)
{
	sbuf_add(b, &c, 1);
}

/* Append a decimal number, formatted text.  What is written for each event does without the latter,
 * which costs ten times as much as anything else here. */
void sbuf_addu(struct sbuf *b, uint64_t value);
void sbuf_printf(struct sbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sbuf_vprintf(struct sbuf *b, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

/* Append len bytes as a JSON string with its quotes.  Bytes that are not UTF-8 become U+FFFD. */
void sbuf_json(struct sbuf *b, const char *s, size_t len);
/* Whether all of them are UTF-8. */
bool sbuf_is_utf8(const char *s, size_t len);
/* The same for a C string; NULL becomes null. */
void sbuf_jsons(struct sbuf *b, const char *s);

/* Forget the first n bytes (n <= len), moving the rest to the front. */
void sbuf_shift(struct sbuf *b, size_t n);

/* Empty it, keeping the memory. */
void sbuf_reset(struct sbuf *b);

/* The text, never NULL.  Borrowed until the next change. */
static inline const char *
sbuf_str(const struct sbuf *b)
{
	return b->data ? b->data : "";
}

/* Returns owned: the text (never NULL); leaves b empty. */
char *sbuf_take(struct sbuf *b);

#endif
