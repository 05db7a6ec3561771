-- Run the steps of a deployment and raise an event after each, so that other hooks can carry on from there.

local steps = nil -- param list, required: commands, run one after the other: ["make test","make deploy"]
local events = { "deploy.started" } -- param list: the types that start it
local directory = "~/" -- param path: where the commands run
local timeout = "30m" -- param duration: how long all of it may take

if not steps then error('steps is not set: write it above, or give it to `hook new` as --set steps=\'["COMMAND"]\'') end

---@type Hook
local hook = {
	description = "Run the steps of a deployment",
	event_types = events,
	timeout = timeout,
	concurrency = 1, -- one deployment at a time
}

function hook.execute(event)
	local deploy = event.deploy or event.data
	local about = { deploy_id = deploy.deploy_id, version = deploy.version, environment = deploy.environment }

	local function tell(type, extra)
		local data = {}
		for key, value in pairs(about) do data[key] = value end
		for key, value in pairs(extra) do data[key] = value end
		event.dispatch(type, data)
	end

	for i, step in ipairs(steps) do
		local result = exec.run(step, { workdir = directory, env = {
			DEPLOY_ID = tostring(deploy.deploy_id or ""),
			DEPLOY_VERSION = tostring(deploy.version or ""),
			DEPLOY_ENVIRONMENT = tostring(deploy.environment or ""),
		} })
		print(("$ %s\n%s%s"):format(step, result.stdout, result.stderr))
		if not result.success then
			tell("deploy.failed", { step = step, reason = result.stderr })
			return false, ("step %d of %d failed: %s"):format(i, #steps, step)
		end
		tell("deploy.step_completed", { step = step, number = i, of = #steps })
	end
	tell("deploy.completed", { steps = #steps })
	return true, ("%d steps done"):format(#steps)
end

return hook
