-- A pipeline in one hook: test, then tell the next stage by an event of its own.

local hook = {
	name = "deploy_pipeline",
	description = "Test a deployment, then dispatch deploy.staging_success or deploy.failed",
	event_type = "deploy.started",
	timeout = 60,
}

function hook.execute(event)
	local deploy = event.data.deploy
	local tests = exec.run(deploy.test_command or "true")

	if tests.exit_code ~= 0 then
		event.dispatch("deploy.failed", { deploy_id = deploy.deploy_id, reason = "tests failed" })
		error("tests failed: " .. tests.stderr)
	end
	event.dispatch("deploy.staging_success", { deploy_id = deploy.deploy_id, version = deploy.version })
	return true, "version " .. tostring(deploy.version) .. " is staged"
end

return hook
