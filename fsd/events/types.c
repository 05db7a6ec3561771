/* Event types: the documented ones as a table, and what any type has to look like.
 *
 * The table is for people and for completion; nothing is refused for not standing in it.  The first
 * sixteen categories have the documented number of types each; what was added later has categories
 * of its own, so that the counts stay comparable.  `emitter` names the part that raises the event;
 * whoever may write events/emit may raise any of them.
 */
#include "fsd/events/types.h"

#include "base/nearest.h"
#include "fsd/tree/room.h"
#include "handlers.h"

#define TYPE_MAX 128 /* bytes */

const struct event_type event_types[] = {
	/* category, name, emitter, fields, meaning */
	{"agent", "agent.registered", "agent", "agent{name,address,tags,version,system_info}",
		"an agent joined this master"},
	{"agent", "agent.connected", "agent", "agent{name,address}", "an agent is online"},
	{"agent", "agent.disconnected", "agent", "agent{name},last_seen",
		"an agent left or stopped answering"},
	{"agent", "agent.heartbeat_failed", "agent", "agent{name},consecutive_failures",
		"an agent missed its signs of life"},
	{"agent", "agent.updated", "agent", "agent{name},old_version,new_version",
		"an agent runs another version now"},
	{"agent", "agent.version_mismatch", "agent", "agent{name},agent_version,server_version",
		"an agent and its master are of different versions"},
	{"agent", "agent.resource_high", "agent", "agent{name},resource,current,threshold",
		"a resource of an agent's host is short"},

	{"task", "task.started", "run", "task{task_name,agent_name,status}", "a task began"},
	{"task", "task.completed", "run", "task{task_name,agent_name,status,exit_code,duration}",
		"a task succeeded"},
	{"task", "task.failed", "run", "task{task_name,agent_name,status,exit_code,error,duration}",
		"a task failed"},
	{"task", "task.timeout", "run", "task{task_name,agent_name},timeout_duration",
		"a task took longer than it may"},
	{"task", "task.retrying", "run", "task{task_name},attempt,max_retries",
		"a task is tried again"},
	{"task", "task.cancelled", "run", "task{task_name,agent_name},cancelled_by",
		"a task was stopped on request"},

	{"workflow", "workflow.started", "run", "workflow{workflow_name,workflow_id,task_count}",
		"a workflow began"},
	{"workflow", "workflow.completed", "run", "workflow{workflow_name,workflow_id,duration}",
		"all tasks of a workflow succeeded"},
	{"workflow", "workflow.failed", "run",
		"workflow{workflow_name,workflow_id,failed_tasks,error}", "a workflow failed"},
	{"workflow", "workflow.paused", "run", "workflow{workflow_name,workflow_id},paused_by",
		"a workflow was paused"},
	{"workflow", "workflow.resumed", "run", "workflow{workflow_name,workflow_id},resumed_by",
		"a paused workflow goes on"},
	{"workflow", "workflow.cancelled", "run",
		"workflow{workflow_name,workflow_id},cancelled_by",
		"a workflow was stopped on request"},

	{"system", "system.startup", "master", "version,start_time,mount,crashed",
		"the master started"},
	{"system", "system.shutdown", "master", "reason,uptime", "the master is stopping"},
	{"system", "system.error", "master", "component,error,severity",
		"a part of the master failed"},
	{"system", "system.warning", "master", "component,message,severity",
		"a part of the master is in trouble"},
	{"system", "system.resource_high", "agent", "resource{resource,current,threshold}",
		"a resource is above its threshold"},
	{"system", "system.disk_full", "agent",
		"resource{current,threshold},mount_point,usage_percent,available_bytes",
		"a file system is nearly full"},
	{"system", "system.memory_low", "agent", "total,available,usage_percent",
		"memory is nearly used up"},
	{"system", "system.cpu_high", "agent",
		"resource{current,threshold},usage_percent,load_average",
		"processors are busier than their threshold"},

	{"scheduler", "schedule.triggered", "schedule",
		"schedule_id,schedule_name,workflow_name,next_run", "a schedule fired"},
	{"scheduler", "schedule.missed", "schedule", "schedule_name,expected_time,actual_time",
		"a schedule could not fire in time"},
	{"scheduler", "schedule.created", "schedule", "schedule_name,cron_expr,created_by",
		"a schedule was made"},
	{"scheduler", "schedule.deleted", "schedule", "schedule_name,deleted_by",
		"a schedule was removed"},
	{"scheduler", "schedule.updated", "schedule", "schedule_name,changes,updated_by",
		"a schedule was changed"},
	{"scheduler", "schedule.enabled", "schedule", "schedule_name,enabled_by",
		"a schedule was switched on"},
	{"scheduler", "schedule.disabled", "schedule", "schedule_name,disabled_by",
		"a schedule was switched off"},

	{"state", "state.created", "state", "state_key,namespace,value", "a key was made"},
	{"state", "state.updated", "state", "state_key,namespace,old_value,new_value",
		"a key got another value"},
	{"state", "state.deleted", "state", "state_key,namespace", "a key was removed"},
	{"state", "state.corrupted", "state", "state_key,corruption_type",
		"a value cannot be read any more"},
	{"state", "state.locked", "state", "state_key,locked_by,lock_id", "a key was locked"},
	{"state", "state.unlocked", "state", "state_key,lock_id", "a key was unlocked"},

	{"secret", "secret.created", "secret", "secret_name,namespace", "a secret was stored"},
	{"secret", "secret.accessed", "secret", "secret_name,namespace,accessed_by",
		"a secret's value was read"},
	{"secret", "secret.deleted", "secret", "secret_name,namespace", "a secret was removed"},
	{"secret", "secret.updated", "secret", "secret_name,namespace",
		"a secret got another value"},
	{"secret", "secret.rotation_needed", "secret", "secret_name,rotated_at",
		"a secret is older than it should be"},
	{"secret", "secret.expired", "secret", "secret_name,expires_at", "a secret expired"},

	{"stack", "stack.deployed", "stack", "stack{id,name,version,status}",
		"a stack was deployed"},
	{"stack", "stack.destroyed", "stack", "stack{id,name,version}", "a stack was removed"},
	{"stack", "stack.updated", "stack", "stack{id,name,version,status}", "a stack was changed"},
	{"stack", "stack.drift_detected", "stack",
		"drift{stack_id,resource_id,expected_state,actual_state,drifted_fields}",
		"a resource differs from what its stack says"},
	{"stack", "stack.failed", "stack", "stack{id,name},error", "a stack could not be deployed"},

	{"backup", "backup.started", "anyone", "backup_id,backup_type,source,destination",
		"a backup began"},
	{"backup", "backup.completed", "anyone", "backup_id,backup_type,size,duration",
		"a backup succeeded"},
	{"backup", "backup.failed", "anyone", "backup_id,backup_type,error", "a backup failed"},
	{"backup", "restore.started", "anyone", "backup_id,source,destination", "a restore began"},
	{"backup", "restore.completed", "anyone", "backup_id,size,duration", "a restore succeeded"},
	{"backup", "restore.failed", "anyone", "backup_id,error", "a restore failed"},

	{"database", "db.connected", "anyone", "database", "a database is reachable"},
	{"database", "db.disconnected", "anyone", "database,error",
		"a database is not reachable any more"},
	{"database", "db.query_slow", "anyone", "database,query,duration,rows_affected",
		"a query took too long"},
	{"database", "db.error", "anyone", "database,operation,error",
		"a database operation failed"},
	{"database", "db.migration", "anyone", "database,operation,duration",
		"a schema was changed"},

	{"network", "network.down", "anyone", "interface,remote_host", "a link or host is down"},
	{"network", "network.up", "anyone", "interface,remote_host", "a link or host is back"},
	{"network", "network.slow", "anyone", "interface,bandwidth", "a link is slow"},
	{"network", "network.latency_high", "anyone", "interface,remote_host,latency,packet_loss",
		"a host answers late"},

	{"security", "security.breach", "anyone", "user,ip_address,resource,reason,severity",
		"somebody got where he may not be"},
	{"security", "security.unauthorized", "anyone", "user,ip_address,action,resource",
		"an action was refused"},
	{"security", "security.login_failed", "anyone", "user,ip_address,reason", "a login failed"},
	{"security", "security.login_success", "anyone", "user,ip_address", "a login succeeded"},
	{"security", "security.permission_denied", "anyone", "user,action,resource,reason",
		"a permission is missing"},

	{"file", "file.created", "agent", "path,size,watcher_id", "a watched file appeared"},
	{"file", "file.modified", "agent", "path,old_size,new_size,old_hash,new_hash,watcher_id",
		"a watched file changed"},
	{"file", "file.deleted", "agent", "path,watcher_id", "a watched file is gone"},
	{"file", "file.renamed", "agent", "path,new_path,watcher_id", "a watched file was renamed"},
	{"file", "dir.created", "agent", "path,watcher_id", "a watched directory appeared"},
	{"file", "dir.deleted", "agent", "path,watcher_id", "a watched directory is gone"},

	{"deploy", "deploy.started", "anyone", "deploy{deploy_id,environment,version,service}",
		"a deployment began"},
	{"deploy", "deploy.completed", "anyone",
		"deploy{deploy_id,environment,version,service,duration}", "a deployment succeeded"},
	{"deploy", "deploy.failed", "anyone", "deploy{deploy_id,environment,version,service},error",
		"a deployment failed"},
	{"deploy", "deploy.rollback", "anyone",
		"deploy{deploy_id,environment,version,prev_version,service}",
		"a deployment was taken back"},

	{"health", "health.check_passed", "anyone", "check_name,service,status,response_time",
		"a check passed"},
	{"health", "health.check_failed", "anyone", "check_name,service,status,message",
		"a check failed"},
	{"health", "health.degraded", "anyone", "check_name,service,status,message",
		"a service works, but badly"},
	{"health", "health.recovered", "anyone", "check_name,service,status", "a service is well"},

	{"custom", "custom", "anyone", "name,payload,source", "anything; custom.<name> is as good"},

	{"resource", "resource.created", "stack", "resource{id,stack_id,type,name,module,state}",
		"a stack made a resource"},
	{"resource", "resource.updated", "stack",
		"resource{id,stack_id,type,name,state,previous_state}",
		"a stack changed a resource"},
	{"resource", "resource.deleted", "stack", "resource{id,stack_id,type,name}",
		"a stack removed a resource"},
	{"resource", "resource.failed", "stack", "resource{id,stack_id,type,name},error",
		"a resource could not be made or changed"},

	{"history", "stack.snapshot_created", "stack",
		"snapshot{stack_id,version,created_by,description}",
		"a stack's state was put aside"},
	{"history", "stack.rolled_back", "stack",
		"rollback{stack_id,from_version,to_version,performed_by}",
		"a stack went back to a snapshot"},
	{"history", "stack.rollback_failed", "stack", "rollback{stack_id,target_version,error}",
		"a stack could not go back"},
	{"history", "stack.locked", "stack", "lock{stack_id,lock_id,operation,who}",
		"a stack was locked"},
	{"history", "stack.unlocked", "stack", "lock{stack_id,lock_id}", "a stack was unlocked"},
	{"history", "stack.tagged", "stack", "tag{stack_id,tag}", "a stack got a tag"},
	{"history", "stack.untagged", "stack", "tag{stack_id,tag}", "a stack lost a tag"},

	{"watcher", "process.started", "agent", "process,pid,watcher_id",
		"a watched process appeared"},
	{"watcher", "process.stopped", "agent", "process,pid,watcher_id",
		"a watched process ended"},
	{"watcher", "process.crashed", "agent", "process,pid,signal,watcher_id",
		"a watched process was ended by a signal"},
	{"watcher", "port.opened", "agent", "port,watcher_id", "somebody listens on a port"},
	{"watcher", "port.closed", "agent", "port,watcher_id", "nobody listens on a port any more"},
	{"watcher", "port.latency_high", "agent", "port,latency,threshold,watcher_id",
		"a port answers late"},
	{"watcher", "service.started", "agent", "service,watcher_id", "a service runs"},
	{"watcher", "service.stopped", "agent", "service,watcher_id", "a service was stopped"},
	{"watcher", "service.failed", "agent", "service,watcher_id", "a service failed"},
	{"watcher", "service.restarted", "agent", "service,watcher_id", "a service was restarted"},
	{"watcher", "service.status_changed", "agent", "service,old_status,new_status,watcher_id",
		"a service is in another state"},
	{"watcher", "dir.changed", "agent", "path,old_file_count,new_file_count,watcher_id",
		"entries came or went in a watched directory"},
	{"watcher", "log.pattern_matched", "agent", "path,pattern,line,watcher_id",
		"a new line of a log matches"},
	{"watcher", "command.output_changed", "agent", "command,old_output,new_output,watcher_id",
		"a command prints something else"},
	{"watcher", "cpu.high_usage", "agent", "cpu_percent,threshold,watcher_id",
		"processors are above the threshold"},
	{"watcher", "cpu.low_usage", "agent", "cpu_percent,threshold,watcher_id",
		"processors are below the threshold"},
	{"watcher", "memory.high_usage", "agent", "memory_percent,threshold,watcher_id",
		"memory is above the threshold"},
	{"watcher", "disk.high_usage", "agent", "path,used_percent,threshold,watcher_id",
		"a file system is above the threshold"},
	{"watcher", "watch.overflow", "agent", "path,watcher_id",
		"changes came faster than they could be watched"},

	{"monitor", "system.cpu_normal", "agent", "usage_percent,threshold",
		"processors are below the threshold again"},
	{"monitor", "system.memory_high", "agent",
		"memory_used_percent,memory_used_bytes,memory_total_bytes",
		"memory is above the threshold"},
	{"monitor", "system.memory_normal", "agent", "usage_percent,threshold",
		"memory is below the threshold again"},
	{"monitor", "agent.health_check", "agent",
		"cpu_load,cpu_cores,memory_used_mb,disk_used_gb,uptime_seconds,hostname",
		"an agent's regular report"},
};
const size_t event_type_count = sizeof(event_types) / sizeof(event_types[0]);

