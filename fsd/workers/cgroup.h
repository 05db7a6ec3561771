/* Control groups (v2), where the daemon may make some: one per worker, so that everything the
 * worker ever started can be ended at once. */
#ifndef SLOTH_WORKERS_CGROUP_H
#define SLOTH_WORKERS_CGROUP_H

#include <stdbool.h>

/* End what an earlier master left in the groups of this scope and make them anew.  Returns owned:
 * the directory, or NULL where there are none to be had. */
char *cgroup_open(const char *scope);

/* A group inside dir.  Returns owned: its directory; NULL when it cannot be made. */
char *cgroup_make(const char *dir, unsigned number);

/* SIGKILL to every process in it.  dir NULL: nothing. */
void cgroup_kill(const char *dir);

/* Remove the groups inside dir that are empty by now; those with processes left stay, and those a
 * worker is about to join: is_used says of a number whether it is one's.  NULL: none is. */
typedef bool cgroup_used_fn(void *arg, unsigned number);
void cgroup_tidy(const char *dir, cgroup_used_fn *is_used, void *arg);

/* Kill, tidy, remove dir itself.  Blocks: half a second at most. */
void cgroup_close(const char *dir);

#endif
