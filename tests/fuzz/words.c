/* Lines of words, as written to a stream, to events/query and to events/replay: no crash, and the
 * line that asks for the next page is one that is accepted. */
#include "base/auto.h"
#include "base/mem.h"
#include "fsd/events/search.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len);

static void
ask(const char *line, size_t len, enum search_use use)
{
	AUTO(sbuf) struct sbuf next = {0};
	struct search search, again;
	struct err err;

	if (search_parse(line, len, use, &search, &err) < 0)
		return;
	search_add_next(&search, "some-id", &next);
	assert(search_parse(next.data, next.len, use, &again, &err) == 0);
	search_fini(&again);
	search_fini(&search);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
	const struct event ev = {.type = (char *)"task.failed", .stack = (char *)"prod"};
	AUTO(free) char *line = mem_strndup((const char *)input, len);
	struct event_filter filter;
	struct err err;

	if (filter_parse(line, len, &filter, &err) == 0) {
		(void)filter_match(&filter, &ev);
		filter_fini(&filter);
	}
	ask(line, len, SEARCH_QUERY);
	ask(line, len, SEARCH_REPLAY);
	return 0;
}