int
event_types_read(struct node *node, struct sbuf *out, struct err *err)
{
	size_t i;

	(void)node;
	(void)err;
	sbuf_printf(out, "%-10s %-26s %-9s %-72s %s\n", "CATEGORY", "TYPE", "EMITTER", "FIELDS",
		"MEANING");
	for (i = 0; i < event_type_count; i++)
		sbuf_printf(out, "%-10s %-26s %-9s %-72s %s\n", event_types[i].category,
			event_types[i].name, event_types[i].emitter, event_types[i].fields,
			event_types[i].meaning);
	return 0;
}

/* ---- any type -------------------------------------------------------------------------------- */

static bool
is_type_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

int
event_type_check(const char *type, size_t len, struct err *err)
{
	bool is_part_open = false;
	size_t i;

	if (len > TYPE_MAX)
		return err_set(err, EINVAL, "the type is longer than %d bytes", TYPE_MAX);
	for (i = 0; i < len && (is_type_char(type[i]) || (type[i] == '.' && is_part_open)); i++)
		is_part_open = type[i] != '.';
	if (i < len || !is_part_open)
		return err_set(err, EINVAL,
			"type '%.*s' must be a word or category.action, of a-z 0-9 _ and -",
			(int)(len > 80 ? 80 : len), type);
	return 0;
}

