#!/usr/bin/env bats
# The rows that carry `notify` tell inotify what the daemon itself does, seldom enough, and change nothing by that.

load functions
setup() { requires inotifywait; start_fsd; }
teardown() {
	[ -z "${WATCHERS:-}" ] || kill $WATCHERS 2>/dev/null || true
	cleanup
}

# watch PATH...: events of the paths, one a line, in $SEEN.
watch() {
	SEEN=$BATS_TEST_TMPDIR/seen
	inotifywait -mq --format '%w %e %f' -e create,delete,modify,attrib,moved_to "$@" >>"$SEEN" 2>"$BATS_TEST_TMPDIR/watching" 3>&- &
	WATCHERS="${WATCHERS:-} $!"
	wait_for 5 "[ \"\$(grep -c ^inotify /proc/$!/fdinfo/3 2>/dev/null || true)\" -ge $# ] 2>/dev/null"
}
saw() { wait_for 5 "grep -q -- '$1' '$SEEN'" || { cat "$SEEN"; return 1; }; }

@test "events/ tells of events that come and go" {
	watch "$MNT/events"
	id=$(emit '{"type":"a.b"}')
	saw "events/ CREATE,ISDIR $id"
	timeout 100 cat "$MNT/events/$id/wait"
	echo 1s >"$MNT/config/retention"
	saw "events/ DELETE,ISDIR $id"
	[ ! -e "$MNT/events/$id" ]
}

@test "a burst is told name by name" {
	watch "$MNT/events"
	for n in 1 2 3 4 5 6 7 8; do echo "{\"type\":\"a.b\",\"id\":\"burst$n\"}"; done >"$MNT/events/emit"
	for n in 1 2 3 4 5 6 7 8; do saw "events/ CREATE,ISDIR burst$n"; done
}

@test "events/log, log and errors tell that they grow" {
	watch "$MNT/events/log" "$MNT/log" "$MNT/errors"
	emit '{"type":"a.b"}' >/dev/null
	saw "events/log MODIFY"
	! echo '{"type":}' >"$MNT/events/emit" 2>/dev/null
	saw "errors MODIFY"
	echo 'return {' >"$MNT/hooks/bad.lua"
	saw "log MODIFY"
}

@test "hooks/ and ctl/hooks/ tell of files changed in the state directory; status tells that it changed" {
	watch "$MNT/hooks" "$MNT/ctl/hooks"
	echo 'return { event_type = "a.b", execute = function() return true end }' >"$STATE/hooks/direct.lua"
	saw "hooks/ CREATE direct.lua"
	saw "ctl/hooks/ CREATE,ISDIR direct"
	wait_for 5 'grep -qx ok "$MNT/ctl/hooks/direct/status"'
	watch "$MNT/ctl/hooks/direct/status"
	echo 'return {' >"$STATE/hooks/direct.lua"
	saw "status MODIFY"
	grep -q broken "$MNT/ctl/hooks/direct/status"
	rm "$STATE/hooks/direct.lua"
	saw "hooks/ DELETE direct.lua"
	saw "ctl/hooks/ DELETE,ISDIR direct"
}

@test "telling changes neither times nor content, and happens ten times a second at most" {
	watch "$MNT/events/log"
	begin=$(date +%s%N)
	for n in $(seq 20); do
		for k in $(seq 50); do echo '{"type":"a.b"}'; done >"$MNT/events/emit"
	done
	wait_for 10 '[ "$(cat "$MNT/events/queue/depth")" = 0 ]'
	tenths=$((($(date +%s%N) - begin) / 100000000))
	saw "events/log MODIFY"
	told=$(wc -l <"$SEEN")
	echo "# told $told times in $tenths tenths of a second" >&3
	[ "$told" -ge 1 ] && [ "$told" -le $((tenths + 3)) ]
	[ "$(stat -c %Y.%s "$MNT/events/log")" = "$(stat -c %Y.%s "$STATE/events/log")" ]
	cmp "$MNT/events/log" "$STATE/events/log"
	[ -z "$(ls "$STATE/hooks")" ]
}

@test "what is told is not remembered: nodes do not grow with events that nobody looks at" {
	nodes() { awk '$1 == "sloth_fuse_nodes" { print $2 }' "$MNT/metrics"; }
	before=$(nodes)
	loadgen --mount "$MNT" --mode held --clients 1 --rate 100 --seconds 2 --type a.b >/dev/null
	wait_for 5 '[ "$(nodes)" -le $((before + 5)) ]'
}
