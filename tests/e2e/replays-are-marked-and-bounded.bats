#!/usr/bin/env bats
# events/<id>/replay and events/replay: copies that say what they are, for one hook or all, or only in words.

load functions
setup() { start_fsd; }
teardown() { cleanup; }

OK='execute = function() return true end }'

# ask FILE LINE: write the line, read the answer.
ask() {
	local fd
	exec {fd}<>"$1"
	printf '%s\n' "$2" >&"$fd" || { exec {fd}>&-; return 1; }
	timeout 100 cat <&"$fd"
	exec {fd}>&-
}

final() { timeout 100 cat "$MNT/events/$1/wait"; }

@test "A29: a replay is a new event that names what it replays, and its cause" {
	add_hook a <<<"return { event_type = 'a.b', $OK"
	id=$(emit '{"type":"a.b","data":{"x":1},"severity":"info"}')
	final "$id"
	copy=$(ask "$MNT/events/$id/replay" 1)
	[ "$copy" != "$id" ]
	[ "$(final "$copy")" = completed ]
	[ "$(readlink "$MNT/events/$copy/cause")" = "../$id" ]
	[ "$(ls "$MNT/events/$id/effects")" = "$copy" ]
	original_seq=$(jq .seq "$MNT/events/$id/event.json")
	jq -e --argjson seq "$original_seq" '.replay_of_seq == $seq and .cause_seq == $seq and .data == {"x":1} and .severity == "info"' "$MNT/events/$copy/event.json"
	[ "$(cat "$MNT/events/$copy/hooks/a/status")" = success ]
}

@test "A29: a hook with replay off skips a replay, and says why" {
	add_hook a <<<"return { event_type = 'a.b', $OK"
	add_hook off <<<"return { event_type = 'a.b', replay = 'off', $OK"
	id=$(emit '{"type":"a.b"}')
	final "$id"
	[ "$(cat "$MNT/events/$id/hooks/off/status")" = success ]
	copy=$(ask "$MNT/events/$id/replay" 1)
	[ "$(final "$copy")" = completed ]
	[ "$(cat "$MNT/events/$copy/hooks/off/status")" = skipped ]
	[ "$(cat "$MNT/events/$copy/hooks/a/status")" = success ]
	grep -q '^off  *skipped  *.*replay' "$MNT/events/$copy/why"
}

@test "A30: dry=1 tells what would run and does nothing" {
	mkdir "$MNT/stacks/prod"
	add_hook a <<<"return { event_type = 'a.b', $OK"
	add_hook b <<<"return { event_type = 'c.d', $OK"
	id=$(emit '{"type":"a.b"}')
	final "$id"
	count=$(ls "$MNT/events" | wc -l)
	ask "$MNT/events/$id/replay" dry=1 >"$BATS_TEST_TMPDIR/dry"
	grep -q '^a  *run  *(version 1)$' "$BATS_TEST_TMPDIR/dry"
	grep -q '^b  *other-type  *hears c.d (version 1)$' "$BATS_TEST_TMPDIR/dry"
	[ "$(ask "$MNT/events/$id/replay" 'hook=a dry=1' | wc -l)" = 1 ]
	echo 0 >"$MNT/ctl/hooks/a/enabled" # as it would be now, not as it was
	ask "$MNT/events/$id/replay" 'dry=1 hook=a' | grep -q '^a  *disabled'
	[ "$(ask "$MNT/events/$id/replay" 'hook=nobody dry=1')" = "no hook would run" ]
	[ "$(ls "$MNT/events" | wc -l)" = "$count" ]
	add_hook off <<<"return { event_type = 'a.b', replay = 'off', $OK"
	ask "$MNT/events/$id/replay" dry=1 | grep -q '^off  *skipped  *.*replay'
	ask "$MNT/events/replay" 'type=a.b dry=1' | head -n1 | jq -e '.hooks == [{"hook":"off","decision":"skipped","why":.hooks[0].why}] and (.hooks[0].why | test("replay"))'
	for verb in 'dry=2' 'a' 'hook=' 'hook=a hook=b'; do
		! ask "$MNT/events/$id/replay" "$verb" 2>/dev/null || { echo "taken: $verb"; return 1; }
	done
}

