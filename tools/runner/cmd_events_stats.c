/* `events stats`: how many events there are, how many wait, and how fast they get done. */
#include "tools/runner/commands.h"

#include "base/auto.h"
#include "tools/runner/event.h"

#include <stdio.h>

static void
print_stats(const json_t *stats)
{
	static const struct {
		const char *label, *group, *name, *unit;
	} rows[] = {
		{"Pending:", "events", "pending", ""},
		{"Processing:", "events", "processing", ""},
		{"Completed:", "events", "completed", ""},
		{"Failed:", "events", "failed", ""},
		{"Queue depth:", "queue", "depth", ""},
		{"Queue oldest:", "queue", "oldest_seconds", " s"},
		{"Rate:", "queue", "rate", " events/s over the last 10 s"},
		{"Running:", "workers", "busy", " invocations"},
		{"Limit:", "workers", "limit", " invocations"},
		{"Database:", "store", "db_bytes", " bytes"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *value =
			json_object_get(json_object_get(stats, rows[i].group), rows[i].name);

		(void)printf(
			"%-14s %.15g%s\n", rows[i].label, json_number_value(value), rows[i].unit);
	}
}

static int
stats_run(const struct args *args, struct err *err)
{
	AUTO(mount) struct mount mount = {0};
	AUTO(json) json_t *status = NULL;
	AUTO(sbuf) struct sbuf text = {0};
	AUTO(free) char *path = NULL;
	int result = mount_find(args, &mount, err);

	if (result)
		return result;
	path = mount_path(&mount, PLACE_STATUS_JSON, NULL, NULL);
	result = mount_read(&mount, path, &text, err);
	if (!result)
		result = json_parse(path, &text, &status, err);
	if (result)
		return result;
	if (print_is_json(args))
		print_json(status);
	else
		print_stats(status);
	return EXIT_OK;
}

static const struct flag stats_flags[] = {FLAG_OUTPUT, {0}};

const struct cmd cmd_events_stats = {
	.name = "stats",
	.flags = stats_flags,
	.summary = "Show how many events there are, wait and get done",
	.examples = "sloth-runner events stats -o json",
	.run = stats_run,
};
