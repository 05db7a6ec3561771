#!/usr/bin/env bats
# When the disk is nearly full intake answers ENOSPC, results still commit, and intake opens again by
# itself; a backlog larger than the buffer is drained from the store to its end.

load ../e2e/functions
teardown() {
	cleanup
	[ -z "${TMPFS:-}" ] || umount -l "$TMPFS"
}

query() { sqlite3 -readonly "$STATE/hooks.db" "$1"; }

# A hook that runs until the file `go` is there.
add_waiter() {
	add_hook waiter <<-LUA
		return { event_type = "a.wait", execute = function()
		  while not file.exists("$BATS_TEST_TMPDIR/go") do sleep(0.02) end
		  return true, "went on"
		end }
	LUA
}

try_emit() { echo '{"type":"a.more"}' >"$MNT/events/emit"; }

# refused_while_results_commit ID: intake is closed, and the run of ID ends well.
refused_while_results_commit() {
	run try_emit
	[ "$status" -ne 0 ]
	[[ "$output" == *"No space left on device"* ]]
	tail -n1 "$MNT/errors" | grep -q 'nearly full'
	: >"$BATS_TEST_TMPDIR/go"
	[ "$(timeout 100 cat "$MNT/events/$1/wait")" = completed ]
	run try_emit
	[ "$status" -ne 0 ]
	[ "$(query "SELECT status FROM events WHERE id='$1'")" = completed ]
}

@test "disk_reserve above what is free: ENOSPC, results commit, and back to normal when it is lowered" {
	requires sqlite3
	start_fsd
	add_waiter
	id=$(emit '{"type":"a.wait"}')
	echo 1000000G >"$MNT/config/disk_reserve"
	refused_while_results_commit "$id"
	echo 1M >"$MNT/config/disk_reserve"
	wait_for 5 'try_emit 2>/dev/null'
	stop_fsd
	[ "$(query "SELECT count(*) FROM events WHERE type='a.more'")" = 1 ]
}

@test "A26: a file system that fills up: ENOSPC, results commit, and intake opens when space is there" {
	requires sqlite3
	[ "$(id -u)" -eq 0 ] || skip "needs root, to mount a small file system"
	mkdir -p "$STATE"
	mount -t tmpfs -o size=64m,mode=700 tmpfs "$STATE" 2>/dev/null || skip "needs the right to mount a tmpfs"
	TMPFS=$STATE
	start_fsd --set disk_reserve=16M
	add_waiter
	id=$(emit '{"type":"a.wait"}')
	head -c 50M /dev/zero >"$STATE/ballast" # 64 - 50 is below the reserve
	refused_while_results_commit "$id"
	rm "$STATE/ballast"
	wait_for 5 'try_emit 2>/dev/null'
	stop_fsd
	[ "$(query "SELECT count(*) FROM events WHERE type='a.more'")" = 1 ]
	[ "$(query "PRAGMA integrity_check")" = ok ]
}

@test "a disk that is full to the last byte loses nothing that was acknowledged" {
	requires sqlite3
	[ "$(id -u)" -eq 0 ] || skip "needs root, to mount a small file system"
	mkdir -p "$STATE"
	mount -t tmpfs -o size=64m,mode=700 tmpfs "$STATE" 2>/dev/null || skip "needs the right to mount a tmpfs"
	TMPFS=$STATE
	start_fsd --set disk_reserve=1M
	add_waiter
	for _ in 1 2 3 4 5; do id=$(emit '{"type":"a.wait"}'); done
	head -c 100M /dev/zero >"$STATE/ballast" 2>/dev/null || true
	[ "$(stat -f -c %a "$STATE")" -eq 0 ]
	run try_emit
	[ "$status" -ne 0 ]
	: >"$BATS_TEST_TMPDIR/go"
	# the results wait in memory; reading goes on
	[ "$(timeout 100 cat "$MNT/events/$id/type")" = a.wait ]
	rm "$STATE/ballast"
	wait_for 20 '[ "$(cat "$MNT/events/queue/depth")" = 0 ]'
	wait_for 5 'try_emit 2>/dev/null'
	stop_fsd
	[ "$(query "SELECT count(*) FROM events WHERE type='a.wait' AND status='completed'")" = 5 ]
	[ "$(query "SELECT count(*) FROM execution WHERE status = 2")" = 5 ]
	[ "$(query "PRAGMA integrity_check")" = ok ]
}

@test "A24: a backlog of many times the buffer is drained completely and at full speed, also over a SIGKILL" {
	requires sqlite3
	start_fsd --set event_buffer=16 --set workers=8
	add_hook slow <<<'return { event_type = "load.test", concurrency = 8, execute = function(event) sleep(0.002) return true end }'
	add_hook quick <<<'return { event_type = "load.test", execute = function(event) return true end }'
	loadgen --mount "$MNT" --mode bulk --batch 500 --count 3000 --ack "$BATS_TEST_TMPDIR/acked" --prefix b
	[ "$(wc -l <"$BATS_TEST_TMPDIR/acked")" = 3000 ]
	[ "$(cat "$MNT/events/queue/depth")" -gt 1000 ]
	kill_fsd
	start_fsd --set event_buffer=16 --set workers=8
	wait_for 60 '[ "$(cat "$MNT/events/queue/depth")" = 0 ]'
	stop_fsd
	[ "$(query "SELECT count(*) FROM events WHERE type='load.test' AND status='completed'")" = 3000 ]
	[ "$(query "SELECT count(*) FROM execution WHERE status = 2")" = 6000 ]
	# what looks for the next ones from time to time gets a buffer's worth, or a few events, a second
	rate=$(query "SELECT CAST(count(*) * 1e9 / (max(started_ns) - min(started_ns)) AS INT) FROM execution WHERE started_ns > 0")
	echo "# $rate executions a second" >&3
	[ "$rate" -gt 100 ]
}
