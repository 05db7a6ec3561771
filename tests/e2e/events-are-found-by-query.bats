#!/usr/bin/env bats
# events/query: words in, stored events out, page by page, and the last line says how to go on.

load functions
setup() { start_fsd; }
teardown() { cleanup; }

# query LINE [FILE]: the answer's lines.
query() {
	local fd
	exec {fd}<>"${2:-$MNT/events/query}"
	printf '%s\n' "$1" >&"$fd" || { exec {fd}>&-; return 1; }
	timeout 100 cat <&"$fd"
	exec {fd}>&-
}

ids() { query "$@" | jq -r 'select(.id) | .id'; }

@test "by type, status, stack, words of the data and time" {
	mkdir "$MNT/stacks/prod"
	add_hook picky <<<'return { event_type = "deploy.*", execute = function(event) if event.data.bad then error("no") end return true end }'
	emit '{"type":"deploy.done","id":"one","data":{"note":"first of them"}}'
	emit '{"type":"deploy.done","id":"two","data":{"bad":true}}'
	emit '{"type":"deploy.begun","id":"three","stack":"prod","severity":"error","source":"the cron job"}'
	emit '{"type":"task.failed","id":"four","data":{"note":"second of them"}}'
	timeout 100 cat "$MNT"/events/{one,two,three,four}/wait >/dev/null
	[ "$(ids 'type=deploy.*' | xargs)" = "three two one" ]
	[ "$(ids 'type=deploy.* status=failed' | xargs)" = two ]
	[ "$(ids stack=prod | xargs)" = three ]
	[ "$(ids '' "$MNT/stacks/prod/events/query" | xargs)" = three ]
	[ "$(ids 'text="second of"' | xargs)" = four ]
	[ "$(ids 'text=of type=deploy.done' | xargs)" = one ]
	[ "$(ids 'source="the cron job" severity=error' | xargs)" = three ]
	[ "$(ids 'since=1h type=task.*' | xargs)" = four ]
	[ "$(ids 'since=2000-01-01T00:00:00Z until=1h' | xargs)" = "" ]
	middle=$(jq -r .created_at "$MNT/events/two/event.json")
	[ "$(ids "type=deploy.* until=$middle" | xargs)" = one ]
	[ "$(ids "type=deploy.* since=$middle" | xargs)" = "three two" ]
	query 'type=deploy.*' | jq -es 'length == 4 and .[3] == {"count":3,"next":null} and .[0].data == {}'
}

@test "what a limit cuts off is said, and the words to go on lead through all of it" {
	seq 250 | sed 's/.*/{"type":"n.x","id":"n-&","data":{"n":&}}/' >"$MNT/events/emit"
	line='type=n.* limit=100' pages=0
	while [ "$line" != null ]; do
		query "$line" >"$BATS_TEST_TMPDIR/page"
		jq -r 'select(.id) | .id' "$BATS_TEST_TMPDIR/page" >>"$BATS_TEST_TMPDIR/ids"
		line=$(tail -n1 "$BATS_TEST_TMPDIR/page" | jq -r .next)
		pages=$((pages + 1))
	done
	[ "$pages" = 3 ]
	diff "$BATS_TEST_TMPDIR/ids" <(seq 250 -1 1 | sed 's/^/n-/')
	query 'type=n.* limit=all after=n-100 before=n-200' | tail -n1 | jq -e '.count == 99 and .next == null'
	# read only: the newest, and how to go on
	timeout 100 cat "$MNT/events/query" | tail -n1 | jq -e '.count == 100 and (.next | test("^before="))'
}

@test "an answer of many megabytes arrives whole and does not bloat the master" {
	data=$(head -c 60000 /dev/zero | tr '\0' x)
	for i in $(seq 30); do for j in $(seq 10); do printf '{"type":"big.x","data":{"i":%d,"x":"%s"}}\n' $((i * 10 + j)) "$data"; done >"$MNT/events/emit"; done
	wait_for 20 '[ "$(cat "$MNT/events/queue/depth")" = 0 ]'
	before=$(awk '/VmRSS/ { print $2 }' "/proc/$FSD_PID/status")
	exec 5<>"$MNT/events/query"
	echo "type=big.* limit=all" >&5
	head -c 100 <&5 >/dev/null
	after=$(awk '/VmRSS/ { print $2 }' "/proc/$FSD_PID/status") # a reader that does not go on costs a slice
	[ $((after - before)) -lt 12000 ] || { echo "$before KB, then $after KB"; return 1; }
	exec 5>&-
	query "type=big.* limit=all" | tail -n1 | jq -e '.count == 300 and .next == null'
}

@test "by hook: its results, by their own status, also after its removal and a restart" {
	add_hook odd <<<'return { event_type = "n.*", execute = function(event) return event.data.n % 2 == 1, "n is " .. event.data.n end }'
	add_hook even <<<'return { event_type = "n.x", execute = function() return true end }'
	for n in 1 2 3 4; do emit "{\"type\":\"n.x\",\"id\":\"n-$n\",\"data\":{\"n\":$n}}"; done
	timeout 100 cat "$MNT"/events/n-{1,2,3,4}/wait >/dev/null
	[ "$(ids 'hook=odd status=failed' | xargs)" = "n-4 n-2" ]
	[ "$(ids 'hook=odd status=success limit=1' | xargs)" = "n-3" ]
	[ "$(ids 'hook=even status=failed' | xargs)" = "" ]
	query hook=odd | head -n1 >"$BATS_TEST_TMPDIR/line"; jq -e "[.hooks[] | .hook, .status, .error] == [\"odd\", \"failed\", \"n is 4\"]" "$BATS_TEST_TMPDIR/line" || { cat "$BATS_TEST_TMPDIR/line"; return 1; }
	rm "$MNT/hooks/odd.lua"
	stop_fsd
	start_fsd
	[ "$(ids 'hook=odd status=failed' | xargs)" = "n-4 n-2" ]
}

@test "what is not final is found by the status it has now" {
	add_hook slow <<<'return { event_type = "a.b", concurrency = 1, execute = function() while not file.exists("'"$BATS_TEST_TMPDIR"'/go") do sleep("10ms") end return true end }'
	id=$(emit '{"type":"a.b"}')
	wait_for 5 '[ "$(cat "$MNT/events/$id/status")" = processing ]'
	[ "$(ids 'status=processing' | xargs)" = "$id" ]
	query status=processing | head -n1 | jq -e '.status == "processing"'
	[ "$(ids 'status=pending type=a.*' | xargs)" = "" ]
	touch "$BATS_TEST_TMPDIR/go"
	timeout 100 cat "$MNT/events/$id/wait"
	[ "$(ids 'status=processing' | xargs)" = "" ]
}

@test "a line that says nothing sensible is refused with the words there are" {
	query 'colour=red' || true
	wait_for 5 'tail -n1 "$MNT/errors" | jq -e ".reason | test(\"cannot be asked for; use type, stack\")" >/dev/null'
	for line in 'colour=red' 'type' 'limit=0' 'since=soon' 'status=odd' 'hook=nobody' 'before=nothing' 'dry=1'; do
		! query "$line" 2>/dev/null || { echo "taken: $line"; return 1; }
	done
}
