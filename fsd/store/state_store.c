/* State: keys of scripts, per stack.
 *
 * Every operation, a look-up too, is a job of the writer, in the order it was asked: a script that
 * sets and gets sees what it set, and incr and cas need no lock because nothing runs between their
 * read and their write.  Values are JSON text; integers stay integers through incr until they
 * overflow.  A key past its time is absent at once and removed later. */
#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "fsd/store/store_impl.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct state_job {
	struct store_job job;
	struct state_request req; /* its strings are owned */
	int64_t now_ns;
	struct sbuf out;
	store_text_fn *done;
	void *arg;
};

struct stored {
	char *value; /* owned; NULL: absent */
	int64_t expires_ns;
};

static int
fetch(struct state_job *s, struct writer *w, struct stored *ret)
{
	sqlite3_stmt *stmt = db_stmt(&w->db, SQL_STATE_GET);
	int rc;

	*ret = (struct stored){0};
	bind_text(stmt, 1, s->req.stack);
	bind_text(stmt, 2, s->req.key);
	bind_int(stmt, 3, s->now_ns);
	while ((rc = db_step(&w->db, stmt)) > 0) {
		free(ret->value);
		ret->value = column_text(stmt, 0);
		ret->expires_ns = column_int(stmt, 1);
	}
	return rc;
}

static int
put(struct state_job *s, struct writer *w, const char *value, int64_t expires_ns)
{
	sqlite3_stmt *stmt = db_stmt(&w->db, SQL_STATE_SET);

	bind_text(stmt, 1, s->req.stack);
	bind_text(stmt, 2, s->req.key);
	bind_text(stmt, 3, value);
	bind_int(stmt, 4, expires_ns);
	return db_run(&w->db, stmt);
}

static int
state_get(struct state_job *s, struct writer *w)
{
	struct stored old;
	int rc = fetch(s, w, &old);

	if (rc == 0 && !old.value)
		rc = job_refuse(&s->job, ENOENT, "state '%s' is not set", s->req.key);
	else if (rc == 0)
		sbuf_adds(&s->out, old.value);
	free(old.value);
	return rc;
}

static int
state_set(struct state_job *s, struct writer *w)
{
	return put(s, w, s->req.value, s->req.expires_ns);
}

static int
state_delete(struct state_job *s, struct writer *w)
{
	sqlite3_stmt *stmt;
	struct stored old;
	int rc = fetch(s, w, &old);
	bool is_there = old.value != NULL;

	free(old.value);
	if (rc < 0)
		return rc;
	stmt = db_stmt(&w->db, SQL_STATE_DELETE);
	bind_text(stmt, 1, s->req.stack);
	bind_text(stmt, 2, s->req.key);
	rc = db_run(&w->db, stmt);
	if (rc == 0 && !is_there)
		rc = job_refuse(&s->job, ENOENT, "state '%s' is not set", s->req.key);
	return rc;
}

/* ---- numbers -------------------------------------------------------------------------------- */

struct number {
	bool is_integer;
	int64_t integer;
	double real;
};

static bool
number_parse(const char *text, struct number *ret)
{
	char *end;

	/* strtod takes words and hexadecimal too, JSON does not */
	if (!*text || text[strspn(text, "+-0123456789.eE")])
		return false;
	errno = 0;
	ret->integer = strtoll(text, &end, 10);
	ret->is_integer = *end == '\0' && errno == 0;
	ret->real = strtod(text, &end);
	return *end == '\0' && isfinite(ret->real);
}

static void
number_add(const struct number *a, const struct number *b, struct sbuf *out)
{
	int64_t sum;

	if (a->is_integer && b->is_integer &&
		!__builtin_add_overflow(a->integer, b->integer, &sum)) {
		sbuf_printf(out, "%" PRId64, sum);
		return;
	}
	sbuf_printf(out, "%.17g", a->real + b->real);
	if (!strpbrk(sbuf_str(out), ".eEn"))
		sbuf_adds(out, ".0"); /* stays a float for who reads it */
}

static int
state_incr(struct state_job *s, struct writer *w)
{
	AUTO(free) char *value = NULL;
	struct number before = {.is_integer = true}, step;
	struct stored old;
	int rc = fetch(s, w, &old);

	value = old.value;
	if (rc < 0)
		return rc;
	if (!number_parse(s->req.value, &step))
		return job_refuse(&s->job, EINVAL, "'%.40s' is not a number", s->req.value);
	if (value && !number_parse(value, &before))
		return job_refuse(
			&s->job, EINVAL, "state '%s' is '%.40s', not a number", s->req.key, value);
	number_add(&before, &step, &s->out);
	if (strpbrk(sbuf_str(&s->out), "n")) /* inf and nan are no JSON */
		return job_refuse(&s->job, EINVAL, "state '%s' would overflow", s->req.key);
	return put(s, w, sbuf_str(&s->out), old.expires_ns);
}

