/* Where a master keeps its state, its settings and its tree, when nobody said so.  The daemon and
 * the command ask here, so that they mean the same places without talking to each other. */
#ifndef SLOTH_BASE_PLACES_H
#define SLOTH_BASE_PLACES_H

/* All return owned absolute paths (a relative one is taken from the working directory).  option is
 * what the command line said, or NULL. */

/* The option, SLOTH_RUNNER_CACHE_DIR, /var/lib/sloth-runner for root, ~/.sloth-runner. */
char *places_state_dir(const char *option);

/* The option, SLOTH_RUNNER_CONFIG_DIR/config.yaml, /etc/sloth-runner/config.yaml for root,
 * ~/.sloth-runner/config.yaml. */
char *places_config_file(const char *option);

/* The option, SLOTH_RUNNER_MOUNT, /run/sloth for root, ~/sloth. */
char *places_mount(const char *option);

/* The home directory: HOME, else the password database, else "/". */
char *places_home(void);

#endif
