/* Regular expressions that end: see regex.h.
 *
 * PCRE2's own limits do not bound the time: its match limit counts anew from each place of the text
 * where the expression may begin, and one step of `.*` runs through the whole text.  So expressions
 * are compiled with a callout before each of their items, which pays for the item and for the
 * characters passed since the last one.  What is passed in vain is not seen by it (a back reference
 * that fails after a megabyte, x{60000}), so now and then it looks at the processor's time as well.
 *
 * Backtracking needs memory: that PCRE2 bounds well (HEAP_KIB), and the depth with it.
 */
#define PCRE2_CODE_UNIT_WIDTH 8

#include "lua/host/regex.h"

#include "base/clock.h"
#include "base/mem.h"

#include <pcre2.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#define COST_MAX    (16 * 1000 * 1000) /* some 80 ms */
#define ITEM_COST   16                 /* of an item; a character's is 1 */
#define TIME_MAX_NS (200 * NS_PER_MS)
#define TIME_LOOK   64   /* callouts between two looks at the time */
#define HEAP_KIB    8192 /* for backtracking */
#define DEPTH_MAX   65536
#define NEST_MAX    64 /* parentheses in parentheses */

struct regex {
	pcre2_code *code;
};

struct effort {
	uint64_t cost, callouts;
	size_t last; /* where the last callout was */
	int64_t end_ns;
};

static int64_t
cpu_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now); /* cannot fail */
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* Not 0 ends the match. */
static int
on_item(pcre2_callout_block *at, void *arg)
{
	struct effort *effort = arg;

	effort->cost += ITEM_COST;
	if (at->current_position > effort->last)
		effort->cost += at->current_position - effort->last;
	effort->last = at->current_position;
	if (effort->cost > COST_MAX)
		return PCRE2_ERROR_CALLOUT;
	if (++effort->callouts % TIME_LOOK == 0 && cpu_ns() > effort->end_ns)
		return PCRE2_ERROR_CALLOUT;
	return 0;
}

int
regex_new(const char *pattern, size_t len, struct regex **ret_regex, struct err *err)
{
	const uint32_t options =
		PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_AUTO_CALLOUT;
	pcre2_compile_context *limits = pcre2_compile_context_create(NULL);
	PCRE2_UCHAR text[128];
	PCRE2_SIZE place = 0;
	pcre2_code *code;
	int why = 0;

	if (!limits)
		abort(); /* no memory, as in base/mem.c */
	(void)pcre2_set_max_pattern_length(limits, REGEX_PATTERN_MAX);
	(void)pcre2_set_parens_nest_limit(limits, NEST_MAX);
	code = pcre2_compile((PCRE2_SPTR)pattern, len, options, &why, &place, limits);
	pcre2_compile_context_free(limits);
	if (!code) {
		(void)pcre2_get_error_message(why, text, sizeof(text)); /* cut is fine */
		return err_set(err, EINVAL, "the regular expression is wrong at character %zu: %s",
			place < len ? place + 1 : len, (const char *)text);
	}
	*ret_regex = NEW(struct regex);
	(*ret_regex)->code = code;
	return 0;
}

void
regex_free(struct regex *re)
{
	if (!re)
		return;
	pcre2_code_free(re->code);
	free(re);
}

int
regex_find(const struct regex *re, const char *text, size_t len)
{
	struct effort effort = {.end_ns = cpu_ns() + TIME_MAX_NS};
	pcre2_match_context *limits = pcre2_match_context_create(NULL);
	pcre2_match_data *found = pcre2_match_data_create(1, NULL);
	int count;

	if (!limits || !found)
		abort(); /* no memory, as in base/mem.c */
	(void)pcre2_set_callout(limits, on_item, &effort);
	(void)pcre2_set_match_limit(limits, COST_MAX / ITEM_COST);
	(void)pcre2_set_depth_limit(limits, DEPTH_MAX);
	(void)pcre2_set_heap_limit(limits, HEAP_KIB);
	count = pcre2_match(re->code, (PCRE2_SPTR)text, len, 0, 0, found, limits);
	pcre2_match_data_free(found);
	pcre2_match_context_free(limits);
	if (count == PCRE2_ERROR_NOMATCH)
		return 0;
	return count >= 0 ? 1 : -EDQUOT;
}
