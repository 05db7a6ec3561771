#!/usr/bin/env bats
# Under a root master a hook runs as the owner of its file; what others could write is refused; and
# nothing it starts outlives it, whoever it is.

load ../e2e/functions
setup() {
	[ "$(id -u)" -eq 0 ] || skip "needs root, to be several users"
	start_fsd
}
teardown() { cleanup; }

OTHER=65534

# sleepers: the `sleep`s of our hooks that run as the other user.
sleepers() {
	local pid
	for pid in $(our_processes); do
		[ "$(stat -c %u "/proc/$pid" 2>/dev/null)" != "$OTHER" ] || grep -lxs sleep "/proc/$pid/comm" || true
	done
}

@test "exec of a hook owned by another user is that user, with all its ids and no more groups" {
	add_hook who <<-'LUA'
		return { event_type = "a.who", execute = function(event)
		  return true, exec.run("id -u; id -g; id -G; umask; echo $HOME").stdout
		end }
	LUA
	id=$(emit '{"type":"a.who"}')
	[ "$(timeout 100 cat "$MNT/events/$id/wait")" = completed ]
	[ "$(head -1 "$MNT/events/$id/hooks/who/message")" = 0 ]
	chown "$OTHER" "$MNT/hooks/who.lua"
	wait_for 5 '[ "$(cat "$MNT/ctl/hooks/who/owner")" = "$(id -nu $OTHER)" ] && grep -qx ok "$MNT/ctl/hooks/who/status"'
	id=$(emit '{"type":"a.who"}')
	[ "$(timeout 100 cat "$MNT/events/$id/wait")" = completed ]
	mapfile -t seen <"$MNT/events/$id/hooks/who/message"
	[ "${seen[0]}" = "$OTHER" ]
	[ "${seen[1]}" = "$(id -g "$OTHER")" ]
	[ "${seen[2]}" = "$(id -G "$OTHER")" ]
	[ "${seen[4]}" = "$(getent passwd "$OTHER" | cut -d: -f6)" ]
	# neither root's files nor the database are within its reach
	cat >"$MNT/hooks/who.lua" <<-LUA
		return { event_type = "a.who", execute = function(event)
		  return true, exec.run("cat $STATE/hooks.db; cat /etc/shadow; kill -0 $FSD_PID; true").stderr
		end }
	LUA
	[ "$(stat -c %u "$MNT/hooks/who.lua")" = "$OTHER" ]
	wait_for 5 'grep -qx ok "$MNT/ctl/hooks/who/status"'
	id=$(emit '{"type":"a.who"}')
	timeout 100 cat "$MNT/events/$id/wait"
	[ "$(grep -ci 'denied\|not permitted' "$MNT/events/$id/hooks/who/message")" = 3 ]
}

@test "a script or a directory that others may write is refused, and says chmod go-w" {
	add_hook open <<<'return { event_type = "a.open", execute = function() return true end }'
	for mode in 664 646 666; do
		chmod "$mode" "$MNT/hooks/open.lua"
		wait_for 5 'grep -q "chmod go-w" "$MNT/ctl/hooks/open/status"'
		chmod 644 "$MNT/hooks/open.lua"
		wait_for 5 'grep -qx ok "$MNT/ctl/hooks/open/status"'
	done
	chmod 775 "$MNT/hooks"
	wait_for 5 'grep -q "chmod go-w" "$MNT/ctl/hooks/open/status"'
	id=$(emit '{"type":"a.open"}')
	timeout 100 cat "$MNT/events/$id/wait"
	chmod 755 "$MNT/hooks"
	wait_for 5 'grep -qx ok "$MNT/ctl/hooks/open/status"'
}

@test "nothing that a hook of another user starts outlives it" {
	add_hook forker <<-'LUA'
		return { event_type = "a.fork", execute = function(event)
		  exec.run("sleep 300 & (setsid sleep 300 &) ; (setsid sh -c 'sleep 300 & exec sleep 300' >/dev/null 2>&1 &) ; sleep 0.1")
		  return true
		end }
	LUA
	add_hook stuck <<-'LUA'
		return { event_type = "a.stuck", timeout = 8, execute = function(event)
		  exec.run("trap '' TERM INT HUP; setsid sleep 300 & while :; do sleep 300; done")
		  return true
		end }
	LUA
	chown "$OTHER" "$MNT/hooks/forker.lua" "$MNT/hooks/stuck.lua"
	wait_for 5 '[ "$(cat "$MNT"/ctl/hooks/{forker,stuck}/owner | sort -u)" = "$(id -nu $OTHER)" ]'
	wait_for 5 '[ "$(cat "$MNT"/ctl/hooks/{forker,stuck}/status | sort -u)" = ok ]'
	id=$(emit '{"type":"a.fork"}')
	[ "$(timeout 100 cat "$MNT/events/$id/wait")" = completed ]
	wait_for 5 '[ -z "$(sleepers)" ]'
	id=$(emit '{"type":"a.stuck"}')
	wait_for 5 '[ "$(sleepers | wc -l)" -ge 2 ]'
	[ "$(timeout 100 cat "$MNT/events/$id/wait")" = failed ]
	[ "$(hook_status "$id" stuck)" = timeout ]
	wait_for 5 '[ -z "$(sleepers)" ]'
	stop_fsd
	[ -z "$(our_processes)" ]
}
