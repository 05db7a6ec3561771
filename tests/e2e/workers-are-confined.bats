#!/usr/bin/env bats
# What hooks start cannot make the system calls that docs/sandbox.md denies, nor gain rights; and all else
# works as it does outside.

load functions
teardown() { cleanup; }

OTHER=65534

# walls ID: what the run of `look` saw of its walls: "<no_new_privs> <mode of seccomp>".
walls() {
	awk '/^(NoNewPrivs|Seccomp):/ { printf "%s%s", sep, $2; sep = " " }' "$MNT/events/$1/hooks/look/output"
}

# add_look COMMAND: a hook that prints its own status of /proc, then what the command prints.
add_look() {
	add_hook look <<-LUA
		return { event_type = "a.look", execute = function()
		  for line in io.lines("/proc/self/status") do
		    if line:match("^Seccomp:") or line:match("^NoNewPrivs:") then print(line) end
		  end
		  local r = exec.run([[$1]])
		  print(r.stdout .. r.stderr)
		  return true, r.stdout
		end }
	LUA
}

# look: raise the event, await its end, print its id.
look() {
	local id
	id=$(emit '{"type":"a.look"}')
	[ "$(timeout 100 cat "$MNT/events/$id/wait")" = completed ]
	echo "$id"
}

# give_away: the hook becomes the other user's.
give_away() {
	[ "$(id -u)" -eq 0 ] || skip "needs root, to be several users"
	let_others_in
	chown "$OTHER" "$MNT/hooks/look.lua"
	wait_for 5 '[ "$(cat "$MNT/ctl/hooks/look/owner")" = "$(id -nu $OTHER)" ] && grep -qx ok "$MNT/ctl/hooks/look/status"'
}

# not_denied ID: the calls that the run of `look` was not denied.  Under a sanitizer ptrace is permitted.
not_denied() {
	local permitted=
	case ${VARIANT:-release} in asan | tsan) permitted=ptrace ;; esac
	grep -vx "$permitted" "$MNT/events/$1/hooks/look/message" || true
}

@test "the calls that are denied outside are few, so that the next tests can fail" {
	denied_calls | grep -qx ptrace
	denied_calls | grep -qx process_vm_readv
}

@test "a worker of the master's user, and what it starts, is denied each of them" {
	start_fsd
	add_look denied_calls
	id=$(look)
	if [ "$(id -u)" -eq 0 ]; then
		[ "$(walls "$id")" = "0 2" ]
	else
		[ "$(walls "$id")" = "1 2" ]
	fi
	[ -z "$(not_denied "$id")" ]
}

@test "a worker of another user too, and sudo gains it nothing" {
	requires sudo
	start_fsd
	add_look "denied_calls; sudo -n true"
	give_away
	id=$(look)
	[ "$(walls "$id")" = "1 2" ]
	[ -z "$(not_denied "$id")" ]
	grep -q 'no new privileges' "$MNT/events/$id/hooks/look/output"
}

@test "no_new_privs=0: setuid programs work again, the calls stay denied" {
	start_fsd --set no_new_privs=0
	cp "$(command -v id)" "$BATS_TEST_TMPDIR/as_root"
	chmod 4755 "$BATS_TEST_TMPDIR/as_root"
	add_look "$BATS_TEST_TMPDIR/as_root -u; $BUILD/tools/denied_calls"
	give_away
	id=$(look)
	[ "$(walls "$id")" = "0 2" ]
	[ "$(not_denied "$id")" = 0 ]
}

@test "ordinary work goes on: programs, files, a second shell, mount points" {
	start_fsd
	add_look "cd / && stat -f /proc >/dev/null && ps >/dev/null && find /etc -maxdepth 1 | sort | head -1 && (sleep 0.01 & wait) && date >/dev/null && setsid true && nice true && echo fine"
	id=$(look)
	grep -qx fine "$MNT/events/$id/hooks/look/message"
}
