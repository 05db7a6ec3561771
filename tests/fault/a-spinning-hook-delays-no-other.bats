#!/usr/bin/env bats
# A hook that computes without end, on every core: other hooks keep their latency, the mount answers, and
# each of them ends at its deadline.

load ../e2e/functions
setup() { start_fsd; }
teardown() { cleanup; }

RATE=200
SECONDS_OF_LOAD=5
DEADLINE=30

# latency HOOK: from acceptance to the end of its runs, in microseconds: median, p99, and how many.
latency() {
	sqlite3 -readonly -cmd '.timeout 5000' "$STATE/hooks.db" "
		SELECT (x.started_ns + x.duration_ns - e.created_ns) / 1000 FROM execution x JOIN event e USING (seq)
		WHERE x.hook_id = (SELECT id FROM hook WHERE name = '$1')" |
		sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)], v[int(NR * 0.99)], NR }'
}

# load HOOK: events for it, until all are done; prints their latency.
load() {
	loadgen --mount "$MNT" --mode held --rate $RATE --seconds $SECONDS_OF_LOAD --type "load.$1" >/dev/null
	wait_for 10 '[ "$(jq .queue.depth "$MNT/status.json")" = '"$2"' ]'
	latency "$1"
}

@test "a hook that spins on each core delays no other" {
	local i spinners ids=() begin took idle loaded
	requires sqlite3 jq
	spinners=$(nproc)
	for i in alone beside; do
		add_hook $i <<<"return { event_type = 'load.$i', execute = function() return true end }"
	done
	for ((i = 0; i < spinners; i++)); do
		add_hook "spin$i" <<<"return { event_type = 'spin.$i', timeout = $DEADLINE, execute = function() while true do end end }"
	done
	read -r -a idle < <(load alone 0)
	begin=$SECONDS
	for ((i = 0; i < spinners; i++)); do ids+=("$(emit "{\"type\":\"spin.$i\"}")"); done
	wait_for 10 '[ "$(jq .workers.busy "$MNT/status.json")" = $spinners ]'
	read -r -a loaded < <(load beside "$spinners")
	[ $((SECONDS - begin)) -lt $DEADLINE ] # they were at it all the time
	echo "# us from acceptance to end, median and p99: ${idle[0]} and ${idle[1]} alone, ${loaded[0]} and ${loaded[1]} beside $spinners that spin" >&3
	[ "${loaded[2]}" -ge $((idle[2] / 10)) ]
	[ "${loaded[0]}" -lt $((100000 + 10 * idle[0])) ]
	[ "${loaded[1]}" -lt $((500000 + 10 * idle[1])) ]
	for id in "${ids[@]}"; do
		timeout 100 cat "$MNT/events/$id/wait" >/dev/null
		[ "$(cat "$MNT/events/$id"/hooks/spin*/status)" = timeout ]
		took=$(cat "$MNT/events/$id"/hooks/spin*/duration_ms)
		[ "${took%.*}" -lt $((DEADLINE * 1000 + 10000)) ]
	done
}
