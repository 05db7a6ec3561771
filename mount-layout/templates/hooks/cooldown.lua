-- Do something about a condition, but not again within the next five minutes however often it is
-- reported.  `state` outlives the run and the daemon.

local COOLDOWN_SECONDS = 300
local COMMAND = "echo scaling up"

local hook = {
	description = "Scale up on high CPU load, at most every five minutes",
	event_type = "system.cpu_high",
	timeout = 60,
	concurrency = 1, -- two at once would both see the old time
}

function hook.execute()
	local now = os.time()
	local last = state.get("last_scale_time") or 0

	if now - last < COOLDOWN_SECONDS then
		return true, "still cooling down for " .. (COOLDOWN_SECONDS - (now - last)) .. " s"
	end
	local result = exec.run(COMMAND)
	if not result.success then
		return false, "exit code " .. result.exit_code .. ": " .. result.stderr
	end
	state.set("last_scale_time", now)
	return true, result.stdout
end

return hook
