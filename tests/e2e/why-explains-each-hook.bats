#!/usr/bin/env bats
# events/<id>/why: a line for every hook, with what became of it.

load functions
load pages
setup() { start_fsd; }
teardown() { cleanup; }

OK='execute = function() return true end }'

# says ID HOOK WORD [PATTERN]: the hook's line has that word, and its sentence matches.
says() {
	local line
	line=$(grep "^$2 " "$MNT/events/$1/why") || { echo "no line of $2:"; cat "$MNT/events/$1/why"; return 1; }
	[ "$(awk '{ print $2 }' <<<"$line")" = "$3" ] && grep -qE -- "${4:-}" <<<"$line" || { echo "$line"; return 1; }
}

final() { timeout 100 cat "$MNT/events/$1/wait"; }

@test "A30: each hook's decision is a line: what ran and how, what did not and why" {
	mkdir "$MNT/stacks/prod"
	add_hook good <<<"return { event_type = 'a.b', $OK"
	add_hook bad <<<'return { event_type = "a.*", execute = function() error("no disk\nleft") end }'
	add_hook other <<<"return { event_type = { 'c.d', 'e.*' }, $OK"
	add_hook off <<<"return { event_type = 'a.b', $OK"
	echo 0 >"$MNT/ctl/hooks/off/enabled"
	echo "function on_event() return true end" >"$MNT/hooks/mute.lua"
	echo "return {" >"$MNT/hooks/broken.lua"
	echo "return { event_type = 'a.b', $OK" >"$MNT/stacks/prod/hooks/walled.lua"
	wait_for 5 'grep -q "^no event" "$MNT/ctl/hooks/mute/status" && grep -q "^broken" "$MNT/ctl/hooks/broken/status"'
	wait_for 5 'grep -qx ok "$MNT/stacks/prod/ctl/hooks/walled/status"'
	id=$(emit '{"type":"a.b"}')
	[ "$(final "$id")" = failed ]
	add_hook late <<<"return { event_type = 'a.b', $OK"
	[ "$(head -n1 "$MNT/events/$id/why" | cut -c1-40 | tr -s ' ')" = "event failed ${id:0:7}" ]
	grep -q "^event .* $id, type a.b$" "$MNT/events/$id/why"
	says "$id" good success '[0-9]\.[0-9]{3}ms, attempt 1, version 1$'
	says "$id" bad failed 'attempt 1, version 1: .*no disk$'
	says "$id" other other-type 'hears c\.d, e\.\* \(version 1\)'
	says "$id" off disabled 'is disabled \(version 2\)'
	says "$id" mute no-event 'names no event'
	says "$id" broken broken 'hooks/broken.lua:.*'
	says "$id" walled@prod wall "behind the wall of stack 'prod', the event is the root's"
	says "$id" late not-yet 'came later \(version 1 since 20.*Z\)'
	[ "$(wc -l <"$MNT/events/$id/why")" = 9 ]
}

@test "an old event is explained by the versions of its time, also after a restart and a removal" {
	add_hook a <<<"return { event_type = 'a.b', $OK"
	add_hook gone <<<"return { event_type = 'x.y', $OK"
	id=$(emit '{"type":"a.b"}')
	final "$id"
	final "$(emit '{"type":"x.y"}')" # a removed hook is remembered while it has results
	echo "return { event_type = 'c.d', $OK" >"$MNT/hooks/a.lua"
	wait_for 5 'grep -qx c.d "$MNT/ctl/hooks/a/event"'
	second=$(emit '{"type":"a.b"}')
	final "$second"
	rm "$MNT/hooks/gone.lua"
	wait_for 5 'grep -q "removed since" "$MNT/events/$id/why"'
	third=$(emit '{"type":"a.b"}')
	final "$third"
	for start in first again; do
		says "$id" a success 'version 1'
		says "$id" gone other-type 'hears x.y \(version 1, removed since\)'
		says "$second" a other-type 'hears c.d \(version 2'
		[ "$(grep -c "^gone " "$MNT/events/$third/why")" = 0 ]
		echo "return { event_type = 'a.b', $OK" >"$MNT/hooks/a.lua"
		wait_for 5 'grep -q "(version 2 then, 3 now)" "$MNT/events/$second/why"'
		[ "$start" = again ] && break
		stop_fsd
		start_fsd
	done
}

@test "an unfinished event tells what runs, what waits, and ends as recorded" {
	echo 2 >"$MNT/config/workers"
	add_hook slow <<<'return { event_type = "a.b", execute = function() while not file.exists("'"$BATS_TEST_TMPDIR"'/go") do sleep("10ms") end return true end }'
	echo 1 >"$MNT/ctl/hooks/slow/concurrency"
	first=$(emit '{"type":"a.b"}')
	second=$(emit '{"type":"a.b"}')
	wait_for 5 'says "$first" slow running "since 20.*Z, version 2" >/dev/null'
	says "$second" slow pending 'waits for a worker, version 2'
	grep -q "^event *processing " "$MNT/events/$second/why"
	touch "$BATS_TEST_TMPDIR/go"
	final "$second"
	says "$second" slow success 'version 2'
}

@test "a replay for one hook says so of the others" {
	add_hook a <<<"return { event_type = 'a.b', $OK"
	add_hook b <<<"return { event_type = 'a.b', $OK"
	id=$(emit '{"type":"a.b"}')
	final "$id"
	exec 5<>"$MNT/events/$id/replay"
	echo "hook=a" >&5
	read -r copy <&5
	exec 5>&-
	final "$copy"
	grep -q "^event .* a replay of $id, number 1 in a chain" "$MNT/events/$copy/why"
	says "$copy" a success
	says "$copy" b not-asked "for hook 'a' alone"
}

