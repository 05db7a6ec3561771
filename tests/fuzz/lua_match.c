/* Whatever stands in a hook's match, on whatever data: no crash, an end, and a reason that is one
 * short line of text; a condition and its opposite never both hold; and the form in which
 * conditions are kept decides as what was written.
 *
 * The input is the conditions, a NUL, and the data. */
#include "base/auto.h"
#include "base/conditions.h"
#include "base/mem.h"
#include "lua/host/match.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len);

#define WHY_MAX 1024

static const struct host_event event = {.id = "1",
	.type = "task.failed",
	.stack = "",
	.agent = "web-1",
	.run_id = "run",
	.severity = "warning",
	.source = ""};

static void
check_why(const char *why)
{
	json_t *text = json_string(why);

	assert(text); /* it is UTF-8 */
	assert(why[0] && strlen(why) < WHY_MAX && !strchr(why, '\n'));
	json_decref(text);
}

static int
judge(const char *lines, const char *json, size_t len)
{
	struct match_subject subject = {.event = &event, .data = json, .data_len = len};
	AUTO(free) char *why = NULL;
	struct match *m;
	struct err err;
	int verdict;

	if (match_new(lines, &m, &err) < 0)
		return -EINVAL;
	verdict = match_judge(m, &subject, &why);
	assert((verdict == 1) == (why == NULL));
	if (why)
		check_why(why);
	match_free(m);
	return verdict;
}

/* Of `=` and `~` there is an opposite. */
static void
judge_opposite(const char *lines, const char *json, size_t len)
{
	size_t at = strcspn(lines, "=~");
	AUTO(free) char *opposite = NULL;
	int verdict, other;

	if (strchr(lines, '\n') || strcspn(lines, "\"[#<>!") < at || !lines[at])
		return;
	opposite = mem_printf("%.*s!%s", (int)at, lines, lines + at);
	verdict = judge(lines, json, len);
	other = judge(opposite, json, len);
	assert(verdict < 0 || other == !verdict);
}

static void
judge_kept(const char *lines, const char *json, size_t len)
{
	AUTO(conditions) struct conditions c = {0};
	AUTO(sbuf) struct sbuf kept = {0}, again = {0};
	int verdict = judge(lines, json, len), other, code;

	if (conditions_parse(lines, &c, NULL) < 0)
		return;
	conditions_show(&c, &kept);
	other = judge(sbuf_str(&kept), json, len);
	assert(verdict == other);
	conditions_fini(&c);
	code = conditions_parse(sbuf_str(&kept), &c, NULL);
	assert(code == 0);
	conditions_show(&c, &again);
	assert(!strcmp(sbuf_str(&kept), sbuf_str(&again)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
	const char *text = (const char *)input;
	const char *end = memchr(text, '\0', len);
	AUTO(free) char *lines = NULL;
	json_t *data;
	size_t json_len;

	if (!end)
		return 0;
	json_len = len - (size_t)(end + 1 - text);
	data = json_loadb(end + 1, json_len, 0, NULL);
	lines = mem_strndup(text, (size_t)(end - text));
	if (data) {
		judge_kept(lines, end + 1, json_len);
		judge_opposite(lines, end + 1, json_len);
	}
	json_decref(data);
	return 0;
}
