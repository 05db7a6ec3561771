/* Every command's row, by the file that defines it.  commands.c puts them into one tree. */
#ifndef SLOTH_RUNNER_COMMANDS_H
#define SLOTH_RUNNER_COMMANDS_H

#include "tools/runner/cmd.h"

/* cmd_master.c, cmd_master_status.c */
extern const struct cmd cmd_master, cmd_master_status;
/* cmd_hook_add.c */
extern const struct cmd cmd_hook_add;
/* cmd_hook_new.c */
extern const struct cmd cmd_hook_new, cmd_hook_templates;
/* cmd_hook_list.c */
extern const struct cmd cmd_hook_list, cmd_hook_get, cmd_hook_show;
/* cmd_hook_set.c */
extern const struct cmd cmd_hook_enable, cmd_hook_disable, cmd_hook_remove;
/* cmd_hook_test.c, cmd_hook_check.c, cmd_hook_logs.c */
extern const struct cmd cmd_hook_test, cmd_hook_check, cmd_hook_logs;
/* cmd_events_emit.c, cmd_events_list.c, cmd_events_show.c */
extern const struct cmd cmd_events_emit, cmd_events_list, cmd_events_get, cmd_events_show;
/* cmd_events_watch.c, cmd_events_delete.c */
extern const struct cmd cmd_events_watch, cmd_events_delete, cmd_events_cleanup;
/* cmd_events_replay.c, cmd_events_stats.c */
extern const struct cmd cmd_events_replay, cmd_events_stats;
/* cmd_events_why.c */
extern const struct cmd cmd_events_why, cmd_hook_why;
/* cmd_hook_stats.c */
extern const struct cmd cmd_hook_stats;
/* cmd_version.c */
extern const struct cmd cmd_version;

#endif
