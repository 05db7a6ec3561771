#!/usr/bin/env bats
# What a hook finds in `event`, on every way an event takes to it.

load functions
setup() { start_fsd; }
teardown() { cleanup; }

# final ID: the status of an event that ends.
final() { timeout 10 cat "$MNT/events/$1/wait"; }
# output ID HOOK: what the hook wrote.
output() { cat "$MNT/events/$1/hooks/$2/output"; }

@test "the message of a hook is the last line of its output, wherever output is read" {
	add_hook a <<<'return { event_type = "a.b", execute = function() print("line") return true, "all done" end }'
	id=$(emit '{"type":"a.b"}')
	[ "$(final "$id")" = completed ]
	[ "$(output "$id" a)" = $'line\nall done' ]
	[ "$(cat "$MNT/events/$id/hooks/a/message")" = "all done" ]
	[ "$(jq -r '.hooks[0].output' "$MNT/events/$id/event.json")" = $'line\nall done' ]
	[ "$(sqlite3 -readonly "$STATE/hooks.db" "SELECT output FROM event_hook_executions WHERE event_id = '$id'")" = $'line\nall done' ]
	sloth-runner hook logs a --output | grep -qx 'all done'
	sloth-runner hook test a | grep -qx 'all done'
	[ "$(sloth-runner events show "$id" | grep -c 'all done')" -eq 1 ]
}

@test "event.cause names the event whose hook raised this one, also after a restart" {
	add_hook first <<<'return { event_type = "a.first", execute = function(event) print(event.cause) event.dispatch("a.second", {}) return true end }'
	add_hook second <<<'return { event_type = "a.second", timeout = 20, execute = function(event) print(event.cause) return true end }'
	sleeper='return { event_type = "a.second", timeout = 20, execute = function(event) if event.attempt == 1 then sleep(15) end print(event.attempt, event.cause) return true end }'
	add_hook sleeper <<<"$sleeper"
	id=$(emit '{"type":"a.first"}')
	[ "$(final "$id")" = completed ]
	[ "$(output "$id" first)" = nil ]
	effect=$(ls "$MNT/events/$id/effects")
	wait_for 5 '[ "$(hook_status "$effect" sleeper)" = running ]'
	kill_fsd
	start_fsd
	[ "$(final "$effect")" = completed ]
	[ "$(output "$effect" second)" = "$id" ]
	[ "$(output "$effect" sleeper)" = "2	$id" ]
	[ "$(readlink "$MNT/events/$effect/cause")" = "../$id" ]
}
