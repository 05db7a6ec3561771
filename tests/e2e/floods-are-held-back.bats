#!/usr/bin/env bats
# Flood control as a user meets it: each rule by field and by file, with its reason in `why`, across a restart
# and a SIGKILL (A21).

load functions
setup() { start_fsd; }
teardown() { cleanup; }

# wait_final ID...: until these events are final.
wait_final() {
	local id
	for id; do
		timeout 60 cat "$MNT/events/$id/wait" >/dev/null
	done
}

# fates HOOK ID...: what became of the hook for each, on one line.
fates() {
	local hook=$1 id all=()
	shift
	for id; do
		all+=("$(hook_status "$id" "$hook")")
	done
	echo "${all[*]}"
}

# why ID: why the event's only hook ran or not.
why() { cat "$MNT/events/$1/why"; }

# refused FILE TEXT: writing the text gives EINVAL.
refused() {
	local out
	out=$({ echo "$2" >"$MNT/ctl/hooks/$1"; } 2>&1) && return 1
	[[ $out == *"Invalid argument"* ]]
}

# most_in SECONDS FILE: the largest number of the times in a file, in ns, that lie within any so long span.
most_in() {
	sort -n "$2" | awk -v span="$1" '{ t[NR] = $1 / 1e9; while (t[NR] - t[first + 1] >= span) first++; if (NR - first > most) most = NR - first } END { print most + 0 }'
}

@test "once_within runs for the first of a span, for each value of group_by" {
	add_hook a <<<'return { event_type = "n.x", once_within = "1h", group_by = "host", execute = function() return true end }'
	one=$(emit '{"type":"n.x","data":{"host":"w1"}}')
	two=$(emit '{"type":"n.x","data":{"host":"w1"}}')
	other=$(emit '{"type":"n.x","data":{"host":"w2"}}')
	wait_final "$one" "$two" "$other"
	[ "$(fates a "$one" "$two" "$other")" = "success throttled success" ]
	why "$two" | grep -q "once_within 1h (host = w1): event $one was the first, the next is taken from "
	grep -qx "group w1: once_within until [^ ]* for event $one, 1 not run" "$MNT/ctl/hooks/a/flood"
	grep -qE '^throttled +1$' "$MNT/ctl/hooks/a/counts"
	# the file goes before the script; off takes the rule away, an empty line returns to the script's
	[ "$(cat "$MNT/ctl/hooks/a/once_within")" = 1h ]
	echo off >"$MNT/ctl/hooks/a/group_by"
	echo off >"$MNT/ctl/hooks/a/once_within"
	three=$(emit '{"type":"n.x","data":{"host":"w1"}}')
	wait_final "$three"
	[ "$(fates a "$three")" = success ]
	echo >"$MNT/ctl/hooks/a/once_within"
	[ "$(cat "$MNT/ctl/hooks/a/once_within")" = 1h ]
	[ "$(cat "$MNT/ctl/hooks/a/overrides")" = "group_by = off" ]
}

@test "once_after runs for the last, which knows for how many" {
	add_hook a <<<'return { event_type = "n.x", once_after = "300ms", execute = function(event) return true, event.count end }'
	ids=()
	for _ in 1 2 3; do ids+=("$(emit '{"type":"n.x"}')"); done
	wait_final "${ids[@]}"
	[ "$(fates a "${ids[@]}")" = "throttled throttled success" ]
	[ "$(cat "$MNT/events/${ids[2]}/hooks/a/output")" = 3 ]
	why "${ids[0]}" | grep -q "once_after 300ms: event ${ids[1]} came after it"
	why "${ids[2]}" | grep -q "the last of 3 events"
}

