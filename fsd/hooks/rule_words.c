/* The words that rules are written in: see rule_words.h. */
#include "fsd/hooks/rule_words.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/conditions.h"
#include "base/mem.h"
#include "base/units.h"

#include <string.h>

#define SPAN_MIN_NS NS_PER_MS
#define SPAN_MAX_NS (366 * 86400 * NS_PER_S)

void
rule_skip_blanks(const char **p)
{
	*p += strspn(*p, " \t\r\n");
}

bool
rule_take_word(const char **p, const char *word)
{
	size_t len = strlen(word);

	rule_skip_blanks(p);
	if (strncmp(*p, word, len) != 0 || ((*p)[len] && !strchr(" \t\r\n", (*p)[len])))
		return false;
	*p += len;
	rule_skip_blanks(p);
	return true;
}

char *
rule_take_text(const char **p)
{
	size_t len = strcspn(*p, " \t\r\n");
	char *text = len ? mem_strndup(*p, len) : NULL;

	*p += len;
	return text;
}

bool
rule_take_number(const char **p, unsigned max, unsigned *ret)
{
	const char *start = *p;
	uint64_t v = 0;

	for (; **p >= '0' && **p <= '9' && v <= max; (*p)++)
		v = v * 10 + (unsigned)(**p - '0');
	if (*p == start || v > max)
		return false;
	*ret = (unsigned)v;
	return true;
}

bool
rule_take_span(const char **p, int64_t *ret_ns)
{
	AUTO(free) char *word = rule_take_text(p);
	AUTO(free) char *text = NULL;
	int64_t ns;

	if (!word)
		return false;
	if (word[strspn(word, "0123456789.")] == '\0')
		text = mem_printf("%ss", word);
	else
		text = mem_printf("%s%s", strchr("0123456789.", word[0]) ? "" : "1", word);
	if (units_parse_duration(text, &ns, NULL) != 0 || ns < SPAN_MIN_NS || ns > SPAN_MAX_NS)
		return false;
	*ret_ns = ns;
	return true;
}

char *
rule_take_path(const char **p)
{
	size_t len = condition_path_span(*p);
	char *path = len ? mem_strndup(*p, len) : NULL;

	*p += len;
	return path;
}
