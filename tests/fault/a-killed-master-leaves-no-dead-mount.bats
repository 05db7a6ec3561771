#!/usr/bin/env bats
# A killed master leaves a mount on which every call fails, with people inside.  The next start cleans up
# by itself; a second master beside a living one is refused and harms nothing.

load ../e2e/functions
teardown() {
	[ -z "${READERS:-}" ] || kill -KILL $READERS 2>/dev/null || true
	cleanup
}

# refused_beside PID OPTION...: a second master fails within 10 s, with one sentence that names the first.
refused_beside() {
	local pid=$1 status=0
	shift
	timeout 100 sloth-fsd "$@" >"$BATS_TEST_TMPDIR/second" 2>&1 </dev/null 3>&- || status=$?
	[ "$status" -eq 1 ]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/second")" -eq 1 ]
	grep -q "$pid" "$BATS_TEST_TMPDIR/second" || { cat "$BATS_TEST_TMPDIR/second"; return 1; }
}

@test "A18: SIGKILL with a busy cwd and blocked readers: the next start mounts at the same place" {
	start_fsd
	add_hook long <<<'return { event_type = "a.long", execute = function() sleep(60) return true end }'
	id=$(emit '{"type":"a.long"}')
	cat "$MNT/events/stream" >/dev/null 2>&1 3>&- &
	READERS=$!
	cat "$MNT/events/$id/wait" >/dev/null 2>&1 3>&- &
	READERS="$READERS $!"
	tail -f "$MNT/events/log" >/dev/null 2>&1 3>&- &
	tail_pid=$!
	mkfifo "$BATS_TEST_TMPDIR/hold"
	(cd "$MNT/hooks" && exec cat "$BATS_TEST_TMPDIR/hold") >/dev/null 2>&1 3>&- &
	READERS="$READERS $tail_pid $!"
	cwd_pid=$!
	wait_for 5 '[ "$(readlink /proc/$cwd_pid/cwd)" = "$MNT/hooks" ]'
	wait_for 5 '[ "$(cat "$MNT/metrics" | sed -n "s/^sloth_fuse_parked //p")" -ge 2 ]' # the readers wait

	for round in 1 2; do
		kill_fsd
		start_fsd
		[ "$(grep -c " $MNT fuse" /proc/self/mounts)" -eq 1 ]
		grep -qx ok "$MNT/ctl/hooks/long/status" # all of it answers
		[ "$(cat "$MNT/events/$id/type")" = a.long ]
		kill -0 "$cwd_pid" # who stood in the old mount is still there, and in nobody's way
	done
	# the readers of the dead mount were not left hanging
	for pid in ${READERS% $tail_pid *}; do
		wait_for 5 "! kill -0 $pid 2>/dev/null"
	done
	: >"$BATS_TEST_TMPDIR/hold"
}

# A call of its own thread into the mount cannot be ended by a signal; the descriptor that would end it
# must be open nowhere but in the threads that a SIGKILL ends.
@test "the thread that makes calls through the mount does not hold the mount's device" {
	start_fsd
	ls -l "/proc/$FSD_PID/fd" | grep -q /dev/fuse
	for task in "/proc/$FSD_PID/task"/*; do
		[ "$(cat "$task/comm")" = through ] && break
	done
	[ "$(cat "$task/comm")" = through ]
	! ls -l "$task/fd" | grep -q -e /dev/fuse -e hooks.db
	requires inotifywait
	inotifywait -q -e create "$MNT/events" >"$BATS_TEST_TMPDIR/heard" 3>&- & # and it does make them
	watch=$!
	wait_for 5 'grep -q inotify "/proc/$watch/fdinfo"/* 2>/dev/null'
	id=$(emit '{"type":"a.seen"}')
	wait "$watch"
	grep -q CREATE "$BATS_TEST_TMPDIR/heard"
}

@test "A28: a second master on the same state is refused in one sentence, in front and as a daemon" {
	start_fsd
	add_hook slow <<<'return { event_type = "a.slow", execute = function() sleep(1) return true end }'
	id=$(emit '{"type":"a.slow"}')
	refused_beside "$FSD_PID" --foreground --state "$STATE" --mount "$BATS_TEST_TMPDIR/mnt2"
	refused_beside "$FSD_PID" --state "$STATE" --mount "$BATS_TEST_TMPDIR/mnt2"
	refused_beside "$FSD_PID" --foreground --state "$STATE" --mount "$MNT"
	! grep -q "$BATS_TEST_TMPDIR/mnt2" /proc/self/mounts
	# the first one and its workers noticed nothing
	[ "$(timeout 100 cat "$MNT/events/$id/wait")" = completed ]
	[ "$(cat "$MNT/events/$id/hooks/slow/attempts")" = 1 ]
}

@test "a second master with its own state does not take a mount in use" {
	start_fsd
	status=0
	timeout 100 sloth-fsd --foreground --state "$BATS_TEST_TMPDIR/state2" --mount "$MNT" >"$BATS_TEST_TMPDIR/second" 2>&1 </dev/null 3>&- || status=$?
	[ "$status" -eq 1 ]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/second")" -eq 1 ]
	grep -q "$MNT" "$BATS_TEST_TMPDIR/second"
	[ "$(grep -c " $MNT fuse" /proc/self/mounts)" -eq 1 ]
	[ -e "$MNT/version" ]
	[ ! -e "/proc/$(cat "$BATS_TEST_TMPDIR/state2/master.lock")" ]
}

@test "a master that hangs keeps its mount, and who wants it is told within seconds" {
	start_fsd
	kill -STOP "$FSD_PID"
	status=0
	timeout -k 1 60 sloth-fsd --foreground --state "$BATS_TEST_TMPDIR/state2" --mount "$MNT" >"$BATS_TEST_TMPDIR/second" 2>&1 </dev/null 3>&- || status=$?
	kill -CONT "$FSD_PID"
	cat "$BATS_TEST_TMPDIR/second"
	[ "$status" -eq 1 ]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/second")" -eq 1 ]
	grep -q "$MNT: .* does not answer" "$BATS_TEST_TMPDIR/second"
	[ "$(grep -c " $MNT fuse" /proc/self/mounts)" -eq 1 ]
	[ -e "$MNT/version" ]
}
