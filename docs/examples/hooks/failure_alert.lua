-- event: task.failed
-- Append one line to a file for every failed task.  ALERT_FILE says where; the default is in the
-- home directory of the hook's owner.

function on_event()
	local task = event.task or event.data.task or event.data
	local alert = string.format("ALERT: task '%s' failed on agent '%s': %s",
		task.task_name, task.agent_name or "local", task.error or "no reason given")

	file_ops.lineinfile({
		path = env.get("ALERT_FILE", env.get("HOME") .. "/sloth-failures.log"),
		line = alert,
		create = true,
	})
	print(alert)
	return true
end
