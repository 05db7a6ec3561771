-- Run the steps of a deployment and tell each one's end by an event of its own, so that other hooks
-- can carry on from there.  Raise it with:
--	echo '{"type":"deploy.started","data":{"deploy":{"deploy_id":"d1","version":"v2"}}}' > events/emit

local STEPS = {
	{ name = "test", command = "true" },
	{ name = "build", command = "true" },
	{ name = "stage", command = "true" },
}

local hook = {
	description = "Run the steps of a deployment, dispatching an event after each",
	event_type = "deploy.started",
	timeout = 600,
}

function hook.execute(event)
	local deploy = event.data.deploy or event.data

	for _, step in ipairs(STEPS) do
		local result = exec.run(step.command)
		if not result.success then
			event.dispatch("deploy.failed", { deploy_id = deploy.deploy_id, step = step.name, reason = result.stderr })
			return false, step.name .. " failed: " .. result.stderr
		end
		event.dispatch("deploy.step_completed", { deploy_id = deploy.deploy_id, step = step.name })
	end
	event.dispatch("deploy.completed", { deploy_id = deploy.deploy_id, version = deploy.version })
	return true, #STEPS .. " steps done"
end

return hook