/* ---- compare and set, lists ----------------------------------------------------------------- */

static int
state_cas(struct state_job *s, struct writer *w)
{
	AUTO(free) char *value = NULL;
	struct stored old;
	int rc = fetch(s, w, &old);

	value = old.value;
	if (rc < 0)
		return rc;
	if (value ? s->req.expect && strcmp(value, s->req.expect) == 0 : !s->req.expect)
		return put(s, w, s->req.value, s->req.expires_ns);
	sbuf_adds(&s->out, value ? value : "");
	return job_refuse(&s->job, EAGAIN, "state '%s' has another value", s->req.key);
}

/* Text that sorts behind every key with the prefix: no UTF-8 has a byte 0xff. */
static char *
prefix_end(const char *prefix)
{
	return mem_printf("%s\xff", prefix);
}

static int
state_keys(struct state_job *s, struct writer *w)
{
	AUTO(free) char *end = prefix_end(s->req.key);
	sqlite3_stmt *stmt = db_stmt(&w->db, SQL_STATE_KEYS);
	int rc;

	bind_text(stmt, 1, s->req.stack);
	bind_text(stmt, 2, s->req.key);
	bind_text(stmt, 3, end);
	bind_int(stmt, 4, s->now_ns);
	sbuf_addc(&s->out, '[');
	while ((rc = db_step(&w->db, stmt)) > 0 && s->out.len <= STATE_VALUE_MAX) {
		if (s->out.len > 1)
			sbuf_addc(&s->out, ',');
		sbuf_jsons(&s->out, (const char *)sqlite3_column_text(stmt, 0));
	}
	sbuf_addc(&s->out, ']');
	if (rc <= 0)
		return rc;
	(void)sqlite3_reset(stmt); /* stopped on a row: no error to repeat */
	sbuf_reset(&s->out);
	return job_refuse(&s->job, EFBIG, "too many keys begin with '%s': ask for a longer prefix",
		s->req.key);
}

static int
state_clear(struct state_job *s, struct writer *w)
{
	AUTO(free) char *end = prefix_end(s->req.key);
	sqlite3_stmt *stmt = db_stmt(&w->db, SQL_STATE_CLEAR);

	bind_text(stmt, 1, s->req.stack);
	bind_text(stmt, 2, s->req.key);
	bind_text(stmt, 3, end);
	return db_run(&w->db, stmt);
}

/* ---- the job -------------------------------------------------------------------------------- */

static int
state_write(struct store_job *job, struct writer *w)
{
	static int (*const ops[])(struct state_job *, struct writer *) = {
		[STATE_GET] = state_get,
		[STATE_SET] = state_set,
		[STATE_DELETE] = state_delete,
		[STATE_INCR] = state_incr,
		[STATE_CAS] = state_cas,
		[STATE_KEYS] = state_keys,
		[STATE_CLEAR] = state_clear,
	};
	struct state_job *s = (struct state_job *)job;

	sbuf_reset(&s->out);
	if (s->req.value && strlen(s->req.value) > STATE_VALUE_MAX)
		return job_refuse(job, EFBIG, "state '%s': a value has at most %d bytes",
			s->req.key, STATE_VALUE_MAX);
	return ops[s->req.op](s, w);
}

static void
state_finish(struct store_job *job)
{
	struct state_job *s = (struct state_job *)job;

	if (s->done)
		s->done(s->arg, job->code, &s->out);
	free((char *)s->req.stack);
	free((char *)s->req.key);
	free((char *)s->req.value);
	free((char *)s->req.expect);
	sbuf_fini(&s->out);
}

void
store_state(struct store *store, const struct state_request *req, store_text_fn *done, void *arg)
{
	struct state_job *s = store_job_new(store, sizeof(*s), state_finish);

	s->job.write = state_write;
	s->req = *req;
	s->req.stack = mem_strdup(req->stack ? req->stack : "");
	s->req.key = mem_strdup(req->key ? req->key : "");
	s->req.value = mem_strdup(req->value ? req->value : "null");
	s->req.expect = mem_strdup(req->expect);
	s->job.cost_bytes = strlen(s->req.value);
	s->now_ns = clock_real_ns();
	s->done = done;
	s->arg = arg;
	store_write(&s->job);
}
