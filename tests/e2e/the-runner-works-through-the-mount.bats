#!/usr/bin/env bats
# sloth-runner as a person and as a script uses it, on a real mount.

# shellcheck disable=SC2016 # conditions are evaluated later, by wait_for
# shellcheck disable=SC2030,SC2031 # each test is a subshell of its own
load functions
bats_require_minimum_version 1.5.0

setup() {
	SCRIPTS=$BATS_TEST_TMPDIR/scripts
	mkdir -p "$SCRIPTS"
	cat >"$SCRIPTS/alert.lua" <<-'LUA'
		local hook = {event_type = "task.failed", description = "Tell us"}
		function hook.execute(event)
			print("saw " .. event.type)
			return true, "told"
		end
		return hook
	LUA
	cat >"$SCRIPTS/plain.lua" <<-'LUA'
		function on_event()
			if event.data.fail then return false, "as asked" end
			return true
		end
	LUA
	printf 'return {execute = \n' >"$SCRIPTS/broken.lua"
}

teardown() { cleanup; }

# out COMMAND...: run it with standard error set aside; sets $output, $errors, $status.
out() {
	run bash -c '"$@" 2>"$0"' "$BATS_TEST_TMPDIR/err" "$@"
	errors=$(cat "$BATS_TEST_TMPDIR/err")
}

# json FILTER: what jq finds in $output.
json() { jq -er "$1" <<<"$output"; }

@test "help, version and mistakes need no master" {
	out sloth-runner
	[ "$status" -eq 0 ]
	[[ $output == *"Available Commands:"* ]]
	out sloth-runner hook add --help
	[ "$status" -eq 0 ]
	[[ $output == *"--script, --file FILE"* ]]
	out sloth-runner --version
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "sloth-runner $(cat "$TOP/VERSION")" ]
	[[ ${lines[1]} =~ ^commit\ ([0-9a-f]{7,}|unknown)$ ]]
	[[ ${lines[2]} =~ ^of\ (20..-..-..|unknown)$ ]]
	[ "${#lines[@]}" -eq 3 ]
	out sloth-runner evnts
	[ "$status" -eq 2 ]
	[ -z "$output" ]
	[ "$errors" = "error: unknown command 'evnts' for 'sloth-runner'; did you mean 'events'?" ]
	out sloth-runner agent list
	[ "$status" -eq 2 ]
	[[ $errors == *"not part of this version"* ]]
	out sloth-runner master start --port 50053
	[ "$status" -eq 2 ]
	out sloth-runner events list
	[ "$status" -eq 4 ]
	[[ $errors == *"sloth-runner master start"* ]]
}

@test "master start, status, stop" {
	out sloth-runner master status -o json
	[ "$status" -eq 4 ]
	[ "$(json .running)" = false ] || [ "$(jq .running <<<"$output")" = false ]
	out sloth-runner master start
	[ "$status" -eq 0 ]
	local pid
	pid=$(jq -r .pid "$STATE/master.json")
	FSD_PID=$pid # for cleanup, should what follows fail
	[[ $output == *"mount  $MNT"* ]]
	is_mounted
	out sloth-runner master start
	[ "$status" -eq 0 ]
	[[ $output == *"already running (pid $pid)"* ]]
	out sloth-runner master status
	[ "$status" -eq 0 ]
	[[ $output == *"$MNT"* ]]
	out sloth-runner master status -o json
	[ "$(json .running)" = true ]
	[ "$(json .pid)" = "$pid" ]
	out sloth-runner master stop
	[ "$status" -eq 0 ]
	FSD_PID=
	run ! is_mounted
	run ! grep -q '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$pid/status" # nobody may have reaped it yet
	out sloth-runner master stop
	[ "$status" -eq 0 ]
	[[ $output == "no master runs on "* ]]
	out sloth-runner master status
	[ "$status" -eq 4 ]
}

@test "a probe ends although the master hangs" {
	start_fsd
	kill -STOP "$FSD_PID"
	out timeout 100 sloth-runner master status --timeout 300ms
	kill -CONT "$FSD_PID"
	[ "$status" -eq 4 ]
	[[ $errors == *"did not answer within 300ms"* ]]
}

