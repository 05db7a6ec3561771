#!/usr/bin/env bats
# Ten SIGKILLs of the daemon at random moments under load; then the client's record of acknowledged events
# is held against the store.

load ../e2e/functions
teardown() { cleanup; }

ROUNDS=${SLOTH_TEST_LONG:+200}
ROUNDS=${ROUNDS:-10}

# One row a hook and event that ran: its start and end, written by the hook itself, to see overlap.
install_hooks() {
	add_hook plain <<-'LUA'
		return { event_type = "load.test", execute = function(event) return true, event.id end }
	LUA
	add_hook children <<-LUA
		return { event_type = "load.sample", execute = function(event)
		  local lock = "$BATS_TEST_TMPDIR/run." .. event.id
		  local r = exec.run("mkdir " .. lock .. " || { echo twice at once >> $BATS_TEST_TMPDIR/overlap; exit 1; }; (sleep 300 &) ; sleep 0.05; rmdir " .. lock)
		  return r.success, r.stderr
		end }
	LUA
	add_hook waiting <<-'LUA'
		return { event_type = "load.*", concurrency = 50, execute = function(event) sleep(0.01) return true end }
	LUA
}

query() { sqlite3 -readonly "$STATE/hooks.db" "$1"; }

# Terminal states, to be compared with the same later: none may change.
remember_final() { query "SELECT id, status FROM events WHERE status IN ('completed','failed') ORDER BY id" >"$1"; }

@test "acknowledged events survive $ROUNDS SIGKILLs, each with its records" {
	start_fsd --set workers=100
	install_hooks
	# 2,000 events/s and more, some of which start child processes
	loadgen --mount "$MNT" --mode held --clients 4 --rate 2200 --seconds 600 --ack "$BATS_TEST_TMPDIR/acked" --prefix k >"$BATS_TEST_TMPDIR/load.json" 3>&- &
	load_pid=$!
	loadgen --mount "$MNT" --mode echo --clients 1 --rate 20 --seconds 600 --type load.sample --ack "$BATS_TEST_TMPDIR/acked2" --prefix s >/dev/null 3>&- &
	sample_pid=$!
	for ((round = 1; round <= ROUNDS; round++)); do
		read -rt "$(printf '%d.%03d' $((RANDOM % 2)) $((50 + RANDOM % 450)))" <> <(:) || true
		remember_final "$BATS_TEST_TMPDIR/final.$round" || true
		rm -rf "$BATS_TEST_TMPDIR"/run.* # what a killed hook could not remove
		kill_fsd
		rm -rf "$BATS_TEST_TMPDIR"/run.*
		start_fsd --set workers=100 # no human between
	done
	kill "$load_pid" "$sample_pid"
	wait "$load_pid" "$sample_pid" 2>/dev/null || true
	wait_for 120 '[ "$(cat "$MNT/events/queue/depth")" = 0 ]'
	acked=$(cat "$BATS_TEST_TMPDIR/acked" "$BATS_TEST_TMPDIR/acked2" | wc -l)
	echo "# $acked acknowledged events, $ROUNDS kills" >&3
	[ "$acked" -ge $((ROUNDS * 500)) ]

	stop_fsd
	# every acknowledged id is there, once
	query "SELECT id FROM events" | sort >"$BATS_TEST_TMPDIR/stored"
	[ -z "$(uniq -d "$BATS_TEST_TMPDIR/stored")" ]
	[ -z "$(sort "$BATS_TEST_TMPDIR/acked" "$BATS_TEST_TMPDIR/acked2" | comm -23 - "$BATS_TEST_TMPDIR/stored" | head)" ]
	# every event is final, and each matching hook has one record
	[ "$(query "SELECT count(*) FROM events WHERE type LIKE 'load.%' AND status NOT IN ('completed','failed')")" = 0 ]
	[ -z "$(query "SELECT e.id FROM events e LEFT JOIN event_hook_executions x ON x.event_id = e.id
		WHERE e.type LIKE 'load.%' GROUP BY e.id HAVING count(x.hook_name) <> 2 LIMIT 5")" ]
	# no terminal state changed
	query "SELECT id, status FROM events WHERE status IN ('completed','failed') ORDER BY id" >"$BATS_TEST_TMPDIR/final"
	for ((round = 1; round <= ROUNDS; round++)); do
		[ -z "$(comm -23 <(sort "$BATS_TEST_TMPDIR/final.$round") <(sort "$BATS_TEST_TMPDIR/final") | head)" ]
	done
	# no hook ran twice at once, and nothing it started is left
	[ ! -e "$BATS_TEST_TMPDIR/overlap" ]
	wait_for 5 '[ -z "$(our_processes)" ]'
}
