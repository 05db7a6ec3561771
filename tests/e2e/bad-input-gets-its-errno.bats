#!/usr/bin/env bats
# Each bad input gets its errno or its record at its stated limit, and nothing else suffers.

load functions
setup() { start_fsd; }
teardown() { cleanup; }

# refused COMMAND ERRNO-TEXT: the command fails and its message names the errno.
refused() {
	run bash -c "$1"
	[ "$status" -ne 0 ]
	[[ "$output" == *"$2"* ]]
}
last_error() { tail -n1 "$MNT/errors"; }

@test "A01: malformed JSON: echo reports it, errors has line and column, nothing is stored" {
	refused "echo '{\"type\":\"a.b\",}' > $MNT/events/emit" "Invalid argument"
	last_error | grep -q 'line 1'
	last_error | grep -q 'column'
	refused "dash -c \"echo '{bad}' > $MNT/events/emit\"" ""
	[ -z "$(ls "$MNT/events/by-type" | grep a.b)" ]
}

@test "A01: a record cut short at close leaves a line in errors" {
	printf '{"type":"a.b","data":{' >"$MNT/events/emit" || true
	wait_for 5 'last_error | grep -q "events/emit"'
	last_error | grep -q 'not finished'
}

@test "A02: an object over many writes is one event; lines are one each" {
	printf '%s\n' '{' '"type":"a.pretty",' '"data":{"n":1}' '}' >"$MNT/events/emit"
	[ "$(ls "$MNT/events/by-type/a.pretty" | grep -vc stream)" -eq 1 ]
	printf '{"type":"a.line"}\n{"type":"a.line"}\n{"type":"a.line"}\n' >"$MNT/events/emit"
	[ "$(ls "$MNT/events/by-type/a.line" | wc -l)" -eq 3 ]
	: >"$MNT/events/emit"
}

@test "good records before a bad one are kept, and the writer learns which" {
	run bash -c "printf '{\"type\":\"a.good\"}\n{\"type\":\"a.good\"}\n{oops}\n' > $MNT/events/emit"
	[ "$status" -ne 0 ]
	[ "$(ls "$MNT/events/by-type/a.good" | wc -l)" -eq 2 ]
}

@test "A06: an event over 1 MiB is EFBIG and not stored" {
	{ printf '{"type":"a.big","data":{"x":"'; head -c 1100000 /dev/zero | tr '\0' x; printf '"}}\n'; } >"$BATS_TEST_TMPDIR/big"
	refused "cat $BATS_TEST_TMPDIR/big > $MNT/events/emit" "File too large"
	[ -z "$(ls "$MNT/events/by-type/a.big")" ]
	{ printf '{"type":"a.fits","data":{"x":"'; head -c 900000 /dev/zero | tr '\0' x; printf '"}}\n'; } >"$MNT/events/emit"
	id=$(ls "$MNT/events/by-type/a.fits")
	[ "$(stat -Lc %s "$MNT/events/by-type/a.fits/$id/data")" -gt 900000 ]
}

@test "names with control characters are EINVAL" {
	refused "touch $MNT/hooks/\$'a\\nb.lua'" "Invalid argument"
	refused "touch $MNT/hooks/\$'a\\x01b.lua'" "Invalid argument"
	refused "mkdir $MNT/stacks/\$'a\\tb'" "Invalid argument"
	refused "echo '{\"type\":\"a b\"}' > $MNT/events/emit" "Invalid argument"
	refused "echo '{\"type\":\"a.b\",\"id\":\"../x\"}' > $MNT/events/emit" "Invalid argument"
	refused "echo '{\"type\":\"a.b\",\"id\":\"emit\"}' > $MNT/events/emit" "Invalid argument"
}

@test "a hook that does not parse is saved, and its status has file and line" {
	printf 'return {\n  event_type = "a.b",\n  execute = function(event) retrun true end\n}\n' >"$MNT/hooks/bad.lua"
	wait_for 5 'grep -q "bad.lua:3" "$MNT/ctl/hooks/bad/status"'
	grep -q 'bad.lua:3' "$MNT/errors"
	[ -s "$MNT/hooks/bad.lua" ]
	echo 'return 5' >"$MNT/hooks/none.lua"
	wait_for 5 'grep -q "entry point\|execute\|on_event" "$MNT/ctl/hooks/none/status"'
}

@test "A11: a broken edit leaves the last good version in service" {
	add_hook a <<<'return { event_type = "a.b", execute = function() print("good") return true end }'
	echo 'return {{{' >"$MNT/hooks/a.lua"
	wait_for 5 'grep -q "a.lua:.*version 1 still in service" "$MNT/ctl/hooks/a/status"'
	id=$(emit '{"type":"a.b"}')
	timeout 100 cat "$MNT/events/$id/wait"
	[ "$(cat "$MNT/events/$id/hooks/a/output")" = good ]
	echo 'return { event_type = "a.b", execute = function() print("better") return true end }' >"$MNT/hooks/a.lua"
	wait_for 5 'grep -qx ok "$MNT/ctl/hooks/a/status"'
	id=$(emit '{"type":"a.b"}')
	timeout 100 cat "$MNT/events/$id/wait"
	[ "$(cat "$MNT/events/$id/hooks/a/output")" = better ]
}

