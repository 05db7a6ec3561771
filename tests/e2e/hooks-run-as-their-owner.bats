#!/usr/bin/env bats
# Under a root master a hook runs as the owner of its file.

load functions
setup() {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	start_fsd
	# a second user must be able to reach the mount, as under /run
	chmod 755 "$BATS_TEST_TMPDIR"
}
teardown() { cleanup; }

@test "another user's hook has that user's ids, home and rights" {
	add_hook a <<-LUA
		return { event_type = "a.b", execute = function()
		  print((exec.run("id -u; id -g; id -G").stdout:gsub("%s+", " ")))
		  print(env.get("HOME") == "$(getent passwd nobody | cut -d: -f6)", file.write("$STATE/owned", "x"))
		  return true
		end }
	LUA
	chown nobody:nogroup "$MNT/hooks/a.lua"
	wait_for 5 '[ "$(cat "$MNT/ctl/hooks/a/owner")" = nobody ] && grep -qx ok "$MNT/ctl/hooks/a/status"'
	id=$(emit '{"type":"a.b"}')
	[ "$(timeout 100 cat "$MNT/events/$id/wait")" = completed ]
	uid=$(id -u nobody) gid=$(id -g nobody)
	[ "$(head -n1 "$MNT/events/$id/hooks/a/output")" = "$uid $gid $gid " ]
	grep -q '^true	false	.*Permission denied' "$MNT/events/$id/hooks/a/output"
}

@test "a script below a directory that others may write is refused" {
	stop_fsd
	chmod 777 "$BATS_TEST_TMPDIR"
	start_fsd
	cat >"$MNT/hooks/a.lua" <<<'return { event_type = "a.b", execute = function() return true end }'
	wait_for 5 'grep -qF "others may write '"'$BATS_TEST_TMPDIR'"'" "$MNT/ctl/hooks/a/status"'
	chmod 1777 "$BATS_TEST_TMPDIR" # as /tmp is
	add_hook a <<<'return { event_type = "a.b", execute = function() return true, "safe" end }'
}

@test "a script that others than its owner may write is refused" {
	add_hook a <<<'return { event_type = "a.b", execute = function() return true, "safe" end }'
	chmod 666 "$MNT/hooks/a.lua"
	wait_for 5 'grep -q "chmod go-w" "$MNT/ctl/hooks/a/status"'
	chmod 644 "$MNT/hooks/a.lua"
	wait_for 5 'grep -qx ok "$MNT/ctl/hooks/a/status"'
}
