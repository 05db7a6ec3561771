#!/usr/bin/env bats
# What a hook finds in `event`, on every way an event takes to it.

load functions
setup() { start_fsd; }
teardown() { cleanup; }

# final ID: the status of an event that ends.
final() { timeout 100 cat "$MNT/events/$1/wait"; }
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

@test "event.dispatch takes its options, refuses others, and notes a refusal in the output" {
	mkdir "$MNT/stacks/prod"
	add_hook a <<-'LUA'
		return { event_type = "a.b", execute = function(event)
		  assert(event.dispatch("a.made", { stack = "prod" }, { timestamp = "2024-01-01T00:00:00Z",
		    severity = "error", id = "given-1", run_id = "r9", agent = "ag", source = "src" }))
		  assert(event.dispatch("a.later", {}, { timestamp = 1700000000.5, id = "given-2" }))
		  assert(not event.dispatch("a.typo", {}, { timestmp = 1 }))
		  return true
		end }
	LUA
	id=$(emit '{"type":"a.b"}')
	[ "$(final "$id")" = completed ]
	values=$(cd "$MNT/events/given-1" && cat stack timestamp severity run_id agent source)
	[ "$values" = $'prod\n2024-01-01T00:00:00.000000000Z\nerror\nr9\nag\nsrc' ]
	[ "$(cat "$MNT/events/given-2/timestamp")" = 2023-11-14T22:13:20.500000000Z ]
	output "$id" a | grep -q "^\[WARN\] event not raised: event.dispatch has no option 'timestmp'"
	[ "$(ls "$MNT/events/$id/effects" | wc -l)" -eq 2 ]
}

@test "numbers keep their Lua type: sent, dispatched, replayed, tested, kept in state, after a restart" {
	script='return { event_type = "a.%s", timeout = 20, execute = function(event)
		if event.data.wait and event.attempt == 1 then sleep(15) end
		local d, t = event.data, math.type
		state.set("k", { i = d.i, f = d.f })
		local k = state.get("k")
		print(t(d.i), t(d.f), d.big == math.maxinteger, t(k.i), t(k.f))
		if event.type == "a.n" then event.dispatch("a.m", d) end
		return true
	end }'
	# shellcheck disable=SC2059 # the script is a format
	add_hook n < <(printf "$script" n)
	# shellcheck disable=SC2059
	add_hook m < <(printf "$script" m)
	data='{"i":3,"f":3.0,"big":9223372036854775807}'
	right=$'integer\tfloat\ttrue\tinteger\tfloat'
	id=$(emit "{\"type\":\"a.n\",\"data\":$data}")
	[ "$(final "$id")" = completed ]
	[ "$(output "$id" n)" = "$right" ]
	effect=$(ls "$MNT/events/$id/effects")
	[ "$(final "$effect")" = completed ]
	[ "$(output "$effect" m)" = "$right" ]
	exec {fd}<>"$MNT/events/$effect/replay"
	echo 1 >&"$fd"
	read -r id <&"$fd"
	exec {fd}>&-
	[ "$(final "$id")" = completed ]
	[ "$(output "$id" m)" = "$right" ]
	sloth-runner hook test m --data "$data" | grep -qx "$right"
	id=$(emit "{\"type\":\"a.m\",\"data\":${data/\{/\{\"wait\":true,}}")
	wait_for 5 '[ "$(hook_status "$id" m)" = running ]'
	kill_fsd
	start_fsd
	[ "$(final "$id")" = completed ]
	[ "$(output "$id" m)" = "$right" ]
}

@test "by-status lists an event where its status says, while it runs too" {
	mkdir "$MNT/stacks/prod"
	add_hook slow <<<'return { event_type = "a.slow", execute = function() sleep(20) return true end }'
	ids=()
	for _ in 1 2 3 4 5; do ids+=("$(emit a.slow)"); done
	wait_for 5 '[ "$(ls "$MNT/events/by-status/processing" | wc -l)" -eq 5 ]'
	[ "$(ls "$MNT/events/by-status/processing" | sort)" = "$(printf '%s\n' "${ids[@]}" | sort)" ]
	[ -z "$(ls "$MNT/events/by-status/pending")" ]
	for link in "$MNT/events/by-status/processing"/*; do [ "$(cat "$link/status")" = processing ]; done
	[ -z "$(ls "$MNT/stacks/prod/events/by-status/processing")" ]
	echo 100ms >"$MNT/config/shutdown_timeout"
}

@test "a replay for a hook that does not run for the event is refused with the reason" {
	add_hook a <<<'return { event_type = "a.b", execute = function() return true end }'
	add_hook b <<<'return { event_type = "a.*", execute = function() return true end }'
	add_hook other <<<'return { event_type = "x.y", execute = function() return true end }'
	id=$(emit a.b)
	[ "$(final "$id")" = completed ]
	for name in nosuch other; do
		run bash -c "echo hook=$name >'$MNT/events/$id/replay'"
		[[ $output == *"Invalid argument"* ]]
		tail -n1 "$MNT/errors" | grep -q "hook '$name' does not run for event"
	done
	exec {fd}<>"$MNT/events/$id/replay"
	echo hook=b >&"$fd"
	read -r copy <&"$fd"
	exec {fd}>&-
	[ "$(final "$copy")" = completed ]
	[ "$(ls "$MNT/events/$copy/hooks")" = b ]
}