@test "accumulate_within runs for each that makes the number full" {
	add_hook a <<<'return { event_type = "n.x", execute = function(event) return true, event.count end }'
	echo 3/1h >"$MNT/ctl/hooks/a/accumulate_within"
	ids=()
	for _ in 1 2 3 4 5 6 7; do ids+=("$(emit '{"type":"n.x"}')"); done
	wait_final "${ids[@]}"
	[ "$(fates a "${ids[@]}")" = "throttled throttled success throttled throttled success throttled" ]
	[ "$(cat "$MNT/events/${ids[5]}/hooks/a/output")" = 3 ]
	why "${ids[6]}" | grep -q "accumulate_within 3/h: 1 of 3"
	grep -qx "group (all): accumulate_within 1 of 3" "$MNT/ctl/hooks/a/flood"
}

@test "rate lets all run, never more than so many in any span" {
	add_hook a <<<"return { event_type = 'n.x', rate = '5/s', execute = function() file.append('$BATS_TEST_TMPDIR/times', time.unix_nano() .. '\n') return true end }"
	seq 22 | sed 's/.*/{"type":"n.x"}/' >"$MNT/events/emit"
	wait_for 10 '[ "$(cat "$MNT/ctl/hooks/a/runs")" = 22 ]'
	[ "$(most_in 1 "$BATS_TEST_TMPDIR/times")" -le 6 ] # a slot is a start; the clock is read a little later
	grep -qE '^held +[1-9]' "$MNT/ctl/hooks/a/counts"
}

@test "rate_drop lets so many run and drops the others" {
	add_hook a <<<'return { event_type = "n.x", rate_drop = {2, "1h"}, execute = function() return true end }'
	ids=()
	for _ in 1 2 3 4; do ids+=("$(emit '{"type":"n.x"}')"); done
	wait_final "${ids[@]}"
	[ "$(fates a "${ids[@]}")" = "success success throttled throttled" ]
	why "${ids[3]}" | grep -q "rate_drop 2/h: reached, the next is taken from "
}

@test "dedup takes events of the same content, or of the same value, as one" {
	add_hook a <<<'return { event_type = "n.x", dedup = "1h", execute = function() return true end }'
	one=$(emit '{"type":"n.x","data":{"host":"w1","n":1}}')
	two=$(emit '{"type":"n.x","data":{"host":"w1","n":1}}')
	other=$(emit '{"type":"n.x","data":{"host":"w1","n":2}}')
	wait_final "$one" "$two" "$other"
	[ "$(fates a "$one" "$two" "$other")" = "success throttled success" ]
	why "$two" | grep -q "dedup 1h: the same as event $one, until "
	echo "1h by host" >"$MNT/ctl/hooks/a/dedup"
	one=$(emit '{"type":"n.x","data":{"host":"w1","n":3}}')
	two=$(emit '{"type":"n.x","data":{"host":"w1","n":4}}')
	wait_final "$one" "$two"
	[ "$(fates a "$one" "$two")" = "success throttled" ]
}

@test "sequence runs for the second after the first, of the same value" {
	add_hook a <<<'return { sequence = {"n.fail", "n.up", within = "1h", by = "host"}, execute = function() return true end }'
	lone=$(emit '{"type":"n.up","data":{"host":"w1"}}')
	first=$(emit '{"type":"n.fail","data":{"host":"w1"}}')
	wait_final "$first"
	other=$(emit '{"type":"n.up","data":{"host":"w2"}}')
	second=$(emit '{"type":"n.up","data":{"host":"w1"}}')
	wait_final "$lone" "$other" "$second"
	[ "$(fates a "$lone" "$first" "$other" "$second")" = "filtered filtered filtered success" ]
	why "$first" | grep -q "waits for n.up until "
	why "$second" | grep -q "after event $first"
}

@test "absent runs for the first when the second does not come" {
	add_hook a <<<'return { absent = {"n.start", "n.done", within = "1s", by = "job"}, execute = function() return true end }'
	lost=$(emit '{"type":"n.start","data":{"job":1}}')
	good=$(emit '{"type":"n.start","data":{"job":2}}')
	wait_for 5 'grep -q held "$MNT/events/$good/hooks/a/status"'
	done=$(emit '{"type":"n.done","data":{"job":2}}')
	wait_final "$lost" "$good" "$done"
	[ "$(fates a "$lost" "$good" "$done")" = "success filtered filtered" ]
	why "$lost" | grep -q "n.done did not come"
	why "$good" | grep -q "event $done came after it"
}

