#!/usr/bin/env bats
# The store beside a running master: readable with sqlite3, pruned while it runs, small, checked after a crash.

load functions
setup() { requires sqlite3; start_fsd; }
teardown() { cleanup; }

sql() { sqlite3 -readonly "$STATE/hooks.db" "$1"; }
stored() { sql "SELECT count(*) FROM events"; }
settled() { wait_for 20 '[ "$(cat "$MNT/events/queue/depth")" = 0 ]'; }

@test "the documented tables are there, with their columns and units" {
	add_hook a <<<'return { event_type = "a.*", description = "does a", execute = function() print("hi") return true end }'
	id=$(emit '{"type":"a.b","data":{"x":1}}')
	timeout 100 cat "$MNT/events/$id/wait"
	for table in "events id type data status error timestamp created_at processed_at stack agent run_id seq" \
		"hooks id name description event_type file_path stack enabled created_at updated_at last_run run_count" \
		"event_hook_executions id event_id hook_id hook_name success output error duration_ms executed_at status attempts why seq" \
		"held_executions event_id hook_id hook_name attempts due_at why error" \
		"hook_executions id hook_id success output error duration_ms executed_at"; do
		[ "$(sql "SELECT group_concat(name, ' ') FROM pragma_table_info('${table%% *}')")" = "${table#* }" ]
	done
	[ "$(sql "SELECT type || data || status FROM events WHERE id = '$id'")" = 'a.b{"x":1}completed' ]
	[ "$(sql "SELECT abs(created_at - strftime('%s')) < 60 FROM events WHERE id = '$id'")" = 1 ]
	[ "$(sql "SELECT name || description || event_type || file_path || enabled || run_count FROM hooks")" = 'adoes aa.*hooks/a.lua11' ]
	[ "$(sql "SELECT hook_name || success || output FROM event_hook_executions WHERE event_id = '$id'")" = "$(printf 'a1hi\n')" ]
	echo 0 >"$MNT/ctl/hooks/a/enabled"
	wait_for 5 '[ "$(sql "SELECT enabled FROM hooks")" = 0 ]'
}

@test "A40: retention by number removes the oldest while the master runs, and never what is unfinished" {
	for n in $(seq 2000); do echo '{"type":"r.x"}'; done >"$MNT/events/emit"
	settled
	[ "$(stored)" -gt 2000 ]
	echo 100 >"$MNT/config/retention_count"
	wait_for 10 '[ "$(stored)" -le 100 ]'
	for n in $(seq 500); do echo '{"type":"r.x"}'; done >"$MNT/events/emit"
	wait_for 10 '[ "$(cat "$MNT/events/queue/depth")" = 0 ] && [ "$(stored)" -le 100 ]'
	add_hook slow <<<'return { event_type = "s.x", concurrency = 1, execute = function() sleep(60) return true end }'
	for n in $(seq 300); do echo '{"type":"s.x"}'; done >"$MNT/events/emit"
	echo 1 >"$MNT/config/retention_count"
	wait_for 10 '[ "$(sql "SELECT count(*) FROM events WHERE status NOT IN ('\''pending'\'', '\''processing'\'')")" -eq 0 ]'
	[ "$(sql "SELECT count(*) FROM events WHERE type = 's.x'")" = 300 ]
	rm "$MNT/hooks/slow.lua"
}

@test "A40: retention by age removes what gets too old also while nothing else happens" {
	echo 2s >"$MNT/config/retention"
	id=$(emit '{"type":"r.x"}')
	timeout 100 cat "$MNT/events/$id/wait"
	[ -d "$MNT/events/$id" ]
	wait_for 10 '[ ! -e "$MNT/events/$id" ]'
}

@test "A40: retention by bytes keeps the database near its limit" {
	pad=$(head -c 900 /dev/zero | tr '\0' x)
	for n in $(seq 4000); do echo "{\"type\":\"b.x\",\"data\":{\"p\":\"$pad\"}}"; done >"$MNT/events/emit"
	settled
	echo 1M >"$MNT/config/retention_bytes"
	wait_for 10 '[ "$(stored)" -lt 1100 ]'
	[ "$(stored)" -gt 100 ]
}

@test "after a crash the database is checked in the background, and status and log say so" {
	! grep -q crash "$MNT/status"
	emit '{"type":"a.b"}' >/dev/null
	kill_fsd
	start_fsd
	wait_for 10 'grep -q "checked after a crash: sound" "$MNT/status"'
	grep -q 'its database is sound' "$MNT/log"
	stop_fsd
	start_fsd
	! grep -q crash "$MNT/status"
}

