/* The command line of sloth-fsd and the places it works in.
 *
 * The first option that is wrong ends the reading with one sentence; nothing is guessed.
 */
#include "base/mem.h"
#include "base/places.h"
#include "fsd/config.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
	"sloth-fsd: the master.  It mounts the tree, keeps the events and runs the hooks.\n"
	"\n"
	"  --state DIR        where its data lives (SLOTH_RUNNER_CACHE_DIR; /var/lib/sloth-runner\n"
	"                     for root, ~/.sloth-runner for others)\n"
	"  --mount DIR        where the tree appears (SLOTH_RUNNER_MOUNT; /run/sloth, ~/sloth)\n"
	"  --config FILE      settings (SLOTH_RUNNER_CONFIG_DIR/config.yaml;\n"
	"                     /etc/sloth-runner/config.yaml, ~/.sloth-runner/config.yaml)\n"
	"  --set KEY=VALUE    a setting, as under config/ in the mount; may be repeated\n"
	"  --log-level LEVEL  debug, info, warn or error\n"
	"  --foreground       stay in the foreground\n"
	"  --help, --version\n"
	"\n"
	"Exit codes: 0 mounted (or, in the foreground, stopped cleanly), 1 could not start,\n"
	"2 wrong options or settings.\n";

enum option_id {
	OPT_STATE = 256,
	OPT_MOUNT,
	OPT_CONFIG,
	OPT_SET,
	OPT_LEVEL,
	OPT_FG,
	OPT_HELP,
	OPT_VERSION
};

static const struct option long_options[] = {
	{"state", required_argument, NULL, OPT_STATE},
	{"mount", required_argument, NULL, OPT_MOUNT},
	{"config", required_argument, NULL, OPT_CONFIG},
	{"set", required_argument, NULL, OPT_SET},
	{"log-level", required_argument, NULL, OPT_LEVEL},
	{"foreground", no_argument, NULL, OPT_FG},
	{"help", no_argument, NULL, OPT_HELP},
	{"version", no_argument, NULL, OPT_VERSION},
	{NULL, 0, NULL, 0},
};

/* Where the options of one command line go. */
struct reading {
	struct config_places *places;
	config_option_fn *fn;
	void *arg;
};

/* The place find() knows, without trailing slashes.  Returns owned. */
static char *
place(char *(*find)(const char *option), const char *option)
{
	char *path = find(option);
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
	return path;
}

static int
set_place(char **slot, char *(*find)(const char *option), const char *option, struct err *err)
{
	if (!*option)
		return err_set(err, EINVAL, "an option with an empty path (see --help)");
	free(*slot);
	*slot = place(find, option);
	return 0;
}

static int
set_key(const struct reading *r, const char *pair, struct err *err)
{
	const char *eq = strchr(pair, '=');
	char *key;
	int rc;

	if (!eq)
		return err_set(err, EINVAL, "--set '%.40s': write it as key=value", pair);
	key = mem_strndup(pair, (size_t)(eq - pair));
	rc = r->fn(r->arg, key, eq + 1, err);
	free(key);
	return rc;
}

static int
take_option(const struct reading *r, int id, const char *value, struct err *err)
{
	switch (id) {
	case OPT_STATE:
		return set_place(&r->places->state_dir, places_state_dir, value, err);
	case OPT_MOUNT:
		return set_place(&r->places->mount, places_mount, value, err);
	case OPT_CONFIG:
		return set_place(&r->places->config_file, places_config_file, value, err);
	case OPT_SET:
		return set_key(r, value, err);
	case OPT_LEVEL:
		return r->fn(r->arg, "log_level", value, err);
	case OPT_FG:
		r->places->is_foreground = true;
		return 0;
	case OPT_HELP:
		r->places->answer = help;
		return 0;
	case OPT_VERSION:
		r->places->answer = "sloth-fsd " SLOTH_VERSION "\n";
		return 0;
	}
	return -EINVAL;
}

static int
take_options(const struct reading *r, int argc, char **argv, struct err *err)
{
	int id, rc;

	optind = 0; /* start over: tests read several command lines */
	opterr = 0;
	while ((id = getopt_long(argc, argv, "+:", long_options, NULL)) != -1) {
		if (id == ':')
			return err_set(
				err, EINVAL, "'%s' needs a value (see --help)", argv[optind - 1]);
		if (id == '?')
			return err_set(
				err, EINVAL, "unknown option '%s' (see --help)", argv[optind - 1]);
		rc = take_option(r, id, optarg, err);
		if (rc < 0)
			return rc;
	}
	if (optind < argc)
		return err_set(err, EINVAL, "unexpected argument '%s' (see --help)", argv[optind]);
	return 0;
}

int
options_read(int argc, char **argv, struct config_places *ret_places, config_option_fn *fn,
	void *arg, struct err *err)
{
	struct reading r = {.places = ret_places, .fn = fn, .arg = arg};
	int rc = take_options(&r, argc, argv, err);

	if (rc < 0 || ret_places->answer)
		return rc;
	ret_places->owner = geteuid();
	if (!ret_places->state_dir)
		ret_places->state_dir = place(places_state_dir, NULL);
	if (!ret_places->mount)
		ret_places->mount = place(places_mount, NULL);
	if (!ret_places->config_file)
		ret_places->config_file = place(places_config_file, NULL);
	return 0;
}

void
config_places_fini(struct config_places *places)
{
	free(places->state_dir);
	free(places->mount);
	free(places->config_file);
	*places = (struct config_places){0};
}
