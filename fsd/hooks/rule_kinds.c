/* What the texts of rules are made of: see rule_kinds.h.
 *
 * A reader moves a pointer over the text, word by word (rule_words.h), and sets the value only when
 * it was good; that nothing may follow is its caller's to see.  What a reader refuses is told by
 * one sentence for the whole rule (rules.c), so readers say no more than no; only conditions are
 * explained, line by line (base/conditions.h). */
#include "fsd/hooks/rule_kinds.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/conditions.h"
#include "base/mem.h"
#include "base/units.h"
#include "fsd/events/types.h"
#include "fsd/hooks/rule_words.h"

#include <string.h>

#define COUNT_MAX      1000000 /* events of a rate, or of accumulate_within */
#define RETRIES_MAX    100
#define PRIORITY_MAX   100
#define BACKOFF_NS     NS_PER_S
#define BACKOFF_MAX_NS (60 * NS_PER_S)
#define JITTER_PERCENT 20

static void
replace(char **text, char *value)
{
	free(*text);
	*text = value;
}

/* ---- values of one field ----------------------------------------------------------------------
 */

static bool
read_path(const char **p, void *field)
{
	char *path = rule_take_path(p);

	if (path)
		replace(field, path);
	return path != NULL;
}

static bool
show_text(const void *field, struct sbuf *out)
{
	const char *const *text = field;

	if (*text)
		sbuf_adds(out, *text);
	return *text != NULL;
}

static void
clear_text(void *field)
{
	replace(field, NULL);
}

static bool
read_span(const char **p, void *field)
{
	return rule_take_span(p, field);
}

static bool
show_span(const void *field, struct sbuf *out)
{
	const int64_t *ns = field;

	if (*ns)
		units_add_duration(out, *ns);
	return *ns != 0;
}

static void
clear_span(void *field)
{
	*(int64_t *)field = 0;
}

static bool
take_rate(const char **p, struct rule_rate *ret)
{
	struct rule_rate rate = {.per_ns = NS_PER_S};

	if (!rule_take_number(p, COUNT_MAX, &rate.count) || rate.count == 0)
		return false;
	rule_skip_blanks(p);
	if (**p == '/' || rule_take_word(p, "in")) {
		*p += **p == '/';
		rule_skip_blanks(p);
		if (!rule_take_span(p, &rate.per_ns))
			return false;
	}
	rate.burst = rate.count;
	*ret = rate;
	return true;
}

static bool
read_rate(const char **p, void *field)
{
	struct rule_rate rate;

	if (!take_rate(p, &rate))
		return false;
	if (rule_take_word(p, "burst") &&
		(!rule_take_number(p, rate.count, &rate.burst) || rate.burst == 0))
		return false;
	*(struct rule_rate *)field = rate;
	return true;
}

/* A number alone says nothing of the time. */
static bool
read_threshold(const char **p, void *field)
{
	struct rule_rate rate;

	if ((*p)[strspn(*p, "0123456789")] == '\0' || !take_rate(p, &rate) || rate.count < 2)
		return false;
	*(struct rule_rate *)field = rate;
	return true;
}

static bool
show_rate(const void *field, struct sbuf *out)
{
	const struct rule_rate *rate = field;
	AUTO(sbuf) struct sbuf per = {0};
	const char *text;

	if (!rate->count)
		return false;
	units_add_duration(&per, rate->per_ns);
	text = sbuf_str(&per);
	sbuf_printf(out, "%u/%s", rate->count, text[0] == '1' && per.len == 2 ? text + 1 : text);
	if (rate->burst != rate->count)
		sbuf_printf(out, " burst %u", rate->burst);
	return true;
}

static void
clear_rate(void *field)
{
	*(struct rule_rate *)field = (struct rule_rate){0};
}

static void
clear_pair(void *field)
{
	struct rule_pair *pair = field;

	free(pair->first);
	free(pair->second);
	free(pair->by);
	*pair = (struct rule_pair){0};
}

static void
pair_auto(struct rule_pair *pair)
{
	clear_pair(pair);
}

