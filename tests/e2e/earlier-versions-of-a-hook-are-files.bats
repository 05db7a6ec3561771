#!/usr/bin/env bats
# ctl/hooks/<hook>/versions/ holds what a script was: to compare with, and to go back to.

load functions
setup() {
	start_fsd
	VERSIONS=$MNT/ctl/hooks/a/versions
}
teardown() { cleanup; }

# script TEXT: a hook that says TEXT.
script() { printf 'return { event_type = "t.x", execute = function() return true, "%s" end }\n' "$1"; }

# save TEXT [HOOKS]: put it in service as a, at the root or in another hooks/.
save() {
	local hooks=${2:-$MNT/hooks}
	script "$1" >"$hooks/a.lua"
	wait_for 5 "grep -qsx ok '${hooks%hooks}ctl/hooks/a/status'"
}

message() {
	local id
	id=$(emit '{"type":"t.x"}')
	timeout 100 cat "$MNT/events/$id/wait" >/dev/null
	cat "$MNT/events/$id/hooks/a/message"
}

@test "each source that was in service is a file, listed oldest first" {
	for n in $(seq 12); do save "text $n"; done
	[ "$(ls -U "$VERSIONS" | tr '\n' ' ')" = "$(printf '%s.lua ' $(seq 12))" ]
	[ "$(ls -v "$VERSIONS")" = "$(ls -U "$VERSIONS")" ]
	diff <(script "text 3") "$VERSIONS/3.lua"
	diff "$MNT/hooks/a.lua" "$VERSIONS/12.lua"
	[ "$(stat -c %s "$VERSIONS/3.lua")" -eq "$(script "text 3" | wc -c)" ]
	run diff "$MNT/hooks/a.lua" "$VERSIONS/3.lua"
	[ "$status" -eq 1 ]
	[[ $output == *'> '*'text 3'* ]]
}

@test "a version's time is when it came into service, also after a restart" {
	save one
	touch -d "@$(date +%s.%N)" "$BATS_TEST_TMPDIR/between" # the kernel's own time of a file is a tick late
	save two
	[ "$VERSIONS/1.lua" -ot "$BATS_TEST_TMPDIR/between" ]
	[ "$VERSIONS/2.lua" -nt "$BATS_TEST_TMPDIR/between" ]
	before=$(stat -c '%n %s %.9Y' "$VERSIONS"/*)
	stop_fsd
	start_fsd
	wait_for 5 'grep -qsx ok "$MNT/ctl/hooks/a/status"'
	[ "$(stat -c '%n %s %.9Y' "$VERSIONS"/*)" = "$before" ]
}

@test "cp brings an earlier version back, as a new one" {
	save one
	save two
	[ "$(message)" = two ]
	cp "$VERSIONS/1.lua" "$MNT/hooks/a.lua"
	wait_for 5 '[ -e "$VERSIONS/3.lua" ]'
	[ "$(message)" = one ]
	cmp "$VERSIONS/1.lua" "$VERSIONS/3.lua"
	[ "$(ls -U "$VERSIONS" | tr '\n' ' ')" = "1.lua 2.lua 3.lua " ]
}

@test "a changed setting makes no file; its number opens" {
	save one
	echo 0 >"$MNT/ctl/hooks/a/enabled"
	echo >"$MNT/ctl/hooks/a/enabled"
	wait_for 5 'grep -qsx ok "$MNT/ctl/hooks/a/status"'
	[ "$(ls "$VERSIONS")" = 1.lua ]
	grep -q '"version":3,' "$MNT/ctl/hooks.jsonl"
	cmp "$VERSIONS/3.lua" "$MNT/hooks/a.lua"
	[ ! -e "$VERSIONS/4.lua" ]
}

@test "what was never in service is no version" {
	save one
	echo 'not lua at all' >"$MNT/hooks/a.lua"
	wait_for 5 'grep -qs "^broken" "$MNT/ctl/hooks/a/status"'
	[ "$(ls "$VERSIONS")" = 1.lua ]
	cp "$VERSIONS/1.lua" "$MNT/hooks/a.lua"
	wait_for 5 'grep -qsx ok "$MNT/ctl/hooks/a/status"'
	[ "$(message)" = one ]
}

@test "the newest twenty sources stay, however often a setting is switched" {
	save "text 1"
	exec 7<"$VERSIONS/1.lua"
	for n in $(seq 2 23); do save "text $n"; done
	for n in $(seq 15); do
		echo 0 >"$MNT/ctl/hooks/a/enabled"
		echo 1 >"$MNT/ctl/hooks/a/enabled"
	done
	[ "$(ls -U "$VERSIONS" | tr '\n' ' ')" = "$(printf '%s.lua ' $(seq 4 23))" ]
	[ ! -e "$VERSIONS/1.lua" ] # though it was looked at before
	diff <(script "text 1") - <&7 # and who has it open, has it
	exec 7<&-
}

@test "a renamed hook takes its versions along, a stack has its own" {
	save one
	mkdir "$MNT/stacks/prod"
	save other "$MNT/stacks/prod/hooks"
	grep -q other "$MNT/stacks/prod/ctl/hooks/a/versions/1.lua"
	grep -q one "$VERSIONS/1.lua"
	mv "$MNT/hooks/a.lua" "$MNT/hooks/b.lua"
	wait_for 5 'grep -qsx ok "$MNT/ctl/hooks/b/status"'
	grep -q one "$MNT/ctl/hooks/b/versions/1.lua"
	[ ! -e "$VERSIONS" ]
}

@test "a hook that is removed by mistake comes back from its versions" {
	save one
	message >/dev/null # with a run in its history it is remembered
	rm "$MNT/hooks/a.lua"
	wait_for 5 '[ ! -e "$VERSIONS" ]'
	stop_fsd
	start_fsd
	touch "$MNT/hooks/a.lua"
	wait_for 5 '[ -e "$VERSIONS/1.lua" ]'
	cp "$VERSIONS/1.lua" "$MNT/hooks/a.lua"
	wait_for 5 'grep -qsx ok "$MNT/ctl/hooks/a/status"'
	[ "$(message)" = one ]
}

@test "nothing is written here, and the directory is closed to others" {
	save one
	run bash -c 'echo x >"$1"' - "$VERSIONS/1.lua"
	[ "$status" -ne 0 ]
	run rm "$VERSIONS/1.lua"
	[ "$status" -ne 0 ]
	[ "$(stat -c %a "$VERSIONS")" = 700 ]
	grep -q 'cp ctl/hooks/NAME/versions' "$MNT/ctl/hooks/a/.help" "$VERSIONS/.help"
}