/* The known type that was probably meant; NULL. */
static const char *
nearest_type(const char *word)
{
	struct nearest nearest = {.word = word};

	for (size_t i = 0; i < event_type_count; i++)
		nearest_offer(&nearest, event_types[i].name);
	return nearest.name;
}

int
event_pattern_check(const char *pattern, size_t len, struct err *err)
{
	char text[TYPE_MAX + 1], plain[TYPE_MAX + 1];
	const char *meant;

	if (len > TYPE_MAX)
		return err_set(err, EINVAL, "an event type has at most %d bytes", TYPE_MAX);
	for (size_t i = 0; i < len; i++) {
		text[i] = pattern[i];
		plain[i] = pattern[i] == '*' ? 'x' : pattern[i];
	}
	text[len] = plain[len] = '\0';
	if (event_type_check(plain, len, NULL) == 0)
		return 0;
	meant = nearest_type(text);
	if (meant)
		return err_set(err, EINVAL, "'%.80s' is not an event type; did you mean '%s'?",
			text, meant);
	return err_set(err, EINVAL,
		"'%.80s' is not an event type: write category.action, task.* or *", text);
}

bool
event_type_match(const char *pattern, const char *type)
{
	const char *star = NULL, *resume = NULL;

	while (*type) {
		if (*pattern == '*') {
			star = pattern++;
			resume = type;
		} else if (*pattern == *type) {
			pattern++;
			type++;
		} else if (star) {
			pattern = star + 1;
			type = ++resume;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}
