/* A command of sloth-runner as data.  The rows below drive parsing, help, suggestions and refusals,
 * so that a flag exists in exactly one place.  Each cmd_*.c defines the rows and the function of
 * its commands; commands.c puts them together.
 */
#ifndef SLOTH_RUNNER_CMD_H
#define SLOTH_RUNNER_CMD_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit codes.  A command's function returns one of these, or a negative errno which
 * exit_code() maps. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_GENERAL = 1,
	EXIT_USAGE = 2,
	EXIT_TASK = 3, /* a task failed */
	EXIT_AWAY = 4, /* no master, or an agent does not answer */
	EXIT_HOOK = 5, /* a hook failed */
};

enum flag_kind {
	FLAG_BOOL, /* a value only by =: --enabled=false */
	FLAG_STR,
	FLAG_COUNT,    /* a whole number, 0 or more */
	FLAG_LIMIT,    /* one that is not 0 */
	FLAG_DURATION, /* 90s, 1h30m, 7d, 2w */
	FLAG_WORD,     /* one of the words in `value`: "table|json" */
	FLAG_SWITCH,   /* a bool that also takes one of the words in `value` */
};

struct flag {
	const char *name;
	const char *also; /* other spellings, comma separated; NULL */
	char letter;      /* 0: none */
	enum flag_kind kind;
	const char *value;   /* what help calls the value, or the words */
	const char *preset;  /* the default as one would type it; NULL: none */
	const char *help;    /* NULL: not listed */
	const char *refused; /* why this version cannot honour it; NULL: it can */
};

struct args;

struct cmd {
	const char *name;
	const char *also;  /* second names, comma separated; NULL */
	const char *words; /* arguments as help shows them: "NAME", "[FILE]..."; NULL: none */
	unsigned words_min, words_max;
	const struct flag *flags;      /* ends with a NULL name; may be NULL */
	const struct cmd *const *subs; /* ends with NULL; NULL: a leaf */
	const char *later;    /* sub-commands that later versions bring, comma separated; NULL */
	const char *summary;  /* one line */
	const char *text;     /* what help says besides; may be NULL */
	const char *examples; /* lines; may be NULL */
	/* Do it.  Returns an exit code or a negative errno; says why in err for anything but
	 * EXIT_OK, unless it told the user already (then err->code stays 0). */
	int (*run)(const struct args *args, struct err *err);
};

#define WORDS_ANY 1024 /* words_max of a command that takes a list */

/* The whole program: its global flags and commands. */
extern const struct cmd cmd_root;

/* What an errno of a command means to a shell. */
int exit_code(int result);

#endif
