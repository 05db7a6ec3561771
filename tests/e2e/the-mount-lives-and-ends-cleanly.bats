# Start and stop: readiness, refusals, dead mounts, blocked readers, poll and signals.

bats_require_minimum_version 1.5.0
load functions

teardown() { cleanup; }

# start_in_background: as a user would; sets FSD_PID.
start_in_background() {
	mkdir -p "$SLOTH_RUNNER_CONFIG_DIR"
	timeout 100 sloth-fsd --state "$STATE" --mount "$MNT" "$@" 3>&-
	FSD_PID=$(sed 's/.*"pid":\([0-9]*\).*/\1/' "$STATE/master.json")
}

# await_end PID SECONDS
await_end() { wait_for "$2" "! kill -0 $1 2>/dev/null || grep -q '^State:.Z' /proc/$1/status"; }

@test "in the background it returns when the mount answers, and survives its caller" {
	start_in_background
	[ "$(cat "$MNT/version")" = "$(cat "$TOP/VERSION")" ]
	[ "$(ps -o sid= -p "$FSD_PID" | tr -d ' ')" = "$FSD_PID" ]
	for fd in 0 1 2; do [ "$(readlink "/proc/$FSD_PID/fd/$fd")" = /dev/null ]; done
	kill -HUP "$FSD_PID"
	[ -e "$MNT/version" ]
	kill -TERM "$FSD_PID"
	await_end "$FSD_PID" 10
	! is_mounted
	[ ! -e "$STATE/master.json" ]
	FSD_PID=
}

@test "a start that fails says why, once, and exits 1; wrong settings exit 2" {
	mkdir -p "$MNT" "$SLOTH_RUNNER_CONFIG_DIR"
	touch "$MNT/mine"
	run -1 sloth-fsd --state "$STATE" --mount "$MNT"
	[ "${#lines[@]}" = 1 ]
	[[ $output == *"holds files ('mine')"* ]]
	rm "$MNT/mine"
	printf '# settings\nworkers: many\n' >"$SLOTH_RUNNER_CONFIG_DIR/config.yaml"
	run -2 sloth-fsd --state "$STATE" --mount "$MNT"
	[[ $output == *"config.yaml:2: workers: 'many' is not a whole number"* ]]
}

@test "a second master on the state, or on the mount, is refused" {
	start_fsd
	run -1 sloth-fsd --state "$STATE" --mount "$BATS_TEST_TMPDIR/other"
	[[ $output == *"$STATE"*"$FSD_PID"* ]]
	run -1 sloth-fsd --state "$BATS_TEST_TMPDIR/other-state" --mount "$MNT"
	[[ $output == *"another master serves this mount"* ]]
	[ -e "$MNT/version" ]
	stop_fsd
}

@test "after a crash the dead mount is replaced, also with somebody inside" {
	start_fsd
	(cd "$MNT/hooks" && exec sleep 60) 3>&- &
	local inside=$!
	wait_for 5 '[ "$(readlink /proc/$inside/cwd)" = "$MNT/hooks" ]'
	kill_fsd
	run ! ls "$MNT"
	start_fsd
	[ "$(grep -c " $MNT .* fuse.sloth " /proc/self/mountinfo)" = 1 ]
	[ "$(cat "$MNT/version")" = "$(cat "$TOP/VERSION")" ]
	kill "$inside"
	stop_fsd
}

@test "A18: the bare mountpoint takes no files" {
	[ "$(id -u)" != 0 ] || skip "root may write anywhere"
	start_fsd
	stop_fsd
	run ! touch "$MNT/lost"
}

@test "the bare mountpoint has mode 0555" {
	start_fsd
	stop_fsd
	[ "$(stat -c %a "$MNT")" = 555 ]
}

@test "SIGTERM ends the master while readers are blocked and somebody is inside" {
	start_fsd
	local readers=()
	for n in $(seq 20); do
		cat "$MNT/events/stream" >/dev/null 2>&1 3>&- &
		readers+=($!)
	done
	(cd "$MNT/events" && exec sleep 60) 3>&- &
	local inside=$!
	wait_for 5 '[ "$(sed -n "s/^sloth_fuse_parked //p" "$MNT/metrics")" -gt 20 ]'
	stop_fsd
	for pid in "${readers[@]}"; do await_end "$pid" 2; done
	kill "$inside"
}

@test "unmounted from outside, the master ends" {
	start_fsd
	umount "$MNT" 2>/dev/null || fusermount3 -u "$MNT"
	await_end "$FSD_PID" 10
	wait "$FSD_PID"
	FSD_PID=
}

@test "a signal ends a read that waits at once, and the others go on" {
	start_fsd
	cat "$MNT/events/stream" >/dev/null 3>&- &
	local int=$!
	cat "$MNT/events/stream" >/dev/null 3>&- &
	local kill=$!
	wait_for 5 '[ "$(sed -n "s/^sloth_fuse_parked //p" "$MNT/metrics")" -ge 3 ]'
	kill -TERM "$int"
	kill -KILL "$kill"
	await_end "$int" 1
	await_end "$kill" 1
	emit '{"type":"a.b"}'
	wait_for 5 '[ "$(sed -n "s/^sloth_fuse_parked //p" "$MNT/metrics")" = 1 ]'
	stop_fsd
}

@test "poll and select wake when a stream has something" {
	requires python3
	start_fsd
	timeout 100 python3 - "$MNT" <<-'PY'
		import os, select, sys
		mnt = sys.argv[1]
		fd = os.open(mnt + "/events/stream", os.O_RDONLY | os.O_NONBLOCK)
		try:
		    os.read(fd, 10)
		    sys.exit("a read that may not wait waited")
		except BlockingIOError:
		    pass
		assert select.select([fd], [], [], 0)[0] == []
		if os.fork() == 0:
		    with open(mnt + "/events/emit", "w") as emit:
		        emit.write('{"type":"a.b"}\n')
		    os._exit(0)
		assert select.select([fd], [], [], 10)[0] == [fd]
		assert b"a.b" in os.read(fd, 65536)
	PY
	stop_fsd
}

@test "settings are judged in the write, kept in config.yaml, and there at the next start" {
	start_fsd
	printf '# mine\nretention: 30d # a month\n' >"$SLOTH_RUNNER_CONFIG_DIR/config.yaml"
	echo 7 >"$MNT/config/workers"
	echo 60d >"$MNT/config/retention"
	run ! bash -c 'echo 0 >"$1/config/workers"' - "$MNT"
	grep -q 'workers: .0. is out of bounds' "$MNT/errors"
	[ "$(cat "$MNT/config/workers")" = 7 ]
	diff - "$SLOTH_RUNNER_CONFIG_DIR/config.yaml" <<-'YAML'
		# mine
		retention: 60d # a month
		workers: 7
	YAML
	stop_fsd
	start_fsd
	[ "$(cat "$MNT/config/workers")" = 7 ]
	stop_fsd
}

@test "df, statfs and a sync of the mount answer" {
	start_fsd
	timeout 100 df "$MNT"
	timeout 100 stat -f "$MNT"
	timeout 100 sync -f "$MNT/version"
	stop_fsd
}

@test "an idle master sleeps" {
	start_fsd
	local task before
	switches() { cat /proc/"$FSD_PID"/task/*/status | awk '/ctxt/ { n += $2 } END { print n }'; }
	wait_for 20 'before=$(switches); read -rt 3 <> <(:) || true; [ "$(switches)" = "$before" ]'
	stop_fsd
}
