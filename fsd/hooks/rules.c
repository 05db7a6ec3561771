/* Rules as text and back, and whether they go together: see rules.h.
 *
 * One table, `rows`, has a line per rule: its name, where it lies in struct hook_rules, the kind of
 * its value (rule_kinds.h) and the sentence that says what may be written.  What is kept anywhere,
 * in the store or in an override, is the text that its own reader would show: so two rules are the
 * same when their texts are. */
#include "fsd/hooks/rules.h"

#include "base/auto.h"
#include "base/json_path.h"
#include "base/mem.h"
#include "fsd/events/types.h"
#include "fsd/hooks/rule_kinds.h"
#include "fsd/store/records.h"

#include <stddef.h>
#include <string.h>

#define A_PATH                                                                                     \
	"a path in the data such as host.name or disks[0].path, or @type, @stack, @agent, "        \
	"@severity, @source, @run_id"
#define A_SPAN "a time such as 30s or 5m (1ms to 366d)"
#define A_RATE "events in a time: 10/s, 100/5m, 100/5m burst 20 (1 to 1000000)"

static const struct {
	const char *name;
	size_t at; /* of its field */
	const struct rule_kind *kind;
	const char *none; /* shown when there is no such rule */
	const char *form;
} rows[RULE_COUNT] = {
	[RULE_MATCH] = {"match", offsetof(struct hook_rules, match), &rule_match, "off",
		"lines (64 at most) such as host.name = web* | db*, load >= 3, user !~ ^svc-, "
		"disk exists, @severity = error"},
	[RULE_REPLAY] = {"replay", offsetof(struct hook_rules, skips_replays), &rule_replay, "on",
		"on or off"},
	[RULE_DEDUP] = {"dedup", 0, &rule_dedup, "off",
		"a time such as 10m, or with a path: 10m by host"},
	[RULE_SEQUENCE] = {"sequence", offsetof(struct hook_rules, sequence), &rule_sequence, "off",
		"two types and a time: task.failed then task.started within 5m by host"},
	[RULE_ABSENT] = {"absent", offsetof(struct hook_rules, absent), &rule_absent, "off",
		"two types and a time: task.started without task.done within 5m by host"},
	[RULE_ACCUMULATE_WITHIN] = {"accumulate_within",
		offsetof(struct hook_rules, accumulate_within), &rule_threshold, "off",
		"events in a time: 10/1m (2 to 1000000)"},
	[RULE_ONCE_WITHIN] = {"once_within", offsetof(struct hook_rules, once_within_ns),
		&rule_span, "off", A_SPAN},
	[RULE_ONCE_AFTER] = {"once_after", offsetof(struct hook_rules, once_after_ns), &rule_span,
		"off", A_SPAN},
	[RULE_RATE] = {"rate", offsetof(struct hook_rules, rate), &rule_rate, "off", A_RATE},
	[RULE_RATE_DROP] = {"rate_drop", offsetof(struct hook_rules, rate_drop), &rule_rate, "off",
		A_RATE},
	[RULE_GROUP_BY] = {"group_by", offsetof(struct hook_rules, group_by), &rule_path, "off",
		A_PATH},
	[RULE_ORDER_BY] = {"order_by", offsetof(struct hook_rules, order_by), &rule_path, "off",
		A_PATH},
	[RULE_PRIORITY] = {"priority", offsetof(struct hook_rules, priority), &rule_priority, "0",
		"a whole number from -100 to 100"},
	[RULE_RETRIES] = {"retries", 0, &rule_retries, "0",
		"0 to 100, or with more: 3 backoff 1s max 1m jitter 20%"},
	[RULE_AT_MOST_ONCE] = {"at_most_once", offsetof(struct hook_rules, is_at_most_once),
		&rule_flag, "0", "0 or 1"},
	[RULE_IDEMPOTENT] = {"idempotent", offsetof(struct hook_rules, is_idempotent), &rule_flag,
		"0", "0 or 1"},
};

const char *
hook_rule_name(enum hook_rule rule)
{
	return rows[rule].name;
}

