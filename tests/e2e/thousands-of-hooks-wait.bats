#!/usr/bin/env bats
# Ten thousand invocations (make check-long; a thousand otherwise) that wait for the clock or for a server
# which does not answer: a process a core holds them, others run beside them, and each ends once.

load functions
server_pid=
teardown() {
	[ -z "$server_pid" ] || kill "$server_pid" 2>/dev/null || true
	cleanup
}

N=${SLOTH_TEST_LONG:+10000}
N=${N:-1000}

busy() { jq .workers.busy "$MNT/status.json"; }

# hold SCRIPT: have N invocations of a hook that executes it under way.
hold() {
	start_fsd --set workers=$((N + 10)) --set event_buffer=$((2 * N))
	add_hook nap <<<"return { event_type = 'load.test', concurrency = $N, timeout = 300, execute = function() $1 end }"
	add_hook quick <<<'return { event_type = "quick.test", execute = function() return true, "at once" end }'
	loadgen --mount "$MNT" --mode bulk --batch 500 --count "$N" >/dev/null
	wait_for 60 '[ "$(busy)" = $N ]'
}

# others_run: what is emitted now is done before anything that waits.
others_run() {
	local id
	for _ in {1..20}; do
		id=$(emit '{"type":"quick.test"}')
		[ "$(timeout 100 cat "$MNT/events/$id/wait")" = completed ]
	done
	[ "$(busy)" = "$N" ]
	[ "$(jq .workers.processes "$MNT/status.json")" -le $((2 * $(nproc))) ] # a core, and some more when one seems to hang
}

# all_ended: each once and well, none is left.
all_ended() {
	wait_for 60 '[ "$(cat "$MNT/events/queue/depth")" = 0 ]'
	[ "$(sqlite3 -readonly -cmd '.timeout 5000' "$STATE/hooks.db" "
		SELECT count(*) FROM event_hook_executions WHERE hook_id = (SELECT id FROM hook WHERE name = 'nap') AND success")" = "$N" ]
	[ "$(cat "$MNT/ctl/hooks/nap/runs")" = "$N" ]
	[ "$(busy)" = 0 ]
}

@test "$N hooks wait on sleep" {
	requires sqlite3 jq
	hold "repeat sleep(1) until file.exists('$BATS_TEST_TMPDIR/go') return true"
	others_run
	: >"$BATS_TEST_TMPDIR/go"
	all_ended
}

@test "$N hooks wait for a slow server" {
	requires sqlite3 jq
	[ "$(ulimit -Hn)" = unlimited ] || [ "$(ulimit -Hn)" -ge $((N + 1000)) ] || skip "needs $N open files"
	# it keeps each connection, and answers none
	coproc { ulimit -n $((N + 1000)) && exec httpd 200; } 3>&-
	server_pid=$COPROC_PID
	read -r port <&"${COPROC[0]}"
	hold "local body, why = http.get('http://127.0.0.1:$port/slow', {timeout = 250}) return true, why"
	wait_for 60 '[ "$(ls /proc/$server_pid/fd | wc -l)" -ge $N ]'
	others_run
	kill -KILL "$server_pid"
	server_pid=
	all_ended
}