@test "hook add by metadata, list, get, show, remove" {
	start_fsd
	out sloth-runner hook add "$SCRIPTS/alert.lua"
	[ "$status" -eq 0 ]
	[[ $output == *"hook 'alert' added"* ]]
	cmp "$SCRIPTS/alert.lua" "$MNT/hooks/alert.lua"
	out sloth-runner hook list
	[[ $output == *alert*task.failed*enabled*Never* ]]
	[[ $output == *"Total: 1"* ]]
	out sloth-runner hook get alert
	[ "$(json .event_type)" = task.failed ]
	[ "$(json .description)" = "Tell us" ]
	[ "$(json .file_path)" = "$MNT/hooks/alert.lua" ]
	[ "$(json .enabled)" = true ]
	out sloth-runner hook show alert
	[[ $output == *"Status:       ok"* ]]
	out sloth-runner hook remove alert </dev/null
	[ "$status" -eq 2 ]
	[ -e "$MNT/hooks/alert.lua" ]
	out sloth-runner hook delete alert --force
	[ "$status" -eq 0 ]
	[ ! -e "$MNT/hooks/alert.lua" ]
	out sloth-runner hook get alert
	[ "$status" -eq 1 ]
}

@test "hook add NAME with flags, both spellings, disabled, replaced" {
	start_fsd
	out sloth-runner hook add first --script "$SCRIPTS/plain.lua" --event task.failed,deploy.* \
		--description "What it does" -o json
	[ "$status" -eq 0 ]
	[ "$(json '.event_types|join(" ")')" = "task.failed deploy.*" ]
	[ "$(json .description)" = "What it does" ]
	out sloth-runner hook add second --file "$SCRIPTS/plain.lua" -e custom --enabled=false
	[ "$status" -eq 0 ]
	[ "$(cat "$MNT/ctl/hooks/second/enabled")" = 0 ]
	out sloth-runner hook enable second
	[ "$(cat "$MNT/ctl/hooks/second/enabled")" = 1 ]
	out sloth-runner hook enable second
	[[ $output == *already* ]]
	out sloth-runner hook disable second
	[ "$(cat "$MNT/ctl/hooks/second/enabled")" = 0 ]
	out sloth-runner hook add second --file "$SCRIPTS/alert.lua"
	[ "$status" -eq 1 ]
	[[ $errors == *"exists already"* ]]
	out sloth-runner hook add second --file "$SCRIPTS/alert.lua" --force
	[ "$status" -eq 0 ]
	[[ $output == *replaced* ]]
	cmp "$SCRIPTS/alert.lua" "$MNT/hooks/second.lua"
}

@test "a hook that does not load is refused and leaves nothing behind" {
	start_fsd
	out sloth-runner hook add "$SCRIPTS/broken.lua" --event task.failed
	[ "$status" -eq 1 ]
	[[ $errors == *broken.lua:* ]]
	[ -z "$(ls "$MNT/hooks")" ]
	out sloth-runner hook add "$SCRIPTS/plain.lua"
	[ "$status" -eq 1 ]
	[[ $errors == *"--event"* ]]
	[ -z "$(ls "$MNT/hooks")" ]
	sloth-runner hook add "$SCRIPTS/alert.lua"
	out sloth-runner hook add alert --script "$SCRIPTS/broken.lua" --force
	[ "$status" -eq 1 ]
	cmp "$SCRIPTS/alert.lua" "$MNT/hooks/alert.lua"
}

@test "hooks of a stack" {
	start_fsd
	out sloth-runner hook add "$SCRIPTS/alert.lua" --stack production
	[ "$status" -eq 1 ]
	[[ $errors == *"mkdir $MNT/stacks/production" ]]
	mkdir "$MNT/stacks/production"
	out sloth-runner hook add "$SCRIPTS/alert.lua" --stack production
	[ "$status" -eq 0 ]
	out sloth-runner hook list --stack production -o json
	[ "$(json '.[0].label')" = alert@production ]
	out sloth-runner hook list --stack other -o json
	[ "$output" = "[]" ]
	out sloth-runner hook get alert@production
	[ "$(json .stack)" = production ]
	out sloth-runner hook get alert
	[ "$(json .label)" = alert@production ]
}