@test "replay off skips replays" {
	add_hook a <<<'return { event_type = "n.x", replay = "off", execute = function() return true end }'
	add_hook b <<<'return { event_type = "n.x", execute = function() return true end }'
	id=$(emit '{"type":"n.x"}')
	wait_final "$id"
	echo 1 >"$MNT/events/$id/replay"
	wait_for 5 '[ "$(cat "$MNT/ctl/hooks/b/runs")" = 2 ]'
	wait_for 5 'grep -qE "^skipped +1$" "$MNT/ctl/hooks/a/counts"'
	[ "$(cat "$MNT/ctl/hooks/a/runs")" = 1 ]
}

@test "what a rule may not be is said in a sentence" {
	add_hook a <<<'return { event_type = "n.x", rate = "10/s", execute = function() return true end }'
	refused a/once_within soon
	refused a/rate "0/s"
	refused a/rate_drop 5/s
	refused a/group_by "a..b"
	refused a/match "host like web"
	[ "$(cat "$MNT/ctl/hooks/a/overrides")" = "" ]
	grep -q "rate and rate_drop do not go together" "$MNT/errors"
	cat >"$MNT/hooks/b.lua" <<<'return { event_type = "n.x", at_most_once = true, retries = 3, execute = function() return true end }'
	wait_for 5 'grep -q "^broken: hooks/b.lua: at_most_once and retries do not go together" "$MNT/ctl/hooks/b/status"'
	cat >"$MNT/hooks/b.lua" <<<'return { event_type = "n.x", rate = {10, "1s", brust = 2}, execute = function() return true end }'
	wait_for 5 "grep -q \"no part 'brust'\" '$MNT/ctl/hooks/b/status'"
	cat >"$MNT/hooks/a.lua" <<<'return { event_type = "n.x", once_witin = "5m", execute = function() return true end }'
	wait_for 5 "grep -q \"^broken: .*'once_witin'; did you mean 'once_within'? (version 1 still\" $MNT/ctl/hooks/a/status"
	[ "$(cat "$MNT/ctl/hooks/a/rate")" = 10/s ]
}

@test "A21: what was counted and what is held survive a restart" {
	add_hook first <<<'return { event_type = "n.first", once_within = "1h", execute = function() return true end }'
	add_hook last <<<'return { event_type = "n.last", once_after = "2s", execute = function(event) return true, event.count end }'
	add_hook count <<<'return { event_type = "n.count", accumulate_within = "2/1h", execute = function() return true end }'
	add_hook dup <<<'return { event_type = "n.dup", dedup = "1h", execute = function() return true end }'
	add_hook rate <<<'return { event_type = "n.rate", rate = "1/3s", execute = function() return true end }'
	one=$(emit '{"type":"n.first"}')
	wait_final "$one" "$(emit '{"type":"n.count"}')" "$(emit '{"type":"n.dup"}')" "$(emit '{"type":"n.rate"}')"
	held=$(emit '{"type":"n.rate"}')
	old=$(emit '{"type":"n.last"}')
	new=$(emit '{"type":"n.last"}')
	wait_for 5 'grep -q held "$MNT/events/$new/hooks/last/status" && grep -q held "$MNT/events/$held/hooks/rate/status"'
	stop_fsd
	start_fsd
	ids=("$(emit '{"type":"n.first"}')" "$(emit '{"type":"n.count"}')" "$(emit '{"type":"n.dup"}')")
	wait_final "${ids[@]}" "$old" "$new" "$held"
	[ "$(fates first "${ids[0]}")" = throttled ]
	why "${ids[0]}" | grep -q "event $one was the first"
	[ "$(fates count "${ids[1]}")" = success ]
	[ "$(fates dup "${ids[2]}")" = throttled ]
	[ "$(fates last "$old" "$new")" = "throttled success" ]
	[ "$(cat "$MNT/events/$new/hooks/last/output")" = 2 ]
	[ "$(fates rate "$held")" = success ]
}

