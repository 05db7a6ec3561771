#!/usr/bin/env bats
# match and filter: which of the events that reach a hook make it run, and what is said of the others.

load functions
setup() { start_fsd; }
teardown() { cleanup; }

# decided ID HOOK: what events/<id>/why says of the hook, once the event is final.
decided() {
	timeout 100 cat "$MNT/events/$1/wait" >/dev/null
	sed -n "s/^$2  *//p" "$MNT/events/$1/why" | tr -s ' '
}

# of DATA: an event of type a.b with this data, and what was decided about hook h.
of() { decided "$(emit "{\"type\":\"a.b\",\"data\":$1}")" h; }

# ask TEXT: what ctl/hooks/h/test answers.
ask() {
	local answer
	exec {ask_fd}<>"$MNT/ctl/hooks/h/test"
	printf '%s\n' "$1" >&"$ask_fd" || { exec {ask_fd}>&-; return 1; }
	read -r answer <&"$ask_fd"
	exec {ask_fd}>&-
	printf '%s\n' "$answer"
}

@test "match as a field: all lines must hold, the reason is the first that does not" {
	add_hook h <<-'EOF'
		return {
			event_type = "a.b",
			match = { "cpu.load >= 90", "host.name ~ ^web-\\d+$", "@severity != debug" },
			execute = function() return true end,
		}
	EOF
	[[ $(of '{"cpu":{"load":95.5},"host":{"name":"web-12"}}') == "success "* ]]
	[ "$(of '{"cpu":{"load":42},"host":{"name":"web-12"}}')" = "filtered cpu.load >= 90: it is 42" ]
	[ "$(of '{"cpu":{"load":99},"host":{"name":"db-1"}}')" = 'filtered host.name ~ ^web-\d+$: it is "db-1"' ]
	[ "$(of '{"cpu":{"load":99}}')" = 'filtered host.name ~ ^web-\d+$: there is no host.name' ]
	id=$(emit '{"type":"a.b","severity":"debug","data":{"cpu":{"load":91},"host":{"name":"web-1"}}}')
	[ "$(decided "$id" h)" = 'filtered @severity != debug: it is "debug"' ]
	[ "$(cat "$MNT/events/$id/status")" = completed ]
	[ "$(cat "$MNT/events/$id/hooks/h/status")" = filtered ]
	[ "$(cat "$MNT/ctl/hooks/h/runs")" = 1 ]
	[ "$(jq -r .why "$MNT/ctl/hooks/h/log" | tail -n1)" = '@severity != debug: it is "debug"' ]
}

@test "match as a file stands over the field, and takes effect at once; what cannot be judged is refused" {
	add_hook h <<<'return { event_type = "a.b", match = "n = 1", execute = function() return true end }'
	[[ $(of '{"n":2}') == "filtered n = 1: it is 2" ]]
	printf 'n > 1\nname = web-* | "db 1"\n' >"$MNT/ctl/hooks/h/match"
	[[ $(of '{"n":2,"name":"db 1"}') == "success "* ]]
	[[ $(of '{"n":2,"name":"web-7"}') == "success "* ]]
	[ "$(of '{"n":1,"name":"web-7"}')" = "filtered n > 1: it is 1" ]
	run bash -c "printf 'n > 1\nname ~ web-[0-9\n' >'$MNT/ctl/hooks/h/match'"
	[ "$status" -ne 0 ]
	tail -n1 "$MNT/errors" | grep -q '"match: line 2: the regular expression is wrong at character'
	run bash -c "echo 'n =~ 1' >'$MNT/ctl/hooks/h/match'"
	[ "$status" -ne 0 ]
	tail -n1 "$MNT/errors" | grep -q "\"match: line 1: behind 'n' must stand .* not '=~'"
	[ "$(head -n1 "$MNT/ctl/hooks/h/match")" = "n > 1" ]
	echo >"$MNT/ctl/hooks/h/match" # back to the field
	[[ $(of '{"n":1}') == "success "* ]]
	echo 'return { event_type = "a.b", match = "n =~ 1", execute = print }' >"$MNT/hooks/h.lua"
	wait_for 5 "grep -q \"^broken: .*: line 1: behind 'n' must stand .* not '=~'\" $MNT/ctl/hooks/h/status"
	[[ $(of '{"n":1}') == "success "* ]] # by the version before
}

@test "a regular expression that would not end fails its run, and delays nobody" {
	add_hook h <<<'return { event_type = "a.b", match = "text ~ ^(a+)+$", execute = function() return true end }'
	long=$(printf 'a%.0s' {1..60})
	[[ $(of "{\"text\":\"$long!\"}") == "failed "*"text ~ ^(a+)+\$: gave up on a value of 61 bytes: it takes too many steps" ]]
	[[ $(of '{"text":"aaa"}') == "success "* ]]
}

@test "filter: false says no, with its reason; it may wait, and its error fails the run" {
	add_hook h <<-'EOF'
		return {
			event_type = "a.b",
			filter = function(event)
				sleep(0.01)
				if event.data.broken then
					return event.data.no.such
				end
				return event.data.n == 1, "n is " .. tostring(event.data.n)
			end,
			execute = function(event) return true, "ran for " .. event.count end,
		}
	EOF
	id=$(emit '{"type":"a.b","data":{"n":1}}')
	[[ $(decided "$id" h) == "success "* ]]
	[ "$(cat "$MNT/events/$id/hooks/h/output")" = "ran for 1" ]
	[ "$(of '{"n":2}')" = "filtered filter: n is 2" ]
	id=$(emit '{"type":"a.b","data":{"broken":true}}')
	[[ $(decided "$id" h) == "failed "*"hooks/h.lua:6: attempt to index"* ]]
	grep -q 'stack traceback' "$MNT/events/$id/hooks/h/error"
}

@test "what conditions stop is not counted by the rules, and a filter is asked once for each event" {
	add_hook h <<-EOF
		return {
			event_type = "a.b",
			match = "n = 1",
			filter = function(event)
				io.open("$BATS_TEST_TMPDIR/asked", "a"):write(event.data.who):close()
				return event.data.who ~= "c"
			end,
			accumulate_within = "3/1h",
			execute = function(event) return true, event.count .. " with " .. event.data.who end,
		}
	EOF
	[[ $(of '{"n":1,"who":"a"}') == throttled* ]]
	[[ $(of '{"n":2,"who":"b"}') == filtered* ]]
	[[ $(of '{"n":1,"who":"c"}') == filtered* ]]
	[[ $(of '{"n":1,"who":"d"}') == throttled* ]]
	id=$(emit '{"type":"a.b","data":{"n":1,"who":"e"}}')
	[[ $(decided "$id" h) == success* ]]
	[ "$(cat "$MNT/events/$id/hooks/h/message")" = "3 with e" ]
	[ "$(cat "$BATS_TEST_TMPDIR/asked")" = acde ]
}

@test "test tells what is decided, and records nothing" {
	add_hook h <<-EOF
		return {
			event_type = "a.b",
			stack = "prod",
			match = "n = 1",
			execute = function(event)
				io.open("$BATS_TEST_TMPDIR/ran", "a"):write("x"):close()
				return true, "did it"
			end,
		}
	EOF
	[ "$(ask '{"n":1}' | jq -r '.decision, .result, .message')" = $'run\nsuccess\ndid it' ]
	[ "$(ask '{"n":2}' | jq -r '.decision, .why, .result')" = $'filtered\nn = 1: it is 2\nfiltered' ]
	[ "$(ask 'dry=1 {"n":1}' | jq -r '.decision, .result')" = $'run\nnull' ]
	[ "$(ask 'dry=1 {"n":2}' | jq -r '.decision, .why')" = $'filtered\nn = 1: it is 2' ]
	[ "$(ask '{"type":"a.b","stack":"dev","data":{"n":1}}' | jq -r '.decision, .result')" = $'wall\nnull' ]
	[ "$(ask 'dry=1 {"type":"c.d"}' | jq -r .decision)" = other-type ]
	[ "$(cat "$BATS_TEST_TMPDIR/ran")" = x ]
	[ "$(cat "$MNT/ctl/hooks/h/runs")" = 0 ]
	[ ! -s "$MNT/ctl/hooks/h/log" ]
}

@test "a wrong line written by hand into hooks.d/ is refused with its number, and after a kill still" {
	add_hook hand <<<'return { event_type = "a.b", execute = print }'
	printf 'match = n ~ ^x\n' >"$STATE/hooks.d/hand.conf"
	wait_for 5 'grep -qx "ok (overridden: match)" "$MNT/ctl/hooks/hand/status"'
	printf '# by hand\nmatch = n = 1\nmatch = n ~ ^[x\n' >"$STATE/hooks.d/hand.conf"
	wait_for 5 'grep -q "^broken: .*/hooks.d/hand.conf: line 3: the regular expression is wrong at character" "$MNT/ctl/hooks/hand/status"'
	tail -n 1 "$MNT/errors" | grep -q 'line 3: the regular expression is wrong'
	! echo 1m >"$MNT/ctl/hooks/hand/once_within" # the file that somebody wrote stays as it is
	kill_fsd
	start_fsd
	wait_for 5 'grep -q "^broken: .*line 3: .*still in service" "$MNT/ctl/hooks/hand/status"'
	[ "$(cat "$MNT/ctl/hooks/hand/match")" = 'n ~ ^x' ]
	rm "$STATE/hooks.d/hand.conf"
	wait_for 5 'grep -qx ok "$MNT/ctl/hooks/hand/status"'
}
