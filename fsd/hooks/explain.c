/* What every hook has to say about an event: hooks_explain.
 *
 * Matching is a function of the event and of the intervals in which versions were in service, so an
 * answer needs no row per event; it needs the intervals.  Those that unfinished events may need are
 * releases.  Of all versions a hook remembers its spans, which are small: so `why` can be answered
 * at once for an event of last month too, and survives a restart.
 */
#include "fsd/hooks/flow.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "fsd/events/types.h"

#include <string.h>

/* ---- spans ----------------------------------------------------------------------------------- */

static void
span_fini(struct hook_span *span)
{
	free(span->types);
	free(span->wall);
}

void
hook_span_add(struct hook *hook, const struct release_parts *parts)
{
	struct hook_span *span;

	if (hook->span_count && hook->spans[hook->span_count - 1].version >= parts->version)
		return; /* the store told it before */
	if (hook->span_count == HOOK_SPANS_MAX) {
		span_fini(hook->spans);
		memmove(hook->spans, hook->spans + 1, --hook->span_count * sizeof(*span));
	}
	hook->spans = mem_realloc(hook->spans, (hook->span_count + 1) * sizeof(*span));
	span = &hook->spans[hook->span_count++];
	*span = (struct hook_span){.version = parts->version,
		.from_seq = parts->from_seq,
		.to_seq = parts->to_seq,
		.created_ns = parts->created_ns,
		.is_enabled = parts->settings->is_enabled,
		.types = mem_strdup(parts->settings->types),
		.wall = mem_strdup(parts->settings->wall)};
}

void
hook_span_end(struct hook *hook, uint32_t version, uint64_t to_seq)
{
	for (size_t i = hook->span_count; i-- > 0;)
		if (hook->spans[i].version == version)
			hook->spans[i].to_seq = to_seq;
}

void
hook_spans_fini(struct hook *hook)
{
	for (size_t i = 0; i < hook->span_count; i++)
		span_fini(&hook->spans[i]);
	free(hook->spans);
}

/* Where an event falls among the spans: the last that began before it, the first after it. */
struct place {
	const struct hook_span *before, *next; /* NULL: none */
};

static struct place
place_of(const struct hook *hook, uint64_t seq)
{
	struct place place = {0};

	for (size_t i = hook->span_count; i-- > 0 && !place.before;) {
		const struct hook_span *span = &hook->spans[i];

		if (span->from_seq <= seq)
			place.before = span;
		else
			place.next = span;
	}
	return place;
}

/* ---- one hook -------------------------------------------------------------------------------- */

static bool
hears(const char *types, const char *type)
{
	AUTO(free) char *patterns = mem_strdup(types);
	char *rest = patterns, *pattern;

	while ((pattern = strsep(&rest, "\n")))
		if (pattern[0] && event_type_match(pattern, type))
			return true;
	return false;
}

static void
add_types(struct sbuf *why, const char *types)
{
	sbuf_adds(why, "hears ");
	for (; *types; types++)
		if (*types == '\n')
			sbuf_adds(why, ", ");
		else
			sbuf_addc(why, *types);
}

static enum hook_stance_kind
judge_span(const struct hook *hook, const struct hook_span *span, const struct event *ev,
	struct sbuf *why)
{
	const char *wall = hook->dir->stack[0] ? hook->dir->stack : span->wall;

	if (!span->is_enabled) {
		sbuf_adds(why, span->to_seq ? "was disabled then" : "is disabled");
		return HOOK_DISABLED;
	}
	if (!span->types[0]) {
		sbuf_adds(why, "names no event");
		return HOOK_NO_EVENT;
	}
	if (wall && strcmp(wall, ev->stack) != 0) {
		sbuf_printf(why, "stands behind the wall of stack '%s', the event is %s%s%s", wall,
			ev->stack[0] ? "of stack '" : "the root's", ev->stack,
			ev->stack[0] ? "'" : "");
		return HOOK_WALL;
	}
	if (!hears(span->types, ev->type)) {
		add_types(why, span->types);
		return HOOK_OTHER_TYPE;
	}
	return HOOK_MATCHES;
}