@test "A21: after SIGKILL no span of a rate holds more than one run too many, and none is lost" {
	add_hook a <<<"return { event_type = 'n.x', rate = '5/2s', execute = function() file.append('$BATS_TEST_TMPDIR/times', time.unix_nano() .. '\n') return true end }"
	seq 20 | sed 's/.*/{"type":"n.x"}/' >"$MNT/events/emit"
	for runs in 3 8 13; do
		wait_for 20 '[ "$(wc -l <"$BATS_TEST_TMPDIR/times" 2>/dev/null || echo 0)" -ge $runs ]'
		kill_fsd
		start_fsd
	done
	wait_for 30 '[ "$(cat "$MNT/events/queue/depth")" = 0 ] && [ "$(wc -l <"$BATS_TEST_TMPDIR/times")" -ge 20 ]'
	[ "$(most_in 2 "$BATS_TEST_TMPDIR/times")" -le 6 ]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/times")" -le 23 ]
}

@test "A21: after SIGKILL once_within has run once more at most, once_after for the last" {
	add_hook first <<<"return { event_type = 'n.x', once_within = '1h', execute = function(event) file.append('$BATS_TEST_TMPDIR/first', event.id .. '\n') sleep('400ms') return true end }"
	add_hook last <<<"return { event_type = 'n.x', once_after = '2s', execute = function(event) file.append('$BATS_TEST_TMPDIR/last', event.id .. '\n') return true end }"
	ids=()
	for _ in 1 2 3; do ids+=("$(emit '{"type":"n.x"}')"); done
	wait_for 5 '[ -s "$BATS_TEST_TMPDIR/first" ] && grep -q held "$MNT/events/${ids[2]}/hooks/last/status"'
	kill_fsd
	start_fsd
	wait_final "${ids[@]}"
	[ "$(sort -u "$BATS_TEST_TMPDIR/first")" = "${ids[0]}" ]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/first")" -le 2 ]
	[ "$(cat "$BATS_TEST_TMPDIR/last")" = "${ids[2]}" ]
}

@test "what a hook holds ends when the hook is removed" {
	add_hook slow <<<'return { event_type = "a.b", rate = "1/h", execute = function() return true end }'
	loadgen --mount "$MNT" --mode bulk --batch 500 --count 1000 --type a.b >/dev/null
	wait_for 10 '[ "$(cat "$MNT/events/queue/held")" = 999 ]'
	rm "$MNT/hooks/slow.lua"
	wait_for 10 '[ "$(cat "$MNT/events/queue/held")" = 0 ]'
	wait_for 10 "[ \"\$(sqlite3 -readonly \"$STATE/hooks.db\" \"SELECT count(*) FROM event_hook_executions WHERE status = 'removed'\")\" = 999 ]"
}

@test "flood tells how many events wait for their turn, after a crash too" {
	add_hook a <<<'return { event_type = "a.b", rate = "1/h", group_by = "w", execute = function() return true end }'
	for w in w1 w1 w1 w2 w2; do emit "{\"type\":\"a.b\",\"data\":{\"w\":\"$w\"}}"; done
	wait_for 5 'grep -qx "waiting: 3 events" "$MNT/ctl/hooks/a/flood"'
	grep -q '^group w1: rate 1 of 1, the next ' "$MNT/ctl/hooks/a/flood"
	kill_fsd
	start_fsd
	wait_for 5 'grep -qx "waiting: 3 events" "$MNT/ctl/hooks/a/flood"'
	rm "$MNT/hooks/a.lua"
	wait_for 5 '[ "$(ls "$MNT/events/by-status/processing" | wc -l)" = 0 ]'
	add_hook a <<<'return { event_type = "a.b", rate = "1/100ms", execute = function() return true end }'
	seq 5 | sed 's/.*/{"type":"a.b"}/' >"$MNT/events/emit"
	wait_for 5 '[ "$(cat "$MNT/ctl/hooks/a/runs")" = 7 ] && ! grep -q waiting "$MNT/ctl/hooks/a/flood"'
}