static bool
read_pair(const char **p, void *field, const char *between)
{
	AUTO(pair) struct rule_pair pair = {0};

	pair.first = rule_take_text(p);
	if (!pair.first || !rule_take_word(p, between))
		return false;
	pair.second = rule_take_text(p);
	if (!pair.second || !rule_take_word(p, "within") || !rule_take_span(p, &pair.within_ns))
		return false;
	if (rule_take_word(p, "by") && !(pair.by = rule_take_path(p)))
		return false;
	if (event_pattern_check(pair.first, strlen(pair.first), NULL) < 0 ||
		event_pattern_check(pair.second, strlen(pair.second), NULL) < 0)
		return false;
	clear_pair(field);
	*(struct rule_pair *)field = pair;
	pair = (struct rule_pair){0};
	return true;
}

static bool
show_pair(const void *field, struct sbuf *out, const char *between)
{
	const struct rule_pair *pair = field;

	if (!pair->first)
		return false;
	sbuf_printf(out, "%s %s %s within ", pair->first, between, pair->second);
	units_add_duration(out, pair->within_ns);
	if (pair->by)
		sbuf_printf(out, " by %s", pair->by);
	return true;
}

static bool
read_sequence(const char **p, void *field)
{
	return read_pair(p, field, "then");
}

static bool
show_sequence(const void *field, struct sbuf *out)
{
	return show_pair(field, out, "then");
}

static bool
read_absent(const char **p, void *field)
{
	return read_pair(p, field, "without");
}

static bool
show_absent(const void *field, struct sbuf *out)
{
	return show_pair(field, out, "without");
}

static bool
read_flag(const char **p, void *field)
{
	bool *flag = field;

	if (rule_take_word(p, "1") || rule_take_word(p, "true") || rule_take_word(p, "on"))
		*flag = true;
	else if (rule_take_word(p, "0") || rule_take_word(p, "false") || rule_take_word(p, "off"))
		*flag = false;
	else
		return false;
	return true;
}

static bool
show_flag(const void *field, struct sbuf *out)
{
	const bool *flag = field;

	if (*flag)
		sbuf_addc(out, '1');
	return *flag;
}

static bool
read_replay(const char **p, void *field)
{
	bool takes;

	if (!read_flag(p, &takes))
		return false;
	*(bool *)field = !takes;
	return true;
}

static bool
show_replay(const void *field, struct sbuf *out)
{
	const bool *skips = field;

	if (*skips)
		sbuf_adds(out, "off");
	return *skips;
}

static void
clear_flag(void *field)
{
	*(bool *)field = false;
}

static bool
read_priority(const char **p, void *field)
{
	bool is_negative = **p == '-';
	unsigned n;

	*p += is_negative;
	if (!rule_take_number(p, PRIORITY_MAX, &n))
		return false;
	*(int *)field = is_negative ? -(int)n : (int)n;
	return true;
}

static bool
show_priority(const void *field, struct sbuf *out)
{
	const int *n = field;

	if (*n)
		sbuf_printf(out, "%d", *n);
	return *n != 0;
}

static void
clear_priority(void *field)
{
	*(int *)field = 0;
}

/* ---- values of more than one field: these get all rules ----------------------------------------
 */

static bool
read_dedup(const char **p, void *field)
{
	struct hook_rules *r = field;
	char *path = NULL;
	int64_t ns;

	if (!rule_take_span(p, &ns))
		return false;
	if (rule_take_word(p, "by") && !(path = rule_take_path(p)))
		return false;
	replace(&r->dedup_path, path);
	r->dedup_ns = ns;
	return true;
}

static bool
show_dedup(const void *field, struct sbuf *out)
{
	const struct hook_rules *r = field;

	if (!r->dedup_ns)
		return false;
	units_add_duration(out, r->dedup_ns);
	if (r->dedup_path)
		sbuf_printf(out, " by %s", r->dedup_path);
	return true;
}

static void
clear_dedup(void *field)
{
	struct hook_rules *r = field;

	replace(&r->dedup_path, NULL);
	r->dedup_ns = 0;
}

