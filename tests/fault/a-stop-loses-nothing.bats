#!/usr/bin/env bats
# SIGTERM with a queue: what runs may finish, what waits stays, and the next start takes it up.

load ../e2e/functions
teardown() { cleanup; }

# An echo that comes before the master has seen the signal is good; what counts is that it is kept.
accepted=0
late() {
	echo '{"type":"a.late"}' >"$MNT/events/emit" || return 1
	accepted=$((accepted + 1))
}

@test "SIGTERM with 1,000 queued events: one record for each hook and event after the next start" {
	start_fsd --set workers=8 --set shutdown_timeout=1000s
	add_hook slow <<-LUA
		return { event_type = "load.test", concurrency = 4, timeout = 1000, execute = function(event)
		  repeat sleep(0.02) until file.exists("$BATS_TEST_TMPDIR/go")
		  return true
		end }
	LUA
	add_hook quick <<-'LUA'
		return { event_type = "load.test", execute = function(event) return true end }
	LUA
	loadgen --mount "$MNT" --mode bulk --batch 500 --count 1000 --ack "$BATS_TEST_TMPDIR/acked" --prefix q
	[ "$(cat "$MNT/events/queue/depth")" -gt 500 ]
	kill -TERM "$FSD_PID"
	wait_for 5 '! late 2>/dev/null' # it has begun to stop
	: >"$BATS_TEST_TMPDIR/go"
	wait "$FSD_PID"
	FSD_PID=
	[ "$(sqlite3 -readonly "$STATE/hooks.db" "SELECT count(*) FROM events WHERE status='pending'")" -gt 0 ]

	start_fsd
	wait_for 60 '[ "$(cat "$MNT/events/queue/depth")" = 0 ]'
	stop_fsd
	[ "$(sqlite3 -readonly "$STATE/hooks.db" "SELECT count(*) FROM events WHERE type='load.test' AND status='completed'")" = 1000 ]
	[ "$(sqlite3 -readonly "$STATE/hooks.db" "SELECT count(*) FROM event_hook_executions")" = 2000 ]
	[ "$(sqlite3 -readonly "$STATE/hooks.db" "SELECT count(DISTINCT event_id || hook_name) FROM event_hook_executions")" = 2000 ]
}

@test "events are refused while the master stops, and those it took are kept" {
	start_fsd --set shutdown_timeout=1000s
	add_hook long <<-LUA
		return { event_type = "a.long", timeout = 1000, execute = function(event)
		  repeat sleep(0.02) until file.exists("$BATS_TEST_TMPDIR/go")
		  return true
		end }
	LUA
	id=$(emit '{"type":"a.long"}')
	wait_for 5 '[ "$(cat "$MNT/events/$id/status")" = processing ]'
	kill -TERM "$FSD_PID"
	wait_for 5 '! late 2>/dev/null'
	is_mounted # refused by the master, not by its absence
	: >"$BATS_TEST_TMPDIR/go"
	wait "$FSD_PID"
	FSD_PID=
	[ "$(sqlite3 -readonly "$STATE/hooks.db" "SELECT status FROM events WHERE id='$id'")" = completed ]
	[ "$(sqlite3 -readonly "$STATE/hooks.db" "SELECT count(*) FROM events WHERE type='a.late'")" = "$accepted" ]
}
