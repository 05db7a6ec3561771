#!/usr/bin/env bats
# Minutes, or with SLOTH_SOAK_SECONDS=3600 an hour, at 5,000 events a second: memory, descriptors, the
# write-ahead log and latency at the end are what they were at the beginning.  SLOTH_SOAK_OUT keeps the samples.

load ../e2e/functions
load_pid=
teardown() {
	[ -z "$load_pid" ] || kill "$load_pid" 2>/dev/null || true
	cleanup
}

RATE=${SLOTH_SOAK_RATE:-5000}
SAMPLES=40

query() { sqlite3 -readonly -cmd '.timeout 5000' "$STATE/hooks.db" "$1"; }
rss_kb() { awk '/^VmRSS/ { kb += $2 } END { print kb + 0 }' /dev/null "$@" 2>/dev/null || true; }

# A line: seconds, KB of the master, KB of its workers, descriptors, bytes of the log, and in microseconds
# from acceptance to a hook's start the median and the 99th percentile of the newest 5,000 runs.
sample() {
	local workers pid
	workers=()
	for pid in $(our_processes); do workers+=("/proc/$pid/status"); done
	echo "$1 $(rss_kb "/proc/$FSD_PID/status") $(rss_kb "${workers[@]}") $(ls "/proc/$FSD_PID/fd" | wc -l) $(stat -c %s "$STATE/hooks.db-wal") $(query "
		SELECT max(0, us) FROM (SELECT (x.started_ns - e.created_ns) / 1000 AS us, ntile(100) OVER (ORDER BY x.started_ns - e.created_ns) AS part
			FROM (SELECT * FROM execution WHERE hook_id = (SELECT id FROM hook WHERE name = 'plain') ORDER BY hook_id DESC, seq DESC LIMIT 5000) x JOIN event e USING (seq))
		WHERE part IN (50, 99) GROUP BY part ORDER BY part" | paste -sd' ')"
}

# column N FROM TO: the median of a column in these lines of the samples.
column() { sed -n "$2,$3p" "$OUT" | awk "{ print \$$1 }" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

@test "a soak at $RATE events/s: memory, descriptors, log and latency stay flat" {
	local seconds=${SLOTH_SOAK_SECONDS:-${SLOTH_TEST_LONG:+120}} begin i
	[ -n "$seconds" ] || skip "two minutes: make check-long"
	requires sqlite3
	OUT=${SLOTH_SOAK_OUT:-$BATS_TEST_TMPDIR/samples}
	start_fsd --set retention_count=$((RATE * 20))
	add_hook plain <<<'return { event_type = "load.test", execute = function(event) return true end }'
	add_hook drops <<<'return { event_type = "load.test", rate_drop = "100/s", execute = function(event) return true end }'
	add_hook calms <<<'return { event_type = "load.sample", once_after = "200ms", execute = function(event) return true end }'
	add_hook waits <<<'return { event_type = "load.sample", concurrency = 50, execute = function(event) sleep(0.05) return true end }'
	add_hook starts <<<'return { event_type = "load.sample", execute = function(event) return exec.run("true").success end }'
	loadgen --mount "$MNT" --mode bulk --batch 25 --clients 2 --rate "$RATE" --seconds $((seconds + 60)) >/dev/null 3>&- &
	load_pid=$!
	loadgen --mount "$MNT" --mode echo --clients 1 --rate 20 --seconds $((seconds + 60)) --type load.sample >/dev/null 3>&- &
	load_pid="$load_pid $!"
	# flat begins where retention has reached its limit
	wait_for 120 '[ "$(query "SELECT completed FROM counter")" -ge $((RATE * 20)) ]'
	begin=$SECONDS
	: >"$OUT"
	for ((i = 1; i <= SAMPLES; i++)); do
		wait_for "$seconds" '[ $((SECONDS - begin)) -ge $((seconds * i / SAMPLES)) ]'
		sample $((SECONDS - begin)) >>"$OUT"
	done
	# shellcheck disable=SC2086 # two ids
	kill $load_pid
	load_pid=
	wait_for 30 '[ "$(cat "$MNT/events/queue/depth")" = 0 ]'
	quarter=$((SAMPLES / 4))
	for i in 2 3 4 5 6 7; do
		first[i]=$(column $i 1 $quarter)
		last[i]=$(column $i $((SAMPLES - quarter + 1)) $SAMPLES)
	done
	echo "# first quarter: ${first[*]}; last: ${last[*]} (KB, KB workers, fds, WAL bytes, us median, us p99)" >&3
	[ "${last[2]}" -le $((first[2] * 11 / 10 + 4096)) ]
	[ "${last[3]}" -le $((first[3] * 11 / 10 + 8192)) ]
	[ "${last[4]}" -le $((first[4] + 4)) ]
	[ "$(sort -n -k5,5 "$OUT" | tail -1 | awk '{ print $5 }')" -lt $((64 * 1024 * 1024)) ]
	[ "${last[7]}" -le $((first[7] * 3 + 5000)) ]
}
