/* Whatever path on whatever data: no crash, and what is found is a JSON value that lies within it.
 *
 * The input is the path, a NUL, and the data. */
#include "base/json_path.h"
#include "base/auto.h"
#include "base/mem.h"

#include <assert.h>
#include <jansson.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len);

static void
find(const char *path, const char *json, size_t len)
{
	AUTO(sbuf) struct sbuf text = {0};
	size_t size;
	const char *value = json_path_find(json, len, path, &size);
	json_t *again;

	if (!value)
		return;
	assert(value >= json && size <= len && value + size <= json + len);
	again = json_loadb(value, size, JSON_DECODE_ANY, NULL);
	assert(again);
	json_decref(again);
	json_value_text(value, size, &text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
	const char *text = (const char *)input;
	const char *end = memchr(text, '\0', len);
	AUTO(free) char *path = NULL, *json = NULL;
	size_t size;
	json_t *data;

	if (!end)
		return 0;
	size = len - (size_t)(end + 1 - text);
	path = mem_strndup(text, (size_t)(end - text));
	json = mem_strndup(end + 1, size); /* a read behind it is seen */
	assert(json_path_span(path) <= strlen(path));
	data = json_loadb(json, size, 0, NULL);
	if (data && json_path_check(path, NULL) == 0)
		find(path, json, size);
	json_decref(data);
	return 0;
}
