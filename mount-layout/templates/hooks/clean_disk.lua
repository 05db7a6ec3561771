-- Remove old files from a directory when a disk is full.  Stays on its file system and follows no links.

local directory = nil -- param path, required: where to clean, with all that is below
local events = { "system.disk_full" } -- param list: the types that call for it
local pattern = "*" -- param text: only files with such a name: *.log
local older_than = "7d" -- param duration: only files not changed for so long
local delete = true -- param boolean: false only tells what would go

if not directory then error("directory is not set: write it above, or give `hook new` --set directory=PATH") end

---@type Hook
local hook = {
	description = "Remove old files when a disk is full",
	event_types = events,
	timeout = "10m",
	concurrency = 1,
}

function hook.execute()
	local place = directory:gsub("^~/", env.get("HOME", "") .. "/"):gsub("/+$", "")
	if place == "" then
		return false, "the whole root is no directory to clean"
	end
	local result = exec.run([[
		find "$PLACE/" -xdev -type f -name "$PATTERN" -mmin "+$MINUTES" -printf '%s\n' $ACTION
	]], { env = {
		PLACE = place,
		PATTERN = pattern,
		MINUTES = tostring(time.duration(older_than) // 60 | 0),
		ACTION = delete and "-delete" or "",
	} })
	local count, bytes = 0, 0
	for size in result.stdout:gmatch("%d+") do
		count, bytes = count + 1, bytes + size
	end
	local message = ("%d files, %.1f MB %s"):format(count, bytes / 1e6, delete and "removed" or "would go")
	if not result.success then
		return false, message .. ", but: " .. result.stderr
	end
	return true, message
end

return hook