@test "A29: many at once, by type, status and time, oldest first, each marked" {
	add_hook a <<<'return { event_type = "n.*", execute = function(event) return event.data.n > 2 end }'
	add_hook b <<<"return { event_type = 'n.*', $OK"
	for n in 1 2 3 4; do emit "{\"type\":\"n.x\",\"id\":\"n-$n\",\"data\":{\"n\":$n}}"; done
	emit '{"type":"other","id":"other"}'
	timeout 100 cat "$MNT"/events/n-{1,2,3,4}/wait "$MNT/events/other/wait" >/dev/null
	ask "$MNT/events/replay" 'type=n.* status=failed hook=b since=1h' >"$BATS_TEST_TMPDIR/out"
	[ "$(jq -r 'select(.id) | .replay_of' "$BATS_TEST_TMPDIR/out" | xargs)" = "n-1 n-2" ]
	tail -n1 "$BATS_TEST_TMPDIR/out" | jq -e '.count == 2 and .skipped == 0 and .next == null'
	for copy in $(jq -r 'select(.id) | .id' "$BATS_TEST_TMPDIR/out"); do
		[ "$(final "$copy")" = completed ]
		[ "$(ls "$MNT/events/$copy/hooks")" = b ]
	done
	# replays are not replayed again, so the same line does the same
	ask "$MNT/events/replay" 'type=n.* hook=b' | tail -n1 | jq -e '.count == 4 and .skipped == 2'
	# from a limit on
	ask "$MNT/events/replay" 'type=n.* hook=b limit=3' >"$BATS_TEST_TMPDIR/out"
	next=$(tail -n1 "$BATS_TEST_TMPDIR/out" | jq -r .next)
	[ "$next" = "type=n.* hook=b limit=3 after=n-3" ]
	ask "$MNT/events/replay" "$next" | head -n1 | jq -e '.replay_of == "n-4"'
}

@test "many, dry: the hooks that would run for each, and nothing is done" {
	add_hook a <<<"return { event_type = 'n.x', $OK"
	add_hook b <<<"return { event_type = 'n.*', $OK"
	emit '{"type":"n.x","id":"x"}'
	emit '{"type":"n.y","id":"y"}'
	timeout 100 cat "$MNT"/events/{x,y}/wait >/dev/null
	count=$(ls "$MNT/events" | wc -l)
	ask "$MNT/events/replay" 'type=n.* dry=1' >"$BATS_TEST_TMPDIR/out"
	[ "$(jq -c 'select(.hooks) | [.replay_of, ([.hooks[].hook] | sort)]' "$BATS_TEST_TMPDIR/out" | xargs)" = "[x,[a,b]] [y,[b]]" ]
	jq -es '[.[] | select(.hooks) | .hooks[].decision] == ["run", "run", "run"]' "$BATS_TEST_TMPDIR/out"
	[ "$(ls "$MNT/events" | wc -l)" = "$count" ]
}

@test "thousands: a writer who reads nothing waits for all; one who closes ends it" {
	seq 3000 | sed 's/.*/{"type":"n.x","data":{"n":&}}/' >"$MNT/events/emit"
	wait_for 20 '[ "$(cat "$MNT/events/queue/depth")" = 0 ]'
	accepted() { awk '$1 == "sloth_events_accepted_total" { print $2 }' "$MNT/metrics"; }
	before=$(accepted)
	echo 'type=n.x' >"$MNT/events/replay"
	[ $(($(accepted) - before)) = 3000 ]
	before=$(accepted)
	exec 5<>"$MNT/events/replay"
	echo 'type=n.x' >&5
	head -n1 <&5 | jq -e .id
	exec 5>&- # 3,000 lines do not fit in what a reader may leave behind
	first=$(accepted)
	emit '{"type":"last"}'
	[ $(($(accepted) - before)) -lt 2000 ] || { echo "$before, $first, $(accepted)"; return 1; }
}

@test "what cannot be replayed is refused with the reason, and not one copy is made" {
	id=$(emit '{"type":"a.b"}')
	final "$id"
	count=$(ls "$MNT/events" | wc -l)
	for line in '' 'limit=3' 'status=pending' 'hook=nobody type=*' 'type=a.b before=x' 'after=nothing' 'type=a.b dry=yes'; do
		! ask "$MNT/events/replay" "$line" 2>/dev/null || { echo "taken: $line"; return 1; }
	done
	[ "$(ls "$MNT/events" | wc -l)" = "$count" ]
}
