-- Do something about a condition, but not again for a while, however often it is reported.  `state` outlives
-- the run and the daemon.

local events = { "system.cpu_high" } -- param list: the types that report the condition
local command = "echo scaling up" -- param text: what to do about it
local pause = "5m" -- param duration: how long to do nothing after it

---@type Hook
local hook = {
	description = "Do something about a condition, with a cooldown",
	event_types = events,
	timeout = "1m",
	concurrency = 1, -- two at once would both see the old time
}

function hook.execute()
	local now = time.unix()
	local rest = (state.get("cooldown." .. command) or 0) + time.duration(pause) - now

	if rest > 0 then
		return true, ("still cooling down for %d s"):format(rest)
	end
	local result = exec.run(command)
	if not result.success then
		return false, ("exit code %d: %s"):format(result.exit_code, result.stderr)
	end
	state.set("cooldown." .. command, now)
	return true, result.stdout
end

return hook
