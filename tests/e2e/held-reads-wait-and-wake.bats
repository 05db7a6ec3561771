#!/usr/bin/env bats
# A read that has to wait holds nobody up, ends when there is something, and can be given up at any time.

load functions
setup() { start_fsd; }
teardown() { cleanup; }

# Readers wait for a type of their own where none may be woken by what the master itself has to tell.
metric() { awk -v name="$1" '$1 == name { print $2 }' "$MNT/metrics"; }

# us COMMAND...: how long it took; the quickest of twenty, for the machine has other things to do.
us() {
	local best=999999 begin took
	for _ in {1..20}; do
		begin=${EPOCHREALTIME/[.,]/}
		"$@" >/dev/null || return 1
		took=$((${EPOCHREALTIME/[.,]/} - begin))
		[ "$took" -ge "$best" ] || best=$took
	done
	echo "$best"
}

@test "A15: O_NONBLOCK gives EAGAIN where a read would wait, and data where it would not" {
	[ "$(fileops nonblock "$MNT/events/by-type/a.b/stream")" = EAGAIN ]
	id=$(emit '{"type":"a.b"}')
	timeout 100 cat "$MNT/events/$id/wait"
	[ "$(fileops nonblock "$MNT/events/$id/status")" = completed ]
}

@test "A15: poll, select and epoll wake when there is something to read" {
	for way in poll select epoll; do
		fileops wake $way "$MNT/events/by-type/a.b/stream" >"$BATS_TEST_TMPDIR/$way" &
		pid=$!
		wait_for 5 "grep -q waiting '$BATS_TEST_TMPDIR/$way'"
		id=$(emit '{"type":"a.b"}')
		wait $pid
		grep -qx readable "$BATS_TEST_TMPDIR/$way"
		grep -q "$id" "$BATS_TEST_TMPDIR/$way"
		timeout 100 cat "$MNT/events/$id/wait" # its end would wake the next one
	done
}

@test "poll wakes on the end of an event" {
	add_hook slow <<<'return { event_type = "a.b", execute = function() sleep(0.3) return true end }'
	id=$(emit '{"type":"a.b"}')
	[ "$(fileops wake poll "$MNT/events/$id/wait")" = "$(printf 'waiting\nreadable\ncompleted')" ]
}

@test "A14: SIGINT ends a held read with EINTR within 50 ms, and timeout ends cat" {
	wait_for 5 '[ "$(fileops interrupt "$MNT/events/by-type/a.b/stream")" = EINTR ]' # it also says when it took longer
	run timeout 100 timeout -s INT 0.1 cat "$MNT/events/by-type/a.b/stream"
	[ "$status" -eq 124 ]
	wait_for 5 '[ "$(metric sloth_fuse_parked)" -eq 1 ]' # the reading of metrics itself
}

@test "A14: 500 blocked readers cost no thread and do not slow ls, and all get the next event" {
	local root before
	before=$(us ls "$MNT")
	fileops readers 500 "$MNT/events/by-type/a.b/stream" >"$BATS_TEST_TMPDIR/readers" &
	readers=$!
	wait_for 10 '[ "$(metric sloth_fuse_parked)" -gt 500 ]'
	root=$(us ls "$MNT")
	echo "# ls beside 500 readers: $root us, $before us before" >&3
	[ "$root" -lt 5000 ] || [ "$root" -lt $((2 * before)) ]
	[ "$(us ls "$MNT/events")" -lt $((5000 + 2 * before)) ]
	[ "$(awk '/^Threads/ { print $2 }' "/proc/$FSD_PID/status")" -lt 20 ]
	emit '{"type":"a.b"}' >/dev/null
	wait $readers
	cat "$BATS_TEST_TMPDIR/readers"
	grep -qx '500 ended, 0 with an error' "$BATS_TEST_TMPDIR/readers"
	wait_for 5 '[ "$(metric sloth_fuse_parked)" -eq 1 ]'
}

@test "a stop ends every blocked reader, at once and cleanly" {
	fileops readers 50 "$MNT/events/by-type/a.b/stream" >"$BATS_TEST_TMPDIR/readers" &
	readers=$!
	(cd "$MNT/events" && exec tail -f log >/dev/null 2>&1) 3>&- &
	tail=$!
	wait_for 10 '[ "$(metric sloth_fuse_parked)" -gt 50 ]'
	begin=$(date +%s%N)
	stop_fsd
	[ $((($(date +%s%N) - begin) / 1000000)) -lt 9000 ] # by default it waits ten seconds for what runs
	wait $readers
	grep -q '^50 ended' "$BATS_TEST_TMPDIR/readers"
	! is_mounted
	kill $tail
	wait $tail || true
}

@test "after kill -9, with readers blocked and someone's directory inside, the next start mounts again" {
	fileops readers 5 "$MNT/events/by-type/a.b/stream" >"$BATS_TEST_TMPDIR/readers" &
	readers=$!
	(cd "$MNT/hooks" && exec tail -f /dev/null) 3>&- &
	inside=$!
	wait_for 10 '[ "$(metric sloth_fuse_parked)" -gt 5 ]'
	kill_fsd
	wait $readers
	! cat "$MNT/version" 2>/dev/null
	start_fsd
	[ "$(grep -c " $MNT fuse" /proc/self/mounts)" -eq 1 ]
	[ -n "$(emit '{"type":"a.b"}')" ]
	kill $inside
	wait $inside || true
}

@test "without a mount its place is an empty directory that ordinary users cannot write to" {
	stop_fsd
	[ -z "$(ls -A "$MNT")" ]
	[ "$(stat -c %a "$MNT")" = 555 ]
}

@test "what the kernel remembered is forgotten with its caches" {
	[ "$(id -u)" -eq 0 ] && [ -w /proc/sys/vm/drop_caches ] || skip "needs root, to drop caches"
	find "$MNT" >/dev/null
	before=$(metric sloth_fuse_nodes)
	for n in $(seq 200); do echo '{"type":"a.b"}'; done >"$MNT/events/emit"
	find "$MNT/events" -type f -exec head -c1 {} + >/dev/null
	[ "$(metric sloth_fuse_nodes)" -gt $((before + 1000)) ]
	wait_for 10 'echo 2 >/proc/sys/vm/drop_caches; [ "$(metric sloth_fuse_nodes)" -le "$before" ]'
}
