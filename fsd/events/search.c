/* Questions about stored events: see search.h.
 *
 * The words that an index of the store knows narrow its query; the others are judged event by event
 * on the store's lane (keeps), which is why a search is not touched while it is being asked.  To
 * the store every event that is not final is alike, so `pending` and `processing` are judged here,
 * by what the dispatcher knows, among the events that can be unfinished at all.
 */
#include "fsd/events/search.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/units.h"
#include "fsd/events/dispatcher.h"
#include "fsd/events/room.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define QUERY_LIMIT 100 /* unless a line says otherwise */

/* ---- the line -------------------------------------------------------------------------------- */

static int
parse_time(const char *value, int64_t *ret_ns, struct err *err)
{
	int64_t ns;

	if (units_parse_duration(value, &ns, NULL) == 0) {
		*ret_ns = clock_real_ns() - ns;
		return 0;
	}
	if (clock_parse(value, ret_ns, NULL) == 0)
		return 0;
	return err_set(err, EINVAL,
		"'%.40s' is no time: give how long ago (90m, 7d) or 2026-01-31T12:00:00Z", value);
}

static int
parse_limit(const char *value, uint64_t *ret_limit, struct err *err)
{
	char *end;
	unsigned long long limit = strtoull(value, &end, 10);

	if (strcmp(value, "all") == 0) {
		*ret_limit = UINT64_MAX;
		return 0;
	}
	if (value[0] < '1' || value[0] > '9' || *end)
		return err_set(
			err, EINVAL, "limit '%.40s' is no number from 1 on, nor `all`", value);
	*ret_limit = limit;
	return 0;
}

static int
parse_dry(const char *value, bool *ret_is_dry, struct err *err)
{
	if (strcmp(value, "0") != 0 && strcmp(value, "1") != 0)
		return err_set(err, EINVAL, "dry is 0 or 1, not '%.40s'", value);
	*ret_is_dry = value[0] == '1';
	return 0;
}

static int
replace(char **place, const char *value)
{
	free(*place);
	*place = mem_strdup(value);
	return 0;
}

/* A word so that filter_word reads it back. */
static void
keep_word(struct search *s, const char *name, const char *value)
{
	bool is_quoted = strpbrk(value, " \t\r\n\"\\") != NULL;

	sbuf_printf(&s->kept, "%s=%s", name, is_quoted ? "\"" : "");
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			sbuf_addc(&s->kept, '\\');
		sbuf_addc(&s->kept, *value);
	}
	sbuf_adds(&s->kept, is_quoted ? "\" " : " ");
}

static int
set_word(
	struct search *s, enum search_use use, const char *name, const char *value, struct err *err)
{
	bool is_replay = use == SEARCH_REPLAY;

	if (strcmp(name, "since") == 0)
		return parse_time(value, &s->since_ns, err);
	if (strcmp(name, "until") == 0)
		return parse_time(value, &s->until_ns, err);
	if (strcmp(name, "after") == 0)
		return replace(&s->after, value);
	if (strcmp(name, "before") == 0 && !is_replay)
		return replace(&s->before, value);
	keep_word(s, name, value);
	if (strcmp(name, "limit") == 0)
		return parse_limit(value, &s->limit, err);
	if (strcmp(name, "text") == 0)
		return replace(&s->text, value);
	if (strcmp(name, "hook") == 0)
		return replace(&s->hook, value);
	if (strcmp(name, "dry") == 0 && is_replay)
		return parse_dry(value, &s->is_dry, err);
	if (filter_has(name))
		return filter_set(&s->filter, name, value, err);
	return err_set(err, EINVAL,
		"'%.40s' cannot be asked for; use type, stack, status, severity, agent, run_id, "
		"source, text, hook, since, until, %slimit",
		name, is_replay ? "after, dry, " : "before, after, ");
}

static int
set_hook_status(struct search *s, const char *value, struct err *err)
{
	for (int status = EXEC_PENDING; status <= EXEC_REMOVED; status++)
		if (strcmp(exec_status_name((enum exec_status)status), value) == 0) {
			s->hook_status = status;
			return 0;
		}
	return err_set(err, EINVAL, "status '%.40s' is none a hook's execution can have", value);
}

/* The status is whose it is when all words are known. */
static int
set_status(struct search *s, enum search_use use, const char *value, struct err *err)
{
	int code;

	keep_word(s, "status", value);
	if (use == SEARCH_QUERY && s->hook)
		return set_hook_status(s, value, err);
	code = filter_set(&s->filter, "status", value, err);
	if (code == 0 && s->filter.status < EVENT_COMPLETED) {
		s->live_status = s->filter.status;
		s->filter.status = -1;
	}
	return code;
}

static int
check_times(const struct search *s, struct err *err)
{
	char since[CLOCK_TEXT_MAX], until[CLOCK_TEXT_MAX];

	if (!s->since_ns || !s->until_ns || s->since_ns <= s->until_ns)
		return 0;
	clock_format(s->since_ns, since);
	clock_format(s->until_ns, until);
	return err_set(err, EINVAL,
		"since (%s) is later than until (%s): nothing lies between them; exchange them",
		since, until);
}

static void
keep_times(struct search *s)
{
	char time[CLOCK_TEXT_MAX];

	if (s->since_ns) {
		clock_format(s->since_ns, time);
		sbuf_printf(&s->kept, "since=%s ", time);
	}
	if (s->until_ns) {
		clock_format(s->until_ns, time);
		sbuf_printf(&s->kept, "until=%s ", time);
	}
}

