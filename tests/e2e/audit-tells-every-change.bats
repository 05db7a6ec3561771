#!/usr/bin/env bats
# `audit` has a line for each change made through the tree, done or refused; reads and events have none.

load functions
setup() { start_fsd; }
teardown() { cleanup; }

# told OP PATH RESULT: the lines of audit that say so.
told() { jq -c "select(.op == \"$1\" and .path == \"$2\" and .result == \"$3\")" "$MNT/audit"; }

@test "a change tells who, what, where and how it went" {
	add_hook a <<<'return { event_type = "a.b", execute = function() return true end }'
	wait_for 5 '[ -n "$(told create /hooks/a.lua ok)" ]'
	bash -c 'echo $$; exec >"$1"; echo 0' _ "$MNT/ctl/hooks/a/enabled" >"$BATS_TEST_TMPDIR/pid"
	wait_for 5 '[ -n "$(told write /ctl/hooks/a/enabled ok)" ]'
	told write /ctl/hooks/a/enabled ok | jq -e --arg pid "$(cat "$BATS_TEST_TMPDIR/pid")" \
		'.who == "uid:'"$(id -u)"'" and .door == "fuse" and (.pid | tostring) == $pid and (.time | test("Z$"))'
	mv "$MNT/hooks/a.lua" "$MNT/hooks/b.lua"
	wait_for 5 'told rename /hooks/a.lua ok | jq -e ".to == \"/hooks/b.lua\""'
	mkdir "$MNT/stacks/prod"
	chmod 600 "$MNT/ctl/hooks/b/enabled"
	rm "$MNT/hooks/b.lua"
	rmdir "$MNT/stacks/prod"
	for line in 'mkdir /stacks/prod' 'setattr /ctl/hooks/b/enabled' 'unlink /hooks/b.lua' 'rmdir /stacks/prod'; do
		wait_for 5 "[ \$(told $line ok | wc -l) = 1 ]"
	done
}

@test "a refused change is told with its errno, also one of events/emit" {
	! echo nonsense >"$MNT/config/log_level"
	! mkdir "$MNT/events/x"
	! echo '{"data":{}}' >"$MNT/events/emit"
	! sh -c ': >"$1"' _ "$MNT/version"
	wait_for 5 '[ -n "$(told write /config/log_level EINVAL)" ] && [ -n "$(told mkdir /events/x EPERM)" ]'
	wait_for 5 '[ -n "$(told write /events/emit EINVAL)" ] && [ -n "$(told open /version EACCES)" ]'
}

@test "an open file is one change, however many writes it takes; reads and events are none" {
	(for i in $(seq 50); do echo "-- $i"; done; echo 'return { event_type = "a.b", execute = function() return true end }') >"$MNT/hooks/long.lua"
	(echo "-- more") >>"$MNT/hooks/long.lua"
	emit '{"type":"a.b"}'
	cat "$MNT/hooks/long.lua" "$MNT/ctl/hooks/long/status" "$MNT/config/log_level" >/dev/null
	printf 45s >"$MNT/config/hook_timeout" # no newline: it acts at the close
	wait_for 5 '[ "$(told write /config/hook_timeout ok | wc -l)" = 1 ]'
	[ "$(told create /hooks/long.lua ok | wc -l)" = 1 ]
	[ "$(told write /hooks/long.lua ok | wc -l)" = 1 ]
	! jq -e 'select(.path == "/events/emit" or .path == "/config/log_level")' "$MNT/audit"
}

@test "it is the master's own: 0600 on the disk, nobody writes it, hooks neither" {
	[ "$(stat -c %a "$STATE/audit")" = 600 ]
	[ "$(stat -c %a "$MNT/audit")" = 400 ]
	! echo forged >>"$MNT/audit"
	! rm -f "$MNT/audit"
	add_hook forger <<-'LUA'
		return { event_type = "a.b", execute = function()
		  local ok = exec.run("echo forged >>\"$SLOTH_RUNNER_MOUNT/audit\"")
		  return true
		end }
	LUA
	id=$(emit '{"type":"a.b"}')
	[ "$(timeout 100 cat "$MNT/events/$id/wait")" = completed ]
	wait_for 5 '[ "$(told open /audit EACCES | wc -l)" -ge 2 ]'
	[ "$(grep -cx forged "$STATE/audit")" = 0 ]
	jq -es 'length > 0' "$MNT/audit"
}
