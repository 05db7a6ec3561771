#!/usr/bin/env bats
# A20: a hundred thousand events at once for a hook that may run ten times a second.  What it holds is neither
# lost nor in memory, and another hook goes on as if nothing were.  20,000 events in a short run.

load ../e2e/functions
setup() { requires sqlite3; start_fsd --set workers=8; }
teardown() { cleanup; }

flood=$([ -n "${SLOTH_TEST_LONG:-}" ] && echo 100000 || echo 20000)

query() { sqlite3 -readonly "$STATE/hooks.db" "$1"; }
resident_kb() { sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$FSD_PID/status"; }
count_of() { query "SELECT count(*) FROM execution x JOIN hook h ON h.id = x.hook_id WHERE h.name = 'flooded' AND x.status IN ($1)"; }

# The 99th percentile, in us, from the acceptance of the events of a type to the start of their hook.
p99_us() {
	query "WITH l AS (SELECT (x.started_ns - e.created_ns) / 1000 AS us FROM execution x
		JOIN event e ON e.seq = x.seq JOIN name n ON n.id = e.type WHERE n.text = '$1')
		SELECT us FROM l ORDER BY us LIMIT 1 OFFSET (SELECT count(*) * 99 / 100 FROM l)"
}

# flood_with TYPE OTHER: events of TYPE in bulk while events of OTHER come one by one, for six seconds.
flood_with() {
	loadgen --mount "$MNT" --mode echo --rate 200 --seconds 6 --type "$2" >/dev/null &
	local steady=$!
	loadgen --mount "$MNT" --mode bulk --batch 1000 --count "$flood" --type "$1" --prefix "$1"
	wait "$steady"
	wait_for 20 "[ -z \"\$(query \"SELECT 1 FROM event e JOIN name n ON n.id = e.type WHERE n.text = '$2' AND status < 2 LIMIT 1\")\" ]"
}

# flood_hook RULE: what comes of a flood for a hook with the rule, beside one that no hook hears.
flood_hook() {
	local before_kb floor_us us
	add_hook other <<<'return { event_type = "other.*", execute = function() return true end }'
	add_hook flooded <<<"return { event_type = 'flood.x', $1, execute = function() return true end }"
	flood_with nobody.x other.floor
	before_kb=$(resident_kb)
	flood_with flood.x other.x
	wait_for 30 '[ "$(cat "$MNT/events/queue/depth")" = 0 ]'
	floor_us=$(p99_us other.floor)
	us=$(p99_us other.x)
	echo "# the other hook: p99 $us us, $floor_us us while no hook hears the flood; $before_kb kB, then $(resident_kb) kB" >&3
	[ $(($(resident_kb) - before_kb)) -lt 20480 ]
	# a machine that is busy with other things is slow also without our hooks
	[ "$us" -lt 10000 ] || [ "$us" -lt $((4 * floor_us)) ]
}

@test "A20: what rate holds is counted, parked and run in its turn, and delays no other hook" {
	flood_hook 'rate = "10/s"'
	[ $(($(cat "$MNT/events/queue/held") + $(count_of 2))) -ge $((flood - 10)) ]
	[ "$(count_of 2,6)" -ge $((flood - 10)) ] # those that are just being run are neither
	[ "$(query "SELECT count(*) FROM event WHERE status = 1")" -ge $((flood - 1500)) ]
	# ten at once, and ten in each second since the first
	[ "$(query "SELECT count(*) <= 10 + 10 * (1 + (max(started_ns) - min(started_ns)) / 1e9)
		FROM execution x JOIN hook h ON h.id = x.hook_id WHERE h.name = 'flooded' AND x.status = 2")" = 1 ]
	kill_fsd
	start_fsd
	ran=$(count_of 2)
	wait_for 10 "[ \"\$(count_of 2)\" -gt $((ran + 10)) ]"
	[ "$(query "SELECT count(*) FROM execution x JOIN hook h ON h.id = x.hook_id WHERE h.name = 'flooded'")" = "$flood" ]
}

@test "A20: what rate_drop discards is counted, and delays no other hook" {
	flood_hook 'rate_drop = "10/s"'
	[ "$(count_of 2,7)" = "$flood" ]
	[ "$(count_of 2)" -ge 10 ]
	[ "$(count_of 2)" -lt 2000 ]
	[ "$(cat "$MNT/events/queue/held")" = 0 ]
}

@test "a hook that cannot keep up, with more behind it than memory holds, delays no other" {
	local id
	stop_fsd
	start_fsd --set event_buffer=1000 --set workers=8
	add_hook slow <<<'return { event_type = "slow.x", execute = function() sleep(0.05) return true end }'
	add_hook other <<<'return { event_type = "other.x", execute = function() return true end }'
	add_hook held <<<'return { event_type = "held.x", rate = "1000/s", execute = function() return true end }'
	loadgen --mount "$MNT" --mode bulk --batch 500 --count 5000 --type slow.x >/dev/null
	for type in other.x held.x other.x held.x; do
		id=$(emit "$type")
		[ "$(timeout 100 cat "$MNT/events/$id/wait")" = completed ]
	done
	# slow.x takes more than two minutes
	[ "$(cat "$MNT/events/queue/depth")" -gt 3000 ]
	rm "$MNT/hooks/slow.lua"
	wait_for 20 '[ "$(cat "$MNT/events/queue/depth")" = 0 ]'
	[ "$(query "SELECT count(DISTINCT seq), count(*) FROM execution x JOIN hook h ON h.id = x.hook_id WHERE h.name = 'slow'")" = "5000|5000" ]
}
