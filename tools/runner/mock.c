/* Sample payloads, one a category of events.  Fields are those the documents name; what is nested
 * in real events (data.task.task_name) is nested here.
 */
#include "tools/runner/mock.h"

#include <stddef.h>
#include <string.h>

static const struct {
	const char *category, *type, *data;
} mocks[] = {
	{"agent", "agent.registered",
		"{\"agent\":{\"name\":\"web-1\",\"address\":\"192.0.2.10:50060\",\"version\":\"1.0."
		"0\","
		"\"tags\":{\"env\":\"test\"}}}"},
	{"task", "task.failed",
		"{\"task\":{\"task_name\":\"build\",\"agent_name\":\"web-1\",\"status\":\"failed\","
		"\"exit_code\":1,\"error\":\"connection timeout\",\"duration\":\"2m30s\"}}"},
	{"workflow", "workflow.failed",
		"{\"workflow\":{\"workflow_name\":\"deploy\",\"workflow_id\":\"wf-1\","
		"\"status\":\"failed\",\"task_count\":3,\"failed_tasks\":[\"build\"],"
		"\"duration\":\"5m0s\"}}"},
	{"system", "system.cpu_high",
		"{\"resource\":{\"resource\":\"cpu\",\"current\":92.5,\"threshold\":80,"
		"\"agent_name\":\"web-1\"}}"},
	{"schedule", "schedule.triggered",
		"{\"schedule\":{\"schedule_name\":\"nightly\",\"cron_expr\":\"0 3 * * *\","
		"\"workflow_name\":\"backup\"}}"},
	{"state", "state.updated",
		"{\"state\":{\"state_key\":\"counter\",\"value\":2,\"prev_value\":1}}"},
	{"secret", "secret.accessed",
		"{\"secret\":{\"secret_name\":\"api_token\",\"accessed_by\":\"deploy\"}}"},
	{"stack", "stack.deployed",
		"{\"stack\":{\"stack_name\":\"production\",\"status\":\"deployed\","
		"\"duration\":\"1m0s\"}}"},
	{"backup", "backup.completed",
		"{\"backup\":{\"backup_id\":\"b-1\",\"backup_type\":\"full\",\"size\":1048576,"
		"\"duration\":\"12s\"}}"},
	{"restore", "restore.completed",
		"{\"backup\":{\"backup_id\":\"b-1\",\"backup_type\":\"full\",\"size\":1048576,"
		"\"duration\":\"12s\"}}"},
	{"db", "db.query_slow",
		"{\"database\":{\"database\":\"app\",\"operation\":\"SELECT\",\"duration\":1500}}"},
	{"network", "network.latency_high",
		"{\"network\":{\"interface\":\"eth0\",\"latency\":250,\"remote_host\":\"192.0.2."
		"1\"}}"},
	{"security", "security.login_failed",
		"{\"security\":{\"user\":\"root\",\"ip_address\":\"192.0.2.66\",\"action\":"
		"\"login\","
		"\"result\":\"failure\",\"severity\":\"high\"}}"},
	{"file", "file.modified",
		"{\"path\":\"/etc/app.conf\",\"watcher_id\":\"watcher-1\",\"old_size\":100,"
		"\"new_size\":120}"},
	{"dir", "dir.created", "{\"path\":\"/srv/new\",\"watcher_id\":\"watcher-1\"}"},
	{"process", "process.stopped", "{\"process\":\"nginx\",\"watcher_id\":\"watcher-1\"}"},
	{"port", "port.closed", "{\"port\":8080,\"watcher_id\":\"watcher-1\"}"},
	{"service", "service.failed", "{\"service\":\"docker\",\"watcher_id\":\"watcher-1\"}"},
	{"deploy", "deploy.started",
		"{\"deploy\":{\"deploy_id\":\"d-1\",\"environment\":\"test\",\"version\":\"v2.0."
		"0\","
		"\"service\":\"api\",\"status\":\"started\"}}"},
	{"health", "health.check_failed",
		"{\"health\":{\"check_name\":\"http\",\"service\":\"api\",\"status\":\"unhealthy\","
		"\"response_time\":900,\"message\":\"no answer\"}}"},
	{"custom", "custom", "{\"name\":\"test\",\"message\":\"a test\"}"},
};

/* The row of the category that text begins with; -1 when there is none. */
static int
row_of(const char *text)
{
	size_t len = strcspn(text, ".");

	for (size_t i = 0; i < sizeof(mocks) / sizeof(mocks[0]); i++)
		if (strlen(mocks[i].category) == len && !memcmp(mocks[i].category, text, len))
			return (int)i;
	return -1;
}

const char *
mock_type(const char *pattern)
{
	int row = row_of(pattern);

	if (!strpbrk(pattern, "*?["))
		return pattern;
	return row < 0 ? "custom" : mocks[row].type;
}

const char *
mock_data(const char *type)
{
	int row = row_of(type);

	return row < 0 ? "{\"test\":true}" : mocks[row].data;
}
