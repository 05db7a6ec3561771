-- Append one line to a file for every failed task.

local events = { "task.failed" } -- param list: the types it is for
local path = "~/sloth-failures.log" -- param path: the file

---@type Hook
local hook = {
	description = "Append a line to a file for every failed task",
	event_types = events,
}

function hook.execute(event)
	local data = event.data
	local line = ("%s %s failed on %s: %s"):format(os.date("!%Y-%m-%dT%H:%M:%SZ", event.timestamp),
		data.task_name or "a task", data.agent_name or event.agent_name, data.error or "no reason given")
	local result, reason = file_ops.lineinfile({ path = path, line = line, create = true })

	if not result then
		return false, reason
	end
	return true, line
end

return hook
