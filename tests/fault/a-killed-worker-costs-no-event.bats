#!/usr/bin/env bats
# Workers and the process that forks them are killed under load: each event still gets its records, the
# daemon goes on, and no write on events/emit fails.

load ../e2e/functions
load_pid=
teardown() {
	[ -z "$load_pid" ] || kill "$load_pid" 2>/dev/null || true
	cleanup
}

query() { sqlite3 -readonly "$STATE/hooks.db" "$1"; }

zygote() { pgrep -P "$FSD_PID" -f -- --zygote; }
a_worker() { pgrep -P "$(zygote)" | shuf -n 1; }

# kill_under_load ROUNDS WHO: SIGKILL what WHO prints, again and again, while events come in, and hold
# the records against what was acknowledged.
kill_under_load() {
	local rounds=$1 who=$2 round pid
	requires sqlite3
	start_fsd --set workers=40
	add_hook quick <<<'return { event_type = "load.test", execute = function(event) return true end }'
	add_hook waiting <<<'return { event_type = "load.test", concurrency = 30, execute = function(event) sleep(0.005) return true end }'
	: >"$BATS_TEST_TMPDIR/acked"
	loadgen --mount "$MNT" --mode held --clients 4 --rate 1500 --seconds 1200 --ack "$BATS_TEST_TMPDIR/acked" --prefix w >"$BATS_TEST_TMPDIR/load.json" 3>&- &
	load_pid=$!
	for ((round = 1; round <= rounds; round++)); do
		seen=$(wc -l <"$BATS_TEST_TMPDIR/acked")
		wait_for 10 '[ "$(wc -l <"$BATS_TEST_TMPDIR/acked")" -ge $((seen + 500)) ]' # it runs again
		pid=
		wait_for 5 'pid=$('"$who"') && [ -n "$pid" ]'
		kill -KILL "$pid"
	done
	kill "$load_pid"
	wait "$load_pid"
	load_pid=
	wait_for 30 '[ "$(cat "$MNT/events/queue/depth")" = 0 ]'
	stop_fsd # the same daemon as at the start
	grep -q '"failed":0,' "$BATS_TEST_TMPDIR/load.json"
	acked=$(wc -l <"$BATS_TEST_TMPDIR/acked")
	[ "$(query "SELECT count(*) FROM events WHERE type='load.test' AND status IN ('completed','failed')")" = "$acked" ]
	[ "$(query "SELECT count(*) FROM event_hook_executions")" = $((2 * acked)) ]
	echo "# $rounds kills, $acked events; executions by status: $(query "SELECT status, count(*) FROM execution GROUP BY status" | paste -sd' ')" >&3
	# a kill costs at most what was begun in that moment
	[ "$(query "SELECT count(*) FROM event_hook_executions WHERE NOT success")" -le $((rounds * 40)) ]
	[ -z "$(our_processes)" ]
}

@test "a SIGKILLed worker under load" { kill_under_load 5 a_worker; }

@test "a SIGKILLed zygote under load" { kill_under_load 3 zygote; }