@test "damage found after a crash is said in status, log, metrics and as an event" {
	for n in $(seq 3000); do echo '{"type":"a.b","data":{"text":"to fill some pages of the database"}}'; done >"$MNT/events/emit"
	settled
	stop_fsd
	start_fsd
	kill_fsd
	# pages of an index of events: reads by id go on
	root=$(sqlite3 "$STATE/hooks.db" "PRAGMA wal_checkpoint(TRUNCATE); SELECT rootpage FROM sqlite_schema WHERE name = 'event_type'" | tail -n1)
	leaf=$(dd if="$STATE/hooks.db" bs=4096 skip=$((root - 1)) count=1 status=none | od -An -tu1 -j8 -N4 | awk '{ print $1 * 16777216 + $2 * 65536 + $3 * 256 + $4 }')
	printf 'this was a page' | dd of="$STATE/hooks.db" bs=4096 seek=$((leaf - 1)) conv=notrunc status=none
	start_fsd
	wait_for 10 'grep -q DAMAGED "$MNT/status"'
	grep -q 'the database is damaged' "$MNT/log"
	grep -qx 'sloth_store_damaged 1' "$MNT/metrics"
	wait_for 5 '[ -d "$MNT/events/by-type/system.error" ]'
}

# fifty: how many milliseconds it takes to raise so many events one by one.
fifty() {
	local begin n
	begin=$(date +%s%N)
	for n in $(seq 50); do echo '{"type":"a.b"}' >"$MNT/events/emit"; done
	echo $((($(date +%s%N) - begin) / 1000000))
}

@test "a reader from outside that never ends slows nobody, and the WAL shrinks when it has gone" {
	before=$(fifty)
	mkfifo "$BATS_TEST_TMPDIR/reader"
	sqlite3 -readonly "$STATE/hooks.db" <"$BATS_TEST_TMPDIR/reader" >"$BATS_TEST_TMPDIR/read" 3>&- &
	exec 8>"$BATS_TEST_TMPDIR/reader"
	echo 'BEGIN; SELECT count(*) FROM event;' >&8
	wait_for 5 '[ -s "$BATS_TEST_TMPDIR/read" ]'
	{ printf '{"type":"a.b","data":{"p":"' && head -c 900000 /dev/zero | tr '\0' x && echo '"}}'; } >"$BATS_TEST_TMPDIR/line"
	for n in $(seq 90); do cat "$BATS_TEST_TMPDIR/line"; done >"$MNT/events/emit"
	[ "$(stat -c %s "$STATE/hooks.db-wal")" -gt $((64 * 1024 * 1024)) ]
	took=$(fifty)
	echo "# 50 events in $took ms, before that in $before ms" >&3
	[ "$took" -lt $((10 * before + 1000)) ]
	exec 8>&-
	wait_for 10 'emit "{\"type\":\"a.b\"}" >/dev/null; [ "$(stat -c %s "$STATE/hooks.db-wal")" -lt $((16 * 1024 * 1024)) ]'
}

@test "A27: an open listing and a slow reader do not make the WAL grow" {
	for n in $(seq 2000); do echo '{"type":"a.b"}'; done >"$MNT/events/emit"
	exec 8<"$MNT/events" 9<"$MNT/events/by-type/a.b" # directories, held open
	mkfifo "$BATS_TEST_TMPDIR/hold"
	ls -U "$MNT/events" >"$BATS_TEST_TMPDIR/hold" 3>&- & # blocked in its output
	pad=$(head -c 4000 /dev/zero | tr '\0' x)
	for n in $(seq 100); do echo "{\"type\":\"a.b\",\"data\":{\"p\":\"$pad\"}}"; done >"$BATS_TEST_TMPDIR/lines"
	for n in $(seq 200); do cat "$BATS_TEST_TMPDIR/lines"; done >"$MNT/events/emit"
	[ "$(stat -c %s "$STATE/hooks.db-wal")" -lt $((64 * 1024 * 1024)) ]
	exec 8<&- 9<&-
	cat "$BATS_TEST_TMPDIR/hold" >/dev/null
	settled
	[ "$(stat -c %s "$STATE/hooks.db-wal")" -lt $((64 * 1024 * 1024)) ]
}