int
search_parse(const char *line, size_t len, enum search_use use, struct search *ret_search,
	struct err *err)
{
	AUTO(free) char *text = mem_strndup(line, len), *status = NULL;
	char *rest = text, *word;
	struct search s = {
		.live_status = -1, .hook_status = -1, .is_ascending = use == SEARCH_REPLAY};
	int code = 0;

	filter_init(&s.filter);
	s.limit = use == SEARCH_QUERY ? QUERY_LIMIT : UINT64_MAX;
	while (code == 0 && (word = filter_word(&rest))) {
		char *value = strchr(word, '=');

		if (!value || value == word) {
			code = err_set(err, EINVAL, "'%.80s' is not key=value", word);
			break;
		}
		*value++ = '\0';
		if (strcmp(word, "status") == 0)
			(void)replace(&status, value);
		else
			code = set_word(&s, use, word, value, err);
	}
	if (code == 0 && status)
		code = set_status(&s, use, status, err);
	if (code == 0)
		code = check_times(&s, err);
	if (code < 0) {
		search_fini(&s);
		return code;
	}
	keep_times(&s);
	*ret_search = s;
	return 0;
}

void
search_fini(struct search *s)
{
	filter_fini(&s->filter);
	free(s->wall);
	free(s->text);
	free(s->hook);
	free(s->before);
	free(s->after);
	sbuf_fini(&s->kept);
}

void
search_add_next(const struct search *s, const char *id, struct sbuf *out)
{
	sbuf_add(out, sbuf_str(&s->kept), s->kept.len);
	sbuf_printf(out, "%s=%s", s->is_ascending ? "after" : "before", id);
}

/* ---- before= and after= ---------------------------------------------------------------------- */

struct placing {
	struct events *events;
	struct search *search;
	const char *id; /* asked for now */
	store_done_fn *done;
	void *arg;
};

static void place_next(struct placing *p);

/* An id of ours tells its place also when the event is deleted. */
static void
on_placed(void *arg, int code, struct event *ev, struct execution_list *executions)
{
	struct placing *p = arg;
	struct search *s = p->search;
	uint64_t seq = code == 0 ? ev->seq : 0;
	struct err err = {0};
	uint32_t salt;
	int64_t ms;

	(void)executions; /* the store frees them */
	event_unref(ev);
	if (code == -ENOENT && event_id_parse(p->id, &ms, &seq, &salt))
		code = 0;
	if (code < 0) {
		if (code == -ENOENT)
			(void)err_set(&err, ENOENT, "event '%.64s' is not known", p->id);
		p->done(p->arg, code, &err);
		free(p);
		return;
	}
	if (p->id == s->before)
		s->before_seq = seq;
	else
		s->after_seq = seq;
	place_next(p);
}

static void
place_next(struct placing *p)
{
	const struct search *s = p->search;

	if (s->before && !s->before_seq) {
		p->id = s->before;
	} else if (s->after && !s->after_seq) {
		p->id = s->after;
	} else {
		p->done(p->arg, 0, NULL);
		free(p);
		return;
	}
	store_find_event(p->events->store, p->id, NULL, on_placed, p);
}

void
search_place(struct events *events, struct search *search, store_done_fn *done, void *arg)
{
	struct placing *p = NEW(struct placing);

	*p = (struct placing){.events = events, .search = search, .done = done, .arg = arg};
	place_next(p);
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* On the store's lane. */
static bool
keeps(void *arg, const struct event *ev, const struct execution *ex)
{
	const struct search *s = arg;

	if (!events_in_stack(ev, s->wall) || !filter_match(&s->filter, ev))
		return false;
	if (ex && s->hook_status >= 0 && (int)ex->status != s->hook_status)
		return false;
	return !s->text || memmem(ev->data, ev->data_len, s->text, strlen(s->text));
}

void
search_ask(struct events *events, struct search *s, size_t limit, store_found_fn *done, void *arg)
{
	struct event_search ask = {.hook_id = s->hook_id,
		.only_failed = s->hook_status >= EXEC_FAILED && s->hook_status <= EXEC_INTERRUPTED,
		.keeps = keeps,
		.keeps_arg = s};
	uint64_t oldest;

	ask.query = (struct event_query){.after_seq = s->after_seq,
		.before_seq = s->before_seq,
		.descending = !s->is_ascending,
		.type = s->filter.type,
		.stack = s->wall[0] ? s->wall : s->filter.stack,
		.status = s->filter.status,
		.since_ns = s->since_ns,
		.until_ns = s->until_ns,
		.limit = limit};
	if (s->live_status >= 0 && events->dispatcher) {
		oldest = dispatcher_oldest_seq(events->dispatcher);
		if (oldest > ask.query.after_seq + 1)
			ask.query.after_seq = oldest - 1;
	}
	store_search_events(events->store, &ask, done, arg);
}

void
search_go_on(struct search *s, uint64_t seq)
{
	if (s->is_ascending)
		s->after_seq = seq;
	else
		s->before_seq = seq;
}

bool
search_meets_now(const struct events *events, const struct search *s, const struct event *ev,
	enum event_status *ret_status)
{
	const struct event *held =
		events->dispatcher ? dispatcher_find(events->dispatcher, ev->seq) : NULL;

	*ret_status = held ? held->status : ev->status;
	return s->live_status < 0 || s->live_status == (int)*ret_status;
}
