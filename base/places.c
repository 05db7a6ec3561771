/* Default places: see places.h.  An empty variable counts as unset, as it does in a shell's
 * ${X:-default}; a file below the home of root is never used, because a master of root serves the
 * machine and not a person. */
#include "base/places.h"

#include "base/auto.h"
#include "base/mem.h"

#include <pwd.h>
#include <string.h>
#include <unistd.h>

char *
places_home(void)
{
	const char *home = getenv("HOME");
	const struct passwd *pw;

	if (home && *home == '/')
		return mem_strdup(home);
	pw = getpwuid(geteuid());
	return mem_strdup(pw && pw->pw_dir && *pw->pw_dir == '/' ? pw->pw_dir : "/");
}

/* Returns owned: path seen from the working directory. */
static char *
absolute(const char *path)
{
	AUTO(free) char *cwd = NULL;

	if (*path == '/')
		return mem_strdup(path);
	cwd = getcwd(NULL, 0);
	return mem_printf("%s/%s", cwd ? cwd : "", path);
}

static const char *
variable(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

static char *
below_home(const char *for_root, const char *name)
{
	AUTO(free) char *home = NULL;

	if (geteuid() == 0)
		return mem_strdup(for_root);
	home = places_home();
	return mem_printf("%s/%s", home, name);
}

char *
places_state_dir(const char *option)
{
	const char *path = option ? option : variable("SLOTH_RUNNER_CACHE_DIR");

	return path ? absolute(path) : below_home("/var/lib/sloth-runner", ".sloth-runner");
}

char *
places_config_file(const char *option)
{
	const char *dir = variable("SLOTH_RUNNER_CONFIG_DIR");
	AUTO(free) char *file = NULL;

	if (option)
		return absolute(option);
	if (!dir)
		return below_home("/etc/sloth-runner/config.yaml", ".sloth-runner/config.yaml");
	file = mem_printf("%s/config.yaml", dir);
	return absolute(file);
}

char *
places_mount(const char *option)
{
	const char *path = option ? option : variable("SLOTH_RUNNER_MOUNT");

	return path ? absolute(path) : below_home("/run/sloth", "sloth");
}
