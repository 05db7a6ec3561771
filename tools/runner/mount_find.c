/* Which master the commands talk to, and whether it is there.  The first source that names a place
 * decides, even when nothing is there: falling through to another master would do the right thing
 * to the wrong one.
 */
#include "tools/runner/mount.h"

#include "base/auto.h"
#include "base/places.h"
#include "tools/runner/master.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whether the address means the master of this host, which is reached by its mount. */
static bool
is_this_host(const char *address)
{
	static const char *const names[] = {"localhost", "127.0.0.1", "[::1]", "::1"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t len = strlen(names[i]);

		if (!strncmp(address, names[i], len) && (!address[len] || address[len] == ':'))
			return true;
	}
	return false;
}

/* Returns owned: where the mount should be, by the first source that says. */
static char *
mount_choose(const struct args *args)
{
	const char *option = args_str(args, "mount");
	const char *variable = getenv("SLOTH_RUNNER_MOUNT");
	AUTO(master) struct master master = {0};

	if (!option && !(variable && *variable) && !master_read(args, &master, NULL) &&
		master.mount)
		return TAKE(master.mount);
	return places_mount(option);
}

static bool
is_debugging(const struct args *args)
{
	const char *level = args_str(args, "log-level");
	const char *variable = getenv("SLOTH_RUNNER_LOG_LEVEL");

	level = level ? level : variable;
	return level && !strcmp(level, "debug");
}

int
mount_find(const struct args *args, struct mount *ret_mount, struct err *err)
{
	const char *address = getenv("SLOTH_RUNNER_MASTER_ADDR");
	struct mount mount = {.is_traced = is_debugging(args)};
	AUTO(free) char *probe = NULL;

	if (!args_str(args, "mount") && address && *address && !is_this_host(address))
		return err_set(err, EHOSTDOWN,
			"SLOTH_RUNNER_MASTER_ADDR is '%s', but this version (" SLOTH_VERSION
			") reaches only the master of this host: unset it or give --mount",
			address);
	mount.root = mount_choose(args);
	probe = mount_path(&mount, PLACE_STATUS, NULL, NULL);
	if (!access(probe, R_OK)) {
		*ret_mount = mount;
		return 0;
	}
	if (errno == ENOTCONN)
		err_set(err, EHOSTDOWN,
			"the master that served '%s' is gone; start one: sloth-runner master start",
			mount.root);
	else if (errno == EACCES)
		err_set(err, EHOSTDOWN, "the mount '%s' belongs to another user", mount.root);
	else
		err_set(err, EHOSTDOWN,
			"no master serves '%s'; start one: sloth-runner master start", mount.root);
	mount_fini(&mount);
	return -EHOSTDOWN;
}
