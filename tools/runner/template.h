/* Templates of hooks: scripts whose parameters are lines such as
 *
 *	local timeout = "10s" -- param duration: how long the server may take
 *	local url = nil -- param url, required: where to post
 *
 * The line is the declaration and the code at once: a plain copy of the file runs with what stands
 * there, and filling it in means to put another literal between "=" and "--".  What is put there is
 * always one literal of Lua, made from a value that was checked, never text as it was typed.
 */
#ifndef SLOTH_RUNNER_TEMPLATE_H
#define SLOTH_RUNNER_TEMPLATE_H

#include "base/err.h"
#include "base/sbuf.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum param_kind {
	PARAM_TEXT,
	PARAM_URL,      /* http:// or https:// */
	PARAM_PATH,     /* absolute, or below ~/; empty where it is not required */
	PARAM_DURATION, /* text such as "1m30s" */
	PARAM_NUMBER,
	PARAM_BOOLEAN,
	PARAM_LIST, /* of texts: "a,b", or a JSON array */
};

struct param {
	char *name, *help;
	enum param_kind kind;
	bool is_required;
	char *literal;  /* the default, as it stands there */
	size_t at, len; /* where: an offset in the source */
	char *filled;   /* the literal given instead, or NULL */
};

struct template
{
	char *name, *description;
	struct sbuf source;
	struct param *params;
	size_t count;
};

/* Read the declarations.  -EINVAL names the line that is not understood.  Takes: source (left
 * empty). */
int template_parse(const char *name, struct sbuf *source, struct template *ret_template,
	struct err *err) MUST_USE;
void template_fini(struct template *t);
static inline void
template_auto(struct template *t)
{
	template_fini(t);
}

/* Give a parameter a value.  -EINVAL says in one sentence that there is no such parameter, or what
 * its value has to be. */
int template_set(struct template *t, const char *name, const char *value, struct err *err) MUST_USE;

/* Append the script with the values in place.  -EINVAL names a required one that is missing. */
int template_fill(const struct template *t, struct sbuf *out, struct err *err) MUST_USE;

/* {name, description, parameters: [{name, type, required, default, help}]}.  A reference for the
 * caller. */
json_t *template_json(const struct template *t);

#endif
