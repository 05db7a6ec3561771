-- Keep a line of JSON about every event in a file, for whoever asks later what happened.

local events = { "*" } -- param list: the types to keep
local path = "~/sloth-audit.jsonl" -- param path: the file
local max_mb = 100 -- param number: from this size on a new file is begun, and the old one is kept as FILE.1

---@type Hook
local hook = {
	description = "Keep a line about every event in a file",
	event_types = events,
	concurrency = 1, -- one writer, so that the file is turned once
}

local function size_of(name)
	local handle = io.open(name)
	if not handle then
		return 0
	end
	local size = handle:seek("end")
	handle:close()
	return size
end

function hook.execute(event)
	local line = json.encode({
		time = time.rfc3339(event.timestamp_ns / 1e9),
		id = event.id,
		type = event.type,
		severity = event.severity,
		source = event.source,
		stack = event.stack,
		agent = event.agent_name,
		run_id = event.run_id,
		cause = event.cause,
		data = event.data,
	})

	if size_of(path) + #line >= max_mb * 1e6 then
		os.rename(path, path .. ".1")
	end
	return file.append(path, line .. "\n")
end

return hook
