#!/usr/bin/env bats
# Several processes may write one event together; who opened emit says when it ends.

load functions
setup() { start_fsd; }
teardown() { cleanup; }

# of_type TYPE: the ids of the events of a type.
of_type() { ls "$MNT/events/by-type/$1" 2>/dev/null; }

@test "A08: an object written by several processes is one event" {
	{
		printf '{"type":"a.many","data":'
		/bin/echo '{"n":'
		/bin/echo '7}'
		printf '}'
	} >"$MNT/events/emit"
	[ "$(cat "$MNT/events/$(of_type a.many)/data")" = $'{"n":\n7}' ]
}

@test "what the opener leaves unfinished is refused at its close" {
	run bash -c "{ printf '{\"type\":\"a.cut\",'; /bin/echo '\"data\":{'; } >'$MNT/events/emit'; echo still here"
	wait_for 5 'tail -n1 "$MNT/errors" | grep -q "not finished"'
	[ -z "$(of_type a.cut)" ]
	[ "$(wc -l <"$MNT/errors")" -eq 1 ]
	printf '{"type":"a.cut"' >"$BATS_TEST_TMPDIR/cut" # a program that looks at its close is told
	! cp "$BATS_TEST_TMPDIR/cut" "$MNT/events/emit"
}

@test "A09: what a killed writer leaves unfinished has its line in errors" {
	sh -c "exec 3>'$MNT/events/emit'; printf '{\"type\":\"a.killed\",' >&3; sh -c 'kill -9 \$PPID' 3>&-; exit" || true
	wait_for 5 'tail -n1 "$MNT/errors" | grep -q "not finished"'
	# a short form without its newline is complete when its last writer is gone
	bash -c "exec 3>'$MNT/events/emit'; (trap '' HUP; sleep 0.2; printf 'a.late n=1' >&3) & exec 3>&-"
	wait_for 5 '[ -n "$(of_type a.late)" ]'
}
