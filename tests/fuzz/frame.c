/* Bytes of a broken or hostile worker: no crash, no read outside of them, and what is taken as a
 * frame lies within them.  The first bytes say which fields the reader expects. */
#include "base/frame.h"
#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len);

#define FIELDS 8

/* Take fields of the kinds that were asked for; after one that did not fit all are empty. */
static void
read_fields(struct frame *f, const uint8_t *kinds)
{
	for (int i = 0; i < FIELDS; i++) {
		bool was_bad = f->is_bad;
		size_t size = 0;
		const char *text;

		switch (kinds[i] % 4) {
		case 0:
			assert(frame_get_u32(f) == 0 || !was_bad);
			break;
		case 1:
			assert(frame_get_u64(f) == 0 || !was_bad);
			break;
		case 2:
			text = frame_get_str(f, &size);
			assert(text && (size == 0 || !was_bad) &&
				(size == 0 || text + size <= f->end));
			break;
		default:
			free(frame_dup_str(f));
		}
		assert(f->at <= f->end && (f->is_bad || !was_bad));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
	const char *at = (const char *)input + FIELDS;
	struct frame f;
	struct err err;
	int64_t taken;

	if (len < FIELDS)
		return 0;
	len -= FIELDS;
	while ((taken = frame_parse(at, len, &f, &err)) > 0) {
		assert((size_t)taken <= len && f.end == at + taken);
		read_fields(&f, input);
		at += taken;
		len -= (size_t)taken;
	}
	return 0;
}
