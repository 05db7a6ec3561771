#!/usr/bin/env bats
# The examples of the public documentation, with no change but where the alert file lies, what the scaling
# runs and which server the pipeline asks.  The pipeline's `make` runs in the home of the daemon's user.

load functions
setup() { start_fsd; }
teardown() {
	[ -z "${HTTPD_PID:-}" ] || kill "$HTTPD_PID"
	cleanup
}

# start_httpd STATUS: a server that answers with it, in $URL.
start_httpd() {
	mkfifo "$BATS_TEST_TMPDIR/port"
	httpd "$1" >"$BATS_TEST_TMPDIR/port" 3>&- &
	HTTPD_PID=$!
	read -r port <"$BATS_TEST_TMPDIR/port"
	URL=http://127.0.0.1:$port
}

# add_pipeline: the master anew, with a home in which make has what the pipeline asks of it.
add_pipeline() {
	local home=$BATS_TEST_TMPDIR/home

	stop_fsd
	mkdir "$home"
	for target in test build deploy-staging rollback-staging; do
		printf '%s:\n\ttouch $@\n' "$target"
	done >"$home/Makefile"
	HOME=$home start_fsd
	cat >"$MNT/hooks/deployment_pipeline.lua" <<-LUA
		local hook = {
		  name = "deployment_pipeline",
		  event_type = "deploy.started"
		}

		function hook.execute(event)
		  local exec = require("exec")
		  local http = require("http")
		  local event_mod = require("event")
		  local deploy = event.data.deploy

		  -- Run tests
		  local result = exec.run("make test")
		  if result.exit_code ~= 0 then
		    event_mod.dispatch("deploy.failed", {
		      deploy_id = deploy.deploy_id,
		      reason = "Tests failed"
		    })
		    error("Tests failed")
		  end

		  -- Build artifacts
		  exec.run("make build")

		  -- Deploy to staging first
		  exec.run("make deploy-staging")

		  -- Run smoke tests
		  local health = http.get("$URL/health")
		  if health.status_code ~= 200 then
		    exec.run("make rollback-staging")
		    event_mod.dispatch("deploy.failed", {
		      deploy_id = deploy.deploy_id,
		      reason = "Health check failed"
		    })
		    error("Staging health check failed")
		  end

		  -- Dispatch event for production deployment
		  event_mod.dispatch("deploy.staging_success", {
		    deploy_id = deploy.deploy_id,
		    version = deploy.version
		  })
		  return true, "Staging deployment completed"
		end

		return hook
	LUA
	wait_for 5 'grep -qx ok "$MNT/ctl/hooks/deployment_pipeline/status"'
}

