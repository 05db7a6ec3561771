-- Send events to another system, whole and as JSON, again while it does not answer.

local url = nil -- param url, required: the address that takes a POST of JSON
local events = { "*" } -- param list: the types to send
local token_file = "" -- param path: a file that holds a token for "Authorization: Bearer"; empty: none
local attempts = 5 -- param number: how often one event is tried, with 1, 2, 4 ... seconds between
local timeout = "10s" -- param duration: how long the server may take each time

if not url then error("url is not set: write it above, or give it to `hook new` as --set url=URL") end

---@type Hook
local hook = {
	description = "Send events to another system",
	event_types = events,
	timeout = "10m",
}

local function headers(event)
	local result = { ["Idempotency-Key"] = event.id } -- what comes twice is known by it

	if token_file ~= "" then
		local token, reason = file.read(token_file)
		if not token then
			return nil, reason
		end
		result.Authorization = "Bearer " .. (token:match("%S+") or "")
	end
	return result
end

-- Whether asking again may help: the server is away, busy or broken.
local function is_passing(status)
	return status == 0 or status == 408 or status == 429 or status >= 500
end

function hook.execute(event)
	local with, reason = headers(event)
	if not with then
		return false, reason
	end
	local body = {
		id = event.id,
		type = event.type,
		time = time.rfc3339(event.timestamp_ns / 1e9),
		severity = event.severity,
		source = event.source,
		stack = event.stack,
		agent = event.agent_name,
		run_id = event.run_id,
		data = event.data,
	}
	local response, problem
	for attempt = 1, attempts do
		response, problem = http.post(url, { json = body, headers = with, timeout = timeout })
		if response.ok then
			return true, ("sent with attempt %d: %s"):format(attempt, response.status)
		end
		if attempt == attempts or not is_passing(response.status_code) then
			break
		end
		sleep(2 ^ (attempt - 1))
	end
	return false, "not sent: " .. (problem or response.status)
end

return hook
