#!/usr/bin/env bats
# At log level debug the log has a line for each step of an event, and never anything of its data.

load functions
setup() { start_fsd; }
teardown() { cleanup; }

# steps ID: the messages about an event, one a line.
steps() { jq -r --arg id "$1" 'select(.event == $id) | .msg' "$MNT/log"; }

@test "each step of an event is a line at level debug, without data, and nothing at info" {
	requires jq
	add_hook good <<-'EOF'
		return { event_type = "a.b", execute = function(event)
			print("says hunter2")
			return true, event.data.password
		end }
	EOF
	add_hook bad <<<'return { event_type = "a.b", execute = function(event) error(event.data.password) end }'
	add_hook picky <<<'return { event_type = "a.b", match = "password = other", execute = print }'
	add_hook later <<<'return { event_type = "a.b", once_after = "50ms", execute = function() return true end }'
	event='{"type":"a.b","agent":"web-1","data":{"password":"hunter2"}}'
	id=$(emit "$event")
	[ "$(timeout 100 cat "$MNT/events/$id/wait")" = failed ]
	[ -z "$(steps "$id")" ]
	echo debug >"$MNT/config/log_level"
	id=$(emit "$event")
	[ "$(timeout 100 cat "$MNT/events/$id/wait")" = failed ]
	wait_for 5 'steps "$id" | grep -q final'
	[ "$(steps "$id" | head -n1)" = accepted ]
	[ "$(steps "$id" | tail -n1)" = "final: failed" ]
	[ "$(jq -r --arg id "$id" 'select(.event == $id and .msg == "matched") | .hooks' "$MNT/log" | tr ' ' '\n' | sort | paste -sd' ')" = "bad good later picky" ]
	[ "$(steps "$id" | grep -c '^started$')" = 3 ]
	[ "$(steps "$id" | grep -E '^(ended|decided)' | sort)" = $'decided: filtered\ndecided: held\nended: failed\nended: success\nended: success' ]
	[ "$(jq -r --arg id "$id" 'select(.event == $id and .msg == "ended: success" and .hook == "good") | "\(.hook) \(.attempt) \(.type) \(.duration_ms >= 0)"' "$MNT/log")" = "good 1 a.b true" ]
	run grep -E 'hunter2|password' "$MNT/log" "$BATS_TEST_TMPDIR/fsd.out"
	[ "$status" -eq 1 ]
	grep -q hunter2 "$MNT/events/$id/hooks/bad/error" # where it belongs
}
