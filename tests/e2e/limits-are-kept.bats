#!/usr/bin/env bats
# config/workers and a hook's concurrency bound what runs at once; deadlines end what waits.

load functions
setup() {
	export HOME=$BATS_TEST_TMPDIR # of the hooks: examples write there
	start_fsd
	RUNS=$BATS_TEST_TMPDIR/runs
	GO=$BATS_TEST_TMPDIR/go
}
teardown() { cleanup; }

# add_counter NAME: a hook of a.b that notes when it begins and ends, which it does not before $GO is there.
add_counter() {
	add_hook "$1" <<-LUA
		return { event_type = "a.b", timeout = 1000, execute = function()
		  file.append("$RUNS", "+\n")
		  repeat sleep(0.1) until file.exists("$GO")
		  file.append("$RUNS", "-\n")
		  return true
		end }
	LUA
}
# overlap: the most runs that were under way at one time.
overlap() { awk '$1 == "+" { n++; if (n > most) most = n } $1 == "-" { n-- } END { print most }' "$RUNS"; }
# are_at_once MOST EVENTS: raised together, so many of them and no more overlap.
are_at_once() {
	rm -f "$GO"
	: >"$RUNS"
	for _ in $(seq "$2"); do echo a.b; done >"$MNT/events/emit"
	let_go_of "$1"
	[ "$(overlap)" -eq "$1" ]
}
# let_go_of RUNS: when so many are under way they may end, and what waits for them may run.
let_go_of() {
	wait_for 30 '[ "$(grep -c + "$RUNS")" -ge '"$1"' ]'
	: >"$GO"
	wait_for 30 '[ "$(cat "$MNT/events/queue/depth")" = 0 ]'
}

@test "no more runs at once than config/workers, of a hook not more than its concurrency" {
	add_counter a
	[ "$(cat "$MNT/ctl/hooks/a/concurrency")" = 25 ]
	are_at_once 25 60
	echo 3 >"$MNT/ctl/hooks/a/concurrency"
	are_at_once 3 20
	add_counter b
	echo 9 >"$MNT/ctl/hooks/b/concurrency"
	echo 5 >"$MNT/config/workers"
	are_at_once 5 20
	echo 1 >"$MNT/config/workers"
	are_at_once 1 4
}

@test "config/workers takes effect on what already waits" {
	add_counter a
	echo 40 >"$MNT/ctl/hooks/a/concurrency"
	echo 2 >"$MNT/config/workers"
	for _ in $(seq 60); do echo a.b; done >"$MNT/events/emit"
	wait_for 5 '[ "$(grep -c + "$RUNS")" = 2 ]'
	echo 20 >"$MNT/config/workers"
	let_go_of 20
	[ "$(overlap)" -eq 20 ]
}

@test "every way to wait ends at the deadline" {
	add_hook a <<-LUA
		local ways = {
		  sleep = function() sleep(60) end,
		  exec = function() exec.run("sleep 961.$$") end,
		  popen = function() io.popen("sleep 962.$$"):read("a") end,
		  execute = function() os.execute("sleep 963.$$") end,
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
		[ "$(timeout 100 cat "$MNT/events/$id/wait")" = failed ]
		[ "$(hook_status "$id" a)" = timeout ] || { echo "$way: $(cat "$MNT/events/$id/hooks/a/error")"; return 1; }
		grep -q 'hook timed out after 300ms' "$MNT/events/$id/hooks/a/error"
		[ "$(cut -d. -f1 "$MNT/events/$id/hooks/a/duration_ms")" -lt 30000 ]
	done
	wait_for 5 '! pgrep -f "sleep 96[123].$$" >/dev/null'
}

@test "a changed lib/ module is used at the next run; one that does not parse is named with its line" {
	echo 'return { v = 1 }' >"$MNT/lib/m.lua"
	add_hook a <<<'return { event_type = "a.b", execute = function() return true, tostring(require("m").v) end }'
	says() {
		id=$(emit a.b)
		timeout 100 cat "$MNT/events/$id/wait" >/dev/null
		[ "$(cat "$MNT/events/$id/hooks/a/message")" = "$1" ]
	}
	says 1
	echo 'return { v = 2 }' >"$MNT/lib/m.lua"
	says 2
	sed -i 's/2/3/' "$MNT/lib/m.lua"
	says 3
	printf 'local x\nreturn {{\n' >"$MNT/lib/m.lua"
	id=$(emit a.b)
	[ "$(timeout 100 cat "$MNT/events/$id/wait")" = failed ]
	head -n1 "$MNT/events/$id/hooks/a/error" | grep -q '^lib/m.lua:3: '
}

@test "every template and every example of the documentation loads and runs on a sample of its event" {
	stop_fsd
	mkdir "$BATS_TEST_TMPDIR/home"
	HOME=$BATS_TEST_TMPDIR/home start_fsd # some write there
	for file in "$TOP"/mount-layout/templates/hooks/*.lua "$TOP"/docs/examples/hooks/*.lua; do
		! grep -q ', required: ' "$file" || continue # what has to be set depends on the place
		sloth-runner hook check "$file"
		name=$(basename "$file" .lua)
		cp "$file" "$MNT/hooks/$name.lua"
		wait_for 5 "grep -qx ok '$MNT/ctl/hooks/$name/status'"
		sloth-runner hook test "$name" || [ "$name" = restart_service ] # its sample names no service that is here
	done
}
