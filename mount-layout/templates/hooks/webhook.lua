-- Post a line about each event to a webhook: Slack, Mattermost, Discord and the like.

local url = nil -- param url, required: the address that takes a POST of JSON
local events = { "task.failed" } -- param list: the types it is for
local member = "text" -- param text: the member of the JSON that holds the line; Discord wants content
local prefix = "" -- param text: what each line begins with
local timeout = "10s" -- param duration: how long the server may take

if not url then error("url is not set: write it above, or give it to `hook new` as --set url=URL") end

---@type Hook
local hook = {
	description = "Post a line about each event to a webhook",
	event_types = events,
}

-- "task.failed: build on web-1: exit status 2", of what the event tells.
local function describe(event)
	local parts = { event.type }
	local name = event.data.task_name or event.data.name

	if name then
		parts[#parts + 1] = ("%s on %s"):format(name, event.agent_name)
	end
	parts[#parts + 1] = event.data.error or event.data.reason or event.data.message
	for i, part in ipairs(parts) do
		parts[i] = tostring(part)
	end
	return prefix .. table.concat(parts, ": ")
end

function hook.execute(event)
	local line = describe(event)
	local response, problem = http.post(url, { json = { [member] = line }, timeout = timeout })

	if not response.ok then
		return false, "the webhook answered " .. (problem or response.status)
	end
	return true, line
end

return hook
