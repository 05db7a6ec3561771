-- Restart a service that failed, a few times at most; then raise an event that it is given up.

local service = "" -- param text: the service; empty: the one the event names
local events = { "service.failed", "health.check_failed" } -- param list: the types that call for it
local command = "systemctl restart" -- param text: what restarts the service, whose name is added
local at_most = 3 -- param number: how many restarts there may be ...
local within = "1h" -- param duration: ... in this time
local raise = "service.gave_up" -- param text: the event when there were that many

---@type Hook
local hook = {
	description = "Restart a service that failed",
	event_types = events,
	timeout = "2m",
	concurrency = 1, -- two at once would both see the old count
}

local function name_of(event)
	local data = event.data
	local name = service ~= "" and service or data.service or data.service_name or data.name

	if type(name) == "string" and name:match("^[%w_@][%w@._:-]*$") then
		return name
	end
end

-- The restarts that still count, as a list of seconds.
local function recent(key, now)
	local times = json.array({})

	for _, at in ipairs(state.get(key) or {}) do
		if now - at < time.duration(within) then
			times[#times + 1] = at
		end
	end
	return times
end

function hook.execute(event)
	local name = name_of(event)
	if not name then
		return false, "the event names no service: set one, or give data.service"
	end
	local key = "restart_service." .. name
	local times = recent(key, time.unix())
	if #times >= at_most then
		event.dispatch(raise, { service = name, restarts = #times, within = within })
		return false, ("%s was restarted %d times within %s: given up"):format(name, #times, within)
	end
	times[#times + 1] = time.unix()
	state.set(key, times, within)
	local result = exec.run(command .. ' "$SERVICE"', { env = { SERVICE = name } })
	if not result.success then
		return false, ("%s was not restarted: %s"):format(name, result.stderr)
	end
	return true, ("%s restarted, %d of %d within %s"):format(name, #times, at_most, within)
end

return hook
