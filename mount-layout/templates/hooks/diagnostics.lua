-- Write down how the host is at the moment something goes wrong: one file an event, of what commands print.

local events = { "task.failed", "system.cpu_high", "system.memory_low" } -- param list: the types it is for
local directory = "~/sloth-diagnostics" -- param path: where the files go
local commands = { "uptime", "df -h", "free -m", "ps aux --sort=-%cpu | head -n 15" } -- param list: what to run
local keep = 20 -- param number: how many files stay

---@type Hook
local hook = {
	description = "Collect diagnostics when something goes wrong",
	event_types = events,
	timeout = "2m",
}

local function report(event)
	local parts = { ("%s %s\n%s\n"):format(event.type, event.id, json.pretty(event.data)) }

	for _, command in ipairs(commands) do
		local result = exec.run(command .. " 2>&1", { timeout = "30s" })
		parts[#parts + 1] = ("$ %s\n%s"):format(command, result.stdout)
		if not result.success then
			parts[#parts + 1] = ("(exit status %d)\n"):format(result.exit_code)
		end
	end
	return table.concat(parts, "\n")
end

function hook.execute(event)
	local place = directory:gsub("^~/", env.get("HOME", "") .. "/")
	local stamp = os.date("!%Y%m%dT%H%M%SZ", event.timestamp)
	local path = ("%s/%s-%s-%s.txt"):format(place, stamp, event.type, event.id:gsub("[^%w-]", "_"))
	local made = exec.run('mkdir -p -m 700 "$PLACE"', { env = { PLACE = place } })
	local written, reason = made.success, made.stderr

	if written then
		written, reason = file.write(path, report(event))
	end
	if not written then
		return false, reason
	end
	exec.run([[
		cd "$PLACE" && printf '%s\n' [0-9]*Z-*.txt | sort -r | tail -n "+$((KEEP + 1))" | xargs -r -d '\n' rm -f --
	]], { env = { PLACE = place, KEEP = tostring(keep) } })
	return true, path
end

return hook