/* The line of text that p stands in, for the message. */
static int
refuse(enum hook_rule rule, const char *text, const char *p, struct err *err)
{
	int (*explain)(const char *text, struct err *err) = rows[rule].kind->explain;
	size_t len;

	if (explain && explain(text, err) < 0)
		return err_wrap(err, EINVAL, "%s", rows[rule].name);
	while (p > text && p[-1] != '\n')
		p--;
	p += strspn(p, " \t\r");
	len = strcspn(p, "\r\n");
	return err_set(err, EINVAL, "%s is %s; not '%.*s'", rows[rule].name, rows[rule].form,
		len > 60 ? 60 : (int)len, p);
}

int
hook_rule_parse(struct hook_rules *r, enum hook_rule rule, const char *text, struct err *err)
{
	const struct rule_kind *kind = rows[rule].kind;
	void *field = (char *)r + rows[rule].at;
	const char *p = text + strspn(text, " \t\r\n");
	AUTO(hook_rules) struct hook_rules fresh = {0};
	size_t word = strcspn(p, " \t\r\n");

	if (kind != &rule_replay && word == 3 && !strncmp(p, "off", 3) &&
		p[3 + strspn(p + 3, " \t\r\n")] == '\0') {
		kind->clear(field);
		return 0;
	}
	if (!kind->read(&p, (char *)&fresh + rows[rule].at))
		return refuse(rule, text, p, err);
	p += strspn(p, " \t\r\n");
	if (*p)
		return refuse(rule, text, p, err);
	p = text + strspn(text, " \t\r\n");
	kind->clear(field);
	return kind->read(&p, field) ? 0 : -EINVAL; /* it was read before */
}

bool
hook_rule_show(const struct hook_rules *r, enum hook_rule rule, struct sbuf *out)
{
	bool is_there = rows[rule].kind->show((const char *)r + rows[rule].at, out);

	if (!is_there)
		sbuf_adds(out, rows[rule].none);
	return is_there;
}

void
hook_rules_json(const struct hook_rules *r, struct sbuf *out)
{
	char between = '{';
	int i;

	for (i = 0; i < RULE_COUNT; i++) {
		AUTO(sbuf) struct sbuf text = {0};

		if (!hook_rule_show(r, i, &text))
			continue;
		sbuf_printf(out, "%c\"%s\":", between, hook_rule_name(i));
		sbuf_jsons(out, sbuf_str(&text));
		between = ',';
	}
	sbuf_adds(out, between == '{' ? "{}" : "}");
}

bool
hook_rules_equal(const struct hook_rules *a, const struct hook_rules *b)
{
	AUTO(sbuf) struct sbuf one = {0}, other = {0};
	int i;

	for (i = 0; i < RULE_COUNT; i++) {
		sbuf_reset(&one);
		sbuf_reset(&other);
		(void)hook_rule_show(a, i, &one);
		(void)hook_rule_show(b, i, &other);
		if (strcmp(sbuf_str(&one), sbuf_str(&other)) != 0)
			return false;
	}
	return a->has_filter == b->has_filter;
}

static void
copy_pair(struct rule_pair *to, const struct rule_pair *from)
{
	to->first = mem_strdup(from->first);
	to->second = mem_strdup(from->second);
	to->by = mem_strdup(from->by);
}

void
hook_rules_copy(struct hook_rules *to, const struct hook_rules *from)
{
	*to = *from;
	to->group_by = mem_strdup(from->group_by);
	to->dedup_path = mem_strdup(from->dedup_path);
	to->match = mem_strdup(from->match);
	to->order_by = mem_strdup(from->order_by);
	copy_pair(&to->sequence, &from->sequence);
	copy_pair(&to->absent, &from->absent);
}

void
hook_rules_fini(struct hook_rules *r)
{
	int i;

	for (i = 0; i < RULE_COUNT; i++)
		rows[i].kind->clear((char *)r + rows[i].at);
	*r = (struct hook_rules){0};
}

/* ---- together -------------------------------------------------------------------------------- */

