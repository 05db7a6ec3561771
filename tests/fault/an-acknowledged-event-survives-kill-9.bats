#!/usr/bin/env bats
# Ten SIGKILLs of the daemon at random moments under load, and in the long run two hundred of it, its zygote
# and its workers; then the client's record of acknowledged events is held against the store.

load ../e2e/functions
load_pids=()
teardown() {
	kill "${load_pids[@]}" 2>/dev/null || true
	cleanup
}

ROUNDS=${SLOTH_TEST_LONG:+200}
ROUNDS=${ROUNDS:-10}
RATE=${SLOTH_TEST_LONG:+2000} # events acknowledged in a second, at least
RATE=${RATE:-200}

# One hook returns at once, one waits, one starts processes.  All that an invocation of the last one
# started holds a lock named after the event: what is still there when the event runs again is found.
install_hooks() {
	add_hook plain <<-'LUA'
		return { event_type = "load.test", execute = function(event) return true, event.id end }
	LUA
	add_hook children <<-LUA
		return { event_type = "load.sample", execute = function(event)
		  local r = exec.run("exec 9>$LOCKS/" .. event.id .. "; flock -n 9 || { echo " .. event.id .. " >>$BATS_TEST_TMPDIR/overlap; exit 1; }; (sleep 300 &) ; sleep 0.2")
		  return r.success, r.stderr
		end }
	LUA
	add_hook waiting <<-'LUA'
		return { event_type = "load.*", concurrency = 50, execute = function(event) sleep(0.01) return true end }
	LUA
}

query() { sqlite3 -readonly "$STATE/hooks.db" "$1"; }

# Terminal states, to be compared with the same later: none may change.
remember_final() { query "SELECT id, status FROM events WHERE status IN ('completed','failed')" >"$1"; }

zygote() { pgrep -P "$FSD_PID" -f -- --zygote; }

# kill_one: the daemon; in the long run also the zygote or a worker.
kill_one() {
	local victim
	case ${SLOTH_TEST_LONG:+$((RANDOM % 4))} in
	2) victim=$(zygote) ;;
	3) victim=$(pgrep -P "$(zygote)" | shuf -n 1) ;;
	*) kill_fsd && return ;;
	esac
	# none there yet, or gone by itself: a round without a death
	[ -z "$victim" ] || kill -KILL "$victim" 2>/dev/null || true
}

now_ms() { echo "${EPOCHREALTIME%???}" | tr -d .,; }

@test "A22: acknowledged events survive $ROUNDS SIGKILLs, each with its records" {
	requires sqlite3 flock
	LOCKS=$BATS_TEST_TMPDIR/locks
	mkdir "$LOCKS"
	start_fsd --set workers=100
	install_hooks
	# more than 2,000 events/s where nothing else is going on, most of them several in a write, and some that start processes
	raise() {
		loadgen --mount "$MNT" --seconds 600 "$@" >/dev/null 3>&- &
		load_pids+=($!)
	}
	raise --mode bulk --batch 20 --clients 6 --rate 4000 --ack "$BATS_TEST_TMPDIR/acked.bulk" --prefix b
	raise --mode held --clients 2 --rate 300 --ack "$BATS_TEST_TMPDIR/acked.held" --prefix h
	raise --mode echo --clients 1 --rate 20 --type load.sample --ack "$BATS_TEST_TMPDIR/acked.echo" --prefix s
	up_ms=0
	for ((round = 1; round <= ROUNDS; round++)); do
		begin_ms=$(now_ms)
		pause_ms=$((50 + RANDOM % 1451))
		read -rt "$(printf '%d.%03d' $((pause_ms / 1000)) $((pause_ms % 1000)))" <> <(:) || true
		remember_final "$BATS_TEST_TMPDIR/final.$round"
		kill_one
		up_ms=$((up_ms + $(now_ms) - begin_ms))
		[ -n "$FSD_PID" ] || start_fsd --set workers=100 # no human between
	done
	kill "${load_pids[@]}"
	wait "${load_pids[@]}" 2>/dev/null || true
	load_pids=()
	wait_for 60 '[ "$(cat "$MNT/events/queue/depth")" = 0 ]'
	stop_fsd

	acked=$(cat "$BATS_TEST_TMPDIR"/acked.* | wc -l)
	again=$(query "SELECT count(*) FROM execution WHERE attempts > 1")
	echo "# $ROUNDS kills in $up_ms ms, $acked acknowledged events, $again executions begun again" >&3
	[ $((acked * 1000 / up_ms)) -ge "$RATE" ]
	[ "$again" -gt 0 ]

	# every acknowledged id is there, once
	query "SELECT id FROM events" | sort >"$BATS_TEST_TMPDIR/stored"
	[ -z "$(uniq -d "$BATS_TEST_TMPDIR/stored")" ]
	[ -z "$(sort "$BATS_TEST_TMPDIR"/acked.* | comm -23 - "$BATS_TEST_TMPDIR/stored" | head)" ]
	# every event is final, and each matching hook has one record
	[ "$(query "SELECT count(*) FROM events WHERE type LIKE 'load.%' AND status NOT IN ('completed','failed')")" = 0 ]
	[ -z "$(query "SELECT e.id FROM events e LEFT JOIN event_hook_executions x ON x.event_id = e.id
		WHERE e.type LIKE 'load.%' GROUP BY e.id HAVING count(x.hook_name) <> 2 LIMIT 5")" ]
	# no terminal state changed
	remember_final "$BATS_TEST_TMPDIR/final"
	sort -o "$BATS_TEST_TMPDIR/final" "$BATS_TEST_TMPDIR/final"
	for ((round = 1; round <= ROUNDS; round++)); do
		[ -z "$(sort "$BATS_TEST_TMPDIR/final.$round" | comm -23 - "$BATS_TEST_TMPDIR/final" | head)" ]
	done
	# no hook ran twice at once, and nothing it started is left
	[ ! -e "$BATS_TEST_TMPDIR/overlap" ] || { cat "$BATS_TEST_TMPDIR/overlap"; false; }
	wait_for 5 '[ -z "$(our_processes)" ]'
	[ "$(query "PRAGMA integrity_check")" = ok ]
}
