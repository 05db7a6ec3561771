#!/usr/bin/env bats
# ctl/hooks/<hook>/wait: a script saves a hook, reads one line, and knows what became of it.

load functions
setup() { start_fsd; }
teardown() { cleanup; }

waited() { timeout 100 cat "$MNT/${2:-}ctl/hooks/$1/wait"; }

# Wait in the background, until the master holds the read.
begin_waiting() {
	cat "$MNT/ctl/hooks/$1/wait" >"$BATS_TEST_TMPDIR/answer" 2>&1 3>&- 8>&- &
	waiter=$!
	wait_for 5 '[ "$(awk "\$1 == \"sloth_fuse_parked\" { print \$2 }" "$MNT/metrics")" -ge 2 ]' # one is the reading of metrics
}

@test "it gives the status as soon as the file is judged, however long that takes" {
	for n in 1 2 3; do
		echo "for i = 1, 1e7 do end return { event_type = 'a.b', execute = function() return true, $n end }" >"$MNT/hooks/a.lua"
		[ "$(waited a)" = ok ]
		id=$(emit a.b)
		timeout 100 cat "$MNT/events/$id/wait"
		[ "$(cat "$MNT/events/$id/hooks/a/message")" = $n ]
	done
	[ "$(waited a)" = ok ] # nothing is under way
	echo 'return { event_type = "a.b", execute = ' >"$MNT/hooks/a.lua"
	[[ $(waited a) == "broken: hooks/a.lua:"*"(version 3 still in service)" ]]
	echo 'return { execute = function() end }' >"$MNT/hooks/a.lua"
	[ "$(waited a)" = "no event" ]
	mkdir "$MNT/stacks/prod"
	echo 'return { event_type = "a.b", execute = function() end }' >"$MNT/stacks/prod/hooks/a.lua"
	[ "$(waited a stacks/prod/)" = ok ]
}

@test "a file that is being written is waited for, one that goes meanwhile is told" {
	exec 8>"$MNT/hooks/a.lua"
	begin_waiting a
	timeout -s INT 0.1 cat "$MNT/ctl/hooks/a/wait" || [ $? -eq 124 ] # giving up leaves the others alone
	echo 'return { event_type = "a.b", execute = function() return true end }' >&8
	exec 8>&-
	wait "$waiter"
	[ "$(cat "$BATS_TEST_TMPDIR/answer")" = ok ]
	exec 8>"$MNT/hooks/b.lua"
	begin_waiting b
	rm "$MNT/hooks/b.lua"
	exec 8>&-
	wait "$waiter"
	[ "$(cat "$BATS_TEST_TMPDIR/answer")" = removed ]
}
