#!/usr/bin/env bats
# config/workers and a hook's concurrency bound what runs at once; deadlines end what waits.

load functions
setup() {
	export HOME=$BATS_TEST_TMPDIR # of the hooks: examples write there
	start_fsd
	RUNS=$BATS_TEST_TMPDIR/runs
}
teardown() { cleanup; }

# add_counter NAME: a hook of a.b that notes when it begins and ends.
add_counter() {
	add_hook "$1" <<-LUA
		return { event_type = "a.b", execute = function()
		  file.append("$RUNS", "+\n")
		  sleep(0.1)
		  file.append("$RUNS", "-\n")
		  return true
		end }
	LUA
}
# overlap: the most runs that were under way at one time.
overlap() { awk '$1 == "+" { n++; if (n > most) most = n } $1 == "-" { n-- } END { print most }' "$RUNS"; }
# most_at_once EVENTS: raise them together; how many runs overlapped.
most_at_once() {
	: >"$RUNS"
	for _ in $(seq "$1"); do echo a.b; done >"$MNT/events/emit"
	wait_for 30 '[ "$(cat "$MNT/events/queue/depth")" = 0 ]'
	overlap
}

@test "no more runs at once than config/workers, of a hook not more than its concurrency" {
	add_counter a
	[ "$(cat "$MNT/ctl/hooks/a/concurrency")" = 25 ]
	[ "$(most_at_once 60)" -eq 25 ]
	echo 3 >"$MNT/ctl/hooks/a/concurrency"
	[ "$(most_at_once 20)" -eq 3 ]
	add_counter b
	echo 9 >"$MNT/ctl/hooks/b/concurrency"
	echo 5 >"$MNT/config/workers"
	[ "$(most_at_once 20)" -eq 5 ]
	echo 1 >"$MNT/config/workers"
	[ "$(most_at_once 4)" -eq 1 ]
}

@test "config/workers takes effect on what already waits" {
	add_counter a
	echo 40 >"$MNT/ctl/hooks/a/concurrency"
	echo 2 >"$MNT/config/workers"
	for _ in $(seq 60); do echo a.b; done >"$MNT/events/emit"
	wait_for 5 'grep -q - "$RUNS"'
	echo 20 >"$MNT/config/workers"
	wait_for 30 '[ "$(cat "$MNT/events/queue/depth")" = 0 ]'
	[ "$(overlap)" -eq 20 ]
}

@test "every way to wait ends at the deadline" {
	add_hook a <<-'LUA'
		local ways = {
		  sleep = function() sleep(60) end,
		  exec = function() exec.run("sleep 961") end,
		  popen = function() io.popen("sleep 962"):read("a") end,
		  execute = function() os.execute("sleep 963") end,
		  coroutine = function() coroutine.wrap(function() sleep(60) end)() end,
		  caught = function() while true do pcall(sleep, 60) end end,
		  closed = function()
		    local x <close> = setmetatable({}, { __close = function() while true do end end })
		    sleep(60)
		  end,
		}
		return { event_type = "a.b", timeout = "300ms", execute = function(event) ways[event.data.way]() return true end }
	LUA
	for way in sleep exec popen execute coroutine caught closed; do
		id=$(emit "a.b way=$way")
		[ "$(timeout 10 cat "$MNT/events/$id/wait")" = failed ]
		[ "$(hook_status "$id" a)" = timeout ] || { echo "$way: $(cat "$MNT/events/$id/hooks/a/error")"; return 1; }
		grep -q 'hook timed out after 300ms' "$MNT/events/$id/hooks/a/error"
		[ "$(cut -d. -f1 "$MNT/events/$id/hooks/a/duration_ms")" -lt 2000 ]
	done
	wait_for 5 '! pgrep -f "sleep 96[123]" >/dev/null'
}

@test "a changed lib/ module is used at the next run; one that does not parse is named with its line" {
	echo 'return { v = 1 }' >"$MNT/lib/m.lua"
	add_hook a <<<'return { event_type = "a.b", execute = function() return true, tostring(require("m").v) end }'
	says() {
		id=$(emit a.b)
		timeout 10 cat "$MNT/events/$id/wait" >/dev/null
		[ "$(cat "$MNT/events/$id/hooks/a/message")" = "$1" ]
	}
	says 1
	echo 'return { v = 2 }' >"$MNT/lib/m.lua"
	says 2
	sed -i 's/2/3/' "$MNT/lib/m.lua"
	says 3
	printf 'local x\nreturn {{\n' >"$MNT/lib/m.lua"
	id=$(emit a.b)
	[ "$(timeout 10 cat "$MNT/events/$id/wait")" = failed ]
	head -n1 "$MNT/events/$id/hooks/a/error" | grep -q '^lib/m.lua:3: '
}

@test "every template and every example of the documentation loads and runs on a sample of its event" {
	for file in "$TOP"/mount-layout/templates/hooks/*.lua "$TOP"/docs/examples/hooks/*.lua; do
		sloth-runner hook check "$file"
		name=$(basename "$file" .lua)
		cp "$file" "$MNT/hooks/$name.lua"
		wait_for 5 "grep -qx ok '$MNT/ctl/hooks/$name/status'"
		sloth-runner hook test "$name"
	done
}