# run_pipeline FINAL: one deploy.started that ends so; its id in $id, the type of its effect in $effect.
run_pipeline() {
	id=$(emit '{"type":"deploy.started","data":{"deploy":{"deploy_id":"d-1","version":"v2"}}}')
	[ "$(timeout 100 cat "$MNT/events/$id/wait")" = "$1" ]
	[ "$(ls "$MNT/events/$id/effects" | wc -l)" -eq 1 ]
	effect=$(cat "$MNT/events/$id/effects"/*/type)
}

@test "an alert on task.failed appends a line to a file" {
	cat >"$MNT/hooks/failure_alert.lua" <<-LUA
		function on_event()
		    -- Access event data
		    local task = event.task or event.data.task

		    -- Log the failure
		    local alert = string.format(
		        "ALERT: Task '%s' failed on agent '%s'\\nError: %s",
		        task.task_name,
		        task.agent_name,
		        task.error
		    )

		    -- Use globally available modules
		    file_ops.lineinfile({
		        path = "$BATS_TEST_TMPDIR/failures.log",
		        line = alert,
		        create = true
		    })

		    print("Alert sent for failed task: " .. task.task_name)
		    return true
		end
	LUA
	wait_for 5 'grep -q "no event" "$MNT/ctl/hooks/failure_alert/status"'
	echo task.failed >"$MNT/ctl/hooks/failure_alert/event"
	wait_for 5 'grep -q "^ok" "$MNT/ctl/hooks/failure_alert/status"'

	id=$(emit '{"type":"task.failed","data":{"task":{"task_name":"deploy_app","agent_name":"web-1","error":"Connection refused"}}}')
	[ "$(timeout 100 cat "$MNT/events/$id/wait")" = completed ]
	[ "$(cat "$MNT/events/$id/hooks/failure_alert/output")" = "Alert sent for failed task: deploy_app" ]
	[ "$(cat "$BATS_TEST_TMPDIR/failures.log")" = "ALERT: Task 'deploy_app' failed on agent 'web-1'
Error: Connection refused" ]
}

@test "auto-scaling keeps a cooldown in state and runs a command" {
	mkdir "$BATS_TEST_TMPDIR/bin"
	cat >"$MNT/hooks/auto_scale_agents.lua" <<-LUA
		local hook = {
		  name = "auto_scale_agents",
		  event_type = "system.cpu_high"
		}

		function hook.execute(event)
		  local exec = require("exec")
		  local state = require("state")
		  local resource = event.data.resource
		  local current_usage = resource.current

		  -- Check if we already scaled recently
		  local last_scale = state.get("last_scale_time") or 0
		  local now = os.time()
		  if now - last_scale < 300 then -- 5 minute cooldown
		    return true, "Cooldown active, skipping scale"
		  end

		  -- Scale up: add new agent
		  exec.run("echo new-agent-" .. now .. " >> $BATS_TEST_TMPDIR/agents")

		  -- Update state
		  state.set("last_scale_time", now)
		  return true, "Scaled up infrastructure"
		end

		return hook
	LUA
	wait_for 5 'grep -qx ok "$MNT/ctl/hooks/auto_scale_agents/status"'
	for n in 1 2 3; do
		id=$(emit '{"type":"system.cpu_high","data":{"resource":{"current":93.5}}}')
		[ "$(timeout 100 cat "$MNT/events/$id/wait")" = completed ]
		grep -q "$([ "$n" = 1 ] && echo 'Scaled up' || echo 'Cooldown active')" "$MNT/events/$id/hooks/auto_scale_agents/output"
	done
	[ "$(wc -l <"$BATS_TEST_TMPDIR/agents")" -eq 1 ]
}

@test "a pipeline dispatches further events whose hooks run too" {
	cat >"$MNT/hooks/deployment_pipeline.lua" <<-'LUA'
		local hook = {
		  name = "deployment_pipeline",
		  event_type = "deploy.started"
		}

		function hook.execute(event)
		  local exec = require("exec")
		  local event_mod = require("event")
		  local deploy = event.data.deploy

		  -- Run tests
		  local result = exec.run(deploy.test)
		  if result.exit_code ~= 0 then
		    event_mod.dispatch("deploy.failed", {
		      deploy_id = deploy.deploy_id,
		      reason = "Tests failed"
		    })
		    error("Tests failed")
		  end

		  -- Dispatch event for production deployment
		  event_mod.dispatch("deploy.staging_success", {
		    deploy_id = deploy.deploy_id,
		    version = deploy.version
		  })
		  return true, "Staging deployment completed"
		end

		return hook
	LUA
	add_hook on_success <<-'LUA'
		return { event_type = "deploy.staging_success",
		  execute = function(event) print("version " .. event.data.version .. " of " .. event.data.deploy_id) return true end }
	LUA
	add_hook on_failure <<-'LUA'
		return { event_type = "deploy.failed",
		  execute = function(event) print(event.data.reason) return true end }
	LUA
	wait_for 5 'grep -qx ok "$MNT/ctl/hooks/deployment_pipeline/status"'

	id=$(emit '{"type":"deploy.started","data":{"deploy":{"deploy_id":"d-1","version":"v2","test":"true"}}}')
	[ "$(timeout 100 cat "$MNT/events/$id/wait")" = completed ]
	[ "$(ls "$MNT/events/$id/effects" | wc -l)" -eq 1 ]
	effect=$(ls "$MNT/events/$id/effects")
	[ "$(timeout 100 cat "$MNT/events/$effect/wait")" = completed ]
	[ "$(cat "$MNT/events/$effect/hooks/on_success/output")" = "version v2 of d-1" ]
	[ "$(basename "$(readlink "$MNT/events/$effect/cause")")" = "$id" ]

	id=$(emit '{"type":"deploy.started","data":{"deploy":{"deploy_id":"d-2","version":"v3","test":"false"}}}')
	[ "$(timeout 100 cat "$MNT/events/$id/wait")" = failed ]
	grep -q 'Tests failed' "$MNT/events/$id/hooks/deployment_pipeline/error"
	effect=$(ls "$MNT/events/$id/effects")
	[ "$(timeout 100 cat "$MNT/events/$effect/wait")" = completed ]
	[ "$(cat "$MNT/events/$effect/hooks/on_failure/output")" = "Tests failed" ]
}

@test "the deployment pipeline goes on when staging is healthy" {
	start_httpd 200
	add_pipeline
	run_pipeline completed
	[ "$effect" = deploy.staging_success ]
	[ "$(cd "$BATS_TEST_TMPDIR/home" && echo *)" = "Makefile build deploy-staging test" ]
}

@test "the deployment pipeline rolls back when staging is ill or cannot be reached" {
	start_httpd 503
	add_pipeline
	run_pipeline failed
	[ "$effect" = deploy.failed ]
	grep -q 'Staging health check failed' "$MNT/events/$id/hooks/deployment_pipeline/error"
	[ -e "$BATS_TEST_TMPDIR/home/rollback-staging" ]

	kill "$HTTPD_PID"
	wait "$HTTPD_PID" || HTTPD_PID=
	run_pipeline failed
	[ "$effect" = deploy.failed ]
	grep -q 'Staging health check failed' "$MNT/events/$id/hooks/deployment_pipeline/error"
}
