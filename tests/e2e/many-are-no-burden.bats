#!/usr/bin/env bats
# A million events, ten thousand hooks: what one looks at answers as with few, and memory does not grow with them.

load functions
setup() { start_fsd; }
teardown() { cleanup; }

EVENTS=${SLOTH_EVENTS:-${SLOTH_TEST_LONG:+1000000}} # SLOTH_EVENTS=10000000 wants 10 GB of disk and an hour
EVENTS=${EVENTS:-150000}
HOOKS=${SLOTH_TEST_LONG:+10000}
HOOKS=${HOOKS:-1000}

# ms COMMAND...: how long it took; the quickest of ten, for the machine has other things to do.
ms() {
	local best=999999 begin took
	for _ in {1..10}; do
		begin=${EPOCHREALTIME/[.,]/}
		"$@" >/dev/null || return 1
		took=$(((${EPOCHREALTIME/[.,]/} - begin) / 1000))
		[ "$took" -ge "$best" ] || best=$took
	done
	echo "$best"
}
rss_kb() { awk '/^VmRSS/ { print $2 }' "/proc/$FSD_PID/status"; }
stored() { sqlite3 -readonly "$STATE/hooks.db" 'SELECT count(*) FROM event'; }

@test "A40: $EVENTS events: listings, look-ups and memory as with few; retention runs while nothing else does" {
	local few rss took
	few=$(rss_kb)
	loadgen --mount "$MNT" --mode bulk --batch 500 --clients 2 --count $((EVENTS / 2)) --type a.many >/dev/null
	wait_for 120 '[ "$(cat "$MNT/events/queue/depth")" = 0 ]'
	[ "$(stored)" -ge "$EVENTS" ]
	mkdir "$BATS_TEST_TMPDIR/plain"
	(cd "$BATS_TEST_TMPDIR/plain" && seq -f 'a-file-with-a-name-as-long-as-an-id-%g' 1000 | xargs touch)
	took=$(ms ls "$MNT/events")
	rss=$(rss_kb)
	echo "# ls of events/: $took ms; memory $few KB before, $rss KB after" >&3
	[ "$(ls "$MNT/events" | grep -c -- -)" -ge 1000 ]
	[ "$took" -lt 20 ] || [ "$took" -lt $((4 * $(ms ls "$BATS_TEST_TMPDIR/plain"))) ]
	[ "$rss" -lt $((few + 40 * 1024)) ]
	# what the burst took goes back to the system when it is over
	wait_for 10 '[ "$(rss_kb)" -lt $((few + 12 * 1024)) ]'
	oldest=$(sqlite3 -readonly "$STATE/hooks.db" "SELECT i.id FROM event_id i JOIN event e ON e.seq = i.seq JOIN name n ON n.id = e.type WHERE n.text = 'a.many' ORDER BY e.seq LIMIT 1")
	[ "$(cat "$MNT/events/$oldest/status")" = completed ]

	echo $((EVENTS / 2)) >"$MNT/config/retention_count"
	wait_for 120 '[ "$(stored)" -le $((EVENTS / 2)) ]'
	run cat "$MNT/events/$oldest/status"
	[ "$status" -ne 0 ]
	echo 1s >"$MNT/config/retention"
	wait_for 120 '[ "$(stored)" -le 10 ]'
}

@test "whoever looks at all of 50,000 events leaves no more than 32,768 names behind, and what he has open stays" {
	local ids=$BATS_TEST_TMPDIR/ids nodes
	loadgen --mount "$MNT" --mode bulk --batch 500 --clients 2 --count 25000 >/dev/null
	wait_for 120 '[ "$(cat "$MNT/events/queue/depth")" = 0 ]'
	sqlite3 -readonly "$STATE/hooks.db" 'SELECT id FROM event_id ORDER BY seq LIMIT 50000' >"$ids"
	[ "$(wc -l <"$ids")" -eq 50000 ]
	cd "$MNT/events/$(head -n 1 "$ids")"
	exec 7<event.json
	(cd "$MNT/events" && xargs stat -c %F <"$ids" | sort | uniq -c) | grep -x ' *50000 directory'
	nodes=$(awk '/^sloth_fuse_nodes / { print $2 }' "$MNT/metrics")
	echo "# $nodes names are remembered; memory $(rss_kb) KB" >&3
	[ "$nodes" -le 33500 ]
	[ "$(cat type)" = system.startup ]
	jq -e '.type == "system.startup"' <&7
	exec 7<&-
	cd /
}

@test "$HOOKS hook files: each in service, found by the event it is for, and there after a restart" {
	local n
	for ((n = 1; n <= HOOKS; n++)); do
		printf 'return { event_type = "many.e%d", execute = function(event) return true, "%d" end }\n' $n $n >"$MNT/hooks/h$n.lua"
	done
	wait_for 240 '[ "$(jq -r .status "$MNT/ctl/hooks.jsonl" | grep -cx ok)" -eq "$HOOKS" ]'
	[ "$(ls "$MNT/ctl/hooks" | wc -l)" -eq "$HOOKS" ]
	for n in 1 $((HOOKS / 2)) "$HOOKS"; do
		id=$(emit "many.e$n")
		timeout 100 cat "$MNT/events/$id/wait"
		[ "$(ls "$MNT/events/$id/hooks")" = "h$n" ]
		[ "$(cat "$MNT/events/$id/hooks/h$n/message")" = "$n" ]
	done
	# a hook of everything does not notice the others
	add_hook all <<<'return { event_type = "many.*", execute = function() return true end }'
	id=$(emit many.e7)
	timeout 100 cat "$MNT/events/$id/wait"
	[ "$(ls "$MNT/events/$id/hooks" | sort | paste -sd' ')" = "all h7" ]
	stop_fsd
	start_fsd
	id=$(emit "many.e$HOOKS")
	timeout 100 cat "$MNT/events/$id/wait"
	[ "$(cat "$MNT/events/$id/hooks/h$HOOKS/message")" = "$HOOKS" ]
}