@test "hook check speaks errorformat and needs no master" {
	out sloth-runner hook check "$SCRIPTS/alert.lua"
	[ "$status" -eq 0 ]
	[ -z "$output$errors" ]
	out sloth-runner hook check "$SCRIPTS/broken.lua"
	[ "$status" -eq 1 ]
	[[ $output$errors =~ ^"$SCRIPTS/broken.lua":[0-9]+: ]]
}

@test "hook test: samples, data, failure" {
	start_fsd
	sloth-runner hook add "$SCRIPTS/alert.lua"
	sloth-runner hook add plain --script "$SCRIPTS/plain.lua" --event 'deploy.*'
	out sloth-runner hook test alert
	[ "$status" -eq 0 ]
	[[ $output == *"saw task.failed"* ]]
	out sloth-runner hook test alert --event-type task.failed \
		--mock-data '{"task_name":"deploy_app"}' -o json
	[ "$(json .result)" = success ]
	[ "$(json .message)" = told ]
	out sloth-runner hook test plain --data '{"fail":true}'
	[ "$status" -eq 5 ]
	[[ $output == *failed* ]]
	echo 'fail absent' >"$MNT/ctl/hooks/plain/match"
	out sloth-runner hook test plain --data '{"fail":true}'
	[ "$status" -eq 0 ]
	[[ $output == *"Decision:  filtered: fail absent: it is true"*"Status:    filtered"* ]]
	out sloth-runner hook test plain --dry-run --data '{"ok":true}' -o json
	[ "$(json .decision)" = run ]
	json '.result == null'
	out sloth-runner hook test plain --data '{fail'
	[ "$status" -eq 2 ]
	[ "$(cat "$MNT/ctl/hooks/plain/runs")" = 0 ]
}

@test "an event: emit, wait, get by parts of its id, show, logs, delete" {
	start_fsd
	sloth-runner hook add "$SCRIPTS/alert.lua"
	out sloth-runner events emit task.failed task_name=build exit_code=3 --wait
	[ "$status" -eq 0 ]
	local id=${lines[0]}
	[ "${lines[1]}" = completed ]
	[ "$(cat "$MNT/events/$id/status")" = completed ]
	out sloth-runner events get "${id: -8}"
	[ "$(json .id)" = "$id" ]
	[ "$(json .data.exit_code)" = 3 ]
	[ "$(json '.hook_executions[0].hook_name')" = alert ]
	[ "$(json '.hook_executions[0].status')" = success ]
	out sloth-runner events show "$id"
	[[ $output == *"saw task.failed"* ]]
	out sloth-runner hook logs alert --format json
	[ "$(json .success_count)" = 1 ]
	[ "$(json '.executions[0].event_id')" = "$id" ]
	[ "$(json '.executions[0].event_type')" = task.failed ]
	[[ $(json '.executions[0].output') == *"saw task.failed"* ]]
	out sloth-runner hook logs alert -o json
	[ "$(json .total_shown)" = 1 ]
	out sloth-runner hook logs alert --output
	[[ $output == *"saw task.failed"* ]]
	out sloth-runner hook history alert --only-failed
	[[ $output == *"No executions."* ]]
	out sloth-runner events delete "$id"
	[ "$status" -eq 0 ]
	wait_for 5 '[ ! -e "$MNT/events/$id" ]'
	out sloth-runner events get "$id"
	[ "$status" -eq 1 ]
}

@test "numbers are printed as they were written" {
	start_fsd
	local number
	for number in 0.06 1234.567 1e300 -0.5 0.30000000000000004; do
		sloth-runner events emit custom.x "{\"n\":$number}" --id "n$number"
		sloth-runner events get "n$number" | grep -qE "^ +\"n\": $number$" || { sloth-runner events get "n$number"; return 1; }
	done
}

@test "a failed hook fails the wait" {
	start_fsd
	sloth-runner hook add plain --script "$SCRIPTS/plain.lua" --event custom.x
	out sloth-runner events emit custom.x '{"fail":true}' --wait
	[ "$status" -eq 5 ]
	out sloth-runner hook logs plain --only-failed --error
	[[ $output == *"as asked"* ]]
}

