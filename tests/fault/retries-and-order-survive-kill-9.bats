#!/usr/bin/env bats
# retries, order_by and at_most_once, while the master is killed.

load ../e2e/functions
setup() { start_fsd; }
teardown() { cleanup; }

status_of() { cat "$MNT/events/$1/hooks/$2/status" 2>/dev/null; }

@test "a retry keeps its number and its time over SIGKILL" {
	add_hook again <<-EOF
		return { event_type = "r.x", retries = "3 backoff 1s", execute = function(event)
			file.append("$BATS_TEST_TMPDIR/runs", event.attempt .. "\n")
			error("attempt " .. event.attempt)
		end }
	EOF
	id=$(emit '{"type":"r.x"}')
	wait_for 10 '[ "$(status_of "$id" again)" = held ]'
	[ "$(cat "$MNT/events/$id/status")" = processing ]
	grep -q "attempt [1-3]" "$MNT/events/$id/hooks/again/error"
	grep -q "attempt [2-4] of 4 in" "$MNT/events/$id/why"
	kill_fsd
	start_fsd
	timeout 60 cat "$MNT/events/$id/wait"
	[ "$(cat "$MNT/events/$id/status")" = failed ]
	[ "$(cat "$MNT/events/$id/hooks/again/attempts")" -ge 4 ]
	# an attempt that the kill met may be counted and not seen; none is run twice
	[ "$(sort -n "$BATS_TEST_TMPDIR/runs" | uniq -d)" = "" ]
	[ "$(tail -1 "$BATS_TEST_TMPDIR/runs")" = 4 ]
}

@test "events of one key run one after the other, over SIGKILL too" {
	add_hook order <<-EOF
		return { event_type = "o.x", order_by = "key", retries = "2 backoff 10ms", concurrency = 20,
			execute = function(event)
				sleep(0.02)
				file.append("$BATS_TEST_TMPDIR/" .. event.data.key, event.data.n .. "\n")
				if event.attempt == 1 and event.data.n % 5 == 0 then error("again") end
				return true
			end }
	EOF
	for n in $(seq 40); do
		for key in a b c; do echo "{\"type\":\"o.x\",\"data\":{\"key\":\"$key\",\"n\":$n}}"; done
	done >"$MNT/events/emit"
	wait_for 10 '[ "$(wc -l <"$BATS_TEST_TMPDIR/a")" -ge 5 ]'
	kill_fsd
	start_fsd
	wait_for 20 '[ "$(cat "$MNT/events/queue/depth")$(cat "$MNT/events/queue/held")" = 00 ]'
	for key in a b c; do
		sort -n -C "$BATS_TEST_TMPDIR/$key"
		[ "$(uniq "$BATS_TEST_TMPDIR/$key" | wc -l)" = 40 ]
	done
}

@test "what runs at most once is interrupted by SIGKILL, and what had not begun runs" {
	add_hook once <<-EOF
		return { event_type = "m.x", at_most_once = true, concurrency = 2, execute = function(event)
			file.append("$BATS_TEST_TMPDIR/once", event.id .. "\n")
			if event.data.slow then sleep(60) end
			return true
		end }
	EOF
	for slow in true true false false; do echo "{\"type\":\"m.x\",\"data\":{\"slow\":$slow}}"; done >"$MNT/events/emit"
	wait_for 10 '[ -e "$BATS_TEST_TMPDIR/once" ] && [ "$(wc -l <"$BATS_TEST_TMPDIR/once")" = 2 ]'
	kill_fsd
	start_fsd
	wait_for 20 '[ "$(cat "$MNT/events/queue/depth")" = 0 ]'
	[ "$(sort "$BATS_TEST_TMPDIR/once" | uniq -d)" = "" ]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/once")" = 4 ]
	[ "$(sqlite3 -readonly "$STATE/hooks.db" "SELECT group_concat(n || status) FROM
		(SELECT count(*) AS n, status FROM event_hook_executions GROUP BY status ORDER BY status)")" = "2interrupted,2success" ]
}
