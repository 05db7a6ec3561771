/* Output: see print.h.  Tables are libsmartcols'; a table that does not go to a terminal is never
 * cut to a width, because then a script reads it.
 */
#include "tools/runner/print.h"

#include "base/clock.h"
#include "base/mem.h"

#include <assert.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHORT_DIGITS 15
#define EXACT_DIGITS 17

struct table {
	struct libscols_table *scols;
	size_t columns;
	int status;
};

bool
print_is_json(const struct args *args)
{
	return !strcmp(args_str(args, "output"), "json");
}

/* Whether its numbers are the same again when they are written with so many digits. */
static bool
reads_back(const json_t *json, int digits)
{
	char text[64];
	const char *key;
	json_t *member;
	size_t i;

	if (json_is_real(json)) {
		(void)snprintf(text, sizeof(text), "%.*g", digits, json_real_value(json));
		return strtod(text, NULL) == json_real_value(json);
	}
	json_array_foreach (json, i, member)
		if (!reads_back(member, digits))
			return false;
	json_object_foreach ((json_t *)json, key, member)
		if (!reads_back(member, digits))
			return false;
	return true;
}

void
print_json(const json_t *json)
{
	/* 0.06 and not 0.059999999999999998, unless that is what somebody's data says */
	size_t digits = reads_back(json, SHORT_DIGITS) ? SHORT_DIGITS : EXACT_DIGITS;

	/* A full disk or a closed pipe shows when main flushes. */
	(void)json_dumpf(
		json, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits));
	(void)fputc('\n', stdout);
}

static bool
has_colours(void)
{
	const char *no = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && !(no && *no);
}

/* ---- tables --------------------------------------------------------------------------------- */

static const char *
colour_of(const char *status)
{
	static const struct {
		const char *word, *colour;
	} colours[] = {
		{"completed", "green"},
		{"success", "green"},
		{"ok", "green"},
		{"enabled", "green"},
		{"pending", "yellow"},
		{"processing", "yellow"},
		{"running", "yellow"},
		{"disabled", "brown"},
		{"failed", "red"},
		{"timeout", "red"},
		{"interrupted", "red"},
	};

	for (size_t i = 0; i < sizeof(colours) / sizeof(colours[0]); i++)
		if (!strcmp(colours[i].word, status))
			return colours[i].colour;
	return NULL;
}

struct table *
table_new(const char *const *heads, int status)
{
	struct table *table = NEW(struct table);
	bool is_terminal = isatty(STDOUT_FILENO);

	table->status = status;
	table->scols = scols_new_table();
	assert(table->scols); /* out of memory */
	(void)scols_table_enable_colors(table->scols, has_colours());
	(void)scols_table_set_column_separator(table->scols, "  ");
	if (!is_terminal)
		(void)scols_table_set_termforce(table->scols, SCOLS_TERMFORCE_NEVER);
	for (; heads[table->columns]; table->columns++) {
		bool is_last = !heads[table->columns + 1];

		(void)scols_table_new_column(table->scols, heads[table->columns], 0,
			is_last && is_terminal ? SCOLS_FL_WRAP : 0);
	}
	return table;
}

void
table_add(struct table *table, const char *const *cells)
{
	struct libscols_line *line = scols_table_new_line(table->scols, NULL);

	assert(line); /* out of memory */
	for (size_t i = 0; i < table->columns; i++) {
		const char *text = cells[i] && *cells[i] ? cells[i] : "-";
		const char *colour = (int)i == table->status ? colour_of(text) : NULL;

		if (scols_line_set_data(line, i, text) < 0)
			abort(); /* out of memory */
		if (colour)
			(void)scols_cell_set_color(scols_line_get_cell(line, i), colour);
	}
}

void
table_print(struct table *table)
{
	(void)scols_print_table(table->scols); /* a write error shows when main flushes */
	scols_unref_table(table->scols);
	free(table);
}

/* ---- text ----------------------------------------------------------------------------------- */

/* "1.5" of 1500 parts of 1000: a decimal without trailing zeros. */
static void
add_decimal(struct sbuf *out, int64_t value, int64_t unit)
{
	int digits = unit == NS_PER_S ? 9 : unit == NS_PER_MS ? 6 : 3;

	sbuf_printf(out, "%lld", (long long)(value / unit));
	if (value % unit == 0)
		return;
	sbuf_printf(out, ".%0*lld", digits, (long long)(value % unit));
	while (out->data[out->len - 1] == '0')
		out->data[--out->len] = '\0';
}

void
print_add_duration(struct sbuf *out, int64_t ns)
{
	int64_t minutes = ns / (60 * NS_PER_S);

	if (!ns) {
		sbuf_adds(out, "0s");
	} else if (ns < NS_PER_US) {
		sbuf_printf(out, "%lldns", (long long)ns);
	} else if (ns < NS_PER_MS) {
		add_decimal(out, ns, NS_PER_US);
		sbuf_adds(out, "us");
	} else if (ns < NS_PER_S) {
		add_decimal(out, ns, NS_PER_MS);
		sbuf_adds(out, "ms");
	} else {
		if (minutes >= 60)
			sbuf_printf(out, "%lldh", (long long)(minutes / 60));
		if (minutes)
			sbuf_printf(out, "%lldm", (long long)(minutes % 60));
		add_decimal(out, ns % (60 * NS_PER_S), NS_PER_S);
		sbuf_addc(out, 's');
	}
}

void
print_add_cut(struct sbuf *out, const char *text, size_t max)
{
	size_t len = strlen(text);
	bool is_long;

	while (len && text[len - 1] == '\n')
		len--;
	is_long = len > max;
	if (is_long)
		len = max - 3;
	while (is_long && len && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--; /* not inside a character */
	for (size_t i = 0; i < len; i++)
		sbuf_addc(out, (unsigned char)text[i] < ' ' ? ' ' : text[i]);
	if (is_long)
		sbuf_adds(out, "...");
}

void
print_add_quoted(struct sbuf *out, const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_./@:+,-";

	if (*text && !text[strspn(text, plain)]) {
		sbuf_adds(out, text);
		return;
	}
	sbuf_addc(out, '\'');
	for (; *text; text++)
		if (*text == '\'')
			sbuf_adds(out, "'\\''");
		else
			sbuf_addc(out, *text);
	sbuf_addc(out, '\'');
}

int
print_confirm(const char *question, struct err *err)
{
	char answer[16] = "";

	if (!isatty(STDIN_FILENO))
		return err_set(err, EINVAL, "%s Nobody can answer without a terminal: pass --force",
			question);
	(void)fprintf(stderr, "%s [y/N] ", question);
	if (!fgets(answer, sizeof(answer), stdin))
		return 0;
	answer[strcspn(answer, "\n")] = '\0';
	return !strcasecmp(answer, "y") || !strcasecmp(answer, "yes");
}

const char *
json_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}