@test "events list: newest first, limits are said, filters" {
	start_fsd
	local i
	for i in 1 2 3 4 5; do sloth-runner events emit "custom.n$i" --id "mine-$i" >/dev/null; done
	out sloth-runner events list --limit 2
	[[ ${lines[1]} == mine-5* ]]
	[[ ${lines[2]} == mine-4* ]]
	[[ $errors == "showing the newest 2; older ones: --before mine-4, or --all"* ]]
	out sloth-runner events list --limit 2 --before mine-4 -o json
	[ "$(json 'map(.id)|join(" ")')" = "mine-3 mine-2" ]
	out sloth-runner events list --all --type 'custom.*' -o json
	[ "$(json length)" = 5 ]
	[ -z "$errors" ]
	out sloth-runner events list --type 'custom.n*' --before mine-3 -o json
	[ "$(json 'map(.id)|join(" ")')" = "mine-2 mine-1" ]
	out sloth-runner events list --status failed -o json
	[ "$output" = "[]" ]
	sloth-runner events emit custom.said note='a "word" here' --id said >/dev/null
	out sloth-runner events list --text '"word' --since 1h -o json
	[ "$(json 'map(.id)|join(" ")')" = said ]
	out sloth-runner events list --until 1h -o json
	[ "$output" = "[]" ]
	out sloth-runner events list --status lost
	[ "$status" -eq 2 ]
	[[ $errors == *"none of pending, processing, completed, failed"* ]]
}

@test "bad events are refused with the reason" {
	start_fsd
	out sloth-runner events emit 'Not A Type'
	[ "$status" -eq 2 ]
	[[ $errors == *emit*type* ]]
	out sloth-runner events emit custom.x word
	[ "$status" -eq 2 ]
	out sloth-runner events emit custom.x --data '[1]'
	[ "$status" -eq 2 ]
}

@test "events watch follows until its limit" {
	start_fsd
	timeout 100 sloth-runner events watch --type custom.seen -o json --limit 2 \
		>"$BATS_TEST_TMPDIR/seen" 3>&- &
	local watcher=$!
	wait_for 10 'sloth-runner events emit custom.seen >/dev/null && [ -s "$BATS_TEST_TMPDIR/seen" ]'
	wait "$watcher"
	[ "$(jq -r .type "$BATS_TEST_TMPDIR/seen" | sort -u)" = custom.seen ]
}

@test "events cleanup removes what is old and final" {
	start_fsd
	sloth-runner events emit custom.old --wait
	out sloth-runner events cleanup --older-than 7d
	[ "$output" = "removed 0 events" ]
	out sloth-runner events cleanup --older-than 0 -o json
	[ "$status" -eq 0 ]
	[ "$(json .removed)" -ge 1 ]
	wait_for 5 '[ -z "$(sloth-runner events list --type custom.old -o json | jq -r ".[].id")" ]'
}