/* `20%`, or a part of one: `0.2`. */
static bool
take_jitter(const char **p, unsigned *ret_percent)
{
	const char *dot = strncmp(*p, "0.", 2) == 0 ? *p + 1 : NULL;
	unsigned n;

	if (dot && dot[1] >= '0' && dot[1] <= '9') {
		*ret_percent = (unsigned)(dot[1] - '0') * 10;
		*p = dot + 2;
		if (**p >= '0' && **p <= '9')
			*ret_percent += (unsigned)(*(*p)++ - '0');
		*p += strspn(*p, "0");
		return true;
	}
	if (!rule_take_number(p, 100, &n))
		return false;
	*ret_percent = **p != '%' && n == 1 ? 100 : n;
	if (**p != '%')
		return n <= 1;
	(*p)++;
	return true;
}

static bool
read_retries(const char **p, void *field)
{
	struct hook_rules *r = field;
	struct hook_rules got = {.backoff_ns = BACKOFF_NS, .jitter_percent = JITTER_PERCENT};

	if (!rule_take_number(p, RETRIES_MAX, &got.retries))
		return false;
	if (rule_take_word(p, "backoff") && !rule_take_span(p, &got.backoff_ns))
		return false;
	if (rule_take_word(p, "max") && !rule_take_span(p, &got.backoff_max_ns))
		return false;
	if (rule_take_word(p, "jitter") && !take_jitter(p, &got.jitter_percent))
		return false;
	if (!got.backoff_max_ns)
		got.backoff_max_ns =
			got.backoff_ns > BACKOFF_MAX_NS ? got.backoff_ns : BACKOFF_MAX_NS;
	if (got.backoff_max_ns < got.backoff_ns)
		return false;
	r->retries = got.retries;
	r->backoff_ns = got.backoff_ns;
	r->backoff_max_ns = got.backoff_max_ns;
	r->jitter_percent = got.jitter_percent;
	return true;
}

static bool
show_retries(const void *field, struct sbuf *out)
{
	const struct hook_rules *r = field;

	if (!r->retries)
		return false;
	sbuf_printf(out, "%u backoff ", r->retries);
	units_add_duration(out, r->backoff_ns);
	sbuf_adds(out, " max ");
	units_add_duration(out, r->backoff_max_ns);
	sbuf_printf(out, " jitter %u%%", r->jitter_percent);
	return true;
}

static void
clear_retries(void *field)
{
	struct hook_rules *r = field;

	r->retries = r->jitter_percent = 0;
	r->backoff_ns = r->backoff_max_ns = 0;
}

/* ---- conditions -------------------------------------------------------------------------------
 */

static bool
read_match(const char **p, void *field)
{
	AUTO(conditions) struct conditions c = {0};
	AUTO(sbuf) struct sbuf lines = {0};

	if (conditions_parse(*p, &c, NULL) < 0 || c.count == 0)
		return false;
	conditions_show(&c, &lines);
	replace(field, sbuf_take(&lines));
	*p += strlen(*p);
	return true;
}

static int
explain_match(const char *text, struct err *err)
{
	AUTO(conditions) struct conditions c = {0};

	return conditions_parse(text, &c, err);
}

const struct rule_kind rule_path = {read_path, show_text, clear_text, NULL};
const struct rule_kind rule_span = {read_span, show_span, clear_span, NULL};
const struct rule_kind rule_rate = {read_rate, show_rate, clear_rate, NULL};
const struct rule_kind rule_threshold = {read_threshold, show_rate, clear_rate, NULL};
const struct rule_kind rule_sequence = {read_sequence, show_sequence, clear_pair, NULL};
const struct rule_kind rule_absent = {read_absent, show_absent, clear_pair, NULL};
const struct rule_kind rule_flag = {read_flag, show_flag, clear_flag, NULL};
const struct rule_kind rule_replay = {read_replay, show_replay, clear_flag, NULL};
const struct rule_kind rule_priority = {read_priority, show_priority, clear_priority, NULL};
const struct rule_kind rule_dedup = {read_dedup, show_dedup, clear_dedup, NULL};
const struct rule_kind rule_retries = {read_retries, show_retries, clear_retries, NULL};
const struct rule_kind rule_match = {read_match, show_text, clear_text, explain_match};
