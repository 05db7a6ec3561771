#!/usr/bin/env bats
# What is written to config/ counts from then on, also for what is open, loaded or running.

load functions
setup() { start_fsd; }
teardown() { cleanup; }

busy() { jq .workers.busy "$MNT/status.json"; }
set_to() { echo "$2" >"$MNT/config/$1"; }

# run_hook: an event a.b, the end awaited; prints its id.
run_hook() {
	local id
	id=$(emit '{"type":"a.b"}')
	timeout 100 cat "$MNT/events/$id/wait" >/dev/null
	echo "$id"
}

@test "workers: how many run at once, up and down" {
	requires jq
	set_to workers 2
	add_hook nap <<<'return { event_type = "a.b", concurrency = 50, timeout = 60, execute = function() sleep(30) return true end }'
	for n in $(seq 10); do echo '{"type":"a.b"}'; done >"$MNT/events/emit"
	wait_for 5 '[ "$(busy)" = 2 ]'
	set_to workers 6
	wait_for 5 '[ "$(busy)" = 6 ]'
	set_to workers 1
	[ "$(busy)" = 6 ]
	rm "$MNT/hooks/nap.lua"
	set_to shutdown_timeout 100ms
}

@test "hook_timeout: of hooks that have none of their own" {
	add_hook nap <<<'return { event_type = "a.b", execute = function() sleep(30) return true end }'
	set_to hook_timeout 200ms
	[ "$(hook_status "$(run_hook)" nap)" = timeout ]
}

@test "hook_memory: of scripts that are loaded already, down and up" {
	add_hook big <<<'return { event_type = "a.b", execute = function() return #string.rep("x", 20 * 1024 * 1024) > 0 end }'
	[ "$(hook_status "$(run_hook)" big)" = success ]
	set_to hook_memory 8M
	[ "$(hook_status "$(run_hook)" big)" = failed ]
	set_to hook_memory 64M
	[ "$(hook_status "$(run_hook)" big)" = success ]
}

@test "hook_versions: how many contents of a script are kept, down and up" {
	save() { for n in "$@"; do add_hook keep <<<"return { event_type = 'a.b', description = '$n', execute = print }"; done; }
	kept() { ls -v "$MNT/ctl/hooks/keep/versions" | tr '\n' ' '; }
	save 1 2 3 4
	set_to hook_versions 2
	save 5
	wait_for 5 '[ "$(kept)" = "4.lua 5.lua " ]'
	set_to hook_versions 3
	save 6
	wait_for 5 '[ "$(kept)" = "4.lua 5.lua 6.lua " ]'
	! echo 0 >"$MNT/config/hook_versions"
}

@test "log_level: of what hooks log, too" {
	add_hook talk <<<'return { event_type = "a.b", execute = function() log.debug("a whisper") return true end }'
	id=$(run_hook)
	! grep -q whisper "$MNT/events/$id/hooks/talk/output"
	set_to log_level debug
	id=$(run_hook)
	grep -q whisper "$MNT/events/$id/hooks/talk/output"
	set_to log_level info
	id=$(run_hook)
	! grep -q whisper "$MNT/events/$id/hooks/talk/output"
}

@test "events_window: how many ids ls shows" {
	for n in $(seq 30); do emit '{"type":"a.b"}' >/dev/null; done
	set_to events_window 10
	[ "$(find "$MNT/events" -mindepth 1 -maxdepth 1 -name '0*-*' | wc -l)" = 10 ]
	set_to events_window 20
	[ "$(find "$MNT/events" -mindepth 1 -maxdepth 1 -name '0*-*' | wc -l)" = 20 ]
}

@test "log_max_bytes: of the list of refusals, and no limit again" {
	refused() { ! echo '{"type":5}' >"$MNT/events/emit"; } 2>/dev/null
	set_to log_max_bytes 4K
	for n in $(seq 40); do refused; done
	wait_for 5 '[ -e "$STATE/errors.1" ]'
	set_to log_max_bytes 0
	rm "$STATE/errors.1"
	for n in $(seq 40); do refused; done
	wait_for 5 '[ "$(wc -c <"$MNT/errors")" -gt 6000 ]'
	[ ! -e "$STATE/errors.1" ]
}

@test "shutdown_timeout: of the next stop" {
	requires jq
	add_hook nap <<<'return { event_type = "a.b", timeout = 60, execute = function() sleep(30) return true end }'
	emit '{"type":"a.b"}' >/dev/null
	wait_for 5 '[ "$(busy)" = 1 ]'
	set_to shutdown_timeout 300ms
	begin=$SECONDS
	stop_fsd
	[ $((SECONDS - begin)) -lt 9 ] # by default it waits for ten seconds
}
