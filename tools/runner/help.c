/* Help from the rows: what a flag is called, takes and means is written once, in its row, and shown
 * here.  Flags without a help text (those this version refuses) are not listed: help shows what
 * works.
 */
#include "tools/runner/help.h"

#include "base/auto.h"

#include <stdio.h>
#include <string.h>

#define PATH_LEN_MAX 96
#define GAP          3

static void
add_indented(struct sbuf *out, const char *title, const char *lines)
{
	sbuf_printf(out, "\n%s:\n", title);
	while (*lines) {
		size_t len = strcspn(lines, "\n");

		sbuf_printf(out, "  %.*s\n", (int)len, lines);
		lines += len + (lines[len] == '\n');
	}
}

/* "-n, --limit N" or "    --limit N". */
static void
flag_left(struct sbuf *out, const struct flag *f)
{
	if (f->letter)
		sbuf_printf(out, "-%c, ", f->letter);
	else
		sbuf_adds(out, "    ");
	sbuf_printf(out, "--%s", f->name);
	for (const char *also = f->also; also; also = strchr(also, ',')) {
		also += *also == ',';
		sbuf_printf(out, ", --%.*s", (int)strcspn(also, ","), also);
	}
	if (f->kind == FLAG_SWITCH)
		sbuf_printf(out, " [%s]", f->value);
	else if (f->kind != FLAG_BOOL)
		sbuf_printf(out, " %s", f->value);
}

static void
add_flags(struct sbuf *out, const char *title, const struct flag *flags)
{
	size_t width = 0;

	for (const struct flag *f = flags; f && f->name; f++) {
		AUTO(sbuf) struct sbuf left = {0};

		flag_left(&left, f);
		if (f->help && left.len > width)
			width = left.len;
	}
	if (!width)
		return;
	sbuf_printf(out, "\n%s:\n", title);
	for (const struct flag *f = flags; f->name; f++) {
		AUTO(sbuf) struct sbuf left = {0};

		if (!f->help)
			continue;
		flag_left(&left, f);
		sbuf_printf(out, "  %-*s%s", (int)(width + GAP), sbuf_str(&left), f->help);
		if (f->preset)
			sbuf_printf(out, " (default %s)", f->preset);
		sbuf_addc(out, '\n');
	}
}

static void
add_commands(struct sbuf *out, const struct cmd *group)
{
	size_t width = 0;

	for (const struct cmd *const *c = group->subs; *c; c++)
		if (strlen((*c)->name) > width)
			width = strlen((*c)->name);
	sbuf_adds(out, "\nAvailable Commands:\n");
	for (const struct cmd *const *c = group->subs; *c; c++)
		sbuf_printf(out, "  %-*s%s\n", (int)(width + GAP), (*c)->name, (*c)->summary);
}

static void
add_usage(struct sbuf *out, const struct cmd *cmd, const char *path)
{
	sbuf_adds(out, "\nUsage:\n");
	if (cmd->subs)
		sbuf_printf(out, "  %s COMMAND [flags]\n", path);
	if (cmd->run)
		sbuf_printf(out, "  %s%s%s%s\n", path, cmd->words ? " " : "",
			cmd->words ? cmd->words : "", " [flags]");
	if (cmd->also)
		sbuf_printf(out, "\nAliases:\n  %s,%s\n", cmd->name, cmd->also);
}

void
help_add(struct sbuf *out, const struct args *args)
{
	const struct cmd *cmd = args_cmd(args);
	char path[PATH_LEN_MAX];

	args_path_text(args, path, sizeof(path));
	sbuf_printf(out, "%s\n", cmd->summary);
	if (cmd->text)
		sbuf_printf(out, "\n%s\n", cmd->text);
	add_usage(out, cmd, path);
	if (cmd->examples)
		add_indented(out, "Examples", cmd->examples);
	if (cmd->subs)
		add_commands(out, cmd);
	if (args->depth > 1)
		add_flags(out, "Flags", cmd->flags);
	add_flags(out, "Global Flags", args->path[0]->flags);
	if (cmd->subs)
		sbuf_printf(out, "\nUse '%s COMMAND --help' for more about a command.\n", path);
}
