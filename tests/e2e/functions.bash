# Verbs for end-to-end tests.  Each test gets its own state and mount below $BATS_TEST_TMPDIR; every exit,
# good or bad, ends the processes it started and detaches its mount.
#
#	load functions
#	setup() { start_fsd; }
#	teardown() { cleanup; }
#
#	$STATE, $MNT      the state directory and the mount
#	$FSD_PID          the daemon
#
# A test never sleeps and hopes: wait_for polls with a bound, and the tree has `wait` nodes.

# shellcheck disable=SC2016 # conditions are evaluated later, by wait_for

TOP=${TOP:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
BUILD=${BUILD:-$TOP/build/${VARIANT:-release}}
export PATH=$BUILD:$BUILD/tools:$PATH
STATE=$BATS_TEST_TMPDIR/state
MNT=$BATS_TEST_TMPDIR/mnt
export SLOTH_RUNNER_CACHE_DIR=$STATE SLOTH_RUNNER_MOUNT=$MNT SLOTH_RUNNER_CONFIG_DIR=$BATS_TEST_TMPDIR/etc
unset SLOTH_RUNNER_MASTER_ADDR SLOTH_RUNNER_LOG_LEVEL
FSD_PID=

# requires TOOL...: skip the test where a tool is missing.
requires() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null || skip "needs $tool"
	done
}

# let_others_in: open this test's directory to other users; skip where TMPDIR itself is closed to them.
let_others_in() {
	chmod 755 "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR" "$BATS_SUITE_TMPDIR" "$BATS_FILE_TMPDIR" 2>/dev/null || true
	(cd / && setpriv --reuid 65534 --regid 65534 --clear-groups test -x "$BATS_TEST_TMPDIR") ||
		skip "other users cannot reach ${TMPDIR:-/tmp}"
}

# is_mounted: whether the kernel has our mount.
is_mounted() { grep -q " $MNT fuse" /proc/self/mounts; }

# start_fsd [OPTION...]: a master on this test's state; returns when the mount answers.
start_fsd() {
	mkdir -p "$STATE" "$SLOTH_RUNNER_CONFIG_DIR"
	chmod 700 "$STATE"
	# fd 3 is bats' own; a daemon that kept it would keep the run from ending
	setsid sloth-fsd --foreground --state "$STATE" --mount "$MNT" "$@" \
		>>"$BATS_TEST_TMPDIR/fsd.out" 2>&1 </dev/null 3>&- &
	FSD_PID=$!
	wait_for 10 'is_mounted && [ -e "$MNT/version" ]' || {
		echo "the master did not come up:"
		tail -20 "$BATS_TEST_TMPDIR/fsd.out"
		return 1
	}
}

# stop_fsd: a clean stop (SIGTERM) that must end and leave no mount.
stop_fsd() {
	[ -n "$FSD_PID" ] || return 0
	kill -TERM "$FSD_PID"
	wait_for 15 '! kill -0 "$FSD_PID" 2>/dev/null'
	wait "$FSD_PID" || return 1
	FSD_PID=
	! is_mounted
}

# kill_fsd: SIGKILL, as a crash would.
kill_fsd() {
	kill -KILL "$FSD_PID"
	wait "$FSD_PID" 2>/dev/null || true
	FSD_PID=
}

# wait_for SECONDS 'CONDITION': until the condition holds, else fail and say which.  The seconds are what a
# slow disk may take; a machine that is busy with other things gets ten times that.
wait_for() {
	local deadline=$((SECONDS + 10 * $1))
	until eval "$2"; do
		if [ "$SECONDS" -ge "$deadline" ]; then
			echo "not within $((10 * $1)) s: $2"
			return 1
		fi
		read -rt 0.02 <> <(:) || true
	done
}

# emit LINE...: raise an event and print its id.
emit() {
	local id
	exec {emit_fd}<>"$MNT/events/emit"
	printf '%s\n' "$*" >&"$emit_fd" || { exec {emit_fd}>&-; return 1; }
	read -r id <&"$emit_fd"
	exec {emit_fd}>&-
	echo "$id"
}

# add_hook NAME: the script comes on standard input; returns when it is in service, else says why it is not.
add_hook() {
	local status
	cat >"$MNT/hooks/$1.lua"
	status=$(timeout 100 cat "$MNT/ctl/hooks/$1/wait")
	[[ $status == ok* ]] || { echo "$1: $status"; return 1; }
}

# hook_status ID HOOK: what became of a hook for an event that is final.
hook_status() { cat "$MNT/events/$1/hooks/$2/status"; }

# scope: what marks everything the masters on this test's state directory start.
scope() { printf '%x-%x' "$(stat -c %d "$STATE")" "$(stat -c %i "$STATE")"; }

# our_processes: the ids of the workers of this test's masters and of all they ever started, by the mark
# that stands in their environment.
our_processes() {
	grep -lsZ "SLOTH_RUNNER_SCOPE=$(scope)" /proc/[0-9]*/environ 2>/dev/null | tr '\0' '\n' | sed 's|/proc/||; s|/environ||'
}

# remove_groups: the control groups of a killed master, which only its next start would remove.
remove_groups() {
	local mount group
	mount=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
	group=$mount$(sed -n 's|^0::/$||p; s|^0::||p' /proc/self/cgroup)/sloth-$(scope)
	[ -n "$mount" ] && [ -d "$group" ] || return 0
	echo 1 >"$group/cgroup.kill"
	wait_for 5 "grep -q 'populated 0' '$group/cgroup.events'"
	rmdir "$group"/w* "$group" 2>/dev/null || true
	[ ! -d "$group" ]
}

cleanup() {
	if [ -n "$FSD_PID" ]; then
		kill -TERM "$FSD_PID" 2>/dev/null || true
		wait_for 12 '! kill -0 "$FSD_PID" 2>/dev/null' || kill -KILL -- "-$FSD_PID" 2>/dev/null || true
		wait "$FSD_PID" 2>/dev/null || true
	fi
	if is_mounted; then
		fusermount3 -uz "$MNT" 2>/dev/null || umount -l "$MNT"
	fi
	[ ! -d "$STATE" ] || remove_groups || echo "control groups are left: sloth-$(scope)"
	if grep -qE 'Sanitizer|runtime error:|Assertion|assertion' "$BATS_TEST_TMPDIR/fsd.out" 2>/dev/null; then
		echo "the daemon complained:"
		grep -E -A20 'Sanitizer|runtime error:|ssertion' "$BATS_TEST_TMPDIR/fsd.out" | head -60
		return 1
	fi
	if [ -z "${BATS_TEST_COMPLETED:-}" ]; then
		echo "--- the daemon's log (state kept in no place: run the test alone to look)"
		tail -30 "$STATE/log" 2>/dev/null || tail -30 "$BATS_TEST_TMPDIR/fsd.out" 2>/dev/null || true
	fi
}
