#!/usr/bin/env bats
# A19: hooks that raise what they listen to stop at the depth limit, however they raise it, and it is said.

load functions
setup() { start_fsd; }
teardown() { cleanup; }

DEPTH=16

count() { ls "$MNT/events/by-type/$1" | wc -l; }

# settled TYPE: no event of the type is unfinished and no more come.
settled() {
	wait_for 10 '[ "$(cat "$MNT/events/queue/depth")" = 0 ] && [ "$(count '"$1"')" -gt $DEPTH ]'
	[ "$(count "$1")" = $((DEPTH + 1)) ] || { echo "$(count "$1") events"; return 1; }
}

# last TYPE: the end of the chain, which is walked by its links.
last() {
	local at=$1 next
	while next=$(ls "$MNT/events/$at/effects") && [ -n "$next" ]; do at=$next; done
	echo "$at"
}

@test "A19: a hook that dispatches its own type is stopped, with the reason in result, why and errors" {
	add_hook echo <<-'LUA'
		return { event_type = "loop.x", execute = function(event)
		  return event.dispatch("loop.x", {}), "not raised"
		end }
	LUA
	id=$(emit '{"type":"loop.x"}')
	settled loop.x
	end=$(last "$id")
	[ "$(jq -r .hooks[0].status "$MNT/events/$end/event.json")" = failed ]
	grep -q "event not raised: .*; 16 is the most" "$MNT/events/$end/hooks/echo/output"
	grep -q "^event .*number 16 in a chain of causes (16 at most): its hooks can raise no event" "$MNT/events/$end/why"
	jq -e 'select(.op == "dispatch" and .error == "ELOOP" and .who == "hook:echo" and (.reason | test("last of a chain of 16")))' "$MNT/errors"
	[ "$(cat "$MNT/ctl/hooks/echo/runs")" = 17 ]
	[ "$(cat "$MNT/ctl/hooks/echo/failures")" = 1 ]
	# and back again
	at=$end
	for _ in $(seq $DEPTH); do at=$(basename "$(readlink "$MNT/events/$at/cause")"); done
	[ "$at" = "$id" ]
}

@test "A19: two hooks that play ping-pong are stopped too" {
	for pair in 'ping pong' 'pong ping'; do
		# shellcheck disable=SC2086
		set -- $pair
		add_hook "$1" <<<"return { event_type = 'game.$1', execute = function(event) return event.dispatch('game.$2', {}) end }"
	done
	emit '{"type":"game.ping"}'
	wait_for 20 '[ $(($(count game.ping) + $(count game.pong))) = $((DEPTH + 1)) ] && [ "$(cat "$MNT/events/queue/depth")" = 0 ]'
	[ "$(count game.ping)" = 9 ]
	[ "$(count game.pong)" = 8 ]
	[ "$(cat "$MNT"/ctl/hooks/{ping,pong}/{runs,failures} | paste -sd' ')" = "9 1 8 0" ]
}

@test "A19: a program a hook starts that writes events/emit carries the cause on, and is stopped" {
	add_hook shell <<-'LUA'
		return { event_type = "loop.sh", execute = function()
		  local out, err, code = exec.run("echo '{\"type\":\"loop.sh\"}' > \"$SLOTH_RUNNER_MOUNT/events/emit\"")
		  return true
		end }
	LUA
	id=$(emit '{"type":"loop.sh"}')
	settled loop.sh
	end=$(last "$id")
	grep -q "number 16 in a chain" "$MNT/events/$end/why"
	jq -e 'select(.path == "/events/emit" and .error == "ELOOP" and (.reason | test("16 is the most")))' "$MNT/errors"
	jq -e 'select(.path == "/events/emit" and .result == "ELOOP")' "$MNT/audit"
}

@test "A19: a hook that writes the file itself is stopped as well" {
	add_hook writer <<-'LUA'
		return { event_type = "loop.lua", execute = function()
		  local ok, err = file.write(env.get("SLOTH_RUNNER_MOUNT") .. "/events/emit", '{"type":"loop.lua"}')
		  return ok ~= nil and ok ~= false, tostring(err)
		end }
	LUA
	id=$(emit '{"type":"loop.lua"}')
	settled loop.lua
	grep -q "number 16 in a chain" "$MNT/events/$(last "$id")/why"
}

@test "who is no hook has no cause" {
	add_hook idle <<<'return { event_type = "a.b", execute = function() return true end }'
	id=$(emit '{"type":"a.b"}')
	timeout 100 cat "$MNT/events/$id/wait"
	[ ! -e "$MNT/events/$id/cause" ]
}

# The runs wait for each other, so that those of one worker have their writes under way together.
@test "of many runs in one worker each is the cause of what it writes itself" {
	local ids=() i kind made
	add_hook writer <<-'LUA'
		local dir = env.get("SLOTH_RUNNER_MOUNT")
		return { event_type = "want.x", concurrency = 12, execute = function(event)
		  local line = json.encode({type = "made.x", id = "by-" .. event.data.n, data = {n = event.data.n}}) .. "\n"
		  while not file.exists(event.data.go) do sleep("10ms") end
		  if event.data.n % 2 == 0 then
		    return file.write(dir .. "/events/emit", line)
		  end
		  local f = assert(io.open(dir .. "/events/emit", "w"))
		  f:write(line)
		  return f:close()
		end }
	LUA
	for i in $(seq 12); do ids[i]=$(emit "{\"type\":\"want.x\",\"data\":{\"n\":$i,\"go\":\"$BATS_TEST_TMPDIR/go\"}}"); done
	wait_for 10 'grep -qx "sloth_workers_busy 12" "$MNT/metrics"'
	touch "$BATS_TEST_TMPDIR/go"
	for i in $(seq 12); do
		[ "$(timeout 100 cat "$MNT/events/${ids[i]}/wait")" = completed ]
		[ "$(readlink "$MNT/events/by-$i/cause")" = "../${ids[i]}" ] || { echo "by-$i: $(readlink "$MNT/events/by-$i/cause"), not ${ids[i]}"; return 1; }
	done
}