@test "what a rule held, dropped or passed says so, with its values, while it waits and after" {
	add_hook first <<<"return { event_type = 'a.b', once_within = '1h', $OK"
	add_hook last <<<"return { event_type = 'a.b', once_after = '1h', $OK"
	add_hook small <<<"return { event_type = 'a.b', match = 'n < 2', $OK"
	one=$(emit '{"type":"a.b","data":{"n":1}}')
	two=$(emit '{"type":"a.b","data":{"n":2}}')
	wait_for 5 'says "$one" first success && says "$two" first throttled "1h" >/dev/null'
	wait_for 5 'says "$two" last held "until 20.*Z.*1h" >/dev/null'
	wait_for 5 'says "$one" last throttled >/dev/null'
	wait_for 5 'says "$one" small success >/dev/null && says "$two" small filtered "n" >/dev/null'
	grep -q '^event *processing ' "$MNT/events/$two/why"
	[ "$(awk '$1 == "throttled" { print $2 }' "$MNT/ctl/hooks/first/counts")" = 1 ]
	held=$(awk '$1 == "held" { print $2 }' "$MNT/ctl/hooks/last/counts")
	[ "$held" = 2 ] || { echo "held $held times"; return 1; }
	grep -q '^sloth_hook_decisions_total{hook="small",decision="filtered"} 1$' "$MNT/metrics"
	wait_for 5 'jq -e "select(.status == \"throttled\") | .why | test(\"1h\")" "$MNT/ctl/hooks/first/log" >/dev/null'
	stop_fsd
	start_fsd
	wait_for 5 'says "$two" last held "until 20.*Z.*1h" >/dev/null'
	says "$two" first throttled 1h
}

@test "inside a stack's wall other stacks are not told of" {
	mkdir "$MNT/stacks/one" "$MNT/stacks/two"
	for stack in one two; do
		echo "return { event_type = 'a.b', $OK" >"$MNT/stacks/$stack/hooks/$stack.lua"
		wait_for 5 'grep -qx ok "$MNT/stacks/'$stack'/ctl/hooks/'$stack'/status"'
	done
	id=$(emit '{"type":"a.b","stack":"one"}')
	final "$id"
	says "$id" two@two wall "the event is of stack 'one'"
	grep -q '^one@one  *success' "$MNT/stacks/one/events/$id/why"
	[ "$(grep -c two "$MNT/stacks/one/events/$id/why")" = 0 ]
}

@test "the page about asking is true" {
	run_page "$TOP/docs/asking.md"
	[ "$steps" -gt 12 ]
}

@test "a setting of then is what explains, also after a restart" {
	add_hook a <<<"return { event_type = 'a.b', $OK"
	echo 0 >"$MNT/ctl/hooks/a/enabled"
	id=$(emit '{"type":"a.b"}')
	final "$id"
	echo 1 >"$MNT/ctl/hooks/a/enabled"
	says "$id" a disabled 'was disabled then \(version 2 then, 3 now\)'
	stop_fsd
	start_fsd
	says "$id" a disabled 'was disabled then \(version 2 then, 3 now\)'
}

# reasons ID: what stands there of the hooks of the next test, to be the same whoever asks and when.
reasons() {
	says "$1" cut interrupted 'the daemon ended while it ran, and it runs at most once' &&
		says "$1" grouped throttled "^grouped +throttled +once_within 1h \(host = db 1\): event $first was the first, the next is taken from 20" &&
		says "$1" apart success &&
		says "$1" deduped throttled "dedup 1h by host \(host = db 1\): the same as event $first" &&
		says "$1" paced held "rate 1/h \(host = db 1\): its turn is at 20" &&
		says "$1" matched filtered 'disk\.used >= 90: it is 42' &&
		says "$1" picked filtered 'filter: used is 42' &&
		says "$1" torn broken 'hooks/torn\.lua:3: .*near .en.'
}

@test "after a kill -9 each sentence is there as before: key, value, line" {
	add_hook grouped <<<"return { event_type = 'a.b', group_by = 'host', once_within = '1h', $OK"
	add_hook apart <<<"return { event_type = 'a.b', group_by = 'id', once_within = '1h', $OK"
	add_hook deduped <<<"return { event_type = 'a.b', dedup = '1h by host', $OK"
	add_hook paced <<<"return { event_type = 'a.b', group_by = 'host', rate = '1/h', $OK"
	add_hook matched <<<"return { event_type = 'a.b', match = 'disk.used >= 90', $OK"
	add_hook picked <<<"return { event_type = 'a.b', filter = function(event) return event.data.disk.used >= 90, 'used is ' .. event.data.disk.used end, $OK"
	printf 'return {\n\tevent_type = "a.b",\n\texecute = function() return true en\n}\n' >"$MNT/hooks/torn.lua"
	wait_for 5 'grep -q "^broken" "$MNT/ctl/hooks/torn/status"'
	first=$(emit '{"type":"a.b","data":{"host":"db 1","id":1,"disk":{"used":42}}}')
	final "$first"
	add_hook cut <<<'return { event_type = "a.b", at_most_once = true, execute = function() sleep("100s") return true end }'
	second=$(emit '{"type":"a.b","data":{"host":"db 1","id":2,"disk":{"used":42}}}')
	wait_for 5 'says "$second" cut running >/dev/null && says "$second" picked filtered >/dev/null && says "$second" paced held >/dev/null'
	kill_fsd
	start_fsd
	wait_for 10 'says "$second" cut interrupted >/dev/null'
	reasons "$second"
	stop_fsd
	start_fsd
	wait_for 5 'grep -q "^broken" "$MNT/ctl/hooks/torn/status"'
	reasons "$second"
	grep -q '^event *processing ' "$MNT/events/$second/why"
}
