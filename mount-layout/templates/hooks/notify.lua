-- event: task.failed
-- Append one line to a file for every failed task.  Change the type above, or write other types to
-- ctl/hooks/<hook>/event.

local FILE = env.get("HOME") .. "/sloth-failures.log"

function on_event()
	local task = event.task or event.data
	local line = string.format("%s %s failed on %s: %s", os.date("!%Y-%m-%dT%H:%M:%SZ", event.timestamp),
		task.task_name or "a task", task.agent_name or "local", task.error or "no reason given")
	local result, reason = file_ops.lineinfile({ path = FILE, line = line, create = true })

	if not result then
		return false, reason
	end
	print(line)
	return true, "noted in " .. FILE
end