enum hook_stance_kind
hook_stance_now(const struct hook *hook, const struct event *ev, struct sbuf *why)
{
	return judge_span(hook, place_of(hook, UINT64_MAX).before, ev, why);
}

/* What became of the version since. */
static void
add_since(struct sbuf *why, const struct hook *hook, const struct hook_span *span)
{
	if (!hook->current)
		sbuf_printf(
			why, "%s(version %u, removed since)", why->len ? " " : "", span->version);
	else if (hook->current->code.version != span->version)
		sbuf_printf(why, "%s(version %u then, %u now)", why->len ? " " : "", span->version,
			hook->current->code.version);
	else
		sbuf_printf(why, "%s(version %u)", why->len ? " " : "", span->version);
}

/* No version that is remembered was in service.  Versions are numbered without a gap, so a gap
 * means that the store has forgotten some. */
static enum hook_stance_kind
judge_absent(const struct hook *hook, struct place place, struct sbuf *why)
{
	uint32_t last = place.before ? place.before->version : 0;
	char time[CLOCK_TEXT_MAX];

	if (place.next && place.next->version > last + 1) {
		sbuf_printf(why, "its version of then is no longer kept (version %u came later)",
			place.next->version);
		return HOOK_FORGOTTEN;
	}
	if (place.next) {
		clock_format(place.next->created_ns, time);
		sbuf_printf(why, "%s (version %u since %s)",
			place.before ? "was removed then and came back" : "came later",
			place.next->version, time);
		return HOOK_NOT_YET;
	}
	if (hook_problem(hook)) {
		sbuf_printf(why, "cannot be loaded: %s", hook_problem(hook));
		return HOOK_BROKEN;
	}
	sbuf_adds(why, "is being loaded");
	return HOOK_LOADING;
}

/* A hook that was not there then and is not there now is not worth a line. */
static void
explain(const struct hook *hook, const struct event *ev, hook_stance_fn *fn, void *arg)
{
	AUTO(sbuf) struct sbuf why = {0};
	struct place place = place_of(hook, ev->seq);
	const struct hook_span *span = place.before;
	struct hook_stance stance = {
		.hook_id = hook->id, .label = hook->label, .stack = hook->dir->stack};

	if (span && span->to_seq && span->to_seq <= ev->seq)
		span = NULL;
	if (!span && !hook->has_file)
		return;
	if (span) {
		stance.kind = judge_span(hook, span, ev, &why);
		stance.version = span->version;
		add_since(&why, hook, span);
	} else {
		stance.kind = judge_absent(hook, place, &why);
	}
	stance.why = sbuf_str(&why);
	fn(arg, &stance);
}

/* ---- all hooks ------------------------------------------------------------------------------- */

static void
explain_dir(const struct hook_dir *dir, const struct event *ev, hook_stance_fn *fn, void *arg)
{
	const struct hook *hook;

	TAILQ_FOREACH (hook, &dir->list, dir_link)
		explain(hook, ev, fn, arg);
}

void
hooks_explain(struct hooks *hooks, const struct event *ev, hook_stance_fn *fn, void *arg)
{
	const struct hook_dir *dir, *root = hook_dir_find(hooks, "");

	explain_dir(root, ev, fn, arg);
	LIST_FOREACH (dir, &hooks->dirs, link)
		if (dir != root)
			explain_dir(dir, ev, fn, arg);
}

const char *
hook_stance_name(enum hook_stance_kind kind)
{
	static const char *const names[] = {
		[HOOK_MATCHES] = "matches",
		[HOOK_OTHER_TYPE] = "other-type",
		[HOOK_WALL] = "wall",
		[HOOK_DISABLED] = "disabled",
		[HOOK_NO_EVENT] = "no-event",
		[HOOK_BROKEN] = "broken",
		[HOOK_LOADING] = "loading",
		[HOOK_NOT_YET] = "not-yet",
		[HOOK_FORGOTTEN] = "forgotten",
	};

	return names[kind];
}
