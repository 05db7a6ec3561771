-- Raise one event when the same trouble comes again and again; another hook then pages somebody.

local events = { "task.failed" } -- param list: the types that are trouble
local by = "task_name" -- param text: the member of the data that tells one trouble from another; empty: all are one
local threshold = 3 -- param number: how many of them ...
local within = "10m" -- param duration: ... in this time
local raise = "alert.escalated" -- param text: the event that is raised then

---@type Hook
local hook = {
	description = "Raise an event when the same trouble repeats",
	event_types = events,
	concurrency = 1, -- two at once would both see the old count
}

function hook.execute(event)
	local what = tostring(by ~= "" and event.data[by] or event.type)
	local key = ("escalate.%s.%s"):format(raise, what)
	local times = json.array({})

	for _, at in ipairs(state.get(key) or {}) do
		if event.timestamp - at < time.duration(within) then
			times[#times + 1] = at
		end
	end
	times[#times + 1] = event.timestamp
	if #times < threshold then
		state.set(key, times, within)
		return true, ("%s: %d of %d within %s"):format(what, #times, threshold, within)
	end
	state.delete(key) -- counting begins anew: one event, not one for each that follows
	local accepted, id = event.dispatch(raise, {
		what = what,
		count = #times,
		within = within,
		last = { id = event.id, type = event.type, error = event.data.error },
	}, { severity = "critical" })
	return accepted, accepted and ("%s: escalated as %s"):format(what, id) or id
end

return hook
