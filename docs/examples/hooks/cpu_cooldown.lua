-- Scale up on high CPU load, but not more often than every five minutes.

local hook = {
	name = "cpu_cooldown",
	description = "Scale up on high CPU load, with a cooldown",
	event_type = "system.cpu_high",
}

local COOLDOWN_SECONDS = 300

function hook.execute(event)
	local last = state.get("last_scale_time") or 0
	local now = os.time()

	if now - last < COOLDOWN_SECONDS then
		return true, "cooldown active, nothing done"
	end
	local result = exec.run("echo scaling up from " .. event.data.resource.current .. " percent")
	if not result.success then
		error("could not scale up: " .. result.stderr)
	end
	state.set("last_scale_time", now)
	return true, result.stdout
end

return hook