@test "events/cleanup deletes what ended long ago, at once, and says how many" {
	start_fsd
	add_hook sleeper <<<'return { event_type = "a.slow", execute = function() sleep(20) return true end }'
	local old=() i slow fd count
	for i in $(seq 20); do old+=("$(emit "{\"type\":\"a.b\",\"id\":\"old-$i\"}")"); done
	timeout 100 cat "$MNT/events/old-20/wait"
	slow=$(emit '{"type":"a.slow"}')
	wait_for 5 '[ "$(cat "$MNT/events/queue/depth")" = 1 ]'
	exec {fd}<>"$MNT/events/cleanup"
	echo 'older-than 1h' >&"$fd"
	read -r count <&"$fd"
	[ "$count" -eq 0 ]
	cat "$MNT/events/old-7/status" # someone who looked at one does not keep it
	echo 'older-than 0s' >&"$fd"
	read -r count <&"$fd"
	exec {fd}>&-
	[ "$count" -ge 20 ]
	[ ! -e "$MNT/events/old-7" ]
	[ "$(ls "$MNT/events/by-type")" = a.slow ]
	[ "$(cat "$MNT/events/$slow/status")" = processing ]
	wait_for 5 '[ "$(readlink "$MNT/events/latest")" = '"$slow"' ]'
	run bash -c "echo old > $MNT/events/cleanup"
	[[ $output == *"Invalid argument"* ]]
	tail -n1 "$MNT/errors" | grep -q 'older-than 7d'
}

@test "hook add warns of a type nobody knows, and takes it" {
	start_fsd
	out sloth-runner hook add typo --script "$SCRIPTS/plain.lua" --event tsk.failed
	[ "$status" -eq 0 ]
	[[ $errors == "warning: no known event type is 'tsk.failed'"* ]]
	for event in task.failed 'task.*' '*' custom.mine custom system.cpu_high; do
		out sloth-runner hook add fine --force --script "$SCRIPTS/plain.lua" --event "$event"
		[ "$status" -eq 0 ]
		[ -z "$errors" ]
	done
}

@test "events why, hook why: each hook's decision; of one hook over the newest events" {
	start_fsd
	sloth-runner hook add "$SCRIPTS/alert.lua"
	sloth-runner hook add plain --script "$SCRIPTS/plain.lua" --event custom.x
	out sloth-runner events emit task.failed task_name=build --wait
	local id=${lines[0]}
	out sloth-runner events why "${id: -8}"
	[ "$status" -eq 0 ]
	[[ $output == *"$id, type task.failed"* ]]
	[[ $output == *alert*success*"attempt 1"* ]]
	[[ $output == *plain*other-type*"hears custom.x"* ]]
	out sloth-runner events why "$id" --hook plain -o json
	[ "$(json '.[1].decision')" = other-type ]
	[ "$(json length)" = 2 ]
	out sloth-runner events why "$id" --hook nobody
	[ "$status" -eq 1 ]
	[[ $errors == *"no hook 'nobody'"* ]]
	sloth-runner events emit custom.x --wait
	out sloth-runner hook why alert -o json
	[ "$(json '.[0].decision')" = other-type ]
	[ "$(json '.[1].decision')" = success ]
	out sloth-runner hook why alert --type 'task.*' -o json
	[ "$(json length)" = 1 ]
	[ "$(json '.[0].event_id')" = "$id" ]
}

@test "events replay: a copy runs again, for one hook, and tells how it ended" {
	start_fsd
	sloth-runner hook add "$SCRIPTS/alert.lua"
	sloth-runner hook add plain --script "$SCRIPTS/plain.lua" --event task.failed
	out sloth-runner events emit task.failed '{"fail":true}' --wait
	[ "$status" -eq 5 ]
	local id=${lines[0]}
	out sloth-runner events replay "$id" --wait
	[ "$status" -eq 5 ]
	[ "${lines[1]}" = failed ]
	[ "${lines[0]}" != "$id" ]
	out sloth-runner events replay "$id" --hook alert --wait -o json
	[ "$status" -eq 0 ]
	[ "$(json '.[0].status')" = completed ]
	[ "$(json '.[0].hook_executions | length')" = 1 ]
	out sloth-runner events replay 00000000-0000-7000-8000-000000000000
	[ "$status" -eq 1 ]
	out sloth-runner events replay "$id" --dry-run --hook alert
	[[ $output == alert*run* ]]
	out sloth-runner events replay
	[ "$status" -eq 2 ]
	out sloth-runner events replay "$id" --type task.failed
	[ "$status" -eq 2 ]
	[[ $errors == *"not both: leave out '$id'"* ]]
	out sloth-runner events replay --type 'task.*' --hook alert --dry-run
	[ "$output" = "$id  alert  run" ]
	out sloth-runner events replay --type 'task.*' --hook alert
	[[ $errors == "1 events, 2 passed over"* ]]
	[ "$(timeout 100 cat "$MNT/events/$output/wait")" = completed ]
	out sloth-runner hook stats alert -o json
	[ "$(json '.[0].run_count')" = 4 ]
	[ "$(json '.[0].counts.success')" = 4 ]
	out sloth-runner hook stats
	[[ $output == *"Kept back"*alert*4*plain* ]]
	out sloth-runner events stats -o json
	[ "$(json .events.failed)" = 2 ]
	out sloth-runner events stats
	[[ $output == *"Failed:"*2* ]]
}

@test "a name that is a path is refused, and replaces no hook" {
	start_fsd
	add_hook b <<<'return { event_type = "a.b", execute = function() return true, "mine" end }'
	echo 'return { event_type = "a.b", execute = function() return true end }' >"$BATS_TEST_TMPDIR/other.lua"
	run sloth-runner hook add some/dir/b -f "$BATS_TEST_TMPDIR/other.lua" --force
	[ "$status" -ne 0 ]
	grep -q mine "$MNT/hooks/b.lua"
}