static bool
is_there(const struct hook_rules *r, enum hook_rule rule)
{
	AUTO(sbuf) struct sbuf text = {0};

	return hook_rule_show(r, rule, &text);
}

/* Pairs that say two things about one matter. */
static const struct {
	enum hook_rule one, other;
	const char *why;
} rivals[] = {
	{RULE_RATE, RULE_RATE_DROP, "one delays what the other drops"},
	{RULE_ONCE_WITHIN, RULE_ONCE_AFTER, "one runs for the first event, the other for the last"},
	{RULE_SEQUENCE, RULE_ABSENT, "one wants the event that the other must not see"},
	{RULE_ABSENT, RULE_ONCE_AFTER, "both hold events back, for different times"},
	{RULE_ABSENT, RULE_RATE, "both hold events back: use rate_drop"},
	{RULE_AT_MOST_ONCE, RULE_RETRIES, "a retry is a second time"},
	{RULE_AT_MOST_ONCE, RULE_IDEMPOTENT, "what may run twice need not be held to once"},
};

static bool
is_heard(const char *types, const char *pattern)
{
	while (*types) {
		size_t len = strcspn(types, "\n");
		AUTO(free) char *type = mem_strndup(types, len);

		if (!strcmp(type, pattern) || event_type_match(type, pattern))
			return true;
		types += len + (types[len] == '\n');
	}
	return false;
}

static int
check_pair(const struct rule_pair *pair, const char *name, const char *types, struct err *err)
{
	const char *deaf = NULL;

	if (!pair->first)
		return 0;
	if (!is_heard(types, pair->first))
		deaf = pair->first;
	else if (!is_heard(types, pair->second))
		deaf = pair->second;
	return deaf ? err_set(err, EINVAL,
			      "%s waits for '%s', which the hook does not hear: add it to its "
			      "event types",
			      name, deaf)
		    : 0;
}

int
hook_rules_check(const struct hook_rules *r, const char *types, struct err *err)
{
	size_t i;

	for (i = 0; i < sizeof(rivals) / sizeof(rivals[0]); i++)
		if (is_there(r, rivals[i].one) && is_there(r, rivals[i].other))
			return err_set(err, EINVAL, "%s and %s do not go together: %s",
				rows[rivals[i].one].name, rows[rivals[i].other].name,
				rivals[i].why);
	if (r->group_by && !r->once_within_ns && !r->once_after_ns && !r->accumulate_within.count &&
		!r->rate.count && !r->rate_drop.count)
		return err_set(err, EINVAL,
			"group_by says by what once_within, once_after, accumulate_within, rate "
			"or rate_drop count, and there is none of them");
	if (check_pair(&r->sequence, "sequence", types, err) != 0)
		return -EINVAL;
	return check_pair(&r->absent, "absent", types, err);
}

bool
hook_rules_gate(const struct hook_rules *r)
{
	return r->once_within_ns || r->once_after_ns || r->accumulate_within.count ||
	       r->rate.count || r->rate_drop.count || r->dedup_ns || r->sequence.first ||
	       r->absent.first || r->skips_replays;
}

/* ---- values of events ------------------------------------------------------------------------ */

static const char *
own_value(const struct event *ev, const char *name)
{
	const struct {
		const char *name, *value;
	} fields[] = {{"type", ev->type}, {"stack", ev->stack}, {"agent", ev->agent},
		{"severity", ev->severity}, {"source", ev->source}, {"run_id", ev->run_id}};
	size_t i;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (!strcmp(fields[i].name, name))
			return fields[i].value;
	return NULL;
}

bool
rule_path_value(const struct event *ev, const char *path, struct sbuf *out)
{
	const char *value;
	size_t len = 0;

	if (path[0] == '@') {
		value = own_value(ev, path + 1);
		if (value)
			sbuf_adds(out, value);
		return value != NULL;
	}
	value = json_path_find(ev->data, ev->data_len, path, &len);
	if (value)
		json_value_text(value, len, out);
	return value != NULL;
}
