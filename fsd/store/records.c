/* Records and the ids users see: see records.h.
 *
 * An id of ours is a UUIDv7 whose random bits are not all random: 42 of them carry seq, so that an
 * id found in a log leads straight to its row, and 32 carry a salt, so that nobody can guess the
 * id of an event he was not shown.  A random id would need a column of 36 bytes and an index that
 * is written in random order, which is most of what an event costs. */
#include "fsd/store/records.h"

#include "base/clock.h"
#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define UUID_TEXT_LEN 36

struct event *
event_ref(struct event *ev)
{
	ev->refs++;
	return ev;
}

void
event_unref(struct event *ev)
{
	if (!ev)
		return;
	assert(ev->refs > 0);
	if (--ev->refs > 0)
		return;
	free(ev->cause_id);
	free(ev->sender_id);
	free(ev->sender);
	free(ev->type);
	free(ev->stack);
	free(ev->agent);
	free(ev->run_id);
	free(ev->severity);
	free(ev->source);
	free(ev->replay_hook);
	free(ev->error);
	free(ev->data);
	free(ev);
}

/* Write the lowest digits of value, move behind them. */
static void
put_hex(char **p, size_t digits, uint64_t value)
{
	for (size_t i = digits; i-- > 0; value >>= 4)
		(*p)[i] = "0123456789abcdef"[value & 15];
	*p += digits;
}

/* A group of four with its dash in front. */
static void
put_group(char **p, uint64_t value)
{
	*(*p)++ = '-';
	put_hex(p, 4, value);
}

void
event_id_text(const struct event *ev, char ret_id[EVENT_ID_MAX + 1])
{
	uint64_t ms = (uint64_t)(ev->created_ns / NS_PER_MS);
	uint64_t seq = ev->seq;
	char *p = ret_id;

	if (ev->sender_id) {
		size_t len = strnlen(ev->sender_id, EVENT_ID_MAX);

		memcpy(ret_id, ev->sender_id, len);
		ret_id[len] = '\0';
		return;
	}
	put_hex(&p, 8, ms >> 16);
	put_group(&p, ms);
	put_group(&p, 0x7000 | ((seq >> 30) & 0xfff));
	put_group(&p, 0x8000 | ((seq >> 16) & 0x3fff));
	put_group(&p, seq);
	put_hex(&p, 8, ev->salt);
	*p = '\0';
	assert(p == ret_id + UUID_TEXT_LEN);
}

/* Read digits lower-case hexadecimal digits; false when there is another character. */
static bool
read_hex(const char *text, size_t digits, uint64_t *ret_value)
{
	uint64_t value = 0;

	for (size_t i = 0; i < digits; i++) {
		char c = text[i];

		if (c >= '0' && c <= '9')
			value = value << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (uint64_t)(c - 'a' + 10);
		else
			return false;
	}
	*ret_value = value;
	return true;
}

bool
event_id_parse(const char *text, int64_t *ret_ms, uint64_t *ret_seq, uint32_t *ret_salt)
{
	static const struct {
		size_t at, digits;
	} groups[] = {{0, 8}, {9, 4}, {14, 4}, {19, 4}, {24, 4}, {28, 8}};
	uint64_t part[6];

	if (strnlen(text, UUID_TEXT_LEN + 1) != UUID_TEXT_LEN)
		return false;
	if (text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-')
		return false;
	for (size_t i = 0; i < 6; i++)
		if (!read_hex(text + groups[i].at, groups[i].digits, &part[i]))
			return false;
	if (part[2] >> 12 != 7 || part[3] >> 14 != 2)
		return false;
	*ret_ms = (int64_t)(part[0] << 16 | part[1]);
	*ret_seq = (part[2] & 0xfff) << 30 | (part[3] & 0x3fff) << 16 | part[4];
	*ret_salt = (uint32_t)part[5];
	return true;
}

const char *
event_status_name(enum event_status status)
{
	static const char *const names[] = {
		[EVENT_PENDING] = "pending",
		[EVENT_PROCESSING] = "processing",
		[EVENT_COMPLETED] = "completed",
		[EVENT_FAILED] = "failed",
	};

	assert((size_t)status < sizeof(names) / sizeof(names[0]));
	return names[status];
}

const char *
exec_status_name(enum exec_status status)
{
	static const char *const names[] = {
		[EXEC_PENDING] = "pending",
		[EXEC_RUNNING] = "running",
		[EXEC_SUCCESS] = "success",
		[EXEC_FAILED] = "failed",
		[EXEC_TIMEOUT] = "timeout",
		[EXEC_INTERRUPTED] = "interrupted",
		[EXEC_HELD] = "held",
		[EXEC_THROTTLED] = "throttled",
		[EXEC_FILTERED] = "filtered",
		[EXEC_SKIPPED] = "skipped",
		[EXEC_REMOVED] = "removed",
	};

	assert((size_t)status < sizeof(names) / sizeof(names[0]));
	return names[status];
}

void
execution_fini(struct execution *ex)
{
	free(ex->hook);
	free(ex->message);
	free(ex->output);
	free(ex->error);
	free(ex->why);
}

void
execution_free(struct execution *ex)
{
	if (!ex)
		return;
	execution_fini(ex);
	free(ex);
}

struct execution *
execution_copy(const struct execution *ex)
{
	struct execution *copy = NEW(struct execution);

	*copy = *ex;
	copy->hook = mem_strdup(ex->hook);
	copy->message = mem_strdup(ex->message);
	copy->output = mem_strdup(ex->output);
	copy->error = mem_strdup(ex->error);
	copy->why = mem_strdup(ex->why);
	return copy;
}

void
gate_count_free(struct gate_count *c)
{
	if (!c)
		return;
	free(c->key);
	free(c->value);
	free(c);
}

void
hook_version_free(struct hook_version *v)
{
	if (!v)
		return;
	free(v->name);
	free(v->stack);
	free(v->types);
	free(v->meta);
	free(v->source);
	free(v);
}

void
hook_stats_free(struct hook_stats *h)
{
	if (!h)
		return;
	free(h->name);
	free(h->stack);
	free(h);
}