# misbehave NAME TIMEOUT LUA: the hook and a good neighbour get the same event; what the bad one got is
# printed, and the neighbour must have succeeded.
misbehave() {
	local id
	add_hook neighbour <<<'return { event_type = "a.b", execute = function() return true end }'
	add_hook "$1" <<<"return { event_type = 'a.b', timeout = $2, execute = function(event) $3 end }"
	id=$(emit '{"type":"a.b"}')
	[ "$(timeout 100 cat "$MNT/events/$id/wait")" = failed ]
	[ "$(hook_status "$id" neighbour)" = success ]
	hook_status "$id" "$1"
	cat "$MNT/events/$id/hooks/$1/error"
	id=$(emit '{"type":"a.c"}') # the master still answers at once
	[ "$(timeout 100 cat "$MNT/events/$id/wait")" = completed ]
}

@test "an endless loop ends at its deadline" {
	run misbehave spin 1 'while true do end'
	[ "$status" -eq 0 ]
	[[ "$output" == *timeout* ]]
}

@test "a loop that catches every error ends at its deadline" {
	run misbehave pcalls 1 'while true do pcall(function() while true do end end) end'
	[ "$status" -eq 0 ]
	[[ "$output" == *timeout* ]]
}

@test "a pattern that never ends is killed, and only it" {
	run misbehave bomb 1 'return string.find(string.rep("a", 60000), ("a-"):rep(28) .. "b")'
	[ "$status" -eq 0 ]
	[[ "$output" == *timeout* ]]
}

@test "a hook that fills memory fails at the cap, with a sentence" {
	run misbehave hog 90 'local t = {} while true do t[#t+1] = ("x"):rep(1000) .. #t end'
	[ "$status" -eq 0 ]
	[[ "$output" == *failed* ]]
	[[ "$output" == *memory* ]]
}

@test "a hook that never returns from a command times out and its children are gone" {
	run misbehave hang 1 "exec.run('sleep 987.$$') return true"
	[ "$status" -eq 0 ]
	[[ "$output" == *timeout* ]]
	wait_for 5 '! pgrep -f "sleep 987.$$" >/dev/null'
}

@test "what a hook forks, detaches and hides is ended with it" {
	add_hook forker <<-LUA
		return { event_type = "a.b", execute = function()
		  exec.run("sleep 986.$$ & (setsid sleep 985.$$ &) ; (setsid bash -c 'sleep 984.$$ & exec sleep 983.$$' >/dev/null 2>&1 &)")
		  return true
		end }
	LUA
	id=$(emit '{"type":"a.b"}')
	[ "$(timeout 100 cat "$MNT/events/$id/wait")" = completed ]
	wait_for 5 '! pgrep -f "sleep 98[3456].$$" >/dev/null'
}

@test "a gigabyte of output is capped, counted, and bloats nobody" {
	run misbehave loud 90 'local s = ("x"):rep(1000000) for i = 1, 1000 do print(s) end error("done")'
	[ "$status" -eq 0 ]
	id=$(basename "$(readlink "$MNT/events/by-type/a.b"/*)")
	size=$(stat -c %s "$MNT/events/$id/hooks/loud/output")
	[ "$size" -lt 300000 ]
	grep -q 'dropped\|more bytes\|cut' "$MNT/events/$id/hooks/loud/output"
	[ "$(awk '/VmHWM/ { print $2 }' "/proc/$FSD_PID/status")" -lt 100000 ]
}

@test "workers keep no descriptor and no child of what is over" {
	add_hook runner <<<'return { event_type = "a.b", execute = function() exec.run("true") sleep(0.001) file.read("/etc/hostname") return true end }'
	loadgen --mount "$MNT" --mode held --count 50 --type a.b
	wait_for 10 '[ "$(cat "$MNT/events/queue/depth")" = 0 ]'
	fds() { for p in $(pgrep -P "$(pgrep -P "$FSD_PID" -f zygote)"); do ls "/proc/$p/fd"; done | wc -l; }
	before=$(fds)
	loadgen --mount "$MNT" --mode held --count 300 --type a.b
	wait_for 20 '[ "$(cat "$MNT/events/queue/depth")" = 0 ]'
	wait_for 5 '[ "$(fds)" -le "$before" ]'
	for p in $(pgrep -P "$(pgrep -P "$FSD_PID" -f zygote)"); do [ -z "$(pgrep -P "$p")" ]; done
}

@test "A19: a chain of events that cause each other stops at 16" {
	add_hook loop <<<'return { event_type = "a.loop", execute = function(event) local ok, why = event.dispatch("a.loop", {}) return ok, why end }'
	emit '{"type":"a.loop"}'
	wait_for 15 '[ -n "$(ls "$MNT/events/by-status/failed")" ]'
	[ "$(ls "$MNT/events/by-type/a.loop" | wc -l)" -le 17 ]
}
